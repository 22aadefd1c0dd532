-- What the gates themselves run. Domains have their own files in app/.

-- name: identity_read
-- kind: read
-- params: user_id uuid?, org_id uuid?, role text
-- columns: a text, b text, c text, d text
select set_config('transaction_read_only', 'on', true) as a,
       set_config('app.user_id', coalesce(:user_id::text, ''), true) as b,
       set_config('app.org_id', coalesce(:org_id::text, ''), true) as c,
       set_config('app.role', :role, true) as d;

-- name: identity_write
-- kind: read
-- params: user_id uuid?, org_id uuid?, role text, request_id text, client_ip text, audit_action text
-- columns: a text, b text, c text, d text, e text, f text
select set_config('app.user_id', coalesce(:user_id::text, ''), true) as a,
       set_config('app.org_id', coalesce(:org_id::text, ''), true) as b,
       set_config('app.role', :role, true) as c,
       set_config('app.request_id', :request_id, true) as d,
       set_config('app.client_ip', :client_ip, true) as e,
       set_config('app.audit_action', :audit_action, true) as f;

-- name: session_check
-- kind: read
-- params: session_id uuid, user_id uuid, org_id uuid, role text
-- columns: ok int4
select 1 as ok from app.session_check(:session_id, :user_id, :org_id, :role);

-- name: second_factor_check
-- kind: read
-- params: session_id uuid
-- columns: ok int4
select 1 as ok from app.second_factor_check(:session_id);

-- name: idempotency_claim
-- kind: write
-- params: key text, route text, digest bytea, ttl_hours int4
-- columns: ok int4
select 1 as ok from app.idempotency_claim(:key, :route, :digest, :ttl_hours);

-- name: idempotency_answer
-- kind: read
-- returns: maybe
-- params: key text
-- columns: route text, digest bytea, status int4?, headers text?, answer bytea?
select route, digest, status, headers, answer
  from app.idempotency_keys
 where user_id = (select app.user_id()) and key = :key;

-- name: idempotency_store
-- kind: write
-- params: key text, status int4, headers text, answer bytea
update app.idempotency_keys
   set status = :status, headers = :headers, answer = :answer
 where user_id = (select app.user_id()) and key = :key and status is null;

-- name: audit_append
-- kind: write
-- params: id uuid, action text, target_type text, target_id uuid?, max_payload int4, redacted text[]
-- columns: ok int4
select 1 as ok from app.audit_append(:id, :action, :target_type, :target_id, :max_payload, :redacted);

-- name: event_append
-- kind: write
-- params: id uuid, kind text, course_id uuid?, subject_type text, subject_id uuid?, request_id text
insert into app.events (id, org_id, kind, actor_id, course_id, subject_type, subject_id, payload, request_id)
values (:id, (select app.org_id()), :kind, (select app.user_id()), :course_id, :subject_type, :subject_id,
        '{}'::jsonb, :request_id);

-- name: mail_enqueue
-- kind: write
-- params: id uuid, org_id uuid, user_id uuid?, kind text, address text, name text?, locale text, sealed text?,
--   detail text?
-- columns: ok int4
select 1 as ok from app.mail_enqueue(:id, :org_id, :user_id, :kind, :address, :name, :locale, :sealed, :detail);
