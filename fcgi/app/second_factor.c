/* Setting up one's second factor, and taking it away. Its part in signing in is session.c's. */
#include "api/endpoint.h"
#include "api/mail.h"
#include "api/req.h"
#include "api/session.h"
#include "app/statements.h"
#include "auth/password.h"
#include "auth/qr.h"
#include "auth/second_factor.h"
#include "auth/totp.h"
#include "base/settings.h"
#include "base/timestamp.h"

/* --- shapes ---------------------------------------------------------------------------------- */

struct factor_enrol {
    struct text password;
};

static const struct field enrol_fields[] = {
    FIELD(factor_enrol, password, .required = true, .min = 1, .max = 128, .sensitive = true,
          .doc = "The caller's password, once more"),
};

struct factor_secret {
    struct text secret;
    struct text uri;
    struct text qr_svg;
};

static const struct field secret_fields[] = {
    FIELD(factor_secret, secret, .doc = "To be typed into an authenticator: base32"),
    FIELD(factor_secret, uri, .doc = "The same as otpauth:// for an app on this device"),
    FIELD(factor_secret, qr_svg, .doc = "The same as a picture to scan"),
};

struct factor_code {
    struct text code;
};

static const struct field code_fields[] = {
    FIELD(factor_code, code, .required = true, .min = 6, .max = 6, .format = FORMAT_CODE,
          .sensitive = true, .doc = "Six digits of the authenticator; each code works once"),
};

struct factor_codes {
    struct texts recovery_codes;
};

static const struct field codes_fields[] = {
    FIELD(factor_codes, recovery_codes, .doc = "Each works once; they are shown this time only"),
};

struct factor_disable {
    struct text password;
    struct text code;
};

static const struct field disable_fields[] = {
    FIELD(factor_disable, password, .required = true, .min = 1, .max = 128, .sensitive = true,
          .doc = "The caller's password, once more"),
    FIELD(factor_disable, code, .required = true, .min = 6, .max = 32, .format = FORMAT_CODE,
          .sensitive = true, .doc = "Six digits of the authenticator, or a recovery code"),
};

struct factor_reset {
    struct uuid user_id;
};

static const struct field reset_fields[] = {
    FIELD(factor_reset, user_id, .place = IN_PATH, .doc = "Whose second factor"),
};

/* --- what they share ------------------------------------------------------------------------- */

static err
factor_self(struct req *r, struct text password, struct sql_second_factor_self_row *ret_self)
{
    TRY(sql_second_factor_self_run(r, ret_self));
    return password_verify(password, ret_self->password_hash, NULL) ? E_OK
                                                                    : fail(r, E_PASSWORD_WRONG);
}

/* The caller's secret, confirmed or not as asked for. From here on an answer that is wrong counts,
 * whatever becomes of the request. */
static err
factor_attempt(struct req *r, bool confirmed, struct text *ret_secret)
{
    struct sql_second_factor_attempt_row row;
    bool found;

    *ret_secret = TEXT_NULL;
    TRY(sql_second_factor_attempt_run(r, &row, &found));
    if (!found)
        return fail(r, E_SECOND_FACTOR_ABSENT);
    r->retry_after = row.wait;
    if (row.wait > 0)
        return fail(r, E_SECOND_FACTOR_LOCKED);
    if (row.confirmed != confirmed)
        return fail(r, E_SECOND_FACTOR_ABSENT);
    TRY(factor_open(r->arena, &r->claims.user, &r->claims.org, row.sealed, ret_secret));
    r->keep = true;
    return E_OK;
}

static err
factor_step(struct req *r, struct text secret, struct text code, int64_t *ret_step)
{
    bool right = totp_match(secret, code, timestamp_now().us / 1000000, ret_step);

    return right ? E_OK : fail(r, E_SECOND_FACTOR_INVALID);
}

static err
factor_tell(struct req *r, const struct uuid *user, const struct mail *who, struct text what)
{
    struct mail m = *who;

    m.kind = MAIL_SECOND_FACTOR;
    m.org = r->claims.org;
    m.user = user;
    m.detail = what;
    return mail_enqueue(r, &m);
}

static err
factor_tell_self(struct req *r, struct text what)
{
    struct sql_second_factor_self_row self;

    TRY(sql_second_factor_self_run(r, &self));
    return factor_tell(
        r, &r->claims.user,
        &(struct mail){.address = self.email, .name = self.name, .locale = self.locale}, what);
}

/* --- enrol ----------------------------------------------------------------------------------- */

static err
factor_begin(struct req *r, const void *input)
{
    const struct factor_enrol *in = input;
    struct sql_second_factor_self_row self;
    struct sql_second_factor_enrol_params p;
    struct sql_second_factor_enrol_row row;
    struct factor_secret out;
    struct text secret;

    TRY(factor_self(r, in->password, &self));
    TRY(factor_make(r->arena, &r->claims.user, &r->claims.org, &secret, &p.sealed));
    TRY(sql_second_factor_enrol_run(r, &p, &row));
    if (!row.begun)
        return fail(r, E_SECOND_FACTOR_ENABLED);
    out.secret = base32_encode(r->arena, secret);
    out.uri = totp_uri(r->arena, setting_text(S_TWO_FACTOR_ISSUER), self.email, secret);
    TRY(qr_svg(r->arena, out.uri, &out.qr_svg));
    return reply_shape(r, SHAPE(factor_secret, secret_fields), &out);
}

static err
factor_codes_reply(struct req *r, const struct text *codes)
{
    struct factor_codes out = {.recovery_codes = {codes, RECOVERY_CODES}};

    return reply_shape(r, SHAPE(factor_codes, codes_fields), &out);
}

static err
factor_confirm(struct req *r, const void *input)
{
    const struct factor_code *in = input;
    struct text secret, codes[RECOVERY_CODES], digests[RECOVERY_CODES];
    struct sql_second_factor_confirm_params p = {.digests = {digests, RECOVERY_CODES},
                                                 .session_id = r->claims.session};
    struct sql_second_factor_confirm_row row;

    TRY(factor_attempt(r, false, &secret));
    TRY(factor_step(r, secret, in->code, &p.step));
    recovery_make(r->arena, secret, codes, digests);
    TRY(sql_second_factor_confirm_run(r, &p, &row));
    if (!row.done)
        return fail(r, E_SECOND_FACTOR_INVALID);
    r->keep = false;
    session_forget(r, row.ended.item, row.ended.count);
    TRY(factor_tell_self(r, TEXT("enabled")));
    return factor_codes_reply(r, codes);
}

static err
factor_new_codes(struct req *r, const void *input)
{
    const struct factor_code *in = input;
    struct text secret, codes[RECOVERY_CODES], digests[RECOVERY_CODES];
    struct sql_second_factor_codes_params p = {.digests = {digests, RECOVERY_CODES}};
    struct sql_second_factor_codes_row row;

    TRY(factor_attempt(r, true, &secret));
    TRY(factor_step(r, secret, in->code, &p.step));
    recovery_make(r->arena, secret, codes, digests);
    TRY(sql_second_factor_codes_run(r, &p, &row));
    return row.done ? factor_codes_reply(r, codes) : fail(r, E_SECOND_FACTOR_INVALID);
}

/* --- take away ------------------------------------------------------------------------------- */

static err
factor_disable(struct req *r, const void *input)
{
    const struct factor_disable *in = input;
    uint8_t *digest = arena_alloc(r->arena, SHA256_LEN);
    struct sql_second_factor_disable_params p = {.recovery = TEXT_NULL};
    struct sql_second_factor_disable_row row;
    struct sql_second_factor_self_row self;
    struct text secret;

    TRY(factor_self(r, in->password, &self));
    TRY(factor_attempt(r, true, &secret));
    if (recovery_digest(secret, in->code, digest))
        p.recovery = (struct text){(const char *)digest, SHA256_LEN};
    else
        TRY(factor_step(r, secret, in->code, &p.step));
    TRY(sql_second_factor_disable_run(r, &p, &row));
    if (!row.done)
        return fail(r, E_SECOND_FACTOR_INVALID);
    r->keep = false;
    return factor_tell_self(r, TEXT("disabled"));
}

static err
factor_reset(struct req *r, const void *input)
{
    const struct factor_reset *in = input;
    struct sql_second_factor_reset_params p = {.user_id = in->user_id};
    struct sql_second_factor_reset_row row;

    TRY(sql_second_factor_reset_run(r, &p, &row));
    session_forget(r, row.ended.item, row.ended.count);
    return factor_tell(r, &in->user_id,
                       &(struct mail){.address = row.email, .name = row.name, .locale = row.locale},
                       TEXT("disabled"));
}

static const struct endpoint rows[] = {
    {ENDPOINT(GET, "/users/me/second-factor", second_factor_get, USER, EVERYONE),
     .sql = &sql_second_factor, .second_factor = SECOND_FACTOR_EXEMPT, .since = "0.2.0",
     .doc = "Read whether one's second factor is off, pending or on."},
    {ENDPOINT(POST, "/users/me/second-factor", second_factor_begin, USER, EVERYONE),
     .rate = RATE_AUTH, .in = SHAPE(factor_enrol, enrol_fields), .run = factor_begin,
     .reply = SHAPE(factor_secret, secret_fields), .idempotency = IDEMPOTENCY_NONE,
     .pool = POOL_AUTH, .second_factor = SECOND_FACTOR_EXEMPT,
     .fails = FAILS(E_PASSWORD_WRONG, E_SECOND_FACTOR_ENABLED),
     .audit = {"second_factor.begun", "user", NULL}, .since = "0.2.0",
     .doc = "Make a secret for an authenticator; it counts once it is confirmed."},
    {ENDPOINT(POST, "/users/me/second-factor/confirm", second_factor_confirm, USER, EVERYONE),
     .rate = RATE_AUTH, .in = SHAPE(factor_code, code_fields), .run = factor_confirm,
     .reply = SHAPE(factor_codes, codes_fields), .idempotency = IDEMPOTENCY_NONE,
     .second_factor = SECOND_FACTOR_EXEMPT,
     .fails = FAILS(E_SECOND_FACTOR_INVALID, E_SECOND_FACTOR_ABSENT, E_SECOND_FACTOR_LOCKED),
     .audit = {"second_factor.enabled", "user", NULL}, .since = "0.2.0",
     .doc = "Turn the second factor on with a first code; one's other sessions end."},
    {ENDPOINT(POST, "/users/me/second-factor/recovery-codes", second_factor_codes, USER, EVERYONE),
     .rate = RATE_AUTH, .in = SHAPE(factor_code, code_fields), .run = factor_new_codes,
     .reply = SHAPE(factor_codes, codes_fields), .idempotency = IDEMPOTENCY_NONE,
     .fails = FAILS(E_SECOND_FACTOR_INVALID, E_SECOND_FACTOR_ABSENT, E_SECOND_FACTOR_LOCKED),
     .audit = {"second_factor.codes_renewed", "user", NULL}, .since = "0.2.0",
     .doc = "Make new recovery codes; the old ones are void."},
    {ENDPOINT(POST, "/users/me/second-factor/disable", second_factor_disable, USER, EVERYONE),
     .rate = RATE_AUTH, .in = SHAPE(factor_disable, disable_fields), .run = factor_disable,
     .idempotency = IDEMPOTENCY_NONE, .pool = POOL_AUTH, .status = 204,
     .fails = FAILS(E_PASSWORD_WRONG, E_SECOND_FACTOR_INVALID, E_SECOND_FACTOR_ABSENT,
                    E_SECOND_FACTOR_LOCKED),
     .audit = {"second_factor.disabled", "user", NULL}, .since = "0.2.0",
     .doc = "Turn the second factor off with the password and a code."},
    {ENDPOINT(DELETE, "/org/users/{user_id}/second-factor", second_factor_reset, USER, ADMINS),
     .in = SHAPE(factor_reset, reset_fields), .run = factor_reset, .status = 204,
     .fails = FAILS(E_ROLE_TOO_HIGH), .audit = {"second_factor.reset", "user", "user_id"},
     .since = "0.2.0",
     .doc = "Take a person's second factor away, when device and codes are lost; they are signed "
            "out."},
};

DOMAIN(second_factor, "Second factor", rows);
