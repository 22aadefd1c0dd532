-- How many rows of each table each person sees.
begin;
set local search_path = t, public;
select no_plan();

create temp table expected (who text, orgs int, users int, sessions int, courses int,
                            course_codes int, course_staff int, enrollments int, imports int,
                            import_rows int, announcements int, reads int, events int, audit int,
                            keys int);
insert into expected values
--   who        org usr ses crs cod stf enr imp row ann rea evt aud key
    -- but no sessions of the operator
    ('admin',     1, 14, 13,  5,  1,  2,  7,  1,  1,  5,  2,  3,  1,  0),
    ('operator',  2, 14, 14,  5,  1,  2,  7,  1,  1,  5,  2,  3,  1,  0),
    -- owner of main, draft, old; open by the catalogue
    ('teacher',   1, 14,  1,  4,  0,  2,  7,  1,  1,  3,  1,  0,  0,  1),
    ('coteacher', 1, 14,  1,  2,  0,  2,  5,  1,  1,  3,  1,  0,  0,  0),
    ('other',     1, 14,  1,  2,  1,  0,  0,  0,  0,  2,  0,  0,  0,  0),
    -- assists in main
    ('helper',    1,  5,  1,  2,  0,  2,  5,  1,  1,  3,  1,  0,  0,  0),
    -- main, old (archived) and open, not the draft
    ('student',   1,  5,  1,  3,  0,  2,  3,  0,  0,  2,  1,  1,  0,  1),
    ('done',      1,  5,  1,  2,  0,  2,  1,  0,  0,  2,  0,  0,  0,  0),
    -- access over, not yet begun, withdrawn: as if not enrolled, but for the enrollment itself
    ('late',      1,  5,  1,  1,  0,  0,  1,  0,  0,  1,  0,  0,  0,  0),
    ('early',     1,  5,  1,  1,  0,  0,  1,  0,  0,  1,  0,  0,  0,  0),
    ('gone',      1,  5,  1,  1,  0,  0,  1,  0,  0,  1,  0,  0,  0,  0),
    ('outsider',  1,  5,  1,  1,  0,  0,  0,  0,  0,  1,  1,  0,  0,  0),
    ('parent',    1,  5,  1,  1,  0,  0,  0,  0,  0,  1,  0,  0,  0,  0),
    ('badmin',    1,  3,  3,  1,  1,  0,  1,  1,  1,  2,  1,  1,  1,  0),
    ('bteacher',  1,  3,  1,  1,  1,  0,  1,  1,  1,  2,  0,  0,  0,  0),
    ('bstudent',  1,  3,  1,  1,  0,  0,  1,  0,  0,  2,  1,  1,  0,  1),
    ('none',      0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0),
    ('orgless',   0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0),
    ('userless',  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0);

select is(t.dry(e.who, 'select from app.' || v.tbl), v.n::text, e.who || ' reads ' || v.tbl)
from expected e
cross join lateral (values
    ('orgs', orgs), ('users', users), ('sessions', sessions), ('courses', courses),
    ('course_codes', course_codes), ('course_staff', course_staff), ('enrollments', enrollments),
    ('enrollment_imports', imports), ('enrollment_import_rows', import_rows),
    ('announcements', announcements), ('announcement_reads', reads), ('events', events),
    ('audit_logs', audit), ('idempotency_keys', keys)) v (tbl, n);

-- A draft is its staff's alone, with what belongs to it, even for who is enrolled already.
insert into app.announcements (id, org_id, course_id, author_id, title, body)
values (t.id('n.draft'), t.id('A'), t.id('c.draft'), t.id('teacher'), 'draft', 'x');
select is(t.dry(v.who, 'select from app.announcements where title = ''draft'''), v.n, v.who || ' reads of a draft')
from (values ('teacher', '1'), ('admin', '1'), ('student', '0'), ('coteacher', '0'), ('badmin', '0')) v (who, n);

-- What nobody reads.
select is(t.dry(p.name, 'select from app.' || v.tbl), '42501', p.name || ' cannot read ' || v.tbl)
from t.persons p
cross join (values ('credentials'), ('refresh_tokens'), ('audit_chains'), ('signin_failures'), ('events_default')) v (tbl);

-- Nothing of another organisation, whatever is seen.
select is(t.dry(p.name, format('value:select count(*) from app.%s where org_id <> %L', v.tbl,
                               coalesce(p.org_id, t.id('A')))), '0',
          p.name || ' sees no other organisation in ' || v.tbl)
from t.persons p
cross join (values ('users'), ('sessions'), ('courses'), ('course_codes'), ('course_staff'),
                   ('enrollments'), ('enrollment_imports'), ('enrollment_import_rows'),
                   ('announcements'), ('announcement_reads'), ('events'), ('audit_logs'),
                   ('idempotency_keys')) v (tbl);

-- The other roles of the database.
select is(t.dry('admin', 'select from app.' || c.relname, r.name), '42501',
          r.name || ' has no right on ' || c.relname)
from pg_class c
cross join (values ('lectern_ro'), ('lectern_jobs')) r (name)
where c.relnamespace = 'app'::regnamespace and c.relkind in ('r', 'p');

select * from finish();
rollback;
