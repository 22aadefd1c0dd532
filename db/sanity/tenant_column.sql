-- A table that does not say whose organisation a row is of. orgs is the organisation itself;
-- audit_chains holds no tenant's data, only the heads of the chains; signin_failures counts attempts
-- on addresses, of which none need have an account; personal_data is no data, but rules.
select c.relname
from pg_class c
where c.relnamespace = 'app'::regnamespace and c.relkind in ('r', 'p')
      and c.relname not in ('orgs', 'audit_chains', 'signin_failures', 'personal_data')
      and not exists (select from pg_attribute a
                      where a.attrelid = c.oid and a.attname = 'org_id' and a.attnotnull
                            and a.atttypid = 'uuid'::regtype and not a.attisdropped);
