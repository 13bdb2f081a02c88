-- Functions that keep the queue going; any worker calls them, now and then.

create function register(
  p_name text, p_host text, p_pid int, p_version text, p_kinds text[], p_queues text[], p_concurrency int, p_lease_ms bigint
) returns bigint language sql security definer set search_path from current as $$
  insert into worker (name, host, pid, version, kinds, queues, concurrency, lease_ms, started_at, heartbeat_at, expires_at)
  select p_name, p_host, p_pid, p_version, p_kinds, p_queues, p_concurrency, p_lease_ms, now, now,
    now + p_lease_ms * interval '1 millisecond'
  from clock() now returning id
$$;

-- Keeps a worker and all its leases alive. Returns the running jobs that a person asked to stop; false when the worker had
-- been declared dead.
create function heartbeat(p_worker bigint, out alive boolean, out leases bigint[], out indexes int[])
  language plpgsql security definer set search_path from current as $$
begin
  perform relax();
  update worker set heartbeat_at = now, expires_at = now + lease_ms * interval '1 millisecond'
    from clock() now where id = p_worker and ended_at is null;
  alive := found;
  if alive then
    select array_agg(c.lease order by c.lease, c.index), array_agg(c.index order by c.lease, c.index) into leases, indexes
      from cancel_request c join lease l on l.id = c.lease where l.worker = p_worker and l.open > 0;
  end if;
end $$;

-- Takes back what a worker held. A revoked lease accepts no settlement any more. What was not done is appended again; what
-- a person had asked to stop ends here. For a crash no attempt is charged, since the job may be innocent, but what happened
-- is kept with it; from a job's third crash on it waits first, longer each time, as it may be what kills its workers.
create function end_worker(p_worker bigint, p_crashed boolean, p_now timestamptz, out leases int, out jobs int)
  language plpgsql set search_path from current set jit = off as $$
declare
  v_segment int := (select last_value from segment_number);
  v_name text;
  v_leases bigint[];
  v_lanes int[];
begin
  update worker set ended_at = p_now where id = p_worker returning name into v_name;
  select array_agg(id) into v_leases from (
    select id from lease where worker = p_worker and completed < count and open > 0 and revoked_at is null
    order by id for no key update) l;
  leases := coalesce(cardinality(v_leases), 0);
  jobs := 0;
  if leases = 0 then return; end if;
  with undone as materialized (
    select j.position, j.lane, j.enqueued_at, j.id, j.run_at, j.timeout_ms, j.max_attempts, j.attempt, j.args,
      least(j.crashes + case when p_crashed then 1 else 0 end, 32767) as crashes, c.lease is not null as stopped,
      l.id as of_lease, l.claimed_at, e.n
    from lease l cross join lateral unnest(l.positions) with ordinality e(position, n)
    join job j on j.position = e.position and j.segment between l.first_segment and l.last_segment
    left join cancel_request c on c.lease = l.id and c.index = e.n - 1
    where l.id = any(v_leases) and (l.endings is null or get_byte(l.endings, e.n::int - 1) = 0)
  ), again as (
    insert into job (segment, lane, enqueued_at, id, run_at, timeout_ms, max_attempts, attempt, crashes, args)
    select v_segment, lane, enqueued_at, coalesce(id, position), run_at, timeout_ms, max_attempts, attempt,
      crashes, args
    from undone where not stopped and not (p_crashed and crashes >= 3) order by of_lease, n
    returning lane
  ), later as (
    insert into delayed (id, lane, state, run_at, enqueued_at, timeout_ms, max_attempts, attempt, crashes, args)
    select coalesce(id, position), lane, 'retryable',
      p_now + least(3600, 10 * power(2, least(crashes - 3, 20))) * interval '1 second', enqueued_at, timeout_ms, max_attempts,
      attempt, crashes, args
    from undone where not stopped and p_crashed and crashes >= 3
    returning lane
  ), errors as (
    insert into attempt_error (job, attempt, max_attempts, type, message, started_at, at, worker)
    select coalesce(id, position), attempt + 1, coalesce(max_attempts, 25), 'crash',
      'its worker died while it held this job; no attempt is charged', claimed_at, p_now, v_name
    from undone where not stopped and p_crashed order by of_lease, n
  ), final as (
    insert into failed (id, lane, state, enqueued_at, run_at, finished_at, worker, timeout_ms, max_attempts, attempt, crashes,
      args)
    select coalesce(id, position), lane, 'cancelled', enqueued_at, run_at, p_now, v_name, timeout_ms, max_attempts,
      attempt + 1, crashes - case when p_crashed then 1 else 0 end, args
    from undone where stopped
  )
  select (select count(*) from again) + (select count(*) from later), (select array_agg(distinct lane) from again)
    into jobs, v_lanes;
  update lease set open = 0, revoked_at = p_now, finished_at = p_now where id = any(v_leases);
  delete from cancel_request where lease = any(v_leases);
  perform wake(v_lanes);
end $$;

create function deregister(p_worker bigint) returns void language plpgsql security definer set search_path from current as $$
begin
  perform pg_advisory_xact_lock(worker_locks(), p_worker::int);
  perform end_worker(p_worker, false, clock()) from worker where id = p_worker and ended_at is null;
end $$;

-- Ends workers that were silent for longer than their lease. One that is claiming just now, or being ended by somebody
-- else, is left alone.
create function recover(out workers bigint[], out leases int, out jobs int) language plpgsql security definer
  set search_path from current as $$
declare
  w record;
  e record;
begin
  workers := '{}';
  leases := 0;
  jobs := 0;
  for w in select id from worker where ended_at is null and expires_at <= clock() order by id loop
    continue when not pg_try_advisory_xact_lock(worker_locks(), w.id::int);
    perform 1 from worker where id = w.id and ended_at is null and expires_at <= clock() for no key update;
    continue when not found;
    select * into e from end_worker(w.id, true, clock());
    workers := workers || w.id;
    leases := leases + e.leases;
    jobs := jobs + e.jobs;
  end loop;
end $$;

-- Moves what has come due to the end of the log. Looks from where it last was, so that it does not step over its own dead
-- rows, and everywhere every ten seconds, for what was committed late. next: microseconds until the next one is due.
create function promote(p_limit int, out moved int, out next bigint) language plpgsql security definer
  set search_path from current set enable_seqscan = off set jit = off as $$
declare
  v_now timestamptz := clock();
  v_micros bigint := (extract(epoch from v_now) * 1000000)::bigint;
  v_segment int := (select last_value from segment_number);
  v_from timestamptz := 'epoch';
  v_lanes int[];
  v_upto timestamptz;
begin
  if (select last_value from promoted_fully) + 10000000 > v_micros then
    select 'epoch'::timestamptz + (last_value - 1000000) * interval '1 microsecond' into v_from from promoted_upto;
  end if;
  select (extract(epoch from run_at - v_now) * 1000000)::bigint into next
    from delayed where run_at >= v_from order by run_at limit 1;
  moved := 0;
  if next is null or next > 0 then
    if v_from = 'epoch' then perform setval('promoted_fully', v_micros); end if;
    return;
  end if;
  perform relax();
  with due as (
    delete from delayed where id in (
      select id from delayed where run_at >= v_from and run_at <= v_now order by run_at, id limit p_limit for update skip locked)
    returning *
  ), entry as (
    insert into job (segment, lane, enqueued_at, id, run_at, timeout_ms, max_attempts, attempt, crashes, args)
    select v_segment, lane, enqueued_at, id, run_at, timeout_ms, max_attempts, attempt, crashes, args
    from due order by run_at, id
    returning lane, run_at
  )
  select count(*), array_agg(distinct lane), max(run_at) into moved, v_lanes, v_upto from entry;
  if moved > 0 then
    perform setval('promoted_upto', (extract(epoch from v_upto) * 1000000)::bigint);
    perform wake(v_lanes);
  end if;
  if moved < p_limit and v_from = 'epoch' then perform setval('promoted_fully', v_micros); end if;
  select greatest(0, (extract(epoch from run_at - v_now) * 1000000)::bigint) into next
    from delayed where run_at >= v_from order by run_at limit 1;
end $$;

-- Retention ------------------------------------------------------------------------------------------------------------

-- Removes what ended long ago, at most about p_limit jobs a call, and returns how many went. Also makes segments ahead and
-- drops the oldest when nothing in it matters any more.
create function retain(p_completed interval, p_failed interval, p_limit int) returns bigint language plpgsql security definer
  set search_path from current as $$
declare
  v_now timestamptz := clock();
  v_removed bigint;
begin
  perform relax();
  v_removed := forget_leases(v_now - p_completed, p_limit);
  if v_removed < p_limit then
    v_removed := v_removed + forget_failed(v_now - p_failed, (p_limit - v_removed)::int);
  end if;
  if v_removed = 0 then
    -- A worker is kept as long as a lease may show its name.
    delete from worker where ended_at < v_now - p_completed - interval '1 day';
    perform turn_segments(v_now, p_completed);
  end if;
  return v_removed;
end $$;

-- Completed jobs go with their lease; the newest of a lane stays as its cursor, emptied.
create function forget_leases(p_before timestamptz, p_limit int) returns bigint language plpgsql
  set search_path from current set enable_seqscan = off set jit = off as $$
declare
  v_removed bigint;
begin
  with old as materialized (
    select l.id, l.lane, l.count, l.completed, l.positions, l.endings, l.first_segment, l.last_segment,
      l.id = (select n.id from lease n where n.lane = l.lane order by n.lane desc, n.id desc limit 1) as is_cursor
    from lease l where l.finished_at < p_before and (l.count > 0 or l.positions is null)
      and not (l.count = 0 and l.id = (select n.id from lease n where n.lane = l.lane order by n.lane desc, n.id desc limit 1))
    order by l.id limit greatest(1, least(p_limit, 100)) for no key update skip locked
  ), done as (
    select e.position, o.first_segment, o.last_segment from old o, unnest(o.positions) with ordinality e(position, n)
    where (exists (select 1 from result) or exists (select 1 from attempt_error))
      and o.endings is not null and get_byte(o.endings, e.n::int - 1) = 1
  ), forgotten as (
    -- An entry in the log goes with its segment; errors of earlier attempts and results go now.
    select coalesce(j.id, j.position) as job from done d
    join job j on j.position = d.position and j.segment between d.first_segment and d.last_segment
  ), results as (
    delete from result where job in (select job from forgotten)
  ), errors as (
    delete from attempt_error where job in (select job from forgotten)
  ), emptied as (
    update lease l set count = 0, completed = 0, positions = null, endings = null, times = null, first = null,
      first_segment = null, last_segment = null
    from old o where l.id = o.id and o.is_cursor
  ), gone as (
    delete from lease l using old o where l.id = o.id and not o.is_cursor
  ), counted as (
    update lane la set forgotten = forgotten + o.jobs
    from (select lane, sum(count) as jobs from old group by lane) o where la.id = o.lane
  )
  select sum(greatest(1, completed)) into v_removed from old;
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
create function turn_segments(p_now timestamptz, p_completed interval) returns void language plpgsql
  set search_path from current as $$
declare
  v_current int;
  v_name text;
  s record;
begin
  -- One at a time, and nobody waits.
  if not pg_try_advisory_xact_lock(worker_locks(), -1) then return; end if;
  perform set_config('lock_timeout', '100ms', true);
  begin
    select last_value into v_current from segment_number;
    if (select opened_at from segment where number = v_current) < p_now - greatest(p_completed / 6, interval '10 minutes')
      and exists (select 1 from segment where number = v_current + 1)
    then
      update segment set opened_at = p_now where number = v_current + 1;
      perform setval('segment_number', v_current + 1);
      v_current := v_current + 1;
      v_name := 'job_' || v_current + 1;
      execute format('create table %I (like job including defaults)', v_name);
      execute format('alter table job attach partition %I for values in (%s)', v_name, v_current + 1);
      insert into segment values (v_current + 1, null);
    end if;
    for s in
      select a.number from segment a join segment b on b.number = a.number + 1
      where a.number < v_current and b.opened_at < p_now - p_completed order by a.number limit 4
    loop
      exit when not drop_segment(s.number, v_current);
    end loop;
  exception when lock_not_available or deadlock_detected then
    -- Somebody reads or writes for longer than we want everybody to wait. Another time.
    null;
  end;
  perform set_config('lock_timeout', '0', true);
end $$;

-- Drops a segment unless something in it still matters that cannot be moved: history of leases that are kept, or many
-- stragglers. A few waiting entries, or open leases, are moved to the current segment, keeping their place in the order.
create function drop_segment(p_number int, p_current int) returns boolean language plpgsql
  set search_path from current set jit = off as $$
declare
  v_positions bigint[];
  v_leases bigint[];
begin
  if exists (select 1 from lease where first_segment <= p_number and count > 0 and open = 0) then return false; end if;
  select array_agg(id) into v_leases from lease where first_segment <= p_number and open > 0;
  if cardinality(v_leases) > 100 then return false; end if;
  if (select count(*) from (select 1 from lane la, waiting(la.id, 1001, p_number) limit 1001) w) > 1000 then return false; end if;
  -- From here on nobody claims or appends.
  lock table job in access exclusive mode;
  if exists (select 1 from lease where first_segment <= p_number and count > 0 and open = 0) then return false; end if;
  select array_agg(id) into v_leases from lease where first_segment <= p_number and open > 0;
  select array_agg(position) into v_positions from (
    select w.position from lane la, waiting(la.id, 2000, p_number) w where w.segment = p_number
    union all
    select e.position from lease l, unnest(l.positions) e(position) where l.id = any(v_leases)) p;
  update job set segment = p_current where segment = p_number and position = any(v_positions);
  update lease l set first_segment = (select min(segment) from job j where j.position = any(l.positions)), last_segment = p_current
    where id = any(v_leases);
  delete from tombstone t using job j where j.segment = p_number and j.position = t.position and j.lane = t.lane;
  execute format('drop table %I', 'job_' || p_number);
  delete from segment where number = p_number;
  return true;
end $$;
