#include "auth/link.h"

#include <string.h>

#include "base/settings.h"

#define LINK_BYTES 32
#define PURPOSE_MAX 64

static void
link_digest(struct text purpose, const uint8_t bytes[LINK_BYTES], uint8_t ret_digest[SHA256_LEN])
{
    static uint8_t key[SHA256_LEN];
    static bool derived;
    uint8_t message[LINK_BYTES + PURPOSE_MAX];
    size_t n = purpose.len < PURPOSE_MAX ? purpose.len : PURPOSE_MAX;

    if (!derived) {
        derive_key(setting_text(S_SIGNING_SECRET), "mailed link", key);
        derived = true;
    }
    /* The bits come first and have one length: two purposes never make one message. */
    memcpy(message, bytes, LINK_BYTES);
    memcpy(message + LINK_BYTES, purpose.p, n);
    hmac_sha256((struct text){(const char *)key, sizeof key},
                (struct text){(const char *)message, LINK_BYTES + n}, ret_digest);
}

struct text
link_issue(struct arena *a, struct text purpose, uint8_t ret_digest[SHA256_LEN])
{
    char *text = arena_alloc(a, BASE64URL_LEN(LINK_BYTES) + 1);
    uint8_t bytes[LINK_BYTES];

    random_bytes(bytes, sizeof bytes);
    link_digest(purpose, bytes, ret_digest);
    return (struct text){text, base64url_encode(bytes, sizeof bytes, text)};
}

bool
link_read(struct text token, struct text purpose, uint8_t ret_digest[SHA256_LEN])
{
    uint8_t bytes[BASE64URL_LEN(LINK_BYTES) * 3 / 4 + 1];
    size_t len;

    if (token.p == NULL || token.len != BASE64URL_LEN(LINK_BYTES) ||
        !base64url_decode(token, bytes, &len) || len != LINK_BYTES)
        return false;
    link_digest(purpose, bytes, ret_digest);
    return true;
}
