-- Claiming: a lease is one row that says "these jobs, this worker", and the newest lease of a lane is its cursor.
--
-- The cursor is a snapshot, because places in the log are handed out before commit, and "everything after the last one"
-- would skip what commits late. A lane is draining what became visible between the snapshots s1 and s2:
-- 1. late committers: transactions that were in progress at s1 and are visible in s2, one index probe each;
-- 2. what follows the position and is visible in s2, in the order (xid, position);
-- 3. nothing left: s1 becomes s2, s2 the present, and once more.
--
-- A claim holds its lane's lock from reading the cursor to its commit; that is all that claimers of one lane do one after
-- another, so little may happen there: two statements where nothing is out of the ordinary. A lease goes out as one row
-- with an array per column, which costs half of a row per job, and a column that says nothing goes out as null.

-- The present snapshot, its own transaction counted as in progress: a snapshot does not list the one that takes it, and
-- what that appends later would look as if it had been visible already.
create function snapshot() returns pg_snapshot language plpgsql volatile set search_path from current as $$
declare
  s pg_snapshot := pg_current_snapshot();
  own xid8 := pg_current_xact_id_if_assigned();
begin
  if own is null or own >= pg_snapshot_xmax(s) then return s; end if;
  return (pg_snapshot_xmin(s)::text || ':' || pg_snapshot_xmax(s)::text || ':' || (
    select string_agg(x::text, ',' order by x) from (select pg_snapshot_xip(s) as x union select own) xs))::pg_snapshot;
end $$;

-- A lease's number may be given out again when the server crashes before a claim has reached the disk (claims do not wait
-- for that); 20 random bits tell the two apart, so that a lost lease settles nothing.
create function new_lease() returns bigint language sql volatile as $$
  select nextval('lease_number') << 20 | (random() * 1048575)::bigint
$$;

-- Takes at most p_limit jobs of one lane for a worker, under one new lease; the lane's lock is held. The ordinary case is one
-- statement; probes tell whether there is anything for it, and a single job, which somebody may be waiting for, is taken
-- without it (it costs a third of a millisecond where the processor has forgotten it meanwhile); what is out of the ordinary
-- is left to take_carefully().
-- moved: the cursor has gone on, with or without a job. emptied: these were all that a snapshot taken just now shows.
create function take(
  p_lane int, p_worker bigint, p_limit int, p_bytes bigint,
  out lease bigint, out ids bigint[], out enqueued_at timestamptz[], out args text[], out attempts bigint[],
  out crashes bigint[], out max_attempts bigint[], out timeouts_ms bigint[], out expire_in bigint[],
  out taken int, out bytes bigint, out moved boolean, out emptied boolean
) language plpgsql as $$
#variable_conflict use_column
declare
  c record;
  e record;
  v_late boolean;
  v_careful boolean;
  v_special boolean;
  v_partly boolean;           -- args are still to be gathered
  v_long bigint := p_bytes / greatest(p_limit, 1);
  s pg_snapshot;
begin
  select l.xid, l.position, l.claimed, l.peak, l.s1, l.s2, exists (select 1 from tombstone t where t.lane = p_lane) as marked
    into c from lease l where l.lane between p_lane and p_lane order by l.lane desc, l.id desc limit 1;
  moved := false;
  for v_round in 1..2 loop
    v_late := c.xid < pg_snapshot_xmax(c.s1);
    v_careful := coalesce(c.marked or v_late and pg_snapshot_xmin(c.s1) < pg_snapshot_xmax(c.s1), false);
    if not v_careful then
      -- Where late committers would have been, the round goes on behind them.
      if v_late then
        c.xid := pg_snapshot_xmax(c.s1);
        c.position := 0;
      end if;
      -- The next one, and whether it is the only one.
      select j.*, exists (
          select 1 from job k where k.lane = p_lane and (k.xid, k.position) > (j.xid, j.position)
            and k.xid < pg_snapshot_xmax(c.s2) and pg_visible_in_snapshot(k.xid, c.s2)) as more
        into e from job j where j.lane = p_lane and (j.xid, j.position) > (c.xid, c.position)
          and j.xid < pg_snapshot_xmax(c.s2) and pg_visible_in_snapshot(j.xid, c.s2)
        order by j.lane, j.xid, j.position limit 1;
      if found then
        if not e.more then
          insert into lease (id, xid, position, claimed, first, peak, worker, claimed_at, lane, count, open, bytes,
              first_segment, last_segment, s1, s2, positions)
            values (new_lease(), e.xid, e.position, c.claimed + 1, e.position, greatest(c.peak, e.position), p_worker, clock(),
              p_lane, 1, 1, octet_length(e.args), e.segment, e.segment, c.s1, c.s2, array[e.position])
            returning id, 1, lease.bytes, array[coalesce(e.id, e.position)], array[e.enqueued_at], array[e.args],
              array[e.attempt + 1::bigint], array[e.crashes::bigint], array[e.max_attempts::bigint], array[e.timeout_ms],
              array[(extract(epoch from e.expires_at - clock()) * 1000000)::bigint], true, v_round = 2
            into lease, taken, bytes, ids, enqueued_at, args, attempts, crashes, max_attempts, timeouts_ms, expire_in,
              moved, emptied;
          return;
        end if;
      end if;
    end if;
    -- There is no lane 0: whoever asks for it wants this statement planned.
    if not v_careful and (found or p_lane = 0) then
      -- All in one pass: a list of the entries, to be gone through again, would cost more than the rest. Only args so long that
      -- together they could be too much wait until it is known whether they are.
      with whole as materialized (
        select count(*)::int as n, array_agg(xid) as xids, array_agg(position) as positions, min(position) as first,
          max(position) as last, min(segment) as first_segment, max(segment) as last_segment,
          array_agg(enqueued_at) as enqueued, sum(octet_length(args)) as bytes,
          array_agg(args) filter (where octet_length(args) <= v_long) as texts,
          bool_or(id is not null or max_attempts is not null or timeout_ms is not null or expires_at is not null)
            as special
        from (
          select j.xid, j.position, j.segment, j.id, j.enqueued_at, j.max_attempts, j.timeout_ms, j.expires_at, j.args
          from job j where j.lane = p_lane and (j.xid, j.position) > (c.xid, c.position)
            and j.xid < pg_snapshot_xmax(c.s2) and pg_visible_in_snapshot(j.xid, c.s2)
          order by j.lane, j.xid, j.position limit p_limit) entry
      ), made as (
        insert into lease (id, xid, position, claimed, first, peak, worker, claimed_at, lane, count, open, bytes,
          first_segment, last_segment, s1, s2, positions)
        select new_lease(), xids[n], positions[n], c.claimed + n, first, greatest(c.peak, last), p_worker, clock(), p_lane, n, n,
          whole.bytes, first_segment, last_segment, c.s1, c.s2, positions
        from whole where n > 0 and whole.bytes <= p_bytes
        returning id
      )
      select made.id, whole.n, whole.bytes, whole.positions, whole.enqueued, whole.texts, whole.special
        into lease, taken, bytes, ids, enqueued_at, args, v_special from whole left join made on true;
      moved := lease is not null;
      v_careful := taken > 0 and not moved;
      emptied := moved and taken < p_limit and v_round = 2;
      v_partly := cardinality(args) is distinct from taken;
      if moved and (v_special or v_partly) then
        -- What is the same for all but few jobs is put together only where there are such, by another look: entries do not
        -- change, and nobody else takes any of this lane.
        select array_agg(coalesce(j.id, j.position)), array_agg(j.attempt + 1::bigint), array_agg(j.crashes::bigint),
            array_agg(j.max_attempts::bigint), array_agg(j.timeout_ms),
            array_agg((extract(epoch from j.expires_at - clock()) * 1000000)::bigint),
            coalesce(array_agg(j.args) filter (where v_partly), take.args)
          into ids, attempts, crashes, max_attempts, timeouts_ms, expire_in, args
          from (
            select j.id, j.position, j.attempt, j.crashes, j.max_attempts, j.timeout_ms, j.expires_at, j.args
            from job j where j.lane = p_lane and (j.xid, j.position) > (c.xid, c.position)
              and j.xid < pg_snapshot_xmax(c.s2) and pg_visible_in_snapshot(j.xid, c.s2)
            order by j.lane, j.xid, j.position limit taken) j;
      end if;
    end if;
    if v_careful then
      select t.* into lease, ids, enqueued_at, args, attempts, crashes, max_attempts, timeouts_ms, expire_in, taken, bytes, moved
        from take_carefully(p_lane, p_worker, p_limit, p_bytes, c.xid, c.position, c.claimed, c.peak, c.s1, c.s2) t;
    end if;
    exit when moved or v_round = 2;
    s := case when pg_current_xact_id_if_assigned() is null then pg_current_snapshot() else snapshot() end;
    exit when s::text = c.s2::text;
    c.s1 := c.s2;
    c.s2 := s;
    c.xid := '0';
    c.position := 0;
  end loop;
end $$;

-- The same from any cursor: with late committers, with a bounded number of jobs that were cancelled while they waited, which
-- the cursor passes, and with as much of args as p_bytes allows. moved: the cursor has gone on, with or without a job.
create function take_carefully(
  p_lane int, p_worker bigint, p_limit int, p_bytes bigint, p_xid xid8, p_position bigint, p_claimed bigint, p_peak bigint,
  p_s1 pg_snapshot, p_s2 pg_snapshot,
  out lease bigint, out ids bigint[], out enqueued_at timestamptz[], out args text[], out attempts bigint[],
  out crashes bigint[], out max_attempts bigint[], out timeouts_ms bigint[], out expire_in bigint[],
  out taken int, out bytes bigint, out moved boolean
) language plpgsql as $$
#variable_conflict use_column
declare
  v_late xid8[];
  v_xid xid8 := p_xid;
  v_position bigint := p_position;
  v_marked boolean := exists (select 1 from tombstone t where t.lane = p_lane);
  -- Where some are cancelled, one has to look at more than are wanted.
  v_look int := case when v_marked then greatest(p_limit, 4096) else p_limit end;
begin
  if p_xid < pg_snapshot_xmax(p_s1) then
    select array_agg(x order by x) into v_late from pg_snapshot_xip(p_s1) x
      where x >= p_xid and pg_visible_in_snapshot(x, p_s2);
    v_xid := pg_snapshot_xmax(p_s1);
    v_position := 0;
  end if;
  with seen as materialized (
    select *, v_marked and exists (select 1 from tombstone t where t.lane = p_lane and t.position = e.position) as dead
    from (
      select j.* from unnest(v_late) x cross join lateral (
        -- Not xid = x, which would leave position as the order and let the index on it be taken, all of it.
        select j.* from job j where j.lane = p_lane and j.xid >= x and j.xid <= x
          and j.position > case when x = p_xid then p_position else 0 end
        order by j.lane, j.xid, j.position limit v_look) j
      union all
      (select j.* from job j where j.lane = p_lane and (j.xid, j.position) > (v_xid, v_position)
        and j.xid < pg_snapshot_xmax(p_s2) and pg_visible_in_snapshot(j.xid, p_s2)
      order by j.lane, j.xid, j.position limit v_look)
      limit v_look) e
  ), counted as (
    select *, sum(case when dead then 0 else octet_length(args) end) over before as bytes,
      count(*) filter (where not dead) over before as live
    from seen window before as (rows between unbounded preceding and 1 preceding)
  ), entry as materialized (
    select * from counted where coalesce(bytes, 0) < p_bytes and live < p_limit
  ), made as (
    insert into lease (id, xid, position, claimed, first, peak, worker, claimed_at, finished_at, lane, count, open, bytes,
      first_segment, last_segment, s1, s2, positions)
    select new_lease(), (array_agg(xid))[count(*)], (array_agg(position))[count(*)],
      p_claimed + count(*) filter (where not dead), min(position), greatest(p_peak, max(position)), p_worker, clock(),
      case when bool_and(dead) then clock() end, p_lane, count(*) filter (where not dead), count(*) filter (where not dead),
      coalesce(sum(octet_length(args)) filter (where not dead), 0), min(segment), max(segment), p_s1, p_s2,
      array_agg(position) filter (where not dead)
    from entry having count(*) > 0
    returning id, count, bytes
  ), passed as (
    -- They have served when the cursor has passed them.
    delete from tombstone t where v_marked and t.lane = p_lane and t.position in (select position from entry where dead)
  )
  select made.id, made.count, made.bytes, e.ids, e.enqueued, e.args, e.attempts, e.crashes, e.max_attempts, e.timeouts, e.expire_in
  into lease, taken, bytes, ids, enqueued_at, args, attempts, crashes, max_attempts, timeouts_ms, expire_in
  from made cross join lateral (
    select array_agg(coalesce(l.id, l.position)) as ids, array_agg(l.enqueued_at) as enqueued, array_agg(l.args) as args,
      array_agg(l.attempt + 1::bigint) as attempts, array_agg(l.crashes::bigint) as crashes, array_agg(l.max_attempts::bigint) as max_attempts,
      array_agg(l.timeout_ms) as timeouts,
      array_agg((extract(epoch from l.expires_at - clock()) * 1000000)::bigint) as expire_in
    from entry l where not l.dead and made.id is not null) e;
  moved := found;
end $$;

-- Takes at most p_limit jobs of several lanes, in this order, as one statement; their locks are held, and p_now is a snapshot
-- taken since, so it is later than any lease's. A lane's late committers and the rest of its round come first, then those of the next round, so each lane is
-- emptied or the limit reached. Takes nothing where some lane has jobs that were cancelled while they waited, or all would
-- bring more args than p_bytes: then lane by lane, by take().
create function take_lanes(p_lanes int[], p_worker bigint, p_limit int, p_bytes bigint, p_now pg_snapshot) returns table (
  n bigint, lease bigint, ids bigint[], enqueued_at timestamptz[], args text[], attempts bigint[], crashes bigint[],
  max_attempts bigint[], timeouts_ms bigint[], expire_in bigint[], taken int, bytes bigint
) language plpgsql as $$
#variable_conflict use_column
begin
  return query
  with cursor as materialized (
    select u.n, u.lane, l.xid, l.position, l.claimed, l.peak, l.s1, l.s2, pg_snapshot_xmax(l.s1) as base,
      pg_snapshot_xmax(l.s2) as top
    from unnest(p_lanes) with ordinality u(lane, n) cross join lateral (
      select * from lease l where l.lane between u.lane and u.lane order by l.lane desc, l.id desc limit 1) l
    where not exists (select 1 from tombstone t where t.lane = any(p_lanes))
  ), entry as materialized (
    -- A nested loop, so in the order of lanes, and no further than the limit.
    select c.n, e.* from cursor c cross join lateral (
      select * from (
        (select 1 as round, j.* from pg_snapshot_xip(case when c.xid < c.base then c.s1 end) x cross join lateral (
            select j.* from job j where j.lane = c.lane and j.xid >= x and j.xid <= x
              and j.position > case when x = c.xid then c.position else 0 end
            order by j.lane, j.xid, j.position limit p_limit) j
          where x >= c.xid and pg_visible_in_snapshot(x, c.s2))
        union all
        (select 1, j.* from job j where j.lane = c.lane and (j.xid, j.position) > (
            case when c.xid < c.base then c.base else c.xid end, case when c.xid < c.base then 0 else c.position end)
            and j.xid < c.top and pg_visible_in_snapshot(j.xid, c.s2)
          order by j.lane, j.xid, j.position limit p_limit)
        union all
        (select 2, j.* from pg_snapshot_xip(c.s2) x cross join lateral (
            select j.* from job j where j.lane = c.lane and j.xid >= x and j.xid <= x
            order by j.lane, j.xid, j.position limit p_limit) j
          where pg_visible_in_snapshot(x, p_now))
        union all
        (select 2, j.* from job j where j.lane = c.lane and (j.xid, j.position) > (c.top, 0)
            and j.xid < pg_snapshot_xmax(p_now) and pg_visible_in_snapshot(j.xid, p_now)
          order by j.lane, j.xid, j.position limit p_limit)) e
      limit p_limit) e
    limit p_limit
  ), whole as materialized (
    select n, count(*)::int as taken, (array_agg(round))[count(*)] as round, (array_agg(xid))[count(*)] as xid,
      array_agg(position) as positions, min(position) as first, max(position) as last, min(segment) as first_segment,
      max(segment) as last_segment, array_agg(enqueued_at) as enqueued, sum(octet_length(args)) as bytes,
      bool_or(id is not null or max_attempts is not null or timeout_ms is not null or expires_at is not null) as special
    from entry group by n
  ), made as (
    insert into lease (id, xid, position, claimed, first, peak, worker, claimed_at, lane, count, open, bytes,
      first_segment, last_segment, s1, s2, positions)
    select new_lease(), w.xid, w.positions[w.taken], c.claimed + w.taken, w.first, greatest(c.peak, w.last), p_worker, clock(),
      c.lane, w.taken, w.taken, w.bytes, w.first_segment, w.last_segment, case w.round when 1 then c.s1 else c.s2 end,
      case w.round when 1 then c.s2 else p_now end, w.positions
    from whole w join cursor c on c.n = w.n where (select sum(bytes) from whole) <= p_bytes
    returning id, lane
  ), text as (
    select n, array_agg(args) as args from entry where (select sum(bytes) from whole) <= p_bytes group by n
  ), other as (
    select n, array_agg(coalesce(id, position)) as ids, array_agg(attempt + 1::bigint) as attempts,
      array_agg(crashes::bigint) as crashes, array_agg(max_attempts::bigint) as max_attempts,
      array_agg(timeout_ms) as timeouts_ms,
      array_agg((extract(epoch from expires_at - clock()) * 1000000)::bigint) as expire_in
    from entry where (select bool_or(special) from whole) group by n
  )
  select c.n, made.id, coalesce(o.ids, w.positions), w.enqueued, text.args, o.attempts, o.crashes, o.max_attempts,
    o.timeouts_ms, o.expire_in, w.taken, w.bytes
  from made join cursor c on c.lane = made.lane join whole w on w.n = c.n join text on text.n = c.n
  left join other o on o.n = c.n and w.special
  order by c.n;
end $$;

-- Jobs of the kinds asked for, the most urgent priority first, then the lane whose head waits longest; one call brings a
-- bounded amount of args. A row is a lease, and its arrays go together: the n-th id, the n-th args. Those that would say
-- nothing may be null: attempts when all are first ones, crashes when there were none, max_attempts, timeouts_ms and expire_in
-- when no job has its own. expire_in: microseconds from now until the job may not be started any more, negative when it is over.
--
-- One row without a lease: nothing now, but look again, and its kind says when. 'now': others were quicker where this call
-- had waited, or a long run of cancelled jobs is not behind us yet. 'soon': a transaction in progress may append something
-- without knowing that somebody sleeps.
-- With p_sleep, a worker that gets nothing has flagged the lanes before it looked a last time: the next enqueue notifies.
-- Call it in a transaction of its own; that does not wait for the disk.
create function claim(
  p_worker bigint, p_kinds text[], p_limits int[], p_queues text[], p_limit int, p_sleep boolean default false
) returns table (
  lease bigint, kind text, queue text, priority int, ids bigint[], enqueued_at timestamptz[], args text[], attempts bigint[],
  crashes bigint[], max_attempts bigint[], timeouts_ms bigint[], expire_in bigint[]
) language plpgsql security definer
  set search_path from current
  -- The plan is pinned: with missing or stale statistics the planner would sort everything that waits. What is grouped is
  -- hashed, as sorting by lane alone would not keep the order within a lane.
  set enable_hashagg = on set enable_sort = off set enable_seqscan = off set enable_bitmapscan = off set jit = off
  set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
  v_total int := p_limit;
  v_limits int[] := p_limits;
  v_bytes bigint := 16777216;
  v_void text;                -- what locking returns; an assignment costs less than perform
  v_held boolean := false;    -- some lane's lock: then others are only tried
  v_wait boolean := false;
  v_again boolean;
  v_flagged boolean := false;
  v_seen pg_snapshot;         -- taken after the lanes were flagged, and before the last look
  v_n int;
  v_skips int;                -- leases in a row that only passed cancelled jobs
  v_lanes lane[] := '{}';     -- locked, and to be taken from at once
  v_most int;                 -- how many of them: more each time. What is locked and not needed others pass over meanwhile
  v_want int;                 -- which kind the first of them is of
  v_taken int;
  v_size bigint;
  v_moved boolean;
  v_emptied boolean;
  l record;
  t record;
  la lane;                    -- the one that is taken from
begin
  if current_setting('transaction_isolation') <> 'read committed' then perform check_isolation(); end if;
  if pg_current_xact_id_if_assigned() is null then v_void := set_config('synchronous_commit', 'off', true); end if;
  -- The first claim of a session plans for some ten milliseconds. Not under a lane's lock: there is no lane 0. Behind a pooler
  -- the setting says of the server's session what it is to say: its plans are kept there, and discarded with it.
  if current_setting('martlet.has_planned', true) is distinct from 'yes' then
    perform from take(0, p_worker, 0, 0);
    v_void := set_config('martlet.has_planned', 'yes', false);
  end if;
  -- Claims of thousands use some megabytes, which glibc gives back to the system after each, to be asked for, mapped and zeroed
  -- anew: a third of their time. Once a piece of two megabytes has been freed, it keeps up to four. (The
  -- number is a variable so that nobody works it out when the statement is planned.)
  if p_limit >= 1000 and current_setting('martlet.has_room', true) is distinct from 'yes' then
    v_n := 256;
    v_n := octet_length(repeat(repeat(' ', 8192), v_n));
    v_void := set_config('martlet.has_room', 'yes', false);
  end if;
  v_void := pg_advisory_xact_lock_shared(worker_locks(), p_worker::int)::text;
  loop
    v_again := false;
    v_most := 1;
    for l in
      select * from (
        select la.lane, la.want, la.lanes, (la.lane).priority as priority, case when la.lanes = 1 then now() else (
          select coalesce(
            -- As waiting() has it: late committers of this round and of the next.
            case when c.late then (
              select j.since from (
                select x from pg_snapshot_xip(c.s1) x where c.xid < c.base and x >= c.xid
                union all select x from pg_snapshot_xip(c.s2) x where x < c.xid) xs
              cross join lateral (
                select greatest(j.enqueued_at, j.run_at) as since from job j
                where j.lane = (la.lane).id and j.xid >= x and j.xid <= x
                  and j.position > case when x = c.xid then c.position else 0 end
                order by j.lane, j.xid, j.position limit 1) j limit 1) end,
            (select greatest(j.enqueued_at, j.run_at) from job j
              where j.lane = (la.lane).id and (j.xid, j.position) > (
                case when c.xid < c.base then c.base else c.xid end, case when c.xid < c.base then 0 else c.position end)
              order by j.lane, j.xid, j.position limit 1))
          from (
            select l.xid, l.position, l.s1, l.s2, pg_snapshot_xmax(l.s1) as base,
              pg_snapshot_xmin(l.s1) < pg_snapshot_xmax(l.s1) or pg_snapshot_xmin(l.s2) < pg_snapshot_xmax(l.s2) as late
            from lease l where l.lane between (la.lane).id and (la.lane).id order by l.lane desc, l.id desc limit 1) c) end as since
        from (
          select la as lane, array_position(p_kinds, la.kind) as want, count(*) over () as lanes from lane la
          where la.kind = any(p_kinds) and not la.paused and (p_queues is null or la.queue = any(p_queues))
            and (select w.ended_at is null from worker w where w.id = p_worker)) la
        offset 0) la
      where since is not null
      -- And an end, where what has been gathered is taken.
      union all select null, null, null, null, null order by priority, since
    loop
      -- Several lanes of a priority are taken from at once while no kind's limit cuts in among them.
      if cardinality(v_lanes) > 0 and (l.want is null or cardinality(v_lanes) = v_most or l.priority <> (v_lanes[1]).priority
        or l.want <> v_want and least(v_limits[l.want], v_limits[v_want]) < v_total)
      then
        v_n := least(v_total, v_limits[v_want], 4096);
        v_taken := 0;
        if cardinality(v_lanes) > 1 then
          for t in select * from take_lanes(array(select id from unnest(v_lanes)), p_worker, v_n, v_bytes, snapshot()) loop
            la := v_lanes[t.n];
            kind := la.kind; queue := la.queue; priority := la.priority;
            lease := t.lease; ids := t.ids; enqueued_at := t.enqueued_at; args := t.args; attempts := t.attempts;
            crashes := t.crashes; max_attempts := t.max_attempts; timeouts_ms := t.timeouts_ms; expire_in := t.expire_in;
            return next;
            if pg_sequence_last_value(la.flag) <> 1 then v_void := setval(la.flag, 1)::text; end if;
            v_taken := v_taken + t.taken;
            v_bytes := v_bytes - t.bytes;
            v_limits[array_position(p_kinds, kind)] := v_limits[array_position(p_kinds, kind)] - t.taken;
          end loop;
          v_total := v_total - v_taken;
        end if;
        -- One lane; or nothing came: something was cancelled, the args are too long, or others were quicker; or as much came as a
        -- statement takes, and more may be wanted. Where less came, that was all there was.
        if v_taken = 0 or v_taken = v_n then
          foreach la in array v_lanes loop
            v_n := least(v_total, v_limits[array_position(p_kinds, la.kind)], 4096);
            v_skips := 0;
            kind := la.kind; queue := la.queue; priority := la.priority;
            while v_n > 0 and v_bytes > 0 loop
              select t.lease, t.ids, t.enqueued_at, t.args, t.attempts, t.crashes, t.max_attempts, t.timeouts_ms, t.expire_in,
                  t.taken, t.bytes, t.moved, t.emptied
                into lease, ids, enqueued_at, args, attempts, crashes, max_attempts, timeouts_ms, expire_in, v_taken, v_size,
                  v_moved, v_emptied
                from take(la.id, p_worker, v_n, v_bytes) t;
              exit when not v_moved;
              if v_taken = 0 then
                v_skips := v_skips + 1;
                v_again := v_again or v_skips = 10;
                exit when v_skips = 10;
                continue;
              end if;
              return next;
              if pg_sequence_last_value(la.flag) <> 1 then v_void := setval(la.flag, 1)::text; end if;
              v_bytes := v_bytes - v_size;
              v_total := v_total - v_taken;
              v_limits[array_position(p_kinds, kind)] := v_limits[array_position(p_kinds, kind)] - v_taken;
              v_n := least(v_total, v_limits[array_position(p_kinds, kind)], 4096);
              exit when v_emptied;
            end loop;
          end loop;
        end if;
        v_lanes := '{}';
        v_most := least(v_most * 4, 64);
      end if;
      continue when l.want is null or v_limits[l.want] <= 0 or v_total <= 0 or v_bytes <= 0;
      if not v_held and l.lanes > 1 and current_setting('martlet.has_planned_lanes', true) is distinct from 'yes' then
        perform from take_lanes('{}', p_worker, 0, 0, snapshot());
        v_void := set_config('martlet.has_planned_lanes', 'yes', false);
      end if;
      if not v_held and (v_wait or l.lanes = 1) then
        v_void := pg_advisory_xact_lock(lane_locks(), (l.lane).id)::text;
      elsif not pg_try_advisory_xact_lock(lane_locks(), (l.lane).id) then
        v_again := true;
        continue;
      end if;
      v_held := true;
      if cardinality(v_lanes) = 0 then v_want := l.want; end if;
      v_lanes := v_lanes || l.lane;
    end loop;
    if v_total < p_limit then return; end if;
    -- Nothing, but some lane was busy: wait for the first of those. Not with another's lock in hand, where two could wait for
    -- each other.
    if v_again and not v_held then
      v_wait := true;
      continue;
    end if;
    exit when v_again or v_flagged or not p_sleep;
    v_flagged := true;
    perform setval(la.flag, 2) from lane la
      where la.kind = any(p_kinds) and not la.paused and (p_queues is null or la.queue = any(p_queues))
        and pg_sequence_last_value(la.flag) <> 2;
    -- Who read a flag before has his transaction id: he is listed here, or the last look sees what he appended.
    v_seen := pg_current_snapshot();
  end loop;
  if not v_again and not (v_flagged and exists (
    select 1 from pg_snapshot_xip(v_seen) x where x is distinct from pg_current_xact_id_if_assigned()))
  then
    return;
  end if;
  lease := null; ids := null; enqueued_at := null; args := null; attempts := null; crashes := null; max_attempts := null;
  timeouts_ms := null; expire_in := null; queue := null; priority := null;
  kind := case when v_again then 'now' else 'soon' end;
  return next;
end $$;
