-- A school of N thousand students, to measure with:
--   psql -v scale=N -v password_hash='$argon2id$…' -f scale.sql
-- N × 1,000 students, 40 teachers, 100 courses, 10,000 enrollments, and one course with
-- N × 50,000 announcements. Its organisation is scale-N; a second run does nothing.
-- Addresses: s000001@scale-N.lectern.example, t000001@…, admin@….
\set ON_ERROR_STOP on
begin;
set local client_min_messages = warning;

select not exists (select from app.orgs where slug = 'scale-' || :'scale') as wanted,
       'scale-' || :'scale' as slug, app.uuid_v7() as org \gset
\if :wanted

insert into app.orgs (id, slug, name)
values (:'org', :'slug', 'School of ' || :'scale' || ' thousand');

-- The rules of courses and places hold by construction here and would be checked row by row.
set local session_replication_role = replica;

create temp table member on commit drop as
select app.uuid_v7(now() - interval '200 days' + n * interval '1 second') as id, n,
       'student' as role, 's' || lpad(n::text, 6, '0') as login, 'Student ' || n as name
from generate_series(1, :scale * 1000) n
union all
select app.uuid_v7(now() - interval '300 days' + n * interval '1 second'), n, 'teacher',
       't' || lpad(n::text, 6, '0'), 'Teacher ' || n
from generate_series(1, :scale * 40) n
union all
select app.uuid_v7(now() - interval '400 days'), 1, 'admin', 'admin', 'Admin of ' || :'slug';

insert into app.users (id, org_id, email, name, role, email_verified_at, created_at, updated_at)
select id, :'org', login || '@' || :'slug' || '.lectern.example', name, role, now(),
       now() - interval '200 days', now() - interval '200 days'
from member order by id;
insert into app.credentials (user_id, org_id, password_hash)
select id, :'org', :'password_hash' from member order by id;
update app.org_usage set users = (select count(*) from member) where org_id = :'org';

create temp table course_made on commit drop as
select app.uuid_v7(now() - interval '150 days' + n * interval '1 minute') as id, n,
       now() - interval '150 days' + n * interval '1 minute' as at,
       case when n % 20 = 0 then 'draft' when n % 33 = 0 then 'archived' else 'published' end
           as status,
       case when n % 3 = 0 then 'private' else 'catalogue' end as visibility
from generate_series(1, :scale * 100) n;

insert into app.courses (id, org_id, owner_id, title, description, status, visibility, enrollment,
                         published_at, archived_at, created_at, updated_at)
select c.id, :'org', m.id, 'Course ' || c.n, 'Course number ' || c.n || ' of the school.', c.status,
       c.visibility, case when c.n % 4 = 0 then 'open' else 'closed' end,
       case when c.status <> 'draft' then c.at end, case when c.status = 'archived' then c.at end,
       c.at, c.at
from course_made c
join member m on m.role = 'teacher' and m.n = 1 + c.n % (:scale * 40)
order by c.id;

-- Ten courses a student, spread by a stride that never meets the same course twice.
insert into app.enrollments (id, org_id, course_id, user_id, source, created_at, updated_at)
select app.uuid_v7(now() - interval '100 days' + (m.n * 10 + k) * interval '0.1 second'), :'org',
       c.id, m.id, 'import', now() - interval '100 days', now() - interval '100 days'
from member m
cross join generate_series(0, 9) k
join course_made c on c.n = 1 + (m.n + k * (:scale * 10)) % (:scale * 100)
where m.role = 'student';

insert into app.announcements (id, org_id, course_id, author_id, title, body, pinned, publish_at,
                               created_at, updated_at)
select app.uuid_v7(w.at), :'org', c.id, t.id, 'Announcement ' || n.n,
       'What the class should know, number ' || n.n || '.', n.n % 10000 = 0, w.at, w.at, w.at
from generate_series(1, :scale * 50000) n (n)
cross join lateral (select now() - interval '90 days'
                           + n.n * (interval '89 days' / (:scale * 50000)) as at) w
join course_made c on c.n = 1
join member t on t.role = 'teacher' and t.n = 2 % (:scale * 40);

insert into app.announcements (id, org_id, author_id, title, body, publish_at)
select app.uuid_v7(now() - k * interval '1 day'), :'org', m.id, 'To the whole school ' || k,
       'Dates and rooms.', now() - k * interval '1 day'
from generate_series(1, 20) k join member m on m.role = 'admin';

\endif
commit;
\if :wanted
analyze app.users, app.credentials, app.courses, app.enrollments, app.announcements;
\endif
