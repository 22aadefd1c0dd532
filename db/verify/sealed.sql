begin;

select 1 / has_function_privilege('lectern_jobs', p, 'execute')::int
from unnest('{app.sealed_columns(),app.sealed_usage()}'::text[]
            || 'app.sealed_batch(text,text,text,uuid,int,int8)'::text
            || 'app.sealed_swap(text,text,uuid[],text[],text[])'::text) p;
select 1 / (app.sealed_key('v1.k1.AAAA') = 'k1')::int;

rollback;
