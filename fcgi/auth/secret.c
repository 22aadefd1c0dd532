/* Opaque secrets: random bytes that name their session, or what a key has signed. */
#include "auth/secret.h"

#include <string.h>

#include "base/settings.h"

#define SESSION_BYTES 16
#define REFRESH_RANDOM 32
#define REFRESH_BYTES (SESSION_BYTES + REFRESH_RANDOM)
#define CSRF_NONCE 16
#define CSRF_BYTES (CSRF_NONCE + SHA256_LEN)
#define CURSOR_MAC 16
#define CURSOR_TEXT_MAX 8192

_Static_assert(sizeof(struct uuid) == SESSION_BYTES, "a session's identifier is its 16 bytes");

static struct text
bytes_text(const void *p, size_t n)
{
    return (struct text){p, n};
}

static bool
mac_equal(const uint8_t *a, const uint8_t *b, size_t n)
{
    return text_eq_secret(bytes_text(a, n), bytes_text(b, n));
}

static struct text
encode(struct arena *a, const uint8_t *bytes, size_t n)
{
    char *encoded = arena_alloc(a, BASE64URL_LEN(n) + 1);

    return (struct text){encoded, base64url_encode(bytes, n, encoded)};
}

/* Exactly n bytes. ret_bytes has room for one more, which the decoder asks for. */
static bool
decode(struct text t, uint8_t *ret_bytes, size_t n)
{
    size_t len;

    return t.p != NULL && t.len == BASE64URL_LEN(n) && base64url_decode(t, ret_bytes, &len) &&
           len == n;
}

/* A key for each use of SIGNING_SECRET, derived once a process. */
enum use { USE_CSRF, USE_CURSOR, USE_COUNT };

static struct text
signing_key(enum use use)
{
    static const char *const labels[USE_COUNT] = {"csrf token", "list cursor"};
    static uint8_t keys[USE_COUNT][SHA256_LEN];
    static bool derived[USE_COUNT];

    if (!derived[use]) {
        derive_key(setting_text(S_SIGNING_SECRET), labels[use], keys[use]);
        derived[use] = true;
    }
    return bytes_text(keys[use], SHA256_LEN);
}

static void
refresh_digest(const uint8_t bytes[REFRESH_BYTES], uint8_t ret_digest[SHA256_LEN])
{
    hmac_sha256(setting_text(S_JWT_REFRESH_SECRET), bytes_text(bytes, REFRESH_BYTES), ret_digest);
}

struct text
refresh_issue(struct arena *a, const struct uuid *session, uint8_t ret_digest[SHA256_LEN])
{
    uint8_t bytes[REFRESH_BYTES];

    memcpy(bytes, session->b, SESSION_BYTES);
    random_bytes(bytes + SESSION_BYTES, REFRESH_RANDOM);
    refresh_digest(bytes, ret_digest);
    return encode(a, bytes, sizeof(bytes));
}

bool
refresh_parse(struct text token, struct uuid *ret_session, uint8_t ret_digest[SHA256_LEN])
{
    uint8_t bytes[REFRESH_BYTES + 1];

    if (!decode(token, bytes, REFRESH_BYTES))
        return false;
    memcpy(ret_session->b, bytes, SESSION_BYTES);
    refresh_digest(bytes, ret_digest);
    return true;
}

static void
csrf_mac(const uint8_t nonce[CSRF_NONCE], const struct uuid *session, uint8_t ret_mac[SHA256_LEN])
{
    uint8_t message[CSRF_NONCE + SESSION_BYTES];

    memcpy(message, nonce, CSRF_NONCE);
    memcpy(message + CSRF_NONCE, session->b, SESSION_BYTES);
    hmac_sha256(signing_key(USE_CSRF), bytes_text(message, sizeof(message)), ret_mac);
}

struct text
csrf_issue(struct arena *a, const struct uuid *session)
{
    uint8_t bytes[CSRF_BYTES];

    random_bytes(bytes, CSRF_NONCE);
    csrf_mac(bytes, session, bytes + CSRF_NONCE);
    return encode(a, bytes, sizeof(bytes));
}

bool
csrf_valid(struct text token, const struct uuid *session)
{
    uint8_t bytes[CSRF_BYTES + 1];
    uint8_t mac[SHA256_LEN];

    if (!decode(token, bytes, CSRF_BYTES))
        return false;
    csrf_mac(bytes, session, mac);
    return mac_equal(bytes + CSRF_NONCE, mac, SHA256_LEN);
}

/* The length of the purpose keeps the two texts apart. */
static void
cursor_mac(struct arena *a, struct text purpose, struct text payload, uint8_t ret_mac[SHA256_LEN])
{
    uint64_t length = purpose.len;
    size_t n = sizeof(length) + purpose.len + payload.len;
    uint8_t *message = arena_alloc(a, n);

    for (size_t i = 0; i < sizeof(length); i++)
        message[i] = (uint8_t)(length >> (8 * i));
    if (purpose.len > 0)
        memcpy(message + sizeof(length), purpose.p, purpose.len);
    if (payload.len > 0)
        memcpy(message + sizeof(length) + purpose.len, payload.p, payload.len);
    hmac_sha256(signing_key(USE_CURSOR), bytes_text(message, n), ret_mac);
}

struct text
cursor_sign(struct arena *a, struct text purpose, struct text payload)
{
    uint8_t mac[SHA256_LEN];
    uint8_t *bytes = arena_alloc(a, payload.len + CURSOR_MAC);

    cursor_mac(a, purpose, payload, mac);
    if (payload.len > 0)
        memcpy(bytes, payload.p, payload.len);
    memcpy(bytes + payload.len, mac, CURSOR_MAC);
    return encode(a, bytes, payload.len + CURSOR_MAC);
}

bool
cursor_open(struct arena *a, struct text purpose, struct text cursor, struct text *ret_payload)
{
    uint8_t mac[SHA256_LEN];
    struct text payload;
    uint8_t *bytes;
    size_t len;

    if (cursor.p == NULL || cursor.len > CURSOR_TEXT_MAX)
        return false;
    bytes = arena_alloc(a, cursor.len * 3 / 4 + 1);
    if (!base64url_decode(cursor, bytes, &len) || len < CURSOR_MAC)
        return false;
    payload = bytes_text(bytes, len - CURSOR_MAC);
    cursor_mac(a, purpose, payload, mac);
    if (!mac_equal(bytes + payload.len, mac, CURSOR_MAC))
        return false;
    *ret_payload = payload;
    return true;
}
