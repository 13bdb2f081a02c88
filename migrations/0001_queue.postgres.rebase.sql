-- A dump restored elsewhere. The cursors are snapshots, and transaction ids mean nothing in another cluster: where its ids
-- are lower, all that is enqueued there would look as if it had been claimed long ago. So a restored queue accepts no entry
-- and no claim until rebase() has written it down anew in the ids of the cluster it is in now. Looking at it works.
--
-- How a restored queue knows: each of two rows says which transaction wrote it. A file copy keeps a row's xmin (pg_basebackup,
-- a standby, pg_upgrade, vacuum full); restoring a dump writes the row again, so xmin is another one. A part of a transaction
-- wrote the first of the two, so its number is the higher one: restored in this order, both can never fit again.

create table origin (
  part int not null,
  mark xid
);

create function mark_origin() returns void language plpgsql set search_path from current as $$
begin
  delete from origin;
  begin
    -- One row to learn the number from.
    insert into origin values (0);
    insert into origin select 1, xmin from origin where part = 0;
  exception when others then
    -- Its being here makes the block a subtransaction.
    raise;
  end;
  insert into origin values (-1);
  insert into origin select 2, xmin from origin where part = -1;
  delete from origin where part <= 0;
end $$;
select mark_origin();

-- Whether this is the cluster in which the queue's transaction ids were given out.
create function is_home() returns boolean language sql stable set search_path from current as $$
  select count(*) = 2 from origin where xmin = mark
$$;

-- Whether transaction ids are kept that this cluster has not given out yet: it is another one, or its counter was set back.
create function is_ahead() returns boolean language sql stable set search_path from current set enable_seqscan = off as $$
  select exists (
    select 1 from lane la
    cross join lateral (select * from lease l where l.lane between la.id and la.id order by l.lane desc, l.id desc limit 1) c
    left join lateral (
      select xid from job j where j.lane = la.id order by j.lane desc, j.xid desc, j.position desc limit 1) j on true
    where greatest(pg_snapshot_xmax(c.s2), j.xid) > pg_snapshot_xmax(pg_current_snapshot()))
$$;

-- A session that has found the queue at home once believes it: it cannot move to another cluster, and tables restored beside
-- it are others. This costs a tenth of looking each time, which was a quarter of an enqueue. Without a search path of its own
-- for the same reason.
create function check_home() returns trigger language plpgsql as $$
begin
  if pg_catalog.current_setting('martlet.home_' || TG_RELID, true) is distinct from 'yes' then
    execute pg_catalog.format('select %I.look_home(%s)', TG_TABLE_SCHEMA, TG_RELID);
  end if;
  return null;
end $$;

create function look_home(p_table oid) returns void language plpgsql set search_path from current as $$
begin
  perform 1 from origin where xmin <> mark;
  if found then
    raise 'the queue in schema % was restored from a dump and nothing is taken or added before it is rebased', current_schema()
      using errcode = 'MT002', hint = 'Stop all workers, then run: martlet repair rebase';
  end if;
  perform set_config('martlet.home_' || p_table, 'yes', false);
end $$;
-- All that appends, all that claims, all that wants to claim; once a statement, whatever its rows.
create trigger home before insert on job for each statement execute function check_home();
create trigger home before insert on lease for each statement execute function check_home();
create trigger home before insert on worker for each statement execute function check_home();

-- What rebase() would do.
create function rebase_preview(out needed boolean, out available bigint, out running bigint) language sql stable
  security definer set search_path from current as $$
  select not is_home() or is_ahead(), (select coalesce(sum(w.n), 0)::bigint from lane la
      cross join lateral (select count(*) as n from waiting(la.id, 2147483647)) w),
    (select coalesce(sum(open), 0)::bigint from lease where open > 0 and revoked_at is null)
$$;

-- rebase() needs as many transaction ids behind it as a lane has leases; a new cluster has not given out that many yet.
-- Called before, and committed. A transaction that keeps an old snapshot open makes it useless.
create function make_room() returns void language plpgsql security definer set search_path from current as $$
declare
  v_short bigint;
begin
  select coalesce(max(n), 0) + 16 - pg_snapshot_xmin(pg_current_snapshot())::text::bigint into v_short
    from (select count(*) as n from lease group by lane) l;
  for i in 1 .. v_short loop
    begin
      -- Gives the subtransaction an id of its own.
      perform pg_logical_emit_message(true, 'martlet', '');
    exception when others then
      raise;
    end;
  end loop;
end $$;

-- Appends what was running, then what was waiting, each lane in its order, under the ids the jobs had. Delayed and failed
-- jobs hold no transaction ids and stay as they are; completed ones stay in their leases.
create function rebase(out available bigint, out running bigint) language plpgsql security definer
  set search_path from current set jit = off as $$
declare
  v_now timestamptz := clock();
  v_last bigint;
  v_segment int;
  v_start xid8;
  v_rows bigint;
  r record;
begin
  available := 0;
  running := 0;
  -- Lists go on; whoever appends, claims or settles waits.
  lock table job, lease in share row exclusive mode;
  if is_home() and not is_ahead() then return; end if;
  perform mark_origin();
  v_start := pg_snapshot_xmin(pg_current_snapshot());
  select last_value into v_last from "position";
  -- A dump reads the sequence later than the tables.
  select least(last_value, (select max(number) - 1 from segment)) into v_segment from segment_number;
  perform setval('segment_number', v_segment);
  perform setval(s, 1) from unnest('{promoted_upto,promoted_fully,forgotten_upto,forgotten_fully,added_up,segments_turned}'::regclass[]) s;

  -- Who was alive in the dump is not alive here. What a worker was running may have run to its end after the dump.
  for r in
    select worker as id from lease where open > 0 and revoked_at is null and worker is not null
    union select id from worker where ended_at is null order by id
  loop
    running := running + (select jobs from end_worker(r.id, false, v_now));
  end loop;
  for r in select id from lane order by id loop
    insert into job (segment, lane, enqueued_at, id, run_at, timeout_ms, expires_at, max_attempts, attempt, crashes, args)
      select v_segment, lane, enqueued_at, coalesce(id, position), run_at, timeout_ms, expires_at, max_attempts, attempt, crashes, args
      from waiting(r.id, 2147483647) where position <= v_last;
    get diagnostics v_rows = row_count;
    available := available + v_rows;
  end loop;
  delete from tombstone;

  if exists (select 1 from job where position <= v_last and xid >= v_start)
    or exists (select 1 from lease where greatest(xid, pg_snapshot_xmax(s1), pg_snapshot_xmax(s2)) > v_start)
  then
    perform backdate(v_start, v_last);
  end if;
  -- From here on a lane's jobs are those of this transaction and later ones.
  insert into lease (id, xid, position, claimed, peak, claimed_at, finished_at, lane, count, open, s1, s2)
    select nextval('lease_number') << 20, '0', 0, c.claimed, c.peak, v_now, v_now, c.lane, 0, 0, s, s
    from (select (v_start::text || ':' || v_start::text || ':')::pg_snapshot as s) start, lane la
    cross join lateral (select * from lease l where l.lane between la.id and la.id order by l.lane desc, l.id desc limit 1) c;
  perform wake(array(select id from lane));
end $$;

-- Gives old entries and leases transaction ids that lie behind us, in such a way that lease_of() finds each entry's lease:
-- the number of the lease in its lane. This writes the whole log once more.
create function backdate(p_start xid8, p_last bigint) returns void language plpgsql
  set search_path from current set jit = off as $$
begin
  if (select coalesce(max(n), 0) + 8 from (select count(*) as n from lease group by lane) l) > p_start::text::bigint then
    raise 'another transaction has been open for too long to rebase now' using errcode = '55006',
      hint = 'Wait until it has ended, or end it, then run martlet repair rebase again.';
  end if;
  with ranked as (
    select positions, row_number() over (partition by lane order by id) + 2 as number from lease
  )
  update job j set xid = ranked.number::text::xid8 from ranked, unnest(ranked.positions) p
    where j.position = p and j.position <= p_last;
  -- Held by no lease any more, or appended again just now: only behind us.
  update job set xid = '3' where position <= p_last and xid >= p_start;
  with ranked as (
    select id, row_number() over (partition by lane order by id) + 3 as number from lease
  )
  update lease l set xid = '0', position = 0, s1 = s, s2 = s
    from ranked, lateral (select (number::text || ':' || number::text || ':')::pg_snapshot as s) snapshot
    where l.id = ranked.id;
end $$;
