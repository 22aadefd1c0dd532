begin;

select org_id, user_id, key, route, digest, status, headers, answer from app.idempotency_keys where false;
select 'app.idempotency_claim(text, text, bytea, int)'::regprocedure;

rollback;
