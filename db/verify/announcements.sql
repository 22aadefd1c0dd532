begin;

select id, org_id, course_id, author_id, title, body, pinned, publish_at from app.announcements where false;
select announcement_id, user_id, org_id, course_id, read_at from app.announcement_reads where false;

rollback;
