begin;

drop table app.credentials;
drop table app.users;

commit;
