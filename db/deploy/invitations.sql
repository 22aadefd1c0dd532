-- Invitations into an organisation. Of a token only its keyed digest is kept.
begin;
set local role lectern_owner;

create table app.invitations (
    id          uuid not null,
    org_id      uuid not null,
    email       text not null,
    role        text not null,
    digest      bytea not null,
    invited_by  uuid, -- none: an operator of another organisation
    created_at  timestamptz not null default now(),
    expires_at  timestamptz not null,
    accepted_at timestamptz,
    accepted_by uuid,
    revoked_at  timestamptz,
    constraint invitations_pkey primary key (id),
    constraint invitations_tenant unique (org_id, id),
    constraint invitations_org foreign key (org_id) references app.orgs (id) on delete cascade,
    constraint invitations_inviter foreign key (org_id, invited_by)
        references app.users (org_id, id) on delete set null (invited_by),
    constraint invitations_account foreign key (org_id, accepted_by)
        references app.users (org_id, id) on delete set null (accepted_by),
    constraint invitations_email check (app.is_email(email)),
    constraint invitations_role check (role in ('student', 'teacher', 'parent', 'vendor',
                                                'moderator', 'analyst', 'admin', 'operator')),
    constraint invitations_digest check (octet_length(digest) = 32),
    constraint invitations_expiry check (expires_at > created_at),
    constraint invitations_closed check (accepted_at is null or revoked_at is null),
    -- One that is open for an address in an organisation.
    constraint invitations_open exclude using btree (org_id with =, email with =)
        where (accepted_at is null and revoked_at is null)
);
create index invitations_list on app.invitations (org_id, created_at, id);
create index invitations_by_inviter on app.invitations (org_id, invited_by);
create index invitations_by_account on app.invitations (org_id, accepted_by);
create index invitations_by_digest on app.invitations (digest);
create index invitations_by_expiry on app.invitations (expires_at);

create trigger audit after insert or update or delete on app.invitations for each row
    when (current_setting('app.audit_action', true) <> '') execute function app.audit_capture();

alter table app.invitations enable row level security, force row level security;
create policy tenant on app.invitations as restrictive to lectern_app, lectern_ro
    using (org_id = (select app.org_id()));

-- Admins see them without their digests. Taking back is all that a statement may change, and
-- nobody takes back what is above them.
grant select (id, org_id, email, role, invited_by, created_at, expires_at, accepted_at, accepted_by,
              revoked_at), update (revoked_at) on app.invitations to lectern_app;
create policy select_tenant_admin on app.invitations for select to lectern_app
    using ((select app.user_id()) is not null and app.is_admin_role((select app.role())));
create policy update_tenant_admin on app.invitations for update to lectern_app
    using ((select app.user_id()) is not null and app.is_admin_role((select app.role()))
           and (role <> 'operator' or (select app.role()) = 'operator')
           and accepted_at is null and revoked_at is null)
    with check (revoked_at is not null);

grant select, insert, update (invited_by, accepted_at, accepted_by, revoked_at), delete
    on app.invitations to lectern_definer;
create policy all_definer on app.invitations to lectern_definer using (true) with check (true);

insert into app.personal_data (relation, columns, finds, exports, erasure, sets, why) values
    ('invitations', '{email,digest,accepted_by}', 'accepted_by = $1 or email = $2',
     '{id,email,role,created_at,expires_at,accepted_at}', 'delete', null,
     'It is about the person alone.'),
    ('invitations', '{invited_by}', 'invited_by = $1', '{}', 'anonymise', 'invited_by = null',
     'The invitation is others''.');

-- Invites an address into the caller's organisation, or, for operators, an admin into any; an open
-- invitation of the address there is taken back. Says nothing of accounts elsewhere.
-- 42501: no admin. LE404: no such organisation. users_role_too_high: above the caller's role.
-- invitations_member: the address is of the organisation already, as its admins can see.
create function app.invite(id uuid, org uuid, email text, role text, digest bytea, days int)
returns table (org_name text, org_locale text, made_at timestamptz, expires_at timestamptz)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    o app.orgs;
begin
    if app.user_id() is null or not coalesce(app.is_admin_role(app.role()), false)
       or org is distinct from app.org_id()
          and not (coalesce(app.is_operator(), false) and role = 'admin') then
        raise exception using errcode = '42501', message = 'only an admin invites';
    end if;
    select * into o from app.orgs k where k.id = org;
    if o.id is null then
        raise exception using errcode = 'LE404', message = 'no such organisation';
    end if;
    if app.role_rank(role) > app.role_rank(app.role()) then
        raise exception using errcode = '42501', constraint = 'users_role_too_high',
            message = 'the role is above the caller''s own';
    end if;
    if exists (select from app.users u where u.org_id = org and u.email = invite.email) then
        raise exception using errcode = '23505', constraint = 'invitations_member',
            message = 'the address is of the organisation already';
    end if;
    perform pg_advisory_xact_lock(hashtextextended('invite ' || org || email, 0));
    update app.invitations i set revoked_at = now()
    where i.org_id = org and i.email = invite.email
          and i.accepted_at is null and i.revoked_at is null;
    expires_at := now() + make_interval(days => days);
    insert into app.invitations (id, org_id, email, role, digest, invited_by, expires_at)
    values (id, org, email, role, digest, case when org = app.org_id() then app.user_id() end,
            expires_at);
    return query select o.name, o.locale, now(), expires_at;
end
$$;

-- Whom an invitation is for, when it may still be accepted; before that, its token is the secret.
create function app.invitation_open(digest bytea)
returns table (org_id uuid, email text, role text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select i.org_id, i.email, i.role
    from app.invitations i join app.orgs o on o.id = i.org_id and o.status = 'active'
    where i.digest = invitation_open.digest
          and i.accepted_at is null and i.revoked_at is null and i.expires_at > now();
end
$$;

-- Makes the account that an invitation is for; its address is proven by the token that came there.
-- LE410: unknown, used, taken back, expired, or the organisation is suspended. users_account: the
-- address has an account, and an account belongs to one organisation.
create function app.invitation_accept(digest bytea, usr uuid, name text, password_hash text)
returns uuid
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    i    app.invitations;
    made uuid;
begin
    select k.* into i
    from app.invitations k join app.orgs o on o.id = k.org_id and o.status = 'active'
    where k.digest = invitation_accept.digest
          and k.accepted_at is null and k.revoked_at is null and k.expires_at > now()
    for no key update of k;
    if i.id is null then
        raise exception using errcode = 'LE410', message = 'the invitation is not open';
    end if;
    insert into app.users (id, org_id, email, name, role, email_verified_at)
    values (usr, i.org_id, i.email, name, i.role, now())
    on conflict on constraint users_email do nothing
    returning users.id into made;
    if made is null then
        raise exception using errcode = '23505', constraint = 'users_account',
            message = 'the address has an account';
    end if;
    insert into app.credentials (user_id, org_id, password_hash)
    values (usr, i.org_id, password_hash);
    update app.invitations k set accepted_at = now(), accepted_by = usr where k.id = i.id;
    return made;
end
$$;

-- What a removed person has offered in the organisation's name is not open any longer.
create function app.invitations_inviter_gone() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    update app.invitations i set revoked_at = now()
    where i.org_id = new.org_id and i.invited_by = new.id
          and i.accepted_at is null and i.revoked_at is null;
    return null;
end
$$;
create trigger inviter_gone after update of removed_at on app.users
    for each row when (old.removed_at is null and new.removed_at is not null)
    execute function app.invitations_inviter_gone();

-- Removes invitations 90 days after their end, at most the given number, and returns how many.
create function app.purge_invitations(batch int) returns int
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    n int;
begin
    delete from app.invitations k where k.ctid = any (array(
        select i.ctid from app.invitations i
        where i.expires_at <= now() - interval '90 days' limit batch));
    get diagnostics n = row_count;
    return n;
end
$$;

grant execute on function
    app.invite(uuid, uuid, text, text, bytea, int), app.invitation_open(bytea),
    app.invitation_accept(bytea, uuid, text, text) to lectern_app;
grant execute on function app.purge_invitations(int) to lectern_jobs;

reset role;
alter function app.invite(uuid, uuid, text, text, bytea, int) owner to lectern_definer;
alter function app.invitation_open(bytea) owner to lectern_definer;
alter function app.invitation_accept(bytea, uuid, text, text) owner to lectern_definer;
alter function app.invitations_inviter_gone() owner to lectern_definer;
alter function app.purge_invitations(int) owner to lectern_definer;

commit;
