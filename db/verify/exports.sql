begin;

select id, org_id, user_id, state, parts, bytes, requested_at, ready_at, expires_at
  from app.exports where false;
select export_id, org_id, part, document from app.export_parts where false;
select 'app.export_request(uuid, int, int)'::regprocedure, 'app.person_purge(int)'::regprocedure;

rollback;
