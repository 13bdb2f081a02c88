-- Retention. A lease goes with the jobs it completed, a segment of the log by dropping its table when nothing in it matters
-- any more: no delete per job, and nobody who reads is waited for.
--
-- Segments have numbers rather than ranges of time, because then a row is in the segment that was current when it was
-- written, whatever a clock says: no entry can fall outside all partitions when nobody has made one for this hour, a clock that
-- goes back does no harm, and enqueue needs one look at a sequence. When a segment was opened is written beside its number, and
-- retention goes by that.

-- Removes what ended long ago, at most about p_limit jobs a call, and returns how many went. Also makes segments ahead and
-- drops the oldest when nothing in it matters any more.
create function retain(p_completed interval, p_failed interval, p_limit int) returns bigint language plpgsql security definer
  set search_path from current as $$
declare
  -- A whole second, so that there is an end to it where jobs end all the time.
  v_now timestamptz := date_trunc('second', clock());
  v_removed bigint;
begin
  if current_setting('transaction_isolation') <> 'read committed' then perform check_isolation(); end if;
  perform relax();
  v_removed := forget_leases(v_now - p_completed, p_limit);
  if v_removed < p_limit then
    v_removed := v_removed + forget_failed(v_now - p_failed, (p_limit - v_removed)::int);
  end if;
  -- Best where nothing was removed, and with it nothing locked.
  if v_removed = 0 or must_look_everywhere('segments_turned', v_now, '10 minutes') then
    perform looked_everywhere('segments_turned', clock());
    -- A worker is kept as long as a lease may show its name.
    delete from worker where ended_at < v_now - p_completed - interval '1 day';
    perform turn_segments(v_now, p_completed);
  end if;
  return v_removed;
end $$;

-- Completed jobs go with their lease; the newest of a lane stays as its cursor, emptied. Looks from where it last was, and
-- everywhere every ten minutes, for what ended late by a clock that went back; see looked_everywhere().
create function forget_leases(p_before timestamptz, p_limit int) returns bigint language plpgsql
  set search_path from current set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set jit = off as $$
declare
  v_now timestamptz := clock();
  v_from timestamptz := 'epoch';
  v_upto timestamptz;
  v_removed bigint;
begin
  if not must_look_everywhere('forgotten_fully', v_now, '10 minutes') then
    select 'epoch'::timestamptz + last_value * interval '1 microsecond' into v_from from forgotten_upto
      where last_value < micros(v_now);
    v_from := coalesce(v_from, 'epoch');
  end if;
  with old as materialized (
    select l.id, l.lane, l.count, l.completed, l.finished_at, l.positions, l.endings, l.first_segment, l.last_segment,
      l.id = (select n.id from lease n where n.lane between l.lane and l.lane order by n.lane desc, n.id desc limit 1) as is_cursor
    from lease l where l.finished_at >= v_from and l.finished_at < p_before and (l.count > 0 or l.positions is null)
      and not (l.count = 0
        and l.id = (select n.id from lease n where n.lane between l.lane and l.lane order by n.lane desc, n.id desc limit 1))
    order by l.finished_at limit greatest(1, least(p_limit, 100)) for no key update skip locked
  ), done as (
    select e.position, o.first_segment, o.last_segment from old o, unnest(o.positions) with ordinality e(position, n)
    where (exists (select 1 from result) or exists (select 1 from attempt_error)
        or exists (select 1 from usage))
      and o.endings is not null and get_byte(o.endings, e.n::int - 1) = 1
  ), forgotten as (
    -- An entry in the log goes with its segment; errors of earlier attempts and results go now.
    select coalesce(j.id, j.position) as job from done d
    join job j on j.position = d.position and j.segment between d.first_segment and d.last_segment
  ), results as (
    delete from result where job in (select job from forgotten)
  ), errors as (
    delete from attempt_error where job in (select job from forgotten)
  ), usages as (
    delete from usage where job in (select job from forgotten)
  ), emptied as (
    update lease l set count = 0, completed = 0, positions = null, endings = null, times = null, first = null,
      first_segment = null, last_segment = null
    from old o where l.id = o.id and o.is_cursor
  ), gone as (
    delete from lease l using old o where l.id = o.id and not o.is_cursor
  ), runs as (
    delete from run where lease in (select id from old)
  ), counted as (
    update lane la set forgotten = forgotten + o.jobs
    from (select lane, sum(count) as jobs from old group by lane) o where la.id = o.lane
  )
  select sum(greatest(1, completed)), max(finished_at) into v_removed, v_upto from old;
  if v_upto is not null then
    perform setval('forgotten_upto', micros(v_upto));
  end if;
  -- Also where there is more: it goes on from there, in order.
  if v_from = 'epoch' then perform looked_everywhere('forgotten_fully', v_now); end if;
  return coalesce(v_removed, 0);
end $$;

create function forget_failed(p_before timestamptz, p_limit int) returns bigint language plpgsql
  set search_path from current as $$
declare
  v_ids bigint[];
begin
  select array_agg(id) into v_ids from (
    select id from failed where finished_at < p_before order by finished_at limit p_limit for update skip locked) f;
  perform remove_failed(v_ids);
  delete from attempt_error where job = any(v_ids);
  delete from usage where job = any(v_ids);
  return coalesce(cardinality(v_ids), 0);
end $$;

-- Takes jobs out of failed, and out of the groups of their errors.
create function remove_failed(p_ids bigint[]) returns void language plpgsql set search_path from current as $$
begin
  with gone as (
    delete from failed where id = any(p_ids) returning failure
  ), fewer as (
    select failure as id, count(*) as n from gone where failure is not null group by failure
  ), locked as materialized (
    select f.id, fewer.n from failure f join fewer on fewer.id = f.id order by f.kind, f.fingerprint for no key update of f
  )
  update failure f set count = f.count - locked.n from locked where f.id = locked.id;
  delete from failure where count <= 0;
end $$;

-- One segment is always made ahead, so that enqueue never waits for one: the number is set in a later transaction than the
-- one that made the table. A segment is open for a sixth of the time that completed jobs are kept.
--
-- A sequence keeps its number when its transaction is undone. So what belongs to a turn is looked at each time, not only
-- when the number is set; and dropping, which readers may hold up, undoes no turn.
create function turn_segments(p_now timestamptz, p_completed interval) returns void language plpgsql
  set search_path from current as $$
declare
  v_current int;
  -- Read before the number is set: what is appended to the next segment comes after this.
  v_position bigint := (select last_value from "position");
  s record;
begin
  -- One at a time, and nobody waits.
  if not pg_try_advisory_xact_lock(worker_locks(), -1) then return; end if;
  perform set_config('lock_timeout', '100ms', true);
  select last_value into v_current from segment_number;
  begin
    -- By a clock that has gone back since.
    update segment set opened_at = p_now where opened_at > p_now + interval '1 minute';
    if (select opened_at from segment where number = v_current) < p_now - greatest(p_completed / 6, interval '10 minutes')
      and exists (select 1 from segment where number = v_current + 1)
    then
      v_current := setval('segment_number', v_current + 1);
    end if;
    update segment set opened_at = p_now, after = v_position where number = v_current and opened_at is null;
    if not exists (select 1 from segment where number = v_current + 1) then
      perform make_segment(v_current + 1);
      insert into segment values (v_current + 1, null);
    end if;
  exception when lock_not_available or deadlock_detected then
    -- Somebody reads or writes for longer than we want everybody to wait. Another time.
    null;
  end;
  begin
    -- One a call. Of those that are old enough the oldest, and some others: what keeps one may keep it for long.
    for s in
      with old as (
        select number from (select number, lead(opened_at) over (order by number) as closed_at from segment) a
        where number < v_current and closed_at < p_now - p_completed
      )
      (select number from old order by number limit 4) union all (select number from old order by random() limit 4)
    loop
      exit when drop_segment(s.number, v_current) is not null;
    end loop;
  exception when lock_not_available or deadlock_detected then
    null;
  end;
  perform set_config('lock_timeout', '0', true);
end $$;

-- Drops a segment unless something in it still matters that cannot be moved: history of leases that are kept, or many
-- stragglers. A few waiting entries, or open leases, are moved to the current segment, keeping their place in the order.
-- Null: it need not even be tried, and nobody was held up.
create function drop_segment(p_number int, p_current int) returns boolean language plpgsql
  set search_path from current set enable_seqscan = off set jit = off as $$
declare
  v_open bigint[];
  v_waiting bigint[];
  v_jobs bigint;
begin
  if keeps_history(p_number) then return null; end if;
  if (select sum(count) from (
      select count from lease where p_number between first_segment and last_segment and count > 0 and open > 0 limit 1001) l) > 1000
    or (select count(*) from (
      select 1 from lane la, waiting(la.id, 1001, p_number, p_number) limit 1001) w) > 1000
  then
    return null;
  end if;
  -- From here on nobody claims or appends. Whoever had to be waited for may have done so, and a settlement may have ended a lease.
  lock table job in access exclusive mode;
  select array_agg(id), sum(count) into v_open, v_jobs from (
    select id, count from lease where p_number between first_segment and last_segment and count > 0 and open > 0
    order by id limit 1001 for no key update) l;
  select array_agg(w.position) into v_waiting from (
    select w.position from lane la, waiting(la.id, 1001, p_number, p_number) w limit 1001) w;
  if v_jobs > 1000 or cardinality(v_waiting) > 1000 or keeps_history(p_number) then return false; end if;
  update job set segment = p_current where segment = p_number and position = any(v_waiting || (
    select array_agg(e.position) from lease l, unnest(l.positions) e(position) where l.id = any(v_open)));
  update lease l set last_segment = p_current, first_segment = (
      select min(segment) from job j where j.position = any(l.positions) and j.segment between l.first_segment and p_current)
    where id = any(v_open);
  delete from tombstone t using job j where j.segment = p_number and j.position = t.position and j.lane = t.lane;
  execute format('drop table %I', 'job_' || p_number);
  delete from segment where number = p_number;
  return true;
end $$;

create function keeps_history(p_segment int) returns boolean language sql stable
  set search_path from current set enable_seqscan = off as $$
  select exists (
    select 1 from lease where p_segment between first_segment and last_segment and count > 0 and open = 0)
$$;
