begin;
set local role lectern_owner;

create table app.enrollment_imports (
    id          uuid not null,
    org_id      uuid not null,
    course_id   uuid not null,
    created_by  uuid not null,
    digest      text not null,
    atomic      bool not null,
    total       int4 not null,
    enrolled    int4 not null default 0,
    reactivated int4 not null default 0,
    unchanged   int4 not null default 0,
    failed      int4 not null default 0,
    undone_at   timestamptz,
    created_at  timestamptz not null default now(),
    constraint enrollment_imports_pkey primary key (id),
    constraint enrollment_imports_tenant unique (org_id, id),
    constraint enrollment_imports_course foreign key (org_id, course_id)
        references app.courses (org_id, id) on delete cascade,
    constraint enrollment_imports_author foreign key (org_id, created_by)
        references app.users (org_id, id) on delete restrict,
    constraint enrollment_imports_digest check (digest ~ '^[0-9a-f]{64}$'),
    constraint enrollment_imports_counts check (
        least(enrolled, reactivated, unchanged, failed) >= 0
        and total = enrolled + reactivated + unchanged + failed)
);
create index enrollment_imports_by_course on app.enrollment_imports (org_id, course_id, created_at);
create index enrollment_imports_by_author on app.enrollment_imports (org_id, created_by);

create table app.enrollments (
    id           uuid not null,
    org_id       uuid not null,
    course_id    uuid not null,
    user_id      uuid not null,
    status       text not null default 'active',
    source       text not null default 'manual',
    import_id    uuid,
    starts_at    timestamptz,
    ends_at      timestamptz,
    completed_at timestamptz,
    withdrawn_at timestamptz,
    version      int8 not null default 1,
    created_at   timestamptz not null default now(),
    updated_at   timestamptz not null default now(),
    constraint enrollments_pkey primary key (id),
    constraint enrollments_tenant unique (org_id, id),
    constraint enrollments_member unique (org_id, course_id, user_id),
    constraint enrollments_course foreign key (org_id, course_id)
        references app.courses (org_id, id) on delete cascade,
    constraint enrollments_user foreign key (org_id, user_id)
        references app.users (org_id, id) on delete cascade,
    constraint enrollments_import foreign key (org_id, import_id)
        references app.enrollment_imports (org_id, id) on delete set null (import_id),
    constraint enrollments_status check (status in ('active', 'completed', 'withdrawn')),
    constraint enrollments_source check (source in ('manual', 'self', 'import')),
    constraint enrollments_dates check (ends_at > starts_at),
    constraint enrollments_completed check (status <> 'completed' or completed_at is not null),
    constraint enrollments_withdrawn check ((status = 'withdrawn') = (withdrawn_at is not null))
);
create index enrollments_by_course on app.enrollments (org_id, course_id, created_at, id);
create index enrollments_by_user on app.enrollments (org_id, user_id, created_at, id);
create index enrollments_by_import on app.enrollments (org_id, import_id)
    where import_id is not null;
create index enrollments_taken on app.enrollments (course_id) where status = 'active';

create table app.enrollment_import_rows (
    import_id       uuid not null,
    org_id          uuid not null,
    line            int4 not null,
    email           text not null,
    user_id         uuid,
    enrollment_id   uuid,
    action          text not null,
    code            text,
    previous_status text,
    constraint enrollment_import_rows_pkey primary key (import_id, line),
    constraint enrollment_import_rows_import foreign key (org_id, import_id)
        references app.enrollment_imports (org_id, id) on delete cascade,
    constraint enrollment_import_rows_user foreign key (org_id, user_id)
        references app.users (org_id, id) on delete set null (user_id),
    constraint enrollment_import_rows_enrollment foreign key (org_id, enrollment_id)
        references app.enrollments (org_id, id) on delete set null (enrollment_id),
    constraint enrollment_import_rows_line check (line >= 1),
    constraint enrollment_import_rows_email check (char_length(email) <= 254),
    constraint enrollment_import_rows_action check (
        action in ('enrol', 'reactivate', 'unchanged', 'error')),
    constraint enrollment_import_rows_code check ((action = 'error') = (code is not null)),
    constraint enrollment_import_rows_previous check (
        (action = 'reactivate') = (previous_status is not null))
);
create index enrollment_import_rows_by_import on app.enrollment_import_rows (org_id, import_id);
create index enrollment_import_rows_by_user on app.enrollment_import_rows (org_id, user_id);
create index enrollment_import_rows_by_enrollment
    on app.enrollment_import_rows (org_id, enrollment_id);

alter table app.enrollment_imports enable row level security, force row level security;
alter table app.enrollments enable row level security, force row level security;
alter table app.enrollment_import_rows enable row level security, force row level security;

commit;
