-- What people do to jobs: retry, cancel, discard.

-- retry, cancel or discard for jobs named one by one; one that is named twice is meant once. With p_dry, only says what it
-- would do. With p_only, jobs in another state by now are passed over in silence. With p_attempts, a retried job has that many
-- more; without, as many as are left, and one where none is. A retry drops an expiry that is over: who asks for it wants the job
-- to run.
create function repair(
  p_repair text, p_ids bigint[], p_dry boolean, p_only text[] default null, p_attempts int default null,
  out changed int, out requested int, out refused bigint[],
  out refused_states text[], out missing bigint[]
) language plpgsql security definer set search_path from current set enable_seqscan = off set jit = off as $$
declare
  v_states text[] := case p_repair
    when 'retry' then array['failed', 'cancelled', 'scheduled', 'retryable']
    when 'cancel' then array['scheduled', 'available', 'running', 'retryable']
    when 'discard' then array['failed', 'cancelled'] end;
  v_places place[];
begin
  perform check_isolation();
  v_places := case when p_dry then array(select p from places(p_ids) p) else hold(p_repair, p_ids) end;
  select count(*) filter (where p.fits), count(*) filter (where p.fits and p_repair = 'cancel' and p.state = 'running'),
      coalesce(array_agg(p.id order by p.n) filter (where p.refused), '{}'),
      coalesce(array_agg(p.state order by p.n) filter (where p.refused), '{}'),
      coalesce(array_agg(p.id order by p.n) filter (where p.state is null and p_only is null), '{}')
    into changed, requested, refused, refused_states, missing
    from (
      select *, meant and state = any(v_states) as fits, meant and not state = any(v_states) as refused from (
        select *, p_only is null or state = any(p_only) as meant from unnest(v_places)) p) p;
  if p_dry then return; end if;
  v_places := array(
    select p from unnest(v_places) p where p.state = any(v_states) and (p_only is null or p.state = any(p_only)));
  case p_repair
    when 'retry' then perform put_back(v_places, p_attempts);
    when 'cancel' then perform cancel(v_places);
    when 'discard' then perform discard(array(select id from unnest(v_places)));
  end case;
end $$;

-- Where the jobs are, nothing of which changes any more until the transaction ends, as far as it matters to the repair.
create function hold(p_repair text, p_ids bigint[]) returns place[] language plpgsql set search_path from current
  set enable_seqscan = off set jit = off as $$
declare
  v_places place[];
  v_leases bigint[];
  v_held bigint[] := '{}';
begin
  -- Who moves them just now ends first: what was moved is found where it went, and what is left stays here until we are done.
  perform 1 from delayed where id = any(p_ids) order by id for update;
  if p_repair = 'cancel' then
    -- What waits must not be claimed while it is being cancelled.
    perform pg_advisory_xact_lock(lane_locks(), lane) from (
      select distinct lane from job where position = any(p_ids) or id = any(p_ids) order by lane) l;
  else
    perform 1 from failed where id = any(p_ids) order by id for update;
  end if;
  loop
    v_places := array(select p from places(p_ids) p);
    exit when p_repair <> 'cancel';
    -- What runs must not end meanwhile. It may have done so before the lock came: another look.
    v_leases := array(
      select lease from unnest(v_places) where state = 'running' except select unnest(v_held) order by lease);
    exit when cardinality(v_leases) = 0;
    perform 1 from lease where id = any(v_leases) order by id for no key update;
    perform 1 from delayed where id = any(p_ids) order by id for update;
    v_held := v_held || v_leases;
  end loop;
  return v_places;
end $$;

-- To the end of the log, in the order in which they were named.
create function put_back(p_places place[], p_attempts int) returns void language plpgsql set search_path from current
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_now timestamptz := clock();
  v_segment int := (select last_value from segment_number);
  v_lanes int[];
begin
  with gone as (
    delete from delayed d using unnest(p_places) p where p.state in ('scheduled', 'retryable') and d.id = p.id
    returning p.n, d.lane, d.enqueued_at, d.id, d.timeout_ms, d.expires_at, d.max_attempts, d.attempt, d.crashes, d.args
  ), back as materialized (
    -- A job that failed just now is locked by nobody yet, and another may be putting it back.
    select p.n, f.lane, f.enqueued_at, f.id, f.timeout_ms, f.expires_at, f.max_attempts, f.attempt, f.args
    from unnest(p_places) p join failed f on f.id = p.id where p.state in ('failed', 'cancelled') for update of f
  ), entry as (
    insert into job (segment, lane, enqueued_at, id, run_at, timeout_ms, expires_at, max_attempts, attempt, crashes, args)
    select v_segment, r.lane, r.enqueued_at, r.id, v_now, r.timeout_ms, case when r.expires_at > v_now then r.expires_at end,
      coalesce(r.attempt + p_attempts, r.max_attempts), r.attempt, r.crashes, r.args
    from (
      select * from gone
      union all
      -- A person takes the blame for what it did.
      select n, lane, enqueued_at, id, timeout_ms, expires_at, max_attempts, attempt, 0, args from back) r
    order by r.n
    returning lane
  )
  select array_agg(distinct lane) into v_lanes from entry;
  perform remove_failed(array(select id from unnest(p_places) where state in ('failed', 'cancelled')));
  perform wake(v_lanes);
end $$;

-- What waits ends here; what runs is asked to stop.
create function cancel(p_places place[]) returns void language plpgsql set search_path from current
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_now timestamptz := clock();
begin
  with gone as (
    delete from delayed d using unnest(p_places) p where p.state in ('scheduled', 'retryable') and d.id = p.id
    returning d.id, d.lane, d.enqueued_at, d.run_at, d.timeout_ms, d.expires_at, d.max_attempts, d.attempt, d.crashes, d.args
  ), passed as (
    insert into tombstone select lane, cursor from unnest(p_places) where state = 'available'
  )
  insert into failed (id, lane, state, enqueued_at, run_at, finished_at, timeout_ms, expires_at, max_attempts, attempt, crashes, args)
  select id, lane, 'cancelled', enqueued_at, run_at, v_now, timeout_ms, expires_at, max_attempts, attempt, crashes, args from (
    select * from gone
    union all
    select p.id, j.lane, j.enqueued_at, j.run_at, j.timeout_ms, j.expires_at, j.max_attempts, j.attempt, j.crashes, j.args
    from unnest(p_places) p join job j on j.position = p.cursor and j.segment = p.segment where p.state = 'available') e;
  insert into cancel_request select lease, index from unnest(p_places) where state = 'running' on conflict do nothing;
  if exists (select 1 from unnest(p_places) where state = 'running') then perform pg_notify(current_schema(), ''); end if;
end $$;

create function discard(p_ids bigint[]) returns void language plpgsql set search_path from current as $$
begin
  perform remove_failed(p_ids);
  delete from attempt_error where job = any(p_ids);
  delete from usage where job = any(p_ids);
end $$;

-- A paused queue hands nothing out, what runs goes on; false: it was as wanted already. A lane that another transaction is
-- just making does not see it, and is paused by the next recover(), which workers call every few seconds.
create function pause_queue(p_queue text, p_paused boolean) returns boolean language plpgsql security definer
  set search_path from current as $$
declare
  v_changed boolean;
begin
  perform check_job('any', p_queue, 5, null, null);
  if p_paused then
    insert into paused_queue values (p_queue) on conflict do nothing;
  else
    delete from paused_queue where queue = p_queue;
  end if;
  v_changed := found;
  -- Also where the queue was so already: a transaction that made a lane may have seen what was before.
  update lane set paused = p_paused where queue = p_queue and paused <> p_paused;
  v_changed := v_changed or found;
  -- Whoever slept did not flag lanes that were paused.
  if v_changed and not p_paused then perform pg_notify(current_schema(), ''); end if;
  return v_changed;
end $$;
