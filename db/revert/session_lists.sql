begin;

drop function app.user_sessions_end(uuid, uuid, text);
drop function app.user_within_reach(uuid);
drop function app.session_rotate(uuid, bytea, bytea, int, int, uuid);
drop function app.session_open(uuid, uuid, bytea, inet, text, int, int, int);
drop function app.session_until(int, int);

set local role lectern_owner;

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

grant execute on function
    app.session_open(uuid, uuid, bytea, inet, text, int, int),
    app.session_rotate(uuid, bytea, bytea, int)
to lectern_app;

alter policy select_tenant_admin on app.sessions using (app.is_admin_role((select app.role())));
drop index app.sessions_live;

reset role;
alter function app.session_open(uuid, uuid, bytea, inet, text, int, int) owner to lectern_definer;
alter function app.session_rotate(uuid, bytea, bytea, int) owner to lectern_definer;

-- Ends a session of the caller, or of anyone in the organisation when the caller is its admin.
-- False when there is no such live session.
create or replace function app.session_end(session uuid, reason text) returns bool
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
create or replace function app.sessions_end(usr uuid, reason text, keep uuid default null) returns uuid[]
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

commit;
