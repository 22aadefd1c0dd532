-- Who writes what: each verb on each table by the owner, another user, another organisation, nobody.
-- A refusal is 42501, or no row where the row is not even seen.
begin;
set local search_path = t, public;
select no_plan();

create temp table attempts (what text, statement text);
insert into attempts values
    ('org update', $$update app.orgs set name = 'x' where id = t.id('A')$$),
    ('org slug', $$update app.orgs set slug = 'x-y' where id = t.id('A')$$),
    ('org insert', $$insert into app.orgs (id, slug, name) values (t.id('new'), 'new', 'x')$$),
    ('org delete', $$delete from app.orgs$$),
    ('user rename', $$update app.users set name = 'x' where id = t.id('student')$$),
    ('user role', $$update app.users set role = 'admin' where id = t.id('student')$$),
    ('user email', $$update app.users set email = 'x@y.z' where id = t.id('student')$$),
    ('user insert', $$insert into app.users (id, org_id, email, name) values (t.id('new'), t.id('A'), 'n@y.z', 'x')$$),
    ('user delete', $$delete from app.users where id = t.id('student')$$),
    ('session write', $$update app.sessions set revoked_at = now()$$),
    ('course of mine', $$insert into app.courses (id, org_id, owner_id, title) values (t.id('new'), t.id('A'), app.user_id(), 'x')$$),
    ('course of teacher', $$insert into app.courses (id, org_id, owner_id, title) values (t.id('new'), t.id('A'), t.id('teacher'), 'x')$$),
    ('course update', $$update app.courses set title = 'x' where id = t.id('c.main')$$),
    ('course owner', $$update app.courses set owner_id = t.id('other') where id = t.id('c.main')$$),
    ('course delete', $$delete from app.courses where id = t.id('c.main')$$),
    ('code insert', $$insert into app.course_codes (course_id, org_id, code) values (t.id('c.main'), t.id('A'), 'abcdef')$$),
    ('code update', $$update app.course_codes set code = 'abcdef' where course_id = t.id('c.code')$$),
    ('staff insert', $$insert into app.course_staff (course_id, user_id, org_id, role) values (t.id('c.main'), t.id('other'), t.id('A'), 'teacher')$$),
    ('staff delete', $$delete from app.course_staff where course_id = t.id('c.main') and user_id = t.id('helper')$$),
    ('staff update', $$update app.course_staff set role = 'teacher'$$),
    ('enrol', $$insert into app.enrollments (id, org_id, course_id, user_id) values (t.id('new'), t.id('A'), t.id('c.main'), t.id('outsider'))$$),
    ('complete', $$update app.enrollments set status = 'completed' where id = t.id('e.main.student')$$),
    ('withdraw', $$update app.enrollments set status = 'withdrawn' where id = t.id('e.main.student')$$),
    ('unenrol', $$delete from app.enrollments where id = t.id('e.main.student')$$),
    ('import', $$insert into app.enrollment_imports (id, org_id, course_id, created_by, digest, atomic, total) values (t.id('new'), t.id('A'), t.id('c.main'), app.user_id(), repeat('b', 64), true, 0)$$),
    ('import update', $$update app.enrollment_imports set undone_at = now()$$),
    ('announce', $$insert into app.announcements (id, org_id, course_id, author_id, title, body) values (t.id('new'), t.id('A'), t.id('c.main'), app.user_id(), 'x', 'y')$$),
    ('announce to all', $$insert into app.announcements (id, org_id, author_id, title, body) values (t.id('new'), t.id('A'), app.user_id(), 'x', 'y')$$),
    ('announce as teacher', $$insert into app.announcements (id, org_id, course_id, author_id, title, body) values (t.id('new'), t.id('A'), t.id('c.main'), t.id('teacher'), 'x', 'y')$$),
    ('announcement update', $$update app.announcements set title = 'x' where id = t.id('n.main')$$),
    ('announcement delete', $$delete from app.announcements where id = t.id('n.main')$$),
    ('read main', $$insert into app.announcement_reads (announcement_id, user_id, org_id) values (t.id('n.main'), app.user_id(), t.id('A')) on conflict do nothing$$),
    ('event', $$insert into app.events (id, org_id, kind, actor_id) values (t.id('new'), t.id('A'), 'x', app.user_id())$$),
    ('event of student', $$insert into app.events (id, org_id, kind, actor_id) values (t.id('new'), t.id('A'), 'x', t.id('student'))$$),
    ('event update', $$update app.events set kind = 'y'$$),
    ('audit insert', $$insert into app.audit_logs (id, chain, seq, org_id, action, target_type, prev_hash, hash) values (t.id('new'), 0, 1, t.id('A'), 'x', 'y', sha256(''), sha256(''))$$),
    ('audit delete', $$delete from app.audit_logs$$),
    ('audit truncate', $$truncate app.audit_logs$$),
    ('password', $$update app.credentials set password_hash = 'x'$$),
    ('token', $$insert into app.refresh_tokens (digest, session_id, org_id, expires_at) values (sha256('q'), t.id('s.student'), t.id('A'), now() + interval '1 day')$$),
    ('key', $$insert into app.idempotency_keys (org_id, user_id, key, route, digest, expires_at) values (t.id('A'), app.user_id(), 'k', 'r', sha256('x'), now() + interval '1 day')$$),
    ('key of student', $$update app.idempotency_keys set status = 200 where user_id = t.id('student')$$);

create temp table answers (what text, admin text, teacher text, coteacher text, helper text,
                           other text, student text, outsider text, badmin text, nobody text);
insert into answers values
--   what                   admin    teacher  coteach  helper   other    student  outsider badmin   nobody
    ('org update',          '1',     '0',     '0',     '0',     '0',     '0',     '0',     '0',     '0'),
    ('org slug',            '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501'),
    ('org insert',          '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501'),
    ('org delete',          '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501'),
    ('user rename',         '0',     '0',     '0',     '0',     '0',     '1',     '0',     '0',     '0'),
    ('user role',           '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501'),
    ('user email',          '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501'),
    ('user insert',         '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501'),
    ('user delete',         '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501'),
    ('session write',       '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501'),
    ('course of mine',      '1',     '1',     '1',     '23514 courses_owner_role', '1', '23514 courses_owner_role', '23514 courses_owner_role', '23514 courses_owner_role', '23514 courses_owner_role'),
    ('course of teacher',   '1',     '1',     '42501', '42501', '42501', '42501', '42501', '42501', '42501'),
    ('course update',       '1',     '1',     '1',     '0',     '0',     '0',     '0',     '0',     '0'),
    ('course owner',        '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501'),
    ('course delete',       '1',     '1',     '0',     '0',     '0',     '0',     '0',     '0',     '0'),
    ('code insert',         '1',     '1',     '1',     '42501', '42501', '42501', '42501', '42501', '42501'),
    ('code update',         '1',     '0',     '0',     '0',     '1',     '0',     '0',     '0',     '0'),
    ('staff insert',        '1',     '1',     '42501', '42501', '42501', '42501', '42501', '42501', '42501'),
    ('staff delete',        '1',     '1',     '0',     '0',     '0',     '0',     '0',     '0',     '0'),
    ('staff update',        '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501'),
    ('enrol',               '1',     '1',     '1',     '42501', '42501', '42501', '42501', '23514 enrollments_role', '42501'),
    ('complete',            '1',     '1',     '1',     '0',     '0',     '42501', '0',     '0',     '0'),
    ('withdraw',            '1',     '1',     '1',     '0',     '0',     '1',     '0',     '0',     '0'),
    ('unenrol',             '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501'),
    ('import',              '1',     '1',     '1',     '42501', '42501', '42501', '42501', '42501', '42501'),
    ('import update',       '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501'),
    ('announce',            '1',     '1',     '1',     '1',     '42501', '42501', '42501', '42501', '42501'),
    ('announce to all',     '1',     '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501'),
    ('announce as teacher', '42501', '1',     '42501', '42501', '42501', '42501', '42501', '42501', '42501'),
    ('announcement update', '1',     '1',     '1',     '1',     '0',     '0',     '0',     '0',     '0'),
    ('announcement delete', '1',     '1',     '1',     '1',     '0',     '0',     '0',     '0',     '0'),
    ('read main',           '1',     '1',     '1',     '1',     '42501', '0',     '42501', '42501', '42501'),
    ('event',               '1',     '1',     '1',     '1',     '1',     '1',     '1',     '42501', '42501'),
    ('event of student',    '42501', '42501', '42501', '42501', '42501', '1',     '42501', '42501', '42501'),
    ('event update',        '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501'),
    ('audit insert',        '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501'),
    ('audit delete',        '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501'),
    ('audit truncate',      '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501'),
    ('password',            '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501'),
    ('token',               '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501', '42501'),
    ('key',                 '1',     '1',     '1',     '1',     '1',     '1',     '1',     '42501', '42501'),
    ('key of student',      '0',     '0',     '0',     '0',     '0',     '1',     '0',     '0',     '0');

select is((select count(*) from answers), (select count(*) from attempts), 'every attempt has its answers');
select is(t.dry(v.who, a.statement), v.answer, v.who || ': ' || a.what)
from attempts a
join answers e using (what)
cross join lateral (values
    ('admin', admin), ('teacher', teacher), ('coteacher', coteacher), ('helper', helper),
    ('other', other), ('student', student), ('outsider', outsider), ('badmin', badmin),
    ('none', nobody)) v (who, answer);

-- Claims of another organisation on one's own rows and of one's own on another's.
select is(t.dry(v.who, v.statement), v.answer, v.what)
from (values
    ('badmin', $$insert into app.courses (id, org_id, owner_id, title) values (t.id('new'), t.id('A'), t.id('badmin'), 'x')$$,
     '23514 courses_owner_role', 'course in another organisation'),
    ('badmin', $$insert into app.courses (id, org_id, owner_id, title) values (t.id('new'), t.id('A'), t.id('teacher'), 'x')$$,
     '42501', 'course in another organisation for its teacher'),
    ('badmin', $$insert into app.courses (id, org_id, owner_id, title) values (t.id('new'), t.id('B'), t.id('teacher'), 'x')$$,
     '23514 courses_owner_role', 'course owned by another organisation''s teacher'),
    ('badmin', $$insert into app.announcements (id, org_id, course_id, author_id, title, body) values (t.id('new'), t.id('B'), t.id('c.main'), t.id('badmin'), 'x', 'y')$$,
     '23503 announcements_course', 'announcement in another organisation''s course'),
    ('badmin', $$insert into app.enrollments (id, org_id, course_id, user_id) values (t.id('new'), t.id('B'), t.id('c.b'), t.id('outsider'))$$,
     '23514 enrollments_role', 'enrollment of another organisation''s student'),
    ('badmin', $$insert into app.enrollments (id, org_id, course_id, user_id) values (t.id('new'), t.id('B'), t.id('c.main'), t.id('bstudent'))$$,
     '23514 enrollments_role', 'enrollment in another organisation''s course'),
    ('badmin', $$insert into app.course_staff (course_id, user_id, org_id, role) values (t.id('c.main'), t.id('bteacher'), t.id('B'), 'teacher')$$,
     '23503 course_staff_course', 'staff of another organisation''s course'),
    ('badmin', $$insert into app.course_staff (course_id, user_id, org_id, role) values (t.id('c.b'), t.id('helper'), t.id('B'), 'assistant')$$,
     '23503 course_staff_user', 'staff from another organisation'),
    ('badmin', $$insert into app.course_codes (course_id, org_id, code) values (t.id('c.main'), t.id('B'), 'abcdef')$$,
     '42501', 'code of another organisation''s course'),
    ('bstudent', $$insert into app.announcement_reads (announcement_id, user_id, org_id) values (t.id('n.org'), t.id('bstudent'), t.id('B'))$$,
     '42501', 'reading another organisation''s announcement'),
    ('bstudent', $$insert into app.events (id, org_id, kind, actor_id) values (t.id('new'), t.id('A'), 'x', null)$$,
     '42501', 'event in another organisation'),
    ('forger', $$insert into app.enrollments (id, org_id, course_id, user_id, source) values (t.id('new'), t.id('B'), t.id('c.b'), t.id('student'), 'self')$$,
     '23514 enrollments_role', 'self-enrollment under another organisation'),
    ('forger', $$insert into app.idempotency_keys (org_id, user_id, key, route, digest, expires_at) values (t.id('B'), t.id('student'), 'k', 'r', sha256('x'), now() + interval '1 day')$$,
     '23503 idempotency_keys_user', 'idempotency key under another organisation'),
    ('orgless', $$insert into app.events (id, org_id, kind) values (t.id('new'), t.id('A'), 'x')$$,
     '42501', 'event without an organisation')
) v (who, statement, answer, what);

-- A join code is seen by the assistant and kept by those who keep the course.
select is(t.dry('other', $$delete from app.course_codes where course_id = t.id('c.code')$$), '23514 courses_join_code',
          'a code in use stays');
insert into app.course_codes (course_id, org_id, code) values (t.id('c.main'), t.id('A'), 'main-code');
select is(t.dry(v.who, s.statement), v.answers[s.n], v.who || ': ' || s.statement)
from (values ('admin', '{1,1,1}'::text[]), ('operator', '{1,1,1}'), ('teacher', '{1,1,1}'), ('coteacher', '{1,1,1}'),
             ('helper', '{1,0,0}'), ('other', '{0,0,0}'), ('student', '{0,0,0}'), ('badmin', '{0,0,0}'),
             ('none', '{0,0,0}')) v (who, answers)
cross join (values (1, $$select code from app.course_codes where course_id = t.id('c.main')$$),
                   (2, $$update app.course_codes set code = 'other-code' where course_id = t.id('c.main')$$),
                   (3, $$delete from app.course_codes where course_id = t.id('c.main')$$)) s (n, statement);

-- Lines of another's import, keys of another, keys with an answer.
select is(t.dry(v.who, v.statement), v.answer, v.who || ': ' || v.statement)
from (values
    ('teacher', $$insert into app.enrollment_import_rows (import_id, org_id, line, email, action) values (t.id('i.main'), t.id('A'), 2, 'x', 'unchanged')$$, '1'),
    ('coteacher', $$insert into app.enrollment_import_rows (import_id, org_id, line, email, action) values (t.id('i.main'), t.id('A'), 2, 'x', 'unchanged')$$, '42501'),
    ('student', $$insert into app.enrollment_import_rows (import_id, org_id, line, email, action) values (t.id('i.main'), t.id('A'), 2, 'x', 'unchanged')$$, '42501'),
    ('bteacher', $$insert into app.enrollment_import_rows (import_id, org_id, line, email, action) values (t.id('i.b'), t.id('A'), 2, 'x', 'unchanged')$$, '42501'),
    ('teacher', $$insert into app.idempotency_keys (org_id, user_id, key, route, digest, expires_at) values (t.id('A'), t.id('student'), 'k', 'r', sha256('x'), now() + interval '1 day')$$, '42501'),
    ('teacher', $$insert into app.idempotency_keys (org_id, user_id, key, route, digest, status, expires_at) values (t.id('A'), t.id('teacher'), 'k', 'r', sha256('x'), 200, now() + interval '1 day')$$, '42501')
) v (who, statement, answer);

-- Ways around.
select is(t.dry('student', v.statement), v.answer, v.what)
from (values
    ($$select from app.events_default$$, '42501', 'a partition by its name'),
    ($$insert into app.events_default (id, org_id, kind) values (t.id('new'), t.id('A'), 'x')$$, '42501', 'writing a partition by its name'),
    ($$set local session_replication_role = replica$$, '42501', 'switching triggers off'),
    ($$alter table app.users disable row level security$$, '42501', 'switching policies off'),
    ($$create policy p on app.users using (true)$$, '42501', 'adding a policy'),
    ($$create table app.mine ()$$, '42501', 'a table in the schema'),
    ($$create table public.mine ()$$, '42501', 'a table in public'),
    ($$create temp table courses ()$$, '42501', 'a temporary table'),
    ($$create function app.f() returns int language sql return 1$$, '42501', 'a function'),
    ($$select app.enrollments_take_place(t.id('c.main'), t.id('outsider'), t.id('new'))$$, '42501', 'an inner function'),
    ($$select app.audit_hash(null)$$, '42501', 'the hash of the trail'),
    ($$select app.audit_verify()$$, '42501', 'verifying the trail'),
    ($$select app.events_make_partitions(1)$$, '42501', 'making partitions'),
    ($$select app.purge_expired(1)$$, '42501', 'purging'),
    ($$select app.uuid_v7()$$, '42501', 'the seeds'' identifiers'),
    ($$value:select count(*) from app.users where length(email) / (case when id = t.id('bstudent') then 0 else 1 end) > 0$$,
     '5', 'a condition that fails on hidden rows never meets them'),
    ($$select from app.users where app.if_match(version, 99)$$, 'LE412', 'if_match on rows in sight'),
    ($$select from app.users where id = t.id('bstudent') and app.if_match(version, 99)$$, '0', 'if_match on rows out of sight')
) v (statement, answer, what);

set local row_security = off;
select is(t.dry('student', 'select from app.' || v.tbl), '42501', 'no policies, no rows: ' || v.tbl)
from (values ('users'), ('courses'), ('enrollments'), ('announcements'), ('audit_logs')) v (tbl);
reset row_security;
select ok(not pg_has_role(a.role, b.role, 'member'), a.role || ' cannot become ' || b.role)
from (values ('lectern_app'), ('lectern_jobs'), ('lectern_ro'), ('lectern_definer')) a (role)
cross join (values ('lectern_owner'), ('lectern_definer'), ('lectern_app'), ('lectern_jobs')) b (role)
where a.role <> b.role;

-- Nobody signs in as the owner, the definer or the reader.
select is(rolcanlogin, rolname in ('lectern_app', 'lectern_jobs'), rolname || ' signs in or not')
from pg_roles where rolname ~ '^lectern_';

select * from finish();
rollback;
