-- What the denial matrix expects: who may do what to which row, and who may call what. Everything in
-- the schema app must stand here; what does not fails the run. Loaded by matrix.sql.

-- A letter for every role that a user can have.
create temp table caller (letter char primary key, role text unique);
insert into caller values ('S', 'student'), ('T', 'teacher'), ('P', 'parent'), ('A', 'admin'), ('O', 'operator'),
                          ('V', 'vendor'), ('M', 'moderator'), ('Y', 'analyst');

-- Relations and types with all rights on them but their owner's; lectern_jobs and lectern_ro have none. A partition goes by
-- its parent's name with "_*". "picks" is the condition for one holder's row: %1$s is the holder, %2$L the organisation.
create temp table relation (name text primary key, kind char, picks text, rights text);
insert into relation values
    ('orgs', 'r', 'id = %2$L', 'app: select update(name,locale,timezone,settings); definer: insert select update(slug,name,version,status)'),
    ('org_limits', 'r', 'org_id = %2$L',
     'app: select update(users,storage_bytes,workbench_runs_per_day,telemetry_events_per_day); definer: insert select update'),
    ('org_usage', 'r', 'org_id = %2$L', 'app: select; definer: insert select update'),
    ('invitations', 'r', 'id = t.id(''m.w.%1$s'')',
     'app: select(id,org_id,email,role,invited_by,created_at,expires_at,accepted_at,accepted_by,revoked_at) update(revoked_at); definer: delete insert select update(invited_by,accepted_at,accepted_by,revoked_at)'),
    ('users', 'r', 'id = t.id(''pupil.%1$s'')',
     'app: select update(name,locale,timezone); definer: insert select update(email,name,role,status,locale,timezone,email_verified_at,last_sign_in_at,version,updated_at,erased_at,removed_at)'),
    ('credentials', 'r', 'user_id = t.id(''pupil.%1$s'')', 'definer: delete insert select update'),
    ('sessions', 'r', 'user_id = t.id(''pupil.%1$s'')', 'app: select; definer: delete insert select update'),
    ('refresh_tokens', 'r', 'session_id = t.id(''m.s.%1$s'')', 'definer: delete insert select update'),
    ('courses', 'r', 'id = t.id(''m.c.%1$s'')',
     'app: delete insert select update(title,description,status,visibility,enrollment,seats,starts_at,ends_at); definer: delete select update'),
    ('course_codes', 'r', 'course_id = t.id(''m.c.%1$s'')', 'app: delete insert select update(code); definer: select'),
    ('course_staff', 'r', 'course_id = t.id(''m.c.%1$s'')', 'app: delete insert select; definer: delete insert select update'),
    ('enrollments', 'r', 'id = t.id(''m.e.%1$s'')',
     'app: insert select update(status,starts_at,ends_at); definer: delete insert select update'),
    ('enrollment_imports', 'r', 'id = t.id(''m.i.%1$s'')', 'app: insert select; definer: select update(undone_at)'),
    ('enrollment_import_rows', 'r', 'import_id = t.id(''m.i.%1$s'')', 'app: insert select; definer: select update(email,user_id)'),
    ('announcements', 'r', 'id = t.id(''m.n.%1$s'')', 'app: delete insert select update(title,body,pinned,publish_at); definer: select update(title,body)'),
    ('announcement_reads', 'r', 'user_id = t.id(''pupil.%1$s'')', 'app: insert select; definer: delete select'),
    ('events', 'p', 'id = t.id(''m.v.%1$s'')', 'app: insert select; definer: select update(payload,request_id)'),
    ('events_*', 'r', 'id = t.id(''m.v.%1$s'')', ''),
    ('audit_logs', 'r', 'id = t.id(''m.l.%1$s'')', 'app: select; definer: insert select'),
    ('audit_chains', 'r', 'chain = 7', 'definer: select update'),
    ('second_factors', 'r', 'user_id = t.id(''pupil.%1$s'')',
     'app: select(user_id,org_id,created_at,confirmed_at); definer: delete insert select update'),
    ('recovery_codes', 'r', 'user_id = t.id(''pupil.%1$s'')',
     'app: select(user_id,org_id,used_at); definer: delete insert select update'),
    ('second_factor_challenges', 'r', 'user_id = t.id(''pupil.%1$s'')', 'definer: delete insert select update'),
    ('idempotency_keys', 'r', 'user_id = t.id(''pupil.%1$s'')',
     'app: delete insert select update(status,headers,answer); definer: delete select'),
    ('audit_origins', 'r', 'audit_id = t.id(''m.l.%1$s'')', 'app: select; definer: delete insert select'),
    ('parent_links', 'r', 'id = t.id(''m.p.%1$s'')', 'app: select update(status); definer: delete insert select update'),
    ('parent_link_codes', 'r', 'student_id = t.id(''pupil.%1$s'')', 'definer: delete insert select update'),
    ('parent_link_tries', 'r', 'parent_id = t.id(''pupil.%1$s'')', 'definer: delete insert select update'),
    ('exports', 'r', 'id = t.id(''m.x.%1$s'')', 'app: select; definer: delete insert select update'),
    ('export_parts', 'r', 'export_id = t.id(''m.x.%1$s'')', 'app: select; definer: delete insert select update'),
    ('personal_data', 'r', 'false', 'definer: select'),
    ('account_tokens', 'r', 'user_id = t.id(''pupil.%1$s'')', 'definer: delete insert select update'),
    ('mails', 'r', 'id = t.id(''m.m.%1$s'')', 'definer: delete insert select update'),
    ('signin_failures', 'r', 'account = app.signin_account(''%1$s@m.example'')', 'definer: delete insert select update'),
    ('enrollment_import_line', 'c', null, 'app: usage');

-- Which callers reach a row of their own, and a row of another user in whose courses they have no part. A row of another
-- organisation is reached by those of "far" alone, any row without an organisation or without an identity by none. A verb for
-- which lectern_app has no right stands in "relation" alone. Null: there is no such row.
create temp table reach (name text, verb text, own text, other text, sets text, primary key (name, verb));
insert into reach values
    ('orgs', 'select', 'STPAOVMY', null, null),
    ('orgs', 'update', 'AO', null, 'name = ''x'''),
    ('org_limits', 'select', 'AO', null, null),
    ('org_limits', 'update', 'O', null, 'users = 1000'),
    ('org_usage', 'select', 'AO', null, null),
    ('invitations', 'select', 'AO', 'AO', null),
    ('invitations', 'update', 'AO', 'AO', 'revoked_at = now()'),
    ('users', 'select', 'STPAOVMY', 'TAO', null),
    ('users', 'update', 'STPAOVMY', '', 'name = ''x'''),
    ('sessions', 'select', 'STPAOVMY', 'AO', null),
    ('courses', 'select', 'TAO', 'AO', null),
    ('courses', 'insert', 'TAO', 'AO', null),
    ('courses', 'update', 'TAO', 'AO', 'title = ''x'''),
    ('courses', 'delete', 'TAO', 'AO', null),
    ('course_codes', 'select', 'TAO', 'AO', null),
    ('course_codes', 'insert', 'TAO', 'AO', null),
    ('course_codes', 'update', 'TAO', 'AO', 'code = gen_random_uuid()'),
    ('course_codes', 'delete', 'TAO', 'AO', null),
    ('course_staff', 'select', 'TAO', 'AO', null),
    ('course_staff', 'insert', 'TAO', 'AO', null),
    ('course_staff', 'delete', 'TAO', 'AO', null),
    ('enrollments', 'select', 'STPAOVMY', 'AO', null),
    ('enrollments', 'insert', 'S', 'AO', null),
    ('enrollments', 'update', 'STPAOVMY', 'AO', 'status = ''withdrawn'''),
    ('enrollment_imports', 'select', 'TAO', 'AO', null),
    ('enrollment_imports', 'insert', 'TAO', '', null),
    ('enrollment_import_rows', 'select', 'TAO', 'AO', null),
    ('enrollment_import_rows', 'insert', 'TAO', '', null),
    ('announcements', 'select', 'TAO', 'AO', null),
    ('announcements', 'insert', 'TAO', '', null),
    ('announcements', 'update', 'TAO', 'AO', 'title = ''x'''),
    ('announcements', 'delete', 'TAO', 'AO', null),
    ('announcement_reads', 'select', 'STPAOVMY', 'AO', null),
    ('announcement_reads', 'insert', 'STPAOVMY', '', null),
    ('events', 'select', 'STPAOVMY', 'AO', null),
    ('events', 'insert', 'STPAOVMY', '', null),
    ('audit_logs', 'select', 'AO', 'AO', null),
    ('audit_origins', 'select', 'AO', 'AO', null),
    ('parent_links', 'select', 'STPAOVMY', 'AO', null),
    ('parent_links', 'update', 'STPAOVMY', 'AO', 'status = ''ended'''),
    ('exports', 'select', 'STPAOVMY', '', null),
    ('export_parts', 'select', 'STPAOVMY', '', null),
    ('second_factors', 'select', 'STPAOVMY', '', null),
    ('recovery_codes', 'select', 'STPAOVMY', '', null),
    ('idempotency_keys', 'select', 'STPAOVMY', '', null),
    ('idempotency_keys', 'insert', 'STPAOVMY', '', null),
    ('idempotency_keys', 'update', 'STPAOVMY', '', 'headers = ''x'''),
    ('idempotency_keys', 'delete', 'STPAOVMY', '', null); -- the keys of the matrix have expired

-- Operators see and limit organisations that are not theirs; of what is in them, nothing.
create temp table far (name text, verb text, callers text, primary key (name, verb));
insert into far values ('orgs', 'select', 'O'), ('org_limits', 'select', 'O'), ('org_limits', 'update', 'O'), ('org_usage', 'select', 'O');

-- A refusal is no row, or 42501 where there is no right or a row is added, but for these: rules refuse the row before the
-- policies see it.
create temp table refusal (name text, verb text, scopes text, callers text, answer text);
insert into refusal values
    ('courses', 'insert', 'own nobody orgless', 'SPVMY', '23514 courses_owner_role'),
    ('enrollments', 'insert', 'own nobody orgless', 'TPAOVMY', '23514 enrollments_role'),
    ('enrollments', 'insert', 'foreign', 'STPAOVMY', '23514 enrollments_role');

-- Functions: who may execute them, besides their owner; whether they run with the rights of lectern_definer.
create temp table callable (name text primary key, may text, definer bool);
insert into callable select 'app.' || f, may, false from (values
    ('app definer jobs ro', '{user_id(),org_id(),role(),"is_line(text,integer)","is_text(text,integer)",is_email(text),is_document(jsonb),
        is_locale(text),is_timezone(text),is_staff_role(text),is_admin_role(text),"if_match(bigint,bigint)"}'::text[]),
    ('app definer ro', '{is_operator()}'),
    ('app jobs ro', '{schema_version()}'),
    ('definer jobs', '{sealed_columns(),sealed_key(text)}'),
    ('app', '{user_within_reach(uuid),"idempotency_claim(text,text,bytea,integer)","enrollment_import_plan(uuid,text[],integer[],uuid[])",
        "enrollment_import(uuid,uuid,text[],integer[],uuid[],boolean,boolean,text)"}'),
    ('definer', '{role_rank(text),"session_until(integer,integer)",signin_account(text),audit_hash(app.audit_logs),"audit_redact(jsonb,text[])","audit_keep(jsonb,text[],integer)"}'),
    ('', '{announcement_reads_rules(),audit_refuse(),audit_capture(),courses_rules(),touch(),uuid_v7(timestamp with time zone)}')
) v (may, names), unnest(names) f;
insert into callable select 'app.' || f, may, true from (values
    ('app ro', '{managed_courses(),taught_courses(),enrolled_courses(),manages_course(uuid)}'::text[]),
    ('app ro', '{parent_students(),parent_courses(),parent_link_names(uuid)}'),
    ('app', '{"parent_link_ask(uuid,uuid,text)","parent_link_code_put(bytea,integer)","parent_link_redeem(uuid,bytea)",
        "export_request(uuid,integer,integer)",account_erase()}'),
    ('jobs', '{exports_build(),person_purge(integer)}'),
    ('', '{parent_links_rules(),"personal_rows(uuid,text)","personal_erase(uuid,text)",courses_bequeath(uuid)}'),
    ('app', '{"session_check(uuid,uuid,uuid,text)","register(uuid,text,text,text,text)",login_lookup(text),"password_rehash(uuid,text,text)",
        "session_open(uuid,uuid,bytea,inet,text,integer,integer,integer)","session_rotate(uuid,bytea,bytea,integer,integer,uuid)","session_end(uuid,text)",
        "sessions_end(uuid,text,uuid)","set_user_role(uuid,text,bigint)","course_transfer(uuid,uuid,bigint)",
        "enrol_with_code(uuid,uuid,text)",enrollment_import_undo(uuid)}'),
    ('app', '{"user_sessions_end(uuid,uuid,text)","signin_begin(text,inet,uuid,uuid,integer,integer,integer)","signin_passed(text,text)",
        "signin_locked(text,text,uuid)",user_unlock(uuid)}'),
    ('jobs', '{signin_failures_purge(integer)}'),
    ('', '{"signin_source(text,inet,uuid,uuid)",lockout_clear(uuid)}'),
    ('app', '{account_find(text),"account_token_issue(uuid,uuid,text,bytea,integer)","account_token_email(bytea,text)",email_verify(bytea),
        "password_reset(bytea,text,uuid)",password_current(),"password_change(text,text,uuid)"}'),
    ('jobs', '{account_tokens_purge(integer)}'),
    ('', '{"account_token_use(bytea,text)"}'),
    ('app', '{"user_remove(uuid,bigint)","org_change(uuid,text,text,text,bigint)",
        "org_create(uuid,text,text,text,text,jsonb,bigint,bigint,bigint,bigint)","org_first_admin(uuid,uuid,text,text,text)",
        "quota_check(text,bigint)","invite(uuid,uuid,text,text,bytea,integer)",invitation_open(bytea),
        "invitation_accept(bytea,uuid,text,text)"}'),
    ('jobs', '{purge_invitations(integer)}'),
    ('', '{users_last_admin(),sessions_org_active(),orgs_begin(),users_admit(),users_count(),invitations_inviter_gone()}'),
    ('app', '{"mail_enqueue(uuid,uuid,uuid,text,text,text,text,text,text)"}'),
    ('jobs', '{mail_claim(integer),"mail_end(uuid,integer,text,text,integer)","mails_purge(integer,integer)"}'),
    ('app', '{"second_factor_challenge(uuid,bytea,integer)",second_factor_challenged(bytea),"second_factor_answer(bytea,bigint,bytea,uuid)",
        second_factor_settle(bytea),second_factor_check(uuid),second_factor_attempt(),second_factor_enrol(text),
        "second_factor_confirm(bigint,bytea[],uuid)","second_factor_codes(bigint,bytea[])","second_factor_disable(bigint,bytea)",
        second_factor_reset(uuid)}'),
    ('', '{second_factor_try(uuid),"second_factor_take(uuid,bigint,bytea)","recovery_codes_put(uuid,bytea[])",second_factor_remove(uuid)}'),
    ('app jobs', '{"audit_append(uuid,text,text,uuid,integer,text[],uuid)"}'),
    ('jobs', '{events_make_partitions(integer),audit_heads(),audit_verify(text[]),purge_expired(integer),sealed_usage(),
        "sealed_batch(text,text,text,uuid,integer,bigint)","sealed_swap(text,text,uuid[],text[],text[])"}'),
    ('', '{courses_owner_role(),courses_join_code(),course_staff_rules(),"enrollments_take_place(uuid,uuid,uuid)",enrollments_rules()}')
) v (may, names), unnest(names) f;

-- Calls with identifiers of another organisation, and without an identity ("nobody": the role alone). Every definer function
-- that lectern_app may execute has both. Those before sign-in take no identity; there, what is foreign comes without its
-- secret. No foreign call may change the other organisation, none without identity anything.
create temp table call (name text, who text, statement text, answer text);
insert into call values
    ('managed_courses', 'forged.teacher', 'value:select app.managed_courses()', '{}'),
    ('managed_courses', 'nobody.admin', 'value:select app.managed_courses()', '{}'),
    ('taught_courses', 'forged.teacher', 'value:select app.taught_courses()', '{}'),
    ('taught_courses', 'nobody.teacher', 'value:select app.taught_courses()', '{}'),
    ('enrolled_courses', 'forged.student', 'value:select app.enrolled_courses()', '{}'),
    ('enrolled_courses', 'nobody.student', 'value:select app.enrolled_courses()', '{}'),
    ('manages_course', 'own.admin', 'value:select app.manages_course(t.id(''c.b''))', 'false'),
    ('manages_course', 'own.teacher', 'value:select app.manages_course(t.id(''c.b''))', 'false'),
    ('manages_course', 'nobody.admin', 'value:select app.manages_course(t.id(''c.main''))', 'false'),
    ('session_check', 'own.admin', 'select app.session_check(t.id(''s.bstudent''), t.id(''bstudent''), t.id(''A''), ''student'')', 'LE401'),
    ('session_check', 'nobody.admin', 'select app.session_check(t.id(''s.bstudent''), t.id(''pupil.admin''), t.id(''A''), ''admin'')', 'LE401'),
    ('register', 'own.admin', 'value:select app.register(t.id(''new''), ''org-b'', ''bstudent@b.example'', ''x'', ''$argon2id$'' || repeat(''x'', 40))', null),
    ('register', 'nobody.admin', 'select app.register(t.id(''new''), ''org-z'', ''new@b.example'', ''x'', ''$argon2id$'' || repeat(''x'', 40))', 'LE403'),
    ('login_lookup', 'own.admin', 'select from app.login_lookup(''%@b.example'')', '0'),
    ('login_lookup', 'nobody.admin', 'select from app.login_lookup('''')', '0'),
    ('password_rehash', 'own.admin', 'value:select app.password_rehash(t.id(''bstudent''), ''$argon2id$x'', ''$argon2id$'' || repeat(''y'', 40))', 'false'),
    ('password_rehash', 'nobody.admin', 'value:select app.password_rehash(t.id(''student''), null, ''$argon2id$'' || repeat(''y'', 40))', 'false'),
    ('session_open', 'own.admin', 'select app.session_open(t.id(''s.bstudent''), t.id(''bstudent''), sha256(''q''), null, null, 1, 9)', '23505 sessions_pkey'),
    ('session_open', 'nobody.admin', 'select app.session_open(t.id(''new''), null, sha256(''q''), null, null, 1, 9)', 'LE401'),
    ('session_rotate', 'own.admin', 'value:select outcome from app.session_rotate(t.id(''s.bstudent''), sha256(''q''), sha256(''r''), 1)', 'invalid'),
    ('session_rotate', 'nobody.admin', 'value:select outcome from app.session_rotate(t.id(''s.student''), null, sha256(''r''), 1)', 'invalid'),
    ('session_end', 'own.admin', 'value:select app.session_end(t.id(''s.bstudent''), ''x'')', 'false'),
    ('session_end', 'own.operator', 'value:select app.session_end(t.id(''s.bstudent''), ''x'')', 'false'),
    ('session_end', 'nobody.admin', 'value:select app.session_end(t.id(''s.student''), ''x'')', 'false'),
    ('sessions_end', 'own.admin', 'value:select app.sessions_end(t.id(''bstudent''), ''x'')', '{}'),
    ('sessions_end', 'nobody.admin', 'value:select app.sessions_end(t.id(''student''), ''x'')', '{}'),
    ('user_sessions_end', 'own.admin', 'select app.user_sessions_end(t.id(''bstudent''), null, ''x'')', 'LE404'),
    ('user_sessions_end', 'own.operator', 'select app.user_sessions_end(t.id(''bstudent''), t.id(''s.bstudent''), ''x'')', 'LE404'),
    ('user_sessions_end', 'own.admin', 'select app.user_sessions_end(t.id(''student''), t.id(''s.bstudent''), ''x'')', 'LE404'),
    ('user_sessions_end', 'nobody.admin', 'select app.user_sessions_end(t.id(''student''), null, ''x'')', '42501'),
    -- Counting an attempt takes no identity: it is what anyone does who names an address. It says nothing of the account.
    ('signin_begin', 'own.admin', 'value:select b::text from app.signin_begin(''bstudent@b.example'', null, t.id(''student''), t.id(''d''), 0, 0, 0) b', '(t,t,elsewhere)'),
    ('signin_begin', 'nobody.admin', 'select app.signin_begin(null, null, null, null, 1, 1, 1)', '23502'),
    ('signin_passed', 'own.admin', 'value:select app.signin_passed(''bstudent@b.example'', ''network 192.0.2.1/32'')', 'false'),
    ('signin_passed', 'nobody.admin', 'value:select app.signin_passed(''student@a.example'', ''network 192.0.2.1/32'')', 'false'),
    ('signin_locked', 'own.admin', 'value:select user_id is null from app.signin_locked(''bstudent@b.example'', ''elsewhere'', t.id(''new''))', 'true'),
    ('signin_locked', 'nobody.admin', 'value:select user_id is null from app.signin_locked(''student@a.example'', ''elsewhere'', t.id(''new''))', 'true'),
    ('user_unlock', 'own.admin', 'select app.user_unlock(t.id(''bstudent''))', 'LE404'),
    ('user_unlock', 'own.operator', 'select app.user_unlock(t.id(''bstudent''))', 'LE404'),
    ('user_unlock', 'nobody.admin', 'select app.user_unlock(t.id(''student''))', '42501'),
    ('set_user_role', 'own.admin', 'select app.set_user_role(t.id(''bstudent''), ''admin'', null)', 'LE404'),
    ('set_user_role', 'own.operator', 'select app.set_user_role(t.id(''bstudent''), ''student'', 99)', 'LE404'),
    ('set_user_role', 'nobody.admin', 'select app.set_user_role(t.id(''student''), ''admin'', null)', '42501'),
    ('user_remove', 'own.admin', 'select app.user_remove(t.id(''bstudent''), null)', 'LE404'),
    ('user_remove', 'own.operator', 'select app.user_remove(t.id(''bstudent''), 99)', 'LE404'),
    ('user_remove', 'nobody.admin', 'select app.user_remove(t.id(''student''), null)', '42501'),
    ('org_change', 'own.admin', 'select app.org_change(t.id(''B''), null, ''x'', ''suspended'', null)', '42501'),
    ('org_change', 'own.operator', 'select app.org_change(t.id(''Z''), null, ''x'', null, null)', 'LE404'),
    ('org_change', 'own.operator', 'select app.org_change(t.id(''B''), null, ''x'', null, 99)', 'LE412'),
    ('org_change', 'nobody.operator', 'select app.org_change(t.id(''B''), null, ''x'', null, null)', '42501'),
    ('org_change', 'orgless.operator', 'select app.org_change(t.id(''A''), null, ''x'', null, null)', '42501'),
    ('org_create', 'own.admin', 'select app.org_create(t.id(''new''), ''new'', ''x'', null, null, null, null, null, null, null)', '42501'),
    ('org_create', 'own.operator', 'select app.org_create(t.id(''new''), ''org-b'', ''x'', null, null, null, null, null, null, null)', '23505 orgs_slug'),
    ('org_create', 'nobody.operator', 'select app.org_create(t.id(''new''), ''new'', ''x'', null, null, null, null, null, null, null)', '42501'),
    ('org_first_admin', 'own.admin', 'select app.org_first_admin(t.id(''new''), t.id(''B''), ''new@b.example'', ''x'', ''$argon2id$'' || repeat(''x'', 40))', '42501'),
    ('org_first_admin', 'own.operator', 'select app.org_first_admin(t.id(''new''), t.id(''B''), ''new@b.example'', ''x'', ''$argon2id$'' || repeat(''x'', 40))', '42501'),
    ('org_first_admin', 'nobody.operator', 'select app.org_first_admin(t.id(''new''), t.id(''B''), ''new@b.example'', ''x'', ''$argon2id$'' || repeat(''x'', 40))', '42501'),
    ('quota_check', 'own.admin', 'value:select app.quota_check(''storage_bytes'', 1)', ''),
    ('quota_check', 'nobody.admin', 'value:select app.quota_check(''storage_bytes'', 1)', '42501'),
    ('invite', 'own.admin', 'select app.invite(t.id(''new''), t.id(''B''), ''new@b.example'', ''admin'', sha256(''q''), 1)', '42501'),
    ('invite', 'own.operator', 'select app.invite(t.id(''new''), t.id(''B''), ''new@b.example'', ''student'', sha256(''q''), 1)', '42501'),
    ('invite', 'own.operator', 'select app.invite(t.id(''new''), t.id(''Z''), ''new@b.example'', ''admin'', sha256(''q''), 1)', 'LE404'),
    ('invite', 'nobody.admin', 'select app.invite(t.id(''new''), null, ''new@b.example'', ''admin'', sha256(''q''), 1)', '42501'),
    ('invite', 'nobody.operator', 'select app.invite(t.id(''new''), t.id(''B''), ''new@b.example'', ''admin'', sha256(''q''), 1)', '42501'),
    ('invitation_open', 'own.admin', 'select from app.invitation_open(sha256(''q''))', '0'),
    ('invitation_open', 'nobody.admin', 'select from app.invitation_open(null)', '0'),
    ('invitation_accept', 'own.admin', 'select app.invitation_accept(sha256(''q''), t.id(''new''), ''x'', ''$argon2id$'' || repeat(''x'', 40))', 'LE410'),
    ('invitation_accept', 'nobody.admin', 'select app.invitation_accept(null, t.id(''new''), ''x'', ''$argon2id$'' || repeat(''x'', 40))', 'LE410'),
    ('course_transfer', 'own.admin', 'select app.course_transfer(t.id(''c.b''), t.id(''pupil.admin''), null)', 'LE404'),
    ('course_transfer', 'own.teacher', 'select app.course_transfer(t.id(''c.b''), t.id(''pupil.teacher''), 99)', 'LE404'),
    ('course_transfer', 'own.teacher', 'select app.course_transfer(t.id(''m.c.teacher''), t.id(''bteacher''), null)', '23514 courses_owner_role'),
    ('course_transfer', 'nobody.admin', 'select app.course_transfer(t.id(''c.main''), t.id(''other''), null)', 'LE404'),
    ('enrol_with_code', 'own.student', 'select app.enrol_with_code(t.id(''new''), t.id(''c.b''), ''right-code'')', 'LE404'),
    ('enrol_with_code', 'nobody.student', 'select app.enrol_with_code(t.id(''new''), t.id(''c.open''), null)', 'LE404'),
    ('enrollment_import_undo', 'own.admin', 'select app.enrollment_import_undo(t.id(''i.b''))', 'LE404'),
    ('enrollment_import_undo', 'own.teacher', 'select app.enrollment_import_undo(t.id(''i.b''))', 'LE404'),
    ('enrollment_import_undo', 'nobody.admin', 'select app.enrollment_import_undo(t.id(''i.main''))', 'LE404'),
    ('parent_students', 'forged.parent', 'value:select app.parent_students()', '{}'),
    ('parent_students', 'nobody.parent', 'value:select app.parent_students()', '{}'),
    ('parent_courses', 'forged.parent', 'value:select app.parent_courses()', '{}'),
    ('parent_courses', 'nobody.parent', 'value:select app.parent_courses()', '{}'),
    ('parent_link_names', 'own.admin', 'select from app.parent_link_names(t.id(''m.p.foreign''))', '0'),
    ('parent_link_names', 'nobody.admin', 'select from app.parent_link_names(t.id(''m.p.other''))', '0'),
    ('parent_link_ask', 'own.parent', 'select app.parent_link_ask(t.id(''new''), t.id(''bstudent''), ''bstudent@b.example'')', '1'),
    ('parent_link_ask', 'own.admin', 'select app.parent_link_ask(t.id(''new''), t.id(''student''), null)', '42501'),
    ('parent_link_ask', 'nobody.parent', 'select app.parent_link_ask(t.id(''new''), t.id(''student''), null)', '42501'),
    ('parent_link_code_put', 'forged.student', 'select app.parent_link_code_put(sha256(''q''), 5)', '42501'),
    ('parent_link_code_put', 'nobody.student', 'select app.parent_link_code_put(sha256(''q''), 5)', '42501'),
    ('parent_link_redeem', 'own.parent', 'value:select app.parent_link_redeem(t.id(''new''), sha256(''m.code.foreign''))', null),
    ('parent_link_redeem', 'nobody.parent', 'value:select app.parent_link_redeem(t.id(''new''), sha256(''m.code.other''))', '42501'),
    ('export_request', 'forged.student', 'select app.export_request(t.id(''new''), 0, 1)', '42501'),
    ('export_request', 'nobody.admin', 'select app.export_request(t.id(''new''), 0, 1)', '42501'),
    ('account_erase', 'forged.student', 'select app.account_erase()', 'LE401'),
    ('account_erase', 'nobody.admin', 'select app.account_erase()', 'LE401'),
    ('account_find', 'own.admin', 'value:select coalesce(user_id::text, ''nobody'') from app.account_find(''%@b.example'')', 'nobody'),
    ('account_find', 'nobody.admin', 'value:select coalesce(user_id::text, ''nobody'') from app.account_find('''')', 'nobody'),
    ('account_token_issue', 'own.admin', 'select app.account_token_issue(t.id(''bstudent''), t.id(''B''), ''password_reset'', sha256(''q''), 60)', '42501'),
    ('account_token_issue', 'nobody.admin', 'select app.account_token_issue(t.id(''student''), t.id(''A''), ''password_reset'', sha256(''q''), 60)', '42501'),
    ('account_token_email', 'own.admin', 'value:select app.account_token_email(sha256(''q''), ''password_reset'')', null),
    ('account_token_email', 'nobody.admin', 'value:select app.account_token_email(null, ''password_reset'')', null),
    ('email_verify', 'own.admin', 'value:select app.email_verify(sha256(''q''))', 'false'),
    ('email_verify', 'nobody.admin', 'value:select app.email_verify(null)', 'false'),
    ('password_reset', 'own.admin', 'select app.password_reset(sha256(''q''), ''$argon2id$'' || repeat(''y'', 40), t.id(''new''))', '0'),
    ('password_reset', 'nobody.admin', 'select app.password_reset(null, ''$argon2id$'' || repeat(''y'', 40), t.id(''new''))', '0'),
    ('password_current', 'forged.admin', 'value:select app.password_current()', null),
    ('password_current', 'nobody.admin', 'value:select app.password_current()', null),
    ('password_change', 'forged.admin', 'select app.password_change(''$argon2id$'' || repeat(''x'', 40), ''$argon2id$'' || repeat(''y'', 40), null)', '0'),
    ('password_change', 'nobody.admin', 'select app.password_change(null, ''$argon2id$'' || repeat(''y'', 40), null)', '0'),
    ('mail_enqueue', 'own.admin', 'select app.mail_enqueue(t.id(''new''), t.id(''B''), t.id(''bstudent''), ''password_changed'', ''bstudent@b.example'', ''x'', ''en'', null, null)', '42501'),
    ('mail_enqueue', 'own.admin', 'select app.mail_enqueue(t.id(''new''), t.id(''A''), t.id(''bstudent''), ''password_changed'', ''bstudent@b.example'', ''x'', ''en'', null, null)', '42501'),
    ('mail_enqueue', 'own.operator', 'select app.mail_enqueue(t.id(''new''), t.id(''B''), null, ''invitation'', ''new@b.example'', ''x'', ''en'', null, null)', '42501'),
    ('mail_enqueue', 'nobody.admin', 'select app.mail_enqueue(t.id(''new''), t.id(''A''), t.id(''student''), ''password_reset'', ''student@a.example'', ''x'', ''en'', null, null)', '42501'),
    -- The factor of "foreign" is confirmed, its challenge has the digest of its name.
    ('second_factor_challenge', 'own.admin', 'value:select app.second_factor_challenge(t.id(''pupil.foreign''), sha256(''q''), 300)', 'false'),
    ('second_factor_challenge', 'nobody.admin', 'value:select app.second_factor_challenge(t.id(''outsider''), sha256(''q''), 300)', 'false'),
    ('second_factor_challenged', 'own.admin', 'select from app.second_factor_challenged(sha256(''foreign''))', '0'),
    ('second_factor_challenged', 'nobody.admin', 'select from app.second_factor_challenged(sha256(''no such''))', '0'),
    ('second_factor_answer', 'own.admin', 'value:select app.second_factor_answer(sha256(''foreign''), 99, null, t.id(''new''))', 'false'),
    ('second_factor_answer', 'nobody.admin', 'value:select app.second_factor_answer(sha256(''no such''), 99, null, t.id(''new''))', 'false'),
    ('second_factor_settle', 'own.admin', 'value:select app.second_factor_settle(sha256(''foreign''))', 'false'),
    ('second_factor_settle', 'nobody.admin', 'value:select app.second_factor_settle(sha256(''student''))', 'false'),
    ('second_factor_check', 'own.admin', 'select app.second_factor_check(t.id(''m.s.foreign''))', 'LE428'),
    ('second_factor_check', 'forged.admin', 'select app.second_factor_check(t.id(''m.s.admin''))', 'LE428'),
    ('second_factor_check', 'nobody.admin', 'select app.second_factor_check(t.id(''m.s.admin''))', 'LE428'),
    ('second_factor_attempt', 'forged.admin', 'select from app.second_factor_attempt()', '0'),
    ('second_factor_attempt', 'nobody.admin', 'select from app.second_factor_attempt()', '0'),
    ('second_factor_enrol', 'forged.admin', 'value:select app.second_factor_enrol(''v1.k.'' || repeat(''x'', 40))', 'false'),
    ('second_factor_enrol', 'nobody.admin', 'value:select app.second_factor_enrol(''v1.k.'' || repeat(''x'', 40))', 'false'),
    ('second_factor_confirm', 'forged.admin', 'value:select app.second_factor_confirm(99, ''{}'', t.id(''m.s.foreign''))', null),
    ('second_factor_confirm', 'nobody.admin', 'value:select app.second_factor_confirm(99, ''{}'', t.id(''m.s.admin''))', null),
    ('second_factor_codes', 'forged.admin', 'value:select app.second_factor_codes(99, ''{}'')', 'false'),
    ('second_factor_codes', 'nobody.admin', 'value:select app.second_factor_codes(99, ''{}'')', 'false'),
    ('second_factor_disable', 'forged.admin', 'value:select app.second_factor_disable(99, null)', 'false'),
    ('second_factor_disable', 'nobody.admin', 'value:select app.second_factor_disable(99, null)', 'false'),
    ('second_factor_reset', 'own.admin', 'select app.second_factor_reset(t.id(''pupil.foreign''))', 'LE404'),
    ('second_factor_reset', 'own.operator', 'select app.second_factor_reset(t.id(''pupil.foreign''))', 'LE404'),
    ('second_factor_reset', 'nobody.admin', 'select app.second_factor_reset(t.id(''pupil.student''))', '42501'),
    ('audit_append', 'own.admin', 'select app.audit_append(t.id(''new''), ''x'', ''y'', t.id(''bstudent''), 99, ''{}'', t.id(''B''))', '1'),
    ('audit_append', 'nobody.admin', 'select app.audit_append(t.id(''new''), ''x'', ''y'', null, 99, ''{}'')', '23502'),
    -- Rules that look where their caller may not: what they say of another organisation's course is the same whatever it is.
    ('(enrollments_rules)', 'own.teacher', 'insert into app.enrollments (id, org_id, course_id, user_id) values (t.id(''new''), t.id(''A''), t.id(''m.full''), t.id(''pupil.foreign''))', '23514 enrollments_role'),
    ('(enrollments_rules)', 'own.teacher', 'insert into app.enrollments (id, org_id, course_id, user_id) values (t.id(''new''), t.id(''A''), t.id(''m.old''), t.id(''pupil.foreign''))', '23514 enrollments_role'),
    ('(enrollments_rules)', 'own.teacher', 'insert into app.enrollments (id, org_id, course_id, user_id) values (t.id(''new''), t.id(''A''), t.id(''nothing''), t.id(''pupil.foreign''))', '23514 enrollments_role'),
    ('(course_staff_rules)', 'own.teacher', 'insert into app.course_staff (course_id, user_id, org_id, role) values (t.id(''c.b''), t.id(''bteacher''), t.id(''A''), ''assistant'')', '42501'),
    ('(course_staff_rules)', 'own.teacher', 'insert into app.course_staff (course_id, user_id, org_id, role) values (t.id(''c.b''), t.id(''bstudent''), t.id(''A''), ''assistant'')', '42501');

-- The rows. Each holder has one in every table: each role's own, "other" of the same organisation, "foreign" of another. A
-- holder owns the course m.c.X and is pupil.X; triggers are off, so that a student can hold what only a teacher gets.
create temp table holder (name text primary key, org uuid, role text);
insert into holder select role, t.id('A'), role from caller union all values ('other', t.id('A'), 'student'), ('foreign', t.id('B'), 'student');
set local session_replication_role = replica;
insert into app.users (id, org_id, email, name, role)
select t.id('pupil.' || name), org, name || '@m.example', name, role from holder
union all select t.id(o || '.host'), t.id(o), lower(o) || '@host.example', 'host', 'teacher' from unnest('{A,B}'::text[]) o;
insert into app.credentials (user_id, org_id, password_hash)
select t.id('pupil.' || name), org, '$argon2id$' || repeat('x', 40) from holder;
insert into app.sessions (id, org_id, user_id, expires_at) select t.id('m.s.' || name), org, t.id('pupil.' || name), now() + interval '1 day' from holder;
insert into app.refresh_tokens (digest, session_id, org_id, expires_at) select sha256(name::bytea), t.id('m.s.' || name), org, now() + interval '1 day' from holder;
-- Of "other" and "foreign" the course is a teacher's: the host's.
create temp table host as select name, org, case when org = t.id('A') then 'A' else 'B' end || '.host' as host from holder;
insert into app.invitations (id, org_id, email, role, digest, expires_at)
select t.id('m.w.' || name), org, name || '@w.example', 'student', sha256(name::bytea), now() + interval '1 day' from holder;
insert into app.courses (id, org_id, owner_id, title, status, published_at)
select t.id('m.c.' || name), org, t.id(case when name in ('other', 'foreign') then host else 'pupil.' || name end), name, 'published', now() from host;
insert into app.courses (id, org_id, owner_id, title, status, visibility, enrollment, seats, published_at, archived_at)
select t.id(v.name), t.id(org), t.id(org || '.host'), v.name, status, 'catalogue', 'open', seats, now(), case status when 'archived' then now() end
from (values ('A.open', 'A', 'published', null), ('B.open', 'B', 'published', null), ('m.old', 'B', 'archived', null), ('m.full', 'B', 'published', 1)) v (name, org, status, seats);
insert into app.course_codes (course_id, org_id, code) select t.id('m.c.' || name), org, 'code-' || name from holder;
insert into app.course_staff (course_id, user_id, org_id, role) select t.id('m.c.' || name), t.id(case when org = t.id('A') then 'helper' else 'bstudent' end), org, 'assistant' from holder;
insert into app.enrollments (id, org_id, course_id, user_id, source)
select t.id('m.e.' || name), org, t.id(left(host, 1) || '.open'), t.id('pupil.' || name), 'self' from host
union all select t.id('m.e.full'), t.id('B'), t.id('m.full'), t.id('bstudent'), 'self';
insert into app.enrollment_imports (id, org_id, course_id, created_by, digest, atomic, total)
select t.id('m.i.' || name), org, t.id('m.c.' || name), t.id('pupil.' || name), repeat('a', 64), false, 0 from holder;
insert into app.enrollment_import_rows (import_id, org_id, line, email, action) select t.id('m.i.' || name), org, 1, 'x', 'unchanged' from holder;
insert into app.announcements (id, org_id, course_id, author_id, title, body)
select t.id('m.n.' || name), org, t.id('m.c.' || name), t.id('pupil.' || name), 'x', 'y' from holder;
insert into app.announcement_reads (announcement_id, user_id, org_id)
select t.id(case when org = t.id('A') then 'n.org' else 'n.b' end), t.id('pupil.' || name), org from holder;
insert into app.events (id, org_id, kind, actor_id) select t.id('m.v.' || name), org, 'x', t.id('pupil.' || name) from holder;
insert into app.audit_logs (id, chain, seq, org_id, actor_id, action, target_type, prev_hash, hash)
select t.id('m.l.' || name), 0, 100 + row_number() over (), org, t.id('pupil.' || name), 'x', 'y', sha256(''), sha256('') from holder;
insert into app.second_factors (user_id, org_id, sealed, confirmed_at) select t.id('pupil.' || name), org, 'v1.k.' || repeat('x', 40), now() from holder;
insert into app.recovery_codes (user_id, org_id, digest) select t.id('pupil.' || name), org, sha256(name::bytea) from holder;
insert into app.second_factor_challenges (digest, user_id, org_id, expires_at)
select sha256(name::bytea), t.id('pupil.' || name), org, now() + interval '1 hour' from holder;
insert into app.idempotency_keys (org_id, user_id, key, route, digest, created_at, expires_at)
select org, t.id('pupil.' || name), 'm', 'POST /x', sha256('x'), now() - interval '2 days', now() - interval '1 day' from holder;
insert into app.audit_origins (audit_id, org_id, person_id, address) select t.id('m.l.' || name), org, t.id('pupil.' || name), '192.0.2.1' from holder;
insert into app.parent_links (id, org_id, parent_id, student_id, status, source, decided_at)
select t.id('m.p.' || name), org, t.id('pupil.' || name), t.id(case when org = t.id('A') then 'outsider' else 'bstudent' end), 'approved', 'code', now() from holder;
insert into app.parent_link_codes (student_id, org_id, digest, expires_at)
select t.id('pupil.' || name), org, sha256(('m.code.' || name)::bytea), now() + interval '1 day' from holder;
insert into app.parent_link_tries (parent_id, org_id, failures) select t.id('pupil.' || name), org, 1 from holder;
insert into app.exports (id, org_id, user_id, state, parts, bytes, ready_at, expires_at)
select t.id('m.x.' || name), org, t.id('pupil.' || name), 'ready', 1, 2, now(), now() + interval '1 day' from holder;
insert into app.export_parts (export_id, org_id, part, document) select t.id('m.x.' || name), org, 1, '{}' from holder;
insert into app.signin_failures (account, source, attempts, ends_at) select app.signin_account(name || '@m.example'), 'elsewhere', 1, now() from holder;
insert into app.account_tokens (digest, org_id, user_id, purpose, expires_at) select sha256(name::bytea), org, t.id('pupil.' || name), 'password_reset', now() + interval '1 hour' from holder;
insert into app.mails (id, org_id, user_id, kind, address) select t.id('m.m.' || name), org, t.id('pupil.' || name), 'password_changed', name || '@m.example' from holder;
update app.courses set enrollment = 'closed' where enrollment = 'code'; -- so that a code may go
set local session_replication_role = origin;

-- Each role with its whole identity, without an organisation, with the role alone, and with another organisation's.
insert into t.persons
select scope || '.' || role, case when scope <> 'nobody' then t.id('pupil.' || role) end,
       case scope when 'own' then t.id('A') when 'forged' then t.id('B') end, role
from caller, unnest('{own,orgless,nobody,forged}'::text[]) scope;
