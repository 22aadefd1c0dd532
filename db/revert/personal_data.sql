begin;

drop function app.account_erase();
drop function app.courses_bequeath(uuid);
drop function app.personal_erase(uuid, text);
drop function app.exports_build();
drop function app.personal_rows(uuid, text);

set local role lectern_owner;
create or replace function app.audit_keep(j jsonb, names text[], longest int) returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    kept jsonb := app.audit_redact(j, names);
begin
    if kept is null or octet_length(kept::text) <= longest then
        return kept;
    end if;
    return jsonb_build_object('sha256', encode(sha256(convert_to(kept::text, 'UTF8')), 'hex'),
                              'bytes', octet_length(kept::text));
end
$$;
reset role;

drop policy all_definer on app.events;
drop policy all_definer on app.announcement_reads;
drop policy all_definer on app.announcements;
revoke select, update (request_id, payload) on app.events from lectern_definer;
revoke select, delete on app.announcement_reads from lectern_definer;
revoke select, update (title, body) on app.announcements from lectern_definer;
revoke update (email, user_id) on app.enrollment_import_rows from lectern_definer;
revoke delete on app.credentials, app.courses from lectern_definer;
revoke update (email, name, status, locale, timezone, erased_at) on app.users from lectern_definer;
drop table app.personal_data;
drop index app.enrollment_import_rows_by_email;
alter table app.users drop constraint users_erased, drop column erased_at;

commit;
