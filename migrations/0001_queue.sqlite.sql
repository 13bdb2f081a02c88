-- The log-structured queue on SQLite. A job row is inserted once and never updated; a claim is one row of martlet_lease
-- that says "these jobs, this worker"; a settlement marks that one row.
--
-- Times are microseconds since 1970 in UTC. The prefix lets the tables live in an application's own database, where jobs
-- can be enqueued in the application's own transactions.

create table martlet_schema (
  version integer primary key,
  name text not null,
  applied_at integer not null
) strict;

-- Job ids and places in the log come from this one counter. A job's id is the first place it was given.
create table martlet_counter (
  one integer primary key check (one = 1),
  position integer not null
) strict;
insert into martlet_counter values (1, 0);

-- One queue, kind and priority. The numbers say how many of its jobs are in each state.
create table martlet_lane (
  id integer primary key,
  queue text not null,
  kind text not null,
  priority integer not null check (priority between 0 and 9),
  paused integer not null default 0,
  scheduled integer not null default 0,
  available integer not null default 0,
  running integer not null default 0,
  retryable integer not null default 0,
  completed integer not null default 0,
  failed integer not null default 0,
  cancelled integer not null default 0,
  since integer not null default 0,     -- since when its first available job waits
  unique (queue, kind, priority)
) strict;
create index martlet_lane_open on martlet_lane (priority, since) where available > 0 and paused = 0;

-- The log. What lies beyond its lane's newest lease is available; the rest has been claimed.
create table martlet_job (
  position integer primary key,
  id integer,                           -- null: the same as position, as in a job's first entry
  lane integer not null,
  enqueued_at integer not null,
  run_at integer,                       -- when it came due, for jobs that had to wait
  attempt integer not null default 0,   -- attempts charged so far
  crashes integer not null default 0,   -- workers that died holding it
  max_attempts integer,
  timeout_ms integer,
  expires_at integer,                   -- not started after this
  args text not null
) strict;
create index martlet_job_lane on martlet_job (lane);  -- each entry ends in the position, by which it is read
create index martlet_job_id on martlet_job (id) where id is not null;
create index martlet_job_expires on martlet_job (lane) where expires_at is not null;

-- A claim: the lane's entries first…upto, less those that were cancelled before. The newest of a lane is its cursor.
create table martlet_lease (
  id integer primary key autoincrement,
  lane integer not null,
  worker integer not null,
  first integer not null,
  upto integer not null,
  count integer not null,
  positions blob,                       -- null: all of first…upto; else the offset of each job from first
  open integer not null,                -- jobs not settled yet
  completed integer not null default 0,
  noted integer not null default 0,     -- whether a job of it has said how far it is
  endings blob,                         -- a byte a job; see LeaseMarks
  times blob,                           -- per job: seconds from claim to start, seconds it ran (two 32-bit floats)
  claimed_at integer not null,
  finished_at integer,
  revoked_at integer
) strict;
create index martlet_lease_cursor on martlet_lease (lane, upto);
create index martlet_lease_live on martlet_lease (lane, upto) where open > 0 or completed > 0;
create index martlet_lease_open on martlet_lease (worker) where open > 0;
create index martlet_lease_running on martlet_lease (lane, upto) where open > 0;
create index martlet_lease_ended on martlet_lease (finished_at) where finished_at is not null and upto >= first;

-- Entries that were cancelled while they waited: the claim leaves them out.
create table martlet_tombstone (
  lane integer not null,
  position integer not null,
  primary key (lane, position)
) strict, without rowid;

-- Running jobs that a person asked to stop.
create table martlet_cancel_request (
  lease integer not null,
  idx integer not null,
  primary key (lease, idx)
) strict, without rowid;

-- What running jobs said last of how far they are. Goes with the lease's end; of a job that has ended it means nothing.
create table martlet_progress (
  lease integer not null,
  idx integer not null,
  fraction real,
  note text,
  at integer not null,
  primary key (lease, idx)
) strict, without rowid;

create table martlet_delayed (
  id integer primary key,
  lane integer not null,
  state text not null check (state in ('scheduled', 'retryable')),
  run_at integer not null,
  enqueued_at integer not null,
  attempt integer not null default 0,
  crashes integer not null default 0,
  max_attempts integer,
  timeout_ms integer,
  expires_at integer,
  args text not null
) strict;
create index martlet_delayed_due on martlet_delayed (run_at);
create index martlet_delayed_state on martlet_delayed (state);
create index martlet_delayed_lane on martlet_delayed (lane, state);

create table martlet_failed (
  id integer primary key,
  lane integer not null,
  state text not null check (state in ('failed', 'cancelled')),
  reason text,
  failure integer,
  enqueued_at integer not null,
  run_at integer,
  started_at integer,
  finished_at integer not null,
  worker text,
  attempt integer not null,
  crashes integer not null,
  max_attempts integer,
  timeout_ms integer,
  expires_at integer,
  args text not null
) strict;
create index martlet_failed_state on martlet_failed (state);
create index martlet_failed_lane on martlet_failed (lane, state);
create index martlet_failed_failure on martlet_failed (failure) where failure is not null;
create index martlet_failed_finished on martlet_failed (finished_at);

-- Failed jobs of one kind with the same error, but for numbers and names in it.
create table martlet_failure (
  id integer primary key,
  kind text not null,
  fingerprint text not null,
  type text not null,
  message text not null,
  count integer not null,
  first_seen_at integer not null,
  last_seen_at integer not null,
  unique (kind, fingerprint)
) strict;
create index martlet_failure_seen on martlet_failure (last_seen_at);

create table martlet_attempt_error (
  number integer primary key,
  job integer not null,
  attempt integer not null,
  max_attempts integer not null,
  type text not null,
  message text not null,
  detail text,
  started_at integer,
  at integer not null,
  worker text
) strict;
create index martlet_attempt_error_job on martlet_attempt_error (job);

create table martlet_result (
  job integer primary key,
  value text not null
) strict;

-- What an attempt took of the machine, as far as that is known.
create table martlet_usage (
  job integer not null,
  lease integer not null,
  attempt integer not null,
  at integer not null,                  -- when it ended
  peak_memory integer,                  -- bytes
  processor_us integer,
  blocked_us integer,
  primary key (job, lease)
) strict, without rowid;

create table martlet_worker (
  id integer primary key autoincrement,
  name text not null,
  host text not null,
  pid integer not null,
  version text not null,
  kinds text not null,                  -- JSON array
  queues text,                          -- JSON array; null: all
  beacon integer not null,              -- the byte of the lock file that its process holds while it lives
  concurrency integer not null,
  lease_ms integer not null,
  started_at integer not null,
  heartbeat_at integer not null,
  boot_id text not null,                -- which boot of the machine expires_boot_ms belongs to
  expires_boot_ms integer not null,     -- milliseconds since that boot, so that setting the clock expires nobody
  report text,                          -- what it says of itself, JSON
  ended_at integer
) strict;
create index martlet_worker_live on martlet_worker (id) where ended_at is null;

-- For applications: an enqueue inside their own transaction.
--   insert into martlet_enqueue (kind, args) values ('resize', '{"file": "a.png"}');
-- queue, priority, run_at, expires_at (both microseconds since 1970), max_attempts and timeout_ms may be given too.
-- The new job's id is then: select position from martlet_counter.
create view martlet_enqueue (kind, args, queue, priority, run_at, max_attempts, timeout_ms, expires_at) as
  select null, null, null, null, null, null, null, null where false;

create trigger martlet_enqueue_insert instead of insert on martlet_enqueue begin
  select raise(abort, 'kind: letters, digits and _ - . : / only, a letter or digit first, at most 128 bytes')
    where new.kind is null or new.kind not glob '[A-Za-z0-9]*' or new.kind glob '*[^A-Za-z0-9_.:/-]*'
      or length(new.kind) > 128 or instr(cast(new.kind as blob), x'00') > 0;
  select raise(abort, 'queue: letters, digits and _ - . : / only, a letter or digit first, at most 128 bytes')
    where new.queue not glob '[A-Za-z0-9]*' or new.queue glob '*[^A-Za-z0-9_.:/-]*' or length(new.queue) > 128
      or instr(cast(new.queue as blob), x'00') > 0;
  select raise(abort, 'priority: out of range; 0 (most urgent) to 9') where new.priority not between 0 and 9;
  -- The same rules as in JSONScanner, but for halves of surrogate pairs and bytes that are no UTF-8, which SQL cannot see.
  select raise(abort, 'args: larger than 1048576 bytes') where length(cast(new.args as blob)) > 1048576;
  -- What stands for a backslash is taken out first.
  select raise(abort, 'args: contains a NUL character, which databases cannot keep')
    where instr(cast(new.args as blob), x'00') > 0 or instr(replace(new.args, '\\', ''), '\u0000') > 0;
  select raise(abort, 'args: not valid JSON') where not json_valid(coalesce(new.args, '{}'));
  select raise(abort, 'args: is nested deeper than 128 levels')
    where length(new.args) - length(replace(replace(new.args, '[', ''), '{', '')) > 128 and exists (
      with recursive
        tree as materialized (select id, parent, type from json_tree(new.args)),
        level (id, type, depth) as (
          select id, type, 1 from tree where parent is null
          union all select t.id, t.type, l.depth + 1 from level l join tree t on t.parent = l.id where l.depth <= 128)
      select 1 from level where depth = 129 and type in ('object', 'array'));
  select raise(abort, 'args: has a key twice in one object')
    where exists (
      select 1 from json_tree(new.args) where typeof(key) = 'text' group by parent, key having count(*) > 1);
  select raise(abort, 'args: has a number too great for a 64-bit float')
    where exists (
      select 1 from json_tree(new.args) where type in ('integer', 'real') and abs(atom) > 1.7976931348623157e308);
  select raise(abort, 'max_attempts: out of range; 1 to 1000') where new.max_attempts not between 1 and 1000;
  select raise(abort, 'timeout_ms: out of range; 1 to 3153600000000') where new.timeout_ms not between 1 and 3153600000000;
  select raise(abort, 'run_at: an integer, microseconds since 1970 in UTC, until the year 9999')
    where new.run_at is not null
      and (typeof(new.run_at) <> 'integer' or new.run_at not between 100000000000000 and 253402300799999999);
  select raise(abort, 'expires_at: an integer, microseconds since 1970 in UTC, until the year 9999')
    where new.expires_at is not null
      and (typeof(new.expires_at) <> 'integer' or new.expires_at not between 100000000000000 and 253402300799999999);
  select raise(abort, 'expires_at: is over before the job is due') where new.expires_at <= new.run_at;
  insert into martlet_lane (queue, kind, priority)
    values (coalesce(new.queue, 'default'), new.kind, coalesce(new.priority, 5))
    on conflict do nothing;
  update martlet_counter set position = position + 1;
  insert into martlet_delayed (id, lane, state, run_at, enqueued_at, max_attempts, timeout_ms, expires_at, args)
    select c.position, l.id, 'scheduled', new.run_at, cast((julianday('now') - 2440587.5) * 86400000000 as integer),
      new.max_attempts, new.timeout_ms, new.expires_at, coalesce(new.args, '{}')
    from martlet_counter c, martlet_lane l
    where l.queue = coalesce(new.queue, 'default') and l.kind = new.kind and l.priority = coalesce(new.priority, 5)
      and new.run_at > (julianday('now') - 2440587.5) * 86400000000;
  insert into martlet_job (position, lane, enqueued_at, max_attempts, timeout_ms, expires_at, args)
    select c.position, l.id, cast((julianday('now') - 2440587.5) * 86400000000 as integer),
      new.max_attempts, new.timeout_ms, new.expires_at, coalesce(new.args, '{}')
    from martlet_counter c, martlet_lane l
    where l.queue = coalesce(new.queue, 'default') and l.kind = new.kind and l.priority = coalesce(new.priority, 5)
      and not exists (select 1 from martlet_delayed d where d.id = c.position);
  update martlet_lane set
      since = case when available > 0 then since
        else cast((julianday('now') - 2440587.5) * 86400000000 as integer) end,
      available = available + (select count(*) from martlet_job j, martlet_counter c where j.position = c.position),
      scheduled = scheduled + (select count(*) from martlet_delayed d, martlet_counter c where d.id = c.position)
    where queue = coalesce(new.queue, 'default') and kind = new.kind and priority = coalesce(new.priority, 5);
end;
