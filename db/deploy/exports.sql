-- Copies of all that is held about a person, made by lectern-jobs and kept for a while.
begin;
set local role lectern_owner;

create table app.exports (
    id           uuid not null,
    org_id       uuid not null,
    user_id      uuid not null,
    state        text not null default 'queued',
    parts        int4,
    bytes        int8,
    requested_at timestamptz not null default now(),
    ready_at     timestamptz,
    expires_at   timestamptz not null,
    constraint exports_pkey primary key (id),
    constraint exports_tenant unique (org_id, id),
    -- One at a time.
    constraint exports_person unique (org_id, user_id),
    constraint exports_user foreign key (org_id, user_id)
        references app.users (org_id, id) on delete cascade,
    constraint exports_state check (state in ('queued', 'ready', 'failed')),
    constraint exports_ready check ((state = 'ready') = (parts is not null and bytes is not null
                                                         and ready_at is not null)),
    constraint exports_parts check (parts >= 1 and bytes >= 1),
    constraint exports_expiry check (expires_at > requested_at)
);
create index exports_due on app.exports (requested_at) where state = 'queued';
create index exports_by_expiry on app.exports (expires_at);

-- A JSON document each, none longer than an answer may be.
create table app.export_parts (
    export_id uuid not null,
    org_id    uuid not null,
    part      int4 not null,
    document  bytea not null,
    constraint export_parts_pkey primary key (export_id, part),
    constraint export_parts_export foreign key (org_id, export_id)
        references app.exports (org_id, id) on delete cascade,
    constraint export_parts_part check (part >= 1),
    constraint export_parts_document check (octet_length(document) between 2 and 4194304)
);
create index export_parts_by_export on app.export_parts (org_id, export_id);

alter table app.exports enable row level security, force row level security;
alter table app.export_parts enable row level security, force row level security;
create policy tenant on app.exports as restrictive to lectern_app, lectern_ro
    using (org_id = (select app.org_id()));
create policy tenant on app.export_parts as restrictive to lectern_app, lectern_ro
    using (org_id = (select app.org_id()));
grant select, insert, update, delete on app.exports, app.export_parts to lectern_definer;
create policy all_definer on app.exports to lectern_definer using (true) with check (true);
create policy all_definer on app.export_parts to lectern_definer using (true) with check (true);

-- One's own and nobody else's: not for the admin either.
grant select on app.exports, app.export_parts to lectern_app;
create policy select_self on app.exports for select to lectern_app
    using (user_id = (select app.user_id()));
create policy select_viewer on app.export_parts for select to lectern_app
    using (exists (select from app.exports e where e.id = export_id));

-- Queues an export of the caller; the one before goes. 42501: nobody is calling.
-- exports_person: one is under way, or was asked for less than so many minutes ago.
create function app.export_request(id uuid, pause_minutes int, keep_hours int)
returns setof app.exports
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
begin
    if not exists (select from app.users u
                   where u.id = app.user_id() and u.org_id = app.org_id()
                         and u.status = 'active') then
        raise exception using errcode = '42501', message = 'an export needs a caller';
    end if;
    delete from app.exports e
    where e.user_id = app.user_id() and e.org_id = app.org_id()
          and (e.state = 'failed' or e.expires_at <= now()
               or e.state = 'ready'
                  and e.requested_at <= now() - make_interval(mins => pause_minutes));
    return query
    insert into app.exports (id, org_id, user_id, expires_at)
    values (id, app.org_id(), app.user_id(), now() + make_interval(hours => keep_hours))
    returning *;
end
$$;

-- Removes expired exports and codes of students, at most so many of each; returns how many.
create function app.person_purge(batch int) returns int
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    n     int;
    total int := 0;
begin
    delete from app.exports k where k.ctid = any (array(
        select e.ctid from app.exports e where e.expires_at <= now() limit batch));
    get diagnostics n = row_count;
    total := total + n;
    delete from app.parent_link_codes k where k.ctid = any (array(
        select c.ctid from app.parent_link_codes c where c.expires_at <= now() limit batch));
    get diagnostics n = row_count;
    total := total + n;
    delete from app.parent_link_tries k where k.ctid = any (array(
        select t.ctid from app.parent_link_tries t
        where t.since <= now() - interval '1 hour' limit batch));
    get diagnostics n = row_count;
    return total + n;
end
$$;

grant execute on function app.export_request(uuid, int, int) to lectern_app;
grant execute on function app.person_purge(int) to lectern_jobs;

reset role;
alter function app.export_request(uuid, int, int) owner to lectern_definer;
alter function app.person_purge(int) owner to lectern_definer;

commit;
