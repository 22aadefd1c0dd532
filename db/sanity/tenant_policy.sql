-- A table without the restrictive policy that keeps organisations apart. audit_chains and
-- signin_failures and personal_data have no tenant's data and no right for the application; partitions are reached by
-- their parent only.
-- Stated exceptions, for operators: that there is an organisation, what it may have and has.
select c.relname
from pg_class c
where c.relnamespace = 'app'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
      and c.relname not in ('audit_chains', 'signin_failures', 'personal_data')
      and not exists (
          select from pg_policies p
          where p.schemaname = 'app' and p.tablename = c.relname and p.policyname = 'tenant'
                and p.permissive = 'RESTRICTIVE' and p.cmd = 'ALL'
                and p.roles @> array['lectern_app', 'lectern_ro']::name[]
                and p.qual ~ format(
                    case when c.relname in ('orgs', 'org_limits', 'org_usage')
                         then '^\(\(%s\) OR \( SELECT app\.is_operator\(\) AS is_operator\)\)$'
                         else '^\(%s\)$' end,
                    case c.relname when 'orgs' then 'id' else 'org_id' end
                    || ' = \( SELECT app\.org_id\(\) AS org_id\)')
                and p.with_check is null);
