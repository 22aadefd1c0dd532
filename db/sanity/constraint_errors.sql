-- A constraint, declared or raised by a function, that the catalogue of errors does not know.
-- :known holds the words of the third column of errors.def, separated by blanks.
with named as (
    select k.conrelid::regclass::text as place, k.conname::text as name
    from pg_constraint k
    join pg_class c on c.oid = k.conrelid
    where k.connamespace = 'app'::regnamespace and k.contype <> 't' and not c.relispartition
    union
    select p.oid::regprocedure::text, m[1]
    from pg_proc p
    cross join regexp_matches(p.prosrc, 'constraint\s*=\s*''(\w+)''', 'g') m
    where p.pronamespace = 'app'::regnamespace
    union
    select p.oid::regprocedure::text, m[1]
    from pg_proc p
    cross join regexp_matches(p.prosrc, 'errcode\s*=\s*''(\w+)''', 'g') m
    where p.pronamespace = 'app'::regnamespace)
select place, name
from named
where name <> all (string_to_array(:'known', ' '));
