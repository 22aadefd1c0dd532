-- A probe without identity: the schema's version, and how many protected rows it sees, which must be none.

-- name: health_probe
-- columns: schema_version text, leaked int8
select app.schema_version() as schema_version, (select count(*) from app.users) as leaked;
