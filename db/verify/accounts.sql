begin;

select 'app.account_tokens'::regclass, 'app.account_find(text)'::regprocedure,
       'app.account_token_issue(uuid, uuid, text, bytea, int)'::regprocedure,
       'app.account_token_use(bytea, text)'::regprocedure,
       'app.account_token_email(bytea, text)'::regprocedure,
       'app.email_verify(bytea)'::regprocedure, 'app.password_reset(bytea, text, uuid)'::regprocedure,
       'app.password_current()'::regprocedure,
       'app.password_change(text, text, uuid)'::regprocedure,
       'app.account_tokens_purge(int)'::regprocedure;
select 1 / (not has_table_privilege('lectern_app', 'app.account_tokens', 'select'))::int;

rollback;
