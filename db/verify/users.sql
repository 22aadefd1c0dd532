begin;

select id, org_id, email, name, role, status, version, last_sign_in_at from app.users where false;
select user_id, org_id, password_hash, changed_at from app.credentials where false;

rollback;
