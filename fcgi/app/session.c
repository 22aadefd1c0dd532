/* Signing in and out, and one's own account. */
#include <string.h>

#include "api/credentials.h"
#include "api/endpoint.h"
#include "api/mail.h"
#include "api/req.h"
#include "api/session.h"
#include "app/statements.h"
#include "auth/password.h"
#include "auth/second_factor.h"
#include "auth/secret.h"
#include "auth/token.h"
#include "auth/totp.h"
#include "base/settings.h"
#include "base/timestamp.h"

/* --- shapes ---------------------------------------------------------------------------------- */

struct login_input {
    struct text email;
    struct text password;
    bool use_cookies;
};

static const struct field login_fields[] = {
    FIELD(login_input, email, .required = true, .min = 3, .max = 254, .format = FORMAT_EMAIL,
          .sensitive = true, .account = true, .doc = "The address"),
    FIELD(login_input, password, .required = true, .min = 1, .max = 128, .sensitive = true,
          .doc = "The password"),
    FIELD(login_input, use_cookies, .preset = "false",
          .doc = "Also set the session's cookies, for browsers"),
};

struct factor_input {
    struct text challenge;
    struct text code;
    bool use_cookies;
};

#define CHALLENGE_FIELD                                                                        \
    FIELD(factor_input, challenge, .required = true, .min = 43, .max = 43,                     \
          .format = FORMAT_OPAQUE, .sensitive = true, .account = true,                         \
          .doc = "Of the answer second_factor_required; good for one sign-in, five tries and " \
                 "300 seconds")
#define COOKIES_FIELD(type)                     \
    FIELD(type, use_cookies, .preset = "false", \
          .doc = "Also set the session's cookies, for browsers")

static const struct field second_factor_fields[] = {
    CHALLENGE_FIELD,
    FIELD(factor_input, code, .required = true, .min = 6, .max = 6, .format = FORMAT_CODE,
          .sensitive = true, .doc = "Six digits of the authenticator; each code works once"),
    COOKIES_FIELD(factor_input),
};

static const struct field recovery_fields[] = {
    CHALLENGE_FIELD,
    FIELD(factor_input, code, .required = true, .min = 16, .max = 32, .format = FORMAT_CODE,
          .sensitive = true, .doc = "One of the recovery codes; each works once"),
    COOKIES_FIELD(factor_input),
};

struct session_user {
    struct uuid id;
    struct uuid org_id;
    struct text role;
    struct text name;
    struct text email;
};

static const struct field session_user_fields[] = {
    FIELD(session_user, id, .doc = "The user"),
    FIELD(session_user, org_id, .doc = "Their organisation"),
    FIELD(session_user, role, .doc = "Their role"),
    FIELD(session_user, name, .doc = "Their name"),
    FIELD(session_user, email, .doc = "Their address"),
};

struct session_tokens {
    struct text access_token;
    struct text token_type;
    int64_t expires_in;
    struct text refresh_token;
    struct session_user user;
};

static const struct field session_tokens_fields[] = {
    FIELD(session_tokens, access_token, .doc = "JWT for Authorization: Bearer"),
    FIELD(session_tokens, token_type, .choices = "Bearer", .doc = "RFC 6750"),
    FIELD(session_tokens, expires_in, .doc = "Seconds that the access token lives"),
    FIELD(session_tokens, refresh_token, .doc = "For one exchange at /auth/refresh"),
    FIELD_NESTED(session_tokens, user, SHAPE(session_user, session_user_fields),
                 .doc = "Who signed in"),
};

#define TOKENS_SHAPE SHAPE(session_tokens, session_tokens_fields)

struct refresh_input {
    struct text refresh_token;
};

static const struct field refresh_fields[] = {
    FIELD(refresh_input, refresh_token, .min = 1, .max = 512, .format = FORMAT_OPAQUE,
          .sensitive = true, .doc = "Left out by browsers, whose cookie brings it"),
};

struct session_input {
    struct uuid session_id;
};

static const struct field session_fields[] = {
    FIELD(session_input, session_id, .place = IN_PATH, .doc = "The session"),
};

struct user_session_input {
    struct uuid user_id;
    struct uuid session_id;
};

static const struct field user_session_fields[] = {
    FIELD(user_session_input, user_id, .place = IN_PATH, .doc = "Whose session"),
    FIELD(user_session_input, session_id, .place = IN_PATH, .doc = "The session"),
};

struct user_input {
    struct uuid user_id;
};

static const struct field user_fields[] = {
    FIELD(user_input, user_id, .place = IN_PATH, .doc = "The person"),
};

struct me_input {
    struct text name;
    struct text locale;
    struct text timezone;
};

static const struct field me_fields[] = {
    FIELD(me_input, name, .min = 1, .max = 255, .sensitive = true, .doc = "One's name"),
    FIELD(me_input, locale, .min = 2, .max = 35, .format = FORMAT_LOCALE, .doc = "One's language"),
    FIELD(me_input, timezone, .min = 1, .max = 64, .format = FORMAT_TIMEZONE,
          .doc = "One's time zone"),
};

/* --- tokens
 * --------------------------------------------------------------------------------------- */

static void
session_role(struct token_claims *claims, struct text role)
{
    size_t n = role.len < sizeof claims->role ? role.len : sizeof claims->role - 1;
    memcpy(claims->role, role.p, n);
}

static err
session_reply(struct req *r, struct token_claims *claims, struct session_tokens *out, bool cookies)
{
    int64_t lifetime = setting_int(S_TOKEN_EXPIRY_MINUTES) * 60;

    claims->id = uuid_v7();
    claims->issued_at = timestamp_now().us / 1000000;
    claims->expires_at = claims->issued_at + lifetime;
    out->token_type = TEXT("Bearer");
    out->expires_in = lifetime;
    TRY(token_issue(r->arena, r->api->keys, claims, &out->access_token));
    r->csrf_session = claims->session;
    if (cookies)
        reply_session_cookies(r, out->access_token, out->refresh_token);
    return reply_shape(r, TOKENS_SHAPE, out);
}

/* --- login
 * ------------------------------------------------------------------------------------------ */

static err
session_rehash(struct req *r, struct text password, const struct sql_signin_begin_row *user)
{
    struct sql_password_rehash_params p = {.user_id = user->user_id,
                                           .old_hash = user->password_hash};
    struct sql_password_rehash_row row;

    TRY(password_hash(r->arena, password, &p.new_hash));
    return sql_password_rehash_run(r, &p, &row);
}

/* The session is the request's new thing. */
static err
session_start(struct req *r, const struct session_user *user, bool cookies)
{
    struct token_claims claims = {.user = user->id, .org = user->org_id, .session = r->new_id};
    struct session_tokens out = {.user = *user};
    uint8_t *digest = arena_alloc(r->arena, SHA256_LEN);
    struct sql_session_open_row opened;

    session_role(&claims, user->role);
    TRY(req_become(r, &claims));
    out.refresh_token = refresh_issue(r->arena, &claims.session, digest);
    struct sql_session_open_params p = {
        .session_id = claims.session,
        .user_id = user->id,
        .digest = {(const char *)digest, SHA256_LEN},
        .address = r->http->address,
        .user_agent = r->http->header[HDR_USER_AGENT],
        .refresh_days = setting_int(S_REFRESH_TOKEN_EXPIRY_DAYS),
        .max_sessions = setting_int(S_MAX_ACTIVE_SESSIONS_PER_USER),
        .idle_minutes = setting_int(S_SESSION_IDLE_MINUTES),
    };
    if (!text_utf8_valid(p.user_agent))
        p.user_agent = TEXT_NULL;
    TRY(sql_session_open_run(r, &p, &opened));
    session_forget(r, opened.evicted.item, opened.evicted.count);
    if (cookies)
        reply_device_cookie(r, &user->id);
    return session_reply(r, &claims, &out, cookies);
}

/* Counts the attempt before its password is looked at, for good: attempts at once cannot pass the
 * threshold together, and none waits while another's password is verified. */
static err
session_attempt(struct req *r, struct text email, struct sql_signin_begin_row *ret_attempt)
{
    struct sql_signin_begin_params p = {
        .email = email,
        .address = r->http->address,
        .threshold = setting_int(S_ACCOUNT_LOCKOUT_THRESHOLD),
        .window_minutes = setting_int(S_ACCOUNT_LOCKOUT_WINDOW_MINUTES),
        .lock_minutes = setting_int(S_ACCOUNT_LOCKOUT_DURATION_MINUTES),
    };

    p.has_device = p.has_device_user = device_known(r, &p.device_user, &p.device);
    TRY(sql_signin_begin_run(r, &p, ret_attempt));
    return req_commit(r);
}

/* The lock that the last attempt left behind is audited and told. For an address without an account
 * the mail is written as well, ended. */
static err
session_tell_lock(struct req *r, struct text email, struct text source)
{
    struct sql_signin_locked_params p = {.email = email, .source = source, .audit_id = r->new_id};
    struct sql_signin_locked_row row;
    bool found;

    TRY(sql_signin_locked_run(r, &p, &row, &found));
    if (!found)
        return E_OK;
    struct text minutes =
        arena_printf(r->arena, "%lld", (long long)setting_int(S_ACCOUNT_LOCKOUT_DURATION_MINUTES));
    struct mail m = {.kind = MAIL_ACCOUNT_LOCKED,
                     .org = row.org_id,
                     .user = row.has_user_id ? &row.user_id : NULL,
                     .address = email,
                     .name = row.name,
                     .locale = row.locale,
                     .detail = minutes};
    TRY(mail_enqueue(r, &m));
    r->keep = true;
    return E_OK;
}

/* The password was right. A user with a second factor gets a challenge in place of a session. */
static err
session_passed(struct req *r, struct text email, const struct sql_signin_begin_row *user)
{
    uint8_t *digest = arena_alloc(r->arena, SHA256_LEN);
    struct text challenge = challenge_issue(r->arena, digest);
    struct sql_signin_passed_params p = {.email = email,
                                         .source = user->source,
                                         .user_id = user->user_id,
                                         .digest = {(const char *)digest, SHA256_LEN},
                                         .seconds = CHALLENGE_SECONDS};
    struct sql_signin_passed_row row;

    TRY(sql_signin_passed_run(r, &p, &row));
    if (!row.challenged)
        return E_OK;
    r->challenge = challenge;
    r->challenge_seconds = CHALLENGE_SECONDS;
    r->keep = true;
    return fail(r, E_SECOND_FACTOR_REQUIRED);
}

/* The same work and the same answer whether the address is known, the password is wrong or the
 * account is locked; only for the owner of a locked one a mail says more. */
static err
session_login(struct req *r, const void *input)
{
    const struct login_input *in = input;
    struct sql_signin_begin_row user;
    bool stale = false;

    TRY(session_attempt(r, in->email, &user));
    struct text hash = user.admitted ? user.password_hash : TEXT_NULL;
    if (!password_verify(in->password, hash, &stale) || !text_eq(user.status, TEXT("active"))) {
        if (user.last)
            TRY(session_tell_lock(r, in->email, user.source));
        return fail(r, E_CREDENTIALS_INVALID);
    }
    if (stale)
        TRY(session_rehash(r, in->password, &user));
    TRY(session_passed(r, in->email, &user));
    struct session_user who = {user.user_id, user.org_id, user.role, user.name, user.email};
    return session_start(r, &who, in->use_cookies);
}

/* --- the second step of a sign-in ---------------------------------------------------------------
 */

/* What a challenge is answered with: the time step of a code, or a recovery code's digest. */
struct answer {
    bool right; /* as far as can be told before it is known whether it was used */
    int64_t step;
    struct text recovery; /* TEXT_NULL: a step */
};

typedef struct answer answer_fn(struct req *r, struct text secret, struct text code);

static struct answer
answer_code(struct req *r, struct text secret, struct text code)
{
    struct answer a = {.recovery = TEXT_NULL};

    (void)r;
    a.right = totp_match(secret, code, timestamp_now().us / 1000000, &a.step);
    return a;
}

static struct answer
answer_recovery(struct req *r, struct text secret, struct text code)
{
    uint8_t *digest = arena_alloc(r->arena, SHA256_LEN);

    return (struct answer){.right = recovery_digest(secret, code, digest),
                           .recovery = {(const char *)digest, SHA256_LEN}};
}

/* Whose challenge it is; the attempt is counted, also when it goes wrong. */
static err
session_challenged(struct req *r, struct text digest, struct sql_second_factor_challenged_row *ret)
{
    struct sql_second_factor_challenged_params p = {.digest = digest};
    bool found;

    TRY(sql_second_factor_challenged_run(r, &p, ret, &found));
    if (!found)
        return fail(r, E_SECOND_FACTOR_CHALLENGE);
    r->keep = true;
    r->retry_after = ret->wait;
    return ret->wait > 0 ? fail(r, E_SECOND_FACTOR_LOCKED) : E_OK;
}

static err
session_answer(struct req *r, const struct factor_input *in, answer_fn *check,
               struct sql_second_factor_challenged_row *ret_user)
{
    uint8_t *digest = arena_alloc(r->arena, SHA256_LEN);
    struct text key = {(const char *)digest, SHA256_LEN};
    struct sql_second_factor_answer_params p = {.digest = key, .session_id = r->new_id};
    struct sql_second_factor_settle_params settle = {.digest = key};
    struct sql_second_factor_answer_row taken;
    struct sql_second_factor_settle_row settled;
    struct text secret;

    challenge_digest(in->challenge, digest);
    TRY(session_challenged(r, key, ret_user));
    TRY(factor_open(r->arena, &ret_user->user_id, &ret_user->org_id, ret_user->sealed, &secret));
    struct answer a = check(r, secret, in->code);
    p.step = a.step;
    p.recovery = a.recovery;
    if (!a.right)
        return fail(r, E_SECOND_FACTOR_INVALID);
    TRY(sql_second_factor_answer_run(r, &p, &taken));
    if (!taken.taken)
        return fail(r, E_SECOND_FACTOR_INVALID);
    r->keep = false; /* from here on it is all or nothing */
    struct session_user user = {ret_user->user_id, ret_user->org_id, ret_user->role, ret_user->name,
                                ret_user->email};
    TRY(session_start(r, &user, in->use_cookies));
    return sql_second_factor_settle_run(r, &settle, &settled);
}

static err
session_second_factor(struct req *r, const void *input)
{
    struct sql_second_factor_challenged_row user;

    return session_answer(r, input, answer_code, &user);
}

static err
session_recovery_code(struct req *r, const void *input)
{
    struct sql_second_factor_challenged_row user;

    TRY(session_answer(r, input, answer_recovery, &user));
    return mail_enqueue(r, &(struct mail){.kind = MAIL_SECOND_FACTOR,
                                          .org = user.org_id,
                                          .user = &user.user_id,
                                          .address = user.email,
                                          .name = user.name,
                                          .locale = user.locale,
                                          .detail = TEXT("recovery_code_used")});
}

/* --- refresh and logout ---------------------------------------------------------------------- */

static err
session_rotated(struct req *r, const struct uuid *session,
                const struct sql_session_rotate_row *user, struct text refresh_token)
{
    struct token_claims claims = {.user = user->user_id, .org = user->org_id, .session = *session};
    struct session_tokens out = {
        .refresh_token = refresh_token,
        .user = {user->user_id, user->org_id, user->role, user->name, user->email}};

    session_role(&claims, user->role);
    return session_reply(r, &claims, &out, r->by_cookie);
}

static err
session_refresh(struct req *r, const void *input)
{
    const struct refresh_input *in = input;
    struct text given = in->refresh_token.p != NULL ? in->refresh_token : r->refresh_token;
    uint8_t *old_digest = arena_alloc(r->arena, SHA256_LEN),
            *digest = arena_alloc(r->arena, SHA256_LEN);
    struct sql_session_rotate_row row;
    struct uuid session;

    if (given.p == NULL || !refresh_parse(given, &session, old_digest))
        return fail(r, E_REFRESH_INVALID);
    struct text next = refresh_issue(r->arena, &session, digest);
    struct sql_session_rotate_params p = {.session_id = session,
                                          .old_digest = {(const char *)old_digest, SHA256_LEN},
                                          .new_digest = {(const char *)digest, SHA256_LEN},
                                          .refresh_days = setting_int(S_REFRESH_TOKEN_EXPIRY_DAYS),
                                          .idle_minutes = setting_int(S_SESSION_IDLE_MINUTES),
                                          .audit_id = r->new_id};
    TRY(sql_session_rotate_run(r, &p, &row));
    if (text_eq(row.outcome, TEXT("rotated")))
        return session_rotated(r, &session, &row, next);
    if (text_eq(row.outcome, TEXT("reused"))) {
        r->keep = true; /* the family stays revoked */
        session_forget(r, &session, 1);
    }
    return fail(r, E_REFRESH_INVALID);
}

static err
session_logout(struct req *r, const void *input)
{
    struct sql_session_end_params p = {.session_id = r->claims.session, .reason = TEXT("logout")};
    struct sql_session_end_row row;

    (void)input;
    TRY(sql_session_end_run(r, &p, &row));
    session_forget(r, &r->claims.session, 1);
    reply_clear_cookies(r);
    return E_OK;
}

/* --- sessions ----------------------------------------------------------------------------------
 */

static err
session_end_own(struct req *r, const void *input)
{
    const struct session_input *in = input;
    struct sql_session_own_end_params p = {.session_id = in->session_id};
    struct sql_session_own_end_row row;

    TRY(sql_session_own_end_run(r, &p, &row));
    session_forget(r, &in->session_id, 1);
    return E_OK;
}

static err
session_end_of_user(struct req *r, const struct sql_user_sessions_end_params *p)
{
    struct sql_user_sessions_end_row row;

    TRY(sql_user_sessions_end_run(r, p, &row));
    r->unchanged = row.ended.count == 0;
    session_forget(r, row.ended.item, row.ended.count);
    return E_OK;
}

static err
session_end_one(struct req *r, const void *input)
{
    const struct user_session_input *in = input;
    struct sql_user_sessions_end_params p = {
        .user_id = in->user_id, .session_id = in->session_id, .has_session_id = true};

    return session_end_of_user(r, &p);
}

static err
session_end_all(struct req *r, const void *input)
{
    const struct user_input *in = input;
    struct sql_user_sessions_end_params p = {.user_id = in->user_id};

    return session_end_of_user(r, &p);
}

static const struct endpoint rows[] = {
    {ENDPOINT(POST, "/auth/login", auth_login, ANYONE, PUBLIC), .rate = RATE_AUTH,
     .in = SHAPE(login_input, login_fields), .run = session_login, .reply = TOKENS_SHAPE,
     .idempotency = IDEMPOTENCY_NONE, .pool = POOL_AUTH,
     .fails = FAILS(E_CREDENTIALS_INVALID, E_SECOND_FACTOR_REQUIRED, E_ORG_SUSPENDED),
     .audit = {"session.start", "session", "session"},
     .event = {"session.started", "session", "session", NULL}, .since = "0.1.0",
     .doc = "Sign in with e-mail and password."},
    {ENDPOINT(POST, "/auth/login/second-factor", auth_second_factor, ANYONE, PUBLIC),
     .rate = RATE_AUTH, .in = SHAPE(factor_input, second_factor_fields),
     .run = session_second_factor, .reply = TOKENS_SHAPE, .idempotency = IDEMPOTENCY_NONE,
     .fails = FAILS(E_SECOND_FACTOR_CHALLENGE, E_SECOND_FACTOR_INVALID, E_SECOND_FACTOR_LOCKED,
                    E_ORG_SUSPENDED),
     .audit = {"session.start", "session", "session"},
     .event = {"session.started", "session", "session", NULL}, .since = "0.2.0",
     .doc = "Complete a sign-in that owes a code with the authenticator's."},
    {ENDPOINT(POST, "/auth/login/recovery-code", auth_recovery_code, ANYONE, PUBLIC),
     .rate = RATE_AUTH, .in = SHAPE(factor_input, recovery_fields), .run = session_recovery_code,
     .reply = TOKENS_SHAPE, .idempotency = IDEMPOTENCY_NONE,
     .fails = FAILS(E_SECOND_FACTOR_CHALLENGE, E_SECOND_FACTOR_INVALID, E_SECOND_FACTOR_LOCKED,
                    E_ORG_SUSPENDED),
     .audit = {"second_factor.recovery_code_used", "session", "session"},
     .event = {"session.started", "session", "session", NULL}, .since = "0.2.0",
     .doc = "Complete a sign-in that owes a code with a recovery code."},
    {ENDPOINT(POST, "/auth/refresh", auth_refresh, REFRESH, PUBLIC), .rate = RATE_AUTH,
     .in = SHAPE(refresh_input, refresh_fields), .body = BODY_JSON_OPTIONAL, .run = session_refresh,
     .reply = TOKENS_SHAPE, .idempotency = IDEMPOTENCY_NONE, .fails = FAILS(E_REFRESH_INVALID),
     .since = "0.1.0", .doc = "Exchange a refresh token for new tokens; each works once."},
    {ENDPOINT(POST, "/auth/logout", auth_logout, USER, EVERYONE), .run = session_logout,
     .second_factor = SECOND_FACTOR_EXEMPT, .idempotency = IDEMPOTENCY_NONE, .status = 204,
     .audit = {"session.end", "session", "session"}, .since = "0.1.0",
     .doc = "End the session of the access token."},
    {ENDPOINT(GET, "/users/me/sessions", user_session_list, USER, EVERYONE),
     .sql = &sql_session_list, .since = "0.2.0",
     .doc = "List where one is signed in, newest first."},
    {ENDPOINT(DELETE, "/users/me/sessions/{session_id}", user_session_end, USER, EVERYONE),
     .in = SHAPE(session_input, session_fields), .run = session_end_own, .status = 204,
     .audit = {"session.revoke", "session", "session_id"}, .since = "0.2.0",
     .doc = "End one of one's sessions."},
    {ENDPOINT(GET, "/org/users/{user_id}/sessions", org_user_session_list, USER, ADMINS),
     .sql = &sql_session_of_user_list, .probe = &sql_session_of_user_probe, .rate = RATE_ADMIN_READ,
     .fails = FAILS(E_ROLE_TOO_HIGH), .since = "0.2.0",
     .doc = "List where a person is signed in, newest first."},
    {ENDPOINT(DELETE, "/org/users/{user_id}/sessions", org_user_session_end_all, USER, ADMINS),
     .in = SHAPE(user_input, user_fields), .run = session_end_all, .status = 204,
     .fails = FAILS(E_ROLE_TOO_HIGH), .audit = {"session.revoke_all", "user", "user_id"},
     .since = "0.2.0", .doc = "End all sessions of a person."},
    {ENDPOINT(DELETE, "/org/users/{user_id}/sessions/{session_id}", org_user_session_end, USER,
              ADMINS),
     .in = SHAPE(user_session_input, user_session_fields), .run = session_end_one, .status = 204,
     .fails = FAILS(E_ROLE_TOO_HIGH), .audit = {"session.revoke", "session", "session_id"},
     .since = "0.2.0", .doc = "End a session of a person."},
    {ENDPOINT(POST, "/org/users/{user_id}/unlock", org_user_unlock, USER, ADMINS),
     .in = SHAPE(user_input, user_fields), .sql = &sql_user_unlock, .fails = FAILS(E_ROLE_TOO_HIGH),
     .audit = {"account.unlock", "user", "user_id"}, .since = "0.2.0",
     .doc = "Lift the locks that failed sign-ins have put on an account; says how many."},
    {ENDPOINT(GET, "/users/me", user_me, USER, EVERYONE), .sql = &sql_user_me,
     .second_factor = SECOND_FACTOR_EXEMPT, .since = "0.1.0", .doc = "Read one's own account."},
    {ENDPOINT(PATCH, "/users/me", user_me_update, USER, EVERYONE), .in = SHAPE(me_input, me_fields),
     .sql = &sql_user_me_update, .since = "0.1.0",
     .doc = "Change one's name, language or time zone."},
};

DOMAIN(session, "Sign-in and one's own account", rows);
