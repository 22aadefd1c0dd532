-- Schema, identity of the caller, and the small functions that tables and policies share.
begin;
set local role lectern_owner;

create schema app;
revoke all on schema app from public;
grant usage on schema app to lectern_app, lectern_jobs, lectern_ro, lectern_definer;

-- Who is calling. The settings are local to the transaction; '' means unset, because that is what
-- a local setting leaves behind. Inlined by the planner; policies write (select app.user_id()).
create function app.user_id() returns uuid
language sql stable parallel safe
return nullif(current_setting('app.user_id', true), '')::uuid;

create function app.org_id() returns uuid
language sql stable parallel safe
return nullif(current_setting('app.org_id', true), '')::uuid;

create function app.role() returns text
language sql stable parallel safe
return nullif(current_setting('app.role', true), '');

-- House bounds of text: code points, NFC, no control characters.
create function app.is_line(t text, longest int) returns bool
language sql immutable parallel safe
return char_length(t) between 1 and longest and t !~ '[\u0001-\u001f]' and t is nfc normalized;

-- As is_line, but may be empty and may hold tabs and newlines.
create function app.is_text(t text, longest int) returns bool
language sql immutable parallel safe
return char_length(t) <= longest and t !~ '[\u0001-\u0008\u000b-\u001f]' and t is nfc normalized;

create function app.is_email(t text) returns bool
language sql immutable parallel safe
return char_length(t) <= 254 and t = lower(t)
       and t ~ '^[^@[:space:][:cntrl:]]{1,64}@[^@[:space:][:cntrl:]]{1,253}$';

create function app.is_document(j jsonb) returns bool
language sql immutable parallel safe
return jsonb_typeof(j) = 'object' and octet_length(j::text) <= 32768;

create function app.is_locale(t text) returns bool
language sql immutable parallel safe
return t ~ '^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$';

create function app.is_timezone(t text) returns bool
language sql immutable parallel safe
return t ~ '^[A-Za-z][A-Za-z0-9_+/-]{0,63}$';

create function app.is_staff_role(r text) returns bool
language sql immutable parallel safe
return r in ('teacher', 'admin', 'operator');

create function app.is_admin_role(r text) returns bool
language sql immutable parallel safe
return r in ('admin', 'operator');

-- True when nothing is expected or the versions are equal; otherwise LE412.
-- In a condition it is met only by rows that the policies let through.
create function app.if_match(version int8, expected int8) returns bool
language plpgsql stable parallel safe
as $$
begin
    if expected is null or expected = version then
        return true;
    end if;
    raise exception using errcode = 'LE412', message = 'the row has another version';
end
$$;

create function app.touch() returns trigger
language plpgsql
as $$
begin
    new.version := old.version + 1;
    new.updated_at := now();
    return new;
end
$$;

-- Identifiers for seeds; the service makes its own. Ordered by the time given.
create function app.uuid_v7(at timestamptz default clock_timestamp()) returns uuid
language sql volatile parallel safe
return encode(
    set_bit(set_bit(
        overlay(uuid_send(gen_random_uuid())
                placing substring(int8send((extract(epoch from at) * 1000)::int8) from 3)
                from 1 for 6),
        52, 1), 53, 1), 'hex')::uuid;

grant execute on function
    app.user_id(), app.org_id(), app.role(),
    app.is_line(text, int), app.is_text(text, int), app.is_email(text), app.is_document(jsonb),
    app.is_locale(text), app.is_timezone(text), app.is_staff_role(text), app.is_admin_role(text),
    app.if_match(int8, int8)
to lectern_app, lectern_jobs, lectern_ro, lectern_definer;

commit;
