-- A time without its zone.
select a.attrelid::regclass, a.attname
from pg_attribute a
join pg_class c on c.oid = a.attrelid
where c.relnamespace = 'app'::regnamespace and a.attnum > 0 and not a.attisdropped
      and a.atttypid in ('timestamp'::regtype, 'time'::regtype, 'timetz'::regtype);
