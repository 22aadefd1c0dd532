begin;

drop function app.parent_link_redeem(uuid, bytea);
drop function app.parent_link_code_put(bytea, int);
drop function app.parent_link_ask(uuid, uuid, text);
alter policy select_viewer on app.course_staff
    using (exists (select from app.courses c where c.id = course_id));
drop policy select_by_parenthood on app.courses;
drop policy select_by_parenthood on app.announcements;
drop policy select_by_parenthood on app.enrollments;
drop function app.parent_link_names(uuid);
drop function app.parent_courses();
drop function app.parent_students();
drop table app.parent_link_tries, app.parent_link_codes, app.parent_links;
drop function app.parent_links_rules();

commit;
