begin;

select 1 / (count(*) = 2)::int from pg_proc
 where oid in ('app.audit_keep(jsonb, text[], int)'::regprocedure, 'app.audit_redact(jsonb, text[])'::regprocedure)
       and proisstrict;
select 1 / (count(*) = 2)::int from pg_trigger
 where tgname = 'audit' and tgrelid in ('app.users'::regclass, 'app.sessions'::regclass)
       and (tgattr <> '' or tgtype & 4 = 0);

rollback;
