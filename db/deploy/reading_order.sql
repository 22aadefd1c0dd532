-- Policies are tried in descending order of name. Most readers of a course attend it: their own
-- policy comes first, and what they teach is looked up only for those it did not let in.
begin;
set local role lectern_owner;

alter policy select_by_enrollment on app.courses rename to select_enrolled;
alter policy select_by_enrollment on app.announcements rename to select_enrolled;

commit;
