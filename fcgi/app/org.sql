-- shape: org id uuid, slug text, name text, locale text, timezone text, settings jsonb, version int8,
--   created_at timestamptz, updated_at timestamptz

-- shape: org_user id uuid, email text, name text, role text, status text, last_sign_in_at timestamptz?,
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
select {columns u} from app.users u where true {filter} {order};

-- name: org_user_visible
-- params: user_id uuid
-- columns: id uuid
select u.id from app.users u where u.id = :user_id;

-- name: org_user_role
-- kind: write
-- params: user_id uuid, role text, if_match int8?
-- columns: @org_user
select {columns u} from app.set_user_role(:user_id, :role, :if_match) u;
