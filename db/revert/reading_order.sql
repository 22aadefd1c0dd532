begin;

alter policy select_enrolled on app.announcements rename to select_by_enrollment;
alter policy select_enrolled on app.courses rename to select_by_enrollment;

commit;
