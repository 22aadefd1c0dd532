-- A foreign key between tenants' tables that does not hold the organisation fast, or that leaves
-- what happens on delete to the default.
select k.conrelid::regclass, k.conname
from pg_constraint k
where k.connamespace = 'app'::regnamespace and k.contype = 'f' and k.conparentid = 0
      and (k.confdeltype = 'a'
           or k.confrelid <> 'app.orgs'::regclass
              and not exists (
                  select from unnest(k.conkey, k.confkey) f (child, parent)
                  join pg_attribute a on a.attrelid = k.conrelid and a.attnum = f.child
                  join pg_attribute b on b.attrelid = k.confrelid and b.attnum = f.parent
                  where a.attname = 'org_id' and b.attname = 'org_id'));
