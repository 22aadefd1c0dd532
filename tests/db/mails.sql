-- The queue of mails: who may put what into it, and what becomes of a row.
begin;
set local search_path = t, public;
select no_plan();

create function pg_temp.put(usr text, org text, kind text, address text, sealed text default null) returns text language sql return
    format('select app.mail_enqueue(t.id(''new''), t.id(%L), %s, %L, %L, ''Name'', ''de'', %L, ''detail'')', org,
           coalesce(format('t.id(%L)', usr), 'null'), kind, address, sealed);

-- Who may write to whom
select is(t.dry(w, pg_temp.put(u, o, k, a)), r, format('%s: %s to %s of %s', w, k, coalesce(u, a), o))
from (values ('none', 'student', 'A', 'password_reset', 'student@a.example', '1'),
             ('none', 'bstudent', 'B', 'account_locked', 'bstudent@b.example', '1'),
             ('none', 'student', 'A', 'password_reset', 'thief@a.example', '42501'),
             ('none', 'student', 'B', 'password_reset', 'student@a.example', '42501'),
             ('none', 'nobody', 'A', 'password_reset', 'student@a.example', '42501'),
             ('none', null, 'A', 'password_reset', 'stranger@a.example', '1'),
             ('none', null, 'A', 'invitation', 'stranger@a.example', '42501'),
             ('none', 'student', 'A', 'invitation', 'student@a.example', '42501'),
             ('student', 'student', 'A', 'password_changed', 'student@a.example', '1'),
             ('student', 'student', 'A', 'password_changed', 'thief@a.example', '42501'),
             ('student', 'bstudent', 'B', 'password_changed', 'bstudent@b.example', '42501'),
             ('student', null, 'A', 'invitation', 'stranger@a.example', '42501'),
             ('admin', null, 'A', 'invitation', 'stranger@a.example', '1'),
             ('teacher', null, 'A', 'invitation', 'stranger@a.example', '1'),
             ('admin', null, 'A', 'password_reset', 'stranger@a.example', '42501'),
             ('admin', null, 'B', 'invitation', 'stranger@a.example', '42501'),
             ('orgless', null, 'A', 'invitation', 'stranger@a.example', '42501'),
             ('userless', null, 'A', 'password_reset', 'stranger@a.example', '42501'),
             ('forger', 'student', 'B', 'password_changed', 'student@a.example', '42501')) v (w, u, o, k, a, r);

-- Nobody reads it, whoever they are
select is(t.dry(w, 'select from app.mails'), '42501', w || ' does not read it') from unnest('{none,student,admin,operator}'::text[]) w;
select is(t.dry('none', 'select from app.mails', r), '42501', r || ' reads it by its function alone') from unnest('{lectern_jobs,lectern_ro}'::text[]) r;
select is(t.dry('none', f, 'lectern_app'), '42501', f) from unnest('{select app.mail_claim(1),"select app.mail_end(t.id(''x''), 1, ''sent'', null, 0)","select app.mails_purge(0, 9)"}'::text[]) f;

-- Where there is no account the row is written, and holds nothing of what was asked
select t.act('none', pg_temp.put(null, 'A', 'password_reset', 'stranger@a.example', 'v1.x'));
select is((select concat_ws(' ', address, name, sealed, detail, state, last_error) from app.mails where id = t.id('new')),
          'nobody@localhost dead no_account', 'an address without an account is not kept');
select is(t.act('none', 'select app.mail_claim(60)', 'lectern_jobs'), '0', 'and nothing is sent');
delete from app.mails;

-- The life of a mail
select t.act('none', pg_temp.put('student', 'A', 'password_reset', 'student@a.example', 'v1.x'));
select is(t.act('none', $$value:select m.sealed || m.attempts || m.locale from app.mail_claim(60) m$$, 'lectern_jobs'), 'v1.x1de', 'is given out');
select is(t.act('none', 'select app.mail_claim(60)', 'lectern_jobs'), '0', 'to one at a time');
update app.mails set next_attempt_at = now();
select is(t.act('none', $$value:select m.attempts from app.mail_claim(60) m$$, 'lectern_jobs'), '2', 'and again when the lease is over');
select is(t.act('none', $$value:select app.mail_end(t.id('new'), 1, 'dead', 'refused', 0)$$, 'lectern_jobs'), 'false', 'who had it before has no say');
select is(t.act('none', $$value:select app.mail_end(t.id('new'), 2, 'queued', 'deferred', 90)$$, 'lectern_jobs'), 'true', 'it is tried again');
select is((select (next_attempt_at - now())::text || last_error || sealed from app.mails), '00:01:30deferredv1.x', 'later, with its secret');
update app.mails set next_attempt_at = now();
select t.act('none', 'select app.mail_claim(60)', 'lectern_jobs');
select is(t.act('none', $$value:select app.mail_end(t.id('new'), 3, 'sent', null, 0)$$, 'lectern_jobs'), 'true', 'it is sent');
select is((select concat_ws(' ', state, sealed, last_error, ended_at = now()) from app.mails), 'sent t', 'and its secret is gone');
select is(t.act('none', $$value:select app.mail_end(t.id('new'), 3, 'sent', null, 0)$$, 'lectern_jobs'), 'false', 'once');
select is(t.act('none', 'select app.mail_claim(60)', 'lectern_jobs'), '0', 'what is sent is not given out');
select is(t.act('none', 'value:select app.mails_purge(1, 9)', 'lectern_jobs'), '0', 'is kept for a while');
update app.mails set ended_at = now() - interval '1 day';
select is(t.act('none', 'value:select app.mails_purge(1, 9)', 'lectern_jobs'), '1', 'and goes');
select t.act('none', pg_temp.put('student', 'A', 'password_reset', 'student@a.example', 'v1.x'));
update app.mails set created_at = now() - interval '9 days';
select is(t.act('none', 'value:select app.mails_purge(0, 9)', 'lectern_jobs'), '0', 'what waits is not purged');

-- Bounds
select is(t.dry('none', format('update app.mails set %s = %s', c, v), 'postgres'), r, c || ' ' || left(v, 40))
from (values ('kind', $$'greeting'$$, '23514 mails_kind'), ('address', $$'x'$$, '23514 mails_address'),
             ('address', $$E'a@b.example\nx'$$, '23514 mails_address'),
             ('name', $$''$$, '23514 mails_name'), ('name', $$E'a\nb'$$, '23514 mails_name'), ('name', 'repeat(''x'', 255)', '1'),
             ('locale', $$'German'$$, '23514 mails_locale'), ('sealed', $$''$$, '23514 mails_sealed'),
             ('sealed', 'repeat(''x'', 2048)', '1'), ('sealed', 'repeat(''x'', 2049)', '23514 mails_sealed'),
             ('detail', 'repeat(''x'', 256)', '23514 mails_detail'), ('detail', $$E'a\rb'$$, '23514 mails_detail'),
             ('state', $$'lost'$$, '23514 mails_ended'), ('state', $$'sent'$$, '23514 mails_ended'),
             ('state', $$'sent', ended_at = now()$$, '23514 mails_wiped'),
             ('sealed', $$null, state = 'dead', ended_at = now()$$, '1'),
             ('sealed', $$null, state = 'lost', ended_at = now()$$, '23514 mails_state'),
             ('attempts', '-1', '23514 mails_attempts'), ('last_error', $$'a sentence of a server'$$, '23514 mails_error'),
             ('org_id', 't.id(''B'')', '23503 mails_user'), ('user_id', 'null, org_id = t.id(''nothing'')', '23503 mails_org')) v (c, v, r);

-- It goes with its account
delete from app.users where id = t.id('student');
select is((select count(*)::int from app.mails), 0, 'the mails of an account go with it');

select * from finish();
rollback;
