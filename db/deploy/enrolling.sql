-- Joining by oneself, and many at once from a list.
begin;
set local role lectern_owner;

grant insert, update, delete on app.enrollments to lectern_definer;
grant select, update (undone_at) on app.enrollment_imports to lectern_definer;
grant select on app.enrollment_import_rows to lectern_definer;
create policy all_definer on app.enrollment_imports to lectern_definer
    using (true) with check (true);
create policy all_definer on app.enrollment_import_rows to lectern_definer
    using (true) with check (true);

-- Enrols the caller in a published course: with its code, or without one when it is open. Returns
-- the enrollment, which may have been there before; a withdrawn one comes back to life.
-- LE404: no such course to be seen. enrollments_closed: it takes nobody by themselves.
-- enrollments_code: the code is wrong. Also what a new enrollment may meet: enrollments_role,
-- enrollments_seats.
create function app.enrol_with_code(enrollment uuid, course uuid, code text) returns uuid
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    me      uuid := app.user_id();
    c       app.courses;
    known   bool;
    matches bool;
    made    uuid;
begin
    select * into c from app.courses k
    where k.id = course and k.org_id = app.org_id() and k.status = 'published' and me is not null;
    matches := c.enrollment = 'code'
               and exists (select from app.course_codes k
                           where k.course_id = c.id and k.code = code);
    known := c.visibility = 'catalogue' or c.id = any (app.enrolled_courses());
    if c.id is null or not (known or matches) then
        raise exception using errcode = 'LE404', message = 'no such course';
    end if;
    if c.enrollment = 'closed' or c.ends_at <= now() then
        raise exception using errcode = '42501', constraint = 'enrollments_closed',
            message = 'nobody enrols by themselves here';
    end if;
    if c.enrollment = 'code' and not matches then
        raise exception using errcode = '42501', constraint = 'enrollments_code',
            message = 'the code is wrong';
    end if;
    insert into app.enrollments as e (id, org_id, course_id, user_id, source)
    values (enrollment, c.org_id, c.id, me, 'self')
    on conflict on constraint enrollments_member do nothing
    returning e.id into made;
    if made is null then
        update app.enrollments e set status = 'active'
        where e.course_id = c.id and e.user_id = me and e.status = 'withdrawn';
        select e.id into made from app.enrollments e where e.course_id = c.id and e.user_id = me;
    end if;
    return made;
end
$$;

create type app.enrollment_import_line as (
    line            int,
    email           text,
    action          text,
    code            text,
    user_id         uuid,
    enrollment_id   uuid,
    previous_status text
);

-- What an import of these addresses would do, line by line; changes nothing.
create function app.enrollment_import_plan(course uuid, emails text[], lines int[], ids uuid[])
returns setof app.enrollment_import_line
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    with given as (
        select l, lower(btrim(m)) as m, i,
               row_number() over (partition by lower(btrim(m)) order by l) as nth
        from unnest(lines, emails, ids) g (l, m, i)),
    known as (
        select g.*, u.id as u, u.role, e.id as e, e.status,
               case when not app.is_email(g.m) then 'email_invalid'
                    when g.nth > 1 then 'duplicate_line'
                    when u.id is null or u.status <> 'active' then 'user_unknown'
                    when u.role <> 'student' then 'not_a_student' end as fault
        from given g
        left join app.users u on u.email = g.m
        left join app.enrollments e on e.course_id = course and e.user_id = u.id),
    placed as (
        select k.*, count(*) filter (where k.fault is null
                                           and coalesce(k.status, 'withdrawn') = 'withdrawn')
                    over (order by k.l) as place
        from known k),
    judged as (
        select p.*, coalesce(p.fault,
                             case when coalesce(p.status, 'withdrawn') = 'withdrawn'
                                       and p.place > c.seats - c.taken then 'course_full' end)
                   as verdict
        from placed p
        cross join (select c.seats, (select count(*) from app.enrollments e
                                     where e.course_id = course and e.status = 'active') as taken
                    from app.courses c where c.id = course) c)
    select j.l, j.m,
           case when j.verdict is not null then 'error'
                when j.status is null then 'enrol'
                when j.status = 'withdrawn' then 'reactivate'
                else 'unchanged' end,
           j.verdict,
           case when j.nth = 1 then j.u end,
           case when j.verdict is null then coalesce(j.e, j.i) end,
           case when j.verdict is null and j.status = 'withdrawn' then j.status end
    from judged j
    order by j.l;
end
$$;

-- Enrols the students with these addresses (lines, emails and enrollment_ids side by side; an id
-- is used only where an enrollment is made) and reports each line: action enrol, reactivate,
-- unchanged or error, the last with code email_invalid, duplicate_line, user_unknown,
-- not_a_student or course_full. Writes nothing when dry_run, nor when atomic and any line fails;
-- otherwise the batch is kept under import_id and can be undone. Runs with the caller's rights.
-- LE404: no such course to be seen. 42501: not the caller's. enrollments_course_archived.
create function app.enrollment_import(import_id uuid, course uuid, emails text[], lines int[],
                                      enrollment_ids uuid[], atomic bool, dry_run bool, digest text)
returns table (line int, email text, action text, code text, user_id uuid, enrollment_id uuid)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    org   uuid := app.org_id();
    state text;
    plan  app.enrollment_import_line[];
begin
    select c.status into state from app.courses c where c.id = course;
    if state is null then
        raise exception using errcode = 'LE404', message = 'no such course';
    end if;
    if not (coalesce(app.is_admin_role(app.role()), false)
            or course = any (app.managed_courses())) then
        raise exception using errcode = '42501', message = 'the course is another''s';
    end if;
    if state = 'archived' then
        raise exception using errcode = '23514', constraint = 'enrollments_course_archived',
            message = 'the course is archived';
    end if;
    if not dry_run then
        perform from app.courses c where c.id = course for no key update;
    end if;
    plan := array(select p
                  from app.enrollment_import_plan(course, emails, lines, enrollment_ids) p);
    if not dry_run
       and not (atomic and exists (select from unnest(plan) p where p.action = 'error')) then
        insert into app.enrollment_imports (id, org_id, course_id, created_by, digest, atomic,
                                            total, enrolled, reactivated, unchanged, failed)
        select import_id, org, course, app.user_id(), digest, atomic, count(*),
               count(*) filter (where p.action = 'enrol'),
               count(*) filter (where p.action = 'reactivate'),
               count(*) filter (where p.action = 'unchanged'),
               count(*) filter (where p.action = 'error')
        from unnest(plan) p;
        insert into app.enrollments (id, org_id, course_id, user_id, source, import_id)
        select p.enrollment_id, org, course, p.user_id, 'import', import_id
        from unnest(plan) p where p.action = 'enrol' order by p.line;
        update app.enrollments e set status = 'active'
        from unnest(plan) p where p.action = 'reactivate' and e.id = p.enrollment_id;
        insert into app.enrollment_import_rows (import_id, org_id, line, email, user_id,
                                                enrollment_id, action, code, previous_status)
        select import_id, org, p.line, left(p.email, 254), p.user_id, p.enrollment_id, p.action,
               p.code, p.previous_status
        from unnest(plan) p;
    end if;
    return query select p.line, p.email, p.action, p.code, p.user_id, p.enrollment_id
                 from unnest(plan) p order by p.line;
end
$$;

-- Takes a batch back: enrollments that it made go (or are withdrawn when they have changed since),
-- those that it reactivated get their former status back while they are still active.
-- LE404: no such import of the caller's courses. enrollment_imports_undone: done before.
create function app.enrollment_import_undo(import_id uuid)
returns table (removed int, withdrawn int, restored int)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    i app.enrollment_imports;
begin
    select * into i from app.enrollment_imports k
    where k.id = import_id and k.org_id = app.org_id() and app.user_id() is not null
          and (app.is_admin_role(app.role()) or k.course_id = any (app.managed_courses()))
    for no key update;
    if i.id is null then
        raise exception using errcode = 'LE404', message = 'no such import';
    end if;
    if i.undone_at is not null then
        raise exception using errcode = '23514', constraint = 'enrollment_imports_undone',
            message = 'the import has been undone';
    end if;
    update app.enrollments e set status = r.previous_status
    from app.enrollment_import_rows r
    where r.import_id = i.id and r.action = 'reactivate' and e.id = r.enrollment_id
          and e.status = 'active';
    get diagnostics restored = row_count;
    update app.enrollments e set status = 'withdrawn'
    where e.import_id = i.id and e.version > 1 and e.status <> 'withdrawn';
    get diagnostics withdrawn = row_count;
    delete from app.enrollments e where e.import_id = i.id and e.version = 1;
    get diagnostics removed = row_count;
    update app.enrollment_imports k set undone_at = now() where k.id = i.id;
    return next;
end
$$;

grant execute on function app.enrol_with_code(uuid, uuid, text),
    app.enrollment_import_plan(uuid, text[], int[], uuid[]),
    app.enrollment_import(uuid, uuid, text[], int[], uuid[], bool, bool, text),
    app.enrollment_import_undo(uuid) to lectern_app;
grant usage on type app.enrollment_import_line to lectern_app;

reset role;
alter function app.enrol_with_code(uuid, uuid, text) owner to lectern_definer;
alter function app.enrollment_import_undo(uuid) owner to lectern_definer;

commit;
