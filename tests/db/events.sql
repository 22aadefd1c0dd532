-- The record of events and its partitions.
begin;
set local search_path = t, public;
select no_plan();

select is((select count(*)::int from app.events_default), 4, 'without partitions the default takes all');
select is(t.act('none', 'value:select app.events_make_partitions(2)', 'lectern_jobs'), '3', 'this month and two ahead');
select is((select count(*)::int from app.events_default), 0, 'what the default held has moved');
select is((select count(*)::int from app.events), 4, 'and is still there');
select is(t.act('none', 'value:select app.events_make_partitions(2)', 'lectern_jobs'), '0', 'a second run makes none');
select is(t.act('none', 'value:select app.events_make_partitions(-5)', 'lectern_jobs'), '0', 'nor months behind');
select is(t.dry('none', 'value:select app.events_make_partitions(1000)', 'lectern_jobs'), '34', 'nor more than three years ahead');
select is(t.act('student', format('insert into app.events (id, org_id, kind, actor_id, occurred_at) values (t.id(''e%s''), t.id(''A''), ''x'', app.user_id(), %L)', n, at)), '1', 'an event at ' || at)
from (values (1, date_trunc('month', now(), 'UTC')), (2, date_trunc('month', now(), 'UTC') + interval '3 months' - interval '1 us'),
             (3, '2001-01-01Z'), (4, '2999-01-01Z')) v (n, at);
select is((select count(*)::int from app.events_default), 2, 'far away times go to the default');
select is(t.dry('student', 'select from app.events'), '5', 'the actor reads all partitions');
select is(t.dry('student', format('select from app.events_%s', to_char(now() at time zone 'UTC', 'YYYYMM'))), '42501', 'but none by its name');
select is((select bool_and(relrowsecurity and relforcerowsecurity and relowner = 'lectern_owner'::regrole) from pg_class where relispartition and relnamespace = 'app'::regnamespace and relkind = 'r'), true, 'partitions are closed');

-- The probe of readiness: without identity nothing is seen.
select is(t.dry('none', 'select from app.users'), '0', 'the readiness probe sees no row');
select is(t.dry('none', 'value:select app.schema_version()'), app.schema_version(), 'and the version of the schema');
select isnt(app.schema_version(), null, 'which is set');

select * from finish();
rollback;
