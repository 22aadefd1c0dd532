begin;

select 'app.session_check(uuid, uuid, uuid, text)'::regprocedure,
       'app.register(uuid, text, text, text, text)'::regprocedure,
       'app.login_lookup(text)'::regprocedure,
       'app.password_rehash(uuid, text, text)'::regprocedure,
       'app.session_open(uuid, uuid, bytea, inet, text, int, int)'::regprocedure,
       'app.session_rotate(uuid, bytea, bytea, int)'::regprocedure,
       'app.session_end(uuid, text)'::regprocedure,
       'app.sessions_end(uuid, text, uuid)'::regprocedure,
       'app.purge_expired(int)'::regprocedure;
select 1 / (not has_table_privilege('lectern_app', 'app.credentials', 'select'))::int,
       1 / (not has_table_privilege('lectern_app', 'app.refresh_tokens', 'select'))::int;

rollback;
