-- The last change of a release names the schema version; the next release's replaces this.
begin;
set local role lectern_owner;

create function app.schema_version() returns text
language sql immutable parallel safe
return 'foundation';
grant execute on function app.schema_version() to lectern_app, lectern_jobs, lectern_ro;

commit;
