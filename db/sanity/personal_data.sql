-- A column that points to a person, or may hold what somebody wrote, of which app.personal_data does
-- not say what becomes of it when the person goes; a line there that the catalogue does not know; a
-- column shown in an export that is, or may be, a secret; two lines that show the same table.
-- What a CHECK chooses from a list, and what refers to something else than a person, needs no line.
with candidate as (
    select c.relname::text as relation, a.attname::text as col
    from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relnamespace = 'app'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
          and case when a.atttypid = 'uuid'::regtype
                   then exists (select from pg_constraint k
                                where k.conrelid = c.oid and k.contype = 'f' and a.attnum = any (k.conkey)
                                      and k.confrelid = 'app.users'::regclass and a.attname <> 'org_id')
                        or a.attname not in ('id', 'org_id')
                           and not exists (select from pg_constraint k
                                           where k.conrelid = c.oid and k.contype = 'f'
                                                 and a.attnum = any (k.conkey))
                   when a.atttypid = any (array['bool', 'int2', 'int4', 'int8', 'float8', 'numeric', 'date',
                                                'timestamptz', 'interval']::regtype[]) then false
                   else not exists (select from pg_constraint k
                                    where k.conrelid = c.oid and k.contype = 'c' and k.conkey = array[a.attnum]
                                          and pg_get_constraintdef(k.oid)
                                              ~ '^CHECK \(\(\(?\w+\)? = ANY \(\(?ARRAY\[')
              end)
select 'no line' as problem, k.relation, k.col
from candidate k
where not exists (select from app.personal_data d where d.relation = k.relation and k.col = any (d.columns))
union all
select 'no such column', d.relation, c.name
from app.personal_data d
cross join lateral unnest(d.columns || d.exports) c (name)
where not exists (select from pg_attribute a
                  where a.attrelid = to_regclass('app.' || quote_ident(d.relation)) and a.attname = c.name
                        and a.attnum > 0 and not a.attisdropped)
union all
select 'a secret is shown', d.relation, c.name
from app.personal_data d
cross join lateral unnest(d.exports) c (name)
where c.name ~ '(hash|digest|secret|sealed|token|code|password|key)'
      or exists (select from pg_attribute a
                 where a.attrelid = to_regclass('app.' || quote_ident(d.relation)) and a.attname = c.name
                       and a.atttypid = 'bytea'::regtype)
union all
select 'shown twice', d.relation, null
from app.personal_data d where d.exports <> '{}' group by d.relation having count(*) > 1;
