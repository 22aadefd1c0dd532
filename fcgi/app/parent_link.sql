-- Parents and their students; the policies say who sees which link.

-- shape: parent_link id uuid, parent_id uuid, student_id uuid, status text, source text, decided_by uuid?,
--   decided_at timestamptz?, ended_at timestamptz?, version int8, created_at timestamptz,
--   updated_at timestamptz

-- name: parent_link_list
-- kind: list
-- columns: @parent_link, parent_name text?, student_name text?
-- filter: status text l.status eq ne in
-- filter: parent_id uuid l.parent_id eq in
-- filter: student_id uuid l.student_id eq in
-- filter: created_at timestamptz l.created_at gte lte
-- filter: updated_at timestamptz l.updated_at gte lte
-- sort: -created_at l.created_at, updated_at l.updated_at
-- key: l.id
select {columns l}, n.parent_name, n.student_name
  from app.parent_links l
  left join lateral app.parent_link_names(l.id) n on true
 where true {filter}
 {order};

-- name: parent_link_get
-- params: link_id uuid
-- columns: @parent_link, parent_name text?, student_name text?
select {columns l}, n.parent_name, n.student_name
  from app.parent_links l
  left join lateral app.parent_link_names(l.id) n on true
 where l.id = :link_id;

-- name: parent_link_visible
-- params: link_id uuid
-- columns: id uuid
select l.id from app.parent_links l where l.id = :link_id;

-- name: parent_link_ask
-- kind: write
-- params: new_id uuid, student_id uuid?, student_email text?
-- columns: done int4
select 1 as done from app.parent_link_ask(:new_id, :student_id, :student_email);

-- name: parent_link_redeem
-- kind: write
-- params: new_id uuid, digest bytea
-- columns: id uuid?
select app.parent_link_redeem(:new_id, :digest) as id;

-- name: parent_link_code_put
-- kind: write
-- params: digest bytea, minutes int4
-- columns: expires_at timestamptz
select app.parent_link_code_put(:digest, :minutes) as expires_at;

-- name: parent_link_update
-- kind: write
-- params: link_id uuid, status text, if_match int8?
-- columns: @parent_link
update app.parent_links as l set status = :status
 where l.id = :link_id and app.if_match(l.version, :if_match)
returning {columns l};

-- name: parent_link_end
-- kind: write
-- params: link_id uuid, if_match int8?
-- columns: @parent_link
update app.parent_links as l set status = 'ended'
 where l.id = :link_id and app.if_match(l.version, :if_match)
returning {columns l};
