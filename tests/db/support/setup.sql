-- What every test file finds: pgTAP, ways to act as somebody, and two organisations of people.
\set ON_ERROR_STOP on
begin;
set local client_min_messages = warning;
create schema t;
grant usage on schema t to public;
create extension pgtap schema t;

-- The identifier that a name stands for in the tests.
create function t.id(name text) returns uuid language sql immutable
return overlay(overlay(md5(name) placing '7' from 13 for 1) placing 'a' from 17 for 1)::uuid;

-- The identities that tests act under.
create table t.persons (name text primary key, user_id uuid, org_id uuid, role text);
grant select on t.persons to public;

create function t.become(who text) returns void language plpgsql as $$
declare
    p t.persons;
begin
    select * into strict p from t.persons where name = who;
    perform set_config('app.user_id', coalesce(p.user_id::text, ''), true),
            set_config('app.org_id', coalesce(p.org_id::text, ''), true),
            set_config('app.role', coalesce(p.role, ''), true);
end $$;

-- Runs one statement as the application on behalf of somebody. The answer: the number of rows, or
-- the one value of a statement that begins with "value:", or the SQLSTATE with the constraint.
create function t.act(who text, statement text, db_role text default 'lectern_app') returns text
language plpgsql as $$
declare
    rows  bigint;
    value text;
    state text;
    named text;
begin
    perform t.become(who);
    perform set_config('role', db_role, true);
    begin
        if starts_with(statement, 'value:') then
            execute substr(statement, 7) into value;
        else
            execute statement;
        end if;
        get diagnostics rows = row_count;
    exception when others then
        get stacked diagnostics state = returned_sqlstate, named = constraint_name;
    end;
    perform set_config('role', 'none', true);
    perform t.become('none');
    return case when state is not null then btrim(state || ' ' || coalesce(named, ''))
                when starts_with(statement, 'value:') then value
                else rows::text end;
end $$;

-- As t.act, but nothing of it stays.
create function t.dry(who text, statement text, db_role text default 'lectern_app') returns text
language plpgsql as $$
declare
    answer text;
begin
    begin
        answer := t.act(who, statement, db_role);
        raise exception using errcode = 'TT000';
    exception when sqlstate 'TT000' then
    end;
    return answer;
end $$;

insert into app.orgs (id, slug, name) values (t.id('A'), 'org-a', 'Org A'), (t.id('B'), 'org-b', 'Org B');

insert into app.users (id, org_id, email, name, role, status)
select t.id(v.name), t.id(v.org), v.name || '@' || lower(v.org) || '.example', v.name, v.role, v.status
from (values
    ('A', 'admin', 'admin', 'active'), ('A', 'operator', 'operator', 'active'),
    ('A', 'teacher', 'teacher', 'active'), ('A', 'coteacher', 'teacher', 'active'),
    ('A', 'other', 'teacher', 'active'), ('A', 'student', 'student', 'active'),
    ('A', 'helper', 'student', 'active'), ('A', 'outsider', 'student', 'active'),
    ('A', 'late', 'student', 'active'), ('A', 'early', 'student', 'active'),
    ('A', 'gone', 'student', 'active'), ('A', 'done', 'student', 'active'),
    ('A', 'disabled', 'student', 'disabled'), ('A', 'parent', 'parent', 'active'),
    ('B', 'badmin', 'admin', 'active'), ('B', 'bteacher', 'teacher', 'active'),
    ('B', 'bstudent', 'student', 'active')) v (org, name, role, status);

insert into t.persons select name, id, org_id, role from app.users;
insert into t.persons values
    ('none', null, null, null),
    ('orgless', t.id('admin'), null, 'admin'),
    ('userless', null, t.id('A'), null),
    -- Somebody of A who says to be of B, and a student who says to be admin: tokens cannot, but
    -- the tables must hold as far as they can.
    ('forger', t.id('student'), t.id('B'), 'student');

insert into app.credentials (user_id, org_id, password_hash)
select id, org_id, '$argon2id$v=19$m=19456,t=2,p=1$' || repeat('x', 40) from app.users;

insert into app.courses (id, org_id, owner_id, title, status, visibility, enrollment, seats) values
    (t.id('c.main'), t.id('A'), t.id('teacher'), 'Main', 'published', 'private', 'closed', null),
    (t.id('c.draft'), t.id('A'), t.id('teacher'), 'Draft', 'draft', 'catalogue', 'closed', null),
    (t.id('c.old'), t.id('A'), t.id('teacher'), 'Old', 'draft', 'private', 'closed', null),
    (t.id('c.open'), t.id('A'), t.id('other'), 'Open', 'published', 'catalogue', 'open', 2),
    (t.id('c.code'), t.id('A'), t.id('other'), 'Code', 'published', 'private', 'closed', null),
    (t.id('c.b'), t.id('B'), t.id('bteacher'), 'B', 'published', 'catalogue', 'open', null);
insert into app.course_codes (course_id, org_id, code) values
    (t.id('c.code'), t.id('A'), 'right-code'), (t.id('c.b'), t.id('B'), 'right-code');
update app.courses set enrollment = 'code' where id = t.id('c.code');
insert into app.course_staff (course_id, user_id, org_id, role) values
    (t.id('c.main'), t.id('coteacher'), t.id('A'), 'teacher'),
    (t.id('c.main'), t.id('helper'), t.id('A'), 'assistant');
insert into app.enrollments (id, org_id, course_id, user_id, status, starts_at, ends_at)
select t.id('e.' || v.course || '.' || v.name), t.id(v.org), t.id('c.' || v.course), t.id(v.name),
       v.status, now() + v.starts, now() + v.ends
from (values
    ('A', 'main', 'student', 'active', null, null),
    ('A', 'main', 'late', 'active', interval '-2 days', interval '-1 day'),
    ('A', 'main', 'early', 'active', interval '1 day', null),
    ('A', 'main', 'gone', 'withdrawn', null, null),
    ('A', 'main', 'done', 'completed', null, null),
    ('A', 'old', 'student', 'active', null, null),
    ('A', 'draft', 'student', 'active', null, null),
    ('B', 'b', 'bstudent', 'active', null, null)) v (org, course, name, status, starts, ends);
update app.courses set status = 'archived' where id = t.id('c.old');

insert into app.announcements (id, org_id, course_id, author_id, title, body, publish_at) values
    (t.id('n.org'), t.id('A'), null, t.id('admin'), 'org', 'x', now() - interval '1 day'),
    (t.id('n.org.later'), t.id('A'), null, t.id('admin'), 'org later', 'x', now() + interval '1 day'),
    (t.id('n.main'), t.id('A'), t.id('c.main'), t.id('teacher'), 'main', 'x', now() - interval '1 day'),
    (t.id('n.main.later'), t.id('A'), t.id('c.main'), t.id('teacher'), 'later', 'x', now() + interval '1 day'),
    (t.id('n.open'), t.id('A'), t.id('c.open'), t.id('other'), 'open', 'x', now() - interval '1 day'),
    (t.id('n.b'), t.id('B'), null, t.id('badmin'), 'b', 'x', now() - interval '1 day'),
    (t.id('n.b.course'), t.id('B'), t.id('c.b'), t.id('bteacher'), 'bc', 'x', now() - interval '1 day');
insert into app.announcement_reads (announcement_id, user_id, org_id) values
    (t.id('n.main'), t.id('student'), t.id('A')), (t.id('n.org'), t.id('outsider'), t.id('A')),
    (t.id('n.b'), t.id('bstudent'), t.id('B'));

insert into app.sessions (id, org_id, user_id, expires_at)
select t.id('s.' || name), org_id, id, now() + interval '1 day' from app.users;
insert into app.refresh_tokens (digest, session_id, org_id, expires_at)
select sha256(id::text::bytea), id, org_id, expires_at from app.sessions;

insert into app.events (id, org_id, kind, actor_id) values
    (t.id('v.1'), t.id('A'), 'enrol', t.id('student')), (t.id('v.2'), t.id('A'), 'enrol', null),
    (t.id('v.3'), t.id('A'), 'enrol', t.id('admin')), (t.id('v.4'), t.id('B'), 'enrol', t.id('bstudent'));

insert into app.enrollment_imports (id, org_id, course_id, created_by, digest, atomic, total, failed)
values (t.id('i.main'), t.id('A'), t.id('c.main'), t.id('teacher'), repeat('a', 64), false, 1, 1),
       (t.id('i.b'), t.id('B'), t.id('c.b'), t.id('bteacher'), repeat('a', 64), false, 1, 1);
insert into app.enrollment_import_rows (import_id, org_id, line, email, action, code) values
    (t.id('i.main'), t.id('A'), 1, 'nobody@a.example', 'error', 'user_unknown'),
    (t.id('i.b'), t.id('B'), 1, 'nobody@b.example', 'error', 'user_unknown');

insert into app.idempotency_keys (org_id, user_id, key, route, digest, expires_at) values
    (t.id('A'), t.id('student'), 'fresh', 'POST /x', sha256('x'), now() + interval '1 day'),
    (t.id('A'), t.id('teacher'), 'fresh', 'POST /x', sha256('x'), now() + interval '1 day'),
    (t.id('B'), t.id('bstudent'), 'fresh', 'POST /x', sha256('x'), now() + interval '1 day');

select app.audit_append(t.id('l.a'), 'test.a', 'user', t.id('student'), 4096, '{}', t.id('A')),
       app.audit_append(t.id('l.b'), 'test.b', 'user', t.id('bstudent'), 4096, '{}', t.id('B'));
commit;
