-- Settling: how a lease's jobs ended is written into the one row that opened them, whole leases in one statement for all of
-- them; job rows are only read, and only those that live on.

-- Writes how jobs ended, under the one lease that opens them. p_leases … p_completed describe runs: from the job at index
-- p_first on, a byte each in p_endings and two floats each in p_times, as lease and run keep them; p_completed says how many of
-- the run are 1. The p_d_ arrays hold what else is to be said of single jobs of these runs. No job is named twice.
-- Returns the leases that were lost, and how many settlements came a second time; of those nothing is written.
create function settle(
  p_leases bigint[], p_first int[], p_endings bytea[], p_times bytea[], p_completed int[],
  p_d_lease bigint[] default null, p_d_index int[] default null, p_d_delay bigint[] default null,
  p_d_reason text[] default null, p_d_type text[] default null, p_d_message text[] default null,
  p_d_detail text[] default null, p_d_fingerprint text[] default null, p_d_max_attempts int[] default null,
  p_d_result text[] default null, p_d_peak bigint[] default null, p_d_processor bigint[] default null,
  p_d_blocked bigint[] default null, out lost bigint[], out repeated int
) language plpgsql security definer set search_path from current
  -- Planned once a session, perhaps while all tables are small: always by index.
  set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
  set jit = off as $$
declare
  v_now timestamptz := clock();
  v_done bigint[];
  v_finished bigint[];
  v_refused_lease bigint[] := '{}';
  v_refused_index int[] := '{}';
  v_noted boolean;
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
    returning l.id, l.noted)
  select array_agg(id), bool_or(noted) into v_done, v_noted from done;
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
      p_d_type, p_d_message, p_d_detail, p_d_fingerprint, p_d_max_attempts, p_d_result, p_d_peak,
      p_d_processor, p_d_blocked);
  end if;
  if exists (select 1 from cancel_request) then
    delete from cancel_request where lease = any(v_finished);
  end if;
  if v_noted then delete from progress where lease = any(v_done); end if;
end $$;

-- The same, and follow-ups of some of these runs, of each exactly when its settlement is accepted: the n-th job of the p_f_
-- arrays follows the run of lease p_f_lease[n] at p_f_index[n]. The others are as in enqueue_batch().
create function settle_and_enqueue(
  p_leases bigint[], p_first int[], p_endings bytea[], p_times bytea[], p_completed int[], p_d_lease bigint[], p_d_index int[],
  p_d_delay bigint[], p_d_reason text[], p_d_type text[], p_d_message text[], p_d_detail text[], p_d_fingerprint text[],
  p_d_max_attempts int[], p_d_result text[], p_d_peak bigint[], p_d_processor bigint[], p_d_blocked bigint[],
  p_f_lease bigint[], p_f_index int[], p_f_args text[], p_f_kinds text[], p_f_queues text[], p_f_priorities int[],
  p_f_lanes int[], p_f_max_attempts int[], p_f_timeouts bigint[], p_f_delays bigint[], p_f_times bigint[],
  p_f_expire_in bigint[], p_f_expire_at bigint[], out lost bigint[], out repeated int
) language plpgsql security definer set search_path from current set enable_seqscan = off set jit = off as $$
declare
  v_open int[];
begin
  -- Once locked, what is open stays open until it is settled here.
  perform 1 from lease where id in (select unnest(p_leases)) order by id for no key update;
  select array_agg(f.n order by f.n) into v_open
    from unnest(p_f_lease, p_f_index) with ordinality f(lease, index, n) join lease l on l.id = f.lease
    where l.revoked_at is null and f.index between 0 and l.count - 1 and coalesce(get_byte(l.endings, f.index), 0) = 0;
  select s.lost, s.repeated into lost, repeated
    from settle(p_leases, p_first, p_endings, p_times, p_completed, p_d_lease, p_d_index, p_d_delay, p_d_reason, p_d_type,
      p_d_message, p_d_detail, p_d_fingerprint, p_d_max_attempts, p_d_result, p_d_peak, p_d_processor, p_d_blocked) s;
  if v_open is not null then
    perform enqueue_batch(
      array(select p_f_args[n] from unnest(v_open) n), p_f_kinds, p_f_queues, p_f_priorities,
      array(select p_f_lanes[n] from unnest(v_open) n), array(select p_f_max_attempts[n] from unnest(v_open) n),
      array(select p_f_timeouts[n] from unnest(v_open) n), array(select p_f_delays[n] from unnest(v_open) n),
      array(select p_f_times[n] from unnest(v_open) n), array(select p_f_expire_in[n] from unnest(v_open) n),
      array(select p_f_expire_at[n] from unnest(v_open) n));
  end if;
end $$;

-- What running jobs say of how far they are, each named once, behind the same fence. Returns the leases that were lost.
create function report_progress(p_leases bigint[], p_indexes int[], p_fractions double precision[], p_notes text[])
  returns bigint[] language plpgsql security definer set search_path from current set enable_seqscan = off set jit = off as $$
begin
  perform relax();
  -- A settlement comes before or after, so that nothing is left behind by a lease that has ended.
  perform 1 from lease where id in (select unnest(p_leases)) order by id for no key update;
  with said as (
    insert into progress (lease, index, at, fraction, note)
    select l.id, r.index, clock(), r.fraction, r.note
    from unnest(p_leases, p_indexes, p_fractions, p_notes) r(lease, index, fraction, note) join lease l on l.id = r.lease
    where l.revoked_at is null and r.index between 0 and l.count - 1 and coalesce(get_byte(l.endings, r.index), 0) = 0
    on conflict (lease, index) do update set at = excluded.at, fraction = excluded.fraction, note = excluded.note
    returning lease)
  update lease set noted = true where id in (select lease from said) and noted is null;
  return coalesce((select array_agg(distinct given) from unnest(p_leases) given
    where not exists (select 1 from lease l where l.id = given and l.revoked_at is null)), '{}');
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
        insert into run values (l.id, r.first, r.times);
        v_fresh := v_fresh + length(r.endings);
        select v_completed + count(*) into v_completed from generate_series(0, length(r.endings) - 1) i
          where get_byte(r.endings, i) = 1;
        continue;
      end if;
      for i in 0 .. length(r.endings) - 1 loop
        if r.first + i between 0 and l.count - 1 and get_byte(v_endings, r.first + i) = 0 then
          v_endings := set_byte(v_endings, r.first + i, get_byte(r.endings, i));
          insert into run values (l.id, r.first + i, substring(r.times from i * 8 + 1 for 8));
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
      update lease set endings = v_endings, open = open - v_fresh, completed = completed + v_completed,
        finished_at = case when open = v_fresh then p_now end
      where id = l.id;
      if l.open = v_fresh then
        finished := finished || l.id;
        if l.noted then delete from progress where lease = l.id; end if;
      end if;
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
      where l.id = c.lease and l.revoked_at is null and get_byte(l.endings, c.index) in (2, 3, 6, 7);
  end loop;
end $$;

-- What single jobs leave behind when they end: results, errors, and the job itself where it lives on.
create function settle_details(
  p_now timestamptz, p_lost bigint[], p_refused_lease bigint[], p_refused_index int[], p_lease bigint[], p_index int[],
  p_delay bigint[], p_reason text[], p_type text[], p_message text[], p_detail text[], p_fingerprint text[],
  p_max_attempts int[], p_result text[], p_peak bigint[], p_processor bigint[], p_blocked bigint[]
) returns void language plpgsql set search_path from current set enable_seqscan = off set jit = off as $$
declare
  v_segment int := (select last_value from segment_number);
  v_lanes int[];
begin
  with detail as materialized (
    select d.*, l.lane, l.claimed_at, l.worker, get_byte(l.endings, d.index) as ending, l.positions[d.index + 1] as position,
      l.first_segment, l.last_segment, n as number,
      case when d.reason is distinct from 'expired' then l.claimed_at + (run_time(l, d.index)).waited end as started_at
    from unnest(p_lease, p_index, p_delay, p_reason, p_type, p_message, p_detail, p_fingerprint, p_max_attempts, p_result,
        p_peak, p_processor, p_blocked)
      with ordinality d(lease, index, delay, reason, type, message, detail, fingerprint, max_attempts, result, peak, processor,
        blocked, n)
    join lease l on l.id = d.lease
    where not d.lease = any(p_lost)
      and not exists (select 1 from unnest(p_refused_lease, p_refused_index) r(lease, index)
        where r.lease = d.lease and r.index = d.index)
  ), ended as materialized (
    select d.*, w.name as worker_name, coalesce(j.id, j.position) as job, j.enqueued_at, j.run_at, j.timeout_ms,
      j.expires_at, j.max_attempts as own_max_attempts, j.attempt, j.crashes, j.args
    from detail d
    join job j on j.position = d.position and j.segment between d.first_segment and d.last_segment
    left join worker w on w.id = d.worker
    order by d.number
  ), results as (
    insert into result (job, value) select job, result from ended where ending = 1 and result is not null
  ), errors as (
    insert into attempt_error (job, attempt, max_attempts, type, message, detail, started_at, at, worker)
    select job, attempt + case when started_at is null then 0 else 1 end, max_attempts, type, message, detail, started_at,
      p_now, worker_name
    from ended where type is not null order by number
  ), took as (
    insert into usage (job, lease, attempt, at, peak_memory, processor_us, blocked_us)
    select job, lease, attempt + 1, p_now, peak, processor, blocked
    from ended where peak is not null or processor is not null or blocked is not null
  ), again as (
    insert into job (segment, lane, enqueued_at, id, run_at, timeout_ms, expires_at, max_attempts, attempt, crashes, args)
    select v_segment, lane, enqueued_at, job, run_at, timeout_ms, expires_at, own_max_attempts,
      attempt + case when ending = 2 then 1 else 0 end, crashes, args
    from ended where ending = 6 or ending = 2 and delay <= 0 order by number
    returning lane
  ), later as (
    insert into delayed (id, lane, state, run_at, enqueued_at, timeout_ms, expires_at, max_attempts, attempt, crashes, args)
    select job, lane, case when ending = 3 then 'scheduled' else 'retryable' end, p_now + delay * interval '1 microsecond',
      enqueued_at, timeout_ms, expires_at, own_max_attempts, attempt + case when ending = 2 then 1 else 0 end,
      crashes + case when ending = 7 then 1 else 0 end, args
    from ended where ending in (3, 7) or ending = 2 and delay > 0
  ), groups as (
    insert into failure (kind, fingerprint, type, message, count, first_seen_at, last_seen_at)
    select l.kind, e.fingerprint, min(e.type), (array_agg(e.message order by e.number desc))[1], count(*), p_now, p_now
    from ended e join lane l on l.id = e.lane where e.ending = 4 group by l.kind, e.fingerprint order by 1, 2
    on conflict (kind, fingerprint) do update
      set count = failure.count + excluded.count, last_seen_at = excluded.last_seen_at, message = excluded.message
    returning id, kind, fingerprint
  ), final as (
    insert into failed (id, lane, state, reason, failure, enqueued_at, run_at, started_at, finished_at, worker, timeout_ms,
      expires_at, max_attempts, attempt, crashes, args)
    select e.job, e.lane, case when e.ending = 4 then 'failed' else 'cancelled' end, e.reason, g.id, e.enqueued_at, e.run_at,
      e.started_at, p_now, e.worker_name, e.timeout_ms, e.expires_at, e.own_max_attempts,
      -- Neither a crash nor a start that never came is charged as an attempt.
      e.attempt + case when e.reason in ('crashed', 'expired') then 0 else 1 end,
      e.crashes + case when e.reason = 'crashed' then 1 else 0 end, e.args
    from ended e join lane l on l.id = e.lane
    left join groups g on e.ending = 4 and g.kind = l.kind and g.fingerprint = e.fingerprint
    where e.ending in (4, 5)
  )
  select array_agg(distinct lane) into v_lanes from again;
  if v_lanes is not null then perform wake(v_lanes); end if;
end $$;
