-- Functions and views for people: where a job is, lists, repairs, counts.

-- One job as every place knows it.
create type job_row as (
  cursor bigint, id bigint, kind text, queue text, priority int, state text, attempt int, crashes int, max_attempts int,
  timeout_ms bigint, enqueued_at timestamptz, run_at timestamptz, started_at timestamptz, finished_at timestamptz,
  worker text, args text, reason text, lease bigint
);

-- The lease that holds an entry: the first of its lane under which it counts as claimed. Once claimed, always claimed, so
-- a binary search finds it. Null: not claimed yet. One that retention has removed leads to another that does not hold it.
create function lease_of(p_lane int, p_xid xid8, p_position bigint) returns bigint language plpgsql stable
  set search_path from current set enable_seqscan = off set enable_sort = off as $$
declare
  l lease;
  v_low bigint;
  v_high bigint;
  v_middle bigint;
  v_found bigint;
begin
  select * into l from lease where lane = p_lane order by lane desc, id desc limit 1;
  if not is_claimed(l, p_xid, p_position) then return null; end if;
  v_found := l.id;
  v_high := l.id - 1;
  select id into v_low from lease where lane = p_lane order by lane, id limit 1;
  while v_low <= v_high loop
    v_middle := v_low + (v_high - v_low) / 2;
    select * into l from lease where lane = p_lane and id >= v_middle order by lane, id limit 1;
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
    case when m.mark = 1 then l.claimed_at + float4_at(l.times, m.n * 8) * interval '1 second' else l.claimed_at end,
    case when m.mark = 1 then
      l.claimed_at + (float4_at(l.times, m.n * 8) + float4_at(l.times, m.n * 8 + 4)) * interval '1 second' end,
    v_worker, j.args, null::text, case when m.mark = 0 then l.id end
  from (
    select e.position, e.n::int - 1 as n, coalesce(get_byte(l.endings, e.n::int - 1), 0) as mark
    from (
      select * from unnest(l.positions) with ordinality where p_position is null
      union all
      select p_position, p.n from array_position(l.positions, p_position) p(n) where p.n is not null
    ) e(position, n) offset 0) m
  join job j on j.position = m.position and j.segment between l.first_segment and l.last_segment
  join lane la on la.id = l.lane
  where m.mark = 1 or m.mark = 0 and l.revoked_at is null;
end $$;

create view delayed_row as
  select d.id as cursor, d.id, la.kind, la.queue, la.priority::int, d.state, d.attempt::int, d.crashes::int, d.max_attempts,
    d.timeout_ms, d.enqueued_at, d.run_at, null::timestamptz as started_at, null::timestamptz as finished_at,
    null::text as worker, d.args, null::text as reason, null::bigint as lease
  from delayed d join lane la on la.id = d.lane;

create view failed_row as
  select f.id as cursor, f.id, la.kind, la.queue, la.priority::int, f.state, f.attempt::int, f.crashes::int, f.max_attempts,
    f.timeout_ms, f.enqueued_at, f.run_at, f.started_at, f.finished_at, f.worker, f.args, f.reason, null::bigint as lease
  from failed f join lane la on la.id = f.lane;

-- The one place where a job lives, which is what says its state. No row: there is no such job, or its retention is over.
create function find(p_id bigint) returns setof job_row language plpgsql stable
  set search_path from current set enable_seqscan = off as $$
declare
  j job;
  v_lease bigint;
begin
  return query select * from failed_row where id = p_id;
  if found then return; end if;
  return query select * from delayed_row where id = p_id;
  if found then return; end if;
  select * into j from (
    -- Not by position alone: without statistics the planner would walk that index, all of it, for the newest.
    (select * from job where id = p_id order by position + 0 desc limit 1)
    union all (select * from job where position = p_id and id is null limit 1)) e
  order by position desc limit 1;
  if not found then return; end if;
  v_lease := lease_of(j.lane, j.xid, j.position);
  if v_lease is not null then
    return query select * from leased(v_lease, j.position);
  elsif not exists (select 1 from tombstone t where t.lane = j.lane and t.position = j.position) then
    return query select w.position, coalesce(w.id, w.position), la.kind, la.queue, la.priority::int, 'available', w.attempt::int,
      w.crashes::int, w.max_attempts, w.timeout_ms, w.enqueued_at, w.run_at, null::timestamptz, null::timestamptz, null::text, w.args,
      null::text, null::bigint
      from job w join lane la on la.id = w.lane where w.position = j.position and w.segment = j.segment;
  end if;
end $$;

create function lanes_for(p_kind text, p_queue text) returns int[] language sql stable set search_path from current as $$
  select coalesce(array_agg(id), '{}') from lane
  where (p_kind is null or kind = p_kind) and (p_queue is null or queue = p_queue)
$$;

create function list_running(p_lanes int[], p_since timestamptz, p_before bigint) returns setof job_row
  language sql stable set search_path from current as $$
  select r.* from lease l cross join lateral leased(l.id) r
  where l.completed < l.count and l.open > 0 and l.lane = any(p_lanes) and r.state = 'running'
    and r.cursor < p_before and (p_since is null or r.enqueued_at >= p_since)
$$;

-- The newest that wait. Few are fetched and sorted; of many, the newest entries of the log are looked through.
create function list_available(p_lanes int[], p_since timestamptz, p_before bigint, p_limit int)
  returns setof job_row language plpgsql stable set search_path from current
  set enable_seqscan = off set enable_sort = off set enable_bitmapscan = off set jit = off as $$
declare
  v_some bigint;
begin
  select count(*) into v_some from (
    select 1 from unnest(p_lanes) la, waiting(la, p_limit + 1000) limit p_limit + 1000) w;
  if v_some < p_limit + 1000 then
    return query select w.position, coalesce(w.id, w.position), la.kind, la.queue, la.priority::int, 'available', w.attempt::int,
      w.crashes::int, w.max_attempts, w.timeout_ms, w.enqueued_at, w.run_at, null::timestamptz, null::timestamptz, null::text, w.args,
      null::text, null::bigint
    from (
      select w.* from unnest(p_lanes) la, waiting(la, p_limit + 1000) w
      where w.position < p_before and (p_since is null or w.enqueued_at >= p_since)
      order by w.position desc limit p_limit) w join lane la on la.id = w.lane;
  else
    return query select w.position, coalesce(w.id, w.position), la.kind, la.queue, la.priority::int, 'available', w.attempt::int,
      w.crashes::int, w.max_attempts, w.timeout_ms, w.enqueued_at, w.run_at, null::timestamptz, null::timestamptz, null::text, w.args,
      null::text, null::bigint
    from (
      select j.* from job j
      where j.position < p_before and j.lane = any(p_lanes) and (p_since is null or j.enqueued_at >= p_since)
        and not is_claimed((select l from lease l where l.lane = j.lane order by l.lane desc, l.id desc limit 1), j.xid, j.position)
        and not exists (select 1 from tombstone t where t.lane = j.lane and t.position = j.position)
      order by j.position desc limit p_limit) w join lane la on la.id = w.lane;
  end if;
end $$;

-- The newest that are done: lane by lane, leases from the newest back, until none older can hold a newer job.
create function list_completed(p_lanes int[], p_since timestamptz, p_before bigint, p_limit int)
  returns setof job_row language plpgsql stable set search_path from current set enable_seqscan = off as $$
declare
  v_lane int;
  v_cursors bigint[];
  v_leases bigint[] := '{}';
  l record;
begin
  foreach v_lane in array p_lanes loop
    v_cursors := '{}';
    for l in
      select id, peak, claimed_at, positions, endings from lease
      where lane = v_lane and first < p_before and completed > 0 order by lane desc, id desc
    loop
      exit when l.claimed_at < p_since or cardinality(v_cursors) >= p_limit and l.peak < v_cursors[p_limit];
      v_leases := v_leases || l.id;
      -- The largest p_limit so far; with a time to look back to, jobs that were enqueued before it must not count.
      if p_since is null then
        select array_agg(c order by c desc) into v_cursors from (
          select c from (select unnest(v_cursors) as c union all
            select position from unnest(l.positions) with ordinality e(position, n)
            where position < p_before and get_byte(l.endings, n::int - 1) = 1) a order by c desc limit p_limit) b;
        v_cursors := coalesce(v_cursors, '{}');
      end if;
    end loop;
  end loop;
  return query select r.* from unnest(v_leases) id, leased(id) r
    where r.state = 'completed' and r.cursor < p_before and (p_since is null or r.enqueued_at >= p_since)
    order by r.cursor desc limit p_limit;
end $$;

create function list_jobs(
  p_state text, p_kind text, p_queue text, p_since timestamptz, p_fingerprint text, p_before bigint, p_limit int
) returns setof job_row language plpgsql stable set search_path from current set jit = off as $$
declare
  v_lanes int[] := lanes_for(p_kind, p_queue);
begin
  return query
  select * from (
    select r.* from (
      select r.* from list_running(v_lanes, p_since, p_before) r order by r.cursor desc limit p_limit) r
    where (p_state is null or p_state = 'running') and p_fingerprint is null
    union all select r.* from list_available(v_lanes, p_since, p_before, p_limit) r
    where (p_state is null or p_state = 'available') and p_fingerprint is null
    union all select r.* from list_completed(v_lanes, p_since, p_before, p_limit) r
    where (p_state is null or p_state = 'completed') and p_fingerprint is null
    union all select d.* from (
      select * from delayed_row d where (p_state is null or d.state = p_state) and p_fingerprint is null
        and (p_kind is null or d.kind = p_kind) and (p_queue is null or d.queue = p_queue)
        and (p_since is null or d.enqueued_at >= p_since) and d.id < p_before order by d.id desc limit p_limit) d
    where p_state is null or p_state in ('scheduled', 'retryable')
    union all select f.* from (
      select f.* from failed_row f where (p_state is null or f.state = p_state)
        and (p_kind is null or f.kind = p_kind) and (p_queue is null or f.queue = p_queue)
        and (p_since is null or f.enqueued_at >= p_since) and f.id < p_before
        and (p_fingerprint is null or exists (
          select 1 from failed o join failure g on g.id = o.failure where o.id = f.id and g.fingerprint = p_fingerprint))
      order by f.id desc limit p_limit) f
    where p_state is null or p_state in ('failed', 'cancelled')
  ) found order by cursor desc limit p_limit;
end $$;

-- Repairs --------------------------------------------------------------------------------------------------------------

-- retry, cancel or discard for jobs named one by one. With p_dry, only says what it would do. With p_only, jobs in another
-- state by now are passed over in silence.
create function repair(
  p_repair text, p_ids bigint[], p_dry boolean, p_only text[] default null, out changed int, out requested int, out refused bigint[],
  out refused_states text[], out missing bigint[]
) language plpgsql security definer set search_path from current set enable_seqscan = off set jit = off as $$
declare
  v_now timestamptz := clock();
  v_segment int := (select last_value from segment_number);
  v_states text[] := case p_repair
    when 'retry' then array['failed', 'cancelled', 'scheduled', 'retryable']
    when 'cancel' then array['scheduled', 'available', 'running', 'retryable']
    when 'discard' then array['failed', 'cancelled'] end;
  v_id bigint;
  v_lanes int[] := '{}';
  r job_row;
begin
  changed := 0; requested := 0; refused := '{}'; refused_states := '{}'; missing := '{}';
  if p_repair = 'cancel' and not p_dry then
    -- What waits must not be claimed while it is being cancelled.
    perform pg_advisory_xact_lock(lane_locks(), lane) from (
      select distinct lane from job where position = any(p_ids) or id = any(p_ids) order by lane) l;
  end if;
  foreach v_id in array p_ids loop
    select * into r from find(v_id);
    if not found then
      if p_only is null then missing := missing || v_id; end if;
      continue;
    end if;
    if r.state = 'running' and p_repair = 'cancel' and not p_dry then
      perform 1 from lease where id = r.lease for no key update;
      select * into r from find(v_id);
    end if;
    continue when not r.state = any(p_only);
    if not r.state = any(v_states) then
      refused := refused || v_id;
      refused_states := refused_states || r.state;
      continue;
    end if;
    changed := changed + 1;
    if p_repair = 'cancel' and r.state = 'running' then requested := requested + 1; end if;
    continue when p_dry;
    if p_repair = 'discard' then
      perform remove_failed(array[v_id]);
      delete from attempt_error where job = v_id;
    elsif p_repair = 'retry' and r.state in ('failed', 'cancelled') then
      insert into job (segment, lane, enqueued_at, id, run_at, timeout_ms, max_attempts, attempt, crashes, args)
        select v_segment, lane, enqueued_at, id, v_now, timeout_ms, max_attempts, attempt, 0, args
        from failed where id = v_id for update
        returning lane || v_lanes into v_lanes;
      perform remove_failed(array[v_id]);
    elsif p_repair = 'retry' then
      with gone as (delete from delayed where id = v_id returning *)
      insert into job (segment, lane, enqueued_at, id, run_at, timeout_ms, max_attempts, attempt, crashes, args)
        select v_segment, lane, enqueued_at, id, v_now, timeout_ms, max_attempts, attempt, crashes, args from gone
        returning lane || v_lanes into v_lanes;
    elsif r.state = 'running' then
      insert into cancel_request values (r.lease, (
        select array_position(l.positions, r.cursor) - 1 from lease l where l.id = r.lease)) on conflict do nothing;
    elsif r.state = 'available' then
      insert into tombstone select lane, position from job where position = r.cursor;
      insert into failed (id, lane, state, enqueued_at, run_at, finished_at, timeout_ms, max_attempts, attempt, crashes, args)
        select v_id, lane, 'cancelled', enqueued_at, run_at, v_now, timeout_ms, max_attempts, attempt, crashes, args
        from job where position = r.cursor;
    else
      with gone as (delete from delayed where id = v_id returning *)
      insert into failed (id, lane, state, enqueued_at, run_at, finished_at, timeout_ms, max_attempts, attempt, crashes, args)
        select id, lane, 'cancelled', enqueued_at, run_at, v_now, timeout_ms, max_attempts, attempt, crashes, args from gone;
    end if;
  end loop;
  perform wake(v_lanes);
  if requested > 0 and not p_dry then perform pg_notify(current_schema(), ''); end if;
end $$;

-- Jobs that a repair is meant for, as they are now.
create function select_ids(
  p_states text[], p_kind text, p_queue text, p_since timestamptz, p_fingerprint text, p_limit int
) returns setof bigint language sql stable set search_path from current as $$
  select id from (
    select f.id from failed f left join failure g on g.id = f.failure
    where f.state = any(p_states) and f.lane = any(lanes_for(p_kind, p_queue))
      and (p_since is null or f.enqueued_at >= p_since) and (p_fingerprint is null or g.fingerprint = p_fingerprint)
    union all
    select d.id from delayed d where d.state = any(p_states) and d.lane = any(lanes_for(p_kind, p_queue))
      and (p_since is null or d.enqueued_at >= p_since) and p_fingerprint is null
    union all
    select coalesce(w.id, w.position) from unnest(lanes_for(p_kind, p_queue)) la, waiting(la, p_limit) w
    where 'available' = any(p_states) and (p_since is null or w.enqueued_at >= p_since) and p_fingerprint is null
    union all
    select r.id from list_running(lanes_for(p_kind, p_queue), p_since, 9223372036854775807) r
    where 'running' = any(p_states) and p_fingerprint is null
      and r.cursor not in (
        select l.positions[c.index + 1] from cancel_request c join lease l on l.id = c.lease where l.open > 0)
  ) found limit p_limit
$$;

-- Counts ---------------------------------------------------------------------------------------------------------------

-- How many wait in a lane: counted up to p_exact, estimated from how densely they lie where there are more.
create function count_waiting(p_lane int, p_exact int default 20000) returns bigint language plpgsql stable
  set search_path from current set enable_seqscan = off set enable_sort = off set jit = off as $$
declare
  v_count bigint;
  v_first bigint;
  v_last bigint;
  v_newest bigint;
begin
  select count(*), min(position), max(position) into v_count, v_first, v_last from waiting(p_lane, p_exact);
  if v_count < p_exact then return v_count; end if;
  select position into v_newest from job where lane = p_lane order by lane desc, xid desc, position desc limit 1;
  if v_last <= v_first or v_newest <= v_last then return v_count; end if;
  return v_count + (v_count::float8 / (v_last - v_first + 1) * (v_newest - v_last))::bigint;
end $$;

create function lane_counts() returns table (
  queue text, kind text, priority int, scheduled bigint, available bigint, running bigint, retryable bigint,
  completed bigint, failed bigint, cancelled bigint, oldest timestamptz
) language sql stable security definer set search_path from current as $$
  select la.queue, la.kind, la.priority::int,
    (select count(*) from delayed d where d.lane = la.id and d.state = 'scheduled'),
    count_waiting(la.id),
    coalesce(u.open, 0),
    (select count(*) from delayed d where d.lane = la.id and d.state = 'retryable'),
    c.claimed - la.forgotten - coalesce(u.superseded, 0),
    (select count(*) from failed f where f.lane = la.id and f.state = 'failed'),
    (select count(*) from failed f where f.lane = la.id and f.state = 'cancelled'),
    head(la.id)
  from lane la
  cross join lateral (select claimed from lease l where l.lane = la.id order by l.lane desc, l.id desc limit 1) c
  left join lateral (
    select sum(open) as open, sum(count - completed) as superseded from lease l where l.lane = la.id and completed < count) u
    on true
$$;

-- Reads everything: for doctor and tests. A sentence for each thing that does not add up.
create function audit() returns setof text language sql stable set search_path from current as $$
  select format('lease %s: %s open and %s completed, but its marks say %s and %s', id, open, completed, o, c) from (
    select l.id, l.open, l.completed, l.revoked_at,
      count(*) filter (where coalesce(get_byte(l.endings, n::int - 1), 0) = 0) as o,
      count(*) filter (where get_byte(l.endings, n::int - 1) = 1) as c
    from lease l, unnest(l.positions) with ordinality e(position, n) where l.count > 0
    group by l.id) marks
  where completed <> c or case when revoked_at is null then open <> o else open <> 0 end
  union all
  select format('%s/%s/%s: %s jobs are completed, the counter says %s', s.queue, s.kind, s.priority, c.n, s.completed)
  from lane_counts() s join lane la on (la.queue, la.kind, la.priority) = (s.queue, s.kind, s.priority)
  cross join lateral (select coalesce(sum(completed), 0) as n from lease where lane = la.id) c
  where c.n <> s.completed
  union all
  select format('job %s lives in %s places', id, count(*)) from (
    select id from failed union all select id from delayed
    union all select coalesce(w.id, w.position) from lane la, waiting(la.id, 2147483647) w
    union all select r.id from list_running(lanes_for(null, null), null, 9223372036854775807) r) homes
  group by id having count(*) > 1
  union all
  select format('the group of failures %s says %s, %s jobs are in it', g.id, g.count, count(f.id))
  from failure g left join failed f on f.failure = g.id group by g.id, g.count having g.count <> count(f.id)
$$;

-- For people with psql. Not for programs, and not for millions of rows without a where clause on id.
create view jobs as
  select id, state, kind, queue, priority, attempt, enqueued_at, run_at, started_at, finished_at, worker, args, reason
  from list_jobs(null, null, null, null, null, 9223372036854775807, 2147482000);
create view queues as
  select queue, kind, sum(available)::bigint as available, sum(running)::bigint as running, sum(scheduled)::bigint as scheduled,
    sum(retryable)::bigint as retryable, sum(completed)::bigint as completed, sum(failed)::bigint as failed,
    sum(cancelled)::bigint as cancelled, min(oldest) as waiting_since
  from lane_counts() group by queue, kind;
