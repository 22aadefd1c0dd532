-- Sealed values: found by their column's name, moved by compare and swap.
begin;
set local search_path = t, public;
select no_plan();

create table app.scratch (
    owner_id uuid not null, org_id uuid not null, secret_sealed text, note text,
    constraint scratch_pkey primary key (owner_id));
alter table app.scratch owner to lectern_owner;
alter table app.scratch enable row level security, force row level security;
grant select, update on app.scratch to lectern_definer;
create policy all_definer on app.scratch to lectern_definer using (true) with check (true);
insert into app.scratch
select t.id('sealed.' || n), t.id('A'), 'v1.' || case when n < 4 then 'old' else 'new' end || '.' || repeat('A', 100 * n), 'note'
from generate_series(1, 6) n
union all select t.id('sealed.none'), t.id('A'), null, 'note'
union all select t.id('sealed.odd'), t.id('A'), 'plain text', 'note';

create function pg_temp.jobs(statement text) returns text language plpgsql as $$
declare
    answer text;
begin
    set local role lectern_jobs;
    begin
        execute statement into answer;
    exception when others then answer := sqlstate;
    end;
    reset role;
    return answer;
end
$$;

select set_eq($$select table_name, column_name, key_name from app.sealed_columns() where table_name = 'scratch'$$,
              $$values ('scratch', 'secret_sealed', 'owner_id')$$, 'the column is found by its name');
select is(app.sealed_key('v1.a-b_9.Zz-_'), 'a-b_9', 'the key of a sealed text');
select is(app.sealed_key('v1.' || repeat('k', 32) || '.' || repeat('A', 999)), repeat('k', 32), 'the longest name');
select is(app.sealed_key(v), null, 'no key: ' || v)
from unnest('{"",v1.,v1..AA,v2.k.AA,v1.k,v1.k.,"v1.k. A"," v1.k.A",v1.k=.AA}'::text[]
            || ('v1.' || repeat('k', 33) || '.AA')) v;

-- Who may.
select is(t.dry('admin', f), '42501', 'lectern_app may not: ' || f)
from unnest(array['select app.sealed_columns()', 'select app.sealed_usage()',
    'select app.sealed_batch(''scratch'', ''secret_sealed'', ''new'', null, 1, 1)',
    'select app.sealed_swap(''scratch'', ''secret_sealed'', ''{}'', ''{}'', ''{}'')']) f;
select is(pg_temp.jobs('select 1 from app.scratch'), '42501', 'lectern_jobs has no other way');

-- Counting.
select is(pg_temp.jobs($$select string_agg(coalesce(key_id, '?') || held, ' ' order by key_id) from app.sealed_usage() where table_name = 'scratch'$$),
          'new3 old3 ?1', 'values by key');

-- Reading.
create function pg_temp.batch(after text, n int, bytes int) returns text language sql return
    format($q$select count(*) || ' rows, ' || count(sealed) || ' to move' from app.sealed_batch('scratch', 'secret_sealed', 'new', %s, %s, %s)$q$, after, n, bytes);
select is(pg_temp.jobs(pg_temp.batch('null', 100, 100000)), '8 rows, 4 to move', 'all rows, those under other keys with their text');
select is(pg_temp.jobs(pg_temp.batch('null', 3, 100000)), '3 rows, ' || (select count(*) from (select * from app.scratch order by owner_id limit 3) s where app.sealed_key(secret_sealed) is distinct from 'new' and secret_sealed is not null) || ' to move', 'so many rows');
select is(pg_temp.jobs(pg_temp.batch('null', 100, 1)) ~ '^[1-8] rows, [01] to move$', true, 'so many bytes, but one row at least');
select is(pg_temp.jobs(pg_temp.batch(quote_literal((select max(owner_id::text) from app.scratch)), 100, 1)), '0 rows, 0 to move', 'nothing behind the last');
select is(pg_temp.jobs($$select app.sealed_batch('scratch', 'note', 'new', null, 1, 1)$$), 'LE404', 'no other column');
select is(pg_temp.jobs($$select app.sealed_batch('users', 'email', 'new', null, 1, 1)$$), 'LE404', 'no other table');
select is(pg_temp.jobs($$select app.sealed_batch(null, null, 'new', null, 1, 1)$$), 'LE404', 'nothing');

-- Swapping.
create function pg_temp.swap(who text, old text, new text, col text default 'secret_sealed') returns text language sql return
    format('select app.sealed_swap(''scratch'', %L, array[t.id(''sealed.%s'')], array[%L], array[%L])', col, who, old, new);
select is(pg_temp.jobs(pg_temp.swap('1', 'v1.old.' || repeat('A', 100), 'v1.new.B')), '1', 'the old text is replaced');
select is((select secret_sealed || note from app.scratch where owner_id = t.id('sealed.1')), 'v1.new.Bnote', 'and nothing else');
select is(pg_temp.jobs(pg_temp.swap('1', 'v1.old.' || repeat('A', 100), 'v1.new.C')), '0', 'a text that has changed is not');
select is(pg_temp.jobs(pg_temp.swap('2', 'v1.old.' || repeat('A', 300), 'v1.new.C')), '0', 'nor by the text of another row');
select is(pg_temp.jobs(pg_temp.swap('none', null, 'v1.new.C')), '0', 'nor what is not there');
select is(pg_temp.jobs(pg_temp.swap('2', 'note', 'v1.new.C', 'note')), 'LE404', 'no other column');
select is((select count(*) from app.scratch where note <> 'note' or secret_sealed like '%C'), 0::bigint, 'nothing else has changed');

select * from finish();
rollback;
