-- Proof of an address, forgotten and changed passwords.
begin;
set local search_path = t, public;
select no_plan();
create function pg_temp.hash(x text) returns text language sql return '$argon2id$v=19$m=19456,t=2,p=1$' || repeat(x, 40);
grant execute on function pg_temp.hash(text) to public;
create function pg_temp.issue(who text, usr text, org text, purpose text, secret text, minutes int default 60) returns text language sql return
    t.act(who, format('select app.account_token_issue(%s, t.id(%L), %L, sha256(%L), %s)', coalesce(format('t.id(%L)', usr), 'null'), org, purpose, secret, minutes));

-- Who is behind an address
select is(t.dry('none', format('value:select f::text from app.account_find(%L) f', a)), w, a)
from (values ('student@a.example', format('(%s,%s,student,en,f)', t.id('student'), t.id('A'))),
             ('bstudent@b.example', format('(%s,%s,bstudent,en,f)', t.id('bstudent'), t.id('B'))),
             ('disabled@a.example', format('(,%s,,en,f)', least(t.id('A'), t.id('B')))),
             ('nobody@a.example', format('(,%s,,en,f)', least(t.id('A'), t.id('B'))))) v (a, w);

-- Issuing: only for who has not signed in, with the user's own organisation
select is(pg_temp.issue(w, 'student', 'A', 'password_reset', w), '42501', w || ' gets no token from it')
from unnest('{student,admin,operator,orgless,userless,forger}'::text[]) w;
select is(pg_temp.issue('none', 'student', 'B', 'password_reset', 'x'), '23503 account_tokens_user', 'a user of another organisation');
select is(pg_temp.issue('none', 'student', 'A', 'anything', 'x'), '23514 account_tokens_purpose', 'a purpose of another name');
select is(pg_temp.issue('none', 'student', 'A', 'password_reset', 'x', 0), '23514 account_tokens_expiry', 'one that has expired');
select is(t.dry('none', $$select app.account_token_issue(null, t.id('A'), 'password_reset', 'short', 60)$$), '23514 account_tokens_digest', 'a digest of another length');
select is(pg_temp.issue('none', null, 'nothing', 'password_reset', 'x'), '23503 account_tokens_org', 'no organisation');
select is(t.dry(w, 'select from app.account_tokens', r), '42501', format('%s, %s: reads none', w, r))
from (values ('none', 'lectern_app'), ('student', 'lectern_app'), ('operator', 'lectern_app'), ('none', 'lectern_jobs')) v (w, r);
select is(t.dry('none', $$select app.account_token_use(sha256('x'), 'password_reset')$$), '42501', 'nor is a token used but for its purpose');

-- A token is for one purpose, once, until a newer one or its time
select is(pg_temp.issue('none', 'student', 'A', 'password_reset', 'r1'), '1', 'a first token');
select is(pg_temp.issue('none', 'student', 'A', 'verify_email', 'v1'), '1', 'of another purpose');
select is(pg_temp.issue('none', null, 'A', 'password_reset', 'void'), '1', 'of nobody');
select is(t.dry('none', format('value:select app.account_token_email(sha256(%L), %L)', s, p)), w, s || ' as ' || p)
from (values ('r1', 'password_reset', 'student@a.example'), ('r1', 'verify_email', null), ('v1', 'verify_email', 'student@a.example'),
             ('v1', 'password_reset', null), ('void', 'password_reset', null), ('unknown', 'password_reset', null)) v (s, p, w);
select is(t.dry('none', $$value:select app.email_verify(sha256('r1'))$$), 'false', 'a password''s token proves no address');
select is(t.dry('none', $$select app.password_reset(sha256('v1'), pg_temp.hash('z'), t.id('l.reset'))$$), '0', 'an address''s token gives no password');
select is(t.dry('none', $$select app.password_reset(sha256('void'), pg_temp.hash('z'), t.id('l.reset'))$$), '0', 'nobody''s gives none');
select is(pg_temp.issue('none', 'student', 'A', 'password_reset', 'r2'), '1', 'a newer one');
select is(t.dry('none', $$value:select app.account_token_email(sha256('r1'), 'password_reset')$$), null, 'ends the older');
select is(t.dry('none', $$value:select app.account_token_email(sha256('v1'), 'verify_email')$$), 'student@a.example', 'of its purpose');
update app.account_tokens set created_at = now() - interval '2 hours', expires_at = now() where digest = sha256('r2');
select is(t.dry('none', $$select app.password_reset(sha256('r2'), pg_temp.hash('z'), t.id('l.reset'))$$), '0', 'nor one that has expired');
update app.account_tokens set expires_at = now() + interval '1 hour' where digest = sha256('r2');
update app.users set status = 'disabled' where id = t.id('student');
select is(t.dry('none', $$select app.password_reset(sha256('r2'), pg_temp.hash('z'), t.id('l.reset'))$$), '0', 'nor that of a disabled account');
update app.users set status = 'active' where id = t.id('student');

-- Proof of the address
select is(t.act('none', $$value:select app.email_verify(sha256('v1'))$$), 'true', 'the address is proven');
select is((select email_verified_at from app.users where id = t.id('student')), now(), 'and it is noted');
select is(t.act('none', $$value:select app.email_verify(sha256('v1'))$$), 'false', 'once');

-- A forgotten password
insert into app.sessions (id, org_id, user_id, expires_at) values (t.id('s2'), t.id('A'), t.id('student'), now() + interval '1 day');
insert into app.signin_failures (account, source, attempts, locked_at, ends_at)
values (app.signin_account('student@a.example'), 'elsewhere', 10, now(), now() + interval '1 hour');
select is(t.act('none', $$value:select p.name || cardinality(p.ended) || p.email from app.password_reset(sha256('r2'), pg_temp.hash('z'), t.id('l.reset')) p$$),
          'student2student@a.example', 'a new password');
select is((select password_hash || (changed_at = now()) from app.credentials where user_id = t.id('student')), pg_temp.hash('z') || 'true', 'is kept');
select is((select count(*)::int from app.sessions where user_id = t.id('student') and revoked_at is null), 0, 'all sessions have ended');
select is((select count(*)::int from app.sessions where revoked_at is not null), 2, 'and no other''s');
select is((select count(*)::int from app.signin_failures), 0, 'a lock is lifted');
select is((select action || (target_id = t.id('student')) || coalesce(actor_id::text, ' by nobody') from app.audit_logs where id = t.id('l.reset')),
          'account.password_resettrue by nobody', 'the trail says so');
select is(t.act('none', $$select app.password_reset(sha256('r2'), pg_temp.hash('y'), t.id('l.reset'))$$), '0', 'once');

-- A changed password
select is(t.dry(w, 'value:select app.password_current()'), r, w || ' reads a hash')
from (values ('student', pg_temp.hash('z')), ('admin', pg_temp.hash('x')), ('none', null), ('forger', null), ('orgless', null), ('userless', null)) v (w, r);
update app.sessions set revoked_at = null, revoked_reason = null where id in (t.id('s2'), t.id('s.student'));
select pg_temp.issue('none', 'student', 'A', 'password_reset', 'r3');
select is(t.dry('student', $$select app.password_change(pg_temp.hash('x'), pg_temp.hash('w'), t.id('s2'))$$), '0', 'another hash than the one kept');
select is(t.dry(w, $$select app.password_change(pg_temp.hash('z'), pg_temp.hash('w'), t.id('s2'))$$), '0', w || ' changes none')
from unnest('{none,forger,orgless,userless,admin}'::text[]) w;
select is(t.dry('student', $$select app.password_change(pg_temp.hash('z'), 'plain', null)$$), '23514 credentials_hash', 'a password that is no hash');
select is(t.act('student', $$value:select p.email || ' ' || p.ended::text from app.password_change(pg_temp.hash('z'), pg_temp.hash('w'), t.id('s2')) p$$),
          'student@a.example {' || t.id('s.student') || '}', 'another password ends the other session');
select is((select revoked_at from app.sessions where id = t.id('s2')), null, 'not the one to keep');
select is((select revoked_reason from app.sessions where id = t.id('s.student')), 'password_changed', 'and says why');
select is(t.dry('none', $$select app.password_reset(sha256('r3'), pg_temp.hash('y'), t.id('l.reset'))$$), '0', 'a link that was mailed before is void');

-- The trail says that it happened and not what it was
select is((select count(*)::int from app.account_tokens where digest is not null and user_id = t.id('student')), 4, 'ended tokens stay until they expire');
select set_config('app.audit_action', 'account.password_change', true);
select t.act('student', $$select app.password_change(pg_temp.hash('w'), pg_temp.hash('u'), t.id('s2'))$$);
select t.become('student'), app.audit_append(t.id('l.new'), 'account.password_change', 'user', null, 4096, '{}');
select is((select before ->> 'password_hash' || (after ->> 'password_hash') from app.audit_logs where id = t.id('l.new')), '[redacted][redacted]', 'the hash is in no audit row');

-- Purge
select is(t.act('none', 'value:select app.account_tokens_purge(9)', 'lectern_jobs'), '0', 'nothing to purge');
update app.account_tokens set created_at = now() - interval '2 hours', expires_at = now();
select is(t.act('none', 'value:select app.account_tokens_purge(3)', 'lectern_jobs'), '3', 'no more at a time than was said');
select is(t.dry('none', 'select app.account_tokens_purge(3)'), '42501', 'by the daemon alone');
delete from app.users where id = t.id('student');
select is((select count(*)::int from app.account_tokens where user_id = t.id('student')), 0, 'tokens go with their account');

select * from finish();
rollback;
