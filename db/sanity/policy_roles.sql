-- A policy for everybody, or one that lets the application pass without asking who it is.
select p.tablename, p.policyname
from pg_policies p
where p.schemaname = 'app'
      and (p.roles @> array['public']::name[]
           or p.roles && array['lectern_app', 'lectern_ro']::name[]
              and (p.qual = 'true' or p.with_check = 'true'));
