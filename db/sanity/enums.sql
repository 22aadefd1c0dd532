-- An enumerated type: values are texts with a CHECK.
select t.typname
from pg_type t
where t.typnamespace = 'app'::regnamespace and t.typtype = 'e';
