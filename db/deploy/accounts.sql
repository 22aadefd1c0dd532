-- What an account needs besides signing in: proof that an address is its own, and new passwords.
begin;
set local role lectern_owner;

-- Secrets that were mailed: only their keyed digest, for one purpose, once, for a while. One
-- without a user was made for an address that has no account, and is good for nothing.
create table app.account_tokens (
    digest     bytea not null,
    org_id     uuid not null,
    user_id    uuid,
    purpose    text not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    ended_at   timestamptz,
    constraint account_tokens_pkey primary key (digest),
    constraint account_tokens_org foreign key (org_id) references app.orgs (id) on delete cascade,
    constraint account_tokens_user foreign key (org_id, user_id)
        references app.users (org_id, id) on delete cascade,
    constraint account_tokens_digest check (octet_length(digest) = 32),
    constraint account_tokens_purpose check (purpose in ('verify_email', 'password_reset')),
    constraint account_tokens_expiry check (expires_at > created_at)
);
create index account_tokens_by_user on app.account_tokens (org_id, user_id);
create index account_tokens_by_expiry on app.account_tokens (expires_at);

alter table app.account_tokens enable row level security, force row level security;
create policy tenant on app.account_tokens as restrictive to lectern_app, lectern_ro
    using (org_id = (select app.org_id()));
grant select, insert, update, delete on app.account_tokens to lectern_definer;
create policy all_definer on app.account_tokens to lectern_definer using (true) with check (true);
grant update (email_verified_at) on app.users to lectern_definer;

-- Who is behind an address: always one row. Without an active account there is no user in it, and
-- the organisation is only a place for the rows that are written all the same.
create function app.account_find(address text)
returns table (user_id uuid, org_id uuid, name text, locale text, verified bool)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select u.id, coalesce(u.org_id, (select o.id from app.orgs o order by o.id limit 1)), u.name,
           coalesce(u.locale, 'en'), coalesce(u.email_verified_at is not null, false)
    from (values (1)) one (n)
    left join app.users u on u.email = account_find.address and u.status = 'active';
end
$$;

-- Keeps a new token and ends the user's older ones of that purpose. Only for requests that nobody
-- has signed in to: 42501 otherwise. usr null: see the table.
create function app.account_token_issue(usr uuid, org uuid, purpose text, digest bytea,
                                        minutes int) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
begin
    if coalesce(app.user_id()::text, app.org_id()::text, app.role()) is not null then
        raise exception using errcode = '42501', message = 'only for who is not signed in';
    end if;
    update app.account_tokens t set ended_at = now()
    where t.org_id = org and t.user_id = usr and t.purpose = account_token_issue.purpose
          and t.ended_at is null;
    insert into app.account_tokens (digest, org_id, user_id, purpose, expires_at)
    values (digest, org, usr, purpose, now() + make_interval(mins => minutes));
end
$$;

-- Ends a token and says whose it was; no row when it is unknown, of another purpose, used, replaced
-- or expired, or its user is not active. The row is locked by the change: of two that come with one
-- token, one gets it.
create function app.account_token_use(digest bytea, purpose text) returns setof app.users
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    usr uuid;
begin
    update app.account_tokens t set ended_at = now()
    where t.digest = account_token_use.digest and t.purpose = account_token_use.purpose
          and t.ended_at is null and t.expires_at > now()
    returning t.user_id into usr;
    return query select * from app.users u where u.id = usr and u.status = 'active';
end
$$;

create function app.email_verify(digest bytea) returns bool
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    usr uuid;
begin
    select u.id into usr from app.account_token_use(digest, 'verify_email') u;
    update app.users u set email_verified_at = coalesce(u.email_verified_at, now())
    where u.id = usr;
    return found;
end
$$;

-- A new password for whoever holds the token: every session ends, a lockout with them, and the
-- address is proven. No row: see account_token_use. Nobody has signed in, so the audit row is written
-- here and names no actor.
create function app.password_reset(digest bytea, password_hash text, audit_id uuid)
returns table (user_id uuid, org_id uuid, name text, email text, locale text, ended uuid[])
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    u    app.users;
    gone uuid[];
begin
    select * into u from app.account_token_use(password_reset.digest, 'password_reset');
    if u.id is null then
        return;
    end if;
    update app.credentials c set password_hash = password_reset.password_hash, changed_at = now()
    where c.user_id = u.id;
    update app.users k set email_verified_at = coalesce(k.email_verified_at, now())
    where k.id = u.id;
    perform app.lockout_clear(u.id);
    with over as (
        update app.sessions s set revoked_at = now(), revoked_reason = 'password_reset'
        where s.org_id = u.org_id and s.user_id = u.id and s.revoked_at is null
        returning s.id)
    select coalesce(array_agg(o.id), '{}') into gone from over o;
    perform app.audit_append(audit_id, 'account.password_reset', 'user', u.id, 8192, '{}',
                             u.org_id);
    return query select u.id, u.org_id, u.name, u.email, u.locale, gone;
end
$$;

-- The caller's own hash, to compare the password that they know.
create function app.password_current() returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return (select c.password_hash from app.credentials c
            where c.user_id = app.user_id() and c.org_id = app.org_id());
end
$$;

-- The caller's new password, in place of the hash that was compared; other sessions than the one to
-- keep end, and links that were mailed for another password are void. No row when the hash is
-- another by now.
create function app.password_change(old_hash text, new_hash text, keep uuid)
returns table (name text, email text, locale text, ended uuid[])
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    update app.credentials c set password_hash = new_hash, changed_at = now()
    where c.user_id = app.user_id() and c.org_id = app.org_id() and c.password_hash = old_hash;
    if not found then
        return;
    end if;
    update app.account_tokens t set ended_at = now()
    where t.org_id = app.org_id() and t.user_id = app.user_id()
          and t.purpose = 'password_reset' and t.ended_at is null;
    return query
    select u.name, u.email, u.locale, app.sessions_end(u.id, 'password_changed', keep)
    from app.users u where u.id = app.user_id() and u.org_id = app.org_id();
end
$$;

-- Removes at most so many tokens that have expired; returns how many.
create function app.account_tokens_purge(batch int) returns int
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    n int;
begin
    delete from app.account_tokens t where t.ctid = any (array(
        select k.ctid from app.account_tokens k where k.expires_at <= now() limit batch));
    get diagnostics n = row_count;
    return n;
end
$$;

-- Who a token of that purpose would still serve, to check a new password before the token is used.
create function app.account_token_email(digest bytea, purpose text) returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
begin
    return (select u.email from app.account_tokens t join app.users u on u.id = t.user_id
            where t.digest = account_token_email.digest
                  and t.purpose = account_token_email.purpose
                  and t.ended_at is null and t.expires_at > now() and u.status = 'active');
end
$$;

create trigger audit after insert or update or delete on app.credentials for each row
    when (current_setting('app.audit_action', true) <> '') execute function app.audit_capture();

grant execute on function
    app.account_find(text), app.account_token_issue(uuid, uuid, text, bytea, int),
    app.account_token_email(bytea, text), app.email_verify(bytea), app.password_reset(bytea, text, uuid),
    app.password_current(), app.password_change(text, text, uuid)
to lectern_app;
grant execute on function app.account_tokens_purge(int) to lectern_jobs;

reset role;
alter function app.account_find(text) owner to lectern_definer;
alter function app.account_token_issue(uuid, uuid, text, bytea, int) owner to lectern_definer;
alter function app.account_token_use(bytea, text) owner to lectern_definer;
alter function app.account_token_email(bytea, text) owner to lectern_definer;
alter function app.email_verify(bytea) owner to lectern_definer;
alter function app.password_reset(bytea, text, uuid) owner to lectern_definer;
alter function app.password_current() owner to lectern_definer;
alter function app.password_change(text, text, uuid) owner to lectern_definer;
alter function app.account_tokens_purge(int) owner to lectern_definer;

commit;
