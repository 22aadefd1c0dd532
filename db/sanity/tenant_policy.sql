-- A table without the restrictive policy that keeps organisations apart. audit_chains and
-- signin_failures and personal_data have no tenant's data and no right for the application; partitions are reached by
-- their parent only.
select c.relname
from pg_class c
where c.relnamespace = 'app'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
      and c.relname not in ('audit_chains', 'signin_failures', 'personal_data')
      and not exists (
          select from pg_policies p
          where p.schemaname = 'app' and p.tablename = c.relname and p.policyname = 'tenant'
                and p.permissive = 'RESTRICTIVE' and p.cmd = 'ALL'
                and p.roles @> array['lectern_app', 'lectern_ro']::name[]
                and p.qual ~ ('^\(' || case c.relname when 'orgs' then 'id' else 'org_id' end
                              || ' = \( SELECT app\.org_id\(\) AS org_id\)\)$')
                and p.with_check is null);
