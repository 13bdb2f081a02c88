-- Where a job is. Every job lives in exactly one place, and the place says its state.

-- One job as every place knows it.
create type job_row as (
  cursor bigint, id bigint, kind text, queue text, priority int, state text, attempt int, crashes int, max_attempts int,
  timeout_ms bigint, enqueued_at timestamptz, run_at timestamptz, started_at timestamptz, finished_at timestamptz,
  worker text, args text, reason text, lease bigint, expires_at timestamptz
);

-- The lease that holds an entry: the first of its lane under which it counts as claimed. Once claimed, always claimed, so
-- a binary search finds it. Null: not claimed yet. One that retention has removed leads to another that does not hold it.
create function lease_of(p_lane int, p_xid xid8, p_position bigint) returns bigint language plpgsql stable
  set search_path from current set enable_seqscan = off set enable_sort = off set jit = off as $$
declare
  l lease;
  v_low bigint;
  v_high bigint;
  v_middle bigint;
  v_found bigint;
begin
  select * into l from lease where lane between p_lane and p_lane order by lane desc, id desc limit 1;
  if not is_claimed(l, p_xid, p_position) then return null; end if;
  v_found := l.id;
  v_high := l.id - 1;
  select id into v_low from lease where lane between p_lane and p_lane order by lane, id limit 1;
  while v_low <= v_high loop
    v_middle := v_low + (v_high - v_low) / 2;
    select * into l from lease where (lane, id) >= (p_lane, v_middle) and lane <= p_lane order by lane, id limit 1;
    if is_claimed(l, p_xid, p_position) then
      v_found := l.id;
      v_high := v_middle - 1;
    else
      v_low := l.id + 1;
    end if;
  end loop;
  return v_found;
end $$;

-- What a lease's row says of its jobs that are at home there, running and completed ones: of all, or of one.
create function leased(p_lease bigint, p_position bigint default null) returns setof job_row language plpgsql stable
  set search_path from current set enable_seqscan = off set jit = off as $$
declare
  l lease;
  v_worker text;
begin
  select * into l from lease where id = p_lease;
  select name into v_worker from worker where id = l.worker;
  return query select j.position, coalesce(j.id, j.position), la.kind, la.queue, la.priority::int,
    case when m.mark = 1 then 'completed' else 'running' end, j.attempt + 1, j.crashes::int, j.max_attempts, j.timeout_ms,
    j.enqueued_at, j.run_at,
    case when m.mark = 1 then l.claimed_at + t.waited else l.claimed_at end,
    case when m.mark = 1 then l.claimed_at + t.waited + t.ran end,
    v_worker, j.args, null::text, case when m.mark = 0 then l.id end, j.expires_at
  from (
    select e.position, e.n::int - 1 as n, coalesce(get_byte(l.endings, e.n::int - 1), 0) as mark
    from (
      select * from unnest(l.positions) with ordinality where p_position is null
      union all
      select p_position, p.n from array_position(l.positions, p_position) p(n) where p.n is not null
    ) e(position, n) offset 0) m
  join job j on j.position = m.position and j.segment between l.first_segment and l.last_segment
  join lane la on la.id = l.lane
  left join lateral (select * from run_time(l, m.n) where m.mark = 1) t on true
  where m.mark = 1 or m.mark = 0 and l.revoked_at is null;
end $$;

create view delayed_row as
  select d.id as cursor, d.id, la.kind, la.queue, la.priority::int, d.state, d.attempt::int, d.crashes::int, d.max_attempts,
    d.timeout_ms, d.enqueued_at, d.run_at, null::timestamptz as started_at, null::timestamptz as finished_at,
    null::text as worker, d.args, null::text as reason, null::bigint as lease,
    d.expires_at
  from delayed d join lane la on la.id = d.lane;

create view failed_row as
  select f.id as cursor, f.id, la.kind, la.queue, la.priority::int, f.state, f.attempt::int, f.crashes::int, f.max_attempts,
    f.timeout_ms, f.enqueued_at, f.run_at, f.started_at, f.finished_at, f.worker, f.args, f.reason, null::bigint as lease,
    f.expires_at
  from failed f join lane la on la.id = f.lane;

-- What an entry of the log and its lease say of its job; no row: the job lives elsewhere. Nothing is looked up that such a job
-- does not have: whoever asks for one has mostly begun a session for it, and pays for each statement's plan.
create function at_home(j job) returns setof job_row language plpgsql stable
  set search_path from current set enable_seqscan = off set jit = off as $$
declare
  l lease;
  v_lease bigint := lease_of(j.lane, j.xid, j.position);
  v_index int;
  v_state text := 'available';
  v_started timestamptz;
  v_finished timestamptz;
  v_worker text;
begin
  if v_lease is not null then
    select * into l from lease where id = v_lease;
    select name into v_worker from worker where id = l.worker;
    v_index := array_position(l.positions, j.position) - 1;
    case
      when v_index is null then return;
      when get_byte(l.endings, v_index) = 1 then
        v_state := 'completed';
        select l.claimed_at + t.waited, l.claimed_at + t.waited + t.ran into v_started, v_finished from run_time(l, v_index) t;
      when coalesce(get_byte(l.endings, v_index), 0) = 0 and l.revoked_at is null then
        v_state := 'running';
        v_started := l.claimed_at;
      else return;
    end case;
  elsif exists (select 1 from tombstone t where t.lane = j.lane and t.position = j.position) then
    return;
  end if;
  return query select j.position, coalesce(j.id, j.position), la.kind, la.queue, la.priority::int, v_state,
    j.attempt + case when v_lease is null then 0 else 1 end, j.crashes::int, j.max_attempts, j.timeout_ms, j.enqueued_at, j.run_at,
    v_started, v_finished, v_worker, j.args, null::text,
    case when v_state = 'running' then v_lease end, j.expires_at
    from lane la where la.id = j.lane;
end $$;

-- The one place where a job lives, which is what says its state. No row: there is no such job, or its retention is over.
create function find(p_id bigint) returns setof job_row language plpgsql stable
  set search_path from current set enable_seqscan = off set jit = off as $$
declare
  j job;
  v_segment int;
begin
  -- Most jobs are still where they were enqueued. The segment is a guess, but for few the right one, and no other is opened.
  select number into v_segment from segment where after < p_id order by number desc limit 1;
  select * into j from job where segment = v_segment and position = p_id and id is null;
  if found then
    return query select * from at_home(j);
    if found then return; end if;
  end if;
  -- Looked for first: a view is not planned where there is nothing for it.
  if exists (select 1 from failed where id = p_id) then
    return query select * from failed_row where id = p_id;
    return;
  end if;
  if exists (select 1 from delayed where id = p_id) then
    return query select * from delayed_row where id = p_id;
    return;
  end if;
  select * into j from (
    -- Not by position alone: without statistics the planner would walk that index, all of it, for the newest.
    (select * from job where id = p_id order by position + 0 desc limit 1)
    union all (select * from job where position = p_id and id is null limit 1)) e
  order by position desc limit 1;
  if found then return query select * from at_home(j); end if;
end $$;

-- Where one of several jobs is: its lane, and with an entry in the log that entry, and the lease that holds it, at index.
create type place as (n int, id bigint, state text, lane int, segment int, cursor bigint, lease bigint, index int);

-- Where jobs are, as find() says of one: a row for each, in which n says where it was first named; without a state where there
-- is no such job. However many are asked for, a lane's cursor and a lease's row are read once: jobs that are in the log are
-- gone through in its order, in which those of a lease follow each other.
create function places(p_ids bigint[]) returns setof place language plpgsql stable set search_path from current
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  p place;
  e record;
  c lease;
  -- The lease at hand: its places, and the index of the last one that was asked for, from 1.
  v_lease bigint;
  v_positions bigint[];
  v_endings bytea;
  v_revoked boolean;
  v_at int;
  v_mark int;
begin
  for e in
    select g.n, g.id, coalesce(f.state, d.state) as state, coalesce(f.lane, d.lane, j.lane) as lane, j.segment, j.xid, j.position,
      exists (select 1 from tombstone t where t.lane = j.lane and t.position = j.position) as passed
    from (select min(u.n)::int as n, u.id from unnest(p_ids) with ordinality u(id, n) group by u.id) g
    left join failed f on f.id = g.id
    left join delayed d on d.id = g.id
    left join lateral (
      select * from (
        -- Not by position alone: see find().
        (select * from job where id = g.id and f.id is null and d.id is null order by position + 0 desc limit 1)
        union all
        (select * from job where position = g.id and id is null and f.id is null and d.id is null limit 1)) e
      order by position desc limit 1) j on true
    order by j.lane, j.position
  loop
    p := row(e.n, e.id, e.state, e.lane, e.segment, e.position, null, null);
    if e.position is not null then
      if c.lane is distinct from e.lane then
        select * into c from lease where lane between e.lane and e.lane order by lane desc, id desc limit 1;
        v_lease := null;
        v_positions := null;
      end if;
      if not is_claimed(c, e.xid, e.position) then
        if not e.passed then p.state := 'available'; end if;
      else
        v_at := v_at + 1;
        if v_positions[v_at] is distinct from e.position then
          v_at := array_position(v_positions, e.position);
          if v_at is null then
            -- More often than not the next one holds it; otherwise it is searched for.
            for v_try in 1..2 loop
              -- Unpacked once: an element is then read without the rest.
              select l.id, l.positions, l.endings || '', l.revoked_at is not null into v_lease, v_positions, v_endings, v_revoked
                from lease l where l.id = case v_try
                  when 1 then (
                    select n.id from lease n
                    where (n.lane, n.id) > (e.lane, coalesce(v_lease, 9223372036854775807)) and n.lane <= e.lane
                    order by n.lane, n.id limit 1)
                  else lease_of(e.lane, e.xid, e.position) end;
              v_at := array_position(v_positions, e.position);
              exit when v_at is not null;
            end loop;
          end if;
        end if;
        v_mark := coalesce(get_byte(v_endings, v_at - 1), 0);
        p.state := case when v_at is null then null when v_mark = 1 then 'completed'
          when v_mark = 0 and not v_revoked then 'running' end;
        p.lease := v_lease;
        p.index := v_at - 1;
      end if;
    end if;
    return next p;
  end loop;
end $$;
