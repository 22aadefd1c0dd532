#include "wire/query.h"

#include <stdbool.h>

#include "base/encode.h"

enum { PAIRS_MAX = 64 };

/* Takes one encoded byte off the front of *t; -1 for a broken escape. */
static int
byte_take(struct text *t)
{
    unsigned char c = (unsigned char)t->p[0];
    size_t used = 1;
    int value = c == '+' ? ' ' : c;

    if (c == '%') {
        int high = t->len >= 3 ? hex_digit(t->p[1]) : -1;
        int low = t->len >= 3 ? hex_digit(t->p[2]) : -1;
        if (high < 0 || low < 0)
            return -1;
        value = high * 16 + low;
        used = 3;
    }
    t->p += used;
    t->len -= used;
    return value;
}

/* Decoded text is never longer than the encoded one. *to moves behind the NUL put after it. */
static bool
decode(struct text encoded, char **to, struct text *ret_text)
{
    char *at = *to;

    ret_text->p = at;
    while (encoded.len > 0) {
        int value = byte_take(&encoded);
        if (value < 0x20)
            return false;
        *at++ = (char)value;
    }
    ret_text->len = (size_t)(at - *to);
    *at++ = '\0';
    *to = at;
    return text_utf8_valid(*ret_text);
}

static size_t
count_pairs(struct text query)
{
    size_t n = 0;

    while (query.p != NULL)
        n += text_cut(&query, '&').len > 0;
    return n;
}

err
wire_query_parse(struct arena *a, struct text query, struct wire_pairs *ret_pairs)
{
    size_t count = query.len == 0 ? 0 : count_pairs(query);

    *ret_pairs = (struct wire_pairs){0};
    if (count > PAIRS_MAX)
        return E_QUERY_SYNTAX;
    if (count == 0)
        return E_OK;
    ret_pairs->pair = arena_array(a, count, sizeof(*ret_pairs->pair));
    char *room = arena_alloc(a, query.len + count * 2); /* two NULs a pair */
    while (query.p != NULL) {
        struct text value = text_cut(&query, '&');
        if (value.len == 0)
            continue;
        struct wire_pair *pair = &ret_pairs->pair[ret_pairs->count];
        struct text name = text_cut(&value, '=');
        if (!decode(name, &room, &pair->name) || !decode(value, &room, &pair->value)) {
            ret_pairs->count = 0;
            return E_QUERY_SYNTAX;
        }
        ret_pairs->count++;
    }
    return E_OK;
}

/* RFC 6265, 4.1.1: cookie-octets, or such between two quotes. */
static bool
cookie_value_plain(struct text t)
{
    if (t.len >= 2 && t.p[0] == '"' && t.p[t.len - 1] == '"')
        t = (struct text){t.p + 1, t.len - 2};
    for (size_t i = 0; i < t.len; i++) {
        unsigned char c = (unsigned char)t.p[i];
        if (c <= 0x20 || c >= 0x7f || c == '"' || c == ',' || c == ';' || c == '\\')
            return false;
    }
    return true;
}

struct text
wire_cookie(struct text header, struct text name)
{
    struct text found = TEXT_NULL;

    while (header.p != NULL) {
        struct text value = text_trim(text_cut(&header, ';'));
        struct text candidate = text_cut(&value, '=');
        if (value.p == NULL || !text_eq(candidate, name))
            continue;
        if (found.p != NULL || !cookie_value_plain(value))
            return TEXT_NULL;
        found = value;
    }
    return found;
}
