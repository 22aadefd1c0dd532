begin;

drop function app.person_purge(int);
drop function app.export_request(uuid, int, int);
drop table app.export_parts, app.exports;

commit;
