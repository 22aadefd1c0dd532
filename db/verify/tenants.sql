begin;

select status from app.orgs where false;
select removed_at from app.users where false;
select 'app.user_remove(uuid, int8)'::regprocedure,
       'app.org_change(uuid, text, text, text, int8)'::regprocedure,
       'app.is_operator()'::regprocedure;
select 1 / (not has_column_privilege('lectern_app', 'app.orgs', 'status', 'update'))::int;

rollback;
