-- A job's life, oldest first, from its entries in the log and the leases that held them: as far back as both are kept, and
-- of the newest p_limit entries. ending: as in lease.endings, 8 for a run whose lease was revoked; null: the entry waits, was
-- cancelled while it did (is_known), or what held it is forgotten.
create function history(p_id bigint, p_limit int)
  returns table (run_at timestamptz, is_known boolean, attempt int, ending int, started_at timestamptz, ended_at timestamptz,
    worker text)
  language plpgsql stable set search_path from current set enable_seqscan = off set jit = off as $$
#variable_conflict use_column
declare
  j record;
  l lease;
  v_lease bigint;
  v_index int;
begin
  for j in
    select * from (
      -- Not by position alone: see find().
      (select e.position, e.lane, e.xid, e.attempt, e.run_at from job e where e.id = p_id order by e.position + 0 desc limit p_limit)
      union all
      (select e.position, e.lane, e.xid, e.attempt, e.run_at from job e where e.position = p_id and e.id is null limit 1)) a
    order by position
  loop
    run_at := j.run_at;
    attempt := j.attempt + 1;
    ending := null;
    started_at := null;
    ended_at := null;
    worker := null;
    v_index := null;
    v_lease := lease_of(j.lane, j.xid, j.position);
    is_known := v_lease is null;
    if v_lease is not null then
      select * into l from lease le where le.id = v_lease;
      v_index := array_position(l.positions, j.position) - 1;
    end if;
    if v_index is not null then
      ending := coalesce(get_byte(l.endings, v_index), 0);
      if ending = 0 then
        started_at := l.claimed_at;
        ended_at := l.revoked_at;
        if l.revoked_at is not null then ending := 8; end if;
      else
        select l.claimed_at + t.waited, l.claimed_at + t.waited + t.ran into started_at, ended_at from run_time(l, v_index) t;
      end if;
      select w.name into worker from worker w where w.id = l.worker;
    end if;
    return next;
  end loop;
end $$;
