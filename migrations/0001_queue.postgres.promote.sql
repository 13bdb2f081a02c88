-- Promotion: what waited for its time goes to the end of the log when it has come.

-- Moves what has come due to the end of the log. Looks from where it last was, and everywhere every ten seconds, for what was
-- committed late; see looked_everywhere(). next: microseconds until the next one is due.
create function promote(p_limit int, out moved int, out next bigint) language plpgsql security definer
  set search_path from current set enable_seqscan = off set jit = off as $$
declare
  v_now timestamptz := clock();
  v_segment int := (select last_value from segment_number);
  v_from timestamptz := 'epoch';
  v_lanes int[];
  v_upto timestamptz;
begin
  if not must_look_everywhere('promoted_fully', v_now, '10 seconds') then
    select 'epoch'::timestamptz + (last_value - 1000000) * interval '1 microsecond' into v_from from promoted_upto
      where last_value < micros(v_now);
    v_from := coalesce(v_from, 'epoch');
  end if;
  select (extract(epoch from run_at - v_now) * 1000000)::bigint into next
    from delayed where run_at >= v_from order by run_at limit 1;
  moved := 0;
  if next is null or next > 0 then
    if v_from = 'epoch' then perform looked_everywhere('promoted_fully', v_now, '1 minute'); end if;
    return;
  end if;
  perform relax();
  with due as (
    delete from delayed where id in (
      select id from delayed where run_at >= v_from and run_at <= v_now order by run_at, id limit p_limit for update skip locked)
    returning *
  ), entry as (
    insert into job (segment, lane, enqueued_at, id, run_at, timeout_ms, expires_at, max_attempts, attempt, crashes, args)
    select v_segment, lane, enqueued_at, id, run_at, timeout_ms, expires_at, max_attempts, attempt, crashes, args
    from due order by run_at, id
    returning lane, run_at
  )
  select count(*), array_agg(distinct lane), max(run_at) into moved, v_lanes, v_upto from entry;
  if moved > 0 then
    perform setval('promoted_upto', micros(v_upto));
    perform wake(v_lanes);
  end if;
  -- Also where there is more: it goes on from there, in order.
  if v_from = 'epoch' then perform looked_everywhere('promoted_fully', v_now, '1 minute'); end if;
  select greatest(0, (extract(epoch from run_at - v_now) * 1000000)::bigint) into next
    from delayed where run_at >= v_from order by run_at limit 1;
end $$;
