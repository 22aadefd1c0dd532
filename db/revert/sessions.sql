begin;

drop table app.refresh_tokens;
drop table app.sessions;

commit;
