begin;

-- Each table of a tenant has its restrictive policy, and nobody without identity sees a row.
select 1 / (count(*) = 16)::int from pg_policies
where schemaname = 'app' and policyname = 'tenant' and permissive = 'RESTRICTIVE';
set local role lectern_app;
select 1 / (not exists (select from app.orgs))::int, 1 / (not exists (select from app.users))::int,
       1 / (not exists (select from app.courses))::int;

rollback;
