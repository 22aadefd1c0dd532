-- Mails that requests cause: written in the request's own transaction, sent by lectern-jobs. Only
-- the functions below touch the table; what a link needs is sealed, and gone once the mail ended.
begin;
set local role lectern_owner;

create table app.mails (
    id              uuid not null,
    org_id          uuid not null,
    user_id         uuid,
    kind            text not null,
    address         text not null,
    name            text,
    locale          text not null default 'en',
    sealed          text,
    detail          text,
    state           text not null default 'queued',
    attempts        int4 not null default 0,
    next_attempt_at timestamptz not null default now(),
    last_error      text,
    created_at      timestamptz not null default now(),
    ended_at        timestamptz,
    constraint mails_pkey primary key (id),
    constraint mails_org foreign key (org_id) references app.orgs (id) on delete cascade,
    constraint mails_user foreign key (org_id, user_id)
        references app.users (org_id, id) on delete cascade,
    constraint mails_kind check (kind in ('verify_email', 'account_exists', 'password_reset',
                                          'password_changed', 'account_locked', 'invitation',
                                          'second_factor')),
    constraint mails_address check (app.is_email(address)),
    constraint mails_name check (app.is_line(name, 255)),
    constraint mails_locale check (app.is_locale(locale)),
    constraint mails_sealed check (octet_length(sealed) between 1 and 2048),
    constraint mails_detail check (app.is_line(detail, 255)),
    constraint mails_state check (state in ('queued', 'sent', 'dead')),
    constraint mails_attempts check (attempts >= 0),
    constraint mails_error check (last_error in ('connection', 'tls', 'login', 'deferred',
                                                 'refused', 'secret', 'text', 'address',
                                                 'file', 'no_account')),
    constraint mails_ended check ((state = 'queued') = (ended_at is null)),
    constraint mails_wiped check (state = 'queued' or sealed is null)
);
create index mails_by_user on app.mails (org_id, user_id);
create index mails_due on app.mails (next_attempt_at) where state = 'queued';
create index mails_by_end on app.mails (ended_at) where ended_at is not null;

alter table app.mails enable row level security, force row level security;
create policy tenant on app.mails as restrictive to lectern_app, lectern_ro
    using (org_id = (select app.org_id()));
grant select, insert, update, delete on app.mails to lectern_definer;
create policy all_definer on app.mails to lectern_definer using (true) with check (true);

-- Puts a mail into the queue. 42501 unless
-- - an account is written to at its own address, in its own organisation;
-- - a caller who is signed in writes to their own organisation, and to an address without an
--   account only as staff, to invite it;
-- - a request without a caller names an account. Where it has found none, the row is written all
--   the same, ended and without what was asked: both cases are the same work.
create function app.mail_enqueue(id uuid, org uuid, usr uuid, kind text, address text, name text,
                                 locale text, sealed text, detail text) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    known bool := app.user_id() is not null;
    decoy bool := not known and usr is null;
begin
    if not known and (kind = 'invitation' or coalesce(app.org_id()::text, app.role()) is not null)
       or known and org is distinct from app.org_id()
       or known and usr is null
          and not (kind = 'invitation' and coalesce(app.is_staff_role(app.role()), false))
       or usr is not null
          and not exists (select from app.users u
                          where u.id = usr and u.org_id = org and u.email = address) then
        raise exception using errcode = '42501', message = 'no such mail may be sent';
    end if;
    insert into app.mails (id, org_id, user_id, kind, address, name, locale, sealed, detail, state,
                           last_error, ended_at)
    values (id, org, usr, kind, case when decoy then 'nobody@localhost' else address end,
            case when not decoy then name end, locale, case when not decoy then sealed end,
            case when not decoy then detail end, case when decoy then 'dead' else 'queued' end,
            case when decoy then 'no_account' end, case when decoy then now() end);
end
$$;

-- The mail that has been due for longest, or none. Whoever has it may keep it for so many seconds;
-- then it is due again, so that none is lost with the daemon that had it.
create function app.mail_claim(lease_seconds int) returns setof app.mails
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    update app.mails m
    set attempts = m.attempts + 1, next_attempt_at = now() + make_interval(secs => lease_seconds)
    where m.id = (select k.id from app.mails k
                  where k.state = 'queued' and k.next_attempt_at <= now()
                  order by k.next_attempt_at limit 1 for update skip locked)
    returning m.*;
end
$$;

-- How an attempt ended: 'sent', 'dead', or 'queued' to try again after so many seconds. False when
-- it is another's by now.
create function app.mail_end(mail uuid, attempt int, outcome text, error text, again_seconds int)
returns bool
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    update app.mails m
    set state = outcome, last_error = error,
        sealed = case when outcome = 'queued' then m.sealed end,
        ended_at = case when outcome <> 'queued' then now() end,
        next_attempt_at = now() + make_interval(secs => again_seconds)
    where m.id = mail and m.state = 'queued' and m.attempts = attempt;
    return found;
end
$$;

-- Removes at most so many mails that ended so many days ago; returns how many.
create function app.mails_purge(days int, batch int) returns int
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    n int;
begin
    delete from app.mails m where m.ctid = any (array(
        select k.ctid from app.mails k where k.ended_at <= now() - make_interval(days => days)
        limit batch));
    get diagnostics n = row_count;
    return n;
end
$$;

grant execute on function
    app.mail_enqueue(uuid, uuid, uuid, text, text, text, text, text, text) to lectern_app;
grant execute on function app.mail_claim(int), app.mail_end(uuid, int, text, text, int),
    app.mails_purge(int, int) to lectern_jobs;

reset role;
alter function app.mail_enqueue(uuid, uuid, uuid, text, text, text, text, text, text)
    owner to lectern_definer;
alter function app.mail_claim(int) owner to lectern_definer;
alter function app.mail_end(uuid, int, text, text, int) owner to lectern_definer;
alter function app.mails_purge(int, int) owner to lectern_definer;

commit;
