-- Accounts and sessions; the functions say no more than their answers.

-- name: account_register
-- kind: write
-- params: new_id uuid, org_slug text, email text, name text, password_hash text
-- columns: id uuid?
select app.register(:new_id, :org_slug, :email, :name, :password_hash) as id;

-- name: invitation_open
-- kind: read
-- returns: maybe
-- params: invitation_id uuid, digest bytea
-- columns: org_id uuid, email text, role text
select i.org_id, i.email, i.role from app.invitation_open(:invitation_id, :digest) i;

-- name: invitation_accept
-- kind: write
-- params: invitation_id uuid, digest bytea, user_id uuid, name text, password_hash text
-- columns: id uuid
select app.invitation_accept(:invitation_id, :digest, :user_id, :name, :password_hash) as id;

-- name: login_lookup
-- kind: read
-- returns: maybe
-- params: email text
-- columns: user_id uuid, org_id uuid, name text, email text, role text, status text, password_hash text
select l.user_id, l.org_id, l.name, l.email, l.role, l.status, l.password_hash
  from app.login_lookup(:email) l;

-- name: password_rehash
-- kind: write
-- params: user_id uuid, old_hash text, new_hash text
-- columns: done bool
select app.password_rehash(:user_id, :old_hash, :new_hash) as done;

-- name: session_open
-- kind: write
-- params: session_id uuid, user_id uuid, digest bytea, address text, user_agent text?,
--   refresh_days int4, max_sessions int4
-- columns: evicted uuid[]
select app.session_open(:session_id, :user_id, :digest, nullif(:address, '')::inet, :user_agent, :refresh_days,
                        :max_sessions) as evicted;

-- name: session_rotate
-- kind: write
-- params: session_id uuid, old_digest bytea, new_digest bytea, refresh_days int4
-- columns: outcome text, user_id uuid?, org_id uuid?, role text?, name text?, email text?
select r.outcome, r.user_id, r.org_id, r.role, r.name, r.email
  from app.session_rotate(:session_id, :old_digest, :new_digest, :refresh_days) r;

-- name: session_end
-- kind: write
-- params: session_id uuid, reason text
-- columns: ended bool
select app.session_end(:session_id, :reason) as ended;

-- name: user_me
-- columns: id uuid, org_id uuid, email text, name text, role text, locale text, timezone text,
--   last_sign_in_at timestamptz?, version int8, created_at timestamptz, updated_at timestamptz
select u.id, u.org_id, u.email, u.name, u.role, u.locale, u.timezone, u.last_sign_in_at, u.version,
       u.created_at, u.updated_at
  from app.users u
 where u.id = (select app.user_id());

-- name: user_me_update
-- kind: write
-- params: name text?, locale text?, timezone text?, if_match int8?
-- columns: id uuid, org_id uuid, email text, name text, role text, locale text, timezone text,
--   last_sign_in_at timestamptz?, version int8, created_at timestamptz, updated_at timestamptz
update app.users u
   set name = coalesce(:name, u.name), locale = coalesce(:locale, u.locale),
       timezone = coalesce(:timezone, u.timezone)
 where u.id = (select app.user_id()) and app.if_match(u.version, :if_match)
returning u.id, u.org_id, u.email, u.name, u.role, u.locale, u.timezone, u.last_sign_in_at,
          u.version, u.created_at, u.updated_at;
