-- Organisations from outside and people who leave them: suspending, removing, the last admin, and
-- what an operator sees and does of organisations that are not their own.
begin;
set local role lectern_owner;

alter table app.orgs
    add column status text not null default 'active',
    add constraint orgs_status check (status in ('active', 'suspended'));
create index orgs_list on app.orgs (created_at, id);
create index orgs_by_name on app.orgs (name, id);

-- Who was removed keeps their row, for what they have made names them; the address is free again.
alter table app.users
    add column removed_at timestamptz,
    add constraint users_removed check (removed_at is null or status = 'disabled');

grant insert, update (slug, name, status) on app.orgs to lectern_definer;
grant update (removed_at) on app.users to lectern_definer;

-- Whole identity of somebody who runs the installation.
create function app.is_operator() returns bool
language sql stable parallel safe
return app.role() = 'operator' and app.user_id() is not null and app.org_id() is not null;
grant execute on function app.is_operator() to lectern_app, lectern_ro, lectern_definer;

-- Operators see that organisations are there; all that is in them keeps its tenant policy.
alter policy tenant on app.orgs
    using (id = (select app.org_id()) or (select app.is_operator()));
alter policy select_member on app.orgs
    using (id = (select app.org_id()) and (select app.user_id()) is not null);
alter policy update_tenant_admin on app.orgs
    using (id = (select app.org_id()) and app.is_admin_role((select app.role())));
create policy select_operator on app.orgs for select to lectern_app
    using ((select app.is_operator()));

-- Whoever demotes, disables or deletes an admin waits for the organisation's row, so that of two
-- who do it at once one sees what the other has left.
create function app.users_last_admin() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform from app.orgs o where o.id = old.org_id for no key update;
    if not exists (select from app.users k
                   where k.org_id = old.org_id and k.role = 'admin' and k.status = 'active'
                         and k.id <> old.id) then
        raise exception using errcode = '23514', constraint = 'users_last_admin',
            message = 'an organisation keeps at least one admin';
    end if;
    if tg_op = 'DELETE' then
        return old;
    end if;
    return new;
end
$$;
create trigger last_admin before update of role, status on app.users
    for each row when (old.role = 'admin' and old.status = 'active'
                       and (new.role <> 'admin' or new.status <> 'active'))
    execute function app.users_last_admin();
create trigger last_admin_gone before delete on app.users
    for each row when (old.role = 'admin' and old.status = 'active')
    execute function app.users_last_admin();

-- Nobody of a suspended organisation signs in. The lock meets only that of app.org_change.
create function app.sessions_org_active() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    state text;
begin
    select o.status into state from app.orgs o where o.id = new.org_id for key share;
    if state = 'suspended' then
        raise exception using errcode = '42501', constraint = 'orgs_suspended',
            message = 'the organisation is suspended';
    end if;
    return new;
end
$$;
create trigger org_active before insert on app.sessions
    for each row execute function app.sessions_org_active();

-- Removes a user from the caller's organisation: the account is closed for good, its sessions and
-- its password go, places in courses are given back, owned courses become the caller's.
-- 42501: the caller is no admin. LE404: no such user here. LE412: another version.
-- users_role_too_high: the user's role is above the caller's. users_last_admin: see above.
-- courses_owner: the caller leaves and still owns courses.
create function app.user_remove(usr uuid, expected_version int8) returns uuid
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    org uuid := app.org_id();
    u   app.users;
begin
    if org is null or app.user_id() is null or not coalesce(app.is_admin_role(app.role()), false)
    then
        raise exception using errcode = '42501', message = 'only an admin removes people';
    end if;
    perform from app.orgs o where o.id = org for no key update;
    select * into u from app.users k
    where k.id = usr and k.org_id = org and k.removed_at is null for no key update;
    if u.id is null then
        raise exception using errcode = 'LE404', message = 'no such user';
    end if;
    perform app.if_match(u.version, expected_version);
    if app.role_rank(u.role) > app.role_rank(app.role()) then
        raise exception using errcode = '42501', constraint = 'users_role_too_high',
            message = 'the role is above the caller''s own';
    end if;
    update app.users k
    set status = 'disabled', removed_at = now(), email = 'removed-' || k.id || '@removed.invalid'
    where k.id = usr;
    if usr = app.user_id() and exists (select from app.courses c
                                       where c.org_id = org and c.owner_id = usr) then
        raise exception using errcode = '23503', constraint = 'courses_owner',
            message = 'who leaves gives their courses away first';
    end if;
    update app.sessions s set revoked_at = now(), revoked_reason = 'removed'
    where s.org_id = org and s.user_id = usr and s.revoked_at is null;
    delete from app.credentials c where c.org_id = org and c.user_id = usr;
    update app.enrollments e set status = 'withdrawn'
    where e.org_id = org and e.user_id = usr and e.status = 'active';
    delete from app.course_staff s
    where s.org_id = org
          and (s.user_id = usr
               or s.user_id = app.user_id()
                  and s.course_id in (select c.id from app.courses c
                                      where c.org_id = org and c.owner_id = usr));
    update app.courses c set owner_id = app.user_id() where c.org_id = org and c.owner_id = usr;
    return usr;
end
$$;

-- For operators: changes an organisation; null leaves as it is. Suspending ends all its sessions.
-- 42501: no operator. LE404: no such organisation. LE412: another version.
-- orgs_operators: who runs the installation cannot be locked out of it.
create function app.org_change(org uuid, new_slug text, new_name text, new_status text,
                               expected_version int8)
returns setof app.orgs
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    o app.orgs;
begin
    if not coalesce(app.is_operator(), false) then
        raise exception using errcode = '42501', message = 'only an operator changes organisations';
    end if;
    select * into o from app.orgs k where k.id = org for update;
    if o.id is null then
        raise exception using errcode = 'LE404', message = 'no such organisation';
    end if;
    perform app.if_match(o.version, expected_version);
    if new_status = 'suspended'
       and exists (select from app.users u where u.org_id = org and u.role = 'operator'
                         and u.status = 'active') then
        raise exception using errcode = '23514', constraint = 'orgs_operators',
            message = 'an organisation with operators is not suspended';
    end if;
    update app.orgs k
    set slug = coalesce(new_slug, k.slug), name = coalesce(new_name, k.name),
        status = coalesce(new_status, k.status)
    where k.id = org;
    if new_status = 'suspended' then
        update app.sessions s set revoked_at = now(), revoked_reason = 'org_suspended'
        where s.org_id = org and s.revoked_at is null;
    end if;
    return query select * from app.orgs k where k.id = org;
end
$$;

grant execute on function app.user_remove(uuid, int8),
    app.org_change(uuid, text, text, text, int8) to lectern_app;

reset role;
-- Gives a user of the caller's organisation another role and ends that user's sessions.
-- 42501: the caller is no admin. LE404: no such user here. LE412: another version.
-- users_role_too_high: the user has, or would get, a role above the caller's.
-- users_last_admin: the organisation would be left without an active admin.
create or replace function app.set_user_role(usr uuid, new_role text, expected_version int8)
returns setof app.users
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    org uuid := app.org_id();
    u   app.users;
begin
    if org is null or not coalesce(app.is_admin_role(app.role()), false) then
        raise exception using errcode = '42501', message = 'only an admin gives roles';
    end if;
    -- One change of role at a time in an organisation.
    perform from app.orgs o where o.id = org for no key update;
    select * into u from app.users k
    where k.id = usr and k.org_id = org and k.removed_at is null for no key update;
    if u.id is null then
        raise exception using errcode = 'LE404', message = 'no such user';
    end if;
    perform app.if_match(u.version, expected_version);
    if greatest(app.role_rank(u.role), app.role_rank(new_role)) > app.role_rank(app.role()) then
        raise exception using errcode = '42501', constraint = 'users_role_too_high',
            message = 'the role is above the caller''s own';
    end if;
    if u.role <> new_role then
        update app.users k set role = new_role where k.id = usr;
        update app.sessions s set revoked_at = now(), revoked_reason = 'role_changed'
        where s.org_id = org and s.user_id = usr and s.revoked_at is null;
    end if;
    return query select * from app.users k where k.id = usr;
end
$$;

-- Who is erased does not count either.
update app.personal_data set sets = sets || ', removed_at = now()' where relation = 'users';

alter function app.users_last_admin() owner to lectern_definer;
alter function app.sessions_org_active() owner to lectern_definer;
alter function app.user_remove(uuid, int8) owner to lectern_definer;
alter function app.org_change(uuid, text, text, text, int8) owner to lectern_definer;

commit;
