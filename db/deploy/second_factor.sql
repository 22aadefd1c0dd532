-- A second factor at sign-in: TOTP secrets, recovery codes, and sign-ins that wait for a code.
-- The service compares codes; what may be accepted, how often and how many times is kept here. An
-- attempt counts as failed from its beginning and is forgiven when it turns out right, so that
-- attempts side by side cannot pass the limit: the factor's row makes them wait for each other.
begin;
set local role lectern_owner;

create table app.second_factors (
    user_id       uuid not null,
    org_id        uuid not null,
    sealed        text not null,
    created_at    timestamptz not null default now(),
    confirmed_at  timestamptz,
    last_step     int8 not null default 0,
    failures      int4 not null default 0,
    failing_since timestamptz,
    constraint second_factors_pkey primary key (user_id),
    constraint second_factors_tenant unique (org_id, user_id),
    constraint second_factors_user foreign key (org_id, user_id)
        references app.users (org_id, id) on delete cascade,
    -- Sealed, never plain: see fcgi/auth/envelope.h.
    constraint second_factors_sealed check (sealed ~ '^v1\.[^.]+\.' and
                                            char_length(sealed) between 32 and 1024),
    constraint second_factors_step check (last_step >= 0),
    constraint second_factors_failures check (failures >= 0 and
                                              (failures = 0) = (failing_since is null))
);

-- Keyed digests of codes that work once.
create table app.recovery_codes (
    user_id uuid not null,
    org_id  uuid not null,
    digest  bytea not null,
    used_at timestamptz,
    constraint recovery_codes_pkey primary key (user_id, digest),
    constraint recovery_codes_factor foreign key (org_id, user_id)
        references app.second_factors (org_id, user_id) on delete cascade,
    constraint recovery_codes_digest check (octet_length(digest) = 32)
);
create index recovery_codes_by_factor on app.recovery_codes (org_id, user_id);

-- A password has been proven, the code is owed. session_id: answered, by this session to be.
create table app.second_factor_challenges (
    digest     bytea not null,
    user_id    uuid not null,
    org_id     uuid not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    attempts   int4 not null default 0,
    session_id uuid,
    constraint second_factor_challenges_pkey primary key (digest),
    constraint second_factor_challenges_factor foreign key (org_id, user_id)
        references app.second_factors (org_id, user_id) on delete cascade,
    constraint second_factor_challenges_digest check (octet_length(digest) = 32),
    constraint second_factor_challenges_expiry check (expires_at > created_at),
    constraint second_factor_challenges_attempts check (attempts between 0 and 5)
);
create index second_factor_challenges_by_factor
    on app.second_factor_challenges (org_id, user_id, expires_at);

-- When a code was proven in the session, at its beginning or by enrolling in it.
alter table app.sessions add second_factor_at timestamptz;

alter table app.second_factors enable row level security, force row level security;
alter table app.recovery_codes enable row level security, force row level security;
alter table app.second_factor_challenges enable row level security, force row level security;
create policy tenant on app.second_factors as restrictive to lectern_app, lectern_ro
    using (org_id = (select app.org_id()));
create policy tenant on app.recovery_codes as restrictive to lectern_app, lectern_ro
    using (org_id = (select app.org_id()));
create policy tenant on app.second_factor_challenges as restrictive to lectern_app, lectern_ro
    using (org_id = (select app.org_id()));

-- One sees of one's own factor that it is there; secrets and digests only functions see.
grant select (user_id, org_id, created_at, confirmed_at) on app.second_factors to lectern_app;
grant select (user_id, org_id, used_at) on app.recovery_codes to lectern_app;
create policy select_self on app.second_factors for select to lectern_app
    using (user_id = (select app.user_id()));
create policy select_self on app.recovery_codes for select to lectern_app
    using (user_id = (select app.user_id()));

grant select, insert, update, delete
    on app.second_factors, app.recovery_codes, app.second_factor_challenges to lectern_definer;
create policy all_definer on app.second_factors to lectern_definer using (true) with check (true);
create policy all_definer on app.recovery_codes to lectern_definer using (true) with check (true);
create policy all_definer on app.second_factor_challenges to lectern_definer
    using (true) with check (true);

-- What audit rows tell of; sealed texts and counts of attempts are nothing for them.
create trigger audit after update of confirmed_at on app.second_factors for each row
    when (current_setting('app.audit_action', true) <> '') execute function app.audit_capture();
create trigger audit after update of used_at on app.recovery_codes for each row
    when (current_setting('app.audit_action', true) <> '') execute function app.audit_capture();

-- An attempt of a user begins: the factor as it was, and for how many seconds no further attempt
-- is taken (0: this one is). At most ten may fail in an hour. No row: there is no factor.
create function app.second_factor_try(usr uuid)
returns table (sealed text, confirmed bool, wait int4)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    f app.second_factors;
    t timestamptz := clock_timestamp();
begin
    select * into f from app.second_factors k where k.user_id = usr for no key update;
    if f.user_id is null then
        return;
    end if;
    if f.failing_since <= t - interval '1 hour' then
        f.failures := 0;
        f.failing_since := null;
    end if;
    if f.failures >= 10 then
        return query select null::text, null::bool,
            greatest(1, ceil(extract(epoch from f.failing_since + interval '1 hour' - t)))::int4;
        return;
    end if;
    update app.second_factors k
    set failures = f.failures + 1, failing_since = coalesce(f.failing_since, t)
    where k.user_id = usr;
    return query select f.sealed, f.confirmed_at is not null, 0;
end
$$;

-- Takes what was proven, once: a time step later than the last one taken, or an unused recovery
-- code. False: it has been used, or is none.
create function app.second_factor_take(usr uuid, step int8, recovery bytea) returns bool
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if recovery is not null then
        update app.recovery_codes c set used_at = now()
        where c.user_id = usr and c.digest = recovery and c.used_at is null;
    else
        update app.second_factors f set last_step = step where f.user_id = usr and f.last_step < step;
    end if;
    if not found then
        return false;
    end if;
    update app.second_factors f set failures = 0, failing_since = null where f.user_id = usr;
    return true;
end
$$;

create function app.recovery_codes_put(usr uuid, digests bytea[]) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    delete from app.recovery_codes c where c.user_id = usr;
    insert into app.recovery_codes (user_id, org_id, digest)
    select f.user_id, f.org_id, d from app.second_factors f, unnest(digests) d
    where f.user_id = usr;
end
$$;

-- --- at sign-in: only for a request without a caller ---------------------------------------------

-- The password has been proven. True when the user has a factor: then a challenge of this digest
-- has been made, and the session is owed a code.
create function app.second_factor_challenge(usr uuid, digest bytea, seconds int4) returns bool
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
begin
    delete from app.second_factor_challenges c
    where c.user_id = usr and c.expires_at <= now() and app.user_id() is null;
    insert into app.second_factor_challenges (digest, user_id, org_id, expires_at)
    select digest, f.user_id, f.org_id, now() + make_interval(secs => seconds)
    from app.second_factors f
    where f.user_id = usr and f.confirmed_at is not null and app.user_id() is null;
    return found;
end
$$;

-- An attempt to answer a challenge begins: whose it is, and what second_factor_try says. No row:
-- the challenge is unknown, answered, expired, tried five times, or older than the password.
create function app.second_factor_challenged(digest bytea)
returns table (user_id uuid, org_id uuid, name text, email text, role text, locale text,
               sealed text, wait int4)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    whose uuid;
begin
    update app.second_factor_challenges c set attempts = c.attempts + 1
    where c.digest = second_factor_challenged.digest and c.session_id is null
          and c.expires_at > clock_timestamp() and c.attempts < 5 and app.user_id() is null
          and exists (select from app.users u join app.credentials p on p.user_id = u.id
                      where u.id = c.user_id and u.status = 'active'
                            and p.changed_at <= c.created_at)
    returning c.user_id into whose;
    return query
    select u.id, u.org_id, u.name, u.email, u.role, u.locale, t.sealed, t.wait
    from app.users u, app.second_factor_try(whose) t where u.id = whose;
end
$$;

-- Answers a challenge on behalf of a session that is about to be opened. False: see
-- second_factor_take.
create function app.second_factor_answer(digest bytea, step int8, recovery bytea, session uuid)
returns bool
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    whose uuid;
begin
    update app.second_factor_challenges c set session_id = session
    where c.digest = digest and c.session_id is null and c.attempts > 0
          and c.expires_at > clock_timestamp() and app.user_id() is null
    returning c.user_id into whose;
    if whose is not null and app.second_factor_take(whose, step, recovery) then
        return true;
    end if;
    update app.second_factor_challenges c set session_id = null
    where c.digest = digest and whose is not null;
    return false;
end
$$;

-- The caller's session has been opened: it has proven its factor, and the challenge goes.
create function app.second_factor_settle(digest bytea) returns bool
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
begin
    with answered as (
        delete from app.second_factor_challenges c
        where c.digest = digest and c.session_id is not null and c.user_id = app.user_id()
        returning c.user_id, c.session_id)
    update app.sessions s set second_factor_at = now() from answered a
    where s.id = a.session_id and s.user_id = a.user_id and s.revoked_at is null;
    return found;
end
$$;

-- --- of oneself ----------------------------------------------------------------------------------

-- LE428 unless the session has proven a factor.
create function app.second_factor_check(session uuid) returns void
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if not exists (
        select from app.sessions s
        where s.id = session and s.user_id = app.user_id() and s.org_id = app.org_id()
              and s.second_factor_at is not null) then
        raise exception using errcode = 'LE428', message = 'the session has proven no second factor';
    end if;
end
$$;

-- second_factor_try of the caller.
create function app.second_factor_attempt()
returns table (sealed text, confirmed bool, wait int4)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select t.sealed, t.confirmed, t.wait from app.users u, app.second_factor_try(u.id) t
    where u.id = app.user_id() and u.org_id = app.org_id();
end
$$;

-- A secret to be confirmed, in place of one that was not. False when there is a confirmed one.
-- Attempts stay counted: beginning anew forgives none.
create function app.second_factor_enrol(value text) returns bool
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into app.second_factors (user_id, org_id, sealed)
    select u.id, u.org_id, value from app.users u
    where u.id = app.user_id() and u.org_id = app.org_id()
    on conflict on constraint second_factors_pkey do update
    set sealed = excluded.sealed, created_at = now()
    where second_factors.confirmed_at is null;
    return found;
end
$$;

-- Confirms the secret by a code's time step. The session in which it happens has proven its
-- factor; the others of the user end and are returned. Null when there is nothing to confirm.
create function app.second_factor_confirm(step int8, digests bytea[], session uuid) returns uuid[]
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    usr   uuid;
    ended uuid[];
begin
    select f.user_id into usr from app.second_factors f
    where f.user_id = app.user_id() and f.org_id = app.org_id() and f.confirmed_at is null
    for no key update;
    if usr is null or not app.second_factor_take(usr, step, null) then
        return null;
    end if;
    update app.second_factors f set confirmed_at = now() where f.user_id = usr;
    perform app.recovery_codes_put(usr, digests);
    update app.sessions s set second_factor_at = now()
    where s.id = session and s.user_id = usr and s.revoked_at is null;
    with gone as (
        update app.sessions s set revoked_at = now(), revoked_reason = 'second_factor'
        where s.user_id = usr and s.org_id = app.org_id() and s.revoked_at is null
              and s.id is distinct from session
        returning s.id)
    select coalesce(array_agg(g.id), '{}') into ended from gone g;
    return ended;
end
$$;

-- New recovery codes for a code's time step. False: see second_factor_take.
create function app.second_factor_codes(step int8, digests bytea[]) returns bool
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    usr uuid;
begin
    select f.user_id into usr from app.second_factors f
    where f.user_id = app.user_id() and f.org_id = app.org_id() and f.confirmed_at is not null;
    if usr is null or not app.second_factor_take(usr, step, null) then
        return false;
    end if;
    perform app.recovery_codes_put(usr, digests);
    return true;
end
$$;

-- What goes with a factor: what sessions have proven by it.
create function app.second_factor_remove(usr uuid) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    delete from app.second_factors f where f.user_id = usr;
    update app.sessions s set second_factor_at = null
    where s.user_id = usr and s.second_factor_at is not null;
end
$$;

-- Takes the caller's factor away for a code's time step or a recovery code. False: see
-- second_factor_take.
create function app.second_factor_disable(step int8, recovery bytea) returns bool
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    usr uuid;
begin
    select f.user_id into usr from app.second_factors f
    where f.user_id = app.user_id() and f.org_id = app.org_id() and f.confirmed_at is not null;
    if usr is null or not app.second_factor_take(usr, step, recovery) then
        return false;
    end if;
    perform app.second_factor_remove(usr);
    return true;
end
$$;

-- --- by an admin ---------------------------------------------------------------------------------

-- Takes a user's factor away and ends their sessions, which are returned with whom to tell.
-- 42501: the caller is no admin. LE404: no such user here, or no factor.
-- users_role_too_high: the user's role is above the caller's.
create function app.second_factor_reset(usr uuid)
returns table (ended uuid[], name text, email text, locale text)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    u    app.users;
    gone uuid[];
begin
    if app.org_id() is null or not coalesce(app.is_admin_role(app.role()), false) then
        raise exception using errcode = '42501', message = 'only an admin resets a second factor';
    end if;
    select k.* into u from app.users k join app.second_factors f on f.user_id = k.id
    where k.id = usr and k.org_id = app.org_id();
    if u.id is null then
        raise exception using errcode = 'LE404', message = 'no such user, or no second factor';
    end if;
    if app.role_rank(u.role) > app.role_rank(app.role()) then
        raise exception using errcode = '42501', constraint = 'users_role_too_high',
            message = 'the role is above the caller''s own';
    end if;
    perform app.second_factor_remove(usr);
    with closed as (
        update app.sessions s set revoked_at = now(), revoked_reason = 'second_factor'
        where s.user_id = usr and s.org_id = u.org_id and s.revoked_at is null
        returning s.id)
    select coalesce(array_agg(c.id), '{}') into gone from closed c;
    return query select gone, u.name, u.email, u.locale;
end
$$;

revoke all on function app.second_factor_try(uuid), app.second_factor_take(uuid, int8, bytea),
    app.recovery_codes_put(uuid, bytea[]), app.second_factor_remove(uuid) from public;
grant execute on function
    app.second_factor_challenge(uuid, bytea, int4), app.second_factor_challenged(bytea),
    app.second_factor_answer(bytea, int8, bytea, uuid), app.second_factor_settle(bytea),
    app.second_factor_check(uuid), app.second_factor_attempt(),
    app.second_factor_enrol(text), app.second_factor_confirm(int8, bytea[], uuid),
    app.second_factor_codes(int8, bytea[]), app.second_factor_disable(int8, bytea),
    app.second_factor_reset(uuid)
to lectern_app;

reset role;
alter function app.second_factor_try(uuid) owner to lectern_definer;
alter function app.second_factor_take(uuid, int8, bytea) owner to lectern_definer;
alter function app.recovery_codes_put(uuid, bytea[]) owner to lectern_definer;
alter function app.second_factor_remove(uuid) owner to lectern_definer;
alter function app.second_factor_challenge(uuid, bytea, int4) owner to lectern_definer;
alter function app.second_factor_challenged(bytea) owner to lectern_definer;
alter function app.second_factor_answer(bytea, int8, bytea, uuid) owner to lectern_definer;
alter function app.second_factor_settle(bytea) owner to lectern_definer;
alter function app.second_factor_check(uuid) owner to lectern_definer;
alter function app.second_factor_attempt() owner to lectern_definer;
alter function app.second_factor_enrol(text) owner to lectern_definer;
alter function app.second_factor_confirm(int8, bytea[], uuid) owner to lectern_definer;
alter function app.second_factor_codes(int8, bytea[]) owner to lectern_definer;
alter function app.second_factor_disable(int8, bytea) owner to lectern_definer;
alter function app.second_factor_reset(uuid) owner to lectern_definer;

commit;
