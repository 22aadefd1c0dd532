#include "api/limits.h"

#include <arpa/inet.h>
#include <string.h>

#include "api/endpoint.h"
#include "api/metrics.h"
#include "api/req.h"
#include "base/encode.h"
#include "base/settings.h"
#include "base/timestamp.h"

static const struct rate_info rates[RATE_COUNT] = {
#define RATE(symbol, name, count, window, doc) [RATE_##symbol] = {name, S_##count, S_##window, doc},
#include "api/limits.def"
#undef RATE
};

const struct rate_info *
rate_info(enum rate_class c)
{
    return &rates[c];
}

static bool
rate_safe(enum wire_method m)
{
    return m == METHOD_GET || m == METHOD_HEAD || m == METHOD_OPTIONS;
}

enum rate_class
rate_of(const struct endpoint *e)
{
    if (e->rate != RATE_AUTO)
        return e->rate;
    return rate_safe(e->method) ? RATE_DEFAULT_READ : RATE_DEFAULT_MUTATION;
}

/* An IPv6 client owns its /64; a v4-mapped address is the v4 address. */
static struct text
rate_address(struct req *r)
{
    struct in6_addr six;
    char text[INET6_ADDRSTRLEN];
    struct text address = arena_text(r->arena, r->http->address);

    if (inet_pton(AF_INET6, address.p, &six) != 1)
        return address;
    if (IN6_IS_ADDR_V4MAPPED(&six))
        inet_ntop(AF_INET, six.s6_addr + 12, text, sizeof text);
    else {
        memset(six.s6_addr + 8, 0, 8);
        inet_ntop(AF_INET6, &six, text, sizeof text);
    }
    return arena_text(r->arena, text_of(text));
}

/* Count one request; the verdict is what the answer tells unless `quiet` and it passed. */
static err
rate_take(struct req *r, enum rate_class c, struct text key, bool quiet)
{
    struct rate_verdict v = shm_rate_take(r->api->shm, key, (uint32_t)setting_int(rates[c].count_setting),
                                          (uint32_t)setting_int(rates[c].window_setting), clock_ms());

    if (v.allowed && quiet)
        return E_OK;
    r->rate = v;
    r->rate_class = c;
    if (v.allowed)
        return E_OK;
    r->refused_by = c;
    metric_rate_hit(r->api, c);
    return E_RATE_LIMITED;
}

static struct text
rate_key(struct req *r, const char *kind, struct text who, enum rate_class c)
{
    return arena_printf(r->arena, "%s:%.*s:%d", kind, TEXT_ARG(who), (int)c);
}

/* Internal callers: an allowed address and the service token, both. */
static bool
rate_service(const struct req *r)
{
    struct text want = setting_text(S_SERVICE_TOKEN), given = r->http->header[HDR_SERVICE_TOKEN];

    return want.len > 0 && given.p != NULL && text_eq_secret(want, given) &&
           cidr_match(setting_text(S_RATE_LIMIT_BYPASS_CIDRS), r->http->address);
}

err
gate_address_limits(struct req *r)
{
    struct text address;
    enum rate_class own = rate_of(r->row);

    r->service = rate_service(r);
    if (r->service || own == RATE_NONE)
        return E_OK;
    address = rate_address(r);
    TRY(rate_take(r, RATE_GLOBAL, rate_key(r, "ip", address, RATE_GLOBAL), true));
    if (!rate_safe(r->row->method))
        TRY(rate_take(r, RATE_GLOBAL_MUTATION, rate_key(r, "ip", address, RATE_GLOBAL_MUTATION), true));
    if (r->row->auth == AUTH_USER)
        return E_OK;
    return rate_take(r, own, rate_key(r, "ip", address, own), false);
}

err
gate_user_limits(struct req *r)
{
    enum rate_class own = rate_of(r->row);
    char id[UUID_TEXT_LEN + 1];

    if (!r->known || r->service || own == RATE_NONE)
        return E_OK;
    uuid_format(&r->claims.user, id);
    return rate_take(r, own, rate_key(r, "user", text_of(id), own), false);
}

/* Also by the account that is named, so that many addresses cannot try one account. */
err
gate_account_limits(struct req *r)
{
    const struct shape *in = r->row->in;
    enum rate_class own = rate_of(r->row);

    for (size_t i = 0; !r->service && in != NULL && i < in->count; i++) {
        const struct field *f = &in->fields[i];
        if (!f->account)
            continue;
        struct text who = *(const struct text *)((const char *)r->in + f->offset);
        if (who.p == NULL)
            continue;
        TRY(rate_take(r, own, rate_key(r, "account", who, own), true));
    }
    return E_OK;
}
