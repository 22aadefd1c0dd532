begin;

drop table app.course_staff;
drop table app.course_codes;
drop table app.courses;

commit;
