-- What happened, written in the transaction of its cause, a partition a month.
-- actor_id, course_id and subject_id are not foreign keys: the record outlives what it names.
begin;
set local role lectern_owner;

create table app.events (
    id           uuid not null,
    org_id       uuid not null,
    kind         text not null,
    actor_id     uuid,
    course_id    uuid,
    subject_type text,
    subject_id   uuid,
    payload      jsonb not null default '{}',
    request_id   text,
    occurred_at  timestamptz not null default now(),
    constraint events_pkey primary key (occurred_at, id),
    constraint events_org foreign key (org_id) references app.orgs (id) on delete restrict,
    constraint events_kind check (kind ~ '^[a-z][a-z0-9_.]{0,63}$'),
    constraint events_subject check (subject_type ~ '^[a-z][a-z0-9_]{0,63}$'),
    constraint events_payload check (app.is_document(payload)),
    constraint events_request check (request_id ~ '^[A-Za-z0-9._-]{1,128}$')
) partition by range (occurred_at);
create index events_by_org on app.events (org_id, occurred_at desc, id desc);
create index events_by_actor on app.events (org_id, actor_id, occurred_at desc, id desc);
create index events_by_course on app.events (org_id, course_id, occurred_at desc, id desc);

create table app.events_default partition of app.events default;

alter table app.events enable row level security, force row level security;
alter table app.events_default enable row level security, force row level security;

-- The maker of partitions moves rows out of the default one.
create policy all_owner on app.events_default to lectern_owner using (true) with check (true);

-- Makes the partitions of this month and the given number of months ahead (0 to 36) and returns
-- how many were missing. Rows that fell into the default partition move to where they belong.
create function app.events_make_partitions(months_ahead int) returns int
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
    low  timestamptz;
    part text;
    made int := 0;
begin
    for low in
        select generate_series(date_trunc('month', now()),
                               date_trunc('month', now())
                               + make_interval(months => least(greatest(months_ahead, 0), 36)),
                               interval '1 month')
    loop
        part := 'events_' || to_char(low, 'YYYYMM');
        continue when to_regclass('app.' || part) is not null;
        lock table app.events_default in access exclusive mode;
        execute format('create table app.%I '
                       '(like app.events including defaults including constraints)', part);
        execute format('with moved as (delete from app.events_default '
                       'where occurred_at >= %L and occurred_at < %L returning *) '
                       'insert into app.%I select * from moved',
                       low, low + interval '1 month', part);
        execute format('alter table app.%I enable row level security, '
                       'force row level security', part);
        execute format('alter table app.events attach partition app.%I '
                       'for values from (%L) to (%L)', part, low, low + interval '1 month');
        made := made + 1;
    end loop;
    return made;
end
$$;
grant execute on function app.events_make_partitions(int) to lectern_jobs;

commit;
