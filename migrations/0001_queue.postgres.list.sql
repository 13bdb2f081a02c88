-- Lists of jobs, newest first, a page at a time.

create function lanes_for(p_kind text, p_queue text) returns int[] language sql stable set search_path from current as $$
  select coalesce(array_agg(id), '{}') from lane
  where (p_kind is null or kind = p_kind) and (p_queue is null or queue = p_queue)
$$;

-- What runs. Of a page, only the jobs on it are looked up, however many run.
create function list_running(p_lanes int[], p_since timestamptz, p_before bigint, p_limit int default null)
  returns setof job_row language plpgsql stable set search_path from current set enable_seqscan = off set jit = off as $$
begin
  if p_limit is null or p_since is not null then
    return query select r.* from lease l cross join lateral leased(l.id) r
      where l.completed < l.count and l.open > 0 and l.lane = any(p_lanes) and r.state = 'running'
        and r.cursor < p_before and (p_since is null or r.enqueued_at >= p_since)
      order by r.cursor desc limit p_limit;
  else
    return query select r.* from (
        select l.id, e.position from lease l cross join lateral unnest(l.positions) with ordinality e(position, n)
        where l.completed < l.count and l.open > 0 and l.lane = any(p_lanes) and l.first < p_before
          and e.position < p_before and coalesce(get_byte(l.endings, e.n::int - 1), 0) = 0
        order by e.position desc limit p_limit) e
      cross join lateral leased(e.id, e.position) r;
  end if;
end $$;

-- Places of the newest that wait, of lanes in which many do. Looks through the newest 20 000 entries of the log, down to
-- where waiting ones begin, give or take; when these are nearly all of other lanes, lane by lane in the order in which
-- they will be claimed, which is the order of places but for transactions that overlap.
create function newest_waiting(p_lanes int[], p_since timestamptz, p_before bigint, p_limit int, p_low bigint)
  returns setof bigint language plpgsql stable set search_path from current
  set enable_seqscan = off set enable_sort = off set enable_bitmapscan = off set jit = off as $$
declare
  v_found bigint[];
  v_lowest bigint;
begin
  v_found := array(
    select j.position from (
      select j.* from job j where j.position < p_before and j.position >= p_low order by j.position desc limit 20000) j
    where j.lane = any(p_lanes) and (p_since is null or j.enqueued_at >= p_since)
      and not is_claimed(
        (select l from lease l where l.lane between j.lane and j.lane order by l.lane desc, l.id desc limit 1), j.xid, j.position)
      and not exists (select 1 from tombstone t where t.lane = j.lane and t.position = j.position)
    limit p_limit);
  if cardinality(v_found) < p_limit then
    select j.position into v_lowest from job j where j.position < p_before and j.position >= p_low
      order by j.position desc offset 19999 limit 1;
    if found then
      v_found := array(
        select w.position from unnest(p_lanes) la cross join lateral (
          select j.position from job j
          where j.lane = la and j.position < p_before and (p_since is null or j.enqueued_at >= p_since)
            and not is_claimed(
              (select l from lease l where l.lane between la and la order by l.lane desc, l.id desc limit 1), j.xid, j.position)
            and not exists (select 1 from tombstone t where t.lane = la and t.position = j.position)
          order by j.lane desc, j.xid desc, j.position desc limit p_limit + 1000) w
        order by w.position desc limit p_limit);
    end if;
  end if;
  return query select unnest(v_found);
end $$;

-- The newest that wait. Few are fetched and sorted.
create function list_available(p_lanes int[], p_since timestamptz, p_before bigint, p_limit int)
  returns setof job_row language plpgsql stable set search_path from current
  set enable_seqscan = off set enable_sort = off set enable_bitmapscan = off set jit = off as $$
declare
  v_some bigint;
  v_low bigint;
  v_few boolean;
begin
  select count(*), min(position) - 10000 into v_some, v_low from (
    select w.position from unnest(p_lanes) la, waiting(la, p_limit + 1000) w limit p_limit + 1000) w;
  v_few := v_some < p_limit + 1000;
  return query select w.position, coalesce(w.id, w.position), la.kind, la.queue, la.priority::int, 'available', w.attempt::int,
    w.crashes::int, w.max_attempts, w.timeout_ms, w.enqueued_at, w.run_at, null::timestamptz, null::timestamptz, null::text,
    w.args, null::text, null::bigint, w.expires_at
  from (
    (select w.* from unnest(p_lanes) la, waiting(la, p_limit + 1000) w
      where v_few and w.position < p_before and (p_since is null or w.enqueued_at >= p_since)
      order by w.position desc limit p_limit)
    union all
    select j.* from newest_waiting(p_lanes, p_since, p_before, p_limit, v_low) n
      cross join lateral (select * from job where position = n limit 1) j
    where not v_few) w join lane la on la.id = w.lane;
end $$;

-- The newest that are done: lane by lane, leases from the newest back, until none older can hold a newer job.
create function list_completed(p_lanes int[], p_since timestamptz, p_before bigint, p_limit int)
  returns setof job_row language plpgsql stable set search_path from current set enable_seqscan = off set jit = off as $$
declare
  v_lane int;
  v_cursors bigint[];
  v_leases bigint[] := '{}';
  l record;
begin
  foreach v_lane in array p_lanes loop
    v_cursors := '{}';
    for l in
      select id, peak, claimed_at, positions, endings || '' as endings from lease
      where lane between v_lane and v_lane and first < p_before and completed > 0 order by lane desc, id desc
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
  if p_since is not null then
    return query select r.* from unnest(v_leases) id, leased(id) r
      where r.state = 'completed' and r.cursor < p_before and r.enqueued_at >= p_since order by r.cursor desc limit p_limit;
  else
    -- Only those on the page are looked up: a lease may hold thousands.
    return query select r.* from (
        select h.id, e.position from (
          -- Unpacked once, not for each job.
          select id, positions, endings || '' as endings from lease where id = any(v_leases) offset 0) h
        cross join lateral unnest(h.positions) with ordinality e(position, n)
        where e.position < p_before and get_byte(h.endings, e.n::int - 1) = 1
        order by e.position desc limit p_limit) e
      cross join lateral leased(e.id, e.position) r;
  end if;
end $$;

create function list_jobs(
  p_state text, p_kind text, p_queue text, p_since timestamptz, p_fingerprint text, p_before bigint, p_limit int
) returns setof job_row language plpgsql stable set search_path from current set jit = off as $$
declare
  v_lanes int[] := lanes_for(p_kind, p_queue);
begin
  return query
  select * from (
    select r.* from list_running(v_lanes, p_since, p_before, p_limit) r
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
