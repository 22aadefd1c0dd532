-- A view that reads with its owner's rights, and any materialised view: it has no policies.
select c.relname
from pg_class c
where c.relnamespace = 'app'::regnamespace
      and (c.relkind = 'm'
           or c.relkind = 'v'
              and not coalesce(c.reloptions
                               && array['security_invoker=true', 'security_invoker=on'], false));
