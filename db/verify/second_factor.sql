begin;

select user_id, confirmed_at, last_step, failures from app.second_factors where false;
select user_id, digest, used_at from app.recovery_codes where false;
select digest, attempts, session_id from app.second_factor_challenges where false;
select second_factor_at from app.sessions where false;
select 1 / (not has_column_privilege('lectern_app', 'app.second_factors', 'sealed', 'select'))::int,
       1 / (not has_function_privilege('lectern_app', 'app.second_factor_try(uuid)', 'execute'))::int,
       1 / (not has_function_privilege('lectern_app',
                                       'app.second_factor_take(uuid, int8, bytea)', 'execute'))::int;

rollback;
