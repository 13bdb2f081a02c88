-- What producers hand in, looked at before anything is written. The same bounds as in Limits.swift, and the same rules as in
-- JSONScanner; the client has looked already, and does not come this way. Each message begins with the argument's name.

create function check_job(p_kind text, p_queue text, p_priority int, p_max_attempts int, p_timeout interval) returns void
  language plpgsql immutable set search_path from current as $$
begin
  if p_kind is null or p_kind !~ '^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,127}$' then
    raise 'kind: letters, digits and _ - . : / only, a letter or digit first, at most 128 bytes' using errcode = '22023';
  elsif p_queue is null or p_queue !~ '^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,127}$' then
    raise 'queue: letters, digits and _ - . : / only, a letter or digit first, at most 128 bytes' using errcode = '22023';
  elsif p_priority is null or p_priority not between 0 and 9 then
    raise 'priority: out of range; 0 (most urgent) to 9' using errcode = '22023';
  elsif p_max_attempts not between 1 and 1000 then
    raise 'max_attempts: out of range; 1 to 1000' using errcode = '22023';
  elsif p_timeout not between interval '1 millisecond' and interval '36500 days' then
    raise 'timeout: out of range; 1 ms to 36500 days' using errcode = '22023',
      hint = 'Leave it out for what the kind says.';
  end if;
end $$;

-- Null is none.
create function check_run_at(p_run_at timestamptz) returns void language plpgsql immutable set search_path from current as $$
begin
  if p_run_at < '0001-01-01 00:00:00Z' or p_run_at >= '10000-01-01 00:00:00Z' then
    raise 'run_at: out of range; the years 1 to 9999' using errcode = '22023';
  end if;
end $$;

-- Null is none.
create function check_expires_at(p_expires_at timestamptz, p_run_at timestamptz) returns void language plpgsql immutable
  set search_path from current as $$
begin
  if p_expires_at < '0001-01-01 00:00:00Z' or p_expires_at >= '10000-01-01 00:00:00Z' then
    raise 'expires_at: out of range; the years 1 to 9999' using errcode = '22023';
  elsif p_expires_at <= p_run_at then
    raise 'expires_at: is over before the job is due' using errcode = '22023';
  end if;
end $$;

create function check_args(p_args text) returns void language plpgsql immutable set search_path from current as $$
declare
  v_reason text;
  v_all text;
  v_once text;    -- of a key that stands twice, only one, and numbers without exponents
begin
  if p_args is null then
    raise 'args: null; write {} for none' using errcode = '22023';
  elsif octet_length(p_args) > 1048576 then
    raise 'args: larger than 1048576 bytes' using errcode = '22023',
      hint = 'Keep larger data in a file or object store and its address here.';
  end if;
  begin
    v_once := p_args::jsonb::text;
  exception
    when untranslatable_character then
      raise 'args: contains a NUL character, which databases cannot keep' using errcode = '22023';
    when numeric_value_out_of_range then
      raise 'args: has a number too great for a 64-bit float' using errcode = '22023';
    when statement_too_complex then
      raise 'args: is nested deeper than 128 levels' using errcode = '22023';
    when invalid_text_representation then
      get stacked diagnostics v_reason = pg_exception_detail;
      raise 'args: not valid JSON: %', coalesce(nullif(v_reason, ''), sqlerrm) using errcode = '22023';
  end;
  -- Hardly any args need to be taken apart, and a producer waits for this. Of a key that stands twice, quotes are missing.
  v_all := json_strip_nulls(p_args::json)::text;
  if length(v_all) - length(replace(v_all, '"', '')) <> length(v_once) - length(replace(v_once, '"', ''))
    or strpos(p_args, 'null') > 0 or length(p_args) - length(translate(p_args, '[{', '')) > 128
  then
    perform check_nesting(p_args::json);
  end if;
  if length(v_once) > 308 and v_once ~ '\d{155}\d{154}' then perform check_numbers(p_args::json); end if;
end $$;

-- A level after the other: how deep, and keys that an object has twice.
create function check_nesting(p_args json) returns void language plpgsql immutable set search_path from current as $$
declare
  v_depth int;
  v_key text;
begin
  with recursive node as (
    select p_args as value, 1 as depth
    union all
    select c.value, node.depth + 1 from node cross join lateral (
      select value from json_each(case when json_typeof(node.value) = 'object' then node.value end)
      union all select value from json_array_elements(case when json_typeof(node.value) = 'array' then node.value end)) c
    where node.depth <= 128 and json_typeof(c.value) in ('object', 'array')
  )
  select max(depth), min(twice.key) into v_depth, v_key from node left join lateral (
    select key from json_object_keys(case when json_typeof(node.value) = 'object' then node.value end) key
    group by key having count(*) > 1) twice on true;
  if v_depth > 128 then
    raise 'args: is nested deeper than 128 levels' using errcode = '22023';
  elsif v_key is not null then
    raise 'args: has the key "%" twice in one object', v_key using errcode = '22023';
  end if;
end $$;

-- From half way between the greatest 64-bit float and the next power of two on, a reader gets infinity.
create function check_numbers(p_args json) returns void language plpgsql immutable set search_path from current as $$
begin
  perform 1 from jsonb_path_query(p_args::jsonb, 'strict $.**') value
    where jsonb_typeof(value) = 'number' and abs(value::numeric) >= 179769313486231580793728971405303e276;
  if found then
    raise 'args: has a number too great for a 64-bit float' using errcode = '22023';
  end if;
end $$;
