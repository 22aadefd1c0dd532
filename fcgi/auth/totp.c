#include "auth/totp.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/oom.h"

#define SHA1_LEN 20
#define CODES 1000000 /* ten to the number of digits */
#define URI_MAX 4096

void
totp_code(struct text secret, int64_t step, char ret_code[TOTP_DIGITS + 1])
{
    uint8_t counter[8], mac[SHA1_LEN];
    unsigned length = sizeof mac;

    for (size_t i = 0; i < sizeof counter; i++)
        counter[i] = (uint8_t)((uint64_t)step >> (56 - 8 * i));
    if (HMAC(EVP_sha1(), secret.p, (int)secret.len, counter, sizeof counter, mac, &length) ==
            NULL ||
        length != sizeof mac)
        system_failed("HMAC-SHA-1");
    /* RFC 4226, 5.3: four bytes from where the last half byte points, without the sign. */
    const uint8_t *at = mac + (mac[SHA1_LEN - 1] & 0x0f);
    uint32_t number =
        ((uint32_t)(at[0] & 0x7f) << 24) | ((uint32_t)at[1] << 16) | ((uint32_t)at[2] << 8) | at[3];
    snprintf(ret_code, TOTP_DIGITS + 1, "%06u", (unsigned)(number % CODES));
}

bool
totp_match(struct text secret, struct text code, int64_t now, int64_t *ret_step)
{
    int64_t middle = now / TOTP_STEP_SECONDS;
    char expected[TOTP_DIGITS + 1];
    bool found = false;

    /* The latest step that fits is told: then none that fits is left to be used again. */
    for (int64_t step = middle - 1; step <= middle + 1; step++) {
        totp_code(secret, step, expected);
        bool same = text_eq_secret((struct text){expected, TOTP_DIGITS}, code);
        *ret_step = same ? step : *ret_step;
        found |= same;
    }
    return found;
}

struct text
base32_encode(struct arena *a, struct text bytes)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    char *out = arena_alloc(a, bytes.len * 8 / 5 + 2);
    size_t n = 0;
    unsigned held = 0, bits = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        held = (held << 8 | (unsigned char)bytes.p[i]) & 0xfff;
        for (bits += 8; bits >= 5; bits -= 5)
            out[n++] = alphabet[held >> (bits - 5) & 31];
    }
    if (bits > 0)
        out[n++] = alphabet[held << (5 - bits) & 31];
    return (struct text){out, n};
}

static void
uri_escape(struct buf *b, struct text t)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < t.len; i++) {
        unsigned char c = (unsigned char)t.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '.' || c == '_' || c == '~';
        if (plain) {
            buf_char(b, (char)c);
            continue;
        }
        buf_char(b, '%');
        buf_char(b, hex[c >> 4]);
        buf_char(b, hex[c & 15]);
    }
}

struct text
totp_uri(struct arena *a, struct text issuer, struct text account, struct text secret)
{
    struct buf b;

    buf_init(&b, 256, URI_MAX);
    buf_z(&b, "otpauth://totp/");
    uri_escape(&b, issuer);
    buf_char(&b, ':');
    uri_escape(&b, account);
    buf_z(&b, "?secret=");
    buf_text(&b, base32_encode(a, secret));
    buf_z(&b, "&issuer=");
    uri_escape(&b, issuer);
    buf_z(&b, "&algorithm=SHA1&digits=6&period=30");
    struct text uri = arena_text(a, buf_as_text(&b));
    buf_free(&b);
    return uri;
}
