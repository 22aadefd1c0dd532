begin;

select 1 / (app.schema_version() is not null)::int;

rollback;
