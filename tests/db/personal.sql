-- What is a person's: that each column has its line, that an export shows it all and no secret, and
-- that nothing of a person is left after an erasure, while nothing of others is touched.
begin;
set local search_path = t, public;
select no_plan();
select t.act('none', 'select app.events_make_partitions(1)', 'lectern_jobs');

-- --- the declared list ------------------------------------------------------------------------

\set sanity `cat ../../db/sanity/personal_data.sql`
create temp view problem as :sanity
create function pg_temp.noticed(ddl text) returns text language plpgsql as $$
declare
    found text;
begin
    begin
        execute ddl;
        select string_agg(concat_ws(' ', p.problem, p.relation, p.col), ', ' order by p.relation, p.col) into found from problem p;
        raise exception using errcode = 'TT000';
    exception when sqlstate 'TT000' then
    end;
    return found;
end $$;
select is(pg_temp.noticed('select'), null, 'every column has its line');
select is(pg_temp.noticed(v.ddl), v.found, v.ddl)
from (values
    ('create table app.x (a uuid, b uuid, constraint x_user foreign key (a, b) references app.users (org_id, id))', 'no line x a, no line x b'),
    ('create table app.x (someone uuid)', 'no line x someone'),
    ('create table app.x (note text)', 'no line x note'),
    ('create table app.x (note text, constraint x_note check (note <> ''''))', 'no line x note'),
    ('create table app.x (note varchar(9), c jsonb, d inet, e bytea, f text[], g uuid[])', 'no line x c, no line x d, no line x e, no line x f, no line x g, no line x note'),
    ('create table app.x (id uuid, org_id uuid, n int, at timestamptz, state text, constraint x_state check (state in (''a'', ''b'')))', null),
    ('alter table app.courses add column motto text', 'no line courses motto'),
    ('alter table app.courses rename column title to headline', 'no line courses headline, no such column courses title, no such column courses title'),
    ('delete from app.personal_data where relation = ''credentials''', 'no line credentials password_hash, no line credentials user_id'),
    ('update app.personal_data set exports = exports || ''{password_hash}'' where relation = ''credentials''', 'a secret is shown credentials password_hash'),
    ('update app.personal_data set exports = exports || ''{document}'' where relation = ''export_parts''', 'a secret is shown export_parts document'),
    ('update app.personal_data set exports = ''{id}'' where relation = ''parent_links''', 'shown twice parent_links')) v (ddl, found);
select throws_ok(v.statement, '23514', null, v.statement)
from (values ('update app.personal_data set erasure = ''forget'''), ('update app.personal_data set sets = null where erasure = ''anonymise'''),
             ('update app.personal_data set finds = null where erasure = ''delete'''),
             ('update app.users set erased_at = now() where id = t.id(''student'')')) v (statement);

-- --- somebody who has left marks everywhere ---------------------------------------------------

insert into app.users (id, org_id, email, name, role, locale, timezone) values
    (t.id('marked'), t.id('A'), 'cnrymarked@a.example', 'Cnrymarked Name', 'student', 'cnr', 'Cnrymarked/Zone'),
    (t.id('mother'), t.id('A'), 'mother@a.example', 'mother', 'parent', 'en', 'UTC');
insert into t.persons values ('marked', t.id('marked'), t.id('A'), 'student'), ('mother', t.id('mother'), t.id('A'), 'parent');
insert into app.credentials (user_id, org_id, password_hash) values (t.id('marked'), t.id('A'), '$argon2id$' || repeat('cnrymarked', 4));
select set_config('app.client_ip', '198.51.100.77', true), set_config('app.request_id', 'cnrymarked-request', true);
create function pg_temp.does(who text, statement text) returns void language plpgsql as $$
declare
    answer text := t.act(who, statement);
begin
    if answer ~ '^[0-9A-Z]{5}( |$)' then
        raise exception '% % %', who, statement, answer;
    end if;
end $$;
select pg_temp.does('marked', v.statement) from (values
    ('select app.session_open(t.id(''ms''), t.id(''marked''), sha256(''ms''), ''198.51.100.77'', ''cnrymarked agent'', 1, 9)'),
    ('select app.session_open(t.id(''ms2''), t.id(''marked''), sha256(''ms2''), ''2001:db8::77'', ''cnrymarked agent'', 1, 9)'),
    ('update app.users set name = ''Cnrymarked Other'' where id = t.id(''marked'')'),
    ('select app.enrol_with_code(t.id(''me''), t.id(''c.open''), null)'),
    ('insert into app.announcement_reads (announcement_id, user_id, org_id) values (t.id(''n.org''), t.id(''marked''), t.id(''A''))'),
    ('select app.idempotency_claim(''cnrymarked-key'', ''POST /x'', sha256(''''), 1)'),
    ('insert into app.events (id, org_id, kind, actor_id, request_id, payload) values (t.id(''mv''), t.id(''A''), ''x'', t.id(''marked''), ''cnrymarked-r'', ''{"a": "cnrymarked"}'')'),
    ('select app.parent_link_code_put(sha256(''mc''), 9)'),
    ('select app.export_request(t.id(''mx''), 0, 1)')) v (statement);
update app.idempotency_keys set status = 200, headers = 'cnrymarked', answer = 'cnrymarked' where user_id = t.id('marked');
insert into app.mails (id, org_id, user_id, kind, address, name, detail, sealed) values
    (t.id('mm'), t.id('A'), t.id('marked'), 'password_changed', 'cnrymarked@a.example', 'Cnrymarked Name', 'cnrymarked', 'cnrymarked'),
    (t.id('mm2'), t.id('B'), null, 'invitation', 'cnrymarked@a.example', null, null, null);
insert into app.account_tokens (digest, org_id, user_id, purpose, expires_at) values (sha256('mt'), t.id('A'), t.id('marked'), 'password_reset', now() + interval '1 h');
insert into app.signin_failures (account, source, attempts, ends_at) values (app.signin_account('cnrymarked@a.example'), 'network 198.51.100.77/32', 1, now() + interval '1 h');
insert into app.second_factors (user_id, org_id, sealed) values (t.id('marked'), t.id('A'), 'v1.cnrymarked.' || repeat('x', 32));
insert into app.recovery_codes (user_id, org_id, digest) values (t.id('marked'), t.id('A'), sha256('mr'));
insert into app.second_factor_challenges (digest, user_id, org_id, expires_at) values (sha256('mf'), t.id('marked'), t.id('A'), now() + interval '1 h');
-- A link, and the code anew; an import of two organisations that names the address, of somebody else a line besides.
select pg_temp.does('mother', 'select app.parent_link_redeem(t.id(''ml''), sha256(''mc''))'),
       pg_temp.does('marked', 'select app.parent_link_code_put(sha256(''mc''), 9)');
insert into app.enrollment_import_rows (import_id, org_id, line, email, user_id, action, code) values
    (t.id('i.main'), t.id('A'), 2, 'cnrymarked@a.example', t.id('marked'), 'unchanged', null),
    (t.id('i.main'), t.id('A'), 3, 'cnrymarked@a.example', null, 'error', 'duplicate_line'),
    (t.id('i.b'), t.id('B'), 2, 'cnrymarked@a.example', null, 'error', 'user_unknown');
-- Audited acts of theirs and on them.
select set_config('app.audit_action', 'x', true);
update app.users set name = 'Cnrymarked Again' where id = t.id('marked');
select pg_temp.does('marked', 'select app.audit_append(t.id(''ma1''), ''user.x'', ''user'', null, 9999, ''{}'')');
update app.sessions set revoked_at = now(), revoked_reason = 'revoked' where id = t.id('ms2');
delete from app.sessions where id = t.id('ms2');
select set_config('app.client_ip', '198.51.100.78', true);
select pg_temp.does('admin', 'select app.audit_append(t.id(''ma2''), ''session.x'', ''session'', null, 9999, ''{}'')');

-- --- export -----------------------------------------------------------------------------------

select is(t.act('marked', 'select app.export_request(t.id(''again''), 0, 1)'), '23505 exports_person', 'one export at a time');
select is(t.act('none', 'value:select app.exports_build()', 'lectern_jobs'), 'true', 'the export is made');
select is(t.act('none', 'value:select app.exports_build()', 'lectern_jobs'), 'false', 'and no other waits');
create temp table doc as select convert_from(document, 'UTF8')::jsonb as d from app.export_parts where export_id = t.id('mx');
select is((select array_agg(k order by k) from doc, jsonb_object_keys(d -> 'tables') k),
          array['account_tokens', 'announcement_reads', 'audit_logs', 'audit_origins', 'credentials', 'enrollment_import_rows', 'enrollments', 'events', 'exports', 'idempotency_keys', 'mails',
                'parent_link_codes', 'parent_links', 'recovery_codes', 'refresh_tokens', 'second_factor_challenges', 'second_factors', 'sessions', 'signin_failures', 'users'], 'it holds every table that has something');
select is((select array_agg(distinct d.relation order by d.relation) from app.personal_data d cross join lateral (select) x
           where d.exports <> '{}' and d.relation not in ('announcements', 'courses', 'course_staff', 'enrollment_imports', 'invitations', 'parent_link_tries')),
          (select array_agg(k order by k) from doc, jsonb_object_keys(d -> 'tables') k), 'those that it lacks are a teacher''s, a parent''s, or of who was invited');
select is((select d #>> '{tables,users,0,email}' from doc), 'cnrymarked@a.example', 'the account is in it');
select is((select jsonb_array_length(d #> '{tables,enrollment_import_rows}') from doc), 3, 'and what others wrote down of the person');
select is((select count(*)::int from doc where d::text ~ 'argon2|answer|digest'), 0, 'no secret is in it');
select is((select count(*)::int from doc, app.users u where u.id <> t.id('marked') and u.name <> 'x' and position(u.email in d::text) > 0), 0, 'nobody else''s address is in it');
select is((select (parts, bytes > 100, state)::text from app.exports where id = t.id('mx')), '(1,t,ready)', 'what was made is told');
select is(t.dry(v.who, 'select from app.exports where id = t.id(''mx'')') || t.dry(v.who, 'select from app.export_parts where export_id = t.id(''mx'')'), v.n, v.who || ' reads it')
from (values ('marked', '11'), ('admin', '00'), ('operator', '00'), ('mother', '00'), ('student', '00'), ('badmin', '00'), ('none', '00')) v (who, n);
select is(t.act('marked', 'select app.export_request(t.id(''again''), 60, 1)'), '23505 exports_person', 'the next one has to wait');
select is(t.dry('marked', 'select app.export_request(t.id(''again''), 0, 1)'), '1', 'not longer than that');

-- A large one has parts, each a document.
savepoint large;
insert into app.events (id, org_id, kind, actor_id) select t.id('many' || n), t.id('A'), 'many', t.id('other') from generate_series(1, 12000) n;
select pg_temp.does('other', 'select app.export_request(t.id(''big''), 0, 1)');
select is(t.act('none', 'value:select app.exports_build()', 'lectern_jobs'), 'true', 'a large export is made');
select cmp_ok((select parts from app.exports where id = t.id('big')), '>=', 2, 'in parts');
select is((select sum(jsonb_array_length(convert_from(document, 'UTF8')::jsonb #> '{tables,events}'))::int from app.export_parts where export_id = t.id('big')), 12000, 'that hold all of it');
select is((select array_agg(part order by part) from app.export_parts where export_id = t.id('big')), (select array_agg(n) from app.exports, generate_series(1, parts) n where id = t.id('big')), 'numbered without a gap');
rollback to large;
-- One that cannot be made does not hold up the others.
savepoint broken;
update app.personal_data set finds = 'no_such_column = $1' where relation = 'sessions';
select pg_temp.does('other', 'select app.export_request(t.id(''bad''), 0, 1)');
select is(t.act('none', 'value:select app.exports_build()', 'lectern_jobs'), 'true', 'one that fails is dealt with');
select is((select state from app.exports where id = t.id('bad')), 'failed', 'and marked');
select is(t.act('other', 'select app.export_request(t.id(''bad2''), 60, 1)'), '1', 'and may be asked for again at once');
rollback to broken;

-- --- erasure ----------------------------------------------------------------------------------

-- Where a mark stands in any text, document, address or bytes of any table: the value's own form is searched.
create function pg_temp.marks(mark text) returns text language plpgsql as $$
declare
    c record;
    n bigint;
    found text := '';
begin
    for c in select r.relname, a.attname, a.atttypid = 'bytea'::regtype as raw from pg_class r
             join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
             where r.relnamespace = 'app'::regnamespace and r.relkind in ('r', 'p') and not r.relispartition order by 1, 2
    loop
        execute format('select count(*) from app.%I x where %s ilike %L', c.relname,
                       format(case when c.raw then 'encode(x.%I, ''escape'')' else 'x.%I::text' end, c.attname), '%' || mark || '%') into n;
        if n > 0 then
            found := found || format('%s.%s %s ', c.relname, c.attname, n);
        end if;
    end loop;
    return btrim(found);
end $$;
-- Everything but the rows that the list says are the person's.
create function pg_temp.others(usr uuid, mail text) returns text language plpgsql as $$
declare
    r record;
    one text;
    all_ text := '';
begin
    for r in select c.relname, coalesce((select string_agg('(' || d.finds || ')', ' or ') from app.personal_data d where d.relation = c.relname and d.finds is not null), 'false')
                 || case c.relname when 'enrollment_import_rows' then ' or t.email = ''erased''' else '' end as finds
             from pg_class c where c.relnamespace = 'app'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition and c.relname not in ('audit_chains', 'org_usage') order by 1
    loop
        execute format('select count(*) || '' '' || coalesce(md5(string_agg(t::text, '' '' order by t::text)), '''') from app.%I t where (%s) is not true', r.relname, r.finds)
        into one using usr, mail;
        all_ := all_ || r.relname || ' ' || one || E'\n';
    end loop;
    return all_;
end $$;
select matches(pg_temp.marks('cnrymarked'), format('\m%s\.%s\M', v.tbl, v.col), format('the scan finds marks in %s.%s', v.tbl, v.col))
from (values ('users', 'email'), ('users', 'name'), ('users', 'timezone'), ('credentials', 'password_hash'), ('sessions', 'user_agent'),
             ('enrollment_import_rows', 'email'), ('idempotency_keys', 'key'), ('idempotency_keys', 'headers'), ('idempotency_keys', 'answer'),
             ('events', 'request_id'), ('events', 'payload'), ('export_parts', 'document'), ('audit_logs', 'request_id'), ('mails', 'address'), ('mails', 'name'), ('mails', 'detail'), ('mails', 'sealed'), ('second_factors', 'sealed')) v (tbl, col);
select matches(pg_temp.marks('198.51.100.77'), 'audit_origins.address 1 .*sessions.address 1 signin_failures.source 1', 'and addresses');

create temp table before as select pg_temp.others(t.id('marked'), 'cnrymarked@a.example') as rows;
select is(t.act('marked', 'value:select app.account_erase()'), format('{%s}', t.id('ms')), 'the account is erased, its sessions are named');
-- The request that did it is audited, without its origin.
select is(t.act('marked', 'select app.audit_append(t.id(''ma3''), ''user.erase'', ''user'', null, 9999, ''{}'')'), '1', 'the erasure is audited');
select is((select format('%s %s %s %s %s', actor_id, request_id, address, before, after) from app.audit_logs where id = t.id('ma3')), t.id('marked') || '    ', 'and the row knows no more than who and what');
select is(pg_temp.marks('cnrymarked'), 'audit_logs.request_id 2', 'no mark is left but what a client called its audited requests');
select is(pg_temp.marks('198.51.100.77') || pg_temp.marks('2001:db8::77'), '', 'no address is left');
select is((select string_agg(abbrev(address), ' ') from app.audit_logs where id in (t.id('ma1'), t.id('ma2'))), '198.51.100.0/24 198.51.100.0/24', 'of audited acts the network');
select is((select count(*)::int from app.audit_origins where address = '198.51.100.78'), 1, 'and where others acted from');
select is(pg_temp.others(t.id('marked'), 'cnrymarked@a.example'), (select rows from before), 'all else is as it was');
select is((select count(*)::int from app.audit_verify()), 0, 'the audit trail holds');
select set_config('app.audit_action', '', true);
select is((select format('%s %s %s %s', email, name, status, erased_at is not null) from app.users where id = t.id('marked')),
          format('erased-%s@erased.invalid Erased account disabled t', t.id('marked')), 'of the account an identifier stays');
select is(t.act('marked', 'select app.account_erase()'), 'LE401', 'once');
select is(t.act('none', 'select app.session_check(t.id(''ms''), t.id(''marked''), t.id(''A''), ''student'')'), 'LE401', 'its sessions are over');
select is(t.act('none', 'value:select app.register(t.id(''anew''), ''org-a'', ''cnrymarked@a.example'', ''x'', ''$argon2id$'' || repeat(''x'', 40))'), t.id('anew')::text, 'the address is free');
select is(t.dry('mother', 'select from app.parent_links'), '0', 'the parent''s link is gone');

-- A teacher: words go, courses find another owner.
insert into app.users (id, org_id, email, name, role) values (t.id('leaver'), t.id('A'), 'leaver@a.example', 'leaver', 'teacher');
insert into t.persons values ('leaver', t.id('leaver'), t.id('A'), 'teacher');
insert into app.courses (id, org_id, owner_id, title, status) select t.id('lc.' || n), t.id('A'), t.id('leaver'), n, 'published'
from unnest('{staffed,attended,read,empty,alone}'::text[]) n;
insert into app.course_staff (course_id, user_id, org_id, role) values
    (t.id('lc.staffed'), t.id('helper'), t.id('A'), 'assistant'), (t.id('lc.staffed'), t.id('coteacher'), t.id('A'), 'teacher');
insert into app.enrollments (id, org_id, course_id, user_id) values (t.id('le'), t.id('A'), t.id('lc.attended'), t.id('late'));
insert into app.announcements (id, org_id, course_id, author_id, title, body) values
    (t.id('ln.own'), t.id('A'), t.id('lc.attended'), t.id('leaver'), 'wordy title', 'wordy body'),
    (t.id('ln.read'), t.id('A'), t.id('lc.read'), t.id('admin'), 'another''s', 'x'),
    (t.id('ln.alone'), t.id('A'), t.id('lc.alone'), t.id('leaver'), 'wordy too', 'x');
insert into app.announcement_reads (announcement_id, user_id, org_id) values (t.id('ln.own'), t.id('late'), t.id('A'));
insert into app.enrollment_imports (id, org_id, course_id, created_by, digest, atomic, total) values (t.id('li'), t.id('A'), t.id('lc.attended'), t.id('leaver'), repeat('a', 64), false, 0);
select is(t.act('leaver', 'value:select app.account_erase()'), '{}', 'a teacher leaves');
select is((select string_agg(format('%s %s', c.title, u.name), ', ' order by c.title) from app.courses c join app.users u on u.id = c.owner_id where c.id in (select t.id('lc.' || n) from unnest('{staffed,attended,read,empty,alone}'::text[]) n)),
          'attended admin, read admin, staffed coteacher', 'courses in which others have a part have another owner, the others are gone');
select is((select count(*)::int from app.course_staff where course_id = t.id('lc.staffed')), 1, 'a new owner is no staff');
select is((select title || body || author_id from app.announcements where id = t.id('ln.own')), '[erased][erased]' || t.id('leaver'), 'an announcement loses its words');
select is((select count(*)::int from app.announcement_reads where announcement_id = t.id('ln.own')), 1, 'and keeps its readers');
select is(pg_temp.marks('wordy') || pg_temp.marks('leaver'), '', 'nothing of the teacher is left');
select is((select count(*)::int from app.enrollment_imports where id = t.id('li')), 1, 'what was imported stays');

-- What somebody wrote does not come into the audit trail in the first place.
select is(app.audit_keep('{"author_id": 1, "title": "a", "body": "b", "n": 1}', '{body}', 999), '{"author_id": 1, "title": "[redacted]", "body": "[redacted]", "n": 1}', 'titles that have an author');
select is(app.audit_keep('{"owner_id": 1, "title": "a", "user_agent": "b", "address": "c"}', '{}', 999), '{"owner_id": 1, "title": "a", "user_agent": "[redacted]", "address": "[redacted]"}', 'where somebody signed in from');

-- The last admin stays; with a second one either may go. An operator is none.
select is(t.act('admin', 'select app.account_erase()'), '23514 users_last_admin', 'the last admin stays');
update app.users set role = 'admin', status = 'disabled' where id = t.id('outsider');
select is(t.act('admin', 'select app.account_erase()'), '23514 users_last_admin', 'a disabled one does not count');
update app.users set status = 'active' where id = t.id('outsider');
select is(t.dry('operator', 'select app.account_erase()'), '1', 'an operator may go');
select is(t.act('admin', 'select app.account_erase()'), '1', 'with another admin there the admin may go');
select is(t.act('orgless', 'select app.account_erase()'), 'LE401', 'nobody goes without an organisation');
select is(t.act('disabled', 'select app.account_erase()'), 'LE401', 'nor who is disabled');

-- Kept for a while.
update app.exports set requested_at = now() - interval '2 hours', expires_at = now() - interval '1 hour';
insert into app.exports (id, org_id, user_id, requested_at, expires_at) values (t.id('px'), t.id('A'), t.id('other'), now() - interval '2 hours', now() - interval '1 hour');
select is(app.person_purge(9), 1, 'what has expired goes');
select throws_ok(v.statement, '23514', null, v.statement)
from (values
    ('insert into app.exports (id, org_id, user_id, expires_at) values (t.id(''q''), t.id(''A''), t.id(''other''), now())'),
    ('insert into app.exports (id, org_id, user_id, expires_at, state) values (t.id(''q''), t.id(''A''), t.id(''other''), now() + interval ''1 h'', ''x'')'),
    ('insert into app.exports (id, org_id, user_id, expires_at, state) values (t.id(''q''), t.id(''A''), t.id(''other''), now() + interval ''1 h'', ''ready'')'),
    ('insert into app.exports (id, org_id, user_id, expires_at, state, parts, bytes, ready_at) values (t.id(''q''), t.id(''A''), t.id(''other''), now() + interval ''1 h'', ''ready'', 0, 1, now())'),
    ('insert into app.export_parts values (t.id(''q''), t.id(''A''), 0, ''{}'')'), ('insert into app.export_parts values (t.id(''q''), t.id(''A''), 1, ''{'')'),
    ('insert into app.export_parts values (t.id(''q''), t.id(''A''), 1, convert_to(repeat(''x'', 4194305), ''UTF8''))')) v (statement);

select * from finish();
rollback;
