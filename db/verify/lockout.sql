begin;

select 'app.signin_source(text, inet, uuid, uuid)'::regprocedure,
       'app.signin_begin(text, inet, uuid, uuid, int, int, int)'::regprocedure,
       'app.signin_passed(text, text)'::regprocedure,
       'app.signin_locked(text, text, uuid)'::regprocedure,
       'app.lockout_clear(uuid)'::regprocedure,
       'app.user_unlock(uuid)'::regprocedure,
       'app.signin_failures_purge(int)'::regprocedure;
select 1 / (not has_table_privilege('lectern_app', 'app.signin_failures', 'select'))::int;

rollback;
