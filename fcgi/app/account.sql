-- Accounts before and besides signing in; the functions say no more than their answers.

-- name: account_register
-- kind: write
-- params: new_id uuid, org_slug text, email text, name text, password_hash text
-- columns: id uuid?
select app.register(:new_id, :org_slug, :email, :name, :password_hash) as id;

-- name: invitation_open
-- kind: read
-- returns: maybe
-- params: digest bytea
-- columns: org_id uuid, email text, role text
select i.org_id, i.email, i.role from app.invitation_open(:digest) i;

-- name: invitation_accept
-- kind: write
-- params: digest bytea, new_id uuid, name text, password_hash text
-- columns: id uuid
select app.invitation_accept(:digest, :new_id, :name, :password_hash) as id;

-- name: account_find
-- kind: read
-- params: email text
-- columns: user_id uuid?, org_id uuid, name text?, locale text, verified bool
select f.user_id, f.org_id, f.name, f.locale, f.verified from app.account_find(:email) f;

-- name: account_token_issue
-- kind: write
-- params: user_id uuid?, org_id uuid, purpose text, digest bytea, minutes int4
-- columns: ok int4
select 1 as ok from app.account_token_issue(:user_id, :org_id, :purpose, :digest, :minutes);

-- name: account_token_email
-- kind: read
-- params: digest bytea, purpose text
-- columns: email text?
select app.account_token_email(:digest, :purpose) as email;

-- name: email_verify
-- kind: write
-- params: digest bytea
-- columns: done bool
select app.email_verify(:digest) as done;

-- name: password_reset
-- kind: write
-- returns: maybe
-- params: digest bytea, password_hash text, audit_id uuid
-- columns: user_id uuid, org_id uuid, name text, email text, locale text, ended uuid[]
select p.user_id, p.org_id, p.name, p.email, p.locale, p.ended
  from app.password_reset(:digest, :password_hash, :audit_id) p;

-- name: password_current
-- kind: read
-- params: user_id uuid
-- columns: email text, password_hash text?
select u.email, app.password_current() as password_hash from app.users u where u.id = :user_id;

-- name: password_change
-- kind: write
-- returns: maybe
-- params: old_hash text, new_hash text, own_session uuid
-- columns: name text, email text, locale text, ended uuid[]
select p.name, p.email, p.locale, p.ended
  from app.password_change(:old_hash, :new_hash, :own_session) p;

-- name: sessions_end
-- kind: write
-- params: user_id uuid, reason text
-- columns: ended uuid[]
select app.sessions_end(:user_id, :reason) as ended;
