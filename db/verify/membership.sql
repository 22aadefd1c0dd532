begin;

select app.managed_courses(), app.taught_courses(), app.enrolled_courses();
select 1 / (not app.manages_course(app.uuid_v7()))::int;

rollback;
