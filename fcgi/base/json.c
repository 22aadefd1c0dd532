#include "base/json.h"

#include <string.h>

#define ONES UINT64_C(0x0101010101010101)
#define HIGH_BITS UINT64_C(0x8080808080808080)

/* A value or a member follows another one unless something was just opened, named or separated. */
static void
comma_if_due(struct buf *b)
{
    if (b->len == 0 || b->overflow)
        return;
    switch (b->p[b->len - 1]) {
    case '{':
    case '[':
    case ':':
    case ',':
    case '\n':
        return;
    default:
        buf_char(b, ',');
    }
}

void
json_open(struct buf *b, char bracket)
{
    comma_if_due(b);
    buf_char(b, bracket);
}

void
json_close(struct buf *b, char bracket)
{
    buf_char(b, bracket);
}

void
json_key(struct buf *b, const char *name)
{
    size_t n = strlen(name);
    char *to;

    comma_if_due(b);
    to = buf_reserve(b, n + 3);
    if (to == NULL)
        return;
    to[0] = '"';
    memcpy(to + 1, name, n);
    to[n + 1] = '"';
    to[n + 2] = ':';
    b->len += n + 3;
}

/* Is there a byte below 0x20, a quote, a backslash or '<' among eight? Each term finds a byte that
 * is smaller than a number, or zero, without a loop. */
static bool
eight_need_escape(const char *p)
{
    uint64_t w;
    uint64_t quote, backslash, less;

    memcpy(&w, p, sizeof w);
    quote = w ^ (ONES * '"');
    backslash = w ^ (ONES * '\\');
    less = w ^ (ONES * '<');
    return ((((w - ONES * 0x20) & ~w) | ((quote - ONES) & ~quote) |
             ((backslash - ONES) & ~backslash) | ((less - ONES) & ~less)) &
            HIGH_BITS) != 0;
}

static bool
needs_escape(char c)
{
    return (unsigned char)c < 0x20 || c == '"' || c == '\\' || c == '<';
}

static size_t
plain_run(const char *p, size_t n)
{
    size_t i = 0;

    while (i + 8 <= n && !eight_need_escape(p + i))
        i += 8;
    while (i < n && !needs_escape(p[i]))
        i++;
    return i;
}

static void
escape_byte(struct buf *b, char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char from[] = "\"\\\b\f\n\r\t";
    static const char to[] = "\"\\bfnrt";
    const char *at = c == '\0' ? NULL : strchr(from, c);

    if (at != NULL) {
        const char pair[2] = {'\\', to[at - from]};
        buf_add(b, pair, sizeof pair);
    } else {
        unsigned char u = (unsigned char)c;
        const char six[6] = {'\\', 'u', '0', '0', hex[u >> 4], hex[u & 15]};
        buf_add(b, six, sizeof six);
    }
}

void
json_escape(struct buf *b, const char *p, size_t n)
{
    buf_char(b, '"');
    for (size_t i = 0; i < n;) {
        size_t run = plain_run(p + i, n - i);
        buf_add(b, p + i, run);
        i += run;
        if (i < n)
            escape_byte(b, p[i++]);
    }
    buf_char(b, '"');
}

void
json_text(struct buf *b, struct text t)
{
    comma_if_due(b);
    if (t.p == NULL)
        buf_add(b, "null", 4);
    else
        json_escape(b, t.p, t.len);
}

void
json_z(struct buf *b, const char *z)
{
    json_text(b, text_of(z));
}

void
json_int(struct buf *b, int64_t v)
{
    comma_if_due(b);
    buf_int(b, v);
}

void
json_uint(struct buf *b, uint64_t v)
{
    comma_if_due(b);
    buf_uint(b, v);
}

void
json_bool(struct buf *b, bool v)
{
    comma_if_due(b);
    buf_z(b, v ? "true" : "false");
}

void
json_null(struct buf *b)
{
    comma_if_due(b);
    buf_add(b, "null", 4);
}

void
json_uuid(struct buf *b, const struct uuid *u)
{
    char *to;

    comma_if_due(b);
    to = buf_reserve(b, UUID_TEXT_LEN + 2);
    if (to == NULL)
        return;
    to[0] = '"';
    uuid_format(u, to + 1);
    to[UUID_TEXT_LEN + 1] = '"';
    b->len += UUID_TEXT_LEN + 2;
}

void
json_time(struct buf *b, struct timestamp t)
{
    char *to;

    comma_if_due(b);
    to = buf_reserve(b, TIMESTAMP_TEXT_LEN + 2);
    if (to == NULL)
        return;
    to[0] = '"';
    timestamp_format(t, to + 1);
    to[TIMESTAMP_TEXT_LEN + 1] = '"';
    b->len += TIMESTAMP_TEXT_LEN + 2;
}

void
json_raw(struct buf *b, struct text valid_json)
{
    comma_if_due(b);
    if (valid_json.len == 0)
        buf_add(b, "null", 4);
    else
        buf_text(b, valid_json);
}

void
json_kv_text(struct buf *b, const char *name, struct text t)
{
    json_key(b, name);
    json_text(b, t);
}

void
json_kv_z(struct buf *b, const char *name, const char *z)
{
    json_kv_text(b, name, text_of(z));
}

void
json_kv_int(struct buf *b, const char *name, int64_t v)
{
    json_key(b, name);
    buf_int(b, v);
}

void
json_kv_bool(struct buf *b, const char *name, bool v)
{
    json_key(b, name);
    buf_z(b, v ? "true" : "false");
}
