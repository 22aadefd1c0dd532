begin;

drop function app.idempotency_claim(text, text, bytea, int);
drop table app.idempotency_keys;

commit;
