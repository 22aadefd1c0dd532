-- Accounts and sessions: all that touches credentials and refresh tokens. Callers have no identity
-- yet, so each function takes what it needs and says no more than its answer.
begin;
set local role lectern_owner;

grant insert, update (role, last_sign_in_at, version, updated_at) on app.users to lectern_definer;
grant select, insert, update on app.credentials, app.sessions, app.refresh_tokens
    to lectern_definer;
grant delete on app.sessions, app.refresh_tokens to lectern_definer;
grant select, delete on app.idempotency_keys to lectern_definer;
create policy all_definer on app.credentials to lectern_definer using (true) with check (true);
create policy all_definer on app.sessions to lectern_definer using (true) with check (true);
create policy all_definer on app.refresh_tokens to lectern_definer using (true) with check (true);
create policy all_definer on app.idempotency_keys to lectern_definer using (true) with check (true);

-- LE401 unless the session is live and the user is still who the token says.
create function app.session_check(session uuid, usr uuid, org uuid, role text) returns void
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
begin
    if not exists (
        select from app.sessions s join app.users u on u.id = s.user_id
        where s.id = session and s.user_id = usr and s.org_id = org
              and s.revoked_at is null and s.expires_at > now()
              and u.org_id = org and u.status = 'active' and u.role = session_check.role) then
        raise exception using errcode = 'LE401', message = 'the session has ended';
    end if;
end
$$;

-- A new student of the organisation; null when the address is taken (never to be told outside).
-- LE403: no such organisation.
create function app.register(id uuid, org_slug text, email text, name text, password_hash text)
returns uuid
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    org  uuid;
    made uuid;
begin
    select o.id into org from app.orgs o where o.slug = org_slug;
    if org is null then
        raise exception using errcode = 'LE403', message = 'registration is closed';
    end if;
    insert into app.users (id, org_id, email, name, role)
    values (id, org, email, name, 'student')
    on conflict on constraint users_email do nothing
    returning users.id into made;
    if made is not null then
        insert into app.credentials (user_id, org_id, password_hash)
        values (made, org, password_hash);
    end if;
    return made;
end
$$;

create function app.login_lookup(address text)
returns table (user_id uuid, org_id uuid, org_slug text, name text, email text, role text,
               status text, password_hash text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select u.id, u.org_id, o.slug, u.name, u.email, u.role, u.status, c.password_hash
    from app.users u
    join app.orgs o on o.id = u.org_id
    join app.credentials c on c.user_id = u.id
    where u.email = login_lookup.address;
end
$$;

-- Replaces a hash by one with stronger parameters, unless it changed meanwhile.
create function app.password_rehash(usr uuid, old_hash text, new_hash text) returns bool
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    update app.credentials c set password_hash = new_hash
    where c.user_id = usr and c.password_hash = old_hash;
    return found;
end
$$;

-- Opens a session with its first refresh token. Returns the sessions that had to go because the
-- user had max_sessions already, oldest first. LE401: the user is not active.
create function app.session_open(session uuid, usr uuid, digest bytea, address inet,
                                 user_agent text, refresh_days int, max_sessions int)
returns uuid[]
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    org     uuid;
    until   timestamptz := now() + make_interval(days => refresh_days);
    evicted uuid[];
begin
    update app.users u set last_sign_in_at = now()
    where u.id = usr and u.status = 'active' returning u.org_id into org;
    if org is null then
        raise exception using errcode = 'LE401', message = 'the user is not active';
    end if;
    with gone as (
        update app.sessions s set revoked_at = now(), revoked_reason = 'evicted'
        where s.id in (select k.id from app.sessions k
                       where k.org_id = org and k.user_id = usr
                             and k.revoked_at is null and k.expires_at > now()
                       order by k.created_at desc, k.id desc
                       offset greatest(max_sessions, 1) - 1)
        returning s.id, s.created_at)
    select coalesce(array_agg(g.id order by g.created_at, g.id), '{}') into evicted from gone g;
    insert into app.sessions (id, org_id, user_id, address, user_agent, expires_at)
    values (session, org, usr, address, left(user_agent, 512), until);
    insert into app.refresh_tokens (digest, session_id, org_id, expires_at)
    values (digest, session, org, until);
    return evicted;
end
$$;

-- Exchanges a refresh token. outcome: 'rotated'; 'reused', a used token came again and the whole
-- session has been revoked; 'invalid'. Who it is only when rotated. The session's row is locked,
-- so of two exchanges of one token the second is a reuse.
create function app.session_rotate(session uuid, old_digest bytea, new_digest bytea,
                                   refresh_days int)
returns table (outcome text, user_id uuid, org_id uuid, role text, name text, email text)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    s     app.sessions;
    t     app.refresh_tokens;
    u     app.users;
    until timestamptz := now() + make_interval(days => refresh_days);
begin
    select * into s from app.sessions k where k.id = session for no key update;
    select * into t from app.refresh_tokens k where k.digest = old_digest and k.session_id = s.id;
    select * into u from app.users k where k.id = s.user_id;
    if t.digest is null or s.revoked_at is not null or s.expires_at <= now()
       or t.expires_at <= now() or u.status <> 'active' then
        return query select 'invalid', null::uuid, null::uuid, null::text, null::text, null::text;
        return;
    end if;
    if t.used_at is not null then
        update app.sessions k set revoked_at = now(), revoked_reason = 'token_reuse'
        where k.id = s.id;
        return query select 'reused', null::uuid, null::uuid, null::text, null::text, null::text;
        return;
    end if;
    update app.refresh_tokens k set used_at = now() where k.digest = t.digest;
    insert into app.refresh_tokens (digest, session_id, org_id, expires_at)
    values (new_digest, s.id, s.org_id, until);
    update app.sessions k set last_used_at = now(), expires_at = until where k.id = s.id;
    return query select 'rotated', u.id, u.org_id, u.role, u.name, u.email;
end
$$;

-- Ends a session of the caller, or of anyone in the organisation when the caller is its admin.
-- False when there is no such live session.
create function app.session_end(session uuid, reason text) returns bool
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    update app.sessions s set revoked_at = now(), revoked_reason = reason
    where s.id = session and s.org_id = app.org_id() and s.revoked_at is null
          and (s.user_id = app.user_id() or app.is_admin_role(app.role()));
    return found;
end
$$;

-- Ends all live sessions of a user (oneself, or anyone of the organisation for its admin) but the
-- one to keep, and returns them.
create function app.sessions_end(usr uuid, reason text, keep uuid default null) returns uuid[]
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    ended uuid[];
begin
    with gone as (
        update app.sessions s set revoked_at = now(), revoked_reason = reason
        where s.user_id = usr and s.org_id = app.org_id() and s.revoked_at is null
              and s.id is distinct from keep
              and (usr = app.user_id() or app.is_admin_role(app.role()))
        returning s.id)
    select coalesce(array_agg(g.id), '{}') into ended from gone g;
    return ended;
end
$$;

-- Removes what has expired, at most the given number of rows of each table, and returns how many
-- rows went. Ended sessions are kept for 90 days.
create function app.purge_expired(batch int) returns int
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    n     int;
    total int := 0;
begin
    delete from app.idempotency_keys k where k.ctid = any (array(
        select i.ctid from app.idempotency_keys i where i.expires_at <= now() limit batch));
    get diagnostics n = row_count;
    total := total + n;
    delete from app.refresh_tokens k where k.ctid = any (array(
        select t.ctid from app.refresh_tokens t where t.expires_at <= now() limit batch));
    get diagnostics n = row_count;
    total := total + n;
    delete from app.sessions k where k.ctid = any (array(
        select s.ctid from app.sessions s
        where s.expires_at <= now() - interval '90 days' limit batch));
    get diagnostics n = row_count;
    return total + n;
end
$$;

grant execute on function
    app.session_check(uuid, uuid, uuid, text), app.register(uuid, text, text, text, text),
    app.login_lookup(text), app.password_rehash(uuid, text, text),
    app.session_open(uuid, uuid, bytea, inet, text, int, int),
    app.session_rotate(uuid, bytea, bytea, int), app.session_end(uuid, text),
    app.sessions_end(uuid, text, uuid)
to lectern_app;
grant execute on function app.purge_expired(int) to lectern_jobs;

reset role;
alter function app.session_check(uuid, uuid, uuid, text) owner to lectern_definer;
alter function app.register(uuid, text, text, text, text) owner to lectern_definer;
alter function app.login_lookup(text) owner to lectern_definer;
alter function app.password_rehash(uuid, text, text) owner to lectern_definer;
alter function app.session_open(uuid, uuid, bytea, inet, text, int, int) owner to lectern_definer;
alter function app.session_rotate(uuid, bytea, bytea, int) owner to lectern_definer;
alter function app.session_end(uuid, text) owner to lectern_definer;
alter function app.sessions_end(uuid, text, uuid) owner to lectern_definer;
alter function app.purge_expired(int) owner to lectern_definer;

commit;
