begin;

select org_id, users, storage_bytes, workbench_runs_per_day, telemetry_events_per_day
from app.org_limits where false;
select org_id, users from app.org_usage where false;
select 'app.org_create(uuid, text, text, text, text, jsonb, int8, int8, int8, int8)'::regprocedure,
       'app.org_first_admin(uuid, uuid, text, text, text)'::regprocedure,
       'app.quota_check(text, int8)'::regprocedure;
select 1 / (not exists (select from app.orgs o left join app.org_limits l on l.org_id = o.id
                        where l.org_id is null))::int;

rollback;
