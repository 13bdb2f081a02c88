-- Workers: registration, heartbeats, and taking back what a dead one held. Any worker looks after the others.

create function register(
  p_name text, p_host text, p_pid int, p_version text, p_kinds text[], p_queues text[], p_concurrency int, p_lease_ms bigint,
  p_report text default null
) returns bigint language sql security definer set search_path from current as $$
  insert into worker (name, host, pid, version, kinds, queues, concurrency, lease_ms, started_at, heartbeat_at, expires_at,
    report)
  select p_name, p_host, p_pid, p_version, p_kinds, p_queues, p_concurrency, p_lease_ms, now, now,
    now + p_lease_ms * interval '1 millisecond', p_report
  from clock() now returning id
$$;

-- What the newest worker of a name said of itself last, ended or not; or else the newest of its host.
create function last_report(p_name text, p_host text) returns text language sql stable security definer
  set search_path from current as $$
  select report from worker where report is not null and (name = p_name or host = p_host)
  order by name = p_name desc, id desc limit 1
$$;

-- Keeps a worker and all its leases alive, and what it says of itself where it says something. Returns the running jobs that
-- a person asked to stop; false when the worker had been declared dead.
create function heartbeat(p_worker bigint, p_report text default null, out alive boolean, out leases bigint[], out indexes int[])
  language plpgsql security definer set search_path from current set enable_seqscan = off set enable_hashjoin = off
  set enable_mergejoin = off set jit = off as $$
begin
  perform relax();
  update worker set heartbeat_at = now, expires_at = now + lease_ms * interval '1 millisecond',
      report = coalesce(p_report, report)
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
  language plpgsql set search_path from current set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
  set jit = off as $$
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
    select j.position, j.lane, j.enqueued_at, j.id, j.run_at, j.timeout_ms, j.expires_at, j.max_attempts, j.attempt, j.args,
      least(j.crashes + case when p_crashed then 1 else 0 end, 32767) as crashes, c.lease is not null as stopped,
      l.id as of_lease, l.claimed_at, e.n
    from lease l cross join lateral unnest(l.positions) with ordinality e(position, n)
    join job j on j.position = e.position and j.segment between l.first_segment and l.last_segment
    left join cancel_request c on c.lease = l.id and c.index = e.n - 1
    where l.id = any(v_leases) and (l.endings is null or get_byte(l.endings, e.n::int - 1) = 0)
  ), again as (
    insert into job (segment, lane, enqueued_at, id, run_at, timeout_ms, expires_at, max_attempts, attempt, crashes, args)
    select v_segment, lane, enqueued_at, coalesce(id, position), run_at, timeout_ms, expires_at, max_attempts, attempt,
      crashes, args
    from undone where not stopped and not (p_crashed and crashes >= 3) order by of_lease, n
    returning lane
  ), later as (
    insert into delayed (id, lane, state, run_at, enqueued_at, timeout_ms, expires_at, max_attempts, attempt, crashes, args)
    select coalesce(id, position), lane, 'retryable',
      p_now + least(3600, 10 * power(2, least(crashes - 3, 20))) * interval '1 second', enqueued_at, timeout_ms, expires_at, max_attempts,
      attempt, crashes, args
    from undone where not stopped and p_crashed and crashes >= 3
    returning lane
  ), errors as (
    insert into attempt_error (job, attempt, max_attempts, type, message, started_at, at, worker)
    select coalesce(id, position), attempt + 1, max_attempts, 'crash',
      'its worker died while it held this job; no attempt is charged', claimed_at, p_now, v_name
    from undone where not stopped and p_crashed order by of_lease, n
  ), final as (
    insert into failed (id, lane, state, enqueued_at, run_at, finished_at, worker, timeout_ms, expires_at, max_attempts, attempt, crashes,
      args)
    select coalesce(id, position), lane, 'cancelled', enqueued_at, run_at, p_now, v_name, timeout_ms, expires_at, max_attempts,
      attempt + 1, crashes - case when p_crashed then 1 else 0 end, args
    from undone where stopped
  )
  select (select count(*) from again) + (select count(*) from later), (select array_agg(distinct lane) from again)
    into jobs, v_lanes;
  update lease set open = 0, revoked_at = p_now, finished_at = p_now where id = any(v_leases);
  delete from cancel_request where lease = any(v_leases);
  delete from progress where lease = any(v_leases);
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
  -- A transaction that makes a lane does not see a pause, or the end of one, that comes before its own end.
  update lane l set paused = not paused
    where paused <> exists (select 1 from paused_queue p where p.queue = l.queue);
  if found then perform pg_notify(current_schema(), ''); end if;
  for w in select id from worker where ended_at is null and expires_at <= clock() order by id loop
    continue when not pg_try_advisory_xact_lock(worker_locks(), w.id::int);
    perform 1 from worker where id = w.id and ended_at is null and expires_at <= clock() for no key update;
    continue when not found;
    select * into e from end_worker(w.id, true, clock());
    workers := workers || w.id;
    leases := leases + e.leases;
    jobs := jobs + e.jobs;
  end loop;
  perform add_up();
end $$;
