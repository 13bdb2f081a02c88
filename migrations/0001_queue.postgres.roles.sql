-- Nobody but the owner may do anything until create_roles() says so.
do $$
begin
  execute format('revoke all on all functions in schema %I from public', current_schema());
end $$;

-- Roles of this schema, without login, to be granted to the users of programs: a producer enqueues and nothing else, a
-- worker also claims and keeps the queue going, a reader looks, an admin also repairs. Run by the owner; again is no harm.
create function create_roles() returns setof text language plpgsql set search_path from current as $$
declare
  v_schema text := current_schema();
  r record;
  v_function regprocedure;
begin
  for r in
    select * from (values
      ('producer', array['enqueue', 'enqueue_many', 'enqueue_batch', 'make_lanes']),
      ('worker', array['enqueue', 'enqueue_many', 'enqueue_batch', 'make_lanes', 'claim', 'settle',
        'settle_and_enqueue', 'report_progress', 'register', 'heartbeat', 'last_report', 'deregister',
        'recover', 'promote', 'retain', 'lane_counts', 'clock', 'bench_surroundings', 'bench_remove']),
      ('reader', array['find', 'at_home', 'history', 'lease_of', 'leased', 'is_claimed', 'list_jobs', 'list_running', 'list_available', 'newest_waiting',
        'list_completed', 'lanes_for', 'waiting', 'head', 'count_waiting', 'lane_counts', 'clock', 'float4_at', 'run_time',
        'select_ids', 'is_home', 'is_ahead', 'audit']),
      ('admin', array['enqueue', 'enqueue_many', 'enqueue_batch', 'make_lanes', 'repair', 'pause_queue', 'rebase_preview',
        'make_room', 'rebase', 'recount'])) t(role, functions)
  loop
    if not exists (select 1 from pg_roles where rolname = v_schema || '_' || r.role) then
      execute format('create role %I nologin', v_schema || '_' || r.role);
    end if;
    execute format('grant usage on schema %I to %I', v_schema, v_schema || '_' || r.role);
    execute format('grant select on migration to %I', v_schema || '_' || r.role);
    for v_function in
      select oid::regprocedure from pg_proc where pronamespace = quote_ident(v_schema)::regnamespace and proname = any(r.functions)
    loop
      execute format('grant execute on function %s to %I', v_function, v_schema || '_' || r.role);
    end loop;
    return next v_schema || '_' || r.role;
  end loop;
  execute format('grant select on all tables in schema %I to %I', v_schema, v_schema || '_reader');
  execute format('alter default privileges in schema %I grant select on tables to %I', v_schema, v_schema || '_reader');
  -- Roles are the cluster's: those of a queue of this name in another database are these, and whoever made them may have said so.
  if not pg_has_role(v_schema || '_admin', v_schema || '_reader', 'member') then
    execute format('grant %I to %I', v_schema || '_reader', v_schema || '_admin');
  end if;
end $$;
revoke all on function create_roles() from public;
