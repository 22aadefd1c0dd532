begin;

select id, org_id, user_id, expires_at, revoked_at, revoked_reason from app.sessions where false;
select digest, session_id, org_id, expires_at, used_at from app.refresh_tokens where false;

rollback;
