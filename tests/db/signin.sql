-- Accounts and sessions.
begin;
set local search_path = t, public;
select no_plan();
create function pg_temp.hash(x text) returns text language sql return '$argon2id$v=19$m=19456,t=2,p=1$' || repeat(x, 40);
grant execute on function pg_temp.hash(text) to public;

-- register
select is(t.dry('none', $$select from app.register(t.id('new'), 'no-such-org', 'new@a.example', 'New', '$argon2id$' || repeat('x', 40))$$),
          'LE403', 'no organisation to register in');
select is(t.act('none', $$value:select app.register(t.id('new'), 'org-a', 'new@a.example', 'New', '$argon2id$' || repeat('x', 40))$$),
          t.id('new')::text, 'a new user');
select is(t.act('none', $$value:select coalesce(app.register(t.id('new2'), 'org-a', 'new@a.example', 'Other', '$argon2id$' || repeat('y', 40))::text, 'null')$$),
          'null', 'the address is taken');
select is(t.act('none', $$value:select coalesce(app.register(t.id('new2'), 'org-b', 'new@a.example', 'Other', '$argon2id$' || repeat('y', 40))::text, 'null')$$),
          'null', 'and taken in every organisation');
select is(t.dry('none', $$select app.register(t.id('new2'), 'org-a', 'NEW2@a.example', 'x', '$argon2id$' || repeat('x', 40))$$),
          '23514 users_email_shape', 'an address in capitals');
select is(t.dry('none', $$select app.register(t.id('new2'), 'org-a', 'new2@a.example', 'x', 'plain')$$),
          '23514 credentials_hash', 'a password that is no hash');
select is(t.dry('none', $$select app.register(t.id('student'), 'org-a', 'new2@a.example', 'x', '$argon2id$' || repeat('x', 40))$$),
          '23505 users_pkey', 'an identifier that exists is no taken address');
select is((select role || ' ' || name from app.users where id = t.id('new')), 'student New', 'is a student');
select is((select count(*)::int from app.credentials where user_id = t.id('new')), 1, 'with one credential');

-- login_lookup
select is(t.dry('none', $$value:select user_id || ' ' || org_slug || ' ' || name || ' ' || email || ' ' || role || ' ' || status || ' ' || left(password_hash, 10) from app.login_lookup('student@a.example')$$),
          t.id('student') || ' org-a student student@a.example student active $argon2id$', 'the account behind an address');
select is(t.dry('none', $$select from app.login_lookup('nobody@a.example')$$), '0', 'no account');
select is(t.dry('none', $$select from app.login_lookup('%@a.example')$$), '0', 'an address is no pattern');
select is(t.dry('none', $$value:select status from app.login_lookup('disabled@a.example')$$), 'disabled', 'a disabled account says so');

-- password_rehash
select is(t.act('none', $$value:select app.password_rehash(t.id('new'), 'other', '$argon2id$' || repeat('z', 40))$$), 'false', 'another hash than the one kept');
select is(t.act('none', $$value:select app.password_rehash(t.id('new'), '$argon2id$' || repeat('x', 40), '$argon2id$' || repeat('z', 40))$$), 'true', 'the hash is replaced');
select is((select password_hash from app.credentials where user_id = t.id('new')), '$argon2id$' || repeat('z', 40), 'and kept');

-- session_open
select is(t.act('none', $$value:select app.session_open(t.id('n1'), t.id('new'), sha256('1'), '192.0.2.1', repeat('u', 600), 30, 2)::text$$), '{}', 'a first session');
select is((select length(user_agent) || host(address) || version || (last_sign_in_at = now()) from app.sessions s join app.users u on u.id = s.user_id where s.id = t.id('n1')),
          '512192.0.2.11true', 'is noted, and is no change of the user');
select is(t.act('none', $$value:select app.session_open(t.id('n2'), t.id('new'), sha256('2'), null, null, 30, 2)::text$$), '{}', 'a second one');
update app.sessions set created_at = now() - interval '1 hour' where id = t.id('n1');
select is(t.act('none', $$value:select app.session_open(t.id('n3'), t.id('new'), sha256('3'), null, null, 30, 2)::text$$),
          '{' || t.id('n1') || '}', 'the third makes the oldest go');
select is((select revoked_reason from app.sessions where id = t.id('n1')), 'evicted', 'and says why');
select is(t.dry('none', $$select app.session_open(t.id('n4'), t.id('disabled'), sha256('4'), null, null, 30, 2)$$), 'LE401', 'a disabled user opens none');
select is(t.dry('none', $$select app.session_open(t.id('n4'), t.id('nobody'), sha256('4'), null, null, 30, 2)$$), 'LE401', 'nor does nobody');
select is(t.dry('none', $$select app.session_open(t.id('n4'), t.id('new'), 'short', null, null, 30, 2)$$), '23514 refresh_tokens_digest', 'a digest of another length');

-- session_check
select is(t.dry('none', format('select app.session_check(t.id(%L), t.id(%L), t.id(%L), %L)', s, u, o, r)), a, w)
from (values ('n2', 'new', 'A', 'student', '1', 'a live session'),
             ('n1', 'new', 'A', 'student', 'LE401', 'a revoked one'),
             ('nope', 'new', 'A', 'student', 'LE401', 'no such one'),
             ('n2', 'student', 'A', 'student', 'LE401', 'another''s'),
             ('n2', 'new', 'B', 'student', 'LE401', 'another organisation'),
             ('n2', 'new', 'A', 'admin', 'LE401', 'another role'),
             ('s.disabled', 'disabled', 'A', 'student', 'LE401', 'a disabled user')) v (s, u, o, r, a, w);
select is(t.dry('none', $$select app.session_check(t.id('n2'), t.id('new'), t.id('A'), null)$$), 'LE401', 'no role');
update app.sessions set created_at = now() - interval '2 days', expires_at = now() where id = t.id('s.late');
select is(t.dry('none', $$select app.session_check(t.id('s.late'), t.id('late'), t.id('A'), 'student')$$), 'LE401', 'an expired session');

-- session_rotate
select is(t.act('none', format('value:select r::text from app.session_rotate(t.id(%L), sha256(%L), sha256(%L), 30) r', s, o, n)), a, w)
from (values ('n2', '2', '2b', '(rotated,' || t.id('new') || ',' || t.id('A') || ',student,New,new@a.example)', 'a token is exchanged'),
             ('n2', 'x', 'y', '(invalid,,,,,)', 'an unknown token'),
             ('n3', '2b', 'y', '(invalid,,,,,)', 'the token of another session'),
             ('n1', '1', 'y', '(invalid,,,,,)', 'the token of a revoked session'),
             ('nope', '2b', 'y', '(invalid,,,,,)', 'no such session'),
             ('n2', '2b', '2c', '(rotated,' || t.id('new') || ',' || t.id('A') || ',student,New,new@a.example)', 'the new token is exchanged too'),
             ('n2', '2', 'y', '(reused,,,,,)', 'a used token comes again'),
             ('n2', '2c', 'y', '(invalid,,,,,)', 'which ended the session')) v (s, o, n, a, w);
select is((select revoked_reason from app.sessions where id = t.id('n2')), 'token_reuse', 'and says why');
select is((select count(*)::int from app.refresh_tokens where digest = sha256('y')), 0, 'a refusal leaves no token');
update app.refresh_tokens set issued_at = now() - interval '2 days', expires_at = now() where digest = sha256('3');
select is(t.dry('none', $$value:select outcome from app.session_rotate(t.id('n3'), sha256('3'), sha256('y'), 30)$$), 'invalid', 'an expired token');
update app.refresh_tokens set expires_at = now() + interval '1 day' where digest = sha256('3');
update app.sessions set created_at = now() - interval '2 days', expires_at = now() where id = t.id('n3');
select is(t.dry('none', $$value:select outcome from app.session_rotate(t.id('n3'), sha256('3'), sha256('y'), 30)$$), 'invalid', 'an expired session');
update app.sessions set expires_at = now() + interval '1 day' where id = t.id('n3');
update app.users set status = 'disabled' where id = t.id('new');
select is(t.dry('none', $$value:select outcome from app.session_rotate(t.id('n3'), sha256('3'), sha256('y'), 30)$$), 'invalid', 'a disabled user');
update app.users set status = 'active' where id = t.id('new');

-- session_end, sessions_end
select is(t.dry(w, $$value:select app.session_end(t.id('s.student'), 'signed_out')$$), a, w || ' ends the student''s session')
from (values ('student', 'true'), ('admin', 'true'), ('operator', 'true'), ('teacher', 'false'),
             ('outsider', 'false'), ('badmin', 'false'), ('none', 'false'), ('forger', 'false')) v (w, a);
select is(t.dry('student', $$value:select app.session_end(t.id('s.student'), 'Signed out!')$$), '23514 sessions_reason', 'a reason of another shape');
select is(t.act('student', $$value:select app.session_end(t.id('s.student'), 'signed_out')$$), 'true', 'signing out');
select is(t.act('student', $$value:select app.session_end(t.id('s.student'), 'signed_out')$$), 'false', 'once');
select is(t.dry(w, format('value:select cardinality(app.sessions_end(t.id(%L), ''signed_out'', t.id(%L)))', 'done', k)), a, w || ' ends all sessions of done but ' || k)
from (values ('done', 'none', '1'), ('done', 's.done', '0'), ('admin', 'none', '1'), ('teacher', 'none', '0'),
             ('badmin', 'none', '0'), ('none', 'none', '0')) v (w, k, a);

-- purge_expired
select is(t.act('none', $$value:select app.purge_expired(100)$$, 'lectern_jobs'), '0', 'nothing to purge');
update app.idempotency_keys set created_at = now() - interval '2 days', expires_at = now() where user_id = t.id('student');
update app.refresh_tokens set issued_at = now() - interval '2 days', expires_at = now() where session_id = t.id('s.late');
update app.sessions set created_at = now() - interval '99 days', expires_at = now() - interval '91 days' where id = t.id('s.gone');
select is(t.act('none', $$value:select app.purge_expired(100)$$, 'lectern_jobs'), '3', 'one of each is purged');
select is((select count(*)::int from app.sessions where id in (t.id('s.gone'), t.id('s.late'))), 1, 'a session that has just expired stays');

select * from finish();
rollback;
