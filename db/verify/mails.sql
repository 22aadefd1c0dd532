begin;

select 'app.mails'::regclass,
       'app.mail_enqueue(uuid, uuid, uuid, text, text, text, text, text, text)'::regprocedure,
       'app.mail_claim(int)'::regprocedure,
       'app.mail_end(uuid, int, text, text, int)'::regprocedure,
       'app.mails_purge(int, int)'::regprocedure;
select 1 / (not has_table_privilege('lectern_app', 'app.mails', 'select'))::int;

rollback;
