begin;

drop trigger audit on app.credentials;
drop function app.account_token_email(bytea, text);
drop function app.account_tokens_purge(int);
drop function app.password_change(text, text, uuid);
drop function app.password_current();
drop function app.password_reset(bytea, text, uuid);
drop function app.email_verify(bytea);
drop function app.account_token_use(bytea, text);
drop function app.account_token_issue(uuid, uuid, text, bytea, int);
drop function app.account_find(text);
revoke update (email_verified_at) on app.users from lectern_definer;
drop table app.account_tokens;

commit;
