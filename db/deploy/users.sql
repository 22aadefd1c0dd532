begin;
set local role lectern_owner;

create table app.users (
    id                uuid not null,
    org_id            uuid not null,
    email             text not null,
    name              text not null,
    role              text not null default 'student',
    status            text not null default 'active',
    locale            text not null default 'en',
    timezone          text not null default 'UTC',
    email_verified_at timestamptz,
    last_sign_in_at   timestamptz,
    version           int8 not null default 1,
    created_at        timestamptz not null default now(),
    updated_at        timestamptz not null default now(),
    constraint users_pkey primary key (id),
    constraint users_tenant unique (org_id, id),
    -- An address signs in to one organisation, so it is unique over all of them.
    constraint users_email unique (email),
    constraint users_org foreign key (org_id) references app.orgs (id) on delete restrict,
    constraint users_email_shape check (app.is_email(email)),
    constraint users_name check (app.is_line(name, 255)),
    constraint users_role check (role in ('student', 'teacher', 'parent', 'vendor', 'moderator',
                                          'analyst', 'admin', 'operator')),
    constraint users_status check (status in ('active', 'disabled')),
    constraint users_locale check (app.is_locale(locale)),
    constraint users_timezone check (app.is_timezone(timezone))
);
create index users_list on app.users (org_id, created_at, id);
create index users_by_name on app.users (org_id, name, id);
create index users_by_role on app.users (org_id, role, id);

-- Signing in is no change of the resource: last_sign_in_at is left out.
create trigger touch
    before update of email, name, role, status, locale, timezone, email_verified_at on app.users
    for each row when (old.* is distinct from new.*) execute function app.touch();

create table app.credentials (
    user_id       uuid not null,
    org_id        uuid not null,
    password_hash text not null,
    changed_at    timestamptz not null default now(),
    constraint credentials_pkey primary key (user_id),
    constraint credentials_user foreign key (org_id, user_id)
        references app.users (org_id, id) on delete cascade,
    constraint credentials_hash check (password_hash like '$argon2id$%'
                                       and char_length(password_hash) between 32 and 512)
);
create index credentials_by_org on app.credentials (org_id, user_id);

alter table app.users enable row level security, force row level security;
alter table app.credentials enable row level security, force row level security;

commit;
