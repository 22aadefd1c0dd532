begin;

select 1 / (app.schema_version() = 'identity')::int;

rollback;
