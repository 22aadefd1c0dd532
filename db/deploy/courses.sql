begin;
set local role lectern_owner;

create table app.courses (
    id           uuid not null,
    org_id       uuid not null,
    owner_id     uuid not null,
    title        text not null,
    description  text not null default '',
    status       text not null default 'draft',
    visibility   text not null default 'private',
    enrollment    text not null default 'closed',
    seats        int4,
    starts_at    timestamptz,
    ends_at      timestamptz,
    published_at timestamptz,
    archived_at  timestamptz,
    version      int8 not null default 1,
    created_at   timestamptz not null default now(),
    updated_at   timestamptz not null default now(),
    constraint courses_pkey primary key (id),
    constraint courses_tenant unique (org_id, id),
    constraint courses_org foreign key (org_id) references app.orgs (id) on delete restrict,
    constraint courses_owner foreign key (org_id, owner_id)
        references app.users (org_id, id) on delete restrict,
    constraint courses_title check (app.is_line(title, 255)),
    constraint courses_description check (app.is_text(description, 2000)),
    constraint courses_status check (status in ('draft', 'published', 'archived')),
    constraint courses_visibility check (visibility in ('private', 'catalogue')),
    constraint courses_enrollment check (enrollment in ('closed', 'code', 'open')),
    constraint courses_seats check (seats between 1 and 100000),
    constraint courses_dates check (ends_at > starts_at),
    constraint courses_published check (status <> 'published' or published_at is not null),
    constraint courses_archived check ((status = 'archived') = (archived_at is not null))
);
create index courses_list on app.courses (org_id, created_at, id);
create index courses_by_owner on app.courses (org_id, owner_id, id);
create index courses_by_title on app.courses (org_id, title, id);
create index courses_catalogue on app.courses (org_id, published_at, id)
    where status = 'published' and visibility = 'catalogue';

-- The join code is apart from the course, so that seeing the course does not show it.
create table app.course_codes (
    course_id uuid not null,
    org_id    uuid not null,
    code      text not null,
    constraint course_codes_pkey primary key (course_id),
    constraint course_codes_code unique (org_id, code),
    constraint course_codes_course foreign key (org_id, course_id)
        references app.courses (org_id, id) on delete cascade,
    constraint course_codes_shape check (char_length(code) between 6 and 64
                                         and code ~ '^[!-~]+$')
);
create index course_codes_by_course on app.course_codes (org_id, course_id);

create table app.course_staff (
    course_id  uuid not null,
    user_id    uuid not null,
    org_id     uuid not null,
    role       text not null,
    created_at timestamptz not null default now(),
    constraint course_staff_pkey primary key (course_id, user_id),
    constraint course_staff_course foreign key (org_id, course_id)
        references app.courses (org_id, id) on delete cascade,
    constraint course_staff_user foreign key (org_id, user_id)
        references app.users (org_id, id) on delete cascade,
    constraint course_staff_kind check (role in ('teacher', 'assistant'))
);
create index course_staff_by_course on app.course_staff (org_id, course_id);
create index course_staff_by_user on app.course_staff (org_id, user_id, course_id);

alter table app.courses enable row level security, force row level security;
alter table app.course_codes enable row level security, force row level security;
alter table app.course_staff enable row level security, force row level security;

commit;
