-- Failed sign-ins: what is counted, what locks whom, who lifts it.
begin;
set local search_path = t, public;
select no_plan();

-- One attempt of three, in a window of 15 minutes, with a lock of 20.
create function pg_temp.attempt(email text, address text, device_user text default null, device text default null, threshold int default 3) returns text
language sql as $$
    select t.act('none', format('value:select b::text from app.signin_begin(%L, %L, %L, %L, %s, 15, 20) b', email, address,
                                t.id(device_user), t.id(device), threshold))
$$;
create function pg_temp.row(email text, src text) returns text language sql as $$
    select attempts || ' ' || (ends_at - now())::text || case when locked_at is not null then ' locked' else '' end
    from app.signin_failures where account = app.signin_account(email) and source = src
$$;

-- counting and locking
select is(pg_temp.attempt('student@a.example', '192.0.2.1'), '(t,f,elsewhere)', 'a first attempt');
select is(pg_temp.attempt('student@a.example', '198.51.100.1'), '(t,f,elsewhere)', 'from another stranger: counted together');
select is(pg_temp.row('student@a.example', 'elsewhere'), '2 00:15:00', 'the count ends a window after the first');
select is(pg_temp.attempt('student@a.example', '2001:db8::1'), '(t,t,elsewhere)', 'the third is the last');
select is(pg_temp.row('student@a.example', 'elsewhere'), '3 00:20:00 locked', 'and locks');
select is(pg_temp.attempt('student@a.example', '192.0.2.1'), '(f,f,elsewhere)', 'no more are admitted');
select is(pg_temp.row('student@a.example', 'elsewhere'), '3 00:20:00 locked', 'which changes nothing');
select is(pg_temp.attempt('late@a.example', '192.0.2.1'), '(t,f,elsewhere)', 'another account is not locked');
select is(pg_temp.attempt('late@a.example', '192.0.2.1', threshold => 1), '(t,t,elsewhere)', 'a threshold that was lowered holds at once');

-- an address without an account is counted just so
select is(pg_temp.attempt('nobody@a.example', '192.0.2.1'), w, 'an unknown address: ' || w)
from unnest('{"(t,f,elsewhere)","(t,f,elsewhere)","(t,t,elsewhere)","(f,f,elsewhere)"}'::text[]) w;

-- what ends
update app.signin_failures set ends_at = now();
select is(pg_temp.attempt('student@a.example', '192.0.2.1'), '(t,f,elsewhere)', 'a lock that is over');
select is(pg_temp.row('student@a.example', 'elsewhere'), '1 00:15:00', 'begins a new count');
select is(pg_temp.attempt('student@a.example', '192.0.2.1'), '(t,f,elsewhere)', 'a second');
update app.signin_failures set ends_at = now();
select is(pg_temp.attempt('student@a.example', '192.0.2.1'), '(t,f,elsewhere)', 'a window that is over');
select is(pg_temp.row('student@a.example', 'elsewhere'), '1 00:15:00', 'does, too');

-- sources that the account knows are counted for themselves
insert into app.sessions (id, org_id, user_id, address, expires_at, revoked_at, revoked_reason) values
    (t.id('l1'), t.id('A'), t.id('student'), '192.0.2.1', now() + interval '1 day', now(), 'logout'),
    (t.id('l2'), t.id('A'), t.id('student'), '2001:db8:1:2::9', now() + interval '1 day', null, null),
    (t.id('l3'), t.id('A'), t.id('student'), '::ffff:203.0.113.5', now() + interval '1 day', null, null);
select is(pg_temp.attempt('student@a.example', a, u, d), '(t,f,"' || s || '")', coalesce(d, '') || ' ' || a)
from (values ('192.0.2.1', null, null, 'network 192.0.2.1/32'), ('2001:db8:1:2:ffff::', null, null, 'network 2001:db8:1:2::/64'),
             ('::ffff:203.0.113.5', null, null, 'network ::ffff:203.0.113.5/128'),
             ('192.0.2.1', 'student', 'd1', 'device ' || t.id('d1')), ('198.51.100.9', 'student', 'd1', 'device ' || t.id('d1'))) v (a, u, d, s);
select is(pg_temp.attempt('student@a.example', a, u, d, 9), '(t,f,elsewhere)', 'a stranger: ' || w)
from (values ('192.0.2.2', null, null, 'the next address'), ('2001:db8:1:3::1', 'late', 'd2', 'the next network, with another''s device'),
             ('::ffff:203.0.113.6', null, null, 'the next mapped address'), (null, null, null, 'no address at all')) v (a, u, d, w);
select is(pg_temp.attempt('late@a.example', '192.0.2.1', threshold => 9), '(t,f,elsewhere)', 'what one account knows, another does not');
-- A lock of strangers leaves them their own, and one of them leaves the others theirs.
update app.signin_failures set attempts = 3, locked_at = now(), ends_at = now() + interval '1 minute'
where account = app.signin_account('student@a.example') and source in ('elsewhere', 'network 192.0.2.1/32');
select is(pg_temp.attempt('student@a.example', a, u, d), w, coalesce(d, a) || ' while strangers and a network are locked out')
from (values ('198.51.100.1', null, null, '(f,f,elsewhere)'), ('192.0.2.1', null, null, '(f,f,"network 192.0.2.1/32")'),
             ('192.0.2.1', 'student', 'd1', '(t,t,"device ' || t.id('d1') || '")'),
             ('2001:db8:1:2::', null, null, '(t,f,"network 2001:db8:1:2::/64")')) v (a, u, d, w);

-- the right password takes its own source's count back
select is(t.act('none', $$value:select app.signin_passed('student@a.example', 'network 2001:db8:1:2::/64')$$), 'true', 'a sign-in');
select is(pg_temp.row('student@a.example', 'network 2001:db8:1:2::/64'), null, 'forgets its failures');
select is(pg_temp.row('student@a.example', 'elsewhere'), '3 00:01:00 locked', 'not those of others');
select is(t.act('none', $$value:select app.signin_passed('student@a.example', 'nowhere')$$), 'false', 'nothing to forget');

-- the lock is told and audited, of an account that there is
select is(t.act('none', format('value:select l::text from app.signin_locked(%L, %L, t.id(%L)) l', e, s, x)), w, e || ' ' || s)
from (values ('student@a.example', 'elsewhere', 'x1', '(' || t.id('A') || ',' || t.id('student') || ',student,en)'),
             ('student@a.example', 'network 2001:db8:1:2::/64', 'x2', '(' || least(t.id('A'), t.id('B')) || ',,,en)'),
             ('nobody@a.example', 'elsewhere', 'x3', '(' || least(t.id('A'), t.id('B')) || ',,,en)'),
             ('student@a.example', 'network 192.0.2.1/32', 'x5', '(' || t.id('A') || ',' || t.id('student') || ',student,en)'),
             ('disabled@a.example', 'elsewhere', 'x4', '(' || least(t.id('A'), t.id('B')) || ',,,en)')) v (e, s, x, w);
select is((select string_agg(action || ' ' || target_type || ' ' || (target_id = t.id('student')) || ' ' || (org_id = t.id('A')) || ' ' || coalesce(actor_id::text, 'nobody') || ' ' || after::text, ', ')
           from app.audit_logs where id in (t.id('x1'), t.id('x2'), t.id('x3'), t.id('x4'))),
          'account.lock user true true nobody {"source": "elsewhere"}', 'one audit row');
select is((select after::text from app.audit_logs where id = t.id('x5')), '{"source": "network"}', 'which knows no address');

-- lifted
select is(t.dry(who, format('value:select app.user_unlock(t.id(%L))', usr)), answer, who || ' unlocks ' || usr)
from (values ('admin', 'student', '3'), ('operator', 'student', '3'), ('admin', 'outsider', '0'), ('admin', 'operator', '42501 users_role_too_high'),
             ('operator', 'operator', '0'), ('admin', 'bstudent', 'LE404'), ('badmin', 'student', 'LE404'), ('admin', 'nobody', 'LE404'),
             ('teacher', 'student', '42501'), ('student', 'student', '42501'), ('none', 'student', '42501'), ('orgless', 'student', '42501')) v (who, usr, answer);
select is(t.dry(who, $$select app.lockout_clear(t.id('student'))$$), '42501', who || ' cannot lift a lock past the rules')
from (values ('student'), ('admin'), ('operator'), ('none')) v (who);
select is(t.act('none', $$value:select app.lockout_clear(t.id('student'))$$, 'lectern_definer'), '3', 'functions can');
select is((select count(*)::int from app.signin_failures where account = app.signin_account('student@a.example')), 0, 'nothing is left');
select isnt((select count(*)::int from app.signin_failures), 0, 'but that of others');
select is(pg_temp.attempt('student@a.example', '198.51.100.1'), '(t,f,elsewhere)', 'and all may try again');

-- nobody else touches the table; what it takes
select is(t.dry('admin', v.s), '42501', v.s)
from (values ('select from app.signin_failures'), ('delete from app.signin_failures'), ('update app.signin_failures set attempts = 1'),
             ('insert into app.signin_failures values (sha256(''x''), ''elsewhere'', 1, now(), null)')) v (s);
create function pg_temp.refused(statement text) returns text language plpgsql as $$
declare
    named text;
begin
    execute statement;
    return 'taken';
exception when check_violation or unique_violation then
    get stacked diagnostics named = constraint_name;
    return named;
end $$;
select is(pg_temp.refused(format('insert into app.signin_failures values (%s, %L, %s, now(), null)', a, s, n)), w, format('%s, %s, %s attempts', a, s, n))
from (values ('sha256(''x'')', 'elsewhere', 1, 'taken'), ('sha256(''x'')', 'elsewhere', 1, 'signin_failures_pkey'),
             ('''short''', 'elsewhere', 1, 'signin_failures_account'), ('sha256(''y'')', 'somewhere', 1, 'signin_failures_source'),
             ('sha256(''y'')', 'device x', 1, 'signin_failures_source'), ('sha256(''y'')', E'elsewhere\n', 1, 'signin_failures_source'),
             ('sha256(''y'')', 'elsewhere', 0, 'signin_failures_attempts')) v (a, s, n, w);

-- purged when they have ended
delete from app.signin_failures;
insert into app.signin_failures (account, source, attempts, ends_at, locked_at)
select sha256(n::text::bytea), 'elsewhere', 1, now() + make_interval(mins => n), case when n % 2 = 0 then now() end from generate_series(-4, 3) n;
select is(t.act('none', 'value:select app.signin_failures_purge(2)', 'lectern_jobs'), '2', 'as many as asked for');
select is(t.act('none', 'value:select app.signin_failures_purge(99)', 'lectern_jobs'), '3', 'all that have ended');
select is((select count(*)::int from app.signin_failures), 3, 'no others');
select is(t.dry('admin', 'select app.signin_failures_purge(9)'), '42501', 'for the daemon only');

select * from finish();
rollback;
