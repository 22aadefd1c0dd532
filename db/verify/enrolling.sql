begin;

select 'app.enrol_with_code(uuid, uuid, text)'::regprocedure,
       'app.enrollment_import(uuid, uuid, text[], int[], uuid[], bool, bool, text)'::regprocedure,
       'app.enrollment_import_undo(uuid)'::regprocedure;

rollback;
