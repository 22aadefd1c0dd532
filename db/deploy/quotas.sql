-- What an organisation may have, and what it has. A row of each for every organisation.
begin;
set local role lectern_owner;

-- Null: no limit.
create table app.org_limits (
    org_id                   uuid not null,
    users                    int8,
    storage_bytes            int8,
    workbench_runs_per_day   int8,
    telemetry_events_per_day int8,
    version                  int8 not null default 1,
    created_at               timestamptz not null default now(),
    updated_at               timestamptz not null default now(),
    constraint org_limits_pkey primary key (org_id),
    constraint org_limits_org foreign key (org_id) references app.orgs (id) on delete cascade,
    constraint org_limits_users check (users >= 0),
    constraint org_limits_storage_bytes check (storage_bytes >= 0),
    constraint org_limits_workbench_runs check (workbench_runs_per_day >= 0),
    constraint org_limits_telemetry_events check (telemetry_events_per_day >= 0)
);
create trigger touch before update on app.org_limits
    for each row when (old.* is distinct from new.*) execute function app.touch();
create trigger audit after insert or update or delete on app.org_limits for each row
    when (current_setting('app.audit_action', true) <> '') execute function app.audit_capture();

-- Counted as it changes, so that asking costs the same however large an organisation is. Whoever
-- adds waits for the row, and so for nobody of another organisation.
create table app.org_usage (
    org_id uuid not null,
    users  int8 not null default 0,
    constraint org_usage_pkey primary key (org_id),
    constraint org_usage_org foreign key (org_id) references app.orgs (id) on delete cascade,
    constraint org_usage_users check (users >= 0)
) with (fillfactor = 50);

alter table app.org_limits enable row level security, force row level security;
alter table app.org_usage enable row level security, force row level security;

create policy tenant on app.org_limits as restrictive to lectern_app, lectern_ro
    using (org_id = (select app.org_id()) or (select app.is_operator()));
create policy tenant on app.org_usage as restrictive to lectern_app, lectern_ro
    using (org_id = (select app.org_id()) or (select app.is_operator()));

grant select, update (users, storage_bytes, workbench_runs_per_day, telemetry_events_per_day)
    on app.org_limits to lectern_app;
create policy select_tenant_admin on app.org_limits for select to lectern_app
    using (org_id = (select app.org_id()) and (select app.user_id()) is not null
           and app.is_admin_role((select app.role())));
create policy select_operator on app.org_limits for select to lectern_app
    using ((select app.is_operator()));
create policy update_operator on app.org_limits for update to lectern_app
    using ((select app.is_operator()));

grant select on app.org_usage to lectern_app;
create policy select_tenant_admin on app.org_usage for select to lectern_app
    using (org_id = (select app.org_id()) and (select app.user_id()) is not null
           and app.is_admin_role((select app.role())));
create policy select_operator on app.org_usage for select to lectern_app
    using ((select app.is_operator()));

grant select, insert, update on app.org_limits, app.org_usage to lectern_definer;
create policy all_definer on app.org_limits to lectern_definer using (true) with check (true);
create policy all_definer on app.org_usage to lectern_definer using (true) with check (true);

create function app.orgs_begin() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into app.org_limits (org_id) values (new.id);
    insert into app.org_usage (org_id) values (new.id);
    return null;
end
$$;
create trigger begin_counting after insert on app.orgs
    for each row execute function app.orgs_begin();

-- Asked before the row is looked at, so that a full or suspended organisation answers the same
-- whether or not the address is taken. LE403: it is suspended.
create function app.users_admit() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    state text;
    most  int8;
    used  int8;
begin
    select o.status, l.users, n.users into state, most, used
    from app.orgs o
    join app.org_limits l on l.org_id = o.id
    join app.org_usage n on n.org_id = o.id
    where o.id = new.org_id;
    if state = 'suspended' then
        raise exception using errcode = 'LE403', message = 'the organisation is suspended';
    end if;
    if used >= most then
        raise exception using errcode = '42501', constraint = 'org_limits_users_reached',
            message = 'the organisation has as many users as it may';
    end if;
    return new;
end
$$;
create trigger admit before insert on app.users
    for each row execute function app.users_admit();

-- A removed user no longer counts. The row of the count is locked from here to the end of the
-- transaction: of two who take the last place the second sees the first.
create function app.users_count() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    was  int := case when tg_op <> 'INSERT' then (old.removed_at is null)::int else 0 end;
    is_  int := case when tg_op <> 'DELETE' then (new.removed_at is null)::int else 0 end;
    org  uuid := case when tg_op = 'DELETE' then old.org_id else new.org_id end;
    used int8;
begin
    if is_ = was then
        return null;
    end if;
    update app.org_usage n set users = n.users + is_ - was where n.org_id = org
    returning n.users into used;
    if is_ > was and used > (select l.users from app.org_limits l where l.org_id = org) then
        raise exception using errcode = '42501', constraint = 'org_limits_users_reached',
            message = 'the organisation has as many users as it may';
    end if;
    return null;
end
$$;
create trigger count after insert or delete or update of removed_at on app.users
    for each row execute function app.users_count();

-- For operators: a new organisation with its limits. 42501: no operator.
create function app.org_create(id uuid, slug text, name text, locale text, timezone text,
                               settings jsonb, users int8, storage_bytes int8,
                               workbench_runs_per_day int8, telemetry_events_per_day int8)
returns uuid
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
begin
    if not coalesce(app.is_operator(), false) then
        raise exception using errcode = '42501', message = 'only an operator makes organisations';
    end if;
    insert into app.orgs (id, slug, name, locale, timezone, settings)
    values (id, slug, name, coalesce(locale, 'en'), coalesce(timezone, 'UTC'),
            coalesce(settings, '{}'));
    update app.org_limits l
    set users = org_create.users, storage_bytes = org_create.storage_bytes,
        workbench_runs_per_day = org_create.workbench_runs_per_day,
        telemetry_events_per_day = org_create.telemetry_events_per_day
    where l.org_id = id;
    return id;
end
$$;

-- For operators: the first account of an organisation, its admin. 42501: no operator, or the
-- organisation has people. users_account: the address has an account.
create function app.org_first_admin(id uuid, org uuid, email text, name text, password_hash text)
returns uuid
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    made uuid;
begin
    if not coalesce(app.is_operator(), false)
       or exists (select from app.users u where u.org_id = org) then
        raise exception using errcode = '42501', message = 'only the first admin of a new one';
    end if;
    insert into app.users (id, org_id, email, name, role, email_verified_at)
    values (id, org, email, name, 'admin', now())
    on conflict on constraint users_email do nothing
    returning users.id into made;
    if made is null then
        raise exception using errcode = '23505', constraint = 'users_account',
            message = 'the address has an account';
    end if;
    insert into app.credentials (user_id, org_id, password_hash) values (id, org, password_hash);
    return made;
end
$$;

-- For what counts itself: refuses when the caller's organisation would go over its limit. kind is
-- storage_bytes, workbench_runs_per_day or telemetry_events_per_day; used is what there would be.
create function app.quota_check(kind text, used int8) returns void
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    l app.org_limits;
begin
    select * into l from app.org_limits k where k.org_id = app.org_id();
    if l.org_id is null then
        raise exception using errcode = '42501', message = 'nobody is asking';
    elsif kind = 'storage_bytes' then
        if used > l.storage_bytes then
            raise exception using errcode = '42501', constraint = 'org_limits_storage_reached',
                message = 'the organisation stores as much as it may';
        end if;
    elsif kind = 'workbench_runs_per_day' then
        if used > l.workbench_runs_per_day then
            raise exception using errcode = '42501', constraint = 'org_limits_workbench_reached',
                message = 'the organisation has run as much as it may today';
        end if;
    elsif kind = 'telemetry_events_per_day' then
        if used > l.telemetry_events_per_day then
            raise exception using errcode = '42501', constraint = 'org_limits_telemetry_reached',
                message = 'the organisation has sent as much as it may today';
        end if;
    else
        raise exception using errcode = '22P02', message = 'there is no such limit';
    end if;
end
$$;

grant execute on function
    app.org_create(uuid, text, text, text, text, jsonb, int8, int8, int8, int8),
    app.org_first_admin(uuid, uuid, text, text, text), app.quota_check(text, int8) to lectern_app;

reset role;
alter function app.orgs_begin() owner to lectern_definer;
alter function app.users_admit() owner to lectern_definer;
alter function app.users_count() owner to lectern_definer;
alter function app.org_create(uuid, text, text, text, text, jsonb, int8, int8, int8, int8)
    owner to lectern_definer;
alter function app.org_first_admin(uuid, uuid, text, text, text) owner to lectern_definer;
alter function app.quota_check(text, int8) owner to lectern_definer;

-- Those that are there already; the owner of the tables sees none of them.
insert into app.org_limits (org_id) select o.id from app.orgs o;
insert into app.org_usage (org_id, users)
select o.id, count(u.id) from app.orgs o
left join app.users u on u.org_id = o.id and u.removed_at is null
group by o.id;

commit;
