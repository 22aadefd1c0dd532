begin;

select id, org_id, email, role, digest, invited_by, created_at, expires_at, accepted_at,
       accepted_by, revoked_at
from app.invitations where false;
select 'app.invite(uuid, uuid, text, text, bytea, int)'::regprocedure,
       'app.invitation_open(bytea)'::regprocedure,
       'app.invitation_accept(bytea, uuid, text, text)'::regprocedure,
       'app.purge_invitations(int)'::regprocedure;
select 1 / (not has_column_privilege('lectern_app', 'app.invitations', 'digest', 'select'))::int;

rollback;
