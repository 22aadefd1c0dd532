begin;

select app.user_id(), app.org_id(), app.role(), app.if_match(1, null), app.uuid_v7();
select 1 / has_schema_privilege('lectern_app', 'app', 'usage')::int;

rollback;
