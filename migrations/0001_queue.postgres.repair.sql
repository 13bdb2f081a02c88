-- What people do to jobs: retry, cancel, discard.

-- retry, cancel or discard for jobs named one by one. With p_dry, only says what it would do. With p_only, jobs in another
-- state by now are passed over in silence. With p_attempts, a retried job has that many more; without, as many as are left, and
-- one where none is. A retry drops an expiry that is over: who asks for it wants the job to run.
create function repair(
  p_repair text, p_ids bigint[], p_dry boolean, p_only text[] default null, p_attempts int default null,
  out changed int, out requested int, out refused bigint[],
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
  perform check_isolation();
  changed := 0; requested := 0; refused := '{}'; refused_states := '{}'; missing := '{}';
  if not p_dry then
    -- A promotion under way ends first: what it moved is found where it went, and what is left stays here until we are done.
    perform 1 from delayed where id = any(p_ids) order by id for update;
  end if;
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
      delete from usage where job = v_id;
    elsif p_repair = 'retry' and r.state in ('failed', 'cancelled') then
      insert into job (segment, lane, enqueued_at, id, run_at, timeout_ms, expires_at, max_attempts, attempt, crashes, args)
        select v_segment, lane, enqueued_at, id, v_now, timeout_ms, case when expires_at > v_now then expires_at end,
          coalesce(attempt + p_attempts, max_attempts), attempt, 0, args
        from failed where id = v_id for update
        returning lane || v_lanes into v_lanes;
      perform remove_failed(array[v_id]);
    elsif p_repair = 'retry' then
      with gone as (delete from delayed where id = v_id returning *)
      insert into job (segment, lane, enqueued_at, id, run_at, timeout_ms, expires_at, max_attempts, attempt, crashes, args)
        select v_segment, lane, enqueued_at, id, v_now, timeout_ms, case when expires_at > v_now then expires_at end,
          coalesce(attempt + p_attempts, max_attempts), attempt, crashes, args from gone
        returning lane || v_lanes into v_lanes;
    elsif r.state = 'running' then
      insert into cancel_request values (r.lease, (
        select array_position(l.positions, r.cursor) - 1 from lease l where l.id = r.lease)) on conflict do nothing;
    elsif r.state = 'available' then
      insert into tombstone select lane, position from job where position = r.cursor;
      insert into failed (id, lane, state, enqueued_at, run_at, finished_at, timeout_ms, expires_at, max_attempts, attempt, crashes, args)
        select v_id, lane, 'cancelled', enqueued_at, run_at, v_now, timeout_ms, expires_at, max_attempts, attempt, crashes, args
        from job where position = r.cursor;
    else
      with gone as (delete from delayed where id = v_id returning *)
      insert into failed (id, lane, state, enqueued_at, run_at, finished_at, timeout_ms, expires_at, max_attempts, attempt, crashes, args)
        select id, lane, 'cancelled', enqueued_at, run_at, v_now, timeout_ms, expires_at, max_attempts, attempt, crashes, args from gone;
    end if;
  end loop;
  perform wake(v_lanes);
  if requested > 0 and not p_dry then perform pg_notify(current_schema(), ''); end if;
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
