-- Values sealed at rest, found by the name of their column: `sealed` or `…_sealed`, of type text.
-- Each is bound to table, column, the table's primary key (one uuid) and org_id; the sanity query
-- sealed_columns keeps tables to that. The functions below are how lecternctl moves them to another
-- key; they see sealed texts only, and only of these columns.
begin;
set local role lectern_owner;

create function app.sealed_columns()
returns table (table_name text, column_name text, key_name text)
language sql stable parallel safe
begin atomic
    select c.relname::text, a.attname::text, k.attname::text
    from pg_catalog.pg_class c
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    join pg_catalog.pg_index i on i.indrelid = c.oid and i.indisprimary and i.indnkeyatts = 1
    join pg_catalog.pg_attribute k on k.attrelid = c.oid and k.attnum = i.indkey[0]
    where c.relnamespace = 'app'::regnamespace and c.relkind in ('r', 'p')
          and not c.relispartition and a.attname ~ '(^|_)sealed$'
    order by 1, 2;
end;

-- The key that a sealed text names; null when it has not the form. Whether what follows is sound
-- shows when it is opened; looking at all of a long text here would take long.
create function app.sealed_key(sealed text) returns text
language sql immutable parallel safe
return substring(left(sealed, 37) from '^v1\.([A-Za-z0-9_-]{1,32})\.[A-Za-z0-9_-]');

-- How many values stand under which key.
create function app.sealed_usage()
returns table (table_name text, column_name text, key_id text, held int8)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    c record;
begin
    for c in select * from app.sealed_columns() loop
        return query execute format(
            'select %1$L, %2$L, app.sealed_key(%2$I), count(*) from app.%1$I '
            'where %2$I is not null group by 3 order by 3', c.table_name, c.column_name);
    end loop;
end
$$;

-- The next rows of a table after a key, in order of keys, for at most so many rows and bytes (one
-- row at least). `sealed` is null where there is nothing to move. LE404: no such column.
create function app.sealed_batch(tbl text, col text, active text, after uuid, max_rows int,
                                 max_bytes int8)
returns table (id uuid, org_id uuid, sealed text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    c record;
begin
    select * into c from app.sealed_columns() s where s.table_name = tbl and s.column_name = col;
    if c is null then
        raise exception using errcode = 'LE404', message = 'no such column';
    end if;
    return query execute format(
        'select s.id, s.org_id, s.sealed from ('
        '    select t.%3$I as id, t.org_id, m.sealed, row_number() over w as n, '
        '           sum(octet_length(m.sealed)) over w as bytes '
        '    from (select * from app.%1$I r where $2 is null or r.%3$I > $2 '
        '          order by r.%3$I limit $3) t '
        '    cross join lateral (select case when app.sealed_key(t.%2$I) is distinct from $1 '
        '                                    then t.%2$I end as sealed) m '
        '    window w as (order by t.%3$I)) s '
        'where s.n = 1 or coalesce(s.bytes, 0) <= $4 order by s.id',
        c.table_name, c.column_name, c.key_name) using active, after, max_rows, max_bytes;
end
$$;

-- Puts new texts where the old ones still stand, and returns how many. A row that another
-- transaction holds is left for later: nobody waits here, and no lock is kept long.
create function app.sealed_swap(tbl text, col text, ids uuid[], old text[], new text[])
returns int8
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    c record;
    n int8;
begin
    select * into c from app.sealed_columns() s where s.table_name = tbl and s.column_name = col;
    if c is null then
        raise exception using errcode = 'LE404', message = 'no such column';
    end if;
    execute format(
        'with s as materialized ('
        '    select t.%3$I as id, v.new from unnest($1, $2, $3) v (id, old, new) '
        '    join app.%1$I t on t.%3$I = v.id and t.%2$I = v.old '
        '    for no key update of t skip locked) '
        'update app.%1$I t set %2$I = s.new from s where t.%3$I = s.id',
        c.table_name, c.column_name, c.key_name) using ids, old, new;
    get diagnostics n = row_count;
    return n;
end
$$;

grant execute on function app.sealed_columns(), app.sealed_key(text)
    to lectern_definer, lectern_jobs;
grant execute on function app.sealed_usage(),
    app.sealed_batch(text, text, text, uuid, int, int8),
    app.sealed_swap(text, text, uuid[], text[], text[]) to lectern_jobs;

reset role;
alter function app.sealed_usage() owner to lectern_definer;
alter function app.sealed_batch(text, text, text, uuid, int, int8) owner to lectern_definer;
alter function app.sealed_swap(text, text, uuid[], text[], text[]) owner to lectern_definer;

commit;
