-- What a sign-in costs the database, of which a storm of them makes others wait: no plan is made anew
-- for it, and what changes with it and tells an auditor nothing is not put aside for the trail.
begin;

-- The digest of an address, as a part of the statements that use it: a body that is itself no more
-- than stable goes into them only when the function says no more.
create or replace function app.signin_account(email text) returns bytea
language sql stable parallel safe
return sha256(convert_to(email, 'UTF8'));

-- Nothing to keep is nothing to look at.
alter function app.audit_keep(jsonb, text[], int) strict;
alter function app.audit_redact(jsonb, text[]) strict;

-- All columns but last_sign_in_at, and no session that begins: the row of the trail itself says so.
drop trigger audit on app.users;
create trigger audit
    after insert or delete or update of org_id, email, name, role, status, locale, timezone,
                                        email_verified_at, version, updated_at, erased_at, removed_at
    on app.users for each row
    when (current_setting('app.audit_action', true) <> '') execute function app.audit_capture();
drop trigger audit on app.sessions;
create trigger audit after update or delete on app.sessions for each row
    when (current_setting('app.audit_action', true) <> '') execute function app.audit_capture();

-- Opens a session with its first refresh token; it lives as long as session_until says. Returns the
-- sessions that had to go because the user had max_sessions already, oldest first. The user's row is
-- locked, so sign-ins at once do not pass the ceiling. LE401: the user is not active.
create or replace function app.session_open(session uuid, usr uuid, digest bytea, address inet,
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
    evicted uuid[] := '{}';
begin
    update app.users u set last_sign_in_at = now()
    where u.id = usr and u.status = 'active' returning u.org_id into org;
    if org is null then
        raise exception using errcode = 'LE401', message = 'the user is not active';
    end if;
    if (select count(*) from app.sessions k
        where k.org_id = org and k.user_id = usr and k.revoked_at is null and k.expires_at > now())
       >= greatest(max_sessions, 1) then
        with gone as (
            update app.sessions s set revoked_at = now(), revoked_reason = 'evicted'
            where s.id in (select k.id from app.sessions k
                           where k.org_id = org and k.user_id = usr
                                 and k.revoked_at is null and k.expires_at > now()
                           order by k.created_at desc, k.id desc
                           offset greatest(max_sessions, 1) - 1)
            returning s.id, s.created_at)
        select coalesce(array_agg(g.id order by g.created_at, g.id), '{}') into evicted from gone g;
    end if;
    insert into app.sessions (id, org_id, user_id, address, user_agent, expires_at)
    values (session, org, usr, address, left(user_agent, 512), until);
    insert into app.refresh_tokens (digest, session_id, org_id, expires_at)
    values (digest, session, org, until);
    return evicted;
end
$$;

commit;
