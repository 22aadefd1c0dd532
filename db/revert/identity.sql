begin;

create or replace function app.schema_version() returns text
language sql immutable parallel safe
return 'foundation';

commit;
