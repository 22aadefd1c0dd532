begin;

drop table app.orgs;

commit;
