-- How many jobs are in which state, whether that adds up, and views of it all for people with psql.

-- How many wait in a lane: counted up to p_exact, estimated from how densely they lie where there are more.
create function count_waiting(p_lane int, p_exact int default 20000) returns bigint language plpgsql stable
  set search_path from current set enable_seqscan = off set enable_sort = off set enable_bitmapscan = off set jit = off as $$
declare
  c record;
  v_count bigint;
  v_first bigint;
  v_last bigint;
  v_newest bigint;
begin
  select l.xid, l.position, l.s1, l.s2, exists (select 1 from tombstone t where t.lane = p_lane) as marked
    into c from lease l where l.lane between p_lane and p_lane order by l.lane desc, l.id desc limit 1;
  if c.marked or pg_snapshot_xmin(c.s1) < pg_snapshot_xmax(c.s1) or pg_snapshot_xmin(c.s2) < pg_snapshot_xmax(c.s2) then
    select count(*), min(position), max(position) into v_count, v_first, v_last from waiting(p_lane, p_exact);
  else
    if c.xid < pg_snapshot_xmax(c.s1) then
      c.xid := pg_snapshot_xmax(c.s1);
      c.position := 0;
    end if;
    -- By one scan of an index, where nothing else has to be looked at.
    select count(*), min(position), max(position) into v_count, v_first, v_last from (
      select j.position from job j where j.lane = p_lane and (j.xid, j.position) > (c.xid, c.position)
      order by j.lane, j.xid, j.position limit p_exact) w;
  end if;
  if v_count < p_exact then return v_count; end if;
  select position into v_newest from job where lane = p_lane order by lane desc, xid desc, position desc limit 1;
  if v_last <= v_first or v_newest <= v_last then return v_count; end if;
  return v_count + (v_count::float8 / (v_last - v_first + 1) * (v_newest - v_last))::bigint;
end $$;

create function lane_counts() returns table (
  queue text, kind text, priority int, scheduled bigint, available bigint, running bigint, retryable bigint,
  completed bigint, failed bigint, cancelled bigint, oldest timestamptz, paused boolean
) language sql stable security definer set search_path from current set jit = off as $$
  select la.queue, la.kind, la.priority::int,
    coalesce(t.scheduled, 0)::bigint,
    w.available,
    coalesce(u.open, 0),
    coalesce(t.retryable, 0)::bigint,
    c.claimed - la.forgotten - coalesce(u.superseded, 0),
    coalesce(t.failed, 0)::bigint,
    coalesce(t.cancelled, 0)::bigint,
    case when w.available > 0 then head(la.id) end, la.paused
  from lane la
  cross join lateral (select count_waiting(la.id) as available offset 0) w
  left join (
    select lane, sum(scheduled) as scheduled, sum(retryable) as retryable, sum(failed) as failed, sum(cancelled) as cancelled
    from tally group by lane) t on t.lane = la.id
  cross join lateral (select claimed from lease l where l.lane between la.id and la.id order by l.lane desc, l.id desc limit 1) c
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
  select format('%s/%s/%s: %s jobs are %s, the tally says %s; select %I.recount() mends it', la.queue, la.kind, la.priority,
    n.n, n.state, n.tallied, current_schema())
  from (
    select lane, state, sum(n) as n, sum(tallied) as tallied from (
      select lane, state, count(*) as n, 0 as tallied from delayed group by lane, state
      union all select lane, state, count(*), 0 from failed group by lane, state
      union all select t.lane, s.state, 0, s.n from tally t cross join lateral (values
        ('scheduled', t.scheduled), ('retryable', t.retryable), ('failed', t.failed), ('cancelled', t.cancelled)) s(state, n)) p
    group by lane, state having sum(n) <> sum(tallied)) n
  join lane la on la.id = n.lane
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
    sum(cancelled)::bigint as cancelled, min(oldest) as waiting_since,
    bool_or(paused) as paused
  from lane_counts() group by queue, kind;
