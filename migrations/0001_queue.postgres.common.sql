-- What the functions share. All are plpgsql, or SQL, with the search path of the schema they were made in.
--
-- Locks, in the order they are taken: worker (advisory), lanes (advisory), lease rows by id, failure rows by kind and
-- fingerprint, the tables of delayed and failed jobs, their tally. Whoever holds a lane and wants another only tries.

-- Keys of this schema's advisory locks: a class for lanes and one for workers.
create function lane_locks() returns int language sql immutable
  set search_path from current as $$ select hashtext('martlet lanes of ' || current_schema()) $$;
create function worker_locks() returns int language sql immutable
  set search_path from current as $$ select hashtext('martlet workers of ' || current_schema()) $$;

-- As sequences hold times.
create function micros(p_time timestamptz) returns bigint language sql immutable as $$
  select (extract(epoch from p_time) * 1000000)::bigint
$$;

-- Losing the caller's commit in a crash would repeat work but lose none, so it need not wait for the disk. Does nothing in
-- a transaction that has written something before: that may be an enqueue.
create function relax() returns void language plpgsql set search_path from current as $$
begin
  if pg_current_xact_id_if_assigned() is null then perform set_config('synchronous_commit', 'off', true); end if;
end $$;

-- Dead rows may not be cleaned up while somebody holds a snapshot. So promotion and retention look from where they last were,
-- and do not step over their own again and again; and only now and then everywhere, for what came in behind them. Notes that the
-- latter has been done since p_begin: the longer it took, the longer until the next one, but at most p_most longer, as a clock
-- that is set meanwhile makes any look long.
create function looked_everywhere(p_noted regclass, p_begin timestamptz, p_most interval default '10 minutes')
  returns void language plpgsql set search_path from current as $$
declare
  v_now timestamptz := clock();
begin
  perform setval(p_noted, micros(v_now + least(20 * (v_now - p_begin), p_most)));
end $$;

-- Whether it is time to do so again. What is noted further ahead than that can be was noted by a clock that has gone back.
create function must_look_everywhere(p_noted regclass, p_now timestamptz, p_pause interval) returns boolean language sql volatile
  set search_path from current as $$
  select coalesce(
    pg_sequence_last_value(p_noted) not between micros(p_now - p_pause) and micros(p_now + interval '10 minutes'), true)
$$;

-- A float as run.times has it: IEEE 754, 32 bits, little-endian.
create function float4_at(p_bytes bytea, p_offset int) returns double precision language sql immutable as $$
  select case when e = 0 then 0 else power(2::float8, e - 150) * (m + 8388608) * case when sign > 127 then -1 else 1 end end
  from (
    select get_byte(p_bytes, p_offset + 3) as sign,
      (get_byte(p_bytes, p_offset + 3) & 127) * 2 + (get_byte(p_bytes, p_offset + 2) >> 7) as e,
      (get_byte(p_bytes, p_offset + 2) & 127) * 65536 + get_byte(p_bytes, p_offset + 1) * 256 + get_byte(p_bytes, p_offset) as m
  ) parts
$$;

-- How long a settled job waited in its lease, and how long it ran; null when it is not settled. A piece holds those that were
-- settled with its first one.
create function run_time(l lease, p_index int, out waited interval, out ran interval) language plpgsql stable
  set search_path from current set enable_seqscan = off set jit = off as $$
declare
  v_times bytea := substring(l.times from p_index * 8 + 1 for 8);
begin
  if v_times is null then
    select substring(r.times from (p_index - r.first) * 8 + 1 for 8) into v_times
      from run r where r.lease = l.id and r.first <= p_index order by r.lease desc, r.first desc limit 1;
  end if;
  if length(v_times) < 8 then return; end if;
  waited := float4_at(v_times, 0) * interval '1 second';
  ran := float4_at(v_times, 4) * interval '1 second';
end $$;

-- Each statement of what waits for a lock must see what was committed meanwhile. With one snapshot for a whole transaction two
-- workers would read the same cursor, one after the other, and both be given its jobs.
create function check_isolation() returns void language plpgsql stable set search_path from current as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise 'transactions are %, and this needs read committed', current_setting('transaction_isolation')
      using errcode = 'MT003',
        hint = 'Look for default_transaction_isolation in the URL, in the settings of the role and in those of the database.';
  end if;
end $$;
