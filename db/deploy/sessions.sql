begin;
set local role lectern_owner;

create table app.sessions (
    id             uuid not null,
    org_id         uuid not null,
    user_id        uuid not null,
    address        inet,
    user_agent     text,
    created_at     timestamptz not null default now(),
    last_used_at   timestamptz not null default now(),
    expires_at     timestamptz not null,
    revoked_at     timestamptz,
    revoked_reason text,
    constraint sessions_pkey primary key (id),
    constraint sessions_tenant unique (org_id, id),
    constraint sessions_user foreign key (org_id, user_id)
        references app.users (org_id, id) on delete cascade,
    constraint sessions_agent check (char_length(user_agent) <= 512),
    constraint sessions_expiry check (expires_at > created_at),
    constraint sessions_reason check (revoked_reason ~ '^[a-z][a-z_]{0,62}$'),
    constraint sessions_revoked check ((revoked_at is null) = (revoked_reason is null))
);
create index sessions_by_user on app.sessions (org_id, user_id, created_at desc);
create index sessions_by_expiry on app.sessions (expires_at);

-- Only the keyed digest of a refresh token is kept. A used one stays until it expires, so that
-- its second use is noticed.
create table app.refresh_tokens (
    digest     bytea not null,
    session_id uuid not null,
    org_id     uuid not null,
    issued_at  timestamptz not null default now(),
    expires_at timestamptz not null,
    used_at    timestamptz,
    constraint refresh_tokens_pkey primary key (digest),
    constraint refresh_tokens_session foreign key (org_id, session_id)
        references app.sessions (org_id, id) on delete cascade,
    constraint refresh_tokens_digest check (octet_length(digest) = 32),
    constraint refresh_tokens_expiry check (expires_at > issued_at)
);
create index refresh_tokens_by_session on app.refresh_tokens (org_id, session_id);
create index refresh_tokens_by_expiry on app.refresh_tokens (expires_at);

alter table app.sessions enable row level security, force row level security;
alter table app.refresh_tokens enable row level security, force row level security;

commit;
