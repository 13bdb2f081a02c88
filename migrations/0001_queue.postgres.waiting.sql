-- What lies ahead of a lane's cursor, for those who look and do not claim.

-- Whether an entry had been claimed when a lease was the lane's newest.
create function is_claimed(l lease, p_xid xid8, p_position bigint) returns boolean language sql immutable as $$
  select pg_visible_in_snapshot(p_xid, l.s1)
    or (pg_visible_in_snapshot(p_xid, l.s2) and (p_xid, p_position) <= (l.xid, l.position))
$$;

-- Entries that are available, nearly in the order they will be claimed; of some segments, or of all.
create function waiting(p_lane int, p_limit int, p_from int default 0, p_to int default 2147483647) returns setof job language plpgsql stable
  set search_path from current set enable_sort = off set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
  c lease;
  v_base xid8;
  v_late xid8[];
  v_left int := p_limit;
  v_rows int;
begin
  select * into c from lease l where l.lane between p_lane and p_lane order by l.lane desc, l.id desc limit 1;
  v_base := pg_snapshot_xmax(c.s1);
  -- Late committers, of this round and of the next.
  select array_agg(x order by x) into v_late from (
    select x from pg_snapshot_xip(c.s1) x where c.xid < v_base and x >= c.xid
    union select x from pg_snapshot_xip(c.s2) x where x < c.xid) xs;
  if v_late is not null then
    return query select j.* from unnest(v_late) x cross join lateral (
        select * from job j where j.lane = p_lane and j.xid >= x and j.xid <= x and j.segment between p_from and p_to
          and j.position > case when x = c.xid then c.position else 0 end order by j.lane, j.xid, j.position limit v_left) j
      where not exists (select 1 from tombstone t where t.lane = p_lane and t.position = j.position) limit v_left;
    get diagnostics v_rows = row_count;
    v_left := v_left - v_rows;
  end if;
  if c.xid < v_base then
    c.xid := v_base;
    c.position := 0;
  end if;
  if exists (select 1 from tombstone t where t.lane = p_lane) then
    return query select j.* from job j where j.lane = p_lane and (j.xid, j.position) > (c.xid, c.position)
        and j.segment between p_from and p_to
        and not exists (select 1 from tombstone t where t.lane = p_lane and t.position = j.position)
      order by j.lane, j.xid, j.position limit v_left;
  else
    return query select j.* from job j where j.lane = p_lane and (j.xid, j.position) > (c.xid, c.position)
        and j.segment between p_from and p_to
      order by j.lane, j.xid, j.position limit v_left;
  end if;
end $$;

-- Since when the first waiting job of a lane has been waiting; null when none is.
create function head(p_lane int) returns timestamptz language sql stable set search_path from current as $$
  select min(greatest(enqueued_at, run_at)) from waiting(p_lane, 1)
$$;
