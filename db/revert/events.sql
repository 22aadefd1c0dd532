begin;

drop function app.events_make_partitions(int);
drop table app.events;

commit;
