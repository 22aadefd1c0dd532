-- Changes of role and of ownership.
begin;
set local role lectern_owner;

grant insert, update, delete on app.course_staff to lectern_definer;
grant update (version) on app.orgs to lectern_definer; -- to lock the row

create function app.role_rank(role text) returns int
language sql immutable parallel safe
return case role when 'operator' then 3 when 'admin' then 2 else 1 end;

-- Gives a user of the caller's organisation another role and ends that user's sessions.
-- 42501: the caller is no admin. LE404: no such user here. LE412: another version.
-- users_role_too_high: the user has, or would get, a role above the caller's.
-- users_last_admin: the organisation would be left without an active admin.
create function app.set_user_role(usr uuid, new_role text, expected_version int8)
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

-- Hands a course of the caller (any course of the organisation for its admin) to another teacher;
-- the old owner stays as co-teacher. LE404: no such course to be seen. 42501: seen, but not the
-- caller's. LE412: another version. courses_owner_role: the new owner is no active teacher here.
create function app.course_transfer(course uuid, new_owner uuid, expected_version int8)
returns setof app.courses
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    c     app.courses;
    admin bool := coalesce(app.is_admin_role(app.role()), false);
begin
    select * into c from app.courses k
    where k.id = course and k.org_id = app.org_id() and app.user_id() is not null
          and (admin or k.id = any (app.taught_courses())
               or k.visibility = 'catalogue' and k.status = 'published'
               or k.status <> 'draft' and k.id = any (app.enrolled_courses()))
    for no key update;
    if c.id is null then
        raise exception using errcode = 'LE404', message = 'no such course';
    end if;
    if not admin and not (c.owner_id = app.user_id()
                          and coalesce(app.is_staff_role(app.role()), false)) then
        raise exception using errcode = '42501', message = 'the course is another''s';
    end if;
    perform app.if_match(c.version, expected_version);
    if new_owner is distinct from c.owner_id then
        delete from app.course_staff s where s.course_id = course and s.user_id = new_owner;
        update app.courses k set owner_id = new_owner where k.id = course;
        insert into app.course_staff (course_id, user_id, org_id, role)
        select c.id, u.id, c.org_id, 'teacher' from app.users u
        where u.id = c.owner_id and app.is_staff_role(u.role)
        on conflict on constraint course_staff_pkey do update set role = excluded.role;
    end if;
    return query select * from app.courses k where k.id = course;
end
$$;

grant execute on function app.role_rank(text) to lectern_definer;
grant execute on function app.set_user_role(uuid, text, int8),
    app.course_transfer(uuid, uuid, int8) to lectern_app;

reset role;
alter function app.set_user_role(uuid, text, int8) owner to lectern_definer;
alter function app.course_transfer(uuid, uuid, int8) owner to lectern_definer;

commit;
