begin;

drop trigger audit on app.orgs;
drop trigger audit on app.users;
drop trigger audit on app.sessions;
drop trigger audit on app.courses;
drop trigger audit on app.course_codes;
drop trigger audit on app.course_staff;
drop trigger audit on app.enrollments;
drop trigger audit on app.enrollment_imports;
drop trigger audit on app.announcements;
drop function app.audit_verify();
drop function app.audit_append(uuid, text, text, uuid, int, text[], uuid);
drop function app.audit_capture();
drop function app.audit_keep(jsonb, text[], int);
drop function app.audit_redact(jsonb, text[]);
drop function app.audit_hash(app.audit_logs);
drop table app.audit_logs;
drop table app.audit_chains;
drop function app.audit_refuse();

commit;
