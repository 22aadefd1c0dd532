begin;

drop function app.mails_purge(int, int);
drop function app.mail_end(uuid, int, text, text, int);
drop function app.mail_claim(int);
drop function app.mail_enqueue(uuid, uuid, uuid, text, text, text, text, text, text);
drop table app.mails;

commit;
