-- A foreign key whose columns do not begin any index: deleting a parent would scan the table.
select k.conrelid::regclass, k.conname
from pg_constraint k
where k.connamespace = 'app'::regnamespace and k.contype = 'f' and k.conparentid = 0
      and not exists (
          select from pg_index i
          where i.indrelid = k.conrelid
                and (i.indpred is null
                     -- or one of the rows that have the reference at all
                     or pg_get_expr(i.indpred, i.indrelid) ~ '^\(\w+ IS NOT NULL\)$')
                and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey
                and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] <@ k.conkey);
