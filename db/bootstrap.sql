-- Run once in a new database by a superuser, before the first deploy. May be run again.
-- Roles carry no password here: the deployment sets them.
\set ON_ERROR_STOP on
begin;

do $$
declare
    r record;
begin
    for r in
        select * from (values ('lectern_owner', 'nologin'), ('lectern_definer', 'nologin'),
                              ('lectern_ro', 'nologin'), ('lectern_app', 'login'),
                              ('lectern_jobs', 'login')) v (name, login)
    loop
        if not exists (select from pg_roles where rolname = r.name) then
            execute format('create role %I', r.name);
        end if;
        execute format('alter role %I %s nosuperuser nocreatedb nocreaterole noinherit '
                       'noreplication nobypassrls', r.name, r.login);
    end loop;
    execute format('alter database %I owner to lectern_owner', current_database());
    execute format('revoke all on database %I from public', current_database());
    execute format('grant connect on database %I to lectern_app, lectern_jobs', current_database());
    for r in
        select * from (values ('search_path', ''''''), ('timezone', '''UTC'''),
                              ('statement_timeout', '''10s'''), ('lock_timeout', '''3s'''),
                              ('idle_in_transaction_session_timeout', '''15s'''),
                              ('random_page_cost', '1.1')) v (name, value)
    loop
        execute format('alter role lectern_app set %I = %s', r.name, r.value);
        execute format('alter role lectern_jobs set %I = %s', r.name, r.value);
    end loop;
end
$$;

revoke all on schema public from public;

-- Nobody may call a new function until a grant says so.
alter default privileges for role lectern_owner revoke execute on functions from public;
alter default privileges for role lectern_definer revoke execute on functions from public;
alter default privileges for role lectern_owner revoke usage on types from public;

commit;
