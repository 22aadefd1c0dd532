begin;

drop function app.course_transfer(uuid, uuid, int8);
drop function app.set_user_role(uuid, text, int8);
drop function app.role_rank(text);
revoke insert, update, delete on app.course_staff from lectern_definer;
revoke update (version) on app.orgs from lectern_definer;

commit;
