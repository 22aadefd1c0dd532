-- shape: enrollment id uuid, course_id uuid, user_id uuid, status text, source text, import_id uuid?,
--   starts_at timestamptz?, ends_at timestamptz?, completed_at timestamptz?, withdrawn_at timestamptz?,
--   version int8, created_at timestamptz, updated_at timestamptz

-- shape: enrollment_import id uuid, course_id uuid, created_by uuid, atomic bool, total int4,
--   enrolled int4, reactivated int4, unchanged int4, failed int4, undone_at timestamptz?,
--   created_at timestamptz

-- name: enrollment_list
-- kind: list
-- columns: @enrollment
-- filter: course_id uuid e.course_id eq in
-- filter: user_id uuid e.user_id eq in
-- filter: status text e.status eq ne in
-- filter: created_at timestamptz e.created_at gte lte
-- filter: updated_at timestamptz e.updated_at gte lte
-- sort: -created_at e.created_at, updated_at e.updated_at
-- key: e.id
select {columns e} from app.enrollments e where true {filter} {order};

-- name: enrollment_of_course_list
-- kind: list
-- params: course_id uuid
-- columns: @enrollment
-- filter: user_id uuid e.user_id eq in
-- filter: status text e.status eq ne in
-- filter: created_at timestamptz e.created_at gte lte
-- filter: updated_at timestamptz e.updated_at gte lte
-- sort: -created_at e.created_at, updated_at e.updated_at
-- key: e.id
select {columns e} from app.enrollments e where e.course_id = :course_id {filter} {order};

-- name: enrollment_get
-- params: enrollment_id uuid
-- columns: @enrollment
select {columns e} from app.enrollments e where e.id = :enrollment_id;

-- name: enrollment_visible
-- params: enrollment_id uuid
-- columns: id uuid
select e.id from app.enrollments e where e.id = :enrollment_id;

-- name: enrollment_of_user
-- returns: maybe
-- params: course_id uuid, user_id uuid
-- columns: id uuid, status text
select e.id, e.status from app.enrollments e where e.course_id = :course_id and e.user_id = :user_id;

-- name: enrollment_upsert
-- kind: write
-- params: new_id uuid, course_id uuid, user_id uuid, starts_at timestamptz?, ends_at timestamptz?
-- columns: @enrollment
insert into app.enrollments as e (id, org_id, course_id, user_id, source, starts_at, ends_at)
values (:new_id, (select app.org_id()), :course_id, :user_id, 'manual', :starts_at, :ends_at)
on conflict on constraint enrollments_member do update
   set status = case when e.status = 'withdrawn' then 'active' else e.status end,
       starts_at = coalesce(excluded.starts_at, e.starts_at), ends_at = coalesce(excluded.ends_at, e.ends_at)
returning {columns e};

-- name: enrollment_self
-- kind: write
-- params: new_id uuid, course_id uuid, join_code text?
-- columns: id uuid
select app.enrol_with_code(:new_id, :course_id, :join_code) as id;

-- name: enrollment_update
-- kind: write
-- params: enrollment_id uuid, status text?, sent_starts_at bool, starts_at timestamptz?, sent_ends_at bool,
--   ends_at timestamptz?, if_match int8?
-- columns: @enrollment
update app.enrollments as e
   set status = coalesce(:status, e.status),
       starts_at = case when :sent_starts_at then :starts_at else e.starts_at end,
       ends_at = case when :sent_ends_at then :ends_at else e.ends_at end
 where e.id = :enrollment_id and app.if_match(e.version, :if_match)
returning {columns e};

-- name: enrollment_withdraw
-- kind: write
-- params: enrollment_id uuid, if_match int8?
-- columns: @enrollment
update app.enrollments as e set status = 'withdrawn'
 where e.id = :enrollment_id and app.if_match(e.version, :if_match)
returning {columns e};

-- name: enrollment_import
-- kind: write
-- returns: many
-- params: import_id uuid, course_id uuid, emails text[], lines text[], ids uuid[], atomic bool,
--   dry_run bool, digest text
-- columns: line int4, email text, action text, code text?, user_id uuid?, enrollment_id uuid?
select i.line, i.email, i.action, i.code, i.user_id, i.enrollment_id
  from app.enrollment_import(:import_id, :course_id, :emails, :lines::int4[], :ids, :atomic, :dry_run, :digest) i;

-- name: enrollment_import_get
-- params: import_id uuid
-- columns: @enrollment_import
select {columns i} from app.enrollment_imports i where i.id = :import_id;

-- name: enrollment_import_list
-- kind: list
-- params: course_id uuid
-- columns: @enrollment_import
-- filter: created_at timestamptz i.created_at gte lte
-- sort: -created_at i.created_at
-- key: i.id
select {columns i} from app.enrollment_imports i where i.course_id = :course_id {filter} {order};

-- name: enrollment_import_undo
-- kind: write
-- params: import_id uuid
-- columns: removed int4, withdrawn int4, restored int4
select u.removed, u.withdrawn, u.restored from app.enrollment_import_undo(:import_id) u;
