-- A right of PUBLIC on the schema, or on a table, column or type in it, or on creating anything.
select 'schema' as kind, n.nspname::text as name
from pg_namespace n cross join aclexplode(n.nspacl) a
where n.nspname in ('app', 'public', 'sqitch') and a.grantee = 0
union all
select 'relation', c.relname
from pg_class c cross join aclexplode(c.relacl) a
where c.relnamespace = 'app'::regnamespace and a.grantee = 0
union all
select 'column', t.attrelid::regclass || '.' || t.attname
from pg_attribute t
join pg_class c on c.oid = t.attrelid
cross join aclexplode(t.attacl) a
where c.relnamespace = 'app'::regnamespace and a.grantee = 0
union all
select 'database', d.datname
from pg_database d cross join aclexplode(d.datacl) a
where d.datname = current_database() and (a.grantee = 0 or d.datacl is null);
