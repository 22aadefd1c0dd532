-- Organisations from outside, people who leave, invitations and limits.
begin;
set local search_path = t, public;
select no_plan();

create function pg_temp.hash() returns text language sql return '$argon2id$' || repeat('x', 40);

-- Removing: who may remove whom.
select is(t.dry(who, format('select app.user_remove(t.id(%L), %s)', usr, coalesce(ver, 'null'))), answer,
          who || ' removes ' || usr || coalesce(' at version ' || ver, ''))
from (values
    ('admin', 'student', null, '1'),
    ('admin', 'student', '1', '1'),
    ('admin', 'student', '2', 'LE412'),
    ('admin', 'teacher', null, '1'),
    ('admin', 'disabled', null, '1'),
    ('admin', 'operator', null, '42501 users_role_too_high'),
    ('operator', 'operator', null, '1'),
    ('operator', 'admin', null, '23514 users_last_admin'),
    ('admin', 'admin', null, '23514 users_last_admin'),
    ('admin', 'bstudent', null, 'LE404'),
    ('admin', 'nobody', null, 'LE404'),
    ('teacher', 'student', null, '42501'),
    ('student', 'student', null, '42501'),
    ('badmin', 'student', null, 'LE404'),
    ('none', 'student', null, '42501'),
    ('orgless', 'student', null, '42501'),
    ('userless', 'student', null, '42501')) v (who, usr, ver, answer);

-- What is left of a teacher.
select is(t.act('admin', $$select app.user_remove(t.id('teacher'), null)$$), '1', 'a teacher is removed');
select is((select status || ' ' || (removed_at is not null) || ' ' || name || ' ' || (email = 'removed-' || id || '@removed.invalid')
           from app.users where id = t.id('teacher')), 'disabled true teacher true', 'the row stays with the name, the address is free');
select is((select revoked_reason from app.sessions where id = t.id('s.teacher')), 'removed', 'the session has ended');
select is((select count(*)::int from app.sessions where revoked_at is not null), 1, 'no other has');
select is((select count(*)::int from app.credentials where user_id = t.id('teacher')), 0, 'the password is gone');
select is((select string_agg(distinct owner_id::text, ' ') from app.courses where title in ('Main', 'Draft', 'Old')), t.id('admin')::text, 'the courses are the remover''s');
select is((select count(*)::int from app.announcements where author_id = t.id('teacher')), 2, 'what they wrote stays theirs');
select is(t.dry('admin', $$select app.user_remove(t.id('teacher'), null)$$), 'LE404', 'nobody is removed twice');
select is(t.dry('admin', $$select app.set_user_role(t.id('teacher'), 'student', null)$$), 'LE404', 'nor gets another role');
select is(t.dry('admin', $$value:select outcome from app.session_rotate(t.id('s.teacher'), sha256(t.id('s.teacher')::text::bytea), sha256('n'), 1, 0, null)$$), 'invalid', 'nor comes back by a refresh token');
select is(t.dry('none', $$select from app.login_lookup('teacher@a.example')$$), '0', 'nor by the old address');
select is(t.act('admin', $$select app.user_remove(t.id('student'), null)$$), '1', 'a student is removed');
select is((select string_agg(distinct status, ' ') from app.enrollments where user_id = t.id('student')), 'withdrawn', 'and gives the places back');
select is(t.act('admin', $$select app.user_remove(t.id('helper'), null)$$), '1', 'an assistant is removed');
select is((select count(*)::int from app.course_staff where user_id = t.id('helper')), 0, 'and is staff no more');
select throws_ok($$update app.users set status = 'active' where id = t.id('helper')$$, '23514', null, 'a removed account does not become active');

-- The last admin stays, whatever the way.
select throws_ok(v.s, '23514', 'an organisation keeps at least one admin', v.s)
from (values ($$update app.users set role = 'teacher' where id = t.id('badmin')$$), ($$update app.users set status = 'disabled' where id = t.id('badmin')$$),
             ($$update app.users set role = 'operator' where id = t.id('badmin')$$), ($$delete from app.users where id = t.id('badmin')$$),
             ($$update app.users set status = 'disabled' where org_id = t.id('B')$$)) v (s);

-- Who leaves gives their courses away.
update app.users set role = 'admin' where id = t.id('other');
update t.persons set role = 'admin' where name = 'other';
select is(t.dry('other', $$select app.user_remove(t.id('other'), null)$$), '23503 courses_owner', 'not while there are courses');
select is(t.act('admin', $$select app.user_remove(t.id('other'), null)$$), '1', 'another admin takes them');

-- Operators and organisations.
select is(t.dry(who, format('select from app.org_change(t.id(%L), %L, %L, %L, %s)', org, slug, name, status, coalesce(ver, 'null'))), answer,
          format('%s changes %s: %s %s %s %s', who, org, slug, name, status, ver))
from (values
    ('operator', 'B', 'new-b', 'New', null, null, '1'),
    ('operator', 'B', null, null, 'suspended', '1', '1'),
    ('operator', 'B', null, null, 'suspended', '2', 'LE412'),
    ('operator', 'B', 'org-a', null, null, null, '23505 orgs_slug'),
    ('operator', 'B', 'Not a slug', null, null, null, '23514 orgs_slug_shape'),
    ('operator', 'B', null, '', null, null, '23514 orgs_name'),
    ('operator', 'B', null, null, 'closed', null, '23514 orgs_status'),
    ('operator', 'A', null, null, 'suspended', null, '23514 orgs_operators'),
    ('operator', 'A', null, 'New', 'active', null, '1'),
    ('operator', 'Z', null, 'New', null, null, 'LE404'),
    ('admin', 'A', null, 'New', null, null, '42501'),
    ('badmin', 'B', null, null, 'active', null, '42501'),
    ('teacher', 'A', null, 'New', null, null, '42501'),
    ('none', 'A', null, 'New', null, null, '42501')) v (who, org, slug, name, status, ver, answer);
select is(t.dry('admin', v.s), '42501', 'not by hand: ' || v.s)
from (values ($$update app.orgs set status = 'suspended'$$), ($$update app.orgs set slug = 'x-y'$$), ($$insert into app.orgs (id, slug, name) values (t.id('C'), 'c-c', 'C')$$),
             ($$update app.users set removed_at = now()$$), ($$update app.users set status = 'disabled'$$)) v (s);
select is(t.dry('operator', 'select from app.' || tbl), rows, 'an operator reads ' || tbl)
from (values ('orgs', '2'), ('org_limits', '2'), ('org_usage', '2')) v (tbl, rows);
select is(t.dry('operator', format('select from app.%I where org_id = t.id(''B'')', c.relname)), '0', 'an operator reads nothing of B''s ' || c.relname)
from pg_class c
where c.relnamespace = 'app'::regnamespace and c.relkind in ('r', 'p') and has_any_column_privilege('lectern_app', c.oid, 'select')
      and c.relname not in ('orgs', 'org_limits', 'org_usage');

-- Suspended: sessions end, none begins, nobody joins.
select is(t.act('operator', $$select from app.org_change(t.id('B'), null, null, 'suspended', null)$$), '1', 'B is suspended');
select is((select count(*)::int from app.sessions where org_id = t.id('B') and revoked_reason is distinct from 'org_suspended'), 0, 'all its sessions have ended');
select is((select count(*)::int from app.sessions where org_id = t.id('A') and revoked_reason = 'org_suspended'), 0, 'and nobody else''s');
select is(t.dry('none', $$select app.session_open(t.id('new'), t.id('bstudent'), sha256('q'), null, null, 1, 9, 0)$$), '42501 orgs_suspended', 'nobody signs in');
select is(t.dry('none', $$select app.register(t.id('new'), 'org-b', 'new@b.example', 'x', pg_temp.hash())$$), 'LE403', 'nobody registers');
select is(t.dry('none', $$select app.register(t.id('new'), 'org-b', 'bstudent@b.example', 'x', pg_temp.hash())$$), 'LE403', 'nor is told who has');
select is(t.act('operator', $$select from app.org_change(t.id('B'), null, null, 'active', null)$$), '1', 'B is back');
select is(t.dry('none', $$select app.session_open(t.id('new'), t.id('bstudent'), sha256('q'), null, null, 1, 9, 0)$$), '1', 'and signs in');

-- A new organisation.
select is(t.act('operator', $$select app.org_create(t.id('N'), 'org-n', 'N', null, null, null, 1, 5, null, null)$$), '1', 'an operator makes one');
select is((select locale || timezone || settings || status from app.orgs where id = t.id('N')), 'enUTC{}active', 'with defaults');
select is((select l.users || ' ' || l.storage_bytes || ' ' || n.users from app.org_limits l join app.org_usage n using (org_id) where org_id = t.id('N')), '1 5 0', 'and limits');
select is(t.dry('operator', $$select app.org_first_admin(t.id('na'), t.id('N'), 'bstudent@b.example', 'x', pg_temp.hash())$$), '23505 users_account', 'an address that is taken is no first admin');
select is(t.act('operator', $$select app.org_first_admin(t.id('na'), t.id('N'), 'na@n.example', 'NA', pg_temp.hash())$$), '1', 'a first admin');
select is((select role || ' ' || (email_verified_at is not null) from app.users where id = t.id('na')), 'admin true', 'is one, with an address that is proven');
select is(t.dry('operator', $$select app.org_first_admin(t.id('nb'), t.id('N'), 'nb@n.example', 'NB', pg_temp.hash())$$), '42501', 'and there is no second');

-- The limit of users.
select is(t.dry('none', $$select app.register(t.id('new'), 'org-n', 'new@n.example', 'x', pg_temp.hash())$$), '42501 org_limits_users_reached', 'a full organisation takes nobody');
select is(t.dry('none', $$select app.register(t.id('new'), 'org-n', 'na@n.example', 'x', pg_temp.hash())$$), '42501 org_limits_users_reached', 'nor says whom it has');
select throws_ok($$insert into app.users (id, org_id, email, name) values (t.id('new'), t.id('N'), 'new@n.example', 'x')$$, '42501', null, 'not even by hand');
select is(t.act('operator', $$update app.org_limits set users = 3 where org_id = t.id('N')$$), '1', 'an operator raises it');
select throws_ok($$insert into app.users (id, org_id, email, name) select t.id('n' || i), t.id('N'), 'n' || i || '@n.example', 'x' from generate_series(1, 3) i$$, '42501', null, 'three in one statement are one too many');
select lives_ok($$insert into app.users (id, org_id, email, name) select t.id('n' || i), t.id('N'), 'n' || i || '@n.example', 'x' from generate_series(1, 2) i$$, 'two are not');
select is((select users from app.org_usage where org_id = t.id('N')), 3::int8, 'three are counted');
select is(t.act('none', $$value:select app.register(t.id('new'), 'org-a', 'na@n.example', 'x', pg_temp.hash())$$), null, 'an address that is taken makes nobody');
update app.users set status = 'disabled', removed_at = now() where id = t.id('n1');
delete from app.users where id = t.id('n2');
select is((select users from app.org_usage where org_id = t.id('N')), 1::int8, 'who is removed or deleted is not');
update app.users set removed_at = null where id = t.id('n1');
select is((select users from app.org_usage where org_id = t.id('N')), 2::int8, 'who comes back is');
select is((select string_agg(org_id::text, ' ') from app.org_usage n
           where users <> (select count(*) from app.users u where u.org_id = n.org_id and removed_at is null)), null, 'every count is right');
select is(t.dry(who, s), answer, who || ': ' || s)
from (values ('admin', 'update app.org_limits set users = 5', '0'), ('badmin', 'update app.org_limits set users = null', '0'),
             ('admin', 'update app.org_usage set users = 0', '42501'), ('operator', 'update app.org_usage set users = 0', '42501'),
             ('operator', 'delete from app.org_limits', '42501'), ('operator', 'update app.org_limits set version = 9', '42501'),
             ('operator', $$update app.org_limits set users = -1$$, '23514 org_limits_users'),
             ('operator', $$update app.org_limits set storage_bytes = -1$$, '23514 org_limits_storage_bytes'),
             ('operator', $$update app.org_limits set workbench_runs_per_day = -1$$, '23514 org_limits_workbench_runs'),
             ('operator', $$update app.org_limits set telemetry_events_per_day = -1$$, '23514 org_limits_telemetry_events')) v (who, s, answer);
select throws_ok($$update app.org_usage set users = -1$$, '23514', null, 'a count is not below nothing');

-- The other limits, for whoever counts.
update app.org_limits set storage_bytes = 10, workbench_runs_per_day = 0, telemetry_events_per_day = null where org_id = t.id('A');
select is(t.dry('student', format('select app.quota_check(%L, %s)', kind, n)), answer, kind || ' ' || n)
from (values ('storage_bytes', '10', '1'), ('storage_bytes', '11', '42501 org_limits_storage_reached'),
             ('workbench_runs_per_day', '0', '1'), ('workbench_runs_per_day', '1', '42501 org_limits_workbench_reached'),
             ('telemetry_events_per_day', '9000000000000', '1'), ('users', '1', '22P02'), ('x', '1', '22P02')) v (kind, n, answer);
update app.org_limits set telemetry_events_per_day = 2 where org_id = t.id('A');
select is(t.dry('student', $$select app.quota_check('telemetry_events_per_day', 3)$$), '42501 org_limits_telemetry_reached', 'telemetry');
select is(t.dry('bstudent', $$select app.quota_check('telemetry_events_per_day', 3)$$), '1', 'limits are the organisation''s own');

-- Invitations: who invites whom.
select is(t.dry(who, format('select from app.invite(t.id(''w''), t.id(%L), %L, %L, sha256(''d''), 7)', org, address, role)), answer,
          format('%s invites %s as %s to %s', who, address, role, org))
from (values
    ('admin', 'A', 'x@x.example', 'student', '1'), ('admin', 'A', 'x@x.example', 'admin', '1'),
    ('admin', 'A', 'x@x.example', 'operator', '42501 users_role_too_high'), ('operator', 'A', 'x@x.example', 'operator', '1'),
    ('admin', 'A', 'x@x.example', 'wizard', '23514 invitations_role'), ('admin', 'A', 'no address', 'student', '23514 invitations_email'),
    ('admin', 'A', 'bstudent@b.example', 'student', '1'), ('admin', 'A', 'late@a.example', 'student', '23505 invitations_member'),
    ('admin', 'B', 'x@x.example', 'student', '42501'), ('operator', 'B', 'x@x.example', 'admin', '1'),
    ('operator', 'B', 'x@x.example', 'operator', '42501'), ('operator', 'B', 'x@x.example', 'teacher', '42501'),
    ('operator', 'Z', 'x@x.example', 'admin', 'LE404'), ('coteacher', 'A', 'x@x.example', 'student', '42501'),
    ('late', 'A', 'x@x.example', 'student', '42501'), ('none', 'A', 'x@x.example', 'student', '42501'),
    ('orgless', 'A', 'x@x.example', 'student', '42501'), ('userless', 'A', 'x@x.example', 'student', '42501')) v (who, org, address, role, answer);

select is(t.act('admin', $$select from app.invite(t.id('w1'), t.id('A'), 'guest@x.example', 'teacher', sha256('1'), 7)$$), '1', 'an invitation');
select is(t.act('admin', $$select from app.invite(t.id('w2'), t.id('A'), 'guest@x.example', 'student', sha256('2'), 7)$$), '1', 'another to the same address');
select is((select string_agg(role || (revoked_at is not null), ' ' order by role) from app.invitations where email = 'guest@x.example'), 'studentfalse teachertrue', 'takes the first one back');
select throws_ok($$insert into app.invitations (id, org_id, email, role, digest, expires_at) values (t.id('w3'), t.id('A'), 'guest@x.example', 'student', sha256('3'), now() + interval '1 day')$$,
                 '23P01', null, 'two are not open at once');
select throws_ok(format('insert into app.invitations (id, org_id, email, role, digest, expires_at, accepted_at, revoked_at) values (%s)', v.s), '23514', null, v.c)
from (values ($$t.id('w3'), t.id('A'), 'y@x.example', 'student', '\x00', now() + interval '1 day', null, null$$, 'a digest has 32 bytes'),
             ($$t.id('w3'), t.id('A'), 'y@x.example', 'student', sha256('3'), now(), null, null$$, 'an invitation ends after it began'),
             ($$t.id('w3'), t.id('A'), 'y@x.example', 'student', sha256('3'), now() + interval '1 day', now(), now()$$, 'it is accepted or taken back, not both')) v (s, c);
select is(t.dry('none', format('select from app.invitation_open(sha256(%L))', secret)), n, 'opening ' || secret)
from (values ('2', '1'), ('1', '0'), ('9', '0'), ('', '0')) v (secret, n);
select is(t.dry('none', format('select app.invitation_accept(sha256(%L), t.id(''guest''), ''Guest'', pg_temp.hash())', secret)), answer, 'accepting ' || secret)
from (values ('2', '1'), ('1', 'LE410'), ('9', 'LE410'), ('', 'LE410')) v (secret, answer);
update app.invitations set created_at = now() - interval '2 days', expires_at = now() where id = t.id('w2');
select is(t.dry('none', $$select app.invitation_accept(sha256('2'), t.id('guest'), 'Guest', pg_temp.hash())$$), 'LE410', 'not when it has expired');
update app.invitations set expires_at = now() + interval '1 day' where id = t.id('w2');
update app.orgs set status = 'suspended' where id = t.id('A');
select is(t.dry('none', $$select app.invitation_accept(sha256('2'), t.id('guest'), 'Guest', pg_temp.hash())$$), 'LE410', 'not into a suspended organisation');
update app.orgs set status = 'active' where id = t.id('A');
update app.org_limits set users = 1 where org_id = t.id('A');
select is(t.dry('none', $$select app.invitation_accept(sha256('2'), t.id('guest'), 'Guest', pg_temp.hash())$$), '42501 org_limits_users_reached', 'not into a full one');
update app.org_limits set users = null where org_id = t.id('A');
select is(t.act('none', $$select app.invitation_accept(sha256('2'), t.id('guest'), 'Guest', pg_temp.hash())$$), '1', 'then it is accepted');
select is((select role || ' ' || email || ' ' || (email_verified_at is not null) || ' ' || (org_id = t.id('A')) from app.users where id = t.id('guest')), 'student guest@x.example true true', 'as what it says');
select is(t.dry('none', $$select app.invitation_accept(sha256('2'), t.id('guest2'), 'Guest', pg_temp.hash())$$), 'LE410', 'once');
select is(t.act('admin', $$select from app.invite(t.id('w4'), t.id('A'), 'bstudent@b.example', 'student', sha256('4'), 7)$$), '1', 'somebody of another organisation is invited');
select is(t.dry('none', $$select app.invitation_accept(sha256('4'), t.id('guest2'), 'Guest', pg_temp.hash())$$), '23505 users_account', 'and has an account already');

-- Seen and taken back by the admins of the organisation.
select is(t.dry(who, s), answer, who || ': ' || s)
from (values ('admin', 'select id from app.invitations', '3'), ('operator', 'select id from app.invitations', '3'), ('badmin', 'select id from app.invitations', '0'),
             ('coteacher', 'select id from app.invitations', '0'), ('admin', 'select digest from app.invitations', '42501'),
             ('admin', 'update app.invitations set revoked_at = now() where id = t.id(''w4'')', '1'), ('admin', 'update app.invitations set revoked_at = now() where id = t.id(''w2'')', '0'),
             ('admin', 'update app.invitations set revoked_at = now() where id = t.id(''w1'')', '0'), ('admin', 'update app.invitations set revoked_at = null where id = t.id(''w4'')', '42501'),
             ('admin', 'update app.invitations set role = ''admin''', '42501'), ('admin', 'update app.invitations set expires_at = now() + interval ''9 days''', '42501'),
             ('badmin', 'update app.invitations set revoked_at = now()', '0'), ('late', 'update app.invitations set revoked_at = now()', '0'),
             ('admin', 'delete from app.invitations', '42501'), ('none', 'select id from app.invitations', '0')) v (who, s, answer);
select is(t.act('operator', $$select from app.invite(t.id('w5'), t.id('A'), 'op@x.example', 'operator', sha256('5'), 7)$$), '1', 'an operator invites one');
select is(t.dry('admin', $$update app.invitations set revoked_at = now() where id = t.id('w5')$$), '0', 'which no admin takes back');
select is(t.act('operator', $$select app.user_remove(t.id('operator'), null)$$), '1', 'the operator goes');
select is((select revoked_at is not null from app.invitations where id = t.id('w5')), true, 'and with them what they offered');

select is(t.dry('none', 'value:select app.purge_invitations(10)', 'lectern_jobs'), '0', 'nothing is old');
update app.invitations set created_at = now() - interval '100 days', expires_at = now() - interval '91 days' where id in (t.id('w1'), t.id('w4'), t.id('w5'));
select is(t.dry('none', 'value:select app.purge_invitations(2)', 'lectern_jobs'), '2', 'what is goes, so many at a time');

select * from finish();
rollback;
