-- The audit trail: what is kept, that nobody changes it, and that changes show.
begin;
set local search_path = t, public;
select no_plan();

-- A change and its row, as the pipeline writes them: in one transaction, in two statements.
create function pg_temp.audited(who text, action text, change text, redacted text[] default '{}', longest int default 4096) returns t.persons
language plpgsql as $$
begin
    perform set_config('app.audit_action', action, true), set_config('app.request_id', 'req-1', true),
            set_config('app.client_ip', '192.0.2.7', true);
    perform t.act(who, change);
    perform t.act(who, format('select app.audit_append(t.id(%L), %L, ''course'', t.id(''c.main''), %s, %L)', action, action, longest, redacted));
    perform set_config('app.audit_action', '', true);
    return null;
end $$;

select pg_temp.audited('teacher', 'course.update', $$update app.courses set title = 'New', seats = 9 where id = t.id('c.main')$$);
select is((select jsonb_build_array(org_id = t.id('A'), actor_id = t.id('teacher'), action, target_type, target_id = t.id('c.main'), request_id, host(address), before, after)
           from app.audit_logs where id = t.id('course.update')),
          '[true, true, "course.update", "course", true, "req-1", "192.0.2.0", {"seats": null, "title": "Main", "version": 1}, {"seats": 9, "title": "New", "version": 2}]'::jsonb,
          'who, what, where and the changed columns');
select is(current_setting('app.audit_changes', true), '', 'nothing is left for the next');

select pg_temp.audited('admin', 'enrol', $$insert into app.enrollments (id, org_id, course_id, user_id) select t.id('x' || u), t.id('A'), t.id('c.main'), t.id(u) from unnest(array['outsider', 'helper']) u$$);
select is((select before is null and after ->> 'further_changes' = '1' and after ->> 'course_id' = t.id('c.main')::text from app.audit_logs where id = t.id('enrol')), true,
          'of several rows the first, and how many more');
select pg_temp.audited('teacher', 'course.delete', $$delete from app.courses where id = t.id('c.draft')$$);
select is((select before ->> 'title' || (after ->> 'further_changes') from app.audit_logs where id = t.id('course.delete')), 'Draft1', 'a deletion keeps what was, and counts what went with it');
select pg_temp.audited('student', 'user.update', $$update app.users set name = 'Secret' where id = t.id('student')$$);
select is((select before::text || after::text from app.audit_logs where id = t.id('user.update')),
          '{"name": "[redacted]", "version": 1}{"name": "[redacted]", "version": 2}', 'a name is not kept');
select pg_temp.audited('admin', 'org.update', $$update app.orgs set settings = '{"Smtp": {"PassWord": "s3cret", "hosts": [{"token": "s3cret"}, 1]}, "plan": "x", "empty": null}' where id = t.id('A')$$, array['PLAN']);
select is((select after ->> 'settings' from app.audit_logs where id = t.id('org.update')),
          '{"Smtp": {"hosts": [{"token": "[redacted]"}, 1], "PassWord": "[redacted]"}, "plan": "[redacted]", "empty": null}', 'secrets at any depth are not, nor what the settings name');
select pg_temp.audited('teacher', 'announcement.update', $$update app.announcements set title = repeat('t', 200) where id = t.id('n.main')$$, '{}', 100);
select is((select before::text ~ '^\{"title": "main"' and after::text ~ '^\{"bytes": \d+, "sha256": "[0-9a-f]{64}"\}$' from app.audit_logs where id = t.id('announcement.update')), true,
          'of what is too long the digest');
select pg_temp.audited('teacher', 'nothing', $$update app.courses set title = 'x' where id = t.id('c.b')$$);
select is((select before is null and after is null from app.audit_logs where id = t.id('nothing')), true, 'an act that changed no row');
select t.act('teacher', $$update app.courses set title = 'Newer' where id = t.id('c.main')$$);
select is(nullif(current_setting('app.audit_before', true), ''), null, 'without an action nothing is gathered');

-- Without an organisation, with another's, and with ill-formed names.
select is(t.act('none', $$select app.audit_append(t.id('signin'), 'auth.login', 'session', null, 100, '{}', t.id('A'))$$), '1', 'before sign-in the organisation is named');
select is((select actor_id is null and org_id = t.id('A') from app.audit_logs where id = t.id('signin')), true, 'and nobody acts');
select is(t.act('teacher', $$select app.audit_append(t.id('foreign'), 'x', 'y', null, 100, null, t.id('B'))$$), '1', 'after it the caller''s own ...');
select is((select org_id from app.audit_logs where id = t.id('foreign')), t.id('A'), '... always wins');
select is(t.dry('none', $$select app.audit_append(t.id('n'), 'x', 'y', null, 100, '{}')$$), '23502', 'no organisation at all');
select is(t.dry('teacher', $$select app.audit_append(t.id('n'), 'X y', 'y', null, 100, '{}')$$), '23514 audit_logs_action', 'an action of another shape');
select is(t.dry('teacher', $$select app.audit_append(t.id('l.a'), 'x', 'y', null, 100, '{}')$$), '23505 audit_logs_pkey', 'an identifier used before');

-- Append-only for everybody who does not switch triggers off.
select is(t.dry('none', v.s, 'none'), '42501', v.s)
from (values ('update app.audit_logs set action = ''z'''), ('delete from app.audit_logs'), ('truncate app.audit_logs'),
             ('delete from app.audit_chains'), ('truncate app.audit_chains')) v (s);
select is(t.dry('none', v.s, 'lectern_definer'), '42501', 'the definer: ' || v.s)
from (values ('update app.audit_logs set action = ''z'''), ('delete from app.audit_logs'), ('insert into app.audit_chains (chain) values (1)')) v (s);

-- Verifying. This session writes one chain; the tampering is a superuser's with triggers off.
create function pg_temp.verify() returns text language sql as
$$ select coalesce(string_agg(problem, ', '), 'holds') from (select problem from app.audit_verify() group by problem order by 1) p $$;
create function pg_temp.tamper(statement text) returns text language plpgsql as $$
declare
    found text;
begin
    begin
        set local session_replication_role = replica;
        execute statement;
        set local session_replication_role = origin;
        found := pg_temp.verify();
        raise exception using errcode = 'TT000';
    exception when sqlstate 'TT000' then
    end;
    return found;
end $$;
create temp table mine as select l.* from app.audit_logs l where l.id in (t.id('course.update'), t.id('enrol'), t.id('signin'), t.id('foreign')) order by seq;
create temp table last as select id from app.audit_logs where (chain, seq) in (select chain, seq from app.audit_chains where chain = pg_backend_pid() % 64);

select is(pg_temp.verify(), 'holds', 'the chains hold');
select is(t.act('none', 'select from app.audit_verify()', 'lectern_jobs'), '0', 'as the jobs'' role sees');
select is(pg_temp.tamper(format('update app.audit_logs set %s where id = t.id(''enrol'')', v.c)), 'edited', v.c)
from (values ('action = ''other'''), ('actor_id = null'), ('org_id = t.id(''B'')'), ('target_type = ''z'''), ('target_id = null'),
             ('request_id = null'), ('address = ''192.0.2.8'''), ('before = ''{}'''), ('after = after || ''{"z": 1}'''),
             ('created_at = created_at + interval ''1 us'''), ('id = t.id(''other'')')) v (c);
select is(pg_temp.tamper($$delete from app.audit_logs where id = t.id('enrol')$$), 'rows removed before', 'a row removed');
select is(pg_temp.tamper($$delete from app.audit_logs where chain = pg_backend_pid() % 64 and seq = 1$$), 'rows removed before', 'the first row removed');
select is(pg_temp.tamper('delete from app.audit_logs where id in (select id from last)'), 'end of chain removed', 'the last row removed');
select is(pg_temp.tamper('delete from app.audit_logs where chain = pg_backend_pid() % 64'), 'end of chain removed', 'a whole chain removed');
select is(pg_temp.tamper($$update app.audit_logs l set action = 'z', hash = app.audit_hash((l.id, l.chain, l.seq, l.org_id, l.actor_id, 'z', l.target_type, l.target_id, l.request_id, l.address, l.before, l.after, l.prev_hash, l.hash, l.created_at)::app.audit_logs) where id = t.id('enrol')$$),
          'not linked to its predecessor', 'a row edited with its hash made anew');
select is(pg_temp.tamper($$with gone as (delete from app.audit_logs where id = t.id('enrol') returning chain, seq)
                           update app.audit_logs l set seq = l.seq - 1 from gone g where l.chain = g.chain and l.seq > g.seq$$) ~ 'edited', true, 'a row removed and the rest renumbered');
set local timezone = 'Asia/Kolkata';
set local datestyle = 'SQL, DMY';
set local intervalstyle = 'sql_standard';
set local bytea_output = 'escape';
set local extra_float_digits = 0;
select is(pg_temp.verify(), 'holds', 'no setting of the session changes a hash');

select * from finish();
rollback;
