-- A right on a partition itself: naming it would go around its parent's policies.
select c.relname, a.grantee::regrole
from pg_class c
cross join aclexplode(c.relacl) a
where c.relnamespace = 'app'::regnamespace and c.relispartition and a.grantee <> c.relowner;
