begin;

drop function app.quota_check(text, int8);
drop function app.org_first_admin(uuid, uuid, text, text, text);
drop function app.org_create(uuid, text, text, text, text, jsonb, int8, int8, int8, int8);
drop trigger count on app.users;
drop function app.users_count();
drop trigger admit on app.users;
drop function app.users_admit();
drop trigger begin_counting on app.orgs;
drop function app.orgs_begin();
drop table app.org_usage;
drop table app.org_limits;

commit;
