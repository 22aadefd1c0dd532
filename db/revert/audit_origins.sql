begin;

create or replace function app.audit_append(id uuid, action text, target_type text, target_id uuid,
                                 max_payload int, redacted text[], org uuid default null)
returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    names text[] := array['email', 'name', 'password', 'password_hash', 'code', 'join_code',
                          'digest', 'body', 'token', 'secret']
                    || coalesce((select array_agg(lower(n)) from unnest(redacted) n), '{}');
    seen  int := coalesce(nullif(current_setting('app.audit_changes', true), ''), '0')::int;
    r     app.audit_logs;
begin
    r.id := id;
    r.action := action;
    r.target_type := target_type;
    r.target_id := target_id;
    r.org_id := coalesce(app.org_id(), org);
    r.actor_id := app.user_id();
    r.request_id := nullif(current_setting('app.request_id', true), '');
    r.address := nullif(current_setting('app.client_ip', true), '')::inet;
    r.before := app.audit_keep(nullif(current_setting('app.audit_before', true), '')::jsonb,
                               names, max_payload);
    r.after := app.audit_keep(nullif(current_setting('app.audit_after', true), '')::jsonb,
                              names, max_payload);
    if seen > 1 then
        r.after := coalesce(r.after, '{}') || jsonb_build_object('further_changes', seen - 1);
    end if;
    perform set_config('app.audit_before', '', true), set_config('app.audit_after', '', true),
            set_config('app.audit_changes', '', true);
    r.created_at := now();
    r.chain := pg_backend_pid() % 64;
    update app.audit_chains c set seq = c.seq + 1 where c.chain = r.chain
    returning c.seq, c.hash into r.seq, r.prev_hash;
    r.hash := app.audit_hash(r);
    update app.audit_chains c set hash = r.hash where c.chain = r.chain;
    insert into app.audit_logs select r.*;
end
$$;

drop table app.audit_origins;

commit;
