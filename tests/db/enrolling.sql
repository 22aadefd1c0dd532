-- Joining by oneself, importing a list, taking it back.
begin;
set local search_path = t, public;
select no_plan();

-- Joining, each from the same start.
select is(t.dry(who, format('value:select app.enrol_with_code(t.id(''new''), t.id(%L), %L)', course, code)),
          coalesce(answer, t.id('new')::text), who || ' joins ' || course || ' with ' || coalesce(code, 'nothing'))
from (values
    ('outsider', 'c.open', null, null),
    ('outsider', 'c.open', 'anything', null),
    ('outsider', 'c.code', 'right-code', null),
    ('outsider', 'c.code', 'wrong-code', 'LE404'),
    ('outsider', 'c.code', null, 'LE404'),
    ('outsider', 'c.main', null, 'LE404'),
    ('outsider', 'c.old', null, 'LE404'),
    ('outsider', 'c.draft', null, 'LE404'),
    ('outsider', 'c.b', null, 'LE404'),
    ('outsider', 'c.b', 'right-code', 'LE404'),
    ('outsider', 'c.none', null, 'LE404'),
    ('bstudent', 'c.code', 'right-code', 'LE404'),
    ('student', 'c.main', null, '42501 enrollments_closed'),
    ('bstudent', 'c.b', null, t.id('e.b.bstudent')::text),
    ('other', 'c.open', null, '23514 enrollments_role'),
    ('parent', 'c.open', null, '23514 enrollments_role'),
    ('none', 'c.open', null, 'LE404'),
    ('orgless', 'c.open', null, 'LE404'),
    ('forger', 'c.open', null, 'LE404'),
    ('forger', 'c.b', null, '23514 enrollments_role')) v (who, course, code, answer);

update app.courses set visibility = 'catalogue' where id = t.id('c.code');
select is(t.dry('outsider', $$select app.enrol_with_code(t.id('new'), t.id('c.code'), 'wrong-code')$$), '42501 enrollments_code', 'a wrong code where the course is seen');
select is(t.dry('outsider', $$insert into app.enrollments (id, org_id, course_id, user_id, source) values (t.id('new'), t.id('A'), t.id('c.code'), t.id('outsider'), 'self')$$),
          '42501', 'no way into it by a plain row');
update app.courses set ends_at = now() where id = t.id('c.open');
select is(t.dry('outsider', $$select app.enrol_with_code(t.id('new'), t.id('c.open'), null)$$), '42501 enrollments_closed', 'a course that is over');
select is(t.dry('outsider', $$insert into app.enrollments (id, org_id, course_id, user_id, source) values (t.id('new'), t.id('A'), t.id('c.open'), t.id('outsider'), 'self')$$),
          '42501', 'nor by a plain row');
update app.courses set ends_at = null where id = t.id('c.open');

-- A plain row into an open course, and what may not be in it.
select is(t.dry(who, format('insert into app.enrollments (id, org_id, course_id, user_id, source, status, ends_at) values (t.id(''new''), t.id(''A''), t.id(%L), t.id(%L), %L, %L, %L)', 'c.open', usr, source, status, ends)), answer,
          format('%s enrols %s as %s %s %s', who, usr, source, status, ends))
from (values
    ('outsider', 'outsider', 'self', 'active', null, '1'),
    ('outsider', 'student', 'self', 'active', null, '42501'),
    ('outsider', 'outsider', 'manual', 'active', null, '42501'),
    ('outsider', 'outsider', 'self', 'completed', null, '42501'),
    ('outsider', 'outsider', 'self', 'active', 'infinity', '42501'),
    ('teacher', 'outsider', 'self', 'active', null, '42501')) v (who, usr, source, status, ends, answer);

-- Again, after leaving, and what one may not give oneself.
select is(t.act('outsider', $$value:select app.enrol_with_code(t.id('j1'), t.id('c.open'), null)$$), t.id('j1')::text, 'joined');
select is(t.act('outsider', $$value:select app.enrol_with_code(t.id('j2'), t.id('c.open'), null)$$), t.id('j1')::text, 'joining twice is one enrollment');
select is(t.dry('outsider', $$update app.enrollments set status = 'withdrawn', ends_at = 'infinity' where id = t.id('j1')$$), '42501', 'leaving does not prolong');
select is(t.act('outsider', $$update app.enrollments set status = 'withdrawn' where id = t.id('j1')$$), '1', 'left');
select is(t.dry('outsider', $$update app.enrollments set status = 'active' where id = t.id('j1')$$), '0', 'no way back by a plain change');
select is(t.act('outsider', $$value:select app.enrol_with_code(t.id('j3'), t.id('c.open'), null)$$), t.id('j1')::text, 'back by joining');
select is((select status || version from app.enrollments where id = t.id('j1')), 'active3', 'the same enrollment lives again');
select is(t.act('student', $$value:select app.enrol_with_code(t.id('j4'), t.id('c.open'), null)$$), t.id('j4')::text, 'the second of two seats');
select is(t.dry('done', $$select app.enrol_with_code(t.id('j5'), t.id('c.open'), null)$$), '23514 enrollments_seats', 'there is no third');
select is(t.dry('other', $$update app.enrollments set status = 'completed' where id = t.id('j1')$$), '1', 'who has completed ...');
select is(t.dry('other', $$with c as (update app.enrollments set status = 'completed' where id = t.id('j1') returning 1)
                           select * from c$$), '1', '... gives the seat back');

-- Importing. Only student, late, early are active in main; gone is withdrawn, done has completed.
create function pg_temp.import(batch text, flags text, emails text[], course text default 'c.main') returns text language sql return
    format($f$value:select string_agg(line || ' ' || action || coalesce(' ' || code, ''), ', ' order by line)
              from app.enrollment_import(t.id(%L), t.id(%L), %L, array(select generate_series(1, %s)),
                   array(select t.id(%L || n) from generate_series(1, %s) n), %s, repeat('a', 64))$f$,
           batch, course, emails, cardinality(emails), batch, cardinality(emails), flags);
create temp table list as select array['outsider@a.example', ' GONE@a.example ', 'student@a.example', 'done@a.example'] as good,
    array['outsider@a.example', 'outsider@A.example', 'nobody@a.example', 'bstudent@b.example', 'teacher@a.example', 'disabled@a.example', 'not an address', ''] as mixed;

create temp table before as select * from app.enrollments;
create function pg_temp.untouched() returns bool language sql return
    not exists (select * from app.enrollments except select * from before)
    and (select count(*) from app.enrollments) = (select count(*) from before)
    and (select count(*) = 2 from app.enrollment_imports) and (select count(*) = 2 from app.enrollment_import_rows);

select is(t.act('teacher', pg_temp.import('b1', 'false, true', good)), '1 enrol, 2 reactivate, 3 unchanged, 4 unchanged', 'a dry run tells') from list;
select ok(pg_temp.untouched(), 'and writes nothing');
select is(t.act('teacher', pg_temp.import('b1', 'true, false', mixed)),
          '1 enrol, 2 error duplicate_line, 3 error user_unknown, 4 error user_unknown, 5 error not_a_student, 6 error user_unknown, 7 error email_invalid, 8 error email_invalid',
          'all or nothing tells each line') from list;
select ok(pg_temp.untouched(), 'and writes nothing when one fails');
select is(t.dry(who, pg_temp.import('b1', flags, good)), answer, who || ' imports with ' || flags)
from list, (values ('other', 'false, true', 'LE404'), ('outsider', 'false, true', 'LE404'), ('student', 'false, true', '42501'),
             ('helper', 'false, false', '42501'), ('badmin', 'false, true', 'LE404'), ('none', 'false, true', 'LE404')) v (who, flags, answer);
select is(t.dry('teacher', pg_temp.import('b1', 'false, true', good, 'c.old')), '23514 enrollments_course_archived', 'an archived course') from list;
select is(t.dry('teacher', pg_temp.import('b1', 'true, false', '{}')), null, 'an empty list');
select is(t.dry('other', pg_temp.import('b1', 'false, true', array['done@a.example', 'outsider@a.example'], 'c.open')),
          '1 error course_full, 2 unchanged', 'a full course');
select is(t.dry('admin', pg_temp.import('b1', 'true, false', good)), '1 enrol, 2 reactivate, 3 unchanged, 4 unchanged', 'the admin imports too') from list;
select is(t.dry('teacher', pg_temp.import('b1', 'false, false', mixed)) ~ '^1 enrol, 2 error', true, 'without the flag the good lines go in') from list;
select is(t.act('teacher', pg_temp.import('b1', 'true, false', good)), '1 enrol, 2 reactivate, 3 unchanged, 4 unchanged', 'an import') from list;
select is((select total || ' ' || enrolled || ' ' || reactivated || ' ' || unchanged || ' ' || failed from app.enrollment_imports where id = t.id('b1')), '4 1 1 2 0', 'is counted');
select is((select string_agg(line || email || action || coalesce(previous_status, ''), ' ' order by line) from app.enrollment_import_rows where import_id = t.id('b1')),
          '1outsider@a.exampleenrol 2gone@a.examplereactivatewithdrawn 3student@a.exampleunchanged 4done@a.exampleunchanged', 'and kept line by line');
select is((select status || source || (import_id = t.id('b1')) from app.enrollments where id = t.id('b11')), 'activeimporttrue', 'the new enrollment has the given identifier');
select is((select status from app.enrollments where id = t.id('e.main.gone')), 'active', 'the withdrawn one is back');
select is(t.dry('teacher', pg_temp.import('b1', 'true, false', good)), '23505 enrollment_imports_pkey', 'a batch has one identifier') from list;
select is(t.dry('coteacher', $$select from app.enrollment_import_rows where import_id = t.id('b1')$$), '4', 'the co-teacher sees it');
select is(t.dry('other', $$select from app.enrollment_import_rows where import_id = t.id('b1')$$), '0', 'another teacher does not');

-- Taking it back.
create function pg_temp.undo(batch text) returns text language sql return
    format('value:select u::text from app.enrollment_import_undo(t.id(%L)) u', batch);
select is(t.dry(who, pg_temp.undo('b1')), answer, who || ' takes the batch back')
from (values ('teacher', '(1,0,1)'), ('coteacher', '(1,0,1)'), ('admin', '(1,0,1)'), ('other', 'LE404'), ('helper', 'LE404'),
             ('student', 'LE404'), ('badmin', 'LE404'), ('none', 'LE404')) v (who, answer);
select is(t.dry('teacher', pg_temp.undo('nothing')), 'LE404', 'no such batch');
savepoint imported;
update app.enrollments set status = 'completed' where id in (t.id('b11'), t.id('e.main.gone'));
select is(t.act('teacher', pg_temp.undo('b1')), '(0,1,0)', 'what has changed since is not removed');
select is((select string_agg(status, ' ' order by status) from app.enrollments where id in (t.id('b11'), t.id('e.main.gone'))), 'completed withdrawn', 'but withdrawn, or left');
rollback to imported;
select is(t.act('teacher', pg_temp.undo('b1')), '(1,0,1)', 'taken back');
select is((select count(*)::int from app.enrollments where id = t.id('b11')), 0, 'the new one is gone');
select is((select status from app.enrollments where id = t.id('e.main.gone')), 'withdrawn', 'the other as it was');
select is((select enrollment_id is null from app.enrollment_import_rows where import_id = t.id('b1') and line = 1), true, 'the record stays');
select is(t.dry('teacher', pg_temp.undo('b1')), '23514 enrollment_imports_undone', 'once');

-- A list of some size.
insert into app.users (id, org_id, email, name)
select t.id('bulk' || n), t.id('A'), 'bulk' || n || '@a.example', 'Bulk' from generate_series(1, 2000) n;
update app.courses set seats = 1500 where id = t.id('c.main');
select is(t.act('teacher', $$value:select action || count(*) from app.enrollment_import(t.id('b2'), t.id('c.main'),
              array(select 'bulk' || n || '@a.example' from generate_series(1, 2000) n), array(select generate_series(1, 2000)),
              array(select t.id('bulk.e' || n) from generate_series(1, 2000) n), false, false, repeat('c', 64))
              where code = 'course_full' group by action$$), 'error503', 'two thousand lines meet the last seats');
select is((select count(*)::int from app.enrollments where course_id = t.id('c.main') and status = 'active'), 1500, 'every seat is taken, none twice');

select * from finish();
rollback;
