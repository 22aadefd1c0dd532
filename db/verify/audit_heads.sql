begin;

select 'app.audit_heads()'::regprocedure, 'app.audit_verify(text[])'::regprocedure;
select 'app.audit_logs_by_request'::regclass, 'app.audit_logs_by_type'::regclass;

rollback;
