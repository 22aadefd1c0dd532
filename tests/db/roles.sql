-- Changes of role and of ownership.
begin;
set local search_path = t, public;
select no_plan();

select is(t.dry(who, format('select from app.set_user_role(t.id(%L), %L, %s)', usr, new, coalesce(ver, 'null'))), answer,
          who || ' makes ' || usr || ' ' || new || coalesce(' at version ' || ver, ''))
from (values
    ('admin', 'student', 'teacher', null, '1'),
    ('admin', 'student', 'admin', '1', '1'),
    ('admin', 'student', 'student', null, '1'),
    ('admin', 'student', 'operator', null, '42501 users_role_too_high'),
    ('admin', 'operator', 'student', null, '42501 users_role_too_high'),
    ('operator', 'student', 'operator', null, '1'),
    ('operator', 'operator', 'student', null, '1'),
    ('admin', 'student', 'teacher', '2', 'LE412'),
    ('admin', 'student', 'wizard', null, '23514 users_role'),
    ('admin', 'bstudent', 'teacher', null, 'LE404'),
    ('admin', 'nobody', 'teacher', null, 'LE404'),
    ('admin', 'admin', 'teacher', null, '23514 users_last_admin'),
    ('operator', 'admin', 'teacher', null, '23514 users_last_admin'),
    ('operator', 'admin', 'operator', null, '23514 users_last_admin'),
    ('teacher', 'student', 'teacher', null, '42501'),
    ('student', 'student', 'admin', null, '42501'),
    ('badmin', 'student', 'teacher', null, 'LE404'),
    ('none', 'student', 'teacher', null, '42501'),
    ('orgless', 'student', 'teacher', null, '42501')) v (who, usr, new, ver, answer);

select is(t.act('admin', $$value:select role || version from app.set_user_role(t.id('student'), 'admin', 1)$$), 'admin2', 'the changed user is returned');
select is((select revoked_reason from app.sessions where id = t.id('s.student')), 'role_changed', 'and signed out');
select is((select count(*)::int from app.sessions where revoked_at is not null), 1, 'nobody else is');
select is(t.act('admin', $$select from app.set_user_role(t.id('admin'), 'teacher', null)$$), '1', 'with two admins one may go');
update app.users set role = 'admin' where id = t.id('admin');
update app.users set status = 'disabled' where id = t.id('student');
select is(t.dry('admin', $$select from app.set_user_role(t.id('admin'), 'teacher', null)$$), '23514 users_last_admin', 'a disabled admin does not count');
update app.users set role = 'student', status = 'active' where id = t.id('student');

-- A teacher who is one no more keeps the courses' ownership, but no rights from it.
select is(t.act('admin', $$select from app.set_user_role(t.id('coteacher'), 'student', null)$$), '1', 'a co-teacher becomes student');
update t.persons set role = 'student' where name = 'coteacher';
select is(t.dry('coteacher', $$update app.courses set title = 'x'$$), '0', 'and changes no course');
select is(t.dry('coteacher', $$select from app.enrollments$$), '0', 'and sees no members');
update t.persons set role = 'teacher' where name = 'coteacher';
update t.persons set role = 'student' where name = 'teacher';
select is(t.dry('teacher', v.s), '0', 'an owner who is no teacher: ' || v.s)
from (values ('select from app.enrollments'), ('select from app.courses where title = ''Main'''),
             ('update app.courses set title = ''x'''), ('delete from app.courses'),
             ('select from app.announcements where course_id is not null')) v (s);
update t.persons set role = 'teacher' where name = 'teacher';
update app.users set role = 'teacher' where id = t.id('coteacher');

-- A teacher who only assists sees the members and changes nothing of the course.
insert into app.course_staff (course_id, user_id, org_id, role) values (t.id('c.main'), t.id('other'), t.id('A'), 'assistant');
select is(t.dry('other', v.s), v.a, 'a teacher who assists: ' || v.s)
from (values ('select from app.enrollments', '5'), ('update app.courses set title = ''x'' where title = ''Main''', '0'),
             ('update app.enrollments set status = ''withdrawn''', '0'),
             ('insert into app.course_codes values (t.id(''c.main''), t.id(''A''), ''abcdef'')', '42501')) v (s, a);
delete from app.course_staff where user_id = t.id('other');

select is(t.dry(who, format('select from app.course_transfer(t.id(%L), t.id(%L), %s)', course, new, coalesce(ver, 'null'))), answer,
          who || ' hands ' || course || ' to ' || new || coalesce(' at version ' || ver, ''))
from (values
    ('teacher', 'c.main', 'other', null, '1'),
    ('teacher', 'c.main', 'coteacher', '1', '1'),
    ('teacher', 'c.main', 'teacher', null, '1'),
    ('teacher', 'c.main', 'admin', null, '1'),
    ('admin', 'c.main', 'other', null, '1'),
    ('operator', 'c.main', 'other', null, '1'),
    ('teacher', 'c.main', 'other', '7', 'LE412'),
    ('teacher', 'c.main', 'student', null, '23514 courses_owner_role'),
    ('teacher', 'c.main', 'bteacher', null, '23514 courses_owner_role'),
    ('teacher', 'c.main', 'nobody', null, '23514 courses_owner_role'),
    ('teacher', 'c.code', 'teacher', null, 'LE404'),
    ('teacher', 'c.open', 'teacher', null, '42501'),
    ('coteacher', 'c.main', 'coteacher', null, '42501'),
    ('helper', 'c.main', 'coteacher', null, '42501'),
    ('student', 'c.main', 'coteacher', null, '42501'),
    ('student', 'c.draft', 'coteacher', null, 'LE404'),
    ('outsider', 'c.main', 'coteacher', null, 'LE404'),
    ('badmin', 'c.main', 'bteacher', null, 'LE404'),
    ('admin', 'c.b', 'teacher', null, 'LE404'),
    ('none', 'c.open', 'teacher', null, 'LE404'),
    ('orgless', 'c.main', 'teacher', null, 'LE404')) v (who, course, new, ver, answer);

select is(t.act('teacher', $$value:select version from app.course_transfer(t.id('c.main'), t.id('coteacher'), 1)$$), '2', 'the changed course is returned');
select is((select string_agg(u.name || ' ' || s.role, ', ' order by u.name) from app.course_staff s join app.users u on u.id = s.user_id where s.course_id = t.id('c.main')),
          'helper assistant, teacher teacher', 'the old owner stays as co-teacher, the new one is staff no more');
select is(t.dry('teacher', $$select from app.course_transfer(t.id('c.main'), t.id('teacher'), null)$$), '42501', 'and cannot take it back');
select is(t.dry('coteacher', $$delete from app.courses where id = t.id('c.main')$$), '1', 'the new owner is owner');

select * from finish();
rollback;
