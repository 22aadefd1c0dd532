-- Parents tied to students of their organisation, and what a parent may read through that.
begin;
set local role lectern_owner;

create table app.parent_links (
    id         uuid not null,
    org_id     uuid not null,
    parent_id  uuid not null,
    student_id uuid not null,
    status     text not null default 'pending',
    source     text not null,
    decided_by uuid,
    decided_at timestamptz,
    ended_at   timestamptz,
    version    int8 not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint parent_links_pkey primary key (id),
    constraint parent_links_tenant unique (org_id, id),
    constraint parent_links_pair unique (org_id, parent_id, student_id),
    constraint parent_links_parent foreign key (org_id, parent_id)
        references app.users (org_id, id) on delete cascade,
    constraint parent_links_student foreign key (org_id, student_id)
        references app.users (org_id, id) on delete cascade,
    constraint parent_links_decider foreign key (org_id, decided_by)
        references app.users (org_id, id) on delete set null (decided_by),
    constraint parent_links_two check (parent_id <> student_id),
    constraint parent_links_status check (status in ('pending', 'approved', 'rejected', 'ended')),
    constraint parent_links_source check (source in ('request', 'code')),
    constraint parent_links_decided check (status = 'pending' or decided_at is not null),
    constraint parent_links_ended check ((status = 'ended') = (ended_at is not null))
);
create index parent_links_list on app.parent_links (org_id, created_at desc, id desc);
create index parent_links_by_student on app.parent_links (org_id, student_id);
create index parent_links_by_decider on app.parent_links (org_id, decided_by)
    where decided_by is not null;

-- A student's code, as its keyed digest: one at a time, used once.
create table app.parent_link_codes (
    student_id uuid not null,
    org_id     uuid not null,
    digest     bytea not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    constraint parent_link_codes_pkey primary key (student_id),
    constraint parent_link_codes_code unique (org_id, digest),
    constraint parent_link_codes_student foreign key (org_id, student_id)
        references app.users (org_id, id) on delete cascade,
    constraint parent_link_codes_digest check (octet_length(digest) = 32),
    constraint parent_link_codes_expiry check (expires_at > created_at)
);
create index parent_link_codes_by_student on app.parent_link_codes (org_id, student_id);
create index parent_link_codes_by_expiry on app.parent_link_codes (expires_at);

-- Wrong codes of a parent within the hour that began with the first of them.
create table app.parent_link_tries (
    parent_id uuid not null,
    org_id    uuid not null,
    failures  int4 not null,
    since     timestamptz not null default now(),
    constraint parent_link_tries_pkey primary key (parent_id),
    constraint parent_link_tries_parent foreign key (org_id, parent_id)
        references app.users (org_id, id) on delete cascade,
    constraint parent_link_tries_failures check (failures between 1 and 10)
);
create index parent_link_tries_by_parent on app.parent_link_tries (org_id, parent_id);

-- A link joins an active parent and an active student, goes its way in order and says who decided.
create function app.parent_links_rules() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_op = 'INSERT' or new.status <> old.status and new.status in ('pending', 'approved') then
        if (select count(*) from app.users u
            where u.org_id = new.org_id and u.status = 'active'
                  and (u.id = new.parent_id and u.role = 'parent'
                       or u.id = new.student_id and u.role = 'student')) <> 2 then
            raise exception using errcode = '23514', constraint = 'parent_links_roles',
                message = 'a link joins a parent and a student of one organisation';
        end if;
    end if;
    if tg_op = 'UPDATE' and new.status <> old.status
       and (old.status, new.status) not in (
           ('pending', 'approved'), ('pending', 'rejected'), ('approved', 'ended'),
           ('rejected', 'approved'), ('rejected', 'pending'), ('ended', 'approved'),
           ('ended', 'pending')) then
        raise exception using errcode = '23514', constraint = 'parent_links_order',
            message = 'the link is not in a state for this';
    end if;
    if new.status = 'pending' then
        new.decided_by := null;
        new.decided_at := null;
    elsif tg_op = 'INSERT' or new.status <> old.status then
        new.decided_by := app.user_id();
        new.decided_at := now();
    end if;
    new.ended_at := case when new.status = 'ended' then coalesce(new.ended_at, now()) end;
    return new;
end
$$;
create trigger rules before insert or update on app.parent_links
    for each row execute function app.parent_links_rules();
create trigger touch before update on app.parent_links
    for each row when (old.* is distinct from new.*) execute function app.touch();
create trigger audit after insert or update or delete on app.parent_links for each row
    when (current_setting('app.audit_action', true) <> '') execute function app.audit_capture();

alter table app.parent_links enable row level security, force row level security;
alter table app.parent_link_codes enable row level security, force row level security;
alter table app.parent_link_tries enable row level security, force row level security;
create policy tenant on app.parent_links as restrictive to lectern_app, lectern_ro
    using (org_id = (select app.org_id()));
create policy tenant on app.parent_link_codes as restrictive to lectern_app, lectern_ro
    using (org_id = (select app.org_id()));
create policy tenant on app.parent_link_tries as restrictive to lectern_app, lectern_ro
    using (org_id = (select app.org_id()));
grant select, insert, update, delete on app.parent_links, app.parent_link_codes,
    app.parent_link_tries to lectern_definer;
create policy all_definer on app.parent_links to lectern_definer using (true) with check (true);
create policy all_definer on app.parent_link_codes to lectern_definer
    using (true) with check (true);
create policy all_definer on app.parent_link_tries to lectern_definer
    using (true) with check (true);

-- A parent sees no request of theirs that nobody has granted: that there is one would tell that
-- the address is a student's.
grant select, update (status) on app.parent_links to lectern_app;
create policy select_tenant_admin on app.parent_links for select to lectern_app
    using (app.is_admin_role((select app.role())));
create policy select_student on app.parent_links for select to lectern_app
    using (student_id = (select app.user_id()));
create policy select_parent on app.parent_links for select to lectern_app
    using (parent_id = (select app.user_id()) and status in ('approved', 'ended'));
create policy update_tenant_admin on app.parent_links for update to lectern_app
    using (app.is_admin_role((select app.role())));
create policy update_student on app.parent_links for update to lectern_app
    using (student_id = (select app.user_id()) and source = 'code' and status = 'approved')
    with check (student_id = (select app.user_id()) and status = 'ended');
create policy update_parent on app.parent_links for update to lectern_app
    using (parent_id = (select app.user_id()) and status = 'approved')
    with check (parent_id = (select app.user_id()) and status = 'ended');

-- --- what parents read ------------------------------------------------------------------------

-- The students whose parent the caller is, while the link holds and both are what they were.
create function app.parent_students() returns uuid[]
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if app.user_id() is null or app.role() is distinct from 'parent' then
        return '{}';
    end if;
    return array(
        select l.student_id from app.parent_links l
        join app.users s on s.id = l.student_id and s.status = 'active' and s.role = 'student'
        where l.org_id = app.org_id() and l.parent_id = app.user_id() and l.status = 'approved');
end
$$;

-- The courses that those students attend, as app.enrolled_courses() says it of themselves.
create function app.parent_courses() returns uuid[]
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    students uuid[] := app.parent_students();
begin
    if students = '{}' then
        return '{}';
    end if;
    return array(
        select distinct e.course_id from app.enrollments e
        join app.courses c on c.id = e.course_id and c.status <> 'draft'
        where e.org_id = app.org_id() and e.user_id = any (students)
              and e.status in ('active', 'completed')
              and (e.starts_at is null or e.starts_at <= now())
              and (e.ends_at is null or e.ends_at > now()));
end
$$;

-- The names of both sides of a link, for those who see it; of one that has ended, for the admin.
create function app.parent_link_names(link uuid)
returns table (parent_name text, student_name text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select p.name, s.name
    from app.parent_links l
    join app.users p on p.id = l.parent_id
    join app.users s on s.id = l.student_id
    where l.id = link and l.org_id = app.org_id() and app.user_id() is not null
          and (app.is_admin_role(app.role())
               or l.student_id = app.user_id() and l.status in ('pending', 'approved')
               or l.parent_id = app.user_id() and l.student_id = any (app.parent_students()));
end
$$;

-- The role is asked once a statement: for everyone else the array is empty, no function is called,
-- and nothing that stands behind it is compared.
create policy select_by_parenthood on app.enrollments for select to lectern_app
    using (user_id = any ((select case when app.role() = 'parent' then app.parent_students()
                                       else '{}' end)::uuid[]));
create policy select_by_parenthood on app.announcements for select to lectern_app
    using (course_id = any ((select case when app.role() = 'parent' then app.parent_courses()
                                         else '{}' end)::uuid[])
           and publish_at <= now());
create policy select_by_parenthood on app.courses for select to lectern_app
    using (id = any ((select case when app.role() = 'parent' then app.parent_courses()
                                  else '{}' end)::uuid[])
           and status in ('published', 'archived'));
-- Staff are seen with their course, and assistants are students: a parent sees those of the
-- catalogue, as before, and no others.
alter policy select_viewer on app.course_staff
    using (exists (select from app.courses c
                   where c.id = course_id
                         and ((select app.role()) <> 'parent'
                              or c.status = 'published' and c.visibility = 'catalogue')));

-- --- how links are made -----------------------------------------------------------------------

-- A parent asks to be tied to a student, named by identifier or address. Says nothing, whatever
-- is found: a request for nobody is not even kept. 42501: the caller is no parent.
create function app.parent_link_ask(id uuid, student uuid, address text) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
begin
    if app.user_id() is null or app.org_id() is null or app.role() is distinct from 'parent' then
        raise exception using errcode = '42501', message = 'only a parent asks for a student';
    end if;
    insert into app.parent_links (id, org_id, parent_id, student_id, source)
    select id, p.org_id, p.id, s.id, 'request'
    from app.users p
    join app.users s on s.org_id = p.org_id and s.role = 'student' and s.status = 'active'
    where p.id = app.user_id() and p.org_id = app.org_id() and p.role = 'parent'
          and p.status = 'active' and (s.id = student or s.email = address)
    on conflict on constraint parent_links_pair do update
        set status = 'pending', source = 'request'
        where parent_links.status in ('rejected', 'ended');
end
$$;

-- A student's new code; the one before is void. 42501: the caller is no student.
create function app.parent_link_code_put(digest bytea, minutes int) returns timestamptz
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    until timestamptz := now() + make_interval(mins => minutes);
begin
    if not exists (select from app.users u
                   where u.id = app.user_id() and u.org_id = app.org_id() and u.role = 'student'
                         and u.status = 'active') then
        raise exception using errcode = '42501', message = 'only a student makes a code';
    end if;
    insert into app.parent_link_codes (student_id, org_id, digest, expires_at)
    values (app.user_id(), app.org_id(), digest, until)
    on conflict (student_id) do update
        set digest = excluded.digest, created_at = now(), expires_at = excluded.expires_at;
    return until;
end
$$;

-- Ties the caller to the student whose code it is, at once, and uses the code up. Null when it is
-- wrong; after ten wrong ones every code is, until an hour has passed since the first.
-- The count must be committed with the refusal. 42501: the caller is no parent.
create function app.parent_link_redeem(id uuid, digest bytea) returns uuid
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    me      uuid := app.user_id();
    org     uuid := app.org_id();
    student uuid;
    made    uuid;
begin
    -- The row of the parent is locked, so that tries at once are counted one by one.
    perform from app.users u
    where u.id = me and u.org_id = org and u.role = 'parent' and u.status = 'active'
          and app.role() = 'parent' for no key update;
    if not found then
        raise exception using errcode = '42501', message = 'only a parent uses a code';
    end if;
    delete from app.parent_link_tries t
    where t.parent_id = me and t.since <= now() - interval '1 hour';
    if not exists (select from app.parent_link_tries t
                   where t.parent_id = me and t.failures >= 10) then
        delete from app.parent_link_codes c
        using app.users s
        where c.org_id = org and c.digest = parent_link_redeem.digest and c.expires_at > now()
              and s.id = c.student_id and s.role = 'student' and s.status = 'active'
        returning c.student_id into student;
    end if;
    if student is null then
        insert into app.parent_link_tries (parent_id, org_id, failures) values (me, org, 1)
        on conflict (parent_id) do update
            set failures = least(parent_link_tries.failures + 1, 10);
        return null;
    end if;
    insert into app.parent_links (id, org_id, parent_id, student_id, status, source)
    values (id, org, me, student, 'approved', 'code')
    on conflict on constraint parent_links_pair do update
        set status = 'approved',
            source = case parent_links.status when 'approved' then parent_links.source
                                              else 'code' end
    returning parent_links.id into made;
    return made;
end
$$;

grant execute on function app.parent_students(), app.parent_courses(), app.parent_link_names(uuid)
    to lectern_app, lectern_ro;
grant execute on function app.parent_link_ask(uuid, uuid, text),
    app.parent_link_code_put(bytea, int), app.parent_link_redeem(uuid, bytea) to lectern_app;

reset role;
alter function app.parent_links_rules() owner to lectern_definer;
alter function app.parent_students() owner to lectern_definer;
alter function app.parent_courses() owner to lectern_definer;
alter function app.parent_link_names(uuid) owner to lectern_definer;
alter function app.parent_link_ask(uuid, uuid, text) owner to lectern_definer;
alter function app.parent_link_code_put(bytea, int) owner to lectern_definer;
alter function app.parent_link_redeem(uuid, bytea) owner to lectern_definer;

commit;
