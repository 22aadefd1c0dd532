-- A constraint that PostgreSQL has named, or that does not begin with its table's name.
-- Partitions repeat their parent's constraints under other names.
select k.conrelid::regclass, k.conname
from pg_constraint k
join pg_class c on c.oid = k.conrelid
where k.connamespace = 'app'::regnamespace and k.contype <> 't' and not c.relispartition
      and (k.conname ~ '_(check|key|fkey|excl|not_null)[0-9]*$'
           or k.contype = 'p' and k.conname <> c.relname || '_pkey'
           or not starts_with(k.conname, c.relname || '_'));
