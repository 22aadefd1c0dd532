#include "api/credentials.h"

#include <stdlib.h>
#include <string.h>

#include "api/session.h"
#include "api/statements.h"
#include "auth/secret.h"
#include "base/encode.h"
#include "base/settings.h"
#include "base/timestamp.h"
#include "wire/query.h"

static const struct {
    const char *name;
    unsigned bit;
} roles[] = {
    {"student", ROLE_STUDENT}, {"teacher", ROLE_TEACHER},     {"parent", ROLE_PARENT},
    {"vendor", ROLE_VENDOR},   {"moderator", ROLE_MODERATOR}, {"analyst", ROLE_ANALYST},
    {"admin", ROLE_ADMIN},     {"operator", ROLE_OPERATOR},
};

unsigned
role_from_name(const char *name)
{
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        if (strcmp(roles[i].name, name) == 0)
            return roles[i].bit;
    }
    return 0;
}

const char *
role_name(unsigned bit)
{
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        if (roles[i].bit == bit)
            return roles[i].name;
    }
    return NULL;
}

static struct text
cookie(const struct req *r, const char *name)
{
    return wire_cookie(r->http->header[HDR_COOKIE], text_of(name));
}

/* The credential of "Authorization: <scheme> …"; TEXT_NULL when the scheme is another. */
static struct text
authorization(const struct req *r, struct text scheme)
{
    struct text rest = r->http->header[HDR_AUTHORIZATION];

    if (rest.p == NULL)
        return TEXT_NULL;
    struct text given = text_cut(&rest, ' ');
    return text_eq_nocase(given, scheme) && rest.p != NULL ? text_trim(rest) : TEXT_NULL;
}

static err
authenticate_user(struct req *r)
{
    struct text token = authorization(r, TEXT("Bearer"));
    bool header = r->http->header[HDR_AUTHORIZATION].p != NULL;

    if (header && token.p == NULL)
        return E_TOKEN_INVALID;
    if (!header) {
        token = cookie(r, COOKIE_ACCESS);
        r->by_cookie = token.p != NULL;
    }
    if (token.p == NULL)
        return E_UNAUTHENTICATED;
    TRY(token_verify(r->arena, r->api->keys, token, timestamp_now().us / 1000000, &r->claims));
    r->role = role_from_name(r->claims.role);
    if (r->role == 0)
        return E_TOKEN_INVALID;
    if (shm_is_revoked(r->api->shm, r->claims.session.b, clock_ms()))
        return E_SESSION_ENDED;
    r->known = true;
    r->csrf_session = r->claims.session;
    r->session_check = session_check_due(&r->claims.session);
    return E_OK;
}

/* The token itself is judged by the database; here only whether a cookie brought it, for CSRF. */
static err
authenticate_refresh(struct req *r)
{
    uint8_t digest[SHA256_LEN];
    struct text token = cookie(r, COOKIE_REFRESH);

    if (token.p == NULL || r->http->content_length > 2)
        return E_OK;
    if (!refresh_parse(token, &r->csrf_session, digest))
        return E_REFRESH_INVALID;
    r->refresh_token = token;
    r->by_cookie = true;
    return E_OK;
}

static bool
metrics_basic(struct req *r, struct text given)
{
    struct text user = setting_text(S_METRICS_USERNAME),
                password = setting_text(S_METRICS_PASSWORD);
    size_t len = 0;

    if (given.p == NULL || password.len == 0 || given.len > 1024)
        return false;
    char *plain = arena_alloc(r->arena, given.len + 4);
    if (!base64_decode(given, plain, &len))
        return false;
    struct text rest = {plain, len}, name = text_cut(&rest, ':');
    bool same_name = text_eq_secret(name, user);
    return rest.p != NULL && text_eq_secret(rest, password) && same_name;
}

static err
authenticate_metrics(struct req *r)
{
    struct text allowed = setting_text(S_METRICS_ALLOWED_IPS),
                token = setting_text(S_METRICS_BEARER_TOKEN);
    struct text given = authorization(r, TEXT("Bearer"));

    if (allowed.len > 0 && !cidr_match(allowed, r->http->address))
        return E_FORBIDDEN;
    if (token.len == 0 && setting_text(S_METRICS_PASSWORD).len == 0)
        return E_OK; /* refused at boot in production */
    if (token.len > 0 && given.p != NULL && text_eq_secret(token, given))
        return E_OK;
    return metrics_basic(r, authorization(r, TEXT("Basic"))) ? E_OK : E_UNAUTHENTICATED;
}

err
gate_authenticate(struct req *r)
{
    static err (*const by_kind[])(struct req *) = {
        [AUTH_USER] = authenticate_user,
        [AUTH_REFRESH] = authenticate_refresh,
        [AUTH_METRICS] = authenticate_metrics,
    };
    return r->row->auth == AUTH_ANYONE ? E_OK : by_kind[r->row->auth](r);
}

/* --- cross-site requests
 * -------------------------------------------------------------------------- */

static bool
csrf_host_is(struct text url, struct text host)
{
    struct text prefix = TEXT("https://");

    if (!text_starts(url, prefix) || host.p == NULL)
        return false;
    url.p += prefix.len;
    url.len -= prefix.len;
    return text_eq_nocase(text_cut(&url, '/'), host);
}

static bool
csrf_same_origin(const struct req *r)
{
    const struct text *h = r->http->header;

    if (h[HDR_SEC_FETCH_SITE].p != NULL)
        return text_eq(h[HDR_SEC_FETCH_SITE], TEXT("same-origin"));
    if (h[HDR_ORIGIN].p != NULL)
        return csrf_host_is(h[HDR_ORIGIN], h[HDR_HOST]);
    return h[HDR_REFERER].p != NULL && csrf_host_is(h[HDR_REFERER], h[HDR_HOST]);
}

static void
csrf_give(struct req *r)
{
    struct text t = csrf_issue(r->arena, &r->csrf_session);

    reply_header(
        r, "Set-Cookie",
        arena_printf(r->arena, COOKIE_CSRF "=%.*s; Path=/; Secure; SameSite=Lax", TEXT_ARG(t)));
}

err
gate_csrf(struct req *r)
{
    struct text token = cookie(r, COOKIE_CSRF);
    struct text header = r->http->header[HDR_CSRF_TOKEN];

    if (!r->by_cookie || r->row->csrf == CSRF_OFF)
        return E_OK;
    if (r->row->method == METHOD_GET) {
        if (token.p == NULL || !csrf_valid(token, &r->csrf_session))
            csrf_give(r);
        return E_OK;
    }
    bool good = csrf_same_origin(r);
    if (good && setting_bool(S_CSRF_DOUBLE_SUBMIT))
        good = token.p != NULL && header.p != NULL && text_eq_secret(token, header) &&
               csrf_valid(token, &r->csrf_session);
    return good ? E_OK : E_CSRF;
}

err
gate_grant(struct req *r)
{
    if (r->row->auth != AUTH_USER)
        return E_OK;
    return (r->row->grant & r->role) != 0 ? E_OK : E_FORBIDDEN;
}

/* --- second factor ---------------------------------------------------------------------------- */

static bool
factor_needed(unsigned role)
{
    struct text rest = setting_text(S_TWO_FACTOR_REQUIRED_ROLES);
    struct text name = text_of(role_name(role));

    while (rest.len > 0) {
        if (text_eq(text_trim(text_cut(&rest, ',')), name))
            return true;
    }
    return false;
}

/* Asked in the request's transaction, before its work, and believed as long as the session is. */
err
gate_second_factor(struct req *r)
{
    struct api_second_factor_check_params p = {.session_id = r->claims.session};
    struct api_second_factor_check_row row;

    if (r->row->auth != AUTH_USER || r->row->second_factor == SECOND_FACTOR_EXEMPT ||
        !factor_needed(r->role) || !session_factor_due(&r->claims.session))
        return E_OK;
    TRY(api_second_factor_check_run(r, &p, &row));
    session_factor_checked(&r->claims.session);
    return E_OK;
}

/* --- cookies --------------------------------------------------------------------------------- */

static void
cookie_set(struct req *r, const char *name, struct text value, int64_t max_age)
{
    reply_header(r, "Set-Cookie",
                 arena_printf(r->arena,
                              "%s=%.*s; Path=/; Max-Age=%lld; Secure; HttpOnly; SameSite=Lax", name,
                              TEXT_ARG(value), (long long)max_age));
}

void
reply_session_cookies(struct req *r, struct text access, struct text refresh)
{
    cookie_set(r, COOKIE_ACCESS, access, setting_int(S_TOKEN_EXPIRY_MINUTES) * 60);
    cookie_set(r, COOKIE_REFRESH, refresh, setting_int(S_REFRESH_TOKEN_EXPIRY_DAYS) * 86400);
    csrf_give(r);
}

void
reply_clear_cookies(struct req *r)
{
    cookie_set(r, COOKIE_ACCESS, TEXT(""), 0);
    cookie_set(r, COOKIE_REFRESH, TEXT(""), 0);
    reply_header(r, "Set-Cookie", TEXT(COOKIE_CSRF "=; Path=/; Max-Age=0; Secure; SameSite=Lax"));
}

/* --- known devices --------------------------------------------------------------------------- */

#define DEVICE_DAYS 365

/* What is signed: whose device, and which. */
struct device {
    struct uuid user;
    struct uuid id;
};

bool
device_known(struct req *r, struct uuid *ret_user, struct uuid *ret_device)
{
    struct text given = cookie(r, COOKIE_DEVICE), payload;
    struct device d;

    if (given.p == NULL || !cursor_open(r->arena, TEXT(COOKIE_DEVICE), given, &payload) ||
        payload.len != sizeof d)
        return false;
    memcpy(&d, payload.p, sizeof d);
    *ret_user = d.user;
    *ret_device = d.id;
    return true;
}

void
reply_device_cookie(struct req *r, const struct uuid *user)
{
    struct device d;

    if (!device_known(r, &d.user, &d.id) || !uuid_eq(&d.user, user))
        d = (struct device){*user, uuid_v7()};
    struct text payload = {(const char *)&d, sizeof d};
    cookie_set(r, COOKIE_DEVICE, cursor_sign(r->arena, TEXT(COOKIE_DEVICE), payload),
               (int64_t)DEVICE_DAYS * 86400);
}
