begin;

drop trigger inviter_gone on app.users;
drop function app.invitations_inviter_gone();
drop function app.purge_invitations(int);
drop function app.invitation_accept(bytea, uuid, text, text);
drop function app.invitation_open(bytea);
drop function app.invite(uuid, uuid, text, text, bytea, int);
drop table app.invitations;
delete from app.personal_data where relation = 'invitations';

commit;
