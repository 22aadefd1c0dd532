begin;

drop function app.manages_course(uuid);
drop function app.enrolled_courses();
drop function app.taught_courses();
drop function app.managed_courses();
drop policy all_definer on app.enrollments;
drop policy all_definer on app.course_staff;
drop policy all_definer on app.course_codes;
drop policy all_definer on app.courses;
drop policy all_definer on app.users;
drop policy all_definer on app.orgs;
revoke all on app.orgs, app.users, app.courses, app.course_codes, app.course_staff, app.enrollments
    from lectern_definer;

commit;
