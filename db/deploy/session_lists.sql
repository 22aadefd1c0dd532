-- Sessions end when they are not used; people see and end their own, admins those of their people.
begin;
set local role lectern_owner;

create index sessions_live on app.sessions (org_id, user_id, created_at desc, id desc)
    where revoked_at is null;

-- An admin reaches nobody whose role is above theirs.
alter policy select_tenant_admin on app.sessions
    using (app.is_admin_role((select app.role()))
           and ((select app.role()) = 'operator'
                or exists (select from app.users u
                           where u.id = sessions.user_id and u.role <> 'operator')));

-- How long a session lives that is used now: as its refresh token, or until it is idle.
create function app.session_until(refresh_days int, idle_minutes int) returns timestamptz
language sql stable parallel safe
return now() + least(make_interval(days => refresh_days),
                     make_interval(mins => nullif(idle_minutes, 0)));

drop function app.session_open(uuid, uuid, bytea, inet, text, int, int);
drop function app.session_rotate(uuid, bytea, bytea, int);

-- Opens a session with its first refresh token; it lives as long as session_until says. Returns the
-- sessions that had to go because the user had max_sessions already, oldest first. The user's row is
-- locked, so sign-ins at once do not pass the ceiling. LE401: the user is not active.
create function app.session_open(session uuid, usr uuid, digest bytea, address inet,
                                 user_agent text, refresh_days int, max_sessions int,
                                 idle_minutes int default 0)
returns uuid[]
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    org     uuid;
    until   timestamptz := app.session_until(refresh_days, idle_minutes);
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
-- session has been revoked, which is audited under audit_id; 'invalid', also when the session was
-- not used for idle_minutes (0: never). Who it is only when rotated. The session's row is locked, so
-- of two exchanges of one token the second is a reuse.
create function app.session_rotate(session uuid, old_digest bytea, new_digest bytea,
                                   refresh_days int, idle_minutes int default 0,
                                   audit_id uuid default null)
returns table (outcome text, user_id uuid, org_id uuid, role text, name text, email text)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    s     app.sessions;
    t     app.refresh_tokens;
    u     app.users;
    until timestamptz := app.session_until(refresh_days, idle_minutes);
begin
    select * into s from app.sessions k where k.id = session for no key update;
    select * into t from app.refresh_tokens k where k.digest = old_digest and k.session_id = s.id;
    select * into u from app.users k where k.id = s.user_id;
    if t.digest is null or s.revoked_at is not null or s.expires_at <= now()
       or t.expires_at <= now() or u.status <> 'active'
       or idle_minutes > 0 and s.last_used_at <= now() - make_interval(mins => idle_minutes) then
        return query select 'invalid', null::uuid, null::uuid, null::text, null::text, null::text;
        return;
    end if;
    if t.used_at is not null then
        update app.sessions k set revoked_at = now(), revoked_reason = 'token_reuse'
        where k.id = s.id;
        if audit_id is not null then
            perform app.audit_append(audit_id, 'session.token_reuse', 'session', s.id, 8192, '{}',
                                     s.org_id);
        end if;
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

-- The user, if an admin of theirs may act on them. No row: no such user to be seen.
-- users_role_too_high: the user's role is above the caller's.
create function app.user_within_reach(usr uuid) returns setof uuid
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    u app.users;
begin
    select * into u from app.users k where k.id = usr;
    if u.role = 'operator' and app.role() is distinct from 'operator' then
        raise exception using errcode = '42501', constraint = 'users_role_too_high',
            message = 'the user''s role is above the caller''s own';
    end if;
    if u.id is not null then
        return next u.id;
    end if;
end
$$;

-- For admins: ends one live session of a user of the organisation, or all (session is null), and
-- returns what has ended. 42501: the caller is no admin. LE404: no such user, or no such live
-- session. users_role_too_high: the user's role is above the caller's.
create function app.user_sessions_end(usr uuid, session uuid, reason text) returns uuid[]
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    u     app.users;
    ended uuid[];
begin
    if app.org_id() is null or not coalesce(app.is_admin_role(app.role()), false) then
        raise exception using errcode = '42501', message = 'only an admin ends others'' sessions';
    end if;
    select * into u from app.users k where k.id = usr and k.org_id = app.org_id();
    if u.id is null then
        raise exception using errcode = 'LE404', message = 'no such user';
    end if;
    if app.role_rank(u.role) > app.role_rank(app.role()) then
        raise exception using errcode = '42501', constraint = 'users_role_too_high',
            message = 'the user''s role is above the caller''s own';
    end if;
    with gone as (
        update app.sessions s set revoked_at = now(), revoked_reason = reason
        where s.org_id = u.org_id and s.user_id = usr and s.revoked_at is null
              and s.expires_at > now() and (session is null or s.id = session)
        returning s.id)
    select coalesce(array_agg(g.id), '{}') into ended from gone g;
    if session is not null and ended = '{}' then
        raise exception using errcode = 'LE404', message = 'no such session';
    end if;
    return ended;
end
$$;

grant execute on function app.session_until(int, int) to lectern_definer;
grant execute on function
    app.session_open(uuid, uuid, bytea, inet, text, int, int, int),
    app.session_rotate(uuid, bytea, bytea, int, int, uuid), app.user_within_reach(uuid),
    app.user_sessions_end(uuid, uuid, text)
to lectern_app;

reset role;
alter function app.session_open(uuid, uuid, bytea, inet, text, int, int, int)
    owner to lectern_definer;
alter function app.session_rotate(uuid, bytea, bytea, int, int, uuid) owner to lectern_definer;
alter function app.user_sessions_end(uuid, uuid, text) owner to lectern_definer;

-- Ends a session of the caller, or of anyone in the organisation when the caller is its admin and
-- the other's role is not above. False when there is no such live session.
create or replace function app.session_end(session uuid, reason text) returns bool
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    update app.sessions s set revoked_at = now(), revoked_reason = reason
    from app.users u
    where s.id = session and s.org_id = app.org_id() and s.revoked_at is null and u.id = s.user_id
          and (s.user_id = app.user_id()
               or app.is_admin_role(app.role())
                  and app.role_rank(u.role) <= app.role_rank(app.role()));
    return found;
end
$$;

-- Ends all live sessions of a user (oneself, or anyone of the organisation for its admin whose role
-- is not below) but the one to keep, and returns them.
create or replace function app.sessions_end(usr uuid, reason text, keep uuid default null)
returns uuid[]
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    ended uuid[];
begin
    with gone as (
        update app.sessions s set revoked_at = now(), revoked_reason = reason
        from app.users u
        where s.user_id = usr and s.org_id = app.org_id() and s.revoked_at is null
              and s.id is distinct from keep and u.id = s.user_id
              and (usr = app.user_id()
                   or app.is_admin_role(app.role())
                      and app.role_rank(u.role) <= app.role_rank(app.role()))
        returning s.id)
    select coalesce(array_agg(g.id), '{}') into ended from gone g;
    return ended;
end
$$;

commit;
