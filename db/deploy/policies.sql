-- Who sees and changes what. Without an identity every condition is null: nothing.
-- The restrictive policy keeps each organisation apart; the permissive ones are by command. They
-- are tried in descending order of their names, so those are chosen to put cheap conditions first:
-- tenant_admin, which enumerates nothing, before all; by_teaching and by_enrollment after all.
-- lectern_app has no right at all on credentials and refresh_tokens: only functions use them.
begin;
set local role lectern_owner;

create policy tenant on app.orgs as restrictive to lectern_app, lectern_ro
    using (id = (select app.org_id()));
create policy tenant on app.users as restrictive to lectern_app, lectern_ro
    using (org_id = (select app.org_id()));
create policy tenant on app.credentials as restrictive to lectern_app, lectern_ro
    using (org_id = (select app.org_id()));
create policy tenant on app.sessions as restrictive to lectern_app, lectern_ro
    using (org_id = (select app.org_id()));
create policy tenant on app.refresh_tokens as restrictive to lectern_app, lectern_ro
    using (org_id = (select app.org_id()));
create policy tenant on app.courses as restrictive to lectern_app, lectern_ro
    using (org_id = (select app.org_id()));
create policy tenant on app.course_codes as restrictive to lectern_app, lectern_ro
    using (org_id = (select app.org_id()));
create policy tenant on app.course_staff as restrictive to lectern_app, lectern_ro
    using (org_id = (select app.org_id()));
create policy tenant on app.enrollment_imports as restrictive to lectern_app, lectern_ro
    using (org_id = (select app.org_id()));
create policy tenant on app.enrollment_import_rows as restrictive to lectern_app, lectern_ro
    using (org_id = (select app.org_id()));
create policy tenant on app.enrollments as restrictive to lectern_app, lectern_ro
    using (org_id = (select app.org_id()));
create policy tenant on app.announcements as restrictive to lectern_app, lectern_ro
    using (org_id = (select app.org_id()));
create policy tenant on app.announcement_reads as restrictive to lectern_app, lectern_ro
    using (org_id = (select app.org_id()));
create policy tenant on app.events as restrictive to lectern_app, lectern_ro
    using (org_id = (select app.org_id()));
create policy tenant on app.audit_logs as restrictive to lectern_app, lectern_ro
    using (org_id = (select app.org_id()));
create policy tenant on app.idempotency_keys as restrictive to lectern_app, lectern_ro
    using (org_id = (select app.org_id()));

-- orgs
grant select, update (name, locale, timezone, settings) on app.orgs to lectern_app;
create policy select_member on app.orgs for select to lectern_app
    using ((select app.user_id()) is not null);
create policy update_tenant_admin on app.orgs for update to lectern_app
    using (app.is_admin_role((select app.role())));

-- users: everyone sees themselves and who teaches; staff see all of the organisation
grant select, update (name, locale, timezone) on app.users to lectern_app;
create policy select_self on app.users for select to lectern_app
    using (id = (select app.user_id()));
create policy select_staff on app.users for select to lectern_app
    using (app.is_staff_role((select app.role())));
create policy select_teachers on app.users for select to lectern_app
    using (role in ('teacher', 'admin') and (select app.user_id()) is not null);
create policy update_self on app.users for update to lectern_app
    using (id = (select app.user_id()));

-- sessions
grant select on app.sessions to lectern_app;
create policy select_self on app.sessions for select to lectern_app
    using (user_id = (select app.user_id()));
create policy select_tenant_admin on app.sessions for select to lectern_app
    using (app.is_admin_role((select app.role())));

-- courses
grant select, insert, delete,
    update (title, description, status, visibility, enrollment, seats, starts_at, ends_at)
    on app.courses to lectern_app;
create policy select_tenant_admin on app.courses for select to lectern_app
    using (app.is_admin_role((select app.role())));
create policy select_catalogue on app.courses for select to lectern_app
    using (status = 'published' and visibility = 'catalogue'
           and (select app.user_id()) is not null);
create policy select_owner on app.courses for select to lectern_app
    using (owner_id = (select app.user_id()) and app.is_staff_role((select app.role())));
create policy select_by_teaching on app.courses for select to lectern_app
    using (id = any ((select app.taught_courses())::uuid[]));
create policy select_by_enrollment on app.courses for select to lectern_app
    using (status in ('published', 'archived')
           and id = any ((select app.enrolled_courses())::uuid[]));
create policy insert_owner on app.courses for insert to lectern_app
    with check (owner_id = (select app.user_id()) and app.is_staff_role((select app.role())));
create policy insert_tenant_admin on app.courses for insert to lectern_app
    with check (app.is_admin_role((select app.role())));
create policy update_tenant_admin on app.courses for update to lectern_app
    using (app.is_admin_role((select app.role())));
create policy update_by_teaching on app.courses for update to lectern_app
    using (id = any ((select app.managed_courses())::uuid[]));
create policy delete_tenant_admin on app.courses for delete to lectern_app
    using (app.is_admin_role((select app.role())));
create policy delete_owner on app.courses for delete to lectern_app
    using (owner_id = (select app.user_id()) and app.is_staff_role((select app.role())));

-- join codes: those who keep the course; a code may be written together with its course
grant select, insert, delete, update (code) on app.course_codes to lectern_app;
create policy select_tenant_admin on app.course_codes for select to lectern_app
    using (app.is_admin_role((select app.role())));
create policy select_by_teaching on app.course_codes for select to lectern_app
    using (course_id = any ((select app.taught_courses())::uuid[]));
create policy insert_by_teaching on app.course_codes for insert to lectern_app
    with check (app.manages_course(course_id));
create policy update_tenant_admin on app.course_codes for update to lectern_app
    using (app.is_admin_role((select app.role())));
create policy update_by_teaching on app.course_codes for update to lectern_app
    using (course_id = any ((select app.managed_courses())::uuid[]));
create policy delete_tenant_admin on app.course_codes for delete to lectern_app
    using (app.is_admin_role((select app.role())));
create policy delete_by_teaching on app.course_codes for delete to lectern_app
    using (course_id = any ((select app.managed_courses())::uuid[]));

-- course staff: seen with the course, kept by its owner
grant select, insert, delete on app.course_staff to lectern_app;
create policy select_viewer on app.course_staff for select to lectern_app
    using (exists (select from app.courses c where c.id = course_id));
create policy insert_tenant_admin on app.course_staff for insert to lectern_app
    with check (app.is_admin_role((select app.role())));
create policy insert_owner on app.course_staff for insert to lectern_app
    with check (app.is_staff_role((select app.role()))
                and exists (select from app.courses c
                            where c.id = course_id and c.owner_id = (select app.user_id())));
create policy delete_tenant_admin on app.course_staff for delete to lectern_app
    using (app.is_admin_role((select app.role())));
create policy delete_owner on app.course_staff for delete to lectern_app
    using (app.is_staff_role((select app.role()))
           and exists (select from app.courses c
                       where c.id = course_id and c.owner_id = (select app.user_id())));

-- enrollments
grant select, insert, update (status, starts_at, ends_at) on app.enrollments to lectern_app;
create policy select_self on app.enrollments for select to lectern_app
    using (user_id = (select app.user_id()));
create policy select_tenant_admin on app.enrollments for select to lectern_app
    using (app.is_admin_role((select app.role())));
create policy select_by_teaching on app.enrollments for select to lectern_app
    using (course_id = any ((select app.taught_courses())::uuid[]));
create policy insert_tenant_admin on app.enrollments for insert to lectern_app
    with check (app.is_admin_role((select app.role())));
create policy insert_by_teaching on app.enrollments for insert to lectern_app
    with check (course_id = any ((select app.managed_courses())::uuid[]));
create policy insert_self on app.enrollments for insert to lectern_app
    with check (user_id = (select app.user_id()) and (select app.role()) = 'student'
                and source = 'self' and status = 'active'
                and import_id is null and starts_at is null and ends_at is null
                and exists (select from app.courses c
                            where c.id = course_id and c.status = 'published'
                                  and c.enrollment = 'open'
                                  and (c.ends_at is null or c.ends_at > now())));
create policy update_tenant_admin on app.enrollments for update to lectern_app
    using (app.is_admin_role((select app.role())));
create policy update_by_teaching on app.enrollments for update to lectern_app
    using (course_id = any ((select app.managed_courses())::uuid[]));
create policy update_self on app.enrollments for update to lectern_app
    using (user_id = (select app.user_id()) and status = 'active')
    with check (user_id = (select app.user_id()) and status = 'withdrawn');

-- imports of enrollments
grant select, insert on app.enrollment_imports, app.enrollment_import_rows to lectern_app;
create policy select_tenant_admin on app.enrollment_imports for select to lectern_app
    using (app.is_admin_role((select app.role())));
create policy select_by_teaching on app.enrollment_imports for select to lectern_app
    using (course_id = any ((select app.taught_courses())::uuid[]));
create policy insert_tenant_admin on app.enrollment_imports for insert to lectern_app
    with check (created_by = (select app.user_id()) and app.is_admin_role((select app.role())));
create policy insert_by_teaching on app.enrollment_imports for insert to lectern_app
    with check (created_by = (select app.user_id())
                and course_id = any ((select app.managed_courses())::uuid[]));
create policy select_viewer on app.enrollment_import_rows for select to lectern_app
    using (exists (select from app.enrollment_imports i where i.id = import_id));
create policy insert_author on app.enrollment_import_rows for insert to lectern_app
    with check (exists (select from app.enrollment_imports i
                        where i.id = import_id and i.created_by = (select app.user_id())));

-- announcements
grant select, insert, delete, update (title, body, pinned, publish_at)
    on app.announcements to lectern_app;
create policy select_tenant_admin on app.announcements for select to lectern_app
    using (app.is_admin_role((select app.role())));
create policy select_member on app.announcements for select to lectern_app
    using (course_id is null and publish_at <= now() and (select app.user_id()) is not null);
create policy select_by_teaching on app.announcements for select to lectern_app
    using (course_id = any ((select app.taught_courses())::uuid[]));
create policy select_by_enrollment on app.announcements for select to lectern_app
    using (publish_at <= now() and course_id = any ((select app.enrolled_courses())::uuid[]));
create policy insert_tenant_admin on app.announcements for insert to lectern_app
    with check (author_id = (select app.user_id()) and app.is_admin_role((select app.role())));
create policy insert_by_teaching on app.announcements for insert to lectern_app
    with check (author_id = (select app.user_id())
                and course_id = any ((select app.taught_courses())::uuid[]));
create policy update_tenant_admin on app.announcements for update to lectern_app
    using (app.is_admin_role((select app.role())));
create policy update_by_teaching on app.announcements for update to lectern_app
    using (course_id = any ((select app.taught_courses())::uuid[]));
create policy delete_tenant_admin on app.announcements for delete to lectern_app
    using (app.is_admin_role((select app.role())));
create policy delete_by_teaching on app.announcements for delete to lectern_app
    using (course_id = any ((select app.taught_courses())::uuid[]));

grant select, insert on app.announcement_reads to lectern_app;
create policy select_self on app.announcement_reads for select to lectern_app
    using (user_id = (select app.user_id()));
create policy select_tenant_admin on app.announcement_reads for select to lectern_app
    using (app.is_admin_role((select app.role())));
create policy select_by_teaching on app.announcement_reads for select to lectern_app
    using (course_id = any ((select app.taught_courses())::uuid[]));
create policy insert_self on app.announcement_reads for insert to lectern_app
    with check (user_id = (select app.user_id())
                and exists (select from app.announcements a where a.id = announcement_id));

-- events: nobody speaks for another
grant select, insert on app.events to lectern_app;
create policy select_actor on app.events for select to lectern_app
    using (actor_id = (select app.user_id()));
create policy select_tenant_admin on app.events for select to lectern_app
    using (app.is_admin_role((select app.role())));
create policy insert_actor on app.events for insert to lectern_app
    with check (actor_id is null or actor_id = (select app.user_id()));

-- audit trail: read only
grant select on app.audit_logs to lectern_app;
create policy select_tenant_admin on app.audit_logs for select to lectern_app
    using (app.is_admin_role((select app.role())));

-- idempotency keys: own ones; an answer is written once
grant select, insert, delete, update (status, headers, answer)
    on app.idempotency_keys to lectern_app;
create policy select_self on app.idempotency_keys for select to lectern_app
    using (user_id = (select app.user_id()));
create policy insert_self on app.idempotency_keys for insert to lectern_app
    with check (user_id = (select app.user_id()) and status is null);
create policy update_self on app.idempotency_keys for update to lectern_app
    using (user_id = (select app.user_id()) and status is null)
    with check (user_id = (select app.user_id()));
create policy delete_self on app.idempotency_keys for delete to lectern_app
    using (user_id = (select app.user_id()) and expires_at <= now());

commit;
