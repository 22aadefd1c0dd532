-- What is a person's in every table: what of it an export shows, and what becomes of it when the
-- account is erased. A table that a later change adds brings its line with it; the query
-- db/sanity/personal_data.sql finds the one that does not. See docs/adr/0018-erasure.md.
begin;
set local role lectern_owner;

alter table app.users add column erased_at timestamptz;
alter table app.users add constraint users_erased check (erased_at is null or status = 'disabled');
create index enrollment_import_rows_by_email on app.enrollment_import_rows (email);

-- finds: which rows t of the relation are a person's, $1 being the person and $2 their address;
-- null where none is. exports: the columns that the person is shown. sets: of what is anonymised.
-- columns: those that point to a person or may hold what somebody wrote; of each table all must
-- stand in some line.
create table app.personal_data (
    relation text not null,
    columns  text[] not null,
    finds    text,
    exports  text[] not null default '{}',
    erasure  text not null,
    sets     text,
    why      text not null,
    constraint personal_data_pkey primary key (relation, columns),
    constraint personal_data_erasure check (erasure in ('delete', 'anonymise', 'keep')),
    constraint personal_data_finds check (finds is not null or erasure = 'keep' and exports = '{}'),
    constraint personal_data_sets check ((erasure = 'anonymise') = (sets is not null))
);
alter table app.personal_data enable row level security, force row level security;
grant select on app.personal_data to lectern_definer;
create policy select_definer on app.personal_data for select to lectern_definer using (true);
create policy insert_owner on app.personal_data for insert to lectern_owner with check (true);

insert into app.personal_data (relation, columns, finds, exports, erasure, sets, why) values
    ('users', '{email,name,locale,timezone}', 'id = $1',
     '{id,email,name,role,status,locale,timezone,email_verified_at,last_sign_in_at,created_at,updated_at}',
     'anonymise',
     'email = ''erased-'' || id || ''@erased.invalid'', name = ''Erased account'', role = ''student'', '
     'status = ''disabled'', locale = ''en'', timezone = ''UTC'', email_verified_at = null, '
     'last_sign_in_at = null, erased_at = now()',
     'What others made refers to it; the identifier that stays leads to nobody.'),
    ('orgs', '{slug,name,locale,timezone,settings}', null, '{}', 'keep', null,
     'The organisation''s own.'),
    ('credentials', '{user_id,password_hash}', 'user_id = $1', '{changed_at}', 'delete', null,
     'Of use to nobody else.'),
    ('sessions', '{user_id,address,user_agent,revoked_reason}', 'user_id = $1',
     '{id,address,user_agent,created_at,last_used_at,expires_at,revoked_at,revoked_reason}',
     'delete', null, 'Of use to nobody else.'),
    ('refresh_tokens', '{digest}',
     'session_id in (select s.id from app.sessions s where s.user_id = $1)',
     '{issued_at,expires_at,used_at}', 'delete', null, 'Of use to nobody else.'),
    ('courses', '{owner_id,title,description}', 'owner_id = $1',
     '{id,title,description,status,visibility,enrollment,seats,starts_at,ends_at,created_at}',
     'keep', null,
     'Teaching material is the organisation''s: it goes to a co-teacher, else to an admin. A course '
     'in which nobody else has a part is deleted.'),
    ('course_codes', '{code}', null, '{}', 'keep', null, 'The course''s.'),
    ('course_staff', '{user_id}', 'user_id = $1', '{course_id,role,created_at}', 'delete', null,
     'Of use to nobody else.'),
    ('enrollments', '{user_id}', 'user_id = $1',
     '{id,course_id,status,source,starts_at,ends_at,completed_at,withdrawn_at,created_at}',
     'delete', null, 'It is about the person alone; the place becomes free.'),
    ('enrollment_imports', '{created_by,digest}', 'created_by = $1',
     '{id,course_id,total,enrolled,reactivated,unchanged,failed,undone_at,created_at}', 'keep',
     null, 'What was done to a course stays with it; its author is an identifier of nobody.'),
    ('enrollment_import_rows', '{email,user_id,code,previous_status}', 'user_id = $1 or email = $2',
     '{import_id,line,email,action}', 'anonymise', 'email = ''erased'', user_id = null',
     'The lines of an import add up; whom one of them named is forgotten, in every organisation.'),
    ('announcements', '{author_id,title,body}', 'author_id = $1',
     '{id,course_id,title,body,pinned,publish_at,created_at,updated_at}', 'anonymise',
     'title = ''[erased]'', body = ''[erased]''',
     'Who has read it is others'' data; the words are the person''s.'),
    ('announcement_reads', '{user_id,course_id}', 'user_id = $1', '{announcement_id,read_at}',
     'delete', null, 'It is about the person alone.'),
    ('events', '{kind,actor_id,course_id,subject_type,subject_id,payload,request_id}',
     'actor_id = $1', '{kind,course_id,subject_type,subject_id,occurred_at}', 'anonymise',
     'request_id = null, payload = ''{}''',
     'Figures of courses rest on it; the actor is an identifier of nobody.'),
    ('audit_logs', '{actor_id,action,target_type,target_id,request_id,address,before,after,hash,prev_hash}',
     'actor_id = $1', '{id,action,target_type,target_id,request_id,address,created_at}', 'keep', null,
     'Nobody may change the trail. Of people it has identifiers and networks, nothing they wrote.'),
    ('audit_origins', '{audit_id,person_id,address}', 'person_id = $1', '{audit_id,address}',
     'delete', null, 'The trail knows the network.'),
    ('audit_chains', '{hash}', null, '{}', 'keep', null, 'A hash over hashes.'),
    ('idempotency_keys', '{user_id,key,route,digest,headers,answer}', 'user_id = $1',
     '{route,status,created_at,expires_at}', 'delete', null, 'Of use to nobody else.'),
    ('parent_links', '{parent_id,student_id}', '$1 in (parent_id, student_id)',
     '{id,parent_id,student_id,status,source,decided_at,ended_at,created_at}', 'delete', null,
     'A tie needs both.'),
    ('parent_links', '{decided_by}', 'decided_by = $1', '{}', 'anonymise', 'decided_by = null',
     'The link is others''.'),
    ('parent_link_codes', '{student_id,digest}', 'student_id = $1', '{created_at,expires_at}',
     'delete', null, 'Of use to nobody else.'),
    ('parent_link_tries', '{parent_id}', 'parent_id = $1', '{failures,since}', 'delete', null,
     'Of use to nobody else.'),
    ('exports', '{user_id}', 'user_id = $1', '{requested_at,expires_at}', 'delete', null,
     'It is the person''s copy.'),
    ('export_parts', '{document}',
     'export_id in (select e.id from app.exports e where e.user_id = $1)', '{}', 'delete', null,
     'It is the person''s copy.'),
    ('mails', '{user_id,address,name,locale,sealed,detail}', 'user_id = $1 or address = $2',
     '{kind,address,name,locale,state,created_at,ended_at}', 'delete', null,
     'It is to the person alone.'),
    ('account_tokens', '{user_id,digest}', 'user_id = $1', '{purpose,created_at,expires_at}',
     'delete', null, 'Of use to nobody else.'),
    ('signin_failures', '{account,source}', 'account = app.signin_account($2)',
     '{source,attempts,ends_at,locked_at}', 'delete', null, 'It is about the address alone.'),
    ('second_factors', '{user_id,sealed}', 'user_id = $1', '{created_at,confirmed_at}', 'delete',
     null, 'Of use to nobody else.'),
    ('recovery_codes', '{user_id,digest}', 'user_id = $1', '{used_at}', 'delete', null,
     'Of use to nobody else.'),
    ('second_factor_challenges', '{user_id,digest,session_id}', 'user_id = $1',
     '{created_at,expires_at,attempts}', 'delete', null, 'Of use to nobody else.'),
    ('personal_data', '{relation,columns,finds,exports,sets,why}', null, '{}', 'keep', null,
     'These lines.');

grant update (email, name, status, locale, timezone, erased_at) on app.users to lectern_definer;
grant delete on app.credentials, app.courses to lectern_definer;
grant update (email, user_id) on app.enrollment_import_rows to lectern_definer;
grant select, update (title, body) on app.announcements to lectern_definer;
grant select, delete on app.announcement_reads to lectern_definer;
grant select, update (request_id, payload) on app.events to lectern_definer;
create policy all_definer on app.announcements to lectern_definer using (true) with check (true);
create policy all_definer on app.announcement_reads to lectern_definer
    using (true) with check (true);
create policy all_definer on app.events to lectern_definer using (true) with check (true);

-- What of a change may be kept: redacted, and only its digest when it is too long. Of what somebody
-- wrote, and of where they signed in, nothing.
create or replace function app.audit_keep(j jsonb, names text[], longest int) returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    kept jsonb := app.audit_redact(j, names || array['address', 'user_agent']
                                      || case when j ? 'author_id' then '{title}'::text[]
                                              else '{}' end);
begin
    if kept is null or octet_length(kept::text) <= longest then
        return kept;
    end if;
    return jsonb_build_object('sha256', encode(sha256(convert_to(kept::text, 'UTF8')), 'hex'),
                              'bytes', octet_length(kept::text));
end
$$;

-- --- export -----------------------------------------------------------------------------------

-- What the lines above find of a person, each row as JSON with the columns that are shown.
create function app.personal_rows(usr uuid, mail text) returns table (relation text, line text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    r app.personal_data;
begin
    for r in select * from app.personal_data d where d.exports <> '{}' order by 1, 2 loop
        return query execute format(
            'select %L, to_jsonb(x)::text from (select %s from app.%I t where %s) x', r.relation,
            (select string_agg(format('t.%I', c), ', ') from unnest(r.exports) c), r.relation,
            r.finds) using usr, mail;
    end loop;
end
$$;

-- Makes the export that has waited longest, in JSON documents of about a megabyte. False when none
-- waits. One that cannot be made is marked as failed, so that it does not hold up the others.
create function app.exports_build() returns bool
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    e app.exports;
begin
    select * into e from app.exports k where k.state = 'queued'
    order by k.requested_at limit 1 for update skip locked;
    if e.id is null then
        return false;
    end if;
    begin
        with found as (
            select r.relation, r.line, r.ordinality,
                   sum(octet_length(r.line)) over (order by r.ordinality) / 1048576 as part
            from app.personal_rows(e.user_id, (select u.email from app.users u
                                               where u.id = e.user_id)) with ordinality r),
        pieces as (
            select f.part, to_jsonb(f.relation)::text || ':['
                           || string_agg(f.line, ',' order by f.ordinality) || ']' as piece
            from found f group by f.part, f.relation)
        insert into app.export_parts (export_id, org_id, part, document)
        select e.id, e.org_id, n.part,
               convert_to(format('{"format":"lectern-export-1","account":"%s","made_at":"%s",'
                                 '"part":%s,"tables":{%s}}', e.user_id,
                                 to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                                 n.part, n.pieces), 'UTF8')
        from (select dense_rank() over (order by p.part) as part,
                     string_agg(p.piece, ',' order by p.piece) as pieces
              from pieces p group by p.part) n;
        update app.exports k
        set state = 'ready', ready_at = now(), parts = p.parts, bytes = p.bytes
        from (select count(*) as parts, sum(octet_length(d.document)) as bytes
              from app.export_parts d where d.export_id = e.id) p
        where k.id = e.id;
    exception when others then
        raise log 'export % cannot be made: %', e.id, sqlstate;
        update app.exports k set state = 'failed' where k.id = e.id;
    end;
    return true;
end
$$;

-- --- erasure ----------------------------------------------------------------------------------

-- Does to all of a person's rows what the lines above say.
create function app.personal_erase(usr uuid, mail text) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    r app.personal_data;
begin
    for r in select * from app.personal_data d where d.erasure <> 'keep'
             order by d.relation, d.columns
    loop
        if r.erasure = 'delete' then
            execute format('delete from app.%I t where %s', r.relation, r.finds) using usr, mail;
        else
            execute format('update app.%I t set %s where %s', r.relation, r.sets, r.finds)
            using usr, mail;
        end if;
    end loop;
end
$$;

-- Courses of a person who leaves: to the co-teacher of longest standing, else to the admin; those
-- in which nobody else has a part go. users_last_admin: there is no one left to take them.
create function app.courses_bequeath(usr uuid) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    c    app.courses;
    heir uuid;
begin
    for c in select * from app.courses k where k.owner_id = usr order by k.id for no key update loop
        select h.id into heir from (
            select u.id, 1 as rank, s.created_at as since from app.course_staff s
            join app.users u on u.id = s.user_id
            where s.course_id = c.id and s.role = 'teacher' and u.status = 'active'
                  and app.is_staff_role(u.role)
            union all
            select u.id, 2, u.created_at from app.users u
            where u.org_id = c.org_id and u.role = 'admin' and u.status = 'active'
                  and (exists (select from app.enrollments e where e.course_id = c.id)
                       or exists (select from app.course_staff s where s.course_id = c.id)
                       or exists (select from app.announcements a
                                  where a.course_id = c.id and a.author_id <> usr))) h
        order by h.rank, h.since, h.id limit 1;
        if heir is not null then
            delete from app.course_staff s where s.course_id = c.id and s.user_id = heir;
            update app.courses k set owner_id = heir where k.id = c.id;
        else
            delete from app.courses k where k.id = c.id;
        end if;
    end loop;
end
$$;

-- Erases the caller's account and returns the sessions that ended with it. The rest of the
-- transaction, the audit row of this act above all, knows neither where it came from nor what was.
-- LE401: the account is gone. users_last_admin: the organisation would be left without one.
create function app.account_erase() returns uuid[]
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    me    uuid := app.user_id();
    org   uuid := app.org_id();
    u     app.users;
    ended uuid[];
begin
    -- In the order in which roles are changed: two admins cannot leave at once.
    perform from app.orgs o where o.id = org for no key update;
    select * into u from app.users k
    where k.id = me and k.org_id = org and k.status = 'active' for no key update;
    if u.id is null then
        raise exception using errcode = 'LE401', message = 'the account is gone';
    end if;
    if app.is_admin_role(u.role)
       and not exists (select from app.users k
                       where k.org_id = org and k.role = 'admin' and k.status = 'active'
                             and k.id <> me) then
        raise exception using errcode = '23514', constraint = 'users_last_admin',
            message = 'an organisation keeps at least one admin';
    end if;
    ended := array(select s.id from app.sessions s where s.org_id = org and s.user_id = me);
    perform app.personal_erase(me, u.email);
    perform app.courses_bequeath(me);
    perform set_config('app.client_ip', '', true), set_config('app.request_id', '', true),
            set_config('app.audit_before', '', true), set_config('app.audit_after', '', true),
            set_config('app.audit_changes', '', true);
    return ended;
end
$$;

grant execute on function app.personal_rows(uuid, text), app.personal_erase(uuid, text),
    app.courses_bequeath(uuid) to lectern_definer;
grant execute on function app.exports_build() to lectern_jobs;
grant execute on function app.account_erase() to lectern_app;

reset role;
alter function app.personal_rows(uuid, text) owner to lectern_definer;
alter function app.exports_build() owner to lectern_definer;
alter function app.personal_erase(uuid, text) owner to lectern_definer;
alter function app.courses_bequeath(uuid) owner to lectern_definer;
alter function app.account_erase() owner to lectern_definer;

commit;
