#include "base/encode.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/oom.h"

static const char base64url_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void
hex_encode(const void *p, size_t n, char *ret_text)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *bytes = p;

    for (size_t i = 0; i < n; i++) {
        ret_text[2 * i] = digits[bytes[i] >> 4];
        ret_text[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret_text[2 * n] = '\0';
}

int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool
hex_decode(struct text t, void *ret_bytes, size_t n)
{
    uint8_t *bytes = ret_bytes;

    if (t.p == NULL || t.len / 2 != n || t.len % 2 != 0)
        return false;
    for (size_t i = 0; i < n; i++) {
        int high = hex_digit(t.p[2 * i]);
        int low = hex_digit(t.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

size_t
base64url_encode(const void *p, size_t n, char *ret_text)
{
    const uint8_t *bytes = p;
    uint32_t bits = 0;
    unsigned held = 0;
    size_t length = 0;

    for (size_t i = 0; i < n; i++) {
        bits = (bits << 8 | bytes[i]) & 0xffff;
        for (held += 8; held >= 6; held -= 6)
            ret_text[length++] = base64url_alphabet[bits >> (held - 6) & 63];
    }
    if (held > 0)
        ret_text[length++] = base64url_alphabet[bits << (6 - held) & 63];
    ret_text[length] = '\0';
    return length;
}

/* -1 when it is none of the alphabet whose last two characters are given. */
static int
base64_digit(char c, const char last_two[2])
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == last_two[0])
        return 62;
    return c == last_two[1] ? 63 : -1;
}

struct decoder {
    uint8_t *bytes;
    size_t length;
    size_t digits;
    uint32_t bits;
};

static void
decoder_add(struct decoder *d, int digit)
{
    d->bits = (d->bits << 6 | (uint32_t)digit) & 0xffffff;
    d->digits++;
    /* Within each four digits the second, third and fourth complete a byte. */
    if (d->digits % 4 != 1)
        d->bytes[d->length++] = (uint8_t)(d->bits >> (6 - 2 * ((d->digits + 3) % 4)));
}

/* A single digit left over is no byte, and the bits that are left over must be zero: otherwise
 * several texts would stand for the same bytes. */
static bool
decoder_done(const struct decoder *d)
{
    switch (d->digits % 4) {
    case 1:
        return false;
    case 2:
        return (d->bits & 15) == 0;
    case 3:
        return (d->bits & 3) == 0;
    default:
        return true;
    }
}

bool
base64url_decode(struct text t, void *ret_bytes, size_t *ret_len)
{
    struct decoder d = {.bytes = ret_bytes};

    for (size_t i = 0; i < t.len; i++) {
        int digit = base64_digit(t.p[i], "-_");
        if (digit < 0)
            return false;
        decoder_add(&d, digit);
    }
    *ret_len = d.length;
    return decoder_done(&d);
}

bool
base64_decode(struct text t, void *ret_bytes, size_t *ret_len)
{
    struct decoder d = {.bytes = ret_bytes};
    size_t padding = 0;

    for (size_t i = 0; i < t.len; i++) {
        int digit = base64_digit(t.p[i], "+/");
        if (t.p[i] == '\r' || t.p[i] == '\n')
            continue;
        if (t.p[i] == '=')
            padding++;
        else if (digit < 0 || padding > 0)
            return false;
        else
            decoder_add(&d, digit);
    }
    *ret_len = d.length;
    return decoder_done(&d) && (padding == 0 || (padding < 3 && (d.digits + padding) % 4 == 0));
}

void
random_bytes(void *ret_bytes, size_t n)
{
    uint8_t *to = ret_bytes;

    while (n > 0) {
        ssize_t got = getrandom(to, n, 0);
        if (got < 0 && errno != EINTR)
            system_failed("getrandom");
        if (got > 0) {
            to += got;
            n -= (size_t)got;
        }
    }
}

uint64_t
random_u64(void)
{
    uint64_t v;

    random_bytes(&v, sizeof v);
    return v;
}
