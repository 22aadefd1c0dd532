begin;

update app.personal_data set sets = replace(sets, ', removed_at = now()', '') where relation = 'users';

drop function app.org_change(uuid, text, text, text, int8);
drop function app.user_remove(uuid, int8);

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
    -- One change of role at a time in an organisation: two admins cannot demote each other.
    perform from app.orgs o where o.id = org for no key update;
    select * into u from app.users k where k.id = usr and k.org_id = org for no key update;
    if u.id is null then
        raise exception using errcode = 'LE404', message = 'no such user';
    end if;
    perform app.if_match(u.version, expected_version);
    if greatest(app.role_rank(u.role), app.role_rank(new_role)) > app.role_rank(app.role()) then
        raise exception using errcode = '42501', constraint = 'users_role_too_high',
            message = 'the role is above the caller''s own';
    end if;
    if u.role = 'admin' and new_role <> 'admin' and u.status = 'active'
       and not exists (select from app.users k
                       where k.org_id = org and k.role = 'admin' and k.status = 'active'
                             and k.id <> usr) then
        raise exception using errcode = '23514', constraint = 'users_last_admin',
            message = 'an organisation keeps at least one admin';
    end if;
    if u.role <> new_role then
        update app.users k set role = new_role where k.id = usr;
        update app.sessions s set revoked_at = now(), revoked_reason = 'role_changed'
        where s.org_id = org and s.user_id = usr and s.revoked_at is null;
    end if;
    return query select * from app.users k where k.id = usr;
end
$$;
drop trigger org_active on app.sessions;
drop function app.sessions_org_active();
drop trigger last_admin_gone on app.users;
drop trigger last_admin on app.users;
drop function app.users_last_admin();
drop policy select_operator on app.orgs;
alter policy update_tenant_admin on app.orgs using (app.is_admin_role((select app.role())));
alter policy select_member on app.orgs using ((select app.user_id()) is not null);
alter policy tenant on app.orgs using (id = (select app.org_id()));
drop function app.is_operator();
revoke update (removed_at) on app.users from lectern_definer;
revoke insert, update (slug, name, status) on app.orgs from lectern_definer;
alter table app.users drop column removed_at;
drop index app.orgs_by_name, app.orgs_list;
alter table app.orgs drop column status;

commit;
