begin;

drop function app.enrollment_import_undo(uuid);
drop function app.enrollment_import(uuid, uuid, text[], int[], uuid[], bool, bool, text);
drop function app.enrollment_import_plan(uuid, text[], int[], uuid[]);
drop type app.enrollment_import_line;
drop function app.enrol_with_code(uuid, uuid, text);
drop policy all_definer on app.enrollment_import_rows;
drop policy all_definer on app.enrollment_imports;
revoke all on app.enrollment_import_rows, app.enrollment_imports from lectern_definer;
revoke insert, update, delete on app.enrollments from lectern_definer;

commit;
