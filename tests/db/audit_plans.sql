-- Lists of the audit trail are served by an index: what a page reads does not grow with what it does not show.
begin;
set local search_path = t, public;
select no_plan();

-- The rarest things stand at the far end of the list, so that whoever walks it reads all of it.
set local session_replication_role = replica;
insert into app.audit_logs (id, chain, seq, org_id, actor_id, action, target_type, target_id, request_id, prev_hash, hash, created_at)
select t.id('row' || n), n % 64, 1000000 + n, t.id(case when n % 4 = 0 then 'B' else 'A' end), t.id('actor' || n % 100),
       case when n = 1 then 'rare.act' else (array['course.delete', 'user.role', 'org.update'])[1 + n % 3] end,
       case when n = 1 then 'rare' else 'course' end, t.id('target' || n), 'plan-' || n, sha256(''), sha256(''), now() - (50000 - n) * interval '1 minute'
from generate_series(1, 50000) n;
set local session_replication_role = origin;
analyze app.audit_logs;
set local random_page_cost = 1.1; -- as the roles of the service have it

-- Blocks that the statement of the service reads for a page, as an admin.
create function pg_temp.blocks(filter text, rows int default 101) returns int language plpgsql as $$
declare
    plan jsonb;
begin
    perform t.become('admin'), set_config('role', 'lectern_app', true);
    execute format('explain (analyze, buffers, format json) select l.id, l.action, l.before, l.after, l.created_at from app.audit_logs l
                    where true %s order by l.created_at desc, l.id desc limit %s', filter, rows) into plan;
    perform set_config('role', 'none', true), t.become('none');
    return (plan #>> '{0,Plan,Shared Hit Blocks}')::int + (plan #>> '{0,Plan,Shared Read Blocks}')::int;
end $$;

select cmp_ok(pg_relation_size('app.audit_logs') / 8192, '>', 1200::bigint, 'a table that is not read by accident');
select cmp_ok(pg_temp.blocks(v.filter), '<', 300, coalesce(nullif(v.filter, ''), 'no filter'))
from (values (''), ('and l.action = ''org.update'''), ('and l.action = ''rare.act'''), ('and l.action = ''no.such'''),
             ('and l.action = any(''{user.role,org.update}'')'), ('and l.action = any(''{rare.act,no.such}'')'),
             ('and l.actor_id = t.id(''actor7'')'), ('and l.actor_id = t.id(''nobody'')'),
             ('and l.target_type = ''course'''), ('and l.target_type = ''rare'''), ('and l.target_type = ''none'''),
             ('and l.target_id = t.id(''target1'')'), ('and l.target_id = t.id(''none'')'),
             ('and l.request_id = ''plan-1'''), ('and l.request_id = ''none'''),
             ('and l.actor_id = t.id(''actor7'') and l.action = ''no.such'''),
             ('and l.created_at <= now() - interval ''20 days'''),
             ('and l.created_at >= now() - interval ''20 days'' and l.created_at <= now() - interval ''19 days'''),
             ('and (l.created_at, l.id) < (now() - interval ''15 days'', t.id(''x''))')) v (filter);
select cmp_ok(pg_temp.blocks('', 501), '<', 1200, 'a page as CSV');

select * from finish();
rollback;
vacuum app.audit_logs; -- what follows shall not read past what was here
