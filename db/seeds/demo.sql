-- Two organisations to try things with. Every account has the password whose hash is given:
--   psql -v password_hash='$argon2id$…' -f demo.sql
-- May be run again: what is there stays.
\set ON_ERROR_STOP on
begin;
set local client_min_messages = warning;

-- Identifiers are made from names, so that a second run meets the first one's rows; shaped as
-- version 7, with a fixed time.
create function pg_temp.key(name text) returns uuid language sql immutable
return overlay(overlay(overlay(md5('lectern demo ' || name) placing '0197b3a08400' from 1 for 12)
               placing '7' from 13 for 1) placing 'a' from 17 for 1)::uuid;

insert into app.orgs (id, slug, name, locale, timezone) values
    (pg_temp.key('org demo'), 'demo', 'Demo Academy', 'en', 'Europe/Berlin'),
    (pg_temp.key('org northside'), 'northside', 'Northside School', 'en', 'UTC')
on conflict do nothing;

create temp table person on commit drop as
select v.*, (case v.org when 'demo' then v.login || '@demo.lectern.example'
                        else v.login || '@northside.lectern.example' end) as email
from (values
    ('demo', 'admin', 'Demo Admin', 'admin'),
    ('demo', 'operator', 'Demo Operator', 'operator'),
    ('demo', 'teacher', 'Demo Teacher', 'teacher'),
    ('demo', 'teacher2', 'Demo Teacher 2', 'teacher'),
    ('demo', 'student', 'Demo Student', 'student'),
    ('demo', 'student2', 'Demo Student 2', 'student'),
    ('demo', 'student3', 'Demo Student 3', 'student'),
    ('demo', 'student4', 'Demo Student 4', 'student'),
    ('demo', 'student5', 'Demo Student 5', 'student'),
    ('demo', 'student6', 'Demo Student 6', 'student'),
    ('demo', 'student7', 'Demo Student 7', 'student'),
    ('demo', 'student8', 'Demo Student 8', 'student'),
    ('demo', 'parent', 'Demo Parent', 'parent'),
    ('northside', 'admin', 'Northside Admin', 'admin'),
    ('northside', 'teacher', 'Northside Teacher', 'teacher'),
    ('northside', 'student', 'Northside Student', 'student'),
    ('northside', 'parent', 'Northside Parent', 'parent')
) v (org, login, name, role);

insert into app.users (id, org_id, email, name, role, email_verified_at)
select pg_temp.key('user ' || email), pg_temp.key('org ' || org), email, name, role, now()
from person
on conflict do nothing;

insert into app.credentials (user_id, org_id, password_hash)
select u.id, u.org_id, :'password_hash'
from person p join app.users u using (email)
on conflict (user_id) do nothing;

create temp table course_seed on commit drop as
select * from (values
    ('demo', 'teacher', 'Linear Algebra', 'Vectors, matrices and what they do to space.',
     'published', 'catalogue', 'open', null::int, null),
    ('demo', 'teacher', 'Introduction to Programming', 'From the first loop to a small game.',
     'published', 'catalogue', 'code', 25, 'LOOPS-2026'),
    ('demo', 'teacher', 'Statistics with Real Data', 'Sampling, estimation and honest charts.',
     'draft', 'private', 'closed', null, null),
    ('demo', 'teacher2', 'World Literature', 'One book a fortnight, five continents.',
     'published', 'private', 'closed', 12, null),
    ('demo', 'teacher2', 'Spanish A1', 'First conversations.',
     'published', 'catalogue', 'closed', 4, null),
    ('demo', 'teacher2', 'Chemistry 2024', 'Last year''s course, kept for reference.',
     'archived', 'private', 'closed', null, null),
    ('northside', 'teacher', 'Local History', 'The town and its river.',
     'published', 'catalogue', 'open', null, null)
) v (org, owner, title, description, status, visibility, enrollment, seats, code);

insert into app.courses (id, org_id, owner_id, title, description, status, visibility, seats,
                         published_at, archived_at)
select pg_temp.key('course ' || c.title), o.id, u.id, c.title, c.description, 'draft',
       c.visibility, c.seats, null, null
from course_seed c
join app.orgs o on o.slug = c.org
join app.users u on u.email = c.owner || '@' || c.org || '.lectern.example'
on conflict do nothing;

insert into app.course_codes (course_id, org_id, code)
select k.id, k.org_id, c.code
from course_seed c join app.courses k on k.id = pg_temp.key('course ' || c.title)
where c.code is not null
on conflict do nothing;

insert into app.course_staff (course_id, user_id, org_id, role)
select k.id, u.id, k.org_id, v.role
from (values ('Linear Algebra', 'teacher2', 'teacher'),
             ('Introduction to Programming', 'student8', 'assistant'),
             ('World Literature', 'teacher', 'teacher')) v (title, login, role)
join app.courses k on k.id = pg_temp.key('course ' || v.title)
join app.users u on u.email = v.login || '@demo.lectern.example'
on conflict do nothing;

-- Members join while the courses are drafts; the courses then get their state.
insert into app.enrollments (id, org_id, course_id, user_id)
select pg_temp.key('enrollment ' || k.title || u.email), k.org_id, k.id, u.id
from (values
    ('Linear Algebra', array['student', 'student2', 'student3', 'student4', 'student5']),
    ('Introduction to Programming', array['student', 'student3', 'student6', 'student7']),
    ('World Literature', array['student2', 'student4', 'student8']),
    ('Spanish A1', array['student', 'student5', 'student6']),
    ('Chemistry 2024', array['student', 'student2'])) v (title, logins)
cross join unnest(v.logins) l (login)
join app.courses k on k.id = pg_temp.key('course ' || v.title)
join app.users u on u.email = l.login || '@demo.lectern.example'
where k.status <> 'archived'
on conflict do nothing;

insert into app.enrollments (id, org_id, course_id, user_id)
select pg_temp.key('enrollment ' || k.title || u.email), k.org_id, k.id, u.id
from app.courses k
join app.users u on u.email = 'student@northside.lectern.example'
where k.id = pg_temp.key('course Local History')
on conflict do nothing;

-- Only a course never touched since it was seeded takes its seeded state.
update app.courses k set status = c.status, enrollment = c.enrollment
from course_seed c
where k.id = pg_temp.key('course ' || c.title) and k.version = 1
      and (c.status, c.enrollment) <> ('draft', 'closed');

insert into app.announcements (id, org_id, course_id, author_id, title, body, pinned, publish_at)
select pg_temp.key('announcement ' || v.title), o.id, k.id, u.id, v.title, v.body, v.pinned,
       now() + v.delay
from (values
    ('demo', 'admin', null, 'Welcome to Demo Academy',
     E'The new term has begun.\n\nYour courses are under *My courses*.', true, interval '-2 days'),
    ('demo', 'admin', null, 'Library closed on Friday', 'The library opens again on Monday.',
     false, interval '-1 day'),
    ('demo', 'teacher', 'Linear Algebra', 'First problem set',
     'Problems 1 to 6 of the first sheet; bring your questions on Thursday.', true,
     interval '-1 day'),
    ('demo', 'teacher2', 'Linear Algebra', 'Room change', 'We meet in room 204 from next week on.',
     false, interval '-3 hours'),
    ('demo', 'teacher', 'Introduction to Programming', 'Install the tools',
     'The instructions are in the first lesson.', false, interval '-1 day'),
    ('demo', 'teacher', 'Introduction to Programming', 'Project week', 'Find a partner by then.',
     false, interval '21 days'),
    ('demo', 'teacher2', 'World Literature', 'Reading list', 'The list of the term is complete.',
     false, interval '-1 day'),
    ('northside', 'admin', null, 'Welcome to Northside School', 'We are glad that you are here.',
     false, interval '-1 day')
) v (org, author, course, title, body, pinned, delay)
join app.orgs o on o.slug = v.org
join app.users u on u.email = v.author || '@' || v.org || '.lectern.example'
left join app.courses k on k.id = pg_temp.key('course ' || v.course)
on conflict do nothing;

commit;
