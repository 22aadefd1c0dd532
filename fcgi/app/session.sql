-- Accounts and sessions; the functions say no more than their answers.

-- name: password_rehash
-- kind: write
-- params: user_id uuid, old_hash text, new_hash text
-- columns: done bool
select app.password_rehash(:user_id, :old_hash, :new_hash) as done;

-- name: session_open
-- kind: write
-- params: session_id uuid, user_id uuid, digest bytea, address text, user_agent text?,
--   refresh_days int4, max_sessions int4, idle_minutes int4
-- columns: evicted uuid[]
select app.session_open(:session_id, :user_id, :digest, nullif(:address, '')::inet, :user_agent, :refresh_days,
                        :max_sessions, :idle_minutes) as evicted;

-- name: session_rotate
-- kind: write
-- params: session_id uuid, old_digest bytea, new_digest bytea, refresh_days int4, idle_minutes int4,
--   audit_id uuid
-- columns: outcome text, user_id uuid?, org_id uuid?, role text?, name text?, email text?
select r.outcome, r.user_id, r.org_id, r.role, r.name, r.email
  from app.session_rotate(:session_id, :old_digest, :new_digest, :refresh_days, :idle_minutes, :audit_id) r;

-- name: session_end
-- kind: write
-- params: session_id uuid, reason text
-- columns: ended bool
select app.session_end(:session_id, :reason) as ended;

-- name: session_own_end
-- kind: write
-- params: session_id uuid
-- columns: ended bool
select app.session_end(s.id, 'revoked') as ended
  from app.sessions s
 where s.id = :session_id and s.user_id = (select app.user_id()) and s.revoked_at is null
   and s.expires_at > now();

-- name: user_sessions_end
-- kind: write
-- params: user_id uuid, session_id uuid?
-- columns: ended uuid[]
select app.user_sessions_end(:user_id, :session_id, 'revoked_by_admin') as ended;

-- last_used_at is written when a session is refreshed, so it is at most TOKEN_EXPIRY_MINUTES behind.
-- shape: session id uuid, address text?, user_agent text?, created_at timestamptz,
--   last_used_at timestamptz, expires_at timestamptz, current bool

-- name: session_list
-- kind: list
-- params: own_session uuid
-- columns: @session
-- filter: created_at timestamptz s.created_at gte lte
-- sort: -created_at s.created_at, last_used_at s.last_used_at
-- key: s.id
select s.id, host(s.address) as address, s.user_agent, s.created_at, s.last_used_at, s.expires_at,
       s.id = :own_session as current
  from app.sessions s
 where s.user_id = (select app.user_id()) and s.revoked_at is null and s.expires_at > now() {filter}
 {order};

-- name: session_of_user_list
-- kind: list
-- params: user_id uuid, own_session uuid
-- columns: @session
-- filter: created_at timestamptz s.created_at gte lte
-- sort: -created_at s.created_at, last_used_at s.last_used_at
-- key: s.id
select s.id, host(s.address) as address, s.user_agent, s.created_at, s.last_used_at, s.expires_at,
       s.id = :own_session as current
  from app.sessions s
 where s.user_id = :user_id and s.revoked_at is null and s.expires_at > now() {filter}
 {order};

-- name: session_of_user_probe
-- params: user_id uuid
-- columns: id uuid
select u as id from app.user_within_reach(:user_id) u;

-- The account behind an address, if there is one, and the attempt that is counted either way.
-- name: signin_begin
-- kind: write
-- params: email text, address text, device_user uuid?, device uuid?, threshold int4,
--   window_minutes int4, lock_minutes int4
-- columns: user_id uuid?, org_id uuid?, name text?, email text?, role text?, status text?,
--   password_hash text?, admitted bool, last bool, source text
select l.user_id, l.org_id, l.name, l.email, l.role, l.status, l.password_hash, b.admitted, b.last, b.source
  from app.signin_begin(:email, nullif(:address, '')::inet, :device_user, :device, :threshold,
                        :window_minutes, :lock_minutes) b
  left join app.login_lookup(:email) l on true;

-- The password was right: what was counted is forgotten, and who has a second factor gets a challenge.
-- name: signin_passed
-- kind: write
-- params: email text, source text, user_id uuid, digest bytea, seconds int4
-- columns: forgotten bool, challenged bool
select app.signin_passed(:email, :source) as forgotten,
       app.second_factor_challenge(:user_id, :digest, :seconds) as challenged;

-- name: signin_locked
-- kind: write
-- returns: maybe
-- params: email text, source text, audit_id uuid
-- columns: org_id uuid, user_id uuid?, name text?, locale text
select l.org_id, l.user_id, l.name, l.locale from app.signin_locked(:email, :source, :audit_id) l;

-- name: user_unlock
-- kind: write
-- params: user_id uuid
-- columns: locks int4
select app.user_unlock(:user_id) as locks;

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
