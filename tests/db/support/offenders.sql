-- One offender for each query of db/sanity: every query must find its own. Run in a transaction
-- that is rolled back.
create table app.bad (n int, at timestamp, other uuid references app.courses (id), constraint bad_x check (n > 0), unique (n));
create table app.bad_tenant (org_id uuid not null, c uuid, constraint bad_tenant_pkey primary key (org_id),
                             constraint bad_tenant_c unique (c));
create type app.mood as enum ('good');
create view app.bad_view as select 1 as n;
create function app.bad_function() returns int language sql security definer return 1;
grant execute on function app.bad_function() to public;
grant select on app.bad to public;
grant select on app.events_default to lectern_app;
grant update on app.credentials to lectern_app;
create policy everybody on app.bad using (true);
create table app.bad_sealed (id int, secret_sealed bytea);
