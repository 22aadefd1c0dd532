-- A function that PUBLIC may call; a definer function that follows its caller's search_path or
-- belongs to someone else than lectern_definer. events_make_partitions creates tables, so it
-- belongs to their owner.
select p.oid::regprocedure, r.rolname, p.prosecdef
from pg_proc p
join pg_roles r on r.oid = p.proowner
where p.pronamespace = 'app'::regnamespace
      and (p.proacl is null
           or exists (select from aclexplode(p.proacl) a where a.grantee = 0)
           or p.prosecdef
              and (not coalesce('search_path=pg_catalog, pg_temp' = any (p.proconfig), false)
                   or r.rolname <> case p.proname when 'events_make_partitions' then 'lectern_owner'
                                               else 'lectern_definer' end));
