-- shape: course id uuid, owner_id uuid, title text, description text, status text, visibility text,
--   enrollment text, seats int4?, starts_at timestamptz?, ends_at timestamptz?, published_at timestamptz?,
--   archived_at timestamptz?, version int8, created_at timestamptz, updated_at timestamptz

-- scope narrows what the policies already allow; the join code is seen by those who keep the course.

-- name: course_list
-- kind: list
-- params: scope text?
-- columns: @course
-- filter: status text c.status eq ne in
-- filter: visibility text c.visibility eq
-- filter: owner_id uuid c.owner_id eq in
-- filter: created_at timestamptz c.created_at gte lte
-- filter: updated_at timestamptz c.updated_at gte lte
-- search: q text (c.title ilike '%' || replace(replace(replace($V, '\', '\\'), '%', '\%'), '_', '\_') || '%')
-- sort: -created_at c.created_at, updated_at c.updated_at, title c.title
-- key: c.id
select {columns c}
  from app.courses c
 where (:scope::text is null
        or (:scope = 'taught' and c.id = any ((select app.taught_courses())::uuid[]))
        or (:scope = 'enrolled' and c.id = any ((select app.enrolled_courses())::uuid[]))
        or (:scope = 'catalogue' and c.status = 'published' and c.visibility = 'catalogue'))
       {filter}
 {order};

-- name: course_get
-- params: course_id uuid
-- columns: @course, join_code text?
select {columns c}, k.code as join_code
  from app.courses c
  left join app.course_codes k on k.org_id = c.org_id and k.course_id = c.id
 where c.id = :course_id;

-- name: course_visible
-- params: course_id uuid
-- columns: id uuid
select c.id from app.courses c where c.id = :course_id;

-- The code stands in a table of its own; the rule over both is checked when the statement ends.

-- name: course_insert
-- kind: write
-- params: new_id uuid, owner_id uuid?, title text, description text?, visibility text?, enrollment text?,
--   join_code text?, seats int4?, starts_at timestamptz?, ends_at timestamptz?
-- columns: @course
with c as (
    insert into app.courses as c
           (id, org_id, owner_id, title, description, visibility, enrollment, seats, starts_at, ends_at)
    values (:new_id, (select app.org_id()), coalesce(:owner_id, (select app.user_id())), :title,
            coalesce(:description, ''), coalesce(:visibility, 'private'), coalesce(:enrollment, 'closed'),
            :seats, :starts_at, :ends_at)
    returning {columns c}),
code as (
    insert into app.course_codes (course_id, org_id, code)
    select c.id, (select app.org_id()), :join_code from c where :join_code is not null)
select {columns c} from c;

-- name: course_update
-- kind: write
-- params: course_id uuid, if_match int8?, title text?, description text?, visibility text?,
--   enrollment text?, sent_join_code bool, join_code text?, sent_seats bool, seats int4?,
--   sent_starts_at bool, starts_at timestamptz?, sent_ends_at bool, ends_at timestamptz?
-- columns: @course
with c as (
    update app.courses as c
       set title = coalesce(:title, c.title),
           description = coalesce(:description, c.description),
           visibility = coalesce(:visibility, c.visibility),
           enrollment = coalesce(:enrollment, c.enrollment),
           seats = case when :sent_seats then :seats else c.seats end,
           starts_at = case when :sent_starts_at then :starts_at else c.starts_at end,
           ends_at = case when :sent_ends_at then :ends_at else c.ends_at end
     where c.id = :course_id and app.if_match(c.version, :if_match)
    returning {columns c}),
put as (
    insert into app.course_codes (course_id, org_id, code)
    select c.id, (select app.org_id()), :join_code from c where :join_code is not null
    on conflict (course_id) do update set code = excluded.code),
clear as (
    delete from app.course_codes k using c
     where k.course_id = c.id and :sent_join_code and :join_code is null)
select {columns c} from c;

-- name: course_publish
-- kind: write
-- params: course_id uuid, if_match int8?
-- columns: @course
update app.courses as c set status = 'published'
 where c.id = :course_id and app.if_match(c.version, :if_match)
returning {columns c};

-- name: course_unpublish
-- kind: write
-- params: course_id uuid, if_match int8?
-- columns: @course
update app.courses as c set status = 'draft'
 where c.id = :course_id and app.if_match(c.version, :if_match)
returning {columns c};

-- name: course_archive
-- kind: write
-- params: course_id uuid, if_match int8?
-- columns: @course
update app.courses as c set status = 'archived'
 where c.id = :course_id and app.if_match(c.version, :if_match)
returning {columns c};

-- name: course_delete
-- kind: write
-- params: course_id uuid, if_match int8?
delete from app.courses c where c.id = :course_id and app.if_match(c.version, :if_match);

-- name: course_transfer
-- kind: write
-- params: course_id uuid, owner_id uuid, if_match int8?
-- columns: @course
select {columns c} from app.course_transfer(:course_id, :owner_id, :if_match) c;

-- name: course_staff_list
-- params: course_id uuid
-- kind: list
-- columns: id uuid, name text, role text, created_at timestamptz
-- filter: role text s.role eq
-- filter: created_at timestamptz s.created_at gte lte
-- sort: created_at s.created_at, name u.name
-- key: s.user_id
select s.user_id as id, u.name, s.role, s.created_at
  from app.course_staff s
  join app.users u on u.org_id = s.org_id and u.id = s.user_id
 where s.course_id = :course_id {filter}
 {order};

-- name: course_staff_visible
-- params: course_id uuid, user_id uuid
-- columns: id uuid
select s.user_id as id from app.course_staff s where s.course_id = :course_id and s.user_id = :user_id;

-- name: course_staff_insert
-- kind: write
-- params: course_id uuid, user_id uuid, role text
-- columns: id uuid, role text, created_at timestamptz
insert into app.course_staff as s (course_id, user_id, org_id, role)
select c.id, :user_id, c.org_id, :role
  from app.courses c where c.id = :course_id
returning s.user_id as id, s.role, s.created_at;

-- name: course_staff_delete
-- kind: write
-- params: course_id uuid, user_id uuid
delete from app.course_staff s where s.course_id = :course_id and s.user_id = :user_id;
