begin;

drop function app.signin_failures_purge(int);
drop function app.user_unlock(uuid);
drop function app.lockout_clear(uuid);
drop function app.signin_locked(text, text, uuid);
drop function app.signin_passed(text, text);
drop function app.signin_begin(text, inet, uuid, uuid, int, int, int);
drop function app.signin_source(text, inet, uuid, uuid);
drop function app.signin_account(text);
drop table app.signin_failures;

commit;
