-- A right that no policy answers, or a policy that no right reaches: one of the two is a mistake.
with rights as (
    select c.relname, lower(a.privilege_type) as cmd
    from pg_class c cross join aclexplode(c.relacl) a
    where c.relnamespace = 'app'::regnamespace and a.grantee = 'lectern_app'::regrole
    union
    select c.relname, lower(a.privilege_type)
    from pg_attribute t
    join pg_class c on c.oid = t.attrelid
    cross join aclexplode(t.attacl) a
    where c.relnamespace = 'app'::regnamespace and a.grantee = 'lectern_app'::regrole),
answers as (
    select p.tablename as relname, lower(p.cmd) as cmd
    from pg_policies p
    where p.schemaname = 'app' and p.permissive = 'PERMISSIVE'
          and p.roles @> array['lectern_app']::name[])
(select 'right without policy' as problem, * from rights
 where (relname, cmd) not in (select * from answers))
union all
(select 'policy without right', * from answers
 where (relname, cmd) not in (select * from rights));
