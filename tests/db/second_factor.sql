-- The second factor: who sees it, what its tables take, what a code, a recovery code, a challenge and an attempt are good for.
begin;
set local search_path = t, public;
select no_plan();

create function pg_temp.sealed(x text) returns text language sql return 'v1.k.' || repeat(x, 40);
create function pg_temp.codes(n int) returns bytea[] language sql return array(select sha256(i::text::bytea) from generate_series(1, n) i);
grant execute on function pg_temp.sealed(text), pg_temp.codes(int) to public;
create function pg_temp.factor() returns text language sql return
    (select concat_ws(' ', left(sealed, 6), confirmed_at is not null, last_step, failures) from app.second_factors where user_id = t.id('student'));

-- Enrolling
select is(t.act('student', $$value:select app.second_factor_confirm(7, pg_temp.codes(10), t.id('s.student'))$$), null, 'nothing to confirm');
select is(t.dry('student', 'select from app.second_factor_attempt()'), '0', 'and nothing to try');
select is(t.act('student', $$value:select app.second_factor_enrol(pg_temp.sealed('a'))$$), 'true', 'a secret');
select is(t.act('student', $$value:select app.second_factor_enrol(pg_temp.sealed('b'))$$), 'true', 'another in its place, while none is confirmed');
select is(t.act('none', $$value:select app.second_factor_challenge(t.id('student'), sha256('c'), 300)$$), 'false', 'a pending one asks for no code');
select is(t.dry('student', $$select app.second_factor_check(t.id('s.student'))$$), 'LE428', 'the session has proven nothing');
select is(t.dry('student', $$value:select app.second_factor_codes(7, pg_temp.codes(10))$$), 'false', 'no recovery codes for a pending one');
select is(t.dry('student', $$value:select app.second_factor_disable(7, null)$$), 'false', 'a pending one is not disabled');
insert into app.sessions (id, org_id, user_id, expires_at) values (t.id('s.2'), t.id('A'), t.id('student'), now() + interval '1 day');
select is(t.act('student', $$value:select sealed || ' ' || confirmed || ' ' || wait from app.second_factor_attempt()$$),
          pg_temp.sealed('b') || ' false 0', 'an attempt tells the secret');
select is(pg_temp.factor(), 'v1.k.b f 0 1', 'and counts');
select is(t.act('student', $$value:select app.second_factor_confirm(7, pg_temp.codes(10), t.id('s.student'))$$), '{' || t.id('s.2') || '}', 'confirmed: the other sessions end');
select is(pg_temp.factor(), 'v1.k.b t 7 0', 'the step is taken, the attempt forgiven');
select is((select revoked_reason from app.sessions where id = t.id('s.2')), 'second_factor', 'the session says why');
select is(t.dry('student', $$select app.second_factor_check(t.id('s.student'))$$), '1', 'this session has proven its factor');
select is(t.dry('student', $$select app.second_factor_check(t.id('s.2'))$$), 'LE428', 'no other has');
select is(t.dry('teacher', $$select app.second_factor_check(t.id('s.student'))$$), 'LE428', 'nor is it another''s');
select is(t.dry('student', $$value:select app.second_factor_confirm(8, pg_temp.codes(10), t.id('s.student'))$$), null, 'once');
select is(t.act('student', $$value:select app.second_factor_enrol(pg_temp.sealed('c'))$$), 'false', 'a confirmed one is not replaced');
select is(pg_temp.factor(), 'v1.k.b t 7 0', 'and is as it was');

-- Who sees what
select is(t.dry('student', 'value:select count(*) || '' '' || count(confirmed_at) from app.second_factors'), '1 1', 'one sees that one has one');
select is(t.dry('student', 'value:select count(*) || '' '' || count(used_at) from app.recovery_codes'), '10 0', 'and how many recovery codes are left');
select is(t.dry(w, 'select user_id from app.' || v), '0', w || ' sees no other''s of ' || v)
from unnest('{admin,operator,teacher,badmin,none,orgless,userless,forger}'::text[]) w, unnest('{second_factors,recovery_codes}'::text[]) v;
select is(t.dry('student', v), '42501', v) from unnest(array[
    'select sealed from app.second_factors', 'select last_step from app.second_factors', 'select * from app.second_factors',
    'select digest from app.recovery_codes', 'select from app.second_factor_challenges',
    'update app.second_factors set confirmed_at = now()', 'update app.second_factors set last_step = 0', 'delete from app.second_factors',
    'insert into app.second_factors (user_id, org_id, sealed) values (t.id(''student''), t.id(''A''), pg_temp.sealed(''x''))',
    'update app.recovery_codes set used_at = null', 'delete from app.recovery_codes',
    'insert into app.recovery_codes (user_id, org_id, digest) values (t.id(''student''), t.id(''A''), sha256(''x''))',
    'update app.second_factor_challenges set attempts = 0', 'delete from app.second_factor_challenges',
    'update app.sessions set second_factor_at = now()',
    'select app.second_factor_try(t.id(''student''))', 'select app.second_factor_take(t.id(''student''), 9, null)',
    'select app.recovery_codes_put(t.id(''student''), ''{}'')', 'select app.second_factor_remove(t.id(''student''))']) v;

-- Signing in
select is(t.act('none', $$value:select app.second_factor_challenge(t.id('student'), sha256('c1'), 300)$$), 'true', 'the user owes a code');
select is(t.act('none', $$value:select app.second_factor_challenge(t.id('teacher'), sha256('c2'), 300)$$), 'false', 'one without a factor does not');
select is(t.dry('student', $$value:select app.second_factor_challenge(t.id('student'), sha256('c2'), 300)$$), 'false', 'who is signed in gets none');
select is(t.dry('none', $$value:select app.second_factor_answer(sha256('c1'), 9, null, t.id('n1'))$$), 'false', 'no answer without an attempt');
select is(t.act('none', $$value:select concat_ws(' ', user_id = t.id('student'), org_id = t.id('A'), name, email, role, locale, sealed, wait) from app.second_factor_challenged(sha256('c1'))$$),
          't t student student@a.example student en ' || pg_temp.sealed('b') || ' 0', 'whose challenge it is');
select is(t.dry('none', $$value:select app.second_factor_answer(sha256('c1'), 7, null, t.id('n1'))$$), 'false', 'the step that was taken');
select is(t.dry('none', $$value:select app.second_factor_answer(sha256('c1'), 6, null, t.id('n1'))$$), 'false', 'one before it');
select is(t.dry('none', $$value:select app.second_factor_answer(sha256('c1'), 9, sha256('no code'), t.id('n1'))$$), 'false', 'a recovery code that is none');
select is(t.dry('none', $$value:select app.second_factor_answer(sha256('c1'), null, null, t.id('n1'))$$), 'false', 'neither');
select is(t.act('none', $$value:select app.second_factor_answer(sha256('c1'), 8, null, t.id('n1'))$$), 'true', 'the next step');
select is(pg_temp.factor(), 'v1.k.b t 8 0', 'is taken');
select is(t.dry('none', $$value:select app.second_factor_answer(sha256('c1'), 9, null, t.id('n2'))$$), 'false', 'a challenge is answered once');
select is(t.dry('none', $$select from app.second_factor_challenged(sha256('c1'))$$), '0', 'and not tried again');
select is(t.act('none', $$value:select app.session_open(t.id('n1'), t.id('student'), sha256('1'), null, null, 30, 9)::text$$), '{}', 'the session is opened');
select is(t.dry('teacher', $$value:select app.second_factor_settle(sha256('c1'))$$), 'false', 'another''s');
select is(t.act('student', $$value:select app.second_factor_settle(sha256('c1'))$$), 'true', 'and has proven its factor');
select is(t.dry('student', $$select app.second_factor_check(t.id('n1'))$$), '1', 'as can be asked');
select is((select count(*)::int from app.second_factor_challenges), 0, 'the challenge has gone');
select is(t.dry('student', $$value:select app.second_factor_settle(sha256('c1'))$$), 'false', 'once');

-- A challenge is tried five times, lives its time, and not longer than the password and the account.
select t.act('none', $$value:select app.second_factor_challenge(t.id('student'), sha256('c3'), 300)$$);
select is(t.act('none', $$select from app.second_factor_challenged(sha256('c3'))$$), '1', 'attempt ' || n) from generate_series(1, 5) n;
select is(t.act('none', $$select from app.second_factor_challenged(sha256('c3'))$$), '0', 'not a sixth one');
update app.second_factor_challenges set attempts = 1;
select is(t.dry('none', $$select from app.second_factor_challenged(sha256('c3'))$$), '1', 'again');
update app.second_factor_challenges set created_at = now() - interval '10 minutes', expires_at = now() - interval '1 second';
select is(t.dry('none', $$select from app.second_factor_challenged(sha256('c3'))$$), '0', 'an expired one is not tried');
select is(t.dry('none', $$value:select app.second_factor_answer(sha256('c3'), 99, null, t.id('n3'))$$), 'false', 'nor answered');
select is(t.act('none', $$value:select app.second_factor_challenge(t.id('student'), sha256('c4'), 300)$$), 'true', 'a new one');
select is((select count(*)::int from app.second_factor_challenges), 1, 'takes the expired ones along');
update app.credentials set changed_at = now() + interval '1 second' where user_id = t.id('student');
select is(t.dry('none', $$select from app.second_factor_challenged(sha256('c4'))$$), '0', 'the password has been changed since');
update app.credentials set changed_at = now() where user_id = t.id('student');
update app.users set status = 'disabled' where id = t.id('student');
select is(t.dry('none', $$select from app.second_factor_challenged(sha256('c4'))$$), '0', 'the account has been disabled');
update app.users set status = 'active' where id = t.id('student');

-- Ten attempts in an hour, whatever challenge they come with.
select is(pg_temp.factor(), 'v1.k.b t 8 5', 'five have failed');
select t.act('student', 'select from app.second_factor_attempt()') from generate_series(1, 5);
select is(t.act('student', $$value:select wait between 3500 and 3600 and sealed is null from app.second_factor_attempt()$$), 'true', 'after ten the caller waits');
select is(t.dry('none', $$value:select wait > 3500 and sealed is null from app.second_factor_challenged(sha256('c4'))$$), 'true', 'at sign-in, too');
select is(pg_temp.factor(), 'v1.k.b t 8 10', 'and no more are counted');
update app.second_factors set failing_since = now() - interval '61 minutes';
select is(t.act('student', $$value:select wait from app.second_factor_attempt()$$), '0', 'an hour later');
select is(pg_temp.factor(), 'v1.k.b t 8 1', 'counting begins anew');

-- Recovery codes
select is(t.act('student', $$value:select app.second_factor_codes(8, pg_temp.codes(3))$$), 'false', 'new ones for a code that was used');
select is((select count(*)::int from app.recovery_codes), 10, 'are not made');
select is(t.act('student', $$value:select app.second_factor_codes(9, pg_temp.codes(3))$$), 'true', 'new ones');
select is((select count(*)::int from app.recovery_codes), 3, 'in place of the old');
select t.act('none', $$select from app.second_factor_challenged(sha256('c4'))$$);
select is(t.dry('none', $$value:select app.second_factor_answer(sha256('c4'), 0, sha256('4'), t.id('n4'))$$), 'false', 'an old one');
select is(t.act('none', $$value:select app.second_factor_answer(sha256('c4'), 0, sha256('2'), t.id('n4'))$$), 'true', 'a new one');
select is((select string_agg((used_at is not null)::text, ' ' order by digest = sha256('2') desc) from app.recovery_codes), 'true false false', 'is used');
select is(t.dry('student', $$value:select app.second_factor_disable(0, sha256('2'))$$), 'false', 'and not again');

-- Taking it away
select is(t.dry('student', $$value:select app.second_factor_disable(9, null)$$), 'false', 'a code that was used');
select is(t.dry('student', $$value:select app.second_factor_disable(10, null)$$), 'true', 'a code');
select is(t.act('student', $$value:select app.second_factor_disable(0, sha256('3'))$$), 'true', 'or a recovery code');
select is((select (select count(*) from app.second_factors) + (select count(*) from app.recovery_codes) + (select count(*) from app.second_factor_challenges)), 0::bigint, 'nothing stays');
select is(t.dry('student', $$select app.second_factor_check(t.id('n1'))$$), 'LE428', 'no session has proven what is gone');
select is((select count(*)::int from app.sessions where user_id = t.id('student') and revoked_at is null), 2, 'and none has ended');

-- By an admin
insert into app.second_factors (user_id, org_id, sealed, confirmed_at)
select id, org_id, pg_temp.sealed('x'), now() from app.users where id in (t.id('student'), t.id('operator'), t.id('admin'));
select is(t.dry(w, format('select app.second_factor_reset(t.id(%L))', u)), a, format('%s resets %s', w, u))
from (values ('student', 'student', '42501'), ('teacher', 'student', '42501'), ('none', 'student', '42501'), ('orgless', 'student', '42501'),
             ('badmin', 'student', 'LE404'), ('admin', 'teacher', 'LE404'), ('admin', 'nobody', 'LE404'),
             ('admin', 'operator', '42501 users_role_too_high'), ('operator', 'admin', '1'), ('admin', 'admin', '1')) v (w, u, a);
select is(t.act('admin', $$value:select cardinality(ended) || ' ' || concat_ws(' ', name, email, locale) from app.second_factor_reset(t.id('student'))$$),
          '2 student student@a.example en', 'the sessions end');
select is((select count(*)::int from app.sessions where user_id = t.id('student') and revoked_at is null), 0, 'all of them');
select is((select count(*)::int from app.second_factors where user_id = t.id('student')), 0, 'the factor has gone');

-- Bounds
insert into app.second_factors (user_id, org_id, sealed) values (t.id('student'), t.id('A'), pg_temp.sealed('x'));
insert into app.recovery_codes (user_id, org_id, digest) values (t.id('student'), t.id('A'), sha256('x'));
insert into app.second_factor_challenges (digest, user_id, org_id, expires_at) values (sha256('x'), t.id('student'), t.id('A'), now() + interval '1 hour');
create function pg_temp.try(statement text) returns text language plpgsql as $$
declare
    named text;
    state text;
begin
    begin
        execute statement;
        raise exception using errcode = 'TT000';
    exception when sqlstate 'TT000' then
    when others then
        get stacked diagnostics state = returned_sqlstate, named = constraint_name;
    end;
    return coalesce(btrim(state || ' ' || coalesce(named, '')), 'good');
end $$;
select is(pg_temp.try(format('update app.%s set %s where user_id = t.id(''student'')', tbl, change)), answer, tbl || ': ' || change)
from (values
    ('second_factors', $$sealed = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP'$$, '23514 second_factors_sealed'),
    ('second_factors', $$sealed = 'v1.k.' || repeat('x', 26)$$, '23514 second_factors_sealed'),
    ('second_factors', $$sealed = 'v1.k.' || repeat('x', 27)$$, 'good'),
    ('second_factors', $$sealed = 'v1.k.' || repeat('x', 1019)$$, 'good'),
    ('second_factors', $$sealed = 'v1.k.' || repeat('x', 1020)$$, '23514 second_factors_sealed'),
    ('second_factors', 'last_step = -1', '23514 second_factors_step'),
    ('second_factors', 'failures = 1', '23514 second_factors_failures'),
    ('second_factors', 'failing_since = now()', '23514 second_factors_failures'),
    ('second_factors', 'failures = -1, failing_since = now()', '23514 second_factors_failures'),
    ('second_factors', 'failures = 1, failing_since = now()', 'good'),
    ('recovery_codes', $$digest = 'short'$$, '23514 recovery_codes_digest'),
    ('recovery_codes', 'org_id = t.id(''B'')', '23503 recovery_codes_factor'),
    ('second_factor_challenges', $$digest = 'short'$$, '23514 second_factor_challenges_digest'),
    ('second_factor_challenges', 'expires_at = created_at', '23514 second_factor_challenges_expiry'),
    ('second_factor_challenges', 'attempts = 6', '23514 second_factor_challenges_attempts'),
    ('second_factor_challenges', 'attempts = -1', '23514 second_factor_challenges_attempts'),
    ('second_factor_challenges', 'attempts = 5', 'good'),
    ('second_factor_challenges', 'org_id = t.id(''B'')', '23503 second_factor_challenges_factor')) v (tbl, change, answer);
select is(pg_temp.try($$insert into app.second_factors (user_id, org_id, sealed) values (t.id('teacher'), t.id('B'), pg_temp.sealed('x'))$$), '23503 second_factors_user', 'of the user''s organisation');
select is(pg_temp.try($$insert into app.recovery_codes (user_id, org_id, digest) values (t.id('student'), t.id('A'), sha256('x'))$$), '23505 recovery_codes_pkey', 'a code once');
select is(pg_temp.try($$insert into app.second_factors (user_id, org_id, sealed) values (t.id('student'), t.id('A'), pg_temp.sealed('x'))$$), '23505 second_factors_pkey', 'a factor once');
select is(pg_temp.try($$insert into app.second_factor_challenges (digest, user_id, org_id, expires_at) values (sha256('x'), t.id('student'), t.id('A'), now() + interval '1 hour')$$), '23505 second_factor_challenges_pkey', 'a challenge once');
delete from app.users where id = t.id('student');
select is((select (select count(*) from app.second_factors where user_id = t.id('student')) + (select count(*) from app.recovery_codes) + (select count(*) from app.second_factor_challenges)), 0::bigint, 'all of it goes with the user');

select * from finish();
rollback;
