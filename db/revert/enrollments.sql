begin;

drop table app.enrollment_import_rows;
drop table app.enrollments;
drop table app.enrollment_imports;

commit;
