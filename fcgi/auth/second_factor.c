#include "auth/second_factor.h"

#include <string.h>

#include "auth/envelope.h"
#include "auth/totp.h"
#include "base/settings.h"

#define CODE_BYTES 10 /* 80 bits: 16 letters of base32 */
#define CODE_LETTERS 16
#define CODE_GROUP 4
#define CHALLENGE_BYTES 32

/* Bound to the row: a sealed secret that is moved to another user does not open. */
static struct envelope_place
factor_place(const struct uuid *user, const struct uuid *org)
{
    return (struct envelope_place){"second_factors", "sealed", *user, *org};
}

err
factor_make(struct arena *a, const struct uuid *user, const struct uuid *org,
            struct text *ret_secret, struct text *ret_sealed)
{
    struct envelope_place place = factor_place(user, org);
    char *bytes = arena_alloc(a, TOTP_SECRET_BYTES);

    random_bytes(bytes, TOTP_SECRET_BYTES);
    *ret_secret = (struct text){bytes, TOTP_SECRET_BYTES};
    return envelope_seal(a, &place, *ret_secret, ret_sealed);
}

err
factor_open(struct arena *a, const struct uuid *user, const struct uuid *org, struct text sealed,
            struct text *ret_secret)
{
    struct envelope_place place = factor_place(user, org);

    return envelope_open(a, &place, sealed, ret_secret);
}

/* Over the letters in capitals, without hyphens. */
static void
recovery_mac(struct text secret, const char letters[CODE_LETTERS], uint8_t ret_digest[SHA256_LEN])
{
    uint8_t key[SHA256_LEN];

    derive_key(secret, "recovery code", key);
    hmac_sha256((struct text){(const char *)key, sizeof key}, (struct text){letters, CODE_LETTERS},
                ret_digest);
}

static struct text
recovery_write(struct arena *a, const char letters[CODE_LETTERS])
{
    char *out = arena_alloc(a, CODE_LETTERS + CODE_LETTERS / CODE_GROUP);
    size_t n = 0;

    for (size_t i = 0; i < CODE_LETTERS; i++) {
        if (i > 0 && i % CODE_GROUP == 0)
            out[n++] = '-';
        out[n++] = (char)(letters[i] >= 'A' ? letters[i] - 'A' + 'a' : letters[i]);
    }
    return (struct text){out, n};
}

void
recovery_make(struct arena *a, struct text secret, struct text ret_codes[RECOVERY_CODES],
              struct text ret_digests[RECOVERY_CODES])
{
    for (size_t i = 0; i < RECOVERY_CODES; i++) {
        char *hex = arena_alloc(a, (size_t)2 * SHA256_LEN + 1), bytes[CODE_BYTES];
        uint8_t digest[SHA256_LEN];

        random_bytes(bytes, sizeof bytes);
        struct text letters = base32_encode(a, (struct text){bytes, sizeof bytes});
        recovery_mac(secret, letters.p, digest);
        ret_codes[i] = recovery_write(a, letters.p);
        hex_encode(digest, sizeof digest, hex);
        ret_digests[i] = (struct text){hex, (size_t)2 * SHA256_LEN};
    }
}

bool
recovery_digest(struct text secret, struct text code, uint8_t ret_digest[SHA256_LEN])
{
    char letters[CODE_LETTERS];
    size_t n = 0;

    for (size_t i = 0; i < code.len; i++) {
        char c = code.p[i];
        if (c == '-')
            continue;
        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        if (n == CODE_LETTERS || !((c >= 'A' && c <= 'Z') || (c >= '2' && c <= '7')))
            return false;
        letters[n++] = c;
    }
    if (n != CODE_LETTERS)
        return false;
    recovery_mac(secret, letters, ret_digest);
    return true;
}

void
challenge_digest(struct text challenge, uint8_t ret_digest[SHA256_LEN])
{
    uint8_t key[SHA256_LEN];

    derive_key(setting_text(S_SIGNING_SECRET), "sign-in challenge", key);
    hmac_sha256((struct text){(const char *)key, sizeof key}, challenge, ret_digest);
}

struct text
challenge_issue(struct arena *a, uint8_t ret_digest[SHA256_LEN])
{
    char *encoded = arena_alloc(a, BASE64URL_LEN(CHALLENGE_BYTES) + 1);
    uint8_t bytes[CHALLENGE_BYTES];

    random_bytes(bytes, sizeof bytes);
    struct text t = {encoded, base64url_encode(bytes, sizeof bytes, encoded)};
    challenge_digest(t, ret_digest);
    return t;
}
