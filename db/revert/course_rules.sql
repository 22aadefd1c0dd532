begin;

revoke update on app.courses from lectern_definer;
drop trigger touch on app.enrollments;
drop trigger rules on app.enrollments;
drop function app.enrollments_rules();
drop function app.enrollments_take_place(uuid, uuid, uuid);
drop trigger rules on app.course_staff;
drop function app.course_staff_rules();
drop trigger courses_join_code on app.course_codes;
drop trigger courses_join_code on app.courses;
drop function app.courses_join_code();
drop trigger owner_role on app.courses;
drop function app.courses_owner_role();
drop trigger touch on app.courses;
drop trigger rules on app.courses;
drop function app.courses_rules();

commit;
