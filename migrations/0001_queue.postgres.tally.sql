-- How many jobs are delayed, and how many have failed: of each lane, without counting them.
--
-- A statement that adds or removes such rows also adds one that says how many. Nobody updates a counter: those who change one
-- at once would wait for each other's commits, and every change would leave a dead row. Workers add up what has gathered.

create table tally (
  lane int not null,
  scheduled bigint not null,
  retryable bigint not null,
  failed bigint not null,
  cancelled bigint not null
);
-- Or a publication of all tables would refuse what removes from it.
alter table tally replica identity full;

create function count_change() returns trigger language plpgsql set search_path from current as $$
declare
  v_sign int := case TG_OP when 'INSERT' then 1 else -1 end;
begin
  insert into tally
    select lane, v_sign * count(*) filter (where state = 'scheduled'), v_sign * count(*) filter (where state = 'retryable'),
      v_sign * count(*) filter (where state = 'failed'), v_sign * count(*) filter (where state = 'cancelled')
    from changed group by lane;
  return null;
end $$;
-- Once a statement, whatever its rows. Nothing changes the state of a row.
create trigger count_added after insert on delayed referencing new table as changed
  for each statement execute function count_change();
create trigger count_removed after delete on delayed referencing old table as changed
  for each statement execute function count_change();
create trigger count_added after insert on failed referencing new table as changed
  for each statement execute function count_change();
create trigger count_removed after delete on failed referencing old table as changed
  for each statement execute function count_change();

create sequence added_up;             -- when that was last done, in microseconds since 1970; see looked_everywhere()

-- Makes one row of many, lane by lane, every ten seconds. What somebody else is just adding up is left to him.
create function add_up() returns void language plpgsql set search_path from current set jit = off as $$
declare
  v_now timestamptz := clock();
  v_lanes int[];
begin
  if not must_look_everywhere('added_up', v_now, '10 seconds') then return; end if;
  v_lanes := array(select lane from tally group by lane having count(*) > 16);
  perform looked_everywhere('added_up', v_now);
  if cardinality(v_lanes) = 0 then return; end if;
  with gone as (
    delete from tally where ctid = any(array(select ctid from tally where lane = any(v_lanes) for update skip locked))
    returning *
  )
  insert into tally select lane, sum(scheduled), sum(retryable), sum(failed), sum(cancelled) from gone group by lane;
end $$;

-- Counts anew, where somebody has changed the tables behind all this. Who adds or removes meanwhile waits.
create function recount() returns void language plpgsql security definer set search_path from current set jit = off as $$
begin
  lock table delayed, failed, tally in share row exclusive mode;
  delete from tally;
  insert into tally
    select lane, count(*) filter (where state = 'scheduled'), count(*) filter (where state = 'retryable'),
      count(*) filter (where state = 'failed'), count(*) filter (where state = 'cancelled')
    from (select lane, state from delayed union all select lane, state from failed) j group by lane;
end $$;
