-- A role of the service with more than its part: login roles that own something or pass the
-- policies, memberships between roles, a right of lectern_app on what only functions may touch.
select 'attribute' as kind, r.rolname::text as name
from pg_roles r
where r.rolname ~ '^lectern_(owner|definer|app|jobs|ro)$'
      and (r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolcreatedb or r.rolreplication
           or r.rolcanlogin <> (r.rolname in ('lectern_app', 'lectern_jobs')))
union all
select 'membership', m.member::regrole || ' in ' || m.roleid::regrole
from pg_auth_members m
where m.member in (select oid from pg_roles where rolname ~ '^lectern_(app|jobs|ro|definer)$')
union all
select 'owner', c.oid::regclass::text
from pg_class c
where c.relnamespace = 'app'::regnamespace and c.relowner <> 'lectern_owner'::regrole
union all
select 'grant', t.name || ' ' || p.name
from (values ('app.credentials'), ('app.refresh_tokens'), ('app.audit_chains'),
             ('app.signin_failures'), ('app.second_factor_challenges')) t (name)
cross join (values ('select'), ('insert'), ('update'), ('delete'), ('truncate')) p (name)
where has_table_privilege('lectern_app', t.name, p.name)
union all
select 'grant', c.name || '.' || c.col
from (values ('app.second_factors', 'sealed'), ('app.recovery_codes', 'digest')) c (name, col)
where has_column_privilege('lectern_app', c.name, c.col, 'select, insert, update')
union all
select 'grant', 'app.audit_logs ' || p.name || ' ' || r.name
from (values ('lectern_app'), ('lectern_jobs'), ('lectern_ro'), ('lectern_definer')) r (name)
cross join (values ('update'), ('delete'), ('truncate')) p (name)
where has_table_privilege(r.name, 'app.audit_logs', p.name);
