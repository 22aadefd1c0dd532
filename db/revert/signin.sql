begin;

drop function app.purge_expired(int);
drop function app.sessions_end(uuid, text, uuid);
drop function app.session_end(uuid, text);
drop function app.session_rotate(uuid, bytea, bytea, int);
drop function app.session_open(uuid, uuid, bytea, inet, text, int, int);
drop function app.password_rehash(uuid, text, text);
drop function app.login_lookup(text);
drop function app.register(uuid, text, text, text, text);
drop function app.session_check(uuid, uuid, uuid, text);
drop policy all_definer on app.idempotency_keys;
drop policy all_definer on app.refresh_tokens;
drop policy all_definer on app.sessions;
drop policy all_definer on app.credentials;
revoke all on app.idempotency_keys, app.credentials, app.sessions, app.refresh_tokens
    from lectern_definer;
revoke insert, update (role, last_sign_in_at, version, updated_at) on app.users
    from lectern_definer;

commit;
