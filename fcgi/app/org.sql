-- shape: org id uuid, slug text, name text, locale text, timezone text, settings jsonb, version int8,
--   created_at timestamptz, updated_at timestamptz

-- shape: org_user id uuid, email text, name text, role text, status text, last_sign_in_at timestamptz?,
--   version int8, created_at timestamptz, updated_at timestamptz

-- shape: limits users int8?, storage_bytes int8?, workbench_runs_per_day int8?, telemetry_events_per_day int8?,
--   version int8, created_at timestamptz, updated_at timestamptz

-- name: org_get
-- columns: @org
select {columns o} from app.orgs o where o.id = (select app.org_id());

-- name: org_update
-- kind: write
-- params: name text?, locale text?, timezone text?, settings jsonb?, if_match int8?
-- columns: @org
update app.orgs as o
   set name = coalesce(:name, o.name), locale = coalesce(:locale, o.locale),
       timezone = coalesce(:timezone, o.timezone), settings = coalesce(:settings, o.settings)
 where o.id = (select app.org_id()) and app.if_match(o.version, :if_match)
returning {columns o};

-- name: org_user_list
-- kind: list
-- columns: @org_user
-- filter: role text u.role eq ne in
-- filter: status text u.status eq ne
-- filter: created_at timestamptz u.created_at gte lte
-- filter: updated_at timestamptz u.updated_at gte lte
-- search: q text (u.name ilike '%' || replace(replace(replace($V, '\', '\\'), '%', '\%'), '_', '\_') || '%' or u.email = lower($V))
-- sort: name u.name, created_at u.created_at, email u.email
-- key: u.id
select {columns u} from app.users u where u.removed_at is null {filter} {order};

-- name: org_user_visible
-- params: user_id uuid
-- columns: id uuid
select u.id from app.users u where u.id = :user_id and u.removed_at is null;

-- name: org_user_role
-- kind: write
-- params: user_id uuid, role text, if_match int8?
-- columns: @org_user
select {columns u} from app.set_user_role(:user_id, :role, :if_match) u;

-- name: org_user_remove
-- kind: write
-- params: user_id uuid, if_match int8?
-- columns: id uuid
select app.user_remove(:user_id, :if_match) as id;

-- Of the accounts that there are and those that were removed.
-- name: user_list
-- kind: list
-- columns: @org_user, email_verified_at timestamptz?, removed_at timestamptz?
-- filter: role text u.role eq ne in
-- filter: status text u.status eq ne
-- filter: created_at timestamptz u.created_at gte lte
-- filter: updated_at timestamptz u.updated_at gte lte
-- filter: removed_at timestamptz u.removed_at gte lte
-- search: q text (u.name ilike '%' || replace(replace(replace($V, '\', '\\'), '%', '\%'), '_', '\_') || '%' or u.email = lower($V))
-- sort: name u.name, created_at u.created_at, email u.email
-- key: u.id
select {columns u}, u.email_verified_at, u.removed_at from app.users u where true {filter} {order};

-- name: org_limits
-- columns: @limits
select {columns l} from app.org_limits l where l.org_id = (select app.org_id());

-- name: org_limits_put
-- kind: write
-- params: users int8?, storage_bytes int8?, workbench_runs_per_day int8?, telemetry_events_per_day int8?,
--   if_match int8?
-- columns: @limits
update app.org_limits as l
   set users = :users, storage_bytes = :storage_bytes, workbench_runs_per_day = :workbench_runs_per_day,
       telemetry_events_per_day = :telemetry_events_per_day
 where l.org_id = (select app.org_id()) and app.if_match(l.version, :if_match)
returning {columns l};

-- name: admin_org_limits_put
-- kind: write
-- params: org_id uuid, users int8?, storage_bytes int8?, workbench_runs_per_day int8?,
--   telemetry_events_per_day int8?, if_match int8?
-- columns: @limits
update app.org_limits as l
   set users = :users, storage_bytes = :storage_bytes, workbench_runs_per_day = :workbench_runs_per_day,
       telemetry_events_per_day = :telemetry_events_per_day
 where l.org_id = :org_id and app.if_match(l.version, :if_match)
returning {columns l};

-- What nothing counts yet has no number.
-- name: org_usage
-- columns: users.used int8, users.limit int8?, storage_bytes.used int8?, storage_bytes.limit int8?,
--   workbench_runs_per_day.used int8?, workbench_runs_per_day.limit int8?,
--   telemetry_events_per_day.used int8?, telemetry_events_per_day.limit int8?
select n.users as "users.used", l.users as "users.limit", null::int8 as "storage_bytes.used",
       l.storage_bytes as "storage_bytes.limit", null::int8 as "workbench_runs_per_day.used",
       l.workbench_runs_per_day as "workbench_runs_per_day.limit", null::int8 as "telemetry_events_per_day.used",
       l.telemetry_events_per_day as "telemetry_events_per_day.limit"
  from app.org_usage n join app.org_limits l on l.org_id = n.org_id
 where n.org_id = (select app.org_id());
