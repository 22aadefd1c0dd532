-- Every bound of every table, on its edge and beyond, written with all rights.
begin;
set local search_path = t, public;
select no_plan();

create function pg_temp.org(col text, val text) returns text language sql return
    format('update app.orgs set %I = %s where id = t.id(''A'')', col, val);
create function pg_temp.usr(col text, val text) returns text language sql return
    format('update app.users set %I = %s where id = t.id(''student'')', col, val);
create function pg_temp.crs(col text, val text) returns text language sql return
    format('update app.courses set %I = %s where id = t.id(''c.main'')', col, val);
create function pg_temp.ann(col text, val text) returns text language sql return
    format('update app.announcements set %I = %s where id = t.id(''n.main'')', col, val);
create function pg_temp.enr(col text, val text) returns text language sql return
    format('update app.enrollments set %I = %s where id = t.id(''e.main.student'')', col, val);
create function pg_temp.ses(col text, val text) returns text language sql return
    format('update app.sessions set %I = %s where id = t.id(''s.student'')', col, val);
create function pg_temp.key(col text, val text) returns text language sql return
    format('update app.idempotency_keys set %I = %s where user_id = t.id(''student'')', col, val);
create function pg_temp.evt(col text, val text) returns text language sql return
    format('update app.events set %I = %s where id = t.id(''v.1'')', col, val);
create function pg_temp.imp(col text, val text) returns text language sql return
    format('update app.enrollment_imports set %I = %s where id = t.id(''i.main'')', col, val);

create temp table bounds (statement text, answer text);
insert into bounds values
    (pg_temp.org('name', 'repeat(''x'', 255)'), '1'),
    (pg_temp.org('name', 'repeat(''ü'', 255)'), '1'),
    (pg_temp.org('name', 'repeat(''x'', 256)'), '23514 orgs_name'),
    (pg_temp.org('name', ''''''), '23514 orgs_name'),
    (pg_temp.org('name', 'null'), '23502'),
    (pg_temp.org('name', 'E''a\tb'''), '23514 orgs_name'),
    (pg_temp.org('name', 'E''a\x01b'''), '23514 orgs_name'),
    (pg_temp.org('name', 'E''a\x1fb'''), '23514 orgs_name'),
    (pg_temp.org('name', 'E''u\u0308'''), '23514 orgs_name'),
    (pg_temp.org('slug', '''a'''), '23514 orgs_slug_shape'),
    (pg_temp.org('slug', '''ab'''), '1'),
    (pg_temp.org('slug', 'repeat(''a'', 63)'), '1'),
    (pg_temp.org('slug', 'repeat(''a'', 64)'), '23514 orgs_slug_shape'),
    (pg_temp.org('slug', '''Ab'''), '23514 orgs_slug_shape'),
    (pg_temp.org('slug', 'E''ab\n'''), '23514 orgs_slug_shape'),
    (pg_temp.org('slug', '''org-b'''), '23505 orgs_slug'),
    (pg_temp.org('locale', '''de-DE'''), '1'),
    (pg_temp.org('locale', '''german'''), '23514 orgs_locale'),
    (pg_temp.org('timezone', '''America/Argentina/Ushuaia'''), '1'),
    (pg_temp.org('timezone', ''''''), '23514 orgs_timezone'),
    (pg_temp.org('timezone', 'repeat(''x'', 65)'), '23514 orgs_timezone'),
    (pg_temp.org('settings', '''[]'''), '23514 orgs_settings'),
    (pg_temp.org('settings', 'jsonb_build_object(''a'', repeat(''x'', 32768 - 9))'), '1'),
    (pg_temp.org('settings', 'jsonb_build_object(''a'', repeat(''x'', 32768 - 8))'), '23514 orgs_settings'),
    (pg_temp.usr('email', '''X@a.example'''), '23514 users_email_shape'),
    (pg_temp.usr('email', '''a.example'''), '23514 users_email_shape'),
    (pg_temp.usr('email', '''a@b@c'''), '23514 users_email_shape'),
    (pg_temp.usr('email', '''a b@c'''), '23514 users_email_shape'),
    (pg_temp.usr('email', 'E''a@c\n'''), '23514 users_email_shape'),
    (pg_temp.usr('email', 'repeat(''x'', 64) || ''@'' || repeat(''y'', 189)'), '1'),
    (pg_temp.usr('email', 'repeat(''x'', 64) || ''@'' || repeat(''y'', 190)'), '23514 users_email_shape'),
    (pg_temp.usr('email', 'repeat(''x'', 65) || ''@y'''), '23514 users_email_shape'),
    (pg_temp.usr('email', '''bstudent@b.example'''), '23505 users_email'),
    (pg_temp.usr('name', 'repeat(''x'', 255)'), '1'),
    (pg_temp.usr('name', 'repeat(''x'', 256)'), '23514 users_name'),
    (pg_temp.usr('name', ''''''), '23514 users_name'),
    (pg_temp.usr('role', '''root'''), '23514 users_role'),
    (pg_temp.usr('status', '''away'''), '23514 users_status'),
    (pg_temp.usr('locale', '''EN'''), '23514 users_locale'),
    (pg_temp.usr('timezone', '''/etc'''), '23514 users_timezone'),
    (pg_temp.usr('org_id', 't.id(''B'')'), '23503 credentials_user'),
    (pg_temp.crs('title', 'repeat(''x'', 255)'), '1'),
    (pg_temp.crs('title', 'repeat(''x'', 256)'), '23514 courses_title'),
    (pg_temp.crs('title', 'E''a\nb'''), '23514 courses_title'),
    (pg_temp.crs('title', ''''''), '23514 courses_title'),
    (pg_temp.crs('description', 'E''a\n\tb'''), '1'),
    (pg_temp.crs('description', 'E''a\rb'''), '23514 courses_description'),
    (pg_temp.crs('description', 'repeat(''x'', 2000)'), '1'),
    (pg_temp.crs('description', 'repeat(''x'', 2001)'), '23514 courses_description'),
    (pg_temp.crs('status', '''live'''), '23514 courses_status'),
    (pg_temp.crs('visibility', '''public'''), '23514 courses_visibility'),
    (pg_temp.crs('enrollment', '''free'''), '23514 courses_enrollment'),
    (pg_temp.crs('enrollment', '''code'''), '23514 courses_join_code'),
    (pg_temp.crs('seats', '0'), '23514 courses_seats'),
    (pg_temp.crs('seats', '1'), '1'),
    (pg_temp.crs('seats', '100000'), '1'),
    (pg_temp.crs('seats', '100001'), '23514 courses_seats'),
    (pg_temp.crs('owner_id', 't.id(''other'')'), '23514 courses_owner_fixed'),
    ($$update app.courses set starts_at = now(), ends_at = now() where id = t.id('c.main')$$, '23514 courses_dates'),
    ($$update app.courses set starts_at = now(), ends_at = now() + interval '1 us' where id = t.id('c.main')$$, '1'),
    ($$delete from app.course_codes where course_id = t.id('c.code')$$, '23514 courses_join_code'),
    ($$update app.course_codes set code = 'abcde' where course_id = t.id('c.code')$$, '23514 course_codes_shape'),
    ($$update app.course_codes set code = 'abcdef' where course_id = t.id('c.code')$$, '1'),
    ($$update app.course_codes set code = repeat('a', 64) where course_id = t.id('c.code')$$, '1'),
    ($$update app.course_codes set code = repeat('a', 65) where course_id = t.id('c.code')$$, '23514 course_codes_shape'),
    ($$update app.course_codes set code = 'abc def' where course_id = t.id('c.code')$$, '23514 course_codes_shape'),
    ($$insert into app.course_codes values (t.id('c.main'), t.id('A'), 'right-code')$$, '23505 course_codes_code'),
    ($$insert into app.course_staff values (t.id('c.main'), t.id('other'), t.id('A'), 'grader')$$, '23514 course_staff_kind'),
    ($$insert into app.course_staff values (t.id('c.main'), t.id('teacher'), t.id('A'), 'teacher')$$, '23514 course_staff_owner'),
    ($$insert into app.course_staff values (t.id('c.main'), t.id('student'), t.id('A'), 'teacher')$$, '23514 course_staff_role'),
    ($$insert into app.course_staff values (t.id('c.main'), t.id('student'), t.id('A'), 'assistant')$$, '1'),
    ($$insert into app.course_staff values (t.id('c.main'), t.id('bteacher'), t.id('A'), 'teacher')$$, '23514 course_staff_role'),
    ($$insert into app.courses (id, org_id, owner_id, title) values (t.id('n'), t.id('A'), t.id('student'), 'x')$$, '23514 courses_owner_role'),
    ($$insert into app.courses (id, org_id, owner_id, title) values (t.id('n'), t.id('A'), t.id('bteacher'), 'x')$$, '23514 courses_owner_role'),
    ($$insert into app.courses (id, org_id, owner_id, title) values (t.id('c.b'), t.id('A'), t.id('teacher'), 'x')$$, '23505 courses_pkey'),
    ($$delete from app.users where id = t.id('teacher')$$, '23503 courses_owner'),
    ($$delete from app.orgs where id = t.id('A')$$, '23503 users_org'),
    (pg_temp.enr('status', '''paused'''), '23514 enrollments_status'),
    (pg_temp.enr('source', '''magic'''), '23514 enrollments_source'),
    (pg_temp.enr('import_id', 't.id(''i.b'')'), '23503 enrollments_import'),
    ($$update app.enrollments set starts_at = now(), ends_at = now() where id = t.id('e.main.student')$$, '23514 enrollments_dates'),
    ($$insert into app.enrollments (id, org_id, course_id, user_id) values (t.id('n'), t.id('A'), t.id('c.main'), t.id('student'))$$, '23505 enrollments_member'),
    ($$insert into app.enrollments (id, org_id, course_id, user_id) values (t.id('n'), t.id('A'), t.id('c.main'), t.id('other'))$$, '23514 enrollments_role'),
    ($$insert into app.enrollments (id, org_id, course_id, user_id) values (t.id('n'), t.id('A'), t.id('c.main'), t.id('parent'))$$, '23514 enrollments_role'),
    ($$insert into app.enrollments (id, org_id, course_id, user_id) values (t.id('n'), t.id('A'), t.id('c.main'), t.id('disabled'))$$, '23514 enrollments_role'),
    ($$insert into app.enrollments (id, org_id, course_id, user_id) values (t.id('n'), t.id('A'), t.id('c.old'), t.id('outsider'))$$, '23514 enrollments_course_archived'),
    ($$insert into app.enrollments (id, org_id, course_id, user_id) select t.id(u), t.id('A'), t.id('c.open'), t.id(u) from unnest(array['student', 'outsider']) u$$, '2'),
    ($$insert into app.enrollments (id, org_id, course_id, user_id) select t.id(u), t.id('A'), t.id('c.open'), t.id(u) from unnest(array['student', 'outsider', 'late']) u$$, '23514 enrollments_seats'),
    (pg_temp.imp('digest', 'repeat(''A'', 64)'), '23514 enrollment_imports_digest'),
    (pg_temp.imp('digest', 'repeat(''a'', 63)'), '23514 enrollment_imports_digest'),
    (pg_temp.imp('enrolled', '1'), '23514 enrollment_imports_counts'),
    ($$update app.enrollment_import_rows set line = 0$$, '23514 enrollment_import_rows_line'),
    ($$update app.enrollment_import_rows set action = 'x'$$, '23514 enrollment_import_rows_action'),
    ($$update app.enrollment_import_rows set code = null$$, '23514 enrollment_import_rows_code'),
    ($$update app.enrollment_import_rows set previous_status = 'active'$$, '23514 enrollment_import_rows_previous'),
    ($$update app.enrollment_import_rows set email = repeat('x', 255)$$, '23514 enrollment_import_rows_email'),
    (pg_temp.ann('title', 'repeat(''x'', 256)'), '23514 announcements_title'),
    (pg_temp.ann('title', ''''''), '23514 announcements_title'),
    (pg_temp.ann('body', ''''''), '23514 announcements_body'),
    (pg_temp.ann('body', 'repeat(''x'', 100000)'), '1'),
    (pg_temp.ann('body', 'repeat(''x'', 100001)'), '23514 announcements_body'),
    (pg_temp.ann('body', 'E''a\x02'''), '23514 announcements_body'),
    (pg_temp.ses('user_agent', 'repeat(''x'', 512)'), '1'),
    (pg_temp.ses('user_agent', 'repeat(''x'', 513)'), '23514 sessions_agent'),
    (pg_temp.ses('expires_at', 'created_at'), '23514 sessions_expiry'),
    (pg_temp.ses('revoked_at', 'now()'), '23514 sessions_revoked'),
    ($$update app.sessions set revoked_at = now(), revoked_reason = 'No' where id = t.id('s.student')$$, '23514 sessions_reason'),
    ($$update app.refresh_tokens set digest = 'short' where session_id = t.id('s.student')$$, '23514 refresh_tokens_digest'),
    ($$update app.refresh_tokens set expires_at = issued_at$$, '23514 refresh_tokens_expiry'),
    ($$update app.credentials set password_hash = 'plain'$$, '23514 credentials_hash'),
    (pg_temp.key('key', 'repeat(''x'', 255)'), '1'),
    (pg_temp.key('key', 'repeat(''x'', 256)'), '23514 idempotency_keys_shape'),
    (pg_temp.key('key', ''''''), '23514 idempotency_keys_shape'),
    (pg_temp.key('key', '''ü'''), '23514 idempotency_keys_shape'),
    (pg_temp.key('route', ''''''), '23514 idempotency_keys_route'),
    (pg_temp.key('digest', '''\x00'''), '23514 idempotency_keys_digest'),
    (pg_temp.key('status', '99'), '23514 idempotency_keys_status'),
    (pg_temp.key('status', '600'), '23514 idempotency_keys_status'),
    (pg_temp.key('headers', 'repeat(''x'', 16385)'), '23514 idempotency_keys_headers'),
    (pg_temp.key('answer', 'decode(repeat(''00'', 1572864), ''hex'')'), '1'),
    (pg_temp.key('answer', 'decode(repeat(''00'', 1572865), ''hex'')'), '23514 idempotency_keys_answer'),
    (pg_temp.key('expires_at', 'created_at'), '23514 idempotency_keys_expiry'),
    (pg_temp.evt('kind', '''Enrol'''), '23514 events_kind'),
    (pg_temp.evt('subject_type', ''''''), '23514 events_subject'),
    (pg_temp.evt('payload', '''[1]'''), '23514 events_payload'),
    (pg_temp.evt('request_id', '''a b'''), '23514 events_request'),
    (pg_temp.evt('request_id', 'repeat(''x'', 128)'), '1'),
    (pg_temp.evt('request_id', 'repeat(''x'', 129)'), '23514 events_request');

select is(t.dry('none', statement, 'none'), answer, left(statement, 120)) from bounds;

-- What follows from a change.
select is(t.dry('none', $$value:update app.courses set title = 'y', status = 'draft' where id = t.id('c.main') returning version$$, 'none'),
          '2', 'a change counts the version up');
select is(t.dry('none', $$value:update app.courses set title = title where id = t.id('c.main') returning version$$, 'none'),
          '1', 'no change does not');
select is(t.dry('none', $$value:update app.users set last_sign_in_at = now() where id = t.id('student') returning version$$, 'none'),
          '1', 'signing in does not');
select is(t.dry('none', format('value:update app.courses set status = %L where id = t.id(%L) returning status || '' '' || (published_at is not null) || '' '' || (archived_at is not null)', v.new, v.course), 'none'),
          v.answer, v.course || ' becomes ' || v.new)
from (values ('c.draft', 'published', 'published true false'), ('c.draft', 'archived', 'archived false true'),
             ('c.main', 'draft', 'draft true false'), ('c.main', 'archived', 'archived true true'),
             ('c.old', 'draft', 'draft false false'), ('c.old', 'published', 'published true false')) v (course, new, answer);
select is(t.dry('none', format('value:update app.enrollments set status = %L where id = t.id(%L) returning status || '' '' || (completed_at is not null) || '' '' || (withdrawn_at is not null)', v.new, v.enrollment), 'none'),
          v.answer, v.enrollment || ' becomes ' || v.new)
from (values ('e.main.student', 'completed', 'completed true false'), ('e.main.student', 'withdrawn', 'withdrawn false true'),
             ('e.main.gone', 'active', 'active false false'), ('e.main.done', 'active', 'active false false'),
             ('e.main.done', 'withdrawn', 'withdrawn true true'), ('e.old.student', 'completed', 'completed true false')) v (enrollment, new, answer);
select is(t.dry('none', $$value:with d as (delete from app.courses where id = t.id('c.code') returning id) select count(*) from d$$, 'none'),
          '1', 'a course with a join code can be deleted');
select is(t.dry('teacher', $$value:with c as (insert into app.courses (id, org_id, owner_id, title, enrollment) values (t.id('n'), t.id('A'), t.id('teacher'), 'x', 'code') returning id),
                 k as (insert into app.course_codes (course_id, org_id, code) select id, t.id('A'), 'abcdef' from c) select count(*) from c$$),
          '1', 'a course and its code in one statement');
select is(t.dry('teacher', $$insert into app.courses (id, org_id, owner_id, title, enrollment) values (t.id('n'), t.id('A'), t.id('teacher'), 'x', 'code')$$),
          '23514 courses_join_code', 'joining by code without a code');
select is(t.dry('teacher', $$value:insert into app.courses (id, org_id, owner_id, title) values (t.id('n'), t.id('A'), t.id('teacher'), 'x') returning status || version$$),
          'draft1', 'the new course is returned');

-- Identifiers of the seeds are of version 7 and in order.
select ok(app.uuid_v7()::text ~ '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$', 'uuid_v7 has the shape');
select ok(app.uuid_v7(now()) < app.uuid_v7(now() + interval '2 ms'), 'uuid_v7 follows time');
select is(app.uuid_v7('1970-01-01 00:00:00.255Z')::text ~ '^00000000-00ff-7', true, 'uuid_v7 begins with milliseconds');

select * from finish();
rollback;
