begin;

create or replace function app.schema_version() returns text
language sql immutable parallel safe
return 'foundation';

alter policy select_enrolled on app.announcements rename to select_by_enrollment;
alter policy select_enrolled on app.courses rename to select_by_enrollment;

commit;
