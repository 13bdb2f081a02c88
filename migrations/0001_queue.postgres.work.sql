-- Functions for producers and workers. All are plpgsql with the search path of the schema they were made in.
--
-- Locks, in the order they are taken: worker (advisory), lanes (advisory), lease rows by id, failure rows by kind and
-- fingerprint. Whoever holds a lane and wants another only tries.

-- Keys of this schema's advisory locks: a class for lanes and one for workers.
create function lane_locks() returns int language sql immutable
  set search_path from current as $$ select hashtext('martlet lanes of ' || current_schema()) $$;
create function worker_locks() returns int language sql immutable
  set search_path from current as $$ select hashtext('martlet workers of ' || current_schema()) $$;

-- Losing the caller's commit in a crash would repeat work but lose none, so it need not wait for the disk. Does nothing in
-- a transaction that has written something before: that may be an enqueue.
create function relax() returns void language plpgsql set search_path from current as $$
begin
  if pg_current_xact_id_if_assigned() is null then perform set_config('synchronous_commit', 'off', true); end if;
end $$;

-- Enqueueing -----------------------------------------------------------------------------------------------------------

-- The lane's id, made on first use. Two transactions that make the same lane at once: the second waits until the first has
-- ended, and makes it after all when that rolled back. Within one call lanes are made in one order. A long transaction that
-- makes several lanes in several calls keeps others waiting, and two of them may deadlock (PostgreSQL then ends one, and all
-- of it is undone): make_lanes() first, committed, spares both. Lanes that exist already are never locked.
create function lane_of(p_queue text, p_kind text, p_priority int) returns int language plpgsql
  set search_path from current as $$
declare
  v_lane int;
  v_start xid8;
begin
  loop
    select id into v_lane from lane where queue = p_queue and kind = p_kind and priority = p_priority;
    if found then return v_lane; end if;
    insert into lane (queue, kind, priority) values (p_queue, p_kind, p_priority) on conflict do nothing
      returning id into v_lane;
    if found then
      -- Whoever sleeps cannot have flagged a lane that was not there.
      execute format('create sequence %I minvalue 1 maxvalue 2', 'waiting_' || v_lane);
      update lane set flag = ('waiting_' || v_lane)::regclass where id = v_lane;
      perform setval(('waiting_' || v_lane)::regclass, 2);
      -- Jobs of this lane are appended by this transaction and by those that see it commit: none is older than xmin.
      v_start := pg_snapshot_xmin(pg_current_snapshot());
      insert into lease (id, xid, position, claimed, claimed_at, finished_at, lane, count, open, s1, s2)
        select nextval('lease_number') << 20, '0', 0, 0, clock(), clock(), v_lane, 0, 0, s, s
        from (select (v_start::text || ':' || v_start::text || ':')::pg_snapshot as s) start;
      return v_lane;
    end if;
  end loop;
end $$;

-- Makes lanes ahead, in a transaction of its own. Martlet's own clients do so before they first enqueue into a lane.
create function make_lanes(p_kinds text[], p_queues text[], p_priorities int[]) returns void language plpgsql
  security definer set search_path from current as $$
begin
  perform check_job(k, q, p, null, null) from unnest(p_queues, p_kinds, p_priorities) as l(q, k, p);
  perform lane_of(q, k, p) from (
    select q, k, p from unnest(p_queues, p_kinds, p_priorities) as l(q, k, p) order by q, k, p) l;
end $$;

-- A producer tells the sleepers, if there are any: NOTIFY makes committers wait for each other.
create function wake(p_lanes int[]) returns void language plpgsql set search_path from current as $$
begin
  if exists (select 1 from lane where id = any(p_lanes) and pg_sequence_last_value(flag) = 2) then
    perform pg_notify(current_schema(), '');
  end if;
end $$;

-- What Martlet's own clients call: jobs of any lanes, checked before. p_kinds, p_queues and p_priorities name the lanes;
-- p_lanes says for each job which (null: all the first). Jobs due later have a delay or a time in microseconds.
-- Returns an id per job, in order.
create function enqueue_batch(
  p_args text[], p_kinds text[], p_queues text[], p_priorities int[], p_lanes int[] default null,
  p_max_attempts int[] default null, p_timeouts bigint[] default null, p_delays bigint[] default null,
  p_times bigint[] default null
) returns bigint[] language plpgsql security definer set search_path from current as $$
declare
  v_lanes int[];
  v_ids bigint[];
  v_now timestamptz := clock();
  v_segment int;
begin
  -- In one order for everybody, as making a lane locks it.
  perform lane_of(q, k, p) from (
    select q, k, p from unnest(p_queues, p_kinds, p_priorities) as l(q, k, p) order by q, k, p) l;
  select array_agg(lane_of(q, k, p) order by n) into v_lanes
    from unnest(p_queues, p_kinds, p_priorities) with ordinality as l(q, k, p, n);
  select last_value into v_segment from segment_number;
  if p_delays is null and p_times is null then
    with entry as (
      insert into job (segment, lane, enqueued_at, max_attempts, timeout_ms, args)
      select v_segment, v_lanes[coalesce(j.lane, 1)], v_now, j.max_attempts, j.timeout_ms, j.args
      from unnest(p_args, p_lanes, p_max_attempts, p_timeouts) as j(args, lane, max_attempts, timeout_ms)
      returning position)
    select array_agg(position) into v_ids from entry;
  else
    with given as materialized (
      select nextval('position') as id, j.n, v_lanes[coalesce(j.lane, 1)] as lane, j.max_attempts, j.timeout_ms, j.args,
        coalesce(v_now + j.delay * interval '1 microsecond', 'epoch'::timestamptz + j.time * interval '1 microsecond') as due
      from unnest(p_args, p_lanes, p_max_attempts, p_timeouts, p_delays, p_times) with ordinality
        as j(args, lane, max_attempts, timeout_ms, delay, time, n)
    ), later as (
      insert into delayed (id, lane, state, run_at, enqueued_at, max_attempts, timeout_ms, args)
      select id, lane, 'scheduled', due, v_now, max_attempts, timeout_ms, args from given where due > v_now
    ), entry as (
      insert into job (segment, lane, position, enqueued_at, max_attempts, timeout_ms, args)
      select v_segment, lane, id, v_now, max_attempts, timeout_ms, args from given
      where due is null or due <= v_now order by n
    )
    select array_agg(id order by n) into v_ids from given;
  end if;
  perform wake(v_lanes);
  return coalesce(v_ids, '{}');
end $$;

-- For applications, inside their own transaction: select enqueue('resize', '{"file": "a.png"}').
create function enqueue_many(
  kind text, args text[], queue text default 'default', priority int default 5,
  run_at timestamptz default null, max_attempts int default null, timeout interval default null
) returns bigint[] language plpgsql security definer set search_path from current as $$
#variable_conflict use_variable
declare
  v_count int := cardinality(args);
begin
  perform check_job(kind, queue, priority, max_attempts, timeout);
  perform check_run_at(run_at);
  if v_count is null or v_count > 10000 then
    raise 'args: % jobs in one call; at most 10000', coalesce(v_count::text, 'null') using errcode = '22023';
  end if;
  perform check_args(a) from unnest(args) a;
  return enqueue_batch(args, array[kind], array[queue], array[priority],
    p_max_attempts => case when max_attempts is not null then array_fill(max_attempts, array[v_count]) end,
    p_timeouts => case when timeout is not null then
      array_fill((extract(epoch from timeout) * 1000)::bigint, array[v_count]) end,
    p_times => case when run_at > clock() then
      array_fill((extract(epoch from run_at) * 1000000)::bigint, array[v_count]) end);
end $$;

-- One job. The steps of enqueue_many without its arrays, because producers call it by the thousand.
create function enqueue(
  kind text, args text default '{}', queue text default 'default', priority int default 5,
  run_at timestamptz default null, max_attempts int default null, timeout interval default null
) returns bigint language plpgsql security definer set search_path from current as $$
#variable_conflict use_variable
declare
  v_lane lane;
  v_id bigint;
  v_now timestamptz := clock();
begin
  perform check_args(args);
  if run_at is not null then perform check_run_at(run_at); end if;
  select l.* into v_lane from lane l where l.queue = queue and l.kind = kind and l.priority = priority;
  -- A lane's name has been looked at when it was made.
  if not found or max_attempts is not null or timeout is not null then
    perform check_job(kind, queue, priority, max_attempts, timeout);
    v_id := lane_of(queue, kind, priority);
    select l.* into v_lane from lane l where l.id = v_id;
  end if;
  if run_at > v_now then
    insert into delayed (id, lane, state, run_at, enqueued_at, max_attempts, timeout_ms, args)
      values (nextval('position'), v_lane.id, 'scheduled', run_at, v_now, max_attempts,
        (extract(epoch from timeout) * 1000)::bigint, args)
      returning id into v_id;
  else
    insert into job (segment, lane, enqueued_at, max_attempts, timeout_ms, args)
      values ((select last_value from segment_number), v_lane.id, v_now, max_attempts,
        (extract(epoch from timeout) * 1000)::bigint, args)
      returning position into v_id;
  end if;
  if pg_sequence_last_value(v_lane.flag) = 2 then perform pg_notify(current_schema(), ''); end if;
  return v_id;
end $$;
-- For callers that bind json or jsonb. A literal goes to the one above.
create function enqueue(
  kind text, args json, queue text default 'default', priority int default 5,
  run_at timestamptz default null, max_attempts int default null, timeout interval default null
) returns bigint language sql security definer set search_path from current as $$
  select enqueue(kind, args::text, queue, priority, run_at, max_attempts, timeout)
$$;
create function enqueue(
  kind text, args jsonb, queue text default 'default', priority int default 5,
  run_at timestamptz default null, max_attempts int default null, timeout interval default null
) returns bigint language sql security definer set search_path from current as $$
  select enqueue(kind, args::text, queue, priority, run_at, max_attempts, timeout)
$$;

-- Claiming -------------------------------------------------------------------------------------------------------------

-- The present snapshot, its own transaction counted as in progress: a snapshot does not list the one that takes it, and
-- what that appends later would look as if it had been visible already.
create function snapshot() returns pg_snapshot language plpgsql volatile set search_path from current as $$
declare
  s pg_snapshot := pg_current_snapshot();
  own xid8 := pg_current_xact_id_if_assigned();
begin
  if own is null or own >= pg_snapshot_xmax(s) then return s; end if;
  return (pg_snapshot_xmin(s)::text || ':' || pg_snapshot_xmax(s)::text || ':' || (
    select string_agg(x::text, ',' order by x) from (select pg_snapshot_xip(s) as x union select own) xs))::pg_snapshot;
end $$;

-- Whether an entry had been claimed when a lease was the lane's newest.
create function is_claimed(l lease, p_xid xid8, p_position bigint) returns boolean language sql immutable as $$
  select pg_visible_in_snapshot(p_xid, l.s1)
    or (pg_visible_in_snapshot(p_xid, l.s2) and (p_xid, p_position) <= (l.xid, l.position))
$$;

-- Entries that are available, nearly in the order they will be claimed.
create function waiting(p_lane int, p_limit int, p_segment int default 2147483647) returns setof job language plpgsql stable
  set search_path from current set enable_sort = off set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
  c lease;
  v_base xid8;
  v_late xid8[];
  v_left int := p_limit;
  v_rows int;
begin
  select * into c from lease l where l.lane = p_lane order by l.lane desc, l.id desc limit 1;
  v_base := pg_snapshot_xmax(c.s1);
  -- Late committers, of this round and of the next.
  select array_agg(x order by x) into v_late from (
    select x from pg_snapshot_xip(c.s1) x where c.xid < v_base and x >= c.xid
    union select x from pg_snapshot_xip(c.s2) x where x < c.xid) xs;
  if v_late is not null then
    return query select j.* from unnest(v_late) x cross join lateral (
        select * from job j where j.lane = p_lane and j.xid >= x and j.xid <= x and j.segment <= p_segment
          and j.position > case when x = c.xid then c.position else 0 end order by j.lane, j.xid, j.position limit v_left) j
      where not exists (select 1 from tombstone t where t.lane = p_lane and t.position = j.position) limit v_left;
    get diagnostics v_rows = row_count;
    v_left := v_left - v_rows;
  end if;
  if c.xid < v_base then
    c.xid := v_base;
    c.position := 0;
  end if;
  if exists (select 1 from tombstone t where t.lane = p_lane) then
    return query select j.* from job j where j.lane = p_lane and (j.xid, j.position) > (c.xid, c.position)
        and j.segment <= p_segment
        and not exists (select 1 from tombstone t where t.lane = p_lane and t.position = j.position)
      order by j.lane, j.xid, j.position limit v_left;
  else
    return query select j.* from job j where j.lane = p_lane and (j.xid, j.position) > (c.xid, c.position)
        and j.segment <= p_segment
      order by j.lane, j.xid, j.position limit v_left;
  end if;
end $$;

-- Since when the first waiting job of a lane has been waiting; null when none is.
create function head(p_lane int) returns timestamptz language sql stable set search_path from current as $$
  select min(greatest(enqueued_at, run_at)) from waiting(p_lane, 1)
$$;

-- Takes at most p_limit jobs of one lane for a worker, under one new lease; nothing when there is nothing. The lane's lock
-- is held. At most about p_bytes of args; of jobs that were cancelled while they waited, a bounded number is left behind.
-- The cursor is a snapshot, because ids are handed out before commit:
-- 1. late committers: transactions that were in progress at s1 and are visible in s2, one index probe each;
-- 2. what follows the position and is visible in s2, in the order (xid, position);
-- 3. nothing left: s1 becomes s2, s2 the present, and once more.
-- A lease's number may be given out again when the server crashes before a claim has reached the disk (claims do not wait
-- for that); its random bits tell the two apart, so that a lost lease settles nothing.
create function take(p_lane int, p_worker bigint, p_limit int, p_bytes bigint, p_kind text, p_queue text, p_priority int)
returns table (
  lease bigint, kind text, queue text, priority int, id bigint, attempt int, crashes int, max_attempts int,
  timeout_ms bigint, enqueued_at timestamptz, args text
) language plpgsql
  set search_path from current
  -- The plan is pinned: with missing or stale statistics the planner would sort everything that waits.
  set enable_sort = off set enable_seqscan = off set enable_bitmapscan = off set jit = off
  set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
  c lease;
  s pg_snapshot;
  v_late xid8[];
  v_base xid8;
  v_xid xid8;
  v_position bigint;
  v_marked boolean := exists (select 1 from tombstone t where t.lane = p_lane);
  v_newest bigint;
  v_round int := 1;
  v_skips int := 0;
  -- Where some are cancelled, one has to look at more than are wanted.
  v_look int := case when v_marked then greatest(p_limit, 4096) else p_limit end;
begin
  select * into c from lease l where l.lane = p_lane order by l.lane desc, l.id desc limit 1;
  loop
    v_base := pg_snapshot_xmax(c.s1);
    v_xid := c.xid;
    v_position := c.position;
    v_late := null;
    if c.xid < v_base then
      select array_agg(x order by x) into v_late from pg_snapshot_xip(c.s1) x
        where x >= c.xid and pg_visible_in_snapshot(x, c.s2);
      v_xid := v_base;
      v_position := 0;
    end if;
    return query
    with seen as materialized (
      select *, v_marked and exists (select 1 from tombstone t where t.lane = p_lane and t.position = e.position) as dead
      from (
        select j.* from unnest(v_late) x cross join lateral (
          -- Not xid = x, which would leave position as the order and let the index on it be taken, all of it.
          select j.* from job j where j.lane = p_lane and j.xid >= x and j.xid <= x
            and j.position > case when x = c.xid then c.position else 0 end
          order by j.lane, j.xid, j.position limit v_look) j
        union all
        (select j.* from job j where j.lane = p_lane and (j.xid, j.position) > (v_xid, v_position)
          and j.xid < pg_snapshot_xmax(c.s2) and pg_visible_in_snapshot(j.xid, c.s2)
        order by j.lane, j.xid, j.position limit v_look)
        limit v_look) e
    ), counted as (
      select *, sum(case when dead then 0 else octet_length(args) end) over before as bytes,
        count(*) filter (where not dead) over before as live
      from seen window before as (rows between unbounded preceding and 1 preceding)
    ), entry as materialized (
      select * from counted where coalesce(bytes, 0) < p_bytes and live < p_limit
    ), ins as (
      insert into lease (id, xid, position, claimed, first, peak, worker, claimed_at, finished_at, lane, count, open, bytes,
        first_segment, last_segment, s1, s2, positions)
      select nextval('lease_number') << 20 | (random() * 1048575)::bigint, (array_agg(xid))[count(*)],
        (array_agg(position))[count(*)], c.claimed + count(*) filter (where not dead), min(position),
        greatest(c.peak, max(position)), p_worker, clock(), case when bool_and(dead) then clock() end, p_lane,
        count(*) filter (where not dead), count(*) filter (where not dead),
        coalesce(sum(octet_length(args)) filter (where not dead), 0), min(segment), max(segment), c.s1, c.s2,
        array_agg(position) filter (where not dead)
      from entry having count(*) > 0
      returning lease.id
    ), passed as (
      -- They have served when the cursor has passed them.
      delete from tombstone t where v_marked and t.lane = p_lane and t.position in (
        select position from entry where dead)
    )
    select ins.id, p_kind, p_queue, p_priority, coalesce(entry.id, position), attempt + 1, crashes::int, max_attempts,
      timeout_ms, enqueued_at, args
    from ins, entry where not dead;
    if found then return; end if;
    if v_marked then
      select l.id into v_newest from lease l where l.lane = p_lane order by l.lane desc, l.id desc limit 1;
      if v_newest <> c.id then
        v_skips := v_skips + 1;
        exit when v_skips = 10;
        select * into c from lease l where l.id = v_newest;
        continue;
      end if;
    end if;
    s := snapshot();
    exit when v_round = 2 or s::text = c.s2::text;
    v_round := 2;
    c.s1 := c.s2;
    c.s2 := s;
    c.xid := '0';
    c.position := 0;
  end loop;
end $$;

-- Jobs of the kinds asked for, the most urgent priority first, then the lane whose head waits longest; one call brings a
-- bounded amount of args. Rows of a lease follow each other.
-- One row that is all null: nothing now, but look again soon. Others are at work on a lane, a long run of cancelled jobs is
-- not behind us yet, or a transaction in progress may append something without knowing that somebody sleeps.
-- With p_sleep, a worker that gets nothing has flagged the lanes before it looked a last time: the next enqueue notifies.
-- Call it in a transaction of its own; that does not wait for the disk.
create function claim(p_worker bigint, p_kinds text[], p_limits int[], p_queues text[], p_limit int, p_sleep boolean default false)
returns table (
  lease bigint, kind text, queue text, priority int, id bigint, attempt int, crashes int, max_attempts int,
  timeout_ms bigint, enqueued_at timestamptz, args text
) language plpgsql security definer set search_path from current as $$
#variable_conflict use_column
declare
  v_lanes int[];
  v_total int := p_limit;
  v_limits int[] := p_limits;
  v_bytes bigint := 16777216;
  v_n int;
  v_rows int;
  v_held boolean := false;    -- some lane's lock: then others are only tried
  v_busy boolean;
  v_wait boolean := false;
  v_alone boolean;
  v_flagged boolean := false;
  l record;
begin
  perform relax();
  perform pg_advisory_xact_lock_shared(worker_locks(), p_worker::int);
  perform 1 from worker w where w.id = p_worker and w.ended_at is null;
  if not found then return; end if;
  loop
    select array_agg(la.id) into v_lanes from lane la
      where la.kind = any(p_kinds) and not la.paused and (p_queues is null or la.queue = any(p_queues));
    v_busy := false;
    v_alone := cardinality(v_lanes) = 1;
    for l in
      select * from (
        select la.*, p_limits[array_position(p_kinds, la.kind)] as limit, array_position(p_kinds, la.kind) as want,
          case when v_alone then now() else head(la.id) end as since
        from lane la where la.id = any(v_lanes) offset 0) la
      where since is not null order by la.priority, since
    loop
      v_n := least(v_total, v_limits[l.want], 4096);
      continue when v_n <= 0 or v_bytes <= 0;
      if not v_held and (v_alone or v_wait) then
        perform pg_advisory_xact_lock(lane_locks(), l.id);
      elsif not pg_try_advisory_xact_lock(lane_locks(), l.id) then
        v_busy := true;
        continue;
      end if;
      v_held := true;
      loop
        return query select * from take(l.id, p_worker, v_n, v_bytes, l.kind, l.queue, l.priority);
        get diagnostics v_rows = row_count;
        if v_rows = 0 then
          v_busy := v_busy or exists (select 1 from tombstone t where t.lane = l.id) and exists (select 1 from waiting(l.id, 1));
          exit;
        end if;
        v_bytes := v_bytes - (
          select e.bytes from lease e where e.lane = l.id order by e.lane desc, e.id desc limit 1);
        if pg_sequence_last_value(l.flag) = 2 then perform setval(l.flag, 1); end if;
        v_total := v_total - v_rows;
        v_limits[l.want] := v_limits[l.want] - v_rows;
        v_n := least(v_total, v_limits[l.want], 4096);
        exit when v_n <= 0 or v_bytes <= 0;
      end loop;
    end loop;
    if v_total < p_limit then return; end if;
    if v_busy and not v_held then
      v_wait := true;
      continue;
    end if;
    exit when v_busy or v_flagged or not p_sleep;
    v_flagged := true;
    perform setval(la.flag, 2) from lane la where la.id = any(v_lanes) and pg_sequence_last_value(la.flag) <> 2;
    exit when not found;
  end loop;
  if v_busy or v_flagged and exists (
    select 1 from pg_snapshot_xip(pg_current_snapshot()) x where x is distinct from pg_current_xact_id_if_assigned())
  then
    return query select null::bigint, null, null, null::int, null::bigint, null::int, null::int, null::int, null::bigint,
      null::timestamptz, null;
  end if;
end $$;

-- Settling -------------------------------------------------------------------------------------------------------------

-- Writes how jobs ended, under the one lease that opens them. p_leases … p_completed describe runs: from the job at index
-- p_first on, a byte each in p_endings and two floats each in p_times, as lease keeps them; p_completed says how many of
-- the run are 1. The p_d_ arrays hold what else is to be said of single jobs of these runs. No job is named twice.
-- Returns the leases that were lost, and how many settlements came a second time; of those nothing is written.
create function settle(
  p_leases bigint[], p_first int[], p_endings bytea[], p_times bytea[], p_completed int[],
  p_d_lease bigint[] default null, p_d_index int[] default null, p_d_delay bigint[] default null,
  p_d_reason text[] default null, p_d_type text[] default null, p_d_message text[] default null,
  p_d_detail text[] default null, p_d_fingerprint text[] default null, p_d_max_attempts int[] default null,
  p_d_result text[] default null, out lost bigint[], out repeated int
) language plpgsql security definer set search_path from current
  set plan_cache_mode = force_generic_plan set jit = off as $$
declare
  v_now timestamptz := clock();
  v_done bigint[];
  v_finished bigint[];
  v_refused_lease bigint[] := '{}';
  v_refused_index int[] := '{}';
begin
  lost := '{}';
  repeated := 0;
  if cardinality(p_leases) > 1 then
    perform 1 from lease where id in (select unnest(p_leases)) order by id for no key update;
  end if;
  -- Whole leases, settled at once: nearly all.
  with done as (
    update lease l set endings = r.endings, times = r.times, open = 0, completed = r.completed, finished_at = v_now
    from unnest(p_leases, p_first, p_endings, p_times, p_completed) r(lease, first, endings, times, completed)
    where l.id = r.lease and r.first = 0 and length(r.endings) = l.count and l.endings is null and l.revoked_at is null
    returning l.id)
  select array_agg(id) into v_done from done;
  v_finished := v_done;
  if coalesce(cardinality(v_done), 0) < cardinality(p_leases) then
    select * into lost, repeated, v_refused_lease, v_refused_index, v_finished
      from settle_parts(p_leases, p_first, p_endings, p_times, coalesce(v_done, '{}'), v_now);
    v_finished := v_finished || v_done;
  end if;
  if p_d_lease is not null and exists (select 1 from cancel_request) then
    perform stop_runs(p_leases);
  end if;
  if p_d_lease is not null then
    perform settle_details(v_now, lost, v_refused_lease, v_refused_index, p_d_lease, p_d_index, p_d_delay, p_d_reason,
      p_d_type, p_d_message, p_d_detail, p_d_fingerprint, p_d_max_attempts, p_d_result);
  end if;
  if exists (select 1 from cancel_request) then
    delete from cancel_request where lease = any(v_finished);
  end if;
end $$;

-- Runs that are not a whole fresh lease, lease by lease.
create function settle_parts(
  p_leases bigint[], p_first int[], p_endings bytea[], p_times bytea[], p_done bigint[], p_now timestamptz,
  out lost bigint[], out repeated int, out refused_lease bigint[], out refused_index int[], out finished bigint[]
) language plpgsql set search_path from current as $$
declare
  l record;
  r record;
  v_lease bigint;
  v_endings bytea;
  v_times bytea;
  v_fresh int;
  v_completed int;
begin
  lost := '{}'; repeated := 0; refused_lease := '{}'; refused_index := '{}'; finished := '{}';
  for l in
    select given.id as given, le.* from (select distinct unnest(p_leases) as id) given
    left join lease le on le.id = given.id and le.revoked_at is null order by given.id
  loop
    if l.id is null then
      lost := lost || l.given;
      continue;
    end if;
    -- Locked now, and looked at again.
    v_lease := l.given;
    select le.id as given, le.* into l from lease le where le.id = v_lease and le.revoked_at is null for no key update;
    if not found then
      lost := lost || v_lease;
      continue;
    end if;
    v_endings := coalesce(l.endings, decode(repeat('00', l.count), 'hex'));
    v_times := coalesce(l.times, decode(repeat('00', l.count * 8), 'hex'));
    v_fresh := 0;
    v_completed := 0;
    for r in
      select * from unnest(p_leases, p_first, p_endings, p_times) with ordinality u(lease, first, endings, times, n)
      where u.lease = l.id order by n
    loop
      if l.id = any(p_done) and r.first = 0 and r.endings = l.endings then
        p_done := array_remove(p_done, l.id);
        continue;
      end if;
      if r.first >= 0 and r.first + length(r.endings) <= l.count
        and substring(v_endings from r.first + 1 for length(r.endings)) = decode(repeat('00', length(r.endings)), 'hex')
      then
        v_endings := overlay(v_endings placing r.endings from r.first + 1);
        v_times := overlay(v_times placing r.times from r.first * 8 + 1);
        v_fresh := v_fresh + length(r.endings);
        select v_completed + count(*) into v_completed from generate_series(0, length(r.endings) - 1) i
          where get_byte(r.endings, i) = 1;
        continue;
      end if;
      for i in 0 .. length(r.endings) - 1 loop
        if r.first + i between 0 and l.count - 1 and get_byte(v_endings, r.first + i) = 0 then
          v_endings := set_byte(v_endings, r.first + i, get_byte(r.endings, i));
          v_times := overlay(v_times placing substring(r.times from i * 8 + 1 for 8) from (r.first + i) * 8 + 1);
          v_fresh := v_fresh + 1;
          if get_byte(r.endings, i) = 1 then v_completed := v_completed + 1; end if;
        else
          repeated := repeated + 1;
          refused_lease := refused_lease || l.id;
          refused_index := refused_index || (r.first + i);
        end if;
      end loop;
    end loop;
    if v_fresh > 0 then
      update lease set endings = v_endings, times = v_times, open = open - v_fresh, completed = completed + v_completed,
        finished_at = case when open = v_fresh then p_now end
      where id = l.id;
      if l.open = v_fresh then finished := finished || l.id; end if;
    end if;
  end loop;
end $$;

-- Runs that a person asked to stop, and that ended in a way that would run them again, end as cancelled. The leases are
-- locked, as they are for asking, so every request for what was marked just now is seen here, and none comes later.
create function stop_runs(p_leases bigint[]) returns void language plpgsql set search_path from current as $$
declare
  c record;
begin
  for c in select lease, index from cancel_request where lease = any(p_leases) order by lease, index loop
    update lease l set endings = set_byte(l.endings, c.index, 5)
      where l.id = c.lease and l.revoked_at is null and get_byte(l.endings, c.index) in (2, 3, 6);
  end loop;
end $$;

-- What single jobs leave behind when they end: results, errors, and the job itself where it lives on.
create function settle_details(
  p_now timestamptz, p_lost bigint[], p_refused_lease bigint[], p_refused_index int[], p_lease bigint[], p_index int[],
  p_delay bigint[], p_reason text[], p_type text[], p_message text[], p_detail text[], p_fingerprint text[],
  p_max_attempts int[], p_result text[]
) returns void language plpgsql set search_path from current set enable_seqscan = off set jit = off as $$
declare
  v_segment int := (select last_value from segment_number);
  v_lanes int[];
begin
  with detail as materialized (
    select d.*, l.lane, l.claimed_at, l.worker, get_byte(l.endings, d.index) as ending, l.positions[d.index + 1] as position,
      l.first_segment, l.last_segment, n as number,
      l.claimed_at + float4_at(l.times, d.index * 8) * interval '1 second' as started_at
    from unnest(p_lease, p_index, p_delay, p_reason, p_type, p_message, p_detail, p_fingerprint, p_max_attempts, p_result)
      with ordinality d(lease, index, delay, reason, type, message, detail, fingerprint, max_attempts, result, n)
    join lease l on l.id = d.lease
    where not d.lease = any(p_lost)
      and not exists (select 1 from unnest(p_refused_lease, p_refused_index) r(lease, index)
        where r.lease = d.lease and r.index = d.index)
  ), ended as materialized (
    select d.*, w.name as worker_name, coalesce(j.id, j.position) as job, j.enqueued_at, j.run_at, j.timeout_ms,
      j.max_attempts as own_max_attempts, j.attempt, j.crashes, j.args
    from detail d
    join job j on j.position = d.position and j.segment between d.first_segment and d.last_segment
    left join worker w on w.id = d.worker
    order by d.number
  ), results as (
    insert into result (job, value) select job, result from ended where ending = 1 and result is not null
  ), errors as (
    insert into attempt_error (job, attempt, max_attempts, type, message, detail, started_at, at, worker)
    select job, attempt + 1, max_attempts, type, message, detail, started_at, p_now, worker_name
    from ended where type is not null order by number
  ), again as (
    insert into job (segment, lane, enqueued_at, id, run_at, timeout_ms, max_attempts, attempt, crashes, args)
    select v_segment, lane, enqueued_at, job, run_at, timeout_ms, own_max_attempts,
      attempt + case when ending = 2 then 1 else 0 end, crashes, args
    from ended where ending = 6 or ending = 2 and delay <= 0 order by number
    returning lane
  ), later as (
    insert into delayed (id, lane, state, run_at, enqueued_at, timeout_ms, max_attempts, attempt, crashes, args)
    select job, lane, case when ending = 2 then 'retryable' else 'scheduled' end, p_now + delay * interval '1 microsecond',
      enqueued_at, timeout_ms, own_max_attempts, attempt + case when ending = 2 then 1 else 0 end, crashes, args
    from ended where ending = 3 or ending = 2 and delay > 0
  ), groups as (
    insert into failure (kind, fingerprint, type, message, count, first_seen_at, last_seen_at)
    select l.kind, e.fingerprint, min(e.type), (array_agg(e.message order by e.number desc))[1], count(*), p_now, p_now
    from ended e join lane l on l.id = e.lane where e.ending = 4 group by l.kind, e.fingerprint order by 1, 2
    on conflict (kind, fingerprint) do update
      set count = failure.count + excluded.count, last_seen_at = excluded.last_seen_at, message = excluded.message
    returning id, kind, fingerprint
  ), final as (
    insert into failed (id, lane, state, reason, failure, enqueued_at, run_at, started_at, finished_at, worker, timeout_ms,
      max_attempts, attempt, crashes, args)
    select e.job, e.lane, case when e.ending = 4 then 'failed' else 'cancelled' end, e.reason, g.id, e.enqueued_at, e.run_at,
      e.started_at, p_now, e.worker_name, e.timeout_ms, e.own_max_attempts, e.attempt + 1, e.crashes, e.args
    from ended e join lane l on l.id = e.lane
    left join groups g on e.ending = 4 and g.kind = l.kind and g.fingerprint = e.fingerprint
    where e.ending in (4, 5)
  )
  select array_agg(distinct lane) into v_lanes from again;
  if v_lanes is not null then perform wake(v_lanes); end if;
end $$;

-- A float as lease.times has it: IEEE 754, 32 bits, little-endian.
create function float4_at(p_bytes bytea, p_offset int) returns double precision language sql immutable as $$
  select case when e = 0 then 0 else power(2::float8, e - 150) * (m + 8388608) * case when sign > 127 then -1 else 1 end end
  from (
    select get_byte(p_bytes, p_offset + 3) as sign,
      (get_byte(p_bytes, p_offset + 3) & 127) * 2 + (get_byte(p_bytes, p_offset + 2) >> 7) as e,
      (get_byte(p_bytes, p_offset + 2) & 127) * 65536 + get_byte(p_bytes, p_offset + 1) * 256 + get_byte(p_bytes, p_offset) as m
  ) parts
$$;
