begin;
set local role lectern_owner;

create or replace function app.schema_version() returns text
language sql immutable parallel safe
return 'identity';

commit;
