-- Enqueueing: one insert a job, of which nothing is ever updated. Producers of any language call enqueue() and enqueue_many()
-- in their own transactions; Martlet's own clients make lanes first, but for a single job, and call enqueue_batch().

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
    perform check_job(p_kind, p_queue, p_priority, null, null);
    insert into lane (queue, kind, priority, paused)
      select p_queue, p_kind, p_priority, exists (select 1 from paused_queue where queue = p_queue) on conflict do nothing
      returning id into v_lane;
    if found then
      -- Whoever sleeps cannot have flagged a lane that was not there.
      execute format('create sequence %I minvalue 1', 'waiting_' || v_lane);
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

-- Makes lanes ahead, in a transaction of its own. Martlet's own clients do so before they first enqueue several jobs into a lane.
create function make_lanes(p_kinds text[], p_queues text[], p_priorities int[]) returns void language plpgsql
  security definer set search_path from current as $$
begin
  perform lane_of(q, k, p) from (
    select q, k, p from unnest(p_queues, p_kinds, p_priorities) as l(q, k, p) order by q, k, p) l;
end $$;

-- A producer tells the sleepers, if there are any. NOTIFY makes committers wait for each other, so those who come just after
-- him leave it to him: one in five milliseconds and lane is enough, however many there are until the first sleeper is up.
-- Only in a transaction as short as that can others rely on him, and rely on anybody; should it roll back, what came in those
-- milliseconds waits for a poll.
create function wake_lane(p_flag regclass) returns void language plpgsql set search_path from current as $$
declare
  v_said bigint := pg_sequence_last_value(p_flag);
  v_now bigint := (extract(epoch from clock_timestamp()) * 1000000)::bigint;
  v_is_short boolean := clock_timestamp() - now() < interval '5 milliseconds';
begin
  if v_said > 1 and (not v_is_short or abs(v_now - v_said) > 5000) then
    if v_is_short then perform setval(p_flag, v_now); end if;
    perform pg_notify(current_schema(), '');
  end if;
end $$;

create function wake(p_lanes int[]) returns void language plpgsql set search_path from current as $$
begin
  perform wake_lane(flag) from lane where id = any(p_lanes) and pg_sequence_last_value(flag) > 1;
end $$;

-- What Martlet's own clients call: jobs of any lanes, their args, attempts and times checked before. p_kinds, p_queues and p_priorities name the lanes;
-- p_lanes says for each job which (null: all the first). Jobs due later have a delay or a time in microseconds; so
-- have those that expire.
-- Returns an id per job, in order.
create function enqueue_batch(
  p_args text[], p_kinds text[], p_queues text[], p_priorities int[], p_lanes int[] default null,
  p_max_attempts int[] default null, p_timeouts bigint[] default null, p_delays bigint[] default null,
  p_times bigint[] default null, p_expire_in bigint[] default null, p_expire_at bigint[] default null
) returns bigint[] language plpgsql security definer set search_path from current as $$
declare
  v_lane lane;
  v_lanes int[];
  v_ids bigint[];
  v_now timestamptz := clock();
  v_is_plain boolean := p_delays is null and p_times is null and p_expire_in is null and p_expire_at is null;
begin
  -- The commonest of all: jobs for now, of one lane that is there. A producer waits for
  -- them, and a worker for the producer.
  if v_is_plain and cardinality(p_kinds) = 1 then
    select * into v_lane from lane where queue = p_queues[1] and kind = p_kinds[1] and priority = p_priorities[1];
    if found then
      if cardinality(p_args) = 1 then
        insert into job (segment, lane, enqueued_at, max_attempts, timeout_ms, args)
          values ((select last_value from segment_number), v_lane.id, v_now, p_max_attempts[1], p_timeouts[1],
            p_args[1])
          returning array[position] into v_ids;
        if pg_sequence_last_value(v_lane.flag) > 1 then perform wake_lane(v_lane.flag); end if;
        return v_ids;
      end if;
      v_lanes := array[v_lane.id];
    end if;
  end if;
  if v_lanes is null then
    -- In one order for everybody, as making a lane locks it.
    perform lane_of(q, k, p) from (
      select q, k, p from unnest(p_queues, p_kinds, p_priorities) as l(q, k, p) order by q, k, p) l;
    select array_agg(lane_of(q, k, p) order by n) into v_lanes
      from unnest(p_queues, p_kinds, p_priorities) with ordinality as l(q, k, p, n);
  end if;
  if v_is_plain then
    -- Ids before rows, so that those of a call lie together: producers at the same time then write to different pages of the
    -- indexes. Arrays that a select lists are read element by element; as a table they would first be copied into one.
    v_ids := array(select nextval('position') from (select generate_series(1, cardinality(p_args))) n);
    insert into job (segment, lane, position, enqueued_at, max_attempts, timeout_ms, args)
    select (select last_value from segment_number), v_lanes[coalesce(j.lane, 1)], j.position, v_now, j.max_attempts,
      j.timeout_ms, j.args
    from (
      select unnest(v_ids) as position, unnest(p_args) as args, unnest(p_lanes) as lane,
        unnest(p_max_attempts) as max_attempts, unnest(p_timeouts) as timeout_ms) j;
  else
    with given as materialized (
      select nextval('position') as id, j.n, v_lanes[coalesce(j.lane, 1)] as lane, j.max_attempts, j.timeout_ms, j.args,
        coalesce(v_now + j.delay * interval '1 microsecond', 'epoch'::timestamptz + j.time * interval '1 microsecond') as due,
        coalesce(v_now + j.expire_in * interval '1 microsecond', 'epoch'::timestamptz + j.expire_at * interval '1 microsecond')
          as expires_at
      from unnest(p_args, p_lanes, p_max_attempts, p_timeouts, p_delays, p_times, p_expire_in, p_expire_at) with ordinality
        as j(args, lane, max_attempts, timeout_ms, delay, time, expire_in, expire_at, n)
    ), later as (
      insert into delayed (id, lane, state, run_at, enqueued_at, max_attempts, timeout_ms, expires_at, args)
      select id, lane, 'scheduled', due, v_now, max_attempts, timeout_ms, expires_at, args from given where due > v_now
    ), entry as (
      insert into job (segment, lane, position, enqueued_at, max_attempts, timeout_ms, expires_at, args)
      select (select last_value from segment_number), lane, id, v_now, max_attempts, timeout_ms, expires_at, args from given
      where due is null or due <= v_now order by n
    )
    select array_agg(id order by n) into v_ids from given;
  end if;
  if v_lane.id is null then
    perform wake(v_lanes);
  elsif pg_sequence_last_value(v_lane.flag) > 1 then
    perform wake_lane(v_lane.flag);
  end if;
  return coalesce(v_ids, '{}');
end $$;

-- For applications, inside their own transaction: select enqueue('resize', '{"file": "a.png"}').
create function enqueue_many(
  kind text, args text[], queue text default 'default', priority int default 5,
  run_at timestamptz default null, max_attempts int default null, timeout interval default null,
  expires_at timestamptz default null
) returns bigint[] language plpgsql security definer set search_path from current as $$
#variable_conflict use_variable
declare
  v_count int := cardinality(args);
begin
  perform check_job(kind, queue, priority, max_attempts, timeout);
  perform check_run_at(run_at);
  perform check_expires_at(expires_at, run_at);
  if v_count is null or v_count > 10000 then
    raise 'args: % jobs in one call; at most 10000', coalesce(v_count::text, 'null') using errcode = '22023';
  end if;
  perform check_args(a) from unnest(args) a;
  return enqueue_batch(args, array[kind], array[queue], array[priority],
    p_max_attempts => case when max_attempts is not null then array_fill(max_attempts, array[v_count]) end,
    p_timeouts => case when timeout is not null then
      array_fill((extract(epoch from timeout) * 1000)::bigint, array[v_count]) end,
    p_times => case when run_at > clock() then
      array_fill((extract(epoch from run_at) * 1000000)::bigint, array[v_count]) end,
    p_expire_at => case when expires_at is not null then
      array_fill((extract(epoch from expires_at) * 1000000)::bigint, array[v_count]) end);
end $$;

-- One job. The steps of enqueue_many without its arrays, because producers call it by the thousand.
create function enqueue(
  kind text, args text default '{}', queue text default 'default', priority int default 5,
  run_at timestamptz default null, max_attempts int default null, timeout interval default null,
  expires_at timestamptz default null
) returns bigint language plpgsql security definer set search_path from current as $$
#variable_conflict use_variable
declare
  v_lane lane;
  v_id bigint;
  v_now timestamptz := clock();
begin
  perform check_args(args);
  if run_at is not null then perform check_run_at(run_at); end if;
  if expires_at is not null then perform check_expires_at(expires_at, run_at); end if;
  select l.* into v_lane from lane l where l.queue = queue and l.kind = kind and l.priority = priority;
  -- A lane's name has been looked at when it was made.
  if not found or max_attempts is not null or timeout is not null then
    perform check_job(kind, queue, priority, max_attempts, timeout);
    v_id := lane_of(queue, kind, priority);
    select l.* into v_lane from lane l where l.id = v_id;
  end if;
  if run_at > v_now then
    insert into delayed (id, lane, state, run_at, enqueued_at, max_attempts, timeout_ms, expires_at, args)
      values (nextval('position'), v_lane.id, 'scheduled', run_at, v_now, max_attempts,
        (extract(epoch from timeout) * 1000)::bigint, expires_at, args)
      returning id into v_id;
  else
    insert into job (segment, lane, enqueued_at, max_attempts, timeout_ms, expires_at, args)
      values ((select last_value from segment_number), v_lane.id, v_now, max_attempts,
        (extract(epoch from timeout) * 1000)::bigint, expires_at, args)
      returning position into v_id;
  end if;
  if pg_sequence_last_value(v_lane.flag) > 1 then perform wake_lane(v_lane.flag); end if;
  return v_id;
end $$;
-- For callers that bind json or jsonb. A literal goes to the one above.
create function enqueue(
  kind text, args json, queue text default 'default', priority int default 5,
  run_at timestamptz default null, max_attempts int default null, timeout interval default null,
  expires_at timestamptz default null
) returns bigint language sql security definer set search_path from current as $$
  select enqueue(kind, args::text, queue, priority, run_at, max_attempts, timeout, expires_at)
$$;
create function enqueue(
  kind text, args jsonb, queue text default 'default', priority int default 5,
  run_at timestamptz default null, max_attempts int default null, timeout interval default null,
  expires_at timestamptz default null
) returns bigint language sql security definer set search_path from current as $$
  select enqueue(kind, args::text, queue, priority, run_at, max_attempts, timeout, expires_at)
$$;
