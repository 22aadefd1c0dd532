-- Which courses the caller teaches, manages, attends: made once a statement as an array, so that
-- policies compare instead of joining. plpgsql, because definer functions in SQL are planned anew
-- each call. They read as lectern_definer, so policies that call them do not recurse.
begin;
set local role lectern_owner;

grant select on app.orgs, app.users, app.courses, app.course_codes, app.course_staff,
    app.enrollments to lectern_definer;
create policy all_definer on app.orgs to lectern_definer using (true) with check (true);
create policy all_definer on app.users to lectern_definer using (true) with check (true);
create policy all_definer on app.courses to lectern_definer using (true) with check (true);
create policy all_definer on app.course_codes to lectern_definer using (true) with check (true);
create policy all_definer on app.course_staff to lectern_definer using (true) with check (true);
create policy all_definer on app.enrollments to lectern_definer using (true) with check (true);

-- Courses whose settings and members the caller keeps: as owner or co-teacher.
create function app.managed_courses() returns uuid[]
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if app.user_id() is null or not coalesce(app.is_staff_role(app.role()), false) then
        return '{}';
    end if;
    return array(
        select c.id from app.courses c
        where c.org_id = app.org_id() and c.owner_id = app.user_id()
        union all
        select s.course_id from app.course_staff s
        where s.org_id = app.org_id() and s.user_id = app.user_id() and s.role = 'teacher');
end
$$;

-- Those, and the ones where the caller assists.
create function app.taught_courses() returns uuid[]
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if app.user_id() is null then
        return '{}';
    end if;
    return array(
        select c.id from app.courses c
        where c.org_id = app.org_id() and c.owner_id = app.user_id()
              and app.is_staff_role(app.role())
        union all
        select s.course_id from app.course_staff s
        where s.org_id = app.org_id() and s.user_id = app.user_id()
              and (s.role = 'assistant' or app.is_staff_role(app.role())));
end
$$;

-- Courses that the caller attends. A draft is its staff's alone, with all that belongs to it.
create function app.enrolled_courses() returns uuid[]
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if app.user_id() is null then
        return '{}';
    end if;
    return array(
        select e.course_id from app.enrollments e
        join app.courses c on c.id = e.course_id and c.status <> 'draft'
        where e.org_id = app.org_id() and e.user_id = app.user_id()
              and e.status in ('active', 'completed')
              and (e.starts_at is null or e.starts_at <= now())
              and (e.ends_at is null or e.ends_at > now()));
end
$$;

-- As managed_courses, for one course, and seeing rows made earlier in the same statement.
create function app.manages_course(course uuid) returns bool
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return exists (
        select from app.courses c
        where c.id = course and c.org_id = app.org_id()
              and (app.is_admin_role(app.role())
                   or app.is_staff_role(app.role())
                      and (c.owner_id = app.user_id()
                           or exists (select from app.course_staff s
                                      where s.course_id = c.id and s.user_id = app.user_id()
                                            and s.role = 'teacher'))));
end
$$;

grant execute on function app.managed_courses(), app.taught_courses(), app.enrolled_courses(),
    app.manages_course(uuid) to lectern_app, lectern_ro, lectern_definer;

reset role;
alter function app.managed_courses() owner to lectern_definer;
alter function app.taught_courses() owner to lectern_definer;
alter function app.enrolled_courses() owner to lectern_definer;
alter function app.manages_course(uuid) owner to lectern_definer;

commit;
