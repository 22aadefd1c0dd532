#include "api/limits.h"

#include <arpa/inet.h>
#include <string.h>

#include "api/endpoint.h"
#include "api/metrics.h"
#include "api/req.h"
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

/* What is counted: whose requests, of which class. */
struct rate_key {
    uint8_t kind; /* 'i' address, 'u' user */
    uint8_t class;
    uint8_t who[16];
};

/* An IPv6 client owns its /64; a v4 address is written as its mapped form. An address that is none
 * (a client behind a unix socket) is all zero: they share one window. */
static void
rate_address(const struct req *r, uint8_t ret_who[16])
{
    struct in6_addr six;

    memset(ret_who, 0, 16);
    if (inet_pton(AF_INET, r->http->address.p, ret_who + 12) == 1)
        memset(ret_who + 10, 0xff, 2);
    else if (inet_pton(AF_INET6, r->http->address.p, &six) == 1)
        memcpy(ret_who, &six, IN6_IS_ADDR_V4MAPPED(&six) ? 16 : 8);
}

/* Count one request; the verdict is what the answer tells unless `quiet` and it passed. */
static err
rate_take(struct req *r, enum rate_class c, struct text key, bool quiet)
{
    struct rate_verdict v =
        shm_rate_take(r->api->shm, key, (uint32_t)setting_int(rates[c].count_setting),
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

static err
rate_take_key(struct req *r, enum rate_class c, struct rate_key *key, bool quiet)
{
    key->class = (uint8_t)c;
    return rate_take(r, c, (struct text){(const char *)key, sizeof *key}, quiet);
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
    struct rate_key key = {.kind = 'i'};
    enum rate_class own = rate_of(r->row);

    r->service = rate_service(r);
    if (r->service || own == RATE_NONE)
        return E_OK;
    rate_address(r, key.who);
    TRY(rate_take_key(r, RATE_GLOBAL, &key, true));
    if (!rate_safe(r->row->method))
        TRY(rate_take_key(r, RATE_GLOBAL_MUTATION, &key, true));
    return r->row->auth == AUTH_USER ? E_OK : rate_take_key(r, own, &key, false);
}

err
gate_user_limits(struct req *r)
{
    struct rate_key key = {.kind = 'u'};
    enum rate_class own = rate_of(r->row);

    if (!r->known || r->service || own == RATE_NONE)
        return E_OK;
    memcpy(key.who, r->claims.user.b, sizeof key.who);
    return rate_take_key(r, own, &key, false);
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
        TRY(rate_take(r, own, arena_printf(r->arena, "account:%.*s:%d", TEXT_ARG(who), (int)own),
                      true));
    }
    return E_OK;
}
