#include "api/headers.h"

#include "api/limits.h"
#include "base/settings.h"
#include "base/timestamp.h"

void
reply_header(struct req *r, const char *name, struct text value)
{
    for (size_t i = 0; i < value.len; i++) {
        if ((unsigned char)value.p[i] < 0x20 || value.p[i] == 0x7f)
            return;
    }
    buf_z(r->head_out, name);
    buf_add(r->head_out, ": ", 2);
    buf_text(r->head_out, value);
    buf_add(r->head_out, "\r\n", 2);
}

static void
header_int(struct req *r, const char *name, int64_t value)
{
    buf_z(r->head_out, name);
    buf_add(r->head_out, ": ", 2);
    buf_int(r->head_out, value);
    buf_add(r->head_out, "\r\n", 2);
}

/* The older family that clients know, and draft-ietf-httpapi-ratelimit-headers. */
static void
headers_limits(struct req *r)
{
    if (r->rate_class == RATE_NONE)
        return;
    const struct rate_info *c = rate_info(r->rate_class);
    int64_t left_ms = r->rate.reset_ms - clock_ms();
    int64_t left = left_ms <= 0 ? 0 : (left_ms + 999) / 1000;

    header_int(r, "X-Rate-Limit-Limit", r->rate.limit);
    header_int(r, "X-Rate-Limit-Remaining", r->rate.remaining);
    header_int(r, "X-Rate-Limit-Reset", timestamp_now().us / 1000000 + left);
    buf_z(r->head_out, "RateLimit-Policy: \"");
    buf_z(r->head_out, c->name);
    buf_z(r->head_out, "\";q=");
    buf_uint(r->head_out, r->rate.limit);
    buf_z(r->head_out, ";w=");
    buf_int(r->head_out, (setting_int(c->window_setting) + 999) / 1000);
    buf_z(r->head_out, "\r\nRateLimit: \"");
    buf_z(r->head_out, c->name);
    buf_z(r->head_out, "\";r=");
    buf_uint(r->head_out, r->rate.remaining);
    buf_z(r->head_out, ";t=");
    buf_int(r->head_out, left);
    buf_z(r->head_out, "\r\n");
    if (r->error == E_RATE_LIMITED)
        r->retry_after = left < 1 ? 1 : left;
}

static void
headers_cache(struct req *r)
{
    bool public = r->row != NULL && r->row->cache == CACHE_PUBLIC && r->error == E_OK;

    reply_header(r, "Cache-Control",
                 public ? TEXT("public, max-age=300, stale-while-revalidate=60")
                        : TEXT("private, no-store"));
}

static void
headers_content(struct req *r)
{
    if (r->status == 204 || r->status == 304)
        return;
    if (r->error != E_OK)
        reply_header(r, "Content-Type", TEXT("application/problem+json"));
    else if (r->row != NULL && r->row->produces != NULL)
        reply_header(r, "Content-Type", text_of(r->row->produces));
    else
        reply_header(r, "Content-Type", TEXT("application/json"));
    /* nginx compresses what has no length, however small it is. */
    header_int(r, "Content-Length", (int64_t)r->body_out->len);
}

static void
headers_challenge(struct req *r)
{
    if (r->status != 401)
        return;
    if (r->row != NULL && r->row->auth == AUTH_METRICS)
        reply_header(r, "WWW-Authenticate", TEXT("Basic realm=\"metrics\""));
    else if (r->error == E_UNAUTHENTICATED)
        reply_header(r, "WWW-Authenticate", TEXT("Bearer realm=\"lectern\""));
    else
        reply_header(r, "WWW-Authenticate",
                     TEXT("Bearer realm=\"lectern\", error=\"invalid_token\""));
}

static void
headers_retired(struct req *r)
{
    struct timestamp t;

    if (r->row == NULL || r->row->gone == NULL || !timestamp_parse(text_of(r->row->gone), &t))
        return;
    char date[30];
    timestamp_http(t, date);
    reply_header(r, "Deprecation", TEXT("@0"));
    reply_header(r, "Sunset", text_of(date));
}

void
headers_write(struct req *r)
{
    headers_content(r);
    headers_cache(r);
    headers_limits(r);
    headers_challenge(r);
    headers_retired(r);
    if (r->total >= 0)
        header_int(r, "X-Total-Count", r->total);
    if (r->error == E_OK && r->idempotency_key.p != NULL && (r->idempotent || r->replayed))
        reply_header(r, "Idempotency-Key", r->idempotency_key);
    if (r->replayed)
        reply_header(r, "Idempotency-Replayed", TEXT("1"));
    if (r->retry_after == 0 && (r->status == 503 || r->error == E_IDEMPOTENCY_IN_PROGRESS))
        r->retry_after = 1;
    if (r->retry_after > 0)
        header_int(r, "Retry-After", r->retry_after);
}

void
headers_length(struct req *r, size_t length)
{
    header_int(r, "Content-Length", (int64_t)length);
}
