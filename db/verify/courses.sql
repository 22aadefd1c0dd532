begin;

select id, org_id, owner_id, title, status, visibility, enrollment, seats from app.courses where false;
select course_id, org_id, code from app.course_codes where false;
select course_id, user_id, org_id, role from app.course_staff where false;

rollback;
