-- The trail cannot be changed, and a person's address must be forgotten with the person: a row of the
-- trail has the network that an act came from (/24, /48), and the address itself stands beside it.
begin;
set local role lectern_owner;

create table app.audit_origins (
    audit_id   uuid not null,
    org_id     uuid not null,
    person_id  uuid, -- who acted; before anyone is signed in, whom it was about
    address    inet not null,
    created_at timestamptz not null default now(),
    constraint audit_origins_pkey primary key (audit_id),
    constraint audit_origins_org foreign key (org_id) references app.orgs (id) on delete restrict
);
create index audit_origins_by_person on app.audit_origins (org_id, person_id);
alter table app.audit_origins enable row level security, force row level security;
create policy tenant on app.audit_origins as restrictive to lectern_app, lectern_ro
    using (org_id = (select app.org_id()));
grant select, insert, delete on app.audit_origins to lectern_definer;
create policy all_definer on app.audit_origins to lectern_definer using (true) with check (true);
grant select on app.audit_origins to lectern_app;
create policy select_tenant_admin on app.audit_origins for select to lectern_app
    using (app.is_admin_role((select app.role())));

reset role;

-- Writes the audit row of this transaction's change. To be called in a statement after the one
-- that made the change. org is for acts before anyone is signed in; a caller's own always wins.
create or replace function app.audit_append(id uuid, action text, target_type text, target_id uuid,
                                 max_payload int, redacted text[], org uuid default null)
returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    names  text[] := array['email', 'name', 'password', 'password_hash', 'code', 'join_code',
                           'digest', 'body', 'token', 'secret']
                     || coalesce((select array_agg(lower(n)) from unnest(redacted) n), '{}');
    seen   int := coalesce(nullif(current_setting('app.audit_changes', true), ''), '0')::int;
    r      app.audit_logs;
    origin inet := nullif(current_setting('app.client_ip', true), '')::inet;
begin
    r.id := id;
    r.action := action;
    r.target_type := target_type;
    r.target_id := target_id;
    r.org_id := coalesce(app.org_id(), org);
    r.actor_id := app.user_id();
    r.request_id := nullif(current_setting('app.request_id', true), '');
    r.address := network(set_masklen(origin, case family(origin) when 4 then 24 else 48 end));
    r.before := app.audit_keep(nullif(current_setting('app.audit_before', true), '')::jsonb,
                               names, max_payload);
    r.after := app.audit_keep(nullif(current_setting('app.audit_after', true), '')::jsonb,
                              names, max_payload);
    if seen > 1 then
        r.after := coalesce(r.after, '{}') || jsonb_build_object('further_changes', seen - 1);
    end if;
    perform set_config('app.audit_before', '', true), set_config('app.audit_after', '', true),
            set_config('app.audit_changes', '', true);
    r.created_at := now();
    r.chain := pg_backend_pid() % 64;
    update app.audit_chains c set seq = c.seq + 1 where c.chain = r.chain
    returning c.seq, c.hash into r.seq, r.prev_hash;
    r.hash := app.audit_hash(r);
    update app.audit_chains c set hash = r.hash where c.chain = r.chain;
    insert into app.audit_logs select r.*;
    insert into app.audit_origins (audit_id, org_id, person_id, address)
    select r.id, r.org_id, coalesce(r.actor_id, r.target_id), origin where origin is not null;
end
$$;

commit;
