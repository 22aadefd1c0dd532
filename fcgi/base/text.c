#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <uninorm.h>

#include "base/oom.h"

#define HIGH_BITS UINT64_C(0x8080808080808080)

static unsigned char
ascii_lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

bool
text_eq_nocase(struct text a, struct text b)
{
    if (a.p == NULL || b.p == NULL)
        return a.p == b.p;
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
            return false;
    }
    return true;
}

bool
text_is_of(struct text t, const char *allowed, size_t max)
{
    if (t.p == NULL || t.len == 0 || t.len > max)
        return false;
    for (size_t i = 0; i < t.len; i++) {
        if (t.p[i] == '\0' || strchr(allowed, t.p[i]) == NULL)
            return false;
    }
    return true;
}

bool
text_eq_secret(struct text a, struct text b)
{
    /* volatile keeps the compiler from leaving the loop at the first difference. */
    volatile unsigned char difference = 0;

    if (a.p == NULL || b.p == NULL || a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        difference = (unsigned char)(difference | (unsigned char)(a.p[i] ^ b.p[i]));
    return difference == 0;
}

bool
text_starts(struct text t, struct text prefix)
{
    if (t.p == NULL || prefix.p == NULL)
        return false;
    return t.len >= prefix.len && memcmp(t.p, prefix.p, prefix.len) == 0;
}

struct text
text_trim(struct text t)
{
    while (t.len > 0 && (t.p[0] == ' ' || t.p[0] == '\t')) {
        t.p++;
        t.len--;
    }
    while (t.len > 0 && (t.p[t.len - 1] == ' ' || t.p[t.len - 1] == '\t'))
        t.len--;
    return t;
}

struct text
text_cut(struct text *t, char sep)
{
    struct text head = *t;
    const char *at = t->len > 0 ? memchr(t->p, sep, t->len) : NULL;

    if (at == NULL) {
        *t = TEXT_NULL;
        return head;
    }
    head.len = (size_t)(at - t->p);
    t->p = at + 1;
    t->len -= head.len + 1;
    return head;
}

/* Bytes of ASCII at the start. */
static size_t
ascii_run(const char *p, size_t n)
{
    size_t i = 0;

    for (; i + sizeof(uint64_t) <= n; i += sizeof(uint64_t)) {
        uint64_t w;
        memcpy(&w, p + i, sizeof w);
        if ((w & HIGH_BITS) != 0)
            break;
    }
    while (i < n && (unsigned char)p[i] < 0x80)
        i++;
    return i;
}

/* RFC 3629, section 4: by lead byte, the length and the range of the second byte. */
struct utf8_form {
    unsigned char first, last, length, low, high;
};

static const struct utf8_form utf8_forms[] = {
    {0xc2, 0xdf, 2, 0x80, 0xbf}, {0xe0, 0xe0, 3, 0xa0, 0xbf}, {0xe1, 0xec, 3, 0x80, 0xbf},
    {0xed, 0xed, 3, 0x80, 0x9f}, {0xee, 0xef, 3, 0x80, 0xbf}, {0xf0, 0xf0, 4, 0x90, 0xbf},
    {0xf1, 0xf3, 4, 0x80, 0xbf}, {0xf4, 0xf4, 4, 0x80, 0x8f},
};

/* Length of the multi-byte sequence at p, 0 when it is not a valid one. */
static size_t
utf8_sequence(const unsigned char *p, size_t n)
{
    for (size_t f = 0; f < sizeof utf8_forms / sizeof utf8_forms[0]; f++) {
        const struct utf8_form *form = &utf8_forms[f];
        if (p[0] < form->first || p[0] > form->last)
            continue;
        if (n < form->length || p[1] < form->low || p[1] > form->high)
            return 0;
        for (size_t i = 2; i < form->length; i++) {
            if ((p[i] & 0xc0) != 0x80)
                return 0;
        }
        return form->length;
    }
    return 0;
}

bool
text_utf8_valid(struct text t)
{
    size_t i = 0;

    while (i < t.len) {
        size_t step;
        i += ascii_run(t.p + i, t.len - i);
        if (i == t.len)
            break;
        step = utf8_sequence((const unsigned char *)t.p + i, t.len - i);
        if (step == 0)
            return false;
        i += step;
    }
    return true;
}

size_t
text_utf8_length(struct text t)
{
    size_t count = 0;

    for (size_t i = 0; i < t.len; i++)
        count += ((unsigned char)t.p[i] & 0xc0) != 0x80;
    return count;
}

/* Everything below U+0300 is its own normal form; U+0300 begins with the byte CC. */
static bool
below_u0300(struct text t)
{
    for (size_t i = 0; i < t.len; i++) {
        if ((unsigned char)t.p[i] >= 0xcc)
            return false;
    }
    return true;
}

bool
text_is_nfc(struct text t)
{
    uint8_t space[1024];
    size_t length = sizeof space;
    uint8_t *normal;
    bool same;

    if (ascii_run(t.p, t.len) == t.len)
        return true;
    if (!text_utf8_valid(t))
        return false;
    if (below_u0300(t))
        return true;
    normal = u8_normalize(UNINORM_NFC, (const uint8_t *)t.p, t.len, space, &length);
    if (normal == NULL)
        out_of_memory("normalisation", t.len);
    same = length == t.len && memcmp(normal, t.p, length) == 0;
    if (normal != space)
        free(normal);
    return same;
}

bool
text_to_int(struct text t, int64_t *ret_value)
{
    bool negative = t.len > 0 && t.p[0] == '-';
    int64_t value = 0;

    if (t.len == (negative ? 1U : 0U))
        return false;
    for (size_t i = negative; i < t.len; i++) {
        int digit = t.p[i] - '0';
        if (digit < 0 || digit > 9)
            return false;
        /* Counted downwards: the negative range is the larger one. */
        if (__builtin_mul_overflow(value, (int64_t)10, &value) ||
            __builtin_sub_overflow(value, (int64_t)digit, &value))
            return false;
    }
    if (!negative && __builtin_sub_overflow((int64_t)0, value, &value))
        return false;
    *ret_value = value;
    return true;
}
