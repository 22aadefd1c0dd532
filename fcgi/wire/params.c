#include "wire/params.h"

#include <arpa/inet.h>
#include <string.h>

enum { REQUEST_ID_MAX = 128, CONTENT_LENGTH_DIGITS = 18 };

/* What nginx says itself. P_TYPE_SENT is the client's Content-Type as it came, of which
 * CONTENT_TYPE is nginx's choice: it tells when there were two. */
enum param { P_METHOD, P_PATH, P_QUERY, P_LENGTH, P_REQUEST_ID, P_ADDRESS, P_TYPE_SENT, P_COUNT };

#define NAME(z)            \
    {                      \
        (z), sizeof(z) - 1 \
    }

static const struct text own_names[P_COUNT] = {
    [P_METHOD] = NAME("REQUEST_METHOD"),       [P_PATH] = NAME("DOCUMENT_URI"),
    [P_QUERY] = NAME("QUERY_STRING"),          [P_LENGTH] = NAME("CONTENT_LENGTH"),
    [P_REQUEST_ID] = NAME("REQUEST_ID"),       [P_ADDRESS] = NAME("REMOTE_ADDR"),
    [P_TYPE_SENT] = NAME("HTTP_CONTENT_TYPE"),
};

static const struct {
    struct text name;
    bool single;
} headers[HDR_COUNT] = {
#define HEADER(symbol, param, once) [HDR_##symbol] = {NAME(param), (once)},
#include "wire/headers.def"
#undef HEADER
};

static const char *const method_names[] = {
    [METHOD_NONE] = "NONE",     [METHOD_GET] = "GET",         [METHOD_HEAD] = "HEAD",
    [METHOD_POST] = "POST",     [METHOD_PUT] = "PUT",         [METHOD_PATCH] = "PATCH",
    [METHOD_DELETE] = "DELETE", [METHOD_OPTIONS] = "OPTIONS", [METHOD_OTHER] = "OTHER",
};

const char *
wire_method_name(enum wire_method m)
{
    return m <= METHOD_OTHER ? method_names[m] : method_names[METHOD_OTHER];
}

static enum wire_method
method_of(struct text t)
{
    for (enum wire_method m = METHOD_GET; m < METHOD_OTHER; m++) {
        if (text_eq(t, text_of(method_names[m])))
            return m;
    }
    return METHOD_OTHER;
}

#define ONES UINT64_C(0x0101010101010101)
#define HIGH_BITS UINT64_C(0x8080808080808080)

/* Among eight bytes: one below 0x20, or DEL? Each term finds a byte smaller than a number, or zero,
 * without a loop; it may be mistaken about one that follows such a byte, never about none. */
static bool
eight_may_control(const char *p)
{
    uint64_t w, del;

    memcpy(&w, p, sizeof w);
    del = w ^ (ONES * 0x7f);
    return ((((w - ONES * 0x20) & ~w) | ((del - ONES) & ~del)) & HIGH_BITS) != 0;
}

/* RFC 9110, 5.5: no control characters in a field's value but tab. */
static bool
field_value_plain(struct text t)
{
    size_t i = 0;

    while (i + 8 <= t.len && !eight_may_control(t.p + i))
        i += 8;
    for (; i < t.len; i++) {
        unsigned char c = (unsigned char)t.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

/* Absolute, UTF-8, and neither C0, DEL nor C1. */
static bool
path_plain(struct text t)
{
    if (t.len == 0 || t.p[0] != '/' || !text_utf8_valid(t))
        return false;
    for (size_t i = 0; i < t.len; i++) {
        unsigned char c = (unsigned char)t.p[i];
        if (c < 0x20 || c == 0x7f)
            return false;
        if (c == 0xc2 && (unsigned char)t.p[i + 1] < 0xa0)
            return false;
    }
    return true;
}

static bool
request_id_plain(struct text t)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

    return t.len >= 1 && t.len <= REQUEST_ID_MAX && strspn(t.p, allowed) == t.len;
}

/* A client behind a Unix socket of nginx has the address "unix:". */
static bool
address_plain(struct text t)
{
    struct in6_addr scratch;

    return text_eq(t, TEXT("unix:")) || inet_pton(AF_INET, t.p, &scratch) == 1 ||
           inet_pton(AF_INET6, t.p, &scratch) == 1;
}

/* Digits alone; empty means none. */
static bool
content_length_read(struct text t, uint64_t *ret_length)
{
    uint64_t n = 0;

    if (t.len > CONTENT_LENGTH_DIGITS)
        return false;
    for (size_t i = 0; i < t.len; i++) {
        if (t.p[i] < '0' || t.p[i] > '9')
            return false;
        n = n * 10 + (uint64_t)(t.p[i] - '0');
    }
    *ret_length = n;
    return true;
}

static const char *
header_take(struct text name, struct text value, struct wire_request *r)
{
    for (size_t h = 0; h < HDR_COUNT; h++) {
        if (!text_eq(name, headers[h].name))
            continue;
        if (!field_value_plain(value))
            return "a header holds control characters";
        if (r->header[h].p == NULL)
            r->header[h] = value;
        else if (headers[h].single)
            return "a header that must be single came twice";
        break;
    }
    return NULL;
}

static const char *
param_take(struct text name, struct text value, struct text own[P_COUNT], struct wire_request *r)
{
    for (size_t i = 0; i < P_COUNT; i++) {
        if (!text_eq(name, own_names[i]))
            continue;
        if (own[i].p == NULL)
            own[i] = value;
        else if (i == P_TYPE_SENT)
            return "a header that must be single came twice";
        return NULL;
    }
    return header_take(name, value, r);
}

/* Also of a request that is refused: its answer and its log line name it. */
static bool
request_id_keep(const struct text own[P_COUNT], struct wire_request *r)
{
    if (own[P_REQUEST_ID].p == NULL || !request_id_plain(own[P_REQUEST_ID]))
        return false;
    r->request_id = own[P_REQUEST_ID];
    return true;
}

static const char *
own_check(const struct text own[P_COUNT], struct wire_request *r)
{
    bool identified = request_id_keep(own, r);

    if (own[P_METHOD].len == 0)
        return "REQUEST_METHOD is missing";
    if (!path_plain(own[P_PATH]))
        return "DOCUMENT_URI is missing or not plain";
    if (own[P_LENGTH].p == NULL || !content_length_read(own[P_LENGTH], &r->content_length))
        return "CONTENT_LENGTH is missing or not a number";
    if (!identified)
        return "REQUEST_ID is missing or not plain";
    if (own[P_ADDRESS].p != NULL && !address_plain(own[P_ADDRESS]))
        return "REMOTE_ADDR is not an address";
    r->method = method_of(own[P_METHOD]);
    r->path = own[P_PATH];
    r->query = own[P_QUERY].p == NULL ? TEXT("") : own[P_QUERY];
    r->address = own[P_ADDRESS].p == NULL || text_starts(own[P_ADDRESS], TEXT("unix"))
                     ? TEXT("")
                     : own[P_ADDRESS];
    return NULL;
}

const char *
wire_params_read(char *const *params, struct wire_request *ret_request)
{
    struct text own[P_COUNT] = {{NULL, 0}};

    for (; *params != NULL; params++) {
        const char *equals = strchr(*params, '=');
        if (equals == NULL)
            return "a parameter has no value";
        struct text name = {*params, (size_t)(equals - *params)};
        const char *fault = param_take(name, text_of(equals + 1), own, ret_request);
        if (fault != NULL) {
            (void)request_id_keep(own, ret_request);
            return fault;
        }
    }
    return own_check(own, ret_request);
}
