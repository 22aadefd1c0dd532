begin;
set local role lectern_owner;

create table app.announcements (
    id         uuid not null,
    org_id     uuid not null,
    course_id  uuid, -- none: to the whole organisation
    author_id  uuid not null,
    title      text not null,
    body       text not null,
    pinned     bool not null default false,
    publish_at timestamptz not null default now(),
    version    int8 not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint announcements_pkey primary key (id),
    constraint announcements_tenant unique (org_id, id),
    constraint announcements_org foreign key (org_id) references app.orgs (id) on delete restrict,
    constraint announcements_course foreign key (org_id, course_id)
        references app.courses (org_id, id) on delete cascade,
    constraint announcements_author foreign key (org_id, author_id)
        references app.users (org_id, id) on delete restrict,
    constraint announcements_title check (app.is_line(title, 255)),
    constraint announcements_body check (char_length(body) >= 1 and app.is_text(body, 100000))
);
create index announcements_list on app.announcements (org_id, course_id, publish_at desc, id desc);
create index announcements_pinned on app.announcements (org_id, course_id, publish_at desc, id desc)
    where pinned;
create index announcements_by_author on app.announcements (org_id, author_id);

create trigger touch before update on app.announcements
    for each row when (old.* is distinct from new.*) execute function app.touch();

-- course_id repeats the announcement's, so that a teacher's count of readers needs no join.
create table app.announcement_reads (
    announcement_id uuid not null,
    user_id         uuid not null,
    org_id          uuid not null,
    course_id       uuid,
    read_at         timestamptz not null default now(),
    constraint announcement_reads_pkey primary key (announcement_id, user_id),
    constraint announcement_reads_announcement foreign key (org_id, announcement_id)
        references app.announcements (org_id, id) on delete cascade,
    constraint announcement_reads_user foreign key (org_id, user_id)
        references app.users (org_id, id) on delete cascade
);
create index announcement_reads_by_announcement on app.announcement_reads (org_id, announcement_id);
create index announcement_reads_by_user on app.announcement_reads (org_id, user_id);

create function app.announcement_reads_rules() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    select a.course_id into new.course_id from app.announcements a where a.id = new.announcement_id;
    return new;
end
$$;
create trigger rules before insert on app.announcement_reads
    for each row execute function app.announcement_reads_rules();

alter table app.announcements enable row level security, force row level security;
alter table app.announcement_reads enable row level security, force row level security;

commit;
