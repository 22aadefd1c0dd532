begin;

select id, chain, seq, org_id, action, before, after, prev_hash, hash from app.audit_logs where false;
select 1 / (count(*) = 64)::int from app.audit_chains;
select 'app.audit_append(uuid, text, text, uuid, int, text[], uuid)'::regprocedure,
       'app.audit_verify()'::regprocedure;
select 1 / (not has_table_privilege('lectern_definer', 'app.audit_logs', 'update, delete, truncate'))::int;

rollback;
