-- What the functions share. All are plpgsql, or SQL, with the search path of the schema they were made in.
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
