begin;

drop function app.uuid_v7(timestamptz);
drop function app.touch();
drop function app.if_match(int8, int8);
drop function app.is_admin_role(text);
drop function app.is_staff_role(text);
drop function app.is_timezone(text);
drop function app.is_locale(text);
drop function app.is_document(jsonb);
drop function app.is_email(text);
drop function app.is_text(text, int);
drop function app.is_line(text, int);
drop function app.role();
drop function app.org_id();
drop function app.user_id();
drop schema app;

commit;
