begin;

drop table app.announcement_reads;
drop function app.announcement_reads_rules();
drop table app.announcements;

commit;
