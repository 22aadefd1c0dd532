/* Registering, accepting invitations, proving an address, forgotten and new passwords. */
#include <string.h>

#include "api/credentials.h"
#include "api/endpoint.h"
#include "api/mail.h"
#include "api/req.h"
#include "api/session.h"
#include "app/statements.h"
#include "auth/link.h"
#include "auth/password.h"
#include "base/settings.h"

#define VERIFY_EMAIL TEXT("verify_email")
#define PASSWORD_RESET TEXT("password_reset")
#define INVITATION TEXT("invitation")

/* --- shapes ---------------------------------------------------------------------------------- */

struct register_input {
    struct text name;
    struct text email;
    struct text password;
    struct text invitation;
};

static const struct field register_fields[] = {
    FIELD(register_input, name, .required = true, .min = 1, .max = 255, .sensitive = true,
          .doc = "How others see the person"),
    FIELD(register_input, email, .required = true, .min = 3, .max = 254, .format = FORMAT_EMAIL,
          .sensitive = true, .account = true, .doc = "The address to sign in with"),
    FIELD(register_input, password, .required = true, .min = 8, .max = 128, .sensitive = true,
          .doc = "Not a common password, not the address"),
    FIELD(register_input, invitation, .min = 1, .max = 128, .format = FORMAT_OPAQUE,
          .sensitive = true, .doc = "The token of an invitation that came to this address"),
};

struct accept_input {
    struct text token;
    struct text name;
    struct text password;
};

static const struct field accept_fields[] = {
    FIELD(accept_input, token, .place = IN_PATH, .min = 1, .max = 128, .format = FORMAT_OPAQUE,
          .sensitive = true, .doc = "What stands behind token= in the link that was mailed"),
    FIELD(accept_input, name, .required = true, .min = 1, .max = 255, .sensitive = true,
          .doc = "How others see the person"),
    FIELD(accept_input, password, .required = true, .min = 8, .max = 128, .sensitive = true,
          .doc = "Not a common password, not the address"),
};

struct joined {
    struct uuid id;
    struct uuid org_id;
    struct text role;
    struct text name;
    struct text email;
};

static const struct field joined_fields[] = {
    FIELD(joined, id, .doc = "The new account"),
    FIELD(joined, org_id, .doc = "Its organisation"),
    FIELD(joined, role, .doc = "Its role, as the invitation says"),
    FIELD(joined, name, .doc = "Its name"),
    FIELD(joined, email, .doc = "Its address, proven by the invitation"),
};

struct address_input {
    struct text email;
};

static const struct field address_fields[] = {
    FIELD(address_input, email, .required = true, .min = 3, .max = 254, .format = FORMAT_EMAIL,
          .sensitive = true, .account = true, .doc = "The address of the account"),
};

struct accepted {
    struct text status;
};

static const struct field accepted_fields[] = {
    FIELD(accepted, status, .choices = "accepted",
          .doc = "The same for known and unknown addresses"),
};

struct token_input {
    struct text token;
};

static const struct field token_fields[] = {
    FIELD(token_input, token, .required = true, .min = 1, .max = 128, .format = FORMAT_OPAQUE,
          .sensitive = true, .doc = "What stands behind token= in the link that was mailed"),
};

struct reset_input {
    struct text token;
    struct text password;
};

static const struct field reset_fields[] = {
    FIELD(reset_input, token, .required = true, .min = 1, .max = 128, .format = FORMAT_OPAQUE,
          .sensitive = true, .doc = "What stands behind token= in the link that was mailed"),
    FIELD(reset_input, password, .required = true, .min = 8, .max = 128, .sensitive = true,
          .doc = "The new password: not a common one, not the address"),
};

struct change_input {
    struct text current_password;
    struct text password;
};

static const struct field change_fields[] = {
    FIELD(change_input, current_password, .required = true, .min = 1, .max = 128, .sensitive = true,
          .doc = "The password so far"),
    FIELD(change_input, password, .required = true, .min = 8, .max = 128, .sensitive = true,
          .doc = "The new password: not a common one, not the address"),
};

static err
account_accepted(struct req *r)
{
    struct accepted out = {TEXT("accepted")};

    return reply_shape(r, SHAPE(accepted, accepted_fields), &out);
}

static void
account_check_password(struct req *r, struct text password, struct text email)
{
    if (password_is_weak(password, email))
        req_violation(r, "/password", "weak_password",
                      "is a common password or the e-mail address");
}

/* --- links ------------------------------------------------------------------------------------ */

/* A link's secret. Without a user its row is written all the same and is good for nothing. */
static err
account_link(struct req *r, const struct sql_account_find_row *who, bool real, struct text purpose,
             struct text *ret_secret)
{
    uint8_t *digest = arena_alloc(r->arena, SHA256_LEN);
    struct sql_account_token_issue_params p = {
        .user_id = who->user_id,
        .has_user_id = real,
        .org_id = who->org_id,
        .purpose = purpose,
        .minutes = setting_int(text_eq(purpose, VERIFY_EMAIL) ? S_EMAIL_VERIFY_EXPIRY_MINUTES
                                                              : S_PASSWORD_RESET_EXPIRY_MINUTES)};
    struct sql_account_token_issue_row row;

    *ret_secret = link_issue(r->arena, purpose, digest);
    p.digest = (struct text){(const char *)digest, SHA256_LEN};
    return sql_account_token_issue_run(r, &p, &row);
}

static err
account_mail(struct req *r, enum mail_kind kind, struct text email,
             const struct sql_account_find_row *who, struct text secret)
{
    struct mail m = {.kind = kind,
                     .org = who->org_id,
                     .user = who->has_user_id ? &who->user_id : NULL,
                     .address = email,
                     .name = who->name,
                     .locale = who->locale,
                     .secret = secret};

    return mail_enqueue(r, &m);
}

/* --- invitations ------------------------------------------------------------------------------ */

/* What somebody who was invited brings along. */
struct guest {
    struct text token;
    struct text email; /* TEXT_NULL: whatever address the invitation went to */
    struct text name;
    struct text password;
};

/* From here on the transaction is the new user's: nobody else has let them in. */
static err
account_become(struct req *r, const struct joined *user)
{
    struct token_claims claims = {.user = user->id, .org = user->org_id, .session = uuid_v7()};
    size_t n = user->role.len < sizeof claims.role ? user->role.len : sizeof claims.role - 1;

    memcpy(claims.role, user->role.p, n);
    return req_become(r, &claims);
}

static err
account_join(struct req *r, const struct guest *guest, struct joined *ret_user)
{
    uint8_t *digest = arena_alloc(r->arena, SHA256_LEN);
    struct text kept = {(const char *)digest, SHA256_LEN};
    struct sql_invitation_open_params asked = {.digest = kept};
    struct sql_invitation_accept_params p = {
        .digest = kept, .new_id = r->new_id, .name = guest->name};
    struct sql_invitation_open_row found;
    struct sql_invitation_accept_row made;
    bool is_open;

    if (!link_read(guest->token, INVITATION, digest))
        return fail(r, E_INVITATION_INVALID);
    TRY(sql_invitation_open_run(r, &asked, &found, &is_open));
    if (!is_open || (guest->email.p != NULL && !text_eq(guest->email, found.email)))
        return fail(r, E_INVITATION_INVALID);
    account_check_password(r, guest->password, found.email);
    TRY(req_violations(r));
    TRY(password_hash(r->arena, guest->password, &p.password_hash));
    TRY(sql_invitation_accept_run(r, &p, &made));
    *ret_user = (struct joined){made.id, found.org_id, found.role, guest->name, found.email};
    return account_become(r, ret_user);
}

static err
account_accept(struct req *r, const void *input)
{
    const struct accept_input *in = input;
    struct guest guest = {in->token, TEXT_NULL, in->name, in->password};
    struct joined out;

    TRY(account_join(r, &guest, &out));
    return reply_shape(r, SHAPE(joined, joined_fields), &out);
}

static err
account_register_invited(struct req *r, const struct register_input *in)
{
    struct guest guest = {in->invitation, in->email, in->name, in->password};
    struct joined user;

    TRY(account_join(r, &guest, &user));
    return account_accepted(r);
}

/* --- registering ------------------------------------------------------------------------------ */

/* The same work and the same answer whether or not the address is known: the rows of a token and of
 * a mail are written in every case. */
static err
account_register(struct req *r, const void *input)
{
    const struct register_input *in = input;
    struct sql_account_find_params find = {.email = in->email};
    struct sql_account_register_row made;
    struct sql_account_find_row who;
    struct text hash, secret;

    if (in->invitation.p != NULL)
        return account_register_invited(r, in);
    r->unchanged = true; /* for audit and event, which say that an invitation was accepted */
    if (setting_text(S_REGISTRATION_ORG).len == 0)
        return fail(r, E_REGISTRATION_CLOSED);
    account_check_password(r, in->password, in->email);
    TRY(req_violations(r));
    TRY(password_hash(r->arena, in->password, &hash));
    struct sql_account_register_params p = {.new_id = r->new_id,
                                            .org_slug = setting_text(S_REGISTRATION_ORG),
                                            .email = in->email,
                                            .name = in->name,
                                            .password_hash = hash};
    TRY(sql_account_register_run(r, &p, &made));
    TRY(sql_account_find_run(r, &find, &who));
    TRY(account_link(r, &who, made.has_id, VERIFY_EMAIL, &secret));
    TRY(account_mail(r, made.has_id ? MAIL_VERIFY_EMAIL : MAIL_ACCOUNT_EXISTS, in->email, &who,
                     made.has_id ? secret : TEXT_NULL));
    return account_accepted(r);
}

static err
account_forgot(struct req *r, const void *input)
{
    const struct address_input *in = input;
    struct sql_account_find_params find = {.email = in->email};
    struct sql_account_find_row who;
    struct text secret;

    TRY(sql_account_find_run(r, &find, &who));
    TRY(account_link(r, &who, who.has_user_id, PASSWORD_RESET, &secret));
    TRY(account_mail(r, MAIL_PASSWORD_RESET, in->email, &who, secret));
    return account_accepted(r);
}

/* An address that has been proven is treated as one without an account. */
static err
account_resend(struct req *r, const void *input)
{
    const struct address_input *in = input;
    struct sql_account_find_params find = {.email = in->email};
    struct sql_account_find_row who;
    struct text secret;

    TRY(sql_account_find_run(r, &find, &who));
    who.has_user_id = who.has_user_id && !who.verified;
    TRY(account_link(r, &who, who.has_user_id, VERIFY_EMAIL, &secret));
    TRY(account_mail(r, MAIL_VERIFY_EMAIL, in->email, &who, secret));
    return account_accepted(r);
}

static err
account_verify(struct req *r, const void *input)
{
    const struct token_input *in = input;
    uint8_t *digest = arena_alloc(r->arena, SHA256_LEN);
    struct sql_email_verify_params p = {.digest = {(const char *)digest, SHA256_LEN}};
    struct sql_email_verify_row row;

    if (!link_read(in->token, VERIFY_EMAIL, digest))
        return fail(r, E_LINK_INVALID);
    TRY(sql_email_verify_run(r, &p, &row));
    return row.done ? E_OK : fail(r, E_LINK_INVALID);
}

/* --- passwords -------------------------------------------------------------------------------- */

static err
account_changed(struct req *r, const struct sql_account_find_row *who, struct text email,
                struct uuids ended)
{
    session_forget(r, ended.item, ended.count);
    return account_mail(r, MAIL_PASSWORD_CHANGED, email, who, TEXT_NULL);
}

static err
account_reset(struct req *r, const void *input)
{
    const struct reset_input *in = input;
    uint8_t *digest = arena_alloc(r->arena, SHA256_LEN);
    struct text kept = {(const char *)digest, SHA256_LEN};
    struct sql_account_token_email_params asked = {.digest = kept, .purpose = PASSWORD_RESET};
    struct sql_account_token_email_row owner;
    struct sql_password_reset_params p = {.digest = kept, .audit_id = r->new_id};
    struct sql_password_reset_row user;
    bool found;

    if (!link_read(in->token, PASSWORD_RESET, digest))
        return fail(r, E_LINK_INVALID);
    TRY(sql_account_token_email_run(r, &asked, &owner));
    if (owner.email.p == NULL)
        return fail(r, E_LINK_INVALID);
    account_check_password(r, in->password, owner.email);
    TRY(req_violations(r));
    TRY(password_hash(r->arena, in->password, &p.password_hash));
    TRY(sql_password_reset_run(r, &p, &user, &found));
    if (!found)
        return fail(r, E_LINK_INVALID);
    struct sql_account_find_row who = {.user_id = user.user_id,
                                       .has_user_id = true,
                                       .org_id = user.org_id,
                                       .name = user.name,
                                       .locale = user.locale};
    return account_changed(r, &who, user.email, user.ended);
}

static err
account_change(struct req *r, const void *input)
{
    const struct change_input *in = input;
    struct sql_password_current_params me = {.user_id = r->claims.user};
    struct sql_password_current_row now;
    struct sql_password_change_row row;
    bool found;

    TRY(sql_password_current_run(r, &me, &now));
    if (!password_verify(in->current_password, now.password_hash, NULL))
        return fail(r, E_PASSWORD_WRONG);
    account_check_password(r, in->password, now.email);
    TRY(req_violations(r));
    struct sql_password_change_params p = {.old_hash = now.password_hash,
                                           .own_session = r->claims.session};
    TRY(password_hash(r->arena, in->password, &p.new_hash));
    TRY(sql_password_change_run(r, &p, &row, &found));
    if (!found) /* another request was first: it is the password no more */
        return fail(r, E_PASSWORD_WRONG);
    struct sql_account_find_row who = {.user_id = r->claims.user,
                                       .has_user_id = true,
                                       .org_id = r->claims.org,
                                       .name = row.name,
                                       .locale = row.locale};
    return account_changed(r, &who, row.email, row.ended);
}

static err
account_logout_all(struct req *r, const void *input)
{
    struct sql_sessions_end_params p = {.user_id = r->claims.user, .reason = TEXT("logout_all")};
    struct sql_sessions_end_row row;

    (void)input;
    TRY(sql_sessions_end_run(r, &p, &row));
    session_forget(r, row.ended.item, row.ended.count);
    reply_clear_cookies(r);
    return E_OK;
}

static const struct endpoint rows[] = {
    {ENDPOINT(POST, "/auth/register", auth_register, ANYONE, PUBLIC), .rate = RATE_AUTH,
     .in = SHAPE(register_input, register_fields), .run = account_register,
     .reply = SHAPE(accepted, accepted_fields), .status = 202, .idempotency = IDEMPOTENCY_NONE,
     .pool = POOL_AUTH,
     .fails = FAILS(E_REGISTRATION_CLOSED, E_QUOTA_USERS, E_INVITATION_INVALID, E_ACCOUNT_EXISTS),
     .audit = {"user.join", "user", "new"}, .event = {"user.joined", "user", "new", NULL},
     .since = "0.1.0",
     .doc = "Register as a student of the open organisation, whereupon a mail follows, or as what "
            "an invitation says."},
    {ENDPOINT(POST, "/invitations/{token}/accept", invitation_accept, ANYONE, PUBLIC),
     .rate = RATE_AUTH, .in = SHAPE(accept_input, accept_fields), .run = account_accept,
     .reply = SHAPE(joined, joined_fields), .status = 201, .idempotency = IDEMPOTENCY_NONE,
     .pool = POOL_AUTH, .fails = FAILS(E_INVITATION_INVALID, E_ACCOUNT_EXISTS, E_QUOTA_USERS),
     .audit = {"user.join", "user", "new"}, .event = {"user.joined", "user", "new", NULL},
     .since = "0.2.0", .doc = "Make the account that an invitation is for; it works once."},
    {ENDPOINT(POST, "/auth/email/verify", email_verify, ANYONE, PUBLIC), .rate = RATE_AUTH,
     .in = SHAPE(token_input, token_fields), .run = account_verify, .status = 204,
     .idempotency = IDEMPOTENCY_NONE, .fails = FAILS(E_LINK_INVALID), .since = "0.2.0",
     .doc = "Confirm one's address with the link that was mailed to it."},
    {ENDPOINT(POST, "/auth/email/resend", email_resend, ANYONE, PUBLIC), .rate = RATE_AUTH,
     .in = SHAPE(address_input, address_fields), .run = account_resend,
     .reply = SHAPE(accepted, accepted_fields), .status = 202, .idempotency = IDEMPOTENCY_NONE,
     .since = "0.2.0", .doc = "Ask for another link to confirm an address; the former one ends."},
    {ENDPOINT(POST, "/auth/password/forgot", password_forgot, ANYONE, PUBLIC), .rate = RATE_AUTH,
     .in = SHAPE(address_input, address_fields), .run = account_forgot,
     .reply = SHAPE(accepted, accepted_fields), .status = 202, .idempotency = IDEMPOTENCY_NONE,
     .unaudited = "A link is asked for, by whoever knows the address; nothing is changed.",
     .since = "0.2.0", .doc = "Ask for a link to choose a new password; the former one ends."},
    {ENDPOINT(POST, "/auth/password/reset", password_reset, ANYONE, PUBLIC), .rate = RATE_AUTH,
     .in = SHAPE(reset_input, reset_fields), .run = account_reset, .status = 204,
     .idempotency = IDEMPOTENCY_NONE, .pool = POOL_AUTH, .fails = FAILS(E_LINK_INVALID),
     .unaudited = "Nobody is signed in; its statement writes account.password_reset.",
     .since = "0.2.0",
     .doc = "Choose a new password with a mailed link. All sessions end, and so does a lock."},
    {ENDPOINT(POST, "/auth/password/change", password_change, USER, EVERYONE), .rate = RATE_AUTH,
     .in = SHAPE(change_input, change_fields), .run = account_change, .status = 204,
     .idempotency = IDEMPOTENCY_NONE, .pool = POOL_AUTH, .fails = FAILS(E_PASSWORD_WRONG),
     .audit = {"account.password_change", "user", NULL}, .since = "0.2.0",
     .doc = "Change one's password. Other sessions end; this one stays."},
    {ENDPOINT(POST, "/auth/logout-all", auth_logout_all, USER, EVERYONE), .run = account_logout_all,
     .second_factor = SECOND_FACTOR_EXEMPT, .idempotency = IDEMPOTENCY_NONE, .status = 204,
     .audit = {"session.end_all", "user", NULL}, .since = "0.2.0",
     .doc = "End all of one's sessions, this one included."},
};

DOMAIN(account, "Registration, addresses and passwords", rows);
