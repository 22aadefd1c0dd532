-- Keys of requests that must not be done twice.
begin;
set local search_path = t, public;
select no_plan();
create function pg_temp.claim(k text) returns text language sql return
    format('select app.idempotency_claim(%L, ''POST /x'', sha256(''x''), 24)', k);
create function pg_temp.finish(who text, k text) returns text language sql return
    format('update app.idempotency_keys set status = 201, headers = ''h'', answer = ''a'' where user_id = t.id(%L) and key = %L and status is null', who, k);

select is(t.dry('none', pg_temp.claim('k')), '42501', 'no caller, no key');
select is(t.dry('orgless', pg_temp.claim('k')), '42501', 'nor without an organisation');
select is(t.dry('student', pg_temp.claim('')), '23514 idempotency_keys_shape', 'an empty key');
select is(t.dry('student', pg_temp.claim(repeat('k', 256))), '23514 idempotency_keys_shape', 'a long one');
select is(t.dry('student', pg_temp.claim('fresh')), 'LE208', 'a key that is there is to be replayed');
select is(t.act('student', pg_temp.claim('k')), '1', 'a new key');
select is((select org_id = t.id('A') and status is null and expires_at = now() + interval '24 hours' from app.idempotency_keys where user_id = t.id('student') and key = 'k'), true, 'is the caller''s, for the time given');
select is(t.dry('student', pg_temp.claim('k')), 'LE208', 'a second time');
select is(t.act('teacher', pg_temp.claim('k')), '1', 'another caller''s key of the same name');
select is(t.dry('teacher', pg_temp.finish('student', 'k')), '0', 'answering for another');
select is(t.act('student', pg_temp.finish('student', 'k')), '1', 'the answer is kept');
select is(t.dry('student', $$update app.idempotency_keys set answer = 'b' where key = 'k'$$), '0', 'once');
select is(t.dry('student', $$update app.idempotency_keys set digest = sha256('y') where key = 'fresh'$$), '42501', 'the digest is fixed');
select is(t.dry('student', $$delete from app.idempotency_keys$$), '0', 'a live key is not removed');
select is(t.dry('student', $$value:select convert_from(answer, 'UTF8') || status || headers from app.idempotency_keys where key = 'k'$$), 'a201h', 'the answer is read back');
update app.idempotency_keys set created_at = now() - interval '2 days', expires_at = now() where user_id = t.id('student') and key = 'k';
select is(t.act('student', pg_temp.claim('k')), '1', 'an expired key is claimed anew');
select is((select status is null and answer is null from app.idempotency_keys where user_id = t.id('student') and key = 'k'), true, 'without the old answer');

select * from finish();
rollback;
