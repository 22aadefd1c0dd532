begin;

select relation, columns, finds, exports, erasure, sets, why from app.personal_data where false;
select 1 / (count(*) > 20)::int from app.personal_data;
select 'app.personal_rows(uuid, text)'::regprocedure, 'app.exports_build()'::regprocedure,
       'app.personal_erase(uuid, text)'::regprocedure, 'app.courses_bequeath(uuid)'::regprocedure,
       'app.account_erase()'::regprocedure;
select erased_at from app.users where false;

rollback;
