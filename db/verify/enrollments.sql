begin;

select id, org_id, course_id, user_id, status, source, import_id, version from app.enrollments where false;
select id, org_id, course_id, digest, total, undone_at from app.enrollment_imports where false;
select import_id, line, email, action, code from app.enrollment_import_rows where false;

rollback;
