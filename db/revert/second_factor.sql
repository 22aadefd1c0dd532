begin;

drop function app.second_factor_reset(uuid);
drop function app.second_factor_disable(int8, bytea);
drop function app.second_factor_remove(uuid);
drop function app.second_factor_codes(int8, bytea[]);
drop function app.second_factor_confirm(int8, bytea[], uuid);
drop function app.second_factor_enrol(text);
drop function app.second_factor_attempt();
drop function app.second_factor_check(uuid);
drop function app.second_factor_settle(bytea);
drop function app.second_factor_answer(bytea, int8, bytea, uuid);
drop function app.second_factor_challenged(bytea);
drop function app.second_factor_challenge(uuid, bytea, int4);
drop function app.recovery_codes_put(uuid, bytea[]);
drop function app.second_factor_take(uuid, int8, bytea);
drop function app.second_factor_try(uuid);
alter table app.sessions drop second_factor_at;
drop table app.second_factor_challenges;
drop table app.recovery_codes;
drop table app.second_factors;

commit;
