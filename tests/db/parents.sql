-- Parents: how a link comes to be, what it opens, and that nothing else is opened, then or later.
begin;
set local search_path = t, public;
select no_plan();

-- Somebody's answer as the role that signs in, kept.
create function pg_temp.does(who text, statement text, answer text, why text) returns text language sql as $$
    select is(t.act(who, statement), answer, who || ': ' || why)
$$;
-- What the parent sees of every table that anyone may read, in one line.
create function pg_temp.sees(who text) returns text language sql as $$
    select string_agg(v.tbl || ' ' || t.dry(who, 'select from app.' || v.tbl), ', ' order by v.n)
    from (values (1, 'orgs'), (2, 'users'), (3, 'sessions'), (4, 'courses'), (5, 'course_codes'), (6, 'course_staff'),
                 (7, 'enrollments'), (8, 'enrollment_imports'), (9, 'enrollment_import_rows'), (10, 'announcements'),
                 (11, 'announcement_reads'), (12, 'events'), (13, 'audit_logs'), (14, 'idempotency_keys'),
                 (15, 'exports'), (16, 'export_parts')) v (n, tbl)
$$;
create temp table nothing as select 'orgs 1, users 5, sessions 1, courses 1, course_codes 0, course_staff 0, enrollments 0, '
    'enrollment_imports 0, enrollment_import_rows 0, announcements 1, announcement_reads 0, events 0, audit_logs 0, '
    'idempotency_keys 0, exports 0, export_parts 0' as seen;

insert into app.users (id, org_id, email, name, role) values
    (t.id('parent2'), t.id('A'), 'parent2@a.example', 'parent2', 'parent'),
    (t.id('bparent'), t.id('B'), 'bparent@b.example', 'bparent', 'parent');
insert into t.persons select name, id, org_id, role from app.users where name in ('parent2', 'bparent');
-- Staff of the course who are students, its code, and what only its staff know.
update app.courses set visibility = 'private' where id = t.id('c.main');
insert into app.exports (id, org_id, user_id, expires_at) values (t.id('x'), t.id('A'), t.id('student'), now() + interval '1 day');

select is(pg_temp.sees('parent'), seen, 'without a link a parent sees what anyone does') from nothing;

-- Asking: one answer, whoever it was for.
select pg_temp.does('parent', format('select app.parent_link_ask(t.id(%L), %s, %s)', 'ask.' || v.n, v.student, v.address), '1', 'asks ' || v.n)
from (values (1, 't.id(''teacher'')', 'null'), (2, 't.id(''nobody'')', 'null'), (3, 't.id(''bstudent'')', 'null'),
             (4, 'null', '''bstudent@b.example'''), (5, 'null', '''nobody@a.example'''), (6, 't.id(''disabled'')', 'null'),
             (7, 't.id(''parent'')', 'null'), (8, 'null', 'null'), (9, 't.id(''student'')', 'null'),
             (10, 'null', '''student@a.example'''), (11, 'null', '''done@a.example''')) v (n, student, address);
select is((select string_agg(u.name || ' ' || l.status, ', ' order by u.name) from app.parent_links l join app.users u on u.id = l.student_id),
          'done pending, student pending', 'only students of the organisation are asked for, each once');
select pg_temp.does('parent', 'select from app.parent_links', '0', 'sees nothing of what was asked');
select pg_temp.does('parent', 'update app.parent_links set status = ''approved''', '0', 'approves nothing');
select pg_temp.does('parent', 'insert into app.parent_links (id, org_id, parent_id, student_id, status, source, decided_at) '
                    'values (t.id(''new''), t.id(''A''), t.id(''parent''), t.id(''late''), ''approved'', ''code'', now())', '42501', 'makes no link');
select pg_temp.does('student', 'select from app.parent_links', '1', 'sees who asks');
select pg_temp.does('student', 'update app.parent_links set status = ''approved''', '0', 'does not decide');
select pg_temp.does('teacher', 'select from app.parent_links', '0', 'sees no links');
select pg_temp.does('badmin', 'select from app.parent_links', '0', 'sees none of another organisation');
select pg_temp.does('admin', 'select from app.parent_links', '2', 'sees all');
select is(pg_temp.sees('parent'), seen, 'asking opens nothing') from nothing;

-- Granted.
select pg_temp.does('admin', 'update app.parent_links set status = ''approved'' where student_id = t.id(''student'')', '1', 'approves');
select is((select decided_by from app.parent_links where student_id = t.id('student')), t.id('admin'), 'who decided is kept');
select is(pg_temp.sees('parent'),
          'orgs 1, users 5, sessions 1, courses 3, course_codes 0, course_staff 0, enrollments 3, enrollment_imports 0, '
          'enrollment_import_rows 0, announcements 2, announcement_reads 0, events 0, audit_logs 0, idempotency_keys 0, '
          'exports 0, export_parts 0', 'a link opens enrollments, courses and announcements, and nothing else');
select is(t.dry('parent', 'value:select string_agg(distinct user_id::text, '' '') from app.enrollments'), t.id('student')::text, 'enrollments of that student only');
select is(t.dry('parent', 'value:select string_agg(title, '' '' order by title) from app.courses'), 'Main Old Open', 'courses that the student attends, no draft');
select is(t.dry('parent', 'value:select string_agg(title, '' '' order by title) from app.announcements'), 'main org', 'announcements that are out');
select is(t.dry('parent', 'value:select count(*) from app.users where role not in (''teacher'', ''admin'') and id <> t.id(''parent'')'), '0', 'no address of a student');
select is(t.dry('parent', 'value:select parent_name || '' '' || student_name from app.parent_link_names((select id from app.parent_links))'), 'parent student', 'the names of the link');
select is(t.dry('parent', v.statement), v.answer, 'parent changes nothing: ' || v.statement)
from (values ('update app.enrollments set status = ''withdrawn''', '0'), ('update app.courses set title = ''x''', '0'),
             ('delete from app.announcements', '0'), ('update app.announcements set title = ''x''', '0'),
             ('update app.users set name = ''x''', '1'), ('delete from app.courses', '0'),
             ('insert into app.enrollments (id, org_id, course_id, user_id) values (t.id(''n''), t.id(''A''), t.id(''c.open''), t.id(''student''))', '42501'),
             ('update app.parent_links set status = ''pending''', '23514 parent_links_order'), ('update app.parent_links set student_id = t.id(''done'')', '42501')) v (statement, answer);
select is(t.dry(v.who, 'value:select app.parent_students() || app.parent_courses()'), '{}', v.who || ' has no students')
from (values ('parent2'), ('bparent'), ('student'), ('teacher'), ('admin'), ('none'), ('orgless'), ('userless')) v (who);
select is(pg_temp.sees('parent2'), replace(seen, 'sessions 1', 'sessions 0'), 'another parent sees nothing of it') from nothing;
-- A parent of A who says to be of B.
insert into t.persons values ('strayed', t.id('parent'), t.id('B'), 'parent');
select is(t.dry('strayed', 'select from app.enrollments') || t.dry('strayed', 'select from app.parent_links'), '00', 'the organisation counts');

-- For who is no parent the policies call nothing: the functions behind them would be an error here.
create function pg_temp.broken() returns void language plpgsql as $$
begin
    execute 'create or replace function app.parent_students() returns uuid[] language plpgsql stable security definer '
            'set search_path = pg_catalog, pg_temp as $f$ begin raise exception using errcode = ''TT001''; end $f$';
end $$;
savepoint whole;
select pg_temp.broken();
select is(t.act(v.who, 'select from app.' || v.tbl), v.n, v.who || ' reads ' || v.tbl || ' without it')
from (values ('student', 'enrollments', '3'), ('student', 'courses', '3'), ('student', 'announcements', '2'), ('teacher', 'enrollments', '7'),
             ('admin', 'courses', '5'), ('outsider', 'courses', '1'), ('parent', 'enrollments', 'TT001')) v (who, tbl, n);
rollback to whole;

-- The way of a link.
select is(t.dry('admin', format('update app.parent_links set status = %L where student_id = t.id(%L)', v.status, v.student)), v.answer,
          format('of %s: %s', v.student, v.status))
from (values ('student', 'approved', '1'), ('student', 'ended', '1'), ('student', 'pending', '23514 parent_links_order'),
             ('student', 'rejected', '23514 parent_links_order'), ('done', 'ended', '23514 parent_links_order'),
             ('done', 'rejected', '1'), ('done', 'approved', '1')) v (student, status, answer);

-- The student leaves a course, or the school, or is no student any more.
create function pg_temp.after(statement text) returns text language plpgsql as $$
declare
    seen text;
begin
    begin
        execute statement;
        seen := pg_temp.sees('parent');
        raise exception using errcode = 'TT000';
    exception when sqlstate 'TT000' then
    end;
    return seen;
end $$;
select is(pg_temp.after(v.statement), n.seen, v.statement)
from nothing n, (values ('update app.users set status = ''disabled'' where id = t.id(''student'')'),
                        ('update app.users set role = ''analyst'' where id = t.id(''student'')'),
                        ('update app.parent_links set status = ''ended'' where student_id = t.id(''student'')'),
                        ('delete from app.parent_links'),
                        ('delete from app.users where id = t.id(''student'')')) v (statement);
select matches(pg_temp.after('update app.enrollments set status = ''withdrawn'' where user_id = t.id(''student'')'),
               'courses 1, .* enrollments 3, .* announcements 1,', 'of a course that the student has left only the enrollment stays');
select matches(pg_temp.after('update app.enrollments set ends_at = now() where user_id = t.id(''student'')'),
               'courses 1, .* announcements 1,', 'dates of access count');
select is(pg_temp.after('update app.users set role = ''student'' where id = t.id(''parent'')') is null, false, 'and the role is the session''s');
select throws_ok('update app.parent_links set status = ''approved'', student_id = t.id(''teacher'') where student_id = t.id(''done'')', '23514', null, 'a teacher is nobody''s child');
update app.users set status = 'disabled' where id = t.id('done');
select pg_temp.does('admin', 'update app.parent_links set status = ''approved'' where student_id = t.id(''done'')', '23514 parent_links_roles', 'approves none who has left');

-- Ended: by the parent, for good.
select pg_temp.does('student', 'update app.parent_links set status = ''ended'' where status = ''approved''', '0', 'does not undo what an admin approved');
select pg_temp.does('parent', 'update app.parent_links set status = ''ended''', '1', 'ends it');
select is(pg_temp.sees('parent'), seen, 'an ended link opens nothing') from nothing;
select pg_temp.does('parent', 'select from app.parent_links', '1', 'sees that it ended');
select is(t.dry('parent', 'select from app.parent_link_names((select id from app.parent_links))'), '0', 'but no name any more');
select pg_temp.does('parent', 'update app.parent_links set status = ''approved''', '0', 'does not take it up again');
select pg_temp.does('parent', 'select app.parent_link_ask(t.id(''again''), t.id(''student''), null)', '1', 'may ask again');
select is((select status from app.parent_links where student_id = t.id('student')), 'pending', 'and waits again');

-- The code.
select pg_temp.does('student', 'value:select app.parent_link_code_put(sha256(''old''), 5) > now()', 'true', 'makes a code');
select pg_temp.does('student', 'value:select app.parent_link_code_put(sha256(''code''), 5) > now()', 'true', 'makes another');
select pg_temp.does(v.who, 'select app.parent_link_code_put(sha256(''c''), 5)', '42501', 'makes no code')
from (values ('parent'), ('teacher'), ('admin'), ('disabled'), ('forger'), ('none')) v (who);
select pg_temp.does(v.who, 'select app.parent_link_redeem(t.id(''r''), sha256(''code''))', '42501', 'uses no code')
from (values ('student'), ('teacher'), ('admin'), ('strayed'), ('none')) v (who);
select pg_temp.does('bparent', 'value:select app.parent_link_redeem(t.id(''r''), sha256(''code''))', null, 'knows a code of another organisation');
select pg_temp.does('parent2', 'value:select app.parent_link_redeem(t.id(''r''), sha256(''old''))', null, 'has the code that is void');
select pg_temp.does('parent2', 'value:select app.parent_link_redeem(t.id(''r''), sha256(''code''))', t.id('r')::text, 'is tied at once');
select pg_temp.does('parent', 'value:select app.parent_link_redeem(t.id(''q''), sha256(''code''))', null, 'comes second');
select is(t.dry('parent2', 'select from app.enrollments'), '3', 'the code opens the same');
select is((select string_agg(u.name || ' ' || l.status || ' ' || l.source, ', ' order by u.name) from app.parent_links l join app.users u on u.id = l.parent_id where l.student_id = t.id('student')),
          'parent pending request, parent2 approved code', 'and the other link is as it was');
select pg_temp.does('student', 'update app.parent_links set status = ''ended'' where source = ''code''', '1', 'takes back what the code gave');
select is(t.dry('parent2', 'select from app.enrollments'), '0', 'then nothing is open');
select pg_temp.does('student', 'value:select app.parent_link_code_put(sha256(''late''), 5) > now()', 'true', 'makes a third');
update app.parent_link_codes set created_at = now() - interval '1 hour', expires_at = now() - interval '1 second';
select pg_temp.does('parent2', 'value:select app.parent_link_redeem(t.id(''r''), sha256(''late''))', null, 'comes too late');
select is((select app.person_purge(9)), 1, 'what has expired goes');

-- Ten wrong ones, then the right one is wrong too, for an hour.
select pg_temp.does('student', 'value:select app.parent_link_code_put(sha256(''right''), 5) > now()', 'true', 'makes a fourth');
delete from app.parent_link_tries;
select pg_temp.does('parent2', format('value:select app.parent_link_redeem(t.id(''r''), sha256(%L))', 'wrong' || n), null, 'guesses ' || n) from generate_series(1, 10) n;
select pg_temp.does('parent2', 'value:select app.parent_link_redeem(t.id(''r''), sha256(''right''))', null, 'is refused');
select is((select failures from app.parent_link_tries), 10, 'the count is bounded');
update app.parent_link_tries set since = now() - interval '61 minutes';
select pg_temp.does('parent2', 'value:select app.parent_link_redeem(t.id(''r''), sha256(''right''))', t.id('r')::text, 'may try again after an hour');

-- Bounds.
select throws_ok(v.statement, v.state, null, v.statement)
from (values
    ('insert into app.parent_links (id, org_id, parent_id, student_id, source) values (t.id(''z''), t.id(''A''), t.id(''parent''), t.id(''bstudent''), ''code'')', '23514'),
    ('insert into app.parent_links (id, org_id, parent_id, student_id, source) values (t.id(''z''), t.id(''A''), t.id(''parent''), t.id(''parent''), ''code'')', '23514'),
    ('insert into app.parent_links (id, org_id, parent_id, student_id, source) values (t.id(''z''), t.id(''A''), t.id(''parent''), t.id(''student''), ''code'')', '23505'),
    ('update app.parent_links set source = ''x''', '23514'), ('update app.parent_links set status = ''x''', '23514'),
    ('update app.parent_links set decided_at = null where status = ''approved''', '23514'),
    ('insert into app.parent_link_codes values (t.id(''late''), t.id(''A''), ''x'', now(), now() + interval ''1 s'')', '23514'),
    ('insert into app.parent_link_codes values (t.id(''bstudent''), t.id(''A''), sha256(''''), now(), now() + interval ''1 s'')', '23503'),
    ('insert into app.parent_link_codes values (t.id(''late''), t.id(''A''), sha256(''''), now(), now())', '23514'),
    ('insert into app.parent_link_tries values (t.id(''late''), t.id(''A''), 11, now())', '23514'),
    ('insert into app.parent_link_tries values (t.id(''late''), t.id(''A''), 0, now())', '23514'),
    ('insert into app.parent_link_tries values (t.id(''bstudent''), t.id(''A''), 1, now())', '23503')) v (statement, state);

select * from finish();
rollback;
