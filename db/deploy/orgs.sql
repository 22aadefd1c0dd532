begin;
set local role lectern_owner;

create table app.orgs (
    id         uuid not null,
    slug       text not null,
    name       text not null,
    locale     text not null default 'en',
    timezone   text not null default 'UTC',
    settings   jsonb not null default '{}',
    version    int8 not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint orgs_pkey primary key (id),
    constraint orgs_slug unique (slug),
    constraint orgs_slug_shape check (slug ~ '^[a-z0-9-]{2,63}$'),
    constraint orgs_name check (app.is_line(name, 255)),
    constraint orgs_locale check (app.is_locale(locale)),
    constraint orgs_timezone check (app.is_timezone(timezone)),
    constraint orgs_settings check (app.is_document(settings))
);

create trigger touch before update on app.orgs
    for each row when (old.* is distinct from new.*) execute function app.touch();

alter table app.orgs enable row level security, force row level security;

commit;
