begin;
set local role lectern_owner;

create table app.idempotency_keys (
    org_id     uuid not null,
    user_id    uuid not null,
    key        text not null,
    route      text not null,
    digest     bytea not null,
    status     int4,
    headers    text,
    answer     bytea,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    constraint idempotency_keys_pkey primary key (user_id, key),
    constraint idempotency_keys_user foreign key (org_id, user_id)
        references app.users (org_id, id) on delete cascade,
    constraint idempotency_keys_shape check (key ~ '^[ -~]{1,255}$'),
    constraint idempotency_keys_route check (char_length(route) between 1 and 255),
    constraint idempotency_keys_digest check (octet_length(digest) = 32),
    constraint idempotency_keys_status check (status between 100 and 599),
    constraint idempotency_keys_headers check (octet_length(headers) <= 16384),
    constraint idempotency_keys_answer check (octet_length(answer) <= 1572864),
    constraint idempotency_keys_expiry check (expires_at > created_at)
);
create index idempotency_keys_by_user on app.idempotency_keys (org_id, user_id);
create index idempotency_keys_by_expiry on app.idempotency_keys (expires_at);

alter table app.idempotency_keys enable row level security, force row level security;

-- Claims the caller's key for this transaction. LE409: another transaction holds it now.
-- LE208: it was answered before; roll back, read the kept row and replay it (or refuse it when
-- route or digest differ). Runs with the caller's own rights.
create function app.idempotency_claim(key text, route text, digest bytea, ttl_hours int)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    me uuid := app.user_id();
begin
    if me is null then
        raise exception using errcode = '42501', message = 'an idempotency key needs a caller';
    end if;
    if not pg_try_advisory_xact_lock(hashtextextended(me::text || key, 0)) then
        raise exception using errcode = 'LE409', message = 'the key is being used';
    end if;
    delete from app.idempotency_keys k
    where k.user_id = me and k.key = idempotency_claim.key and k.expires_at <= now();
    if exists (select from app.idempotency_keys k
               where k.user_id = me and k.key = idempotency_claim.key) then
        raise exception using errcode = 'LE208', message = 'the key has been answered';
    end if;
    insert into app.idempotency_keys (org_id, user_id, key, route, digest, expires_at)
    values (app.org_id(), me, key, route, digest, now() + make_interval(hours => ttl_hours));
end
$$;
grant execute on function app.idempotency_claim(text, text, bytea, int) to lectern_app;

commit;
