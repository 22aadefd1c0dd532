begin;

select id, org_id, parent_id, student_id, status, source, decided_by, decided_at, ended_at, version,
       created_at, updated_at
  from app.parent_links where false;
select student_id, org_id, digest, created_at, expires_at from app.parent_link_codes where false;
select parent_id, org_id, failures, since from app.parent_link_tries where false;
select 'app.parent_students()'::regprocedure, 'app.parent_courses()'::regprocedure,
       'app.parent_link_names(uuid)'::regprocedure, 'app.parent_link_ask(uuid, uuid, text)'::regprocedure,
       'app.parent_link_code_put(bytea, int)'::regprocedure,
       'app.parent_link_redeem(uuid, bytea)'::regprocedure;
select 1 / (count(*) = 3)::int from pg_policy where polname = 'select_by_parenthood';

rollback;
