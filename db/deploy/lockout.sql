-- Failed sign-ins are counted by account and source; too many lock the account for that source.
-- An attempt is counted before its password is looked at, so that attempts at once cannot pass the
-- threshold together; the right password takes its source's count back.
begin;
set local role lectern_owner;

-- No tenant's data: at an address that has no account the same rows are written. The address is
-- kept as its digest, and both go when the count ends.
create table app.signin_failures (
    account   bytea not null,
    source    text not null,
    attempts  int4 not null,
    ends_at   timestamptz not null,
    locked_at timestamptz,
    constraint signin_failures_pkey primary key (account, source),
    constraint signin_failures_account check (octet_length(account) = 32),
    constraint signin_failures_source
        check (source ~ '^(elsewhere|network [0-9a-f.:]+/[0-9]+|device [0-9a-f-]{36})$'),
    constraint signin_failures_attempts check (attempts > 0)
) with (fillfactor = 50);
create index signin_failures_by_end on app.signin_failures (ends_at);

alter table app.signin_failures enable row level security, force row level security;
grant select, insert, update, delete on app.signin_failures to lectern_definer;
create policy all_definer on app.signin_failures to lectern_definer using (true) with check (true);

create function app.signin_account(email text) returns bytea
language sql immutable parallel safe
return sha256(convert_to(email, 'UTF8'));

-- Where an attempt comes from, as far as the account knows: a device that has signed in to it, else
-- a network (an IPv4 address, an IPv6 /64) that has, else elsewhere, which is one for all strangers.
create function app.signin_source(email text, address inet, device_user uuid, device uuid)
returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    u     app.users;
    block cidr := network(set_masklen(address, case when family(address) = 4 then 32
                                                    when address << inet '::ffff:0:0/96' then 128
                                                    else 64 end));
begin
    select * into u from app.users k where k.email = email;
    if device_user = u.id and device is not null then
        return 'device ' || device;
    end if;
    if exists (select from app.sessions s
               where s.org_id = u.org_id and s.user_id = u.id and s.address <<= block) then
        return 'network ' || block::text;
    end if;
    return 'elsewhere';
end
$$;

-- Counts an attempt to sign in. admitted: the password may be looked at. last: this was the one
-- before the lock, which stands already. A count ends window_minutes after its first attempt, a lock
-- after lock_minutes. What is lost of this with the server is not waited for.
create function app.signin_begin(email text, address inet, device_user uuid, device uuid,
                                 threshold int, window_minutes int, lock_minutes int)
returns table (admitted bool, last bool, source text)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    account bytea := app.signin_account(email);
    here    text := app.signin_source(email, address, device_user, device);
    n       int;
begin
    perform set_config('synchronous_commit', 'off', true);
    if exists (select from app.signin_failures f
               where f.account = account and f.source = here and f.locked_at is not null
                     and f.ends_at > now()) then
        return query select false, false, here;
        return;
    end if;
    insert into app.signin_failures as f (account, source, attempts, ends_at)
    values (account, here, 1, now() + make_interval(mins => window_minutes))
    on conflict on constraint signin_failures_pkey do update
    set attempts = case when f.ends_at > now() then f.attempts + 1 else 1 end,
        ends_at = case when f.ends_at > now() then f.ends_at else excluded.ends_at end,
        locked_at = null
    where f.locked_at is null or f.ends_at <= now()
    returning f.attempts into n;
    if n >= threshold then
        update app.signin_failures f
        set locked_at = now(), ends_at = now() + make_interval(mins => lock_minutes)
        where f.account = account and f.source = here;
    end if;
    return query select n is not null, coalesce(n >= threshold, false), here;
end
$$;

-- The right password was given: what was counted against its source is forgotten.
create function app.signin_passed(email text, source text) returns bool
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
begin
    delete from app.signin_failures f
    where f.account = app.signin_account(email) and f.source = source;
    return found;
end
$$;

-- The last admitted attempt failed: audits the lock, of the source only what kind it is, and says whom
-- to tell. Where there is no such account, or the lock is gone again, user_id is null.
create function app.signin_locked(email text, source text, audit_id uuid)
returns table (org_id uuid, user_id uuid, name text, locale text)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    u app.users;
begin
    select k.* into u
    from app.users k
    join app.signin_failures f on f.account = app.signin_account(k.email) and f.source = source
    where k.email = email and k.status = 'active' and f.locked_at is not null;
    if u.id is null then
        return query select o.id, null::uuid, null::text, 'en' from app.orgs o order by o.id limit 1;
        return;
    end if;
    perform set_config('app.audit_after', jsonb_build_object('source', split_part(source, ' ', 1))::text,
                       true);
    perform app.audit_append(audit_id, 'account.lock', 'user', u.id, 8192, '{}', u.org_id);
    return query select u.org_id, u.id, u.name, u.locale;
end
$$;

-- Lifts all locks of an account and forgets what was counted; returns how many locks there were.
-- For other functions: whoever calls it has proven that the account is theirs to open.
create function app.lockout_clear(usr uuid) returns int
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    locks int;
begin
    with gone as (
        delete from app.signin_failures f
        using app.users u
        where u.id = usr and f.account = app.signin_account(u.email)
        returning f.locked_at is not null and f.ends_at > now() as locked)
    select count(*) into locks from gone g where g.locked;
    return locks;
end
$$;

-- The same for an admin of the user's organisation. 42501: the caller is none. LE404: no such user.
-- users_role_too_high: the user's role is above the caller's.
create function app.user_unlock(usr uuid) returns int
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    u app.users;
begin
    if app.org_id() is null or not coalesce(app.is_admin_role(app.role()), false) then
        raise exception using errcode = '42501', message = 'only an admin lifts locks';
    end if;
    select * into u from app.users k where k.id = usr and k.org_id = app.org_id();
    if u.id is null then
        raise exception using errcode = 'LE404', message = 'no such user';
    end if;
    if app.role_rank(u.role) > app.role_rank(app.role()) then
        raise exception using errcode = '42501', constraint = 'users_role_too_high',
            message = 'the user''s role is above the caller''s own';
    end if;
    return app.lockout_clear(usr);
end
$$;

-- Removes counts and locks that have ended, at most so many; returns how many.
create function app.signin_failures_purge(batch int) returns int
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    n int;
begin
    delete from app.signin_failures k where k.ctid = any (array(
        select f.ctid from app.signin_failures f where f.ends_at <= now()
        limit batch for update skip locked));
    get diagnostics n = row_count;
    return n;
end
$$;

grant execute on function app.signin_account(text) to lectern_definer;
grant execute on function
    app.signin_begin(text, inet, uuid, uuid, int, int, int), app.signin_passed(text, text),
    app.signin_locked(text, text, uuid), app.user_unlock(uuid)
to lectern_app;
grant execute on function app.signin_failures_purge(int) to lectern_jobs;

reset role;
alter function app.signin_source(text, inet, uuid, uuid) owner to lectern_definer;
alter function app.signin_begin(text, inet, uuid, uuid, int, int, int) owner to lectern_definer;
alter function app.signin_passed(text, text) owner to lectern_definer;
alter function app.signin_locked(text, text, uuid) owner to lectern_definer;
alter function app.lockout_clear(uuid) owner to lectern_definer;
alter function app.user_unlock(uuid) owner to lectern_definer;
alter function app.signin_failures_purge(int) owner to lectern_definer;

commit;
