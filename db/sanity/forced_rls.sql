-- A table whose rows anyone but a superuser could see past the policies.
select c.relname
from pg_class c
where c.relnamespace = 'app'::regnamespace and c.relkind in ('r', 'p')
      and not (c.relrowsecurity and c.relforcerowsecurity);
