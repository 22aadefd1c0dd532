-- What a CHECK cannot say of courses, their staff and their members. The functions look at other
-- rows than the caller may see, so they run as lectern_definer. Each refusal names a constraint.
-- They run before the policies refuse a row, so none may tell of another organisation than the
-- caller's: neither what is there, nor by a wait for its lock.
begin;
set local role lectern_owner;

create function app.courses_rules() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_op = 'UPDATE' and new.owner_id <> old.owner_id and current_user <> 'lectern_definer' then
        raise exception using errcode = '23514', constraint = 'courses_owner_fixed',
            message = 'a course changes hands by app.course_transfer only';
    end if;
    if new.status = 'archived' then
        new.archived_at := coalesce(new.archived_at, now());
    else
        new.archived_at := null;
    end if;
    if new.status = 'published' and (tg_op = 'INSERT' or old.status <> 'published') then
        new.published_at := coalesce(case when tg_op = 'INSERT' then new.published_at end, now());
    end if;
    return new;
end
$$;
create trigger rules before insert or update on app.courses
    for each row execute function app.courses_rules();
create trigger touch before update on app.courses
    for each row when (old.* is distinct from new.*) execute function app.touch();

create function app.courses_owner_role() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if not exists (select from app.users u
                   where u.id = new.owner_id and u.org_id = new.org_id and u.status = 'active'
                         and app.is_staff_role(u.role)) then
        raise exception using errcode = '23514', constraint = 'courses_owner_role',
            message = 'the owner of a course must be a teacher of the organisation';
    end if;
    return new;
end
$$;
create trigger owner_role before insert or update of owner_id on app.courses
    for each row execute function app.courses_owner_role();

-- Joining by code needs a code. Checked at the end of the statement, which may write both; to
-- write them in two statements, SET CONSTRAINTS app.courses_join_code DEFERRED.
create function app.courses_join_code() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    course uuid;
begin
    if tg_table_name = 'courses' then
        course := new.id;
    else
        course := old.course_id;
    end if;
    if exists (select from app.courses c where c.id = course and c.enrollment = 'code')
       and not exists (select from app.course_codes k where k.course_id = course) then
        raise exception using errcode = '23514', constraint = 'courses_join_code',
            message = 'joining by code needs a code';
    end if;
    return null;
end
$$;
create constraint trigger courses_join_code after insert or update of enrollment on app.courses
    deferrable initially immediate
    for each row when (new.enrollment = 'code') execute function app.courses_join_code();
create constraint trigger courses_join_code after delete on app.course_codes
    deferrable initially immediate
    for each row execute function app.courses_join_code();

create function app.course_staff_rules() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (select from app.courses c
               where c.id = new.course_id and c.owner_id = new.user_id
                     and c.org_id = coalesce(app.org_id(), c.org_id)) then
        raise exception using errcode = '23514', constraint = 'course_staff_owner',
            message = 'the owner of a course is not its staff';
    end if;
    if new.role = 'teacher'
       and not exists (select from app.users u
                       where u.id = new.user_id and u.org_id = new.org_id
                             and app.is_staff_role(u.role)) then
        raise exception using errcode = '23514', constraint = 'course_staff_role',
            message = 'a co-teacher must be a teacher of the organisation';
    end if;
    return new;
end
$$;
create trigger rules before insert or update on app.course_staff
    for each row execute function app.course_staff_rules();

-- Whoever takes a place waits for the course's row, so that two cannot take the last one.
create function app.enrollments_take_place(course uuid, member uuid, enrollment uuid) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    c app.courses;
begin
    -- Of another organisation is as good as unknown: the answer must not tell them apart.
    if not exists (select from app.users u join app.courses k on k.org_id = u.org_id
                   where k.id = course and k.org_id = coalesce(app.org_id(), k.org_id)
                         and u.id = member and u.role = 'student' and u.status = 'active') then
        raise exception using errcode = '23514', constraint = 'enrollments_role',
            message = 'only a student can be enrolled';
    end if;
    select * into c from app.courses k where k.id = course for no key update;
    if c.status = 'archived' then
        raise exception using errcode = '23514', constraint = 'enrollments_course_archived',
            message = 'the course is archived';
    end if;
    if c.seats is not null
       and c.seats <= (select count(*) from app.enrollments e
                       where e.course_id = course and e.status = 'active'
                             and e.id <> enrollment) then
        raise exception using errcode = '23514', constraint = 'enrollments_seats',
            message = 'the course is full';
    end if;
end
$$;

create function app.enrollments_rules() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if new.status = 'active' and (tg_op = 'INSERT' or old.status <> 'active') then
        perform app.enrollments_take_place(new.course_id, new.user_id, new.id);
    end if;
    if tg_op = 'UPDATE' and new.user_id = app.user_id()
       and (new.starts_at, new.ends_at) is distinct from (old.starts_at, old.ends_at) then
        raise exception using errcode = '42501',
            message = 'nobody sets the dates of their own access';
    end if;
    if new.status = 'withdrawn' then
        new.withdrawn_at := coalesce(new.withdrawn_at, now());
    else
        new.withdrawn_at := null;
    end if;
    if new.status = 'completed' then
        new.completed_at := coalesce(new.completed_at, now());
    elsif new.status = 'active' then
        new.completed_at := null;
    end if;
    return new;
end
$$;
create trigger rules before insert or update on app.enrollments
    for each row execute function app.enrollments_rules();
create trigger touch before update on app.enrollments
    for each row when (old.* is distinct from new.*) execute function app.touch();

grant update on app.courses to lectern_definer; -- to lock the row
grant execute on function app.enrollments_take_place(uuid, uuid, uuid) to lectern_definer;

reset role;
alter function app.courses_owner_role() owner to lectern_definer;
alter function app.courses_join_code() owner to lectern_definer;
alter function app.course_staff_rules() owner to lectern_definer;
alter function app.enrollments_take_place(uuid, uuid, uuid) owner to lectern_definer;
alter function app.enrollments_rules() owner to lectern_definer;

commit;
