-- The denial matrix: every relation of the schema by every role, verb and kind of row, every function by every role of the
-- database, generated from the catalogue and compared with support/expectations.sql.
begin;
set local search_path = t, public;
select no_plan();
\ir support/expectations.sql
select t.act('none', 'select app.events_make_partitions(1)', 'lectern_jobs');

-- The catalogue: what there is, with its rights.
create function pg_temp.rights(acl aclitem[], columns jsonb, owner oid) returns text language sql as $$
    with granted as (
        select a.grantee, lower(a.privilege_type) as verb, null::text as col, 0 as n from aclexplode(acl) a
        union all
        select a.grantee, lower(a.privilege_type), c.value ->> 0, c.ordinality
        from jsonb_array_elements(columns) with ordinality c, aclexplode((c.value ->> 1)::aclitem[]) a),
    verbs as (
        select grantee, verb || coalesce('(' || string_agg(col, ',' order by n) || ')', '') as verb
        from granted where grantee <> owner group by grantee, granted.verb),
    roles as (
        select case grantee when 0 then 'PUBLIC' else replace(pg_get_userbyid(grantee), 'lectern_', '') end || ': '
               || string_agg(verb, ' ' order by verb collate "C") as role
        from verbs group by grantee)
    select coalesce(string_agg(role, '; ' order by role collate "C"), '') from roles
$$;
create temp view actual_relation as
select c.relname as relation, c.relkind as kind,
       coalesce((select p.relname || '_*' from pg_inherits i join pg_class p on p.oid = i.inhparent
                 where i.inhrelid = c.oid and c.relispartition), c.relname) as name,
       case when c.relkind = 'c' then pg_temp.rights((select typacl from pg_type where oid = c.reltype), null, c.relowner)
            else pg_temp.rights(c.relacl, (select jsonb_agg(jsonb_build_array(a.attname, a.attacl::text) order by a.attnum) from pg_attribute a
                                           where a.attrelid = c.oid and a.attacl is not null), c.relowner) end as rights
from pg_class c where c.relnamespace = 'app'::regnamespace and c.relkind not in ('i', 'I')
union all
select t.typname, 'T', t.typname, pg_temp.rights(t.typacl, null, t.typowner)
from pg_type t where t.typnamespace = 'app'::regnamespace and t.typtype in ('b', 'd', 'e', 'r') and t.typelem = 0;
create temp view actual_function as
select p.oid::regprocedure::text as name, p.proname, p.prosecdef as definer,
       (select coalesce(string_agg(replace(r.name, 'lectern_', ''), ' ' order by r.name), '')
        from unnest('{lectern_app,lectern_jobs,lectern_ro,lectern_definer,public}'::text[]) r (name)
        where has_function_privilege(r.name, p.oid, 'execute')
              and not (r.name = 'lectern_definer' and pg_get_userbyid(p.proowner) = 'lectern_definer')) as may
from pg_proc p where p.pronamespace = 'app'::regnamespace;

-- Where the catalogue and the declarations differ.
create function pg_temp.differences() returns setof text language sql as $$
    select 'undeclared relation ' || relation from actual_relation where name not in (select name from relation)
    union all select 'no such relation ' || name from relation where name not in (select name from actual_relation)
    union all select format('relation %s is %s with %L', a.relation, a.kind, a.rights) from actual_relation a join relation using (name)
              where (a.kind, a.rights) is distinct from (relation.kind, relation.rights)
    union all select 'undeclared function ' || name from actual_function where name not in (select name from callable)
    union all select 'no such function ' || name from callable where name not in (select name from actual_function)
    union all select format('function %s: %L, definer %s', a.name, a.may, a.definer) from actual_function a join callable using (name)
              where (a.may, a.definer) is distinct from (callable.may, callable.definer)
    union all select 'undeclared role ' || role from (select (regexp_matches(pg_get_constraintdef(oid), '''(\w+)''', 'g'))[1] as role from pg_constraint where conname = 'users_role') c
              where role not in (select role from caller)
    union all select format('nothing said of %s %s', verb, name) from relation, unnest('{select,insert,update,delete}'::text[]) verb
              where rights ~ ('app:[^;]*\m' || verb) and (name, verb) not in (select name, verb from reach)
    union all select format('%s %s without a right', verb, name) from reach join relation using (name) where rights !~ ('app:[^;]*\m' || verb)
    union all select format('no %s call of %s', scope, proname) from actual_function, unnest('{foreign,nobody}'::text[]) scope
              where definer and may ~ '\mapp\M'
                    and not exists (select from call where call.name = proname and (who like 'nobody.%') = (scope = 'nobody'))
$$;
select is(d.d, null, d.d) from pg_temp.differences() d (d);
select is((select count(*)::int from pg_temp.differences()), 0, 'all of the schema is declared, and nothing else');

-- The proof: each of these is noticed.
create function pg_temp.noticed(ddl text) returns text language plpgsql as $$
declare
    found text;
begin
    begin
        execute ddl;
        select string_agg(d, ', ' order by d) into found from pg_temp.differences() d;
        raise exception using errcode = 'TT000';
    exception when sqlstate 'TT000' then
    end;
    return found;
end $$;
select is(pg_temp.noticed(v.ddl), v.found, v.ddl)
from (values
    ('create table app.x ()', 'undeclared relation x'),
    ('create table app.x (n int) partition by range (n)', 'undeclared relation x'),
    ('create table app.x partition of app.events for values from (''2000-01-01'') to (''2000-02-01''); grant select on app.x to lectern_app', 'relation x is r with ''app: select'''),
    ('create view app.x as select 1', 'undeclared relation x'),
    ('create materialized view app.x as select 1', 'undeclared relation x'),
    ('create sequence app.x', 'undeclared relation x'),
    ('create type app.x as (n int)', 'undeclared relation x'),
    ('create type app.x as enum (''a'')', 'undeclared relation x'),
    ('create domain app.x as int', 'undeclared relation x'),
    ('create function app.x() returns int language sql return 1', 'undeclared function app.x()'),
    ('create procedure app.x() language sql as ''''', 'undeclared function app.x()'),
    ('create function app.role(x int) returns int language sql return 1', 'undeclared function app.role(integer)'),
    ('drop function app.schema_version()', 'no such function app.schema_version()'),
    ('drop table app.idempotency_keys', 'no such relation idempotency_keys'),
    ('grant execute on function app.touch() to public', 'function app.touch(): ''app definer jobs ro public'', definer f'),
    ('alter function app.if_match(int8, int8) security definer', 'function app.if_match(bigint,bigint): ''app definer jobs ro'', definer t, no foreign call of if_match, no nobody call of if_match'),
    ('grant select on app.users to lectern_ro', 'relation users is r with ''app: select update(name,locale,timezone); definer: insert select update(email,name,role,status,locale,timezone,email_verified_at,last_sign_in_at,version,updated_at,erased_at,removed_at); ro: select'''),
    ('grant update (seats) on app.courses to public', 'relation courses is r with ''PUBLIC: update(seats); app: delete insert select update(title,description,status,visibility,enrollment,seats,starts_at,ends_at); definer: delete select update'''),
    ('revoke select on app.audit_logs from lectern_app', 'relation audit_logs is r with ''definer: insert select'''),
    ('alter table app.users drop constraint users_role, add constraint users_role check (role <> ''guest'')', 'undeclared role guest')
) v (ddl, found);

-- One attempt of the matrix: a statement about one row, by one person, undone afterwards. What is inserted is the row itself,
-- which is taken out before.
create function pg_temp.attempt(who text, db_role text, verb text, relation text, picks text, sets text) returns text
language plpgsql set search_path = '' as $$
declare
    statement text;
    answer    text;
begin
    if verb = 'insert' then
        execute format('select format(''insert into app.%1$I (%%s) values (%%s)'', string_agg(quote_ident(j.k), '','' order by j.k),
                                      string_agg(quote_nullable(j.v), '','' order by j.k))
                        from app.%1$I r, jsonb_each_text(to_jsonb(r)) j (k, v) where %2$s having count(*) > 0', relation, picks) into statement;
        statement := coalesce(statement, format('insert into app.%I default values', relation));
    else
        statement := format(case verb when 'select' then 'select from app.%I where %s' when 'delete' then 'delete from app.%I where %s'
                                      else 'update app.%I set ' || replace(sets, '%', '%%') || ' where %s' end, relation, picks);
    end if;
    begin
        if verb = 'insert' and db_role = 'lectern_app' then
            perform set_config('session_replication_role', 'replica', true);
            execute format('delete from app.%I where %s', relation, picks);
            perform set_config('session_replication_role', 'origin', true);
        end if;
        answer := t.act(who, statement, db_role);
        raise exception using errcode = 'TT000';
    exception when sqlstate 'TT000' then
    end;
    return answer;
end $$;

create temp table cell as
select a.relation, a.name, v.verb, c.letter, s.scope, format('%s.%s', case when s.scope in ('nobody', 'orgless') then s.scope else 'own' end, c.role) as who,
       format(r.picks, h.name, h.org) as picks, r.rights ~ ('app:[^;]*\m' || v.verb) as allowed,
       case s.scope when 'own' then e.own when 'other' then e.other when 'foreign' then coalesce(f.callers, '') else '' end as reached,
       coalesce(e.sets, (select format('%1$I = %1$I', attname) from pg_attribute where attrelid = ('app.' || a.relation)::regclass and attnum = 1)) as sets
from actual_relation a
join relation r using (name)
cross join unnest('{select,insert,update,delete}'::text[]) v (verb)
cross join caller c
cross join unnest('{own,other,foreign,orgless,nobody}'::text[]) s (scope)
join holder h on h.name = case when s.scope in ('other', 'foreign') then s.scope else c.role end
left join reach e on e.name = r.name and e.verb = v.verb
left join far f on f.name = r.name and f.verb = v.verb
where a.kind not in ('c', 'T', 'S');

create function pg_temp.rows(relation text, picks text) returns bigint language plpgsql as $$
declare
    n bigint;
begin
    execute format('select count(*) from app.%I where %s', relation, picks) into n;
    return n;
end $$;
select is(pg_temp.rows(relation, picks), 1::bigint, format('%s has a row where %s', relation, picks))
from cell where allowed group by relation, picks;

select is(pg_temp.attempt(c.who, 'lectern_app', c.verb, c.relation, c.picks, c.sets),
          case when not c.allowed then '42501'
               when c.reached ~ c.letter then '1'
               else coalesce(f.answer, case c.verb when 'insert' then '42501' else '0' end) end,
          format('%s: %s %s %s', c.who, c.verb, c.relation, c.scope))
from cell c
left join refusal f on f.name = c.name and f.verb = c.verb and c.scope = any (string_to_array(f.scopes, ' ')) and f.callers ~ c.letter
where not (c.allowed and c.reached is null);

-- The person of no role at all, and the other roles of the database, reach nothing.
select is(string_agg(distinct a.answer, ' ' order by a.answer), case when c.allowed and c.verb <> 'insert' then '0' when c.verb = 'insert' and c.name = 'enrollments' then '23514 enrollments_role 42501' else '42501' end,
          format('none: %s %s', c.verb, c.relation))
from (select distinct relation, name, verb, picks, allowed, sets from cell where letter in ('T', 'S') and scope in ('own', 'foreign')
      and not (name = 'courses' and letter = 'S')) c
cross join lateral (select pg_temp.attempt('none', 'lectern_app', c.verb, c.relation, c.picks, c.sets) as answer) a
group by c.relation, c.name, c.verb, c.allowed;
select is(string_agg(distinct pg_temp.attempt(c.who, r.name, c.verb, c.relation, c.picks, c.sets), ' '), '42501', format('%s: %s %s', r.name, c.verb, c.relation))
from cell c
cross join (values ('lectern_jobs'), ('lectern_ro')) r (name)
where c.scope in ('own', 'nobody')
group by r.name, c.verb, c.relation;

-- A statement without a condition, so that no policy for reading is in play, still stays in the caller's organisation and off
-- the other's row; and every call of a definer function leaves what is not the caller's. Compared is what "watch" answers.
create function pg_temp.kept(org uuid) returns text language plpgsql as $$
declare
    r record;
    one text;
    all_ text := '';
begin
    for r in select relation, exists (select from pg_attribute where attrelid = ('app.' || relation)::regclass and attname = 'org_id') as tenant
             from actual_relation where kind in ('r', 'p') and name !~ '\*' order by 1
    loop
        continue when org is not null and not r.tenant and r.relation <> 'orgs';
        execute format('select md5(string_agg(x::text, '' '' order by x::text)) from app.%I x where %s', r.relation,
                       case when org is null then 'true' when r.tenant then format('org_id = %L', org) else format('id = %L', org) end) into one;
        all_ := all_ || r.relation || coalesce(one, '') || ' ';
    end loop;
    return all_;
end $$;
create function pg_temp.effect(who text, statement text, watch text) returns text language plpgsql set search_path = t as $$
declare
    before text;
    after  text;
    answer text;
begin
    execute watch into before;
    begin
        answer := t.act(who, statement);
        execute watch into after;
        if after is distinct from before then
            answer := 'changes something: ' || coalesce(answer, '');
        end if;
        raise exception using errcode = 'TT000';
    exception when sqlstate 'TT000' then
    end;
    return answer;
end $$;
create function pg_temp.watch(org uuid) returns text language sql return format('select pg_temp.kept(%L)', org);
select matches(pg_temp.effect(c.who, case c.verb when 'delete' then 'delete from app.' || c.relation else format('update app.%I set %s', c.relation, c.sets) end,
                              case c.scope when 'own' then pg_temp.watch(t.id('B')) else format('select x::text from app.%I x where %s', c.relation, c.picks) end),
               '^\d{1,3}$', format('%s: %s all of %s, %s', c.who, c.verb, c.relation, c.scope))
from cell c
where c.verb in ('update', 'delete') and c.allowed and (c.scope = 'own' or c.scope = 'other' and c.reached !~ c.letter)
      and not exists (select from far f where f.name = c.name and f.verb = c.verb and f.callers ~ c.letter);
select is(pg_temp.effect(who, statement, pg_temp.watch(case when who not like 'nobody.%' then t.id('B') end)), answer, who || ': ' || statement)
from call;
select is(pg_temp.effect(v.who, v.statement, pg_temp.watch(t.id('B'))), 'changes something: 1', 'a change is noticed: ' || v.statement)
from (values ('badmin', 'update app.orgs set name = ''x'''), ('bstudent', 'update app.users set name = ''x''')) v (who, statement);

select * from finish();
rollback;
