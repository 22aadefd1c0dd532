-- Organisations as their operators see them, and invitations into them.

-- name: admin_org_list
-- kind: list
-- columns: id uuid, slug text, name text, status text, locale text, timezone text, users int8, version int8,
--   created_at timestamptz, updated_at timestamptz
-- filter: status text o.status eq ne
-- filter: created_at timestamptz o.created_at gte lte
-- filter: updated_at timestamptz o.updated_at gte lte
-- search: q text (o.name ilike '%' || replace(replace(replace($V, '\', '\\'), '%', '\%'), '_', '\_') || '%' or o.slug = lower($V))
-- sort: created_at o.created_at, name o.name, slug o.slug
-- key: o.id
select o.id, o.slug, o.name, o.status, o.locale, o.timezone, n.users, o.version, o.created_at, o.updated_at
  from app.orgs o
  join app.org_usage n on n.org_id = o.id
 where true {filter} {order};

-- What an operator may know of an organisation: not its settings, nor anything in it.
-- name: admin_org_get
-- params: org_id uuid
-- columns: id uuid, slug text, name text, status text, locale text, timezone text, users int8,
--   limits.users int8?, limits.storage_bytes int8?, limits.workbench_runs_per_day int8?,
--   limits.telemetry_events_per_day int8?, version int8, created_at timestamptz, updated_at timestamptz
select o.id, o.slug, o.name, o.status, o.locale, o.timezone, n.users, l.users as "limits.users",
       l.storage_bytes as "limits.storage_bytes", l.workbench_runs_per_day as "limits.workbench_runs_per_day",
       l.telemetry_events_per_day as "limits.telemetry_events_per_day", o.version, o.created_at, o.updated_at
  from app.orgs o
  join app.org_usage n on n.org_id = o.id
  join app.org_limits l on l.org_id = o.id
 where o.id = :org_id;

-- name: admin_org_update
-- kind: write
-- params: org_id uuid, slug text?, name text?, status text?, if_match int8?
-- columns: id uuid, slug text, name text, status text, locale text, timezone text, users int8,
--   limits.users int8?, limits.storage_bytes int8?, limits.workbench_runs_per_day int8?,
--   limits.telemetry_events_per_day int8?, version int8, created_at timestamptz, updated_at timestamptz
select o.id, o.slug, o.name, o.status, o.locale, o.timezone, n.users, l.users as "limits.users",
       l.storage_bytes as "limits.storage_bytes", l.workbench_runs_per_day as "limits.workbench_runs_per_day",
       l.telemetry_events_per_day as "limits.telemetry_events_per_day", o.version, o.created_at, o.updated_at
  from app.org_change(:org_id, :slug, :name, :status, :if_match) o
  join app.org_usage n on n.org_id = o.id
  join app.org_limits l on l.org_id = o.id;

-- name: admin_org_insert
-- kind: write
-- params: id uuid, slug text, name text, locale text?, timezone text?, settings jsonb?, users int8?,
--   storage_bytes int8?, workbench_runs_per_day int8?, telemetry_events_per_day int8?
-- columns: id uuid
select app.org_create(:id, :slug, :name, :locale, :timezone, :settings, :users, :storage_bytes,
                      :workbench_runs_per_day, :telemetry_events_per_day) as id;

-- name: admin_org_first_admin
-- kind: write
-- params: user_id uuid, org_id uuid, email text, name text, password_hash text
-- columns: id uuid
select app.org_first_admin(:user_id, :org_id, :email, :name, :password_hash) as id;

-- name: invitation_insert
-- kind: write
-- params: id uuid, org_id uuid, email text, role text, digest bytea, days int4
-- columns: org_name text, org_locale text, made_at timestamptz, expires_at timestamptz
select i.org_name, i.org_locale, i.made_at, i.expires_at
  from app.invite(:id, :org_id, :email, :role, :digest, :days) i;

-- name: invitation_list
-- kind: list
-- columns: id uuid, email text, role text, state text, invited_by uuid?, created_at timestamptz,
--   expires_at timestamptz, accepted_at timestamptz?, accepted_by uuid?, revoked_at timestamptz?
-- filter: state text s.state eq ne in
-- filter: role text i.role eq in
-- filter: created_at timestamptz i.created_at gte lte
-- search: q text (i.email = lower($V))
-- sort: -created_at i.created_at
-- key: i.id
select i.id, i.email, i.role, s.state, i.invited_by, i.created_at, i.expires_at, i.accepted_at,
       i.accepted_by, i.revoked_at
  from app.invitations i
 cross join lateral (select case when i.accepted_at is not null then 'accepted'
                                 when i.revoked_at is not null then 'revoked'
                                 when i.expires_at <= now() then 'expired'
                                 else 'open' end as state) s
 where true {filter} {order};

-- name: invitation_revoke
-- kind: write
-- params: invitation_id uuid
update app.invitations set revoked_at = now() where id = :invitation_id;
