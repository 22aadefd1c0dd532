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

-- Append-only: no role of the application has the right, and for everybody who does not switch triggers off.
select is(t.dry(who, v.s, role), '42501', format('%s, %s: %s', role, who, v.s))
from unnest('{lectern_app,lectern_jobs,lectern_ro,lectern_definer}'::text[]) role, unnest('{admin,none}'::text[]) who,
     (values ('update app.audit_logs set action = ''z'''), ('update app.audit_logs set hash = hash where false'), ('delete from app.audit_logs'),
             ('delete from app.audit_logs where false'), ('truncate app.audit_logs'), ('delete from app.audit_chains'), ('truncate app.audit_chains'),
             ('insert into app.audit_chains (chain) values (1)'), ('alter table app.audit_logs disable trigger all'), ('drop table app.audit_logs'),
             ('set session_replication_role = replica')) v (s);
select is(t.dry(who, v.s, role), '42501', format('%s, %s: %s', role, who, v.s))
from unnest('{lectern_app,lectern_jobs,lectern_ro}'::text[]) role, unnest('{admin,none}'::text[]) who,
     (values ('insert into app.audit_logs select * from app.audit_logs'), ('update app.audit_chains set seq = 0'), ('select from app.audit_chains')) v (s);
select is(t.dry('none', v.s, 'none'), '42501', 'the owner of everything: ' || v.s)
from (values ('update app.audit_logs set action = ''z'''), ('delete from app.audit_logs'), ('truncate app.audit_logs'),
             ('delete from app.audit_chains'), ('truncate app.audit_chains')) v (s);
select is((select count(*) from information_schema.role_table_grants g where g.table_schema = 'app' and g.table_name in ('audit_logs', 'audit_chains')
             and g.grantee not in ('lectern_owner', 'lectern_definer') and (g.grantee, g.table_name, g.privilege_type) <> ('lectern_app', 'audit_logs', 'SELECT')),
          0::bigint, 'the application may read the trail, and nothing else');

-- Verifying. This session writes one chain; the tampering is a superuser's with triggers off. A row is named by its
-- place now and, after it, its place before that; "new" has had none, "-" is gone.
create temp table mine as select chain, max(seq) as last from app.audit_logs where chain = pg_backend_pid() % 64 group by chain;
create temp table places as select id, seq from app.audit_logs;
create temp table head as select array[format('%s %s %s', chain, seq, hash)] as kept from app.audit_heads() where chain = (select chain from mine);
create function pg_temp.verify(expected text[] default '{}') returns text language sql as
$$ select coalesce(string_agg(format('%s %s: %s', v.seq, case when v.id is null then '-' else coalesce((select m.seq::text from places m where m.id = v.id), 'new') end, v.problem),
                              ', ' order by v.seq, v.problem), 'holds') from app.audit_verify(expected) v $$;
create function pg_temp.tamper(statement text, expected text[] default '{}') returns text language plpgsql as $$
declare
    found text;
begin
    begin
        set local session_replication_role = replica;
        execute replace(statement, '{mine}', 'chain = ' || (select m.chain from mine m));
        set local session_replication_role = origin;
        found := pg_temp.verify(expected);
        raise exception using errcode = 'TT000';
    exception when sqlstate 'TT000' then
    end;
    return found;
end $$;
-- Rows of another's making, with the hash that the function of the database gives them.
create function pg_temp.rehash(which int8) returns void language sql as
$$ update app.audit_logs l set hash = app.audit_hash(l) where chain = (select chain from mine) and seq = which $$;
create function pg_temp.relink(which int8) returns void language sql as
$$ update app.audit_logs l set prev_hash = (select p.hash from app.audit_logs p where p.chain = l.chain and p.seq = which - 1)
    where chain = (select chain from mine) and seq = which;
   select pg_temp.rehash(which) $$;
create function pg_temp.forge(which int8) returns void language sql as
$$ insert into app.audit_logs (id, chain, seq, org_id, action, target_type, prev_hash, hash)
   select t.id('forged'), l.chain, which, l.org_id, 'course.delete', 'course', l.hash, sha256('') from app.audit_logs l
   where chain = (select chain from mine) and seq = which - 1;
   select pg_temp.rehash(which) $$;
create function pg_temp.cut(what text) returns text language sql as
$$ select format('delete from app.audit_logs where {mine} and seq %s', what) $$;
create function pg_temp.swap() returns text language sql as
$$ select 'update app.audit_logs set seq = case seq when 3 then -4 else -3 end where {mine} and seq in (3, 4); update app.audit_logs set seq = -seq where {mine} and seq < 0'::text $$;

select cmp_ok((select last from mine), '>=', 8::int8, 'rows enough for what follows');
select is((select count(*) from app.audit_heads()), (select count(distinct chain) from app.audit_logs), 'a head for each chain that has rows');
select is(h.seq, last, '... of its last row') from app.audit_heads() h join mine using (chain);
select is(pg_temp.verify(), 'holds', 'the chains hold');
select is(pg_temp.verify(kept), 'holds', 'and end as was kept') from head;
select is(t.act('none', 'select from app.audit_verify()', 'lectern_jobs'), '0', 'as the jobs'' role sees');
select is(t.act('none', 'select from app.audit_heads()', 'lectern_jobs'), (select count(*)::text from app.audit_heads()), 'which reads the heads too');

select is(pg_temp.tamper(format('update app.audit_logs set %s where {mine} and seq = 2', v.c)), '2 2: edited or moved', v.c)
from (values ('action = ''other'''), ('actor_id = null'), ('org_id = t.id(''B'')'), ('target_type = ''z'''), ('target_id = null'),
             ('request_id = null'), ('address = ''192.0.2.8'''), ('before = ''{}'''), ('after = after || ''{"z": 1}'''),
             ('created_at = created_at + interval ''1 us''')) v (c);
select is(pg_temp.tamper($$update app.audit_logs set id = t.id('other') where {mine} and seq = 2$$), '2 new: edited or moved', 'the identifier edited');
select is(pg_temp.tamper(pg_temp.cut('= 3')), '3 -: removed', 'a row removed');
select is(pg_temp.tamper(pg_temp.cut('in (3, 4, 6)')), '3 -: removed, up to seq 4, 6 -: removed', 'several removed');
select is(pg_temp.tamper(pg_temp.cut('= 1')), '1 -: removed', 'the first removed');
select is(pg_temp.tamper(pg_temp.cut('= ' || last)), format('%s -: removed', last), 'the last removed') from mine;
select is(pg_temp.tamper(pg_temp.cut('> 2')), format('3 -: removed, up to seq %s', last), 'the end cut off') from mine;
select is(pg_temp.tamper(pg_temp.cut('> 0')), format('1 -: removed, up to seq %s', last), 'a whole chain removed') from mine;
select is(pg_temp.tamper('update app.audit_logs set action = ''z'' where {mine} and seq = 2; select pg_temp.rehash(2)'),
          '3 3: not linked to its predecessor', 'a row edited, with its hash made anew');
select is(pg_temp.tamper(format('update app.audit_logs set action = ''z'' where {mine} and seq = %1$s; select pg_temp.rehash(%1$s)', last)),
          format('%s %1$s: not what the head of the chain says', last), '... the last one') from mine;
select is(pg_temp.tamper('update app.audit_logs set seq = -seq where {mine} and seq > 4; update app.audit_logs set seq = -seq + 1 where {mine} and seq < 0; select pg_temp.forge(5)') ~
          '^5 new: inserted, 6 5: edited or moved, 7 6: edited or moved, ', true, 'a row inserted');
select is(pg_temp.tamper(format('select pg_temp.forge(%s + 1)', last)), format('%s new: added after the end', last + 1), 'a row added') from mine;
select is(pg_temp.tamper($$update app.audit_logs l set chain = 70, seq = 1 where {mine} and seq = 3$$), '1 3: edited or moved, 1 3: the head of the chain is removed, 3 -: removed',
          'a row moved to a chain that there is not');
select is(pg_temp.tamper(pg_temp.swap()), '3 4: edited or moved, 4 3: edited or moved, 5 5: not linked to its predecessor', 'two rows in each other''s place');
select is(pg_temp.tamper(pg_temp.swap() || '; select pg_temp.relink(3), pg_temp.relink(4)'), '5 5: not linked to its predecessor', '... with their hashes made anew');
select is(pg_temp.tamper(pg_temp.cut('= 3') || '; update app.audit_logs set seq = -seq where {mine} and seq > 3; update app.audit_logs set seq = -seq - 1 where {mine} and seq < 0') ~
          '^3 4: edited or moved, 4 5: edited or moved, ', true, 'a row removed and the rest renumbered');
select is(pg_temp.tamper(format('delete from app.audit_chains where chain = %s', chain)), format('%s %1$s: the head of the chain is removed', last), 'the head removed') from mine;

-- Who has all rights cuts the end off and winds the head back, or makes the chain anew: only what was kept elsewhere shows it.
create function pg_temp.wind_back() returns text language sql as
$$ select pg_temp.cut('> 2') || '; update app.audit_chains c set seq = 2, hash = (select l.hash from app.audit_logs l where l.chain = c.chain and l.seq = 2) where chain = ' || chain from mine $$;
create function pg_temp.anew() returns text language sql as
$$ select format('update app.audit_logs set action = ''z'' where {mine} and seq = 2; select pg_temp.rehash(2); select pg_temp.relink(n) from generate_series(3, %1$s) n;
                  update app.audit_chains c set hash = (select l.hash from app.audit_logs l where l.chain = c.chain and l.seq = c.seq) where chain = %2$s', last, chain) from mine $$;
select is(pg_temp.tamper(pg_temp.wind_back()), 'holds', 'the end cut off, and the head wound back');
select is(pg_temp.tamper(pg_temp.wind_back(), kept), format('%s -: expected, and not there', last), '... against what was kept') from head, mine;
select is(pg_temp.tamper(pg_temp.anew()), 'holds', 'a row edited, and the chain made anew');
select is(pg_temp.tamper(pg_temp.anew(), kept), format('%s %1$s: not what was expected', last), '... against what was kept') from head, mine;
set local timezone = 'Asia/Kolkata';
set local datestyle = 'SQL, DMY';
set local intervalstyle = 'sql_standard';
set local bytea_output = 'escape';
set local extra_float_digits = 0;
select is(pg_temp.verify(), 'holds', 'no setting of the session changes a hash');

select * from finish();
rollback;
