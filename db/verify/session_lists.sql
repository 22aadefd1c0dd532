begin;

select 'app.session_until(int, int)'::regprocedure,
       'app.session_open(uuid, uuid, bytea, inet, text, int, int, int)'::regprocedure,
       'app.session_rotate(uuid, bytea, bytea, int, int, uuid)'::regprocedure,
       'app.user_within_reach(uuid)'::regprocedure,
       'app.user_sessions_end(uuid, uuid, text)'::regprocedure,
       'app.sessions_live'::regclass;

rollback;
