begin;

select 1 / (app.schema_version() = 'foundation')::int;

rollback;
