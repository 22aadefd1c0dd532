begin;

drop function app.schema_version();

commit;
