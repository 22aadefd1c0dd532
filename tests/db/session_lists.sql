-- Who sees and ends whose sessions, and when a session ends because nobody uses it.
begin;
set local search_path = t, public;
select no_plan();

-- A second operator and a second admin, so that equals meet.
insert into app.users (id, org_id, email, name, role) values
    (t.id('operator2'), t.id('A'), 'operator2@a.example', 'operator2', 'operator'),
    (t.id('admin2'), t.id('A'), 'admin2@a.example', 'admin2', 'admin');
insert into app.sessions (id, org_id, user_id, expires_at)
select t.id('s.' || n), t.id('A'), t.id(n), now() + interval '1 day' from unnest('{operator2,admin2}'::text[]) n;

-- seen
select is(t.dry(who, format('select from app.sessions where user_id = t.id(%L)', usr)), answer, who || ' sees sessions of ' || usr)
from (values ('student', 'student', '1'), ('student', 'late', '0'), ('teacher', 'student', '0'), ('admin', 'student', '1'),
             ('admin', 'admin2', '1'), ('admin', 'operator', '0'), ('admin', 'bstudent', '0'), ('operator', 'admin', '1'),
             ('operator', 'operator2', '1'), ('operator', 'operator', '1'), ('operator', 'bstudent', '0'),
             ('badmin', 'student', '0'), ('none', 'student', '0'), ('orgless', 'student', '0')) v (who, usr, answer);
select is(t.dry(who, format('select from app.user_within_reach(t.id(%L))', usr)), answer, who || ' reaches ' || usr)
from (values ('admin', 'student', '1'), ('admin', 'admin2', '1'), ('admin', 'operator', '42501 users_role_too_high'),
             ('operator', 'operator2', '1'), ('admin', 'bstudent', '0'), ('badmin', 'operator', '0'), ('none', 'student', '0'),
             ('student', 'late', '0')) v (who, usr, answer);

-- ended by another
select is(t.dry(who, format('value:select app.user_sessions_end(t.id(%L), t.id(%L), ''revoked'')::text', usr, s)), answer,
          who || ' ends ' || s || ' of ' || usr)
from (values ('admin', 'student', 's.student', '{' || t.id('s.student') || '}'),
             ('admin', 'admin2', 's.admin2', '{' || t.id('s.admin2') || '}'),
             ('operator', 'operator2', 's.operator2', '{' || t.id('s.operator2') || '}'),
             ('admin', 'operator', 's.operator', '42501 users_role_too_high'),
             ('admin', 'student', 's.late', 'LE404'), ('admin', 'student', 's.bstudent', 'LE404'),
             ('admin', 'bstudent', 's.bstudent', 'LE404'), ('admin', 'nobody', 's.student', 'LE404'),
             ('operator', 'bstudent', 's.bstudent', 'LE404'), ('teacher', 'student', 's.student', '42501'),
             ('student', 'student', 's.student', '42501'), ('none', 'student', 's.student', '42501'),
             ('orgless', 'student', 's.student', '42501'), ('forger', 'student', 's.student', '42501')) v (who, usr, s, answer);
insert into app.sessions (id, org_id, user_id, created_at, expires_at, revoked_at, revoked_reason) values
    (t.id('q.over'), t.id('A'), t.id('student'), now() - interval '2 days', now() - interval '1 day', null, null),
    (t.id('q.left'), t.id('A'), t.id('student'), now(), now() + interval '1 day', now(), 'logout'),
    (t.id('q.more'), t.id('A'), t.id('student'), now(), now() + interval '1 day', null, null);
select is(t.dry('admin', $$value:select cardinality(app.user_sessions_end(t.id('student'), null, 'revoked'))$$), '2', 'all that live are ended, no others');
select is(t.dry('admin', format('select app.user_sessions_end(t.id(''student''), t.id(%L), ''revoked'')', s)), 'LE404', s || ' cannot be ended again')
from unnest('{q.over,q.left}'::text[]) s;
select is(t.dry('admin', $$select app.user_sessions_end(t.id('operator'), null, 'revoked')$$), '42501 users_role_too_high', 'nor all of an operator by an admin');
select is(t.act('admin', $$value:select cardinality(app.user_sessions_end(t.id('late'), null, 'revoked'))$$), '1', 'all of one');
select is(t.act('admin', $$value:select cardinality(app.user_sessions_end(t.id('late'), null, 'revoked'))$$), '0', 'and none is left');
select is((select revoked_reason from app.sessions where id = t.id('s.late')), 'revoked', 'the reason is kept');
select is(t.dry(who, format('value:select app.session_end(t.id(%L), ''x'')', s)), answer, who || ' ends ' || s)
from (values ('admin', 's.operator', 'false'), ('admin', 's.admin2', 'true'), ('operator', 's.operator2', 'true'),
             ('operator', 's.operator', 'true')) v (who, s, answer);
select is(t.dry(who, format('value:select cardinality(app.sessions_end(t.id(%L), ''x''))', usr)), answer, who || ' ends all of ' || usr)
from (values ('admin', 'operator', '0'), ('admin', 'admin2', '1'), ('operator', 'operator2', '1'), ('operator', 'operator', '1')) v (who, usr, answer);

-- idle
select is(t.act('none', $$value:select app.session_open(t.id('i1'), t.id('early'), sha256('i1'), null, null, 30, 9, 60)::text$$), '{}', 'a session that may be idle for an hour');
select is((select (s.expires_at - now())::text || ' ' || (r.expires_at - now())::text from app.sessions s join app.refresh_tokens r on r.session_id = s.id where s.id = t.id('i1')),
          '01:00:00 01:00:00', 'lives for an hour, and so does its token');
select is(t.act('none', $$value:select app.session_open(t.id('i2'), t.id('early'), sha256('i2'), null, null, 1, 9, 99999)::text$$), '{}', 'one that may be idle for longer than its token lives');
select is((select (expires_at - now())::text from app.sessions where id = t.id('i2')), '1 day', 'lives as long as that');
select is(t.act('none', $$value:select app.session_open(t.id('i3'), t.id('early'), sha256('i3'), null, null, 1, 9, 0)::text$$), '{}', 'one that may be idle');
select is((select (expires_at - now())::text from app.sessions where id = t.id('i3')), '1 day', 'lives as long as its token, too');
update app.sessions set created_at = now() - interval '2 hours', last_used_at = now() - interval '61 minutes', expires_at = now() + interval '1 day'
where id in (t.id('i1'), t.id('i2'));
update app.refresh_tokens set expires_at = now() + interval '1 day' where session_id = t.id('i1');
select is(t.dry('none', $$value:select outcome from app.session_rotate(t.id('i1'), sha256('i1'), sha256('i1b'), 30, 60)$$), 'invalid', 'nobody used it for an hour');
select is(t.dry('none', $$value:select outcome from app.session_rotate(t.id('i1'), sha256('i1'), sha256('i1b'), 30, 62)$$), 'rotated', 'it may be idle for longer');
select is(t.dry('none', $$value:select outcome from app.session_rotate(t.id('i1'), sha256('i1'), sha256('i1b'), 30, 0)$$), 'rotated', 'or for ever');
select is(t.act('none', $$value:select outcome from app.session_rotate(t.id('i2'), sha256('i2'), sha256('i2b'), 30, 120)$$), 'rotated', 'what is used');
select is((select (expires_at - now())::text || ' ' || (last_used_at = now()) from app.sessions where id = t.id('i2')), '02:00:00 true', 'lives on from there');

-- a token that comes again is audited, under the organisation of its session
select is(t.act('none', $$value:select outcome from app.session_rotate(t.id('i2'), sha256('i2'), sha256('i2c'), 30, 0, t.id('i.audit'))$$), 'reused', 'a used token comes again');
select is((select action || ' ' || target_type || ' ' || (target_id = t.id('i2')) || ' ' || (org_id = t.id('A')) || ' ' || coalesce(actor_id::text, 'nobody') || coalesce(before::text, '') || coalesce(after::text, '')
           from app.audit_logs where id = t.id('i.audit')), 'session.token_reuse session true true nobody', 'which is audited');

select * from finish();
rollback;
