begin;

select 1 / (count(*) = 8)::int from pg_trigger
where tgrelid in ('app.courses'::regclass, 'app.course_codes'::regclass, 'app.course_staff'::regclass,
                  'app.enrollments'::regclass)
      and tgname in ('rules', 'touch', 'owner_role', 'courses_join_code') and not tgisinternal;

rollback;
