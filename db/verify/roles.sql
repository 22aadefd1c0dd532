begin;

select 'app.set_user_role(uuid, text, int8)'::regprocedure,
       'app.course_transfer(uuid, uuid, int8)'::regprocedure;

rollback;
