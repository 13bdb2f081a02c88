-- What `martlet bench` needs besides what all programs call. It measures in a queue that people use, so these touch jobs of
-- the kind martlet-bench in queues of a bench's name and a number, and nothing else.

create function bench_of(p_queue text) returns text language sql immutable as $$
  select substring(p_queue from '^(martlet-bench-[a-z0-9]+)-[0-9]+$')
$$;

-- What else goes on, and the names of benches that have queues and of those that live.
create function bench_surroundings(
  out workers int, out available bigint, out running bigint, out bytes bigint, out benches text[], out alive text[]
) language sql stable security definer set search_path from current as $$
  select
    (select count(*)::int from worker where ended_at is null and expires_at > clock() and kinds <> '{martlet-bench}'),
    others.available, others.running,
    (select sum(pg_relation_size(oid))::bigint from pg_class
      where relnamespace = (select oid from pg_namespace where nspname = current_schema()) and relkind in ('r', 'i')),
    (select coalesce(array_agg(distinct bench_of(queue)), '{}') from lane
      where kind = 'martlet-bench' and bench_of(queue) is not null),
    (select coalesce(array_agg(distinct name), '{}') from worker
      where ended_at is null and expires_at > clock() and kinds = '{martlet-bench}')
  from (
    select coalesce(sum(c.available), 0)::bigint as available, coalesce(sum(c.running), 0)::bigint as running
    from lane_counts() c where not (c.kind = 'martlet-bench' and bench_of(c.queue) is not null)) others
$$;

-- Takes a bench's queues away, at most about p_limit jobs a call; all is gone when it says fewer. A lane of which something
-- runs is left alone. Its leases go first, as in retention, then its part of the log, and the lane itself when nothing is left.
create function bench_remove(p_bench text, p_limit int) returns bigint language plpgsql security definer
  set search_path from current set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_lane int;
  v_removed bigint := 0;
  v_count bigint;
  v_failed bigint[];
  v_ids bigint[];
begin
  perform relax();
  for v_lane in select id from lane where kind = 'martlet-bench' and bench_of(queue) = p_bench order by id loop
    perform pg_advisory_xact_lock(lane_locks(), v_lane);
    -- Another who removes the same may have been quicker.
    continue when not exists (select 1 from lane where id = v_lane);
    continue when exists (select 1 from lease where lane = v_lane and completed < count and open > 0);
    perform bench_forget(v_lane);
    with gone as (
      delete from job j using (
          select segment, position from job where lane = v_lane order by lane, xid, position limit p_limit - v_removed) g
        where j.segment = g.segment and j.position = g.position
        returning coalesce(j.id, j.position) as id
    ), errors as (
      delete from attempt_error where job in (select id from gone)
    ), usages as (
      delete from usage where job in (select id from gone)
    ), results as (
      delete from result where job in (select id from gone)
    )
    select count(*) into v_count from gone;
    v_removed := v_removed + v_count;
    exit when v_removed >= p_limit;
    select array_agg(id) into v_failed from failed where lane = v_lane;
    perform remove_failed(v_failed);
    with gone as (delete from delayed where lane = v_lane returning id) select array_agg(id) into v_ids from gone;
    delete from attempt_error where job = any(v_failed || v_ids);
    delete from usage where job = any(v_failed || v_ids);
    delete from tombstone where lane = v_lane;
    delete from tally where lane = v_lane;
    delete from lease where lane = v_lane;
    delete from lane where id = v_lane;
    execute format('drop sequence %I', 'waiting_' || v_lane);
  end loop;
  if v_removed < p_limit then
    -- Nothing shows their names any more, and what they learned is of no use to anybody.
    delete from worker where name = p_bench and kinds = '{martlet-bench}' and ended_at is not null;
  end if;
  return v_removed;
end $$;

-- Empties the cursor of a lane and drops its other leases, whatever they hold.
create function bench_forget(p_lane int) returns void language plpgsql set search_path from current as $$
declare
  v_cursor bigint;
  v_leases bigint[];
begin
  select array_agg(id) into v_leases from lease where lane = p_lane and count > 0;
  if v_leases is null then return; end if;
  select id into v_cursor from lease where lane between p_lane and p_lane order by lane desc, id desc limit 1;
  update lane set forgotten = forgotten + (select sum(count) from lease where id = any(v_leases)) where id = p_lane;
  delete from run where lease = any(v_leases);
  delete from progress where lease = any(v_leases);
  update lease set count = 0, completed = 0, positions = null, endings = null, times = null, first = null,
    first_segment = null, last_segment = null where id = v_cursor and count > 0;
  delete from lease where id = any(v_leases) and id <> v_cursor;
end $$;
