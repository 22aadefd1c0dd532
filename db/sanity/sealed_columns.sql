-- A sealed value that re-encryption could not move, or would not find: of another type, in a table
-- without a primary key of one uuid or without org_id, out of lectern_definer's reach; or a column
-- that holds sealed texts under another name.
select c.relname, a.attname
from pg_class c
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join app.sealed_columns() s on s.table_name = c.relname and s.column_name = a.attname
left join pg_attribute k on k.attrelid = c.oid and k.attname = s.key_name
where c.relnamespace = 'app'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
      and a.attname ~ '(^|_)sealed$'
      and (a.atttypid <> 'text'::regtype or k.atttypid is distinct from 'uuid'::regtype
           or not exists (select from pg_attribute o
                          where o.attrelid = c.oid and o.attname = 'org_id'
                                and o.atttypid = 'uuid'::regtype)
           or not has_column_privilege('lectern_definer', c.oid, a.attname, 'update')
           or not has_column_privilege('lectern_definer', c.oid, a.attname, 'select')
           or not exists (select from pg_policy p
                          where p.polrelid = c.oid and p.polpermissive and p.polcmd in ('*', 'w')
                                and 'lectern_definer'::regrole = any (p.polroles)))
union all
select k.conrelid::regclass::text, k.conname
from pg_constraint k
join pg_attribute a on a.attrelid = k.conrelid and a.attnum = any (k.conkey)
where k.connamespace = 'app'::regnamespace and k.contype = 'c'
      and pg_get_constraintdef(k.oid) like '%^v1\.%' escape '' and a.attname !~ '(^|_)sealed$';
