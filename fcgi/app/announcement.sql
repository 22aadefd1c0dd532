-- shape: announcement id uuid, course_id uuid?, author_id uuid, title text, body text, pinned bool,
--   publish_at timestamptz, version int8, created_at timestamptz, updated_at timestamptz

-- name: announcement_list
-- kind: list
-- columns: @announcement
-- filter: pinned bool a.pinned eq
-- filter: author_id uuid a.author_id eq in
-- filter: created_at timestamptz a.created_at gte lte
-- filter: updated_at timestamptz a.updated_at gte lte
-- filter: publish_at timestamptz a.publish_at gte lte
-- search: q text (a.title ilike '%' || replace(replace(replace($V, '\', '\\'), '%', '\%'), '_', '\_') || '%')
-- sort: -publish_at a.publish_at, created_at a.created_at
-- key: a.id
select {columns a}
  from app.announcements a
 where a.org_id = (select app.org_id()) and a.course_id is null {filter}
 {order};

-- name: announcement_of_course_list
-- kind: list
-- params: course_id uuid
-- columns: @announcement
-- filter: pinned bool a.pinned eq
-- filter: author_id uuid a.author_id eq in
-- filter: created_at timestamptz a.created_at gte lte
-- filter: updated_at timestamptz a.updated_at gte lte
-- filter: publish_at timestamptz a.publish_at gte lte
-- search: q text (a.title ilike '%' || replace(replace(replace($V, '\', '\\'), '%', '\%'), '_', '\_') || '%')
-- sort: -publish_at a.publish_at, created_at a.created_at
-- key: a.id
select {columns a}
  from app.announcements a
 where a.org_id = (select app.org_id()) and a.course_id = :course_id {filter}
 {order};

-- name: announcement_get
-- params: announcement_id uuid
-- columns: @announcement
select {columns a} from app.announcements a where a.id = :announcement_id;

-- name: announcement_visible
-- params: announcement_id uuid
-- columns: id uuid
select a.id from app.announcements a where a.id = :announcement_id;

-- name: announcement_insert
-- kind: write
-- params: new_id uuid, title text, body text, pinned bool, publish_at timestamptz?
-- columns: @announcement
insert into app.announcements as a (id, org_id, author_id, title, body, pinned, publish_at)
values (:new_id, (select app.org_id()), (select app.user_id()), :title, :body, :pinned,
        coalesce(:publish_at, now()))
returning {columns a};

-- name: announcement_of_course_insert
-- kind: write
-- params: new_id uuid, course_id uuid, title text, body text, pinned bool, publish_at timestamptz?
-- columns: @announcement
insert into app.announcements as a (id, org_id, course_id, author_id, title, body, pinned, publish_at)
select :new_id, c.org_id, c.id, (select app.user_id()), :title, :body, :pinned,
       coalesce(:publish_at, now())
  from app.courses c where c.id = :course_id
returning {columns a};

-- name: announcement_update
-- kind: write
-- params: announcement_id uuid, if_match int8?, title text?, body text?, pinned bool?, publish_at timestamptz?
-- columns: @announcement
update app.announcements as a
   set title = coalesce(:title, a.title), body = coalesce(:body, a.body),
       pinned = coalesce(:pinned, a.pinned), publish_at = coalesce(:publish_at, a.publish_at)
 where a.id = :announcement_id and app.if_match(a.version, :if_match)
returning {columns a};

-- name: announcement_delete
-- kind: write
-- params: announcement_id uuid, if_match int8?
delete from app.announcements a where a.id = :announcement_id and app.if_match(a.version, :if_match);

-- A receipt again is no receipt more: it answers with the first.

-- name: announcement_read
-- kind: write
-- params: announcement_id uuid
insert into app.announcement_reads (announcement_id, user_id, org_id)
select a.id, (select app.user_id()), a.org_id
  from app.announcements a where a.id = :announcement_id
on conflict do nothing;

-- name: announcement_read_count
-- params: announcement_id uuid
-- columns: reads int8
select count(r.user_id) as reads
  from app.announcements a
  left join app.announcement_reads r on r.org_id = a.org_id and r.announcement_id = a.id
 where a.id = :announcement_id
       and (app.is_admin_role((select app.role()))
            or a.course_id = any ((select app.taught_courses())::uuid[]))
 group by a.id;
