/* Sealed values: form, key, and the cipher. Keys are read from the settings for each value, so that
 * a reload is in force at once and no copy of a key stays behind. */
#include "auth/envelope.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/data_keys.h"
#include "base/encode.h"
#include "base/log.h"
#include "base/oom.h"
#include "base/settings.h"

#define VERSION "v1"
#define NONCE 12
#define TAG 16
#define SEALED_MAX (BASE64URL_LEN(ENVELOPE_PLAIN_MAX + NONCE + TAG))

/* A sealed text taken apart. */
struct parts {
    struct text key_id;
    struct text payload; /* base64url */
};

static bool
parts_read(struct text sealed, struct parts *ret_parts)
{
    struct text version = text_cut(&sealed, '.');

    if (!text_eq(version, TEXT(VERSION)) || sealed.p == NULL)
        return false;
    ret_parts->key_id = text_cut(&sealed, '.');
    ret_parts->payload = sealed;
    return data_key_id_valid(ret_parts->key_id) && sealed.p != NULL &&
           sealed.len >= BASE64URL_LEN(NONCE + TAG) && sealed.len <= SEALED_MAX;
}

/* The key of that id out of the settings. */
static bool
key_find(struct text id, uint8_t ret_key[DATA_KEY_BYTES])
{
    struct text list = setting_text(S_DATA_ENCRYPTION_FALLBACK_KEYS);
    struct text one;

    if (id.len == 0)
        return false;
    if (text_eq(id, setting_text(S_DATA_ENCRYPTION_ACTIVE_KEY_ID)))
        return data_key_decode(setting_text(S_DATA_ENCRYPTION_PRIMARY_KEY), ret_key);
    while (list.len > 0 && data_key_next(&list, &one, ret_key)) {
        if (text_eq(id, one))
            return true;
    }
    OPENSSL_cleanse(ret_key, DATA_KEY_BYTES);
    return false;
}

/* --- what a value is bound to ----------------------------------------------------------------- */

static uint8_t *
put(uint8_t *to, const void *p, size_t n)
{
    if (n > 0)
        memcpy(to, p, n);
    return to + n;
}

/* Its length before each text, so that no two places have one encoding. */
static uint8_t *
put_text(uint8_t *to, struct text t)
{
    uint8_t length[4] = {(uint8_t)(t.len >> 24), (uint8_t)(t.len >> 16), (uint8_t)(t.len >> 8),
                         (uint8_t)t.len};

    return put(put(to, length, sizeof length), t.p, t.len);
}

static struct text
associated_data(struct arena *a, const struct envelope_place *place, struct text key_id)
{
    const struct text texts[] = {TEXT(VERSION), key_id, text_of(place->table),
                                 text_of(place->column)};
    size_t size = sizeof place->row.b + sizeof place->org.b;
    uint8_t *bytes, *end;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        size += 4 + texts[i].len;
    end = bytes = arena_alloc(a, size);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        end = put_text(end, texts[i]);
    end = put(end, place->row.b, sizeof place->row.b);
    put(end, place->org.b, sizeof place->org.b);
    return (struct text){(const char *)bytes, size};
}

/* --- the cipher ------------------------------------------------------------------------------- */

/* What both directions begin with. Only a fault of the library ends here. */
static EVP_CIPHER_CTX *
cipher_begin(const uint8_t *key, const uint8_t *nonce, struct text aad, bool seal)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int n;

    if (c == NULL || EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, key, nonce, seal) != 1 ||
        EVP_CipherUpdate(c, NULL, &n, (const uint8_t *)aad.p, (int)aad.len) != 1)
        system_failed("AES-256-GCM");
    return c;
}

/* `ret_bytes` has room for nonce, ciphertext and tag. */
static void
encrypt(const uint8_t *key, struct text aad, struct text plain, uint8_t *ret_bytes)
{
    uint8_t *ciphertext = ret_bytes + NONCE;
    EVP_CIPHER_CTX *c;
    int n = 0;

    random_bytes(ret_bytes, NONCE);
    c = cipher_begin(key, ret_bytes, aad, true);
    if ((plain.len > 0 &&
         EVP_CipherUpdate(c, ciphertext, &n, (const uint8_t *)plain.p, (int)plain.len) != 1) ||
        EVP_CipherFinal_ex(c, ciphertext + n, &n) != 1 ||
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG, ciphertext + plain.len) != 1)
        system_failed("AES-256-GCM");
    EVP_CIPHER_CTX_free(c);
}

/* False when the tag does not fit; then nothing of the plain text is left in `ret_plain`. */
static bool
decrypt(const uint8_t *key, struct text aad, uint8_t *bytes, size_t len, uint8_t *ret_plain)
{
    size_t plain_len = len - NONCE - TAG;
    EVP_CIPHER_CTX *c = cipher_begin(key, bytes, aad, false);
    int n = 0;
    bool ok = EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG, bytes + len - TAG) == 1 &&
              (plain_len == 0 ||
               EVP_CipherUpdate(c, ret_plain, &n, bytes + NONCE, (int)plain_len) == 1) &&
              EVP_CipherFinal_ex(c, ret_plain + n, &n) == 1;

    EVP_CIPHER_CTX_free(c);
    ERR_clear_error();
    if (!ok)
        OPENSSL_cleanse(ret_plain, plain_len);
    return ok;
}

/* --- sealing and opening ---------------------------------------------------------------------- */

static err
place_error(err e, const char *message, const struct envelope_place *place, struct text key_id)
{
    log_event(LOG_L_ERROR, message, LOG_TEXT("data_key_id", key_id), LOG_Z("table", place->table),
              LOG_Z("column", place->column), LOG_UUID("row", &place->row));
    return e;
}

err
envelope_seal(struct arena *a, const struct envelope_place *place, struct text plain,
              struct text *ret_sealed)
{
    struct text id = setting_text(S_DATA_ENCRYPTION_ACTIVE_KEY_ID);
    size_t len = NONCE + plain.len + TAG;
    uint8_t key[DATA_KEY_BYTES];
    uint8_t *bytes;
    char *encoded;

    *ret_sealed = TEXT_NULL;
    if (plain.len > ENVELOPE_PLAIN_MAX)
        return E_INTERNAL;
    if (!key_find(id, key))
        return place_error(E_DATA_KEY_UNKNOWN, "there is no key to seal with", place, id);
    bytes = arena_alloc(a, len);
    encrypt(key, associated_data(a, place, id), plain, bytes);
    OPENSSL_cleanse(key, sizeof key);
    encoded = arena_alloc(a, BASE64URL_LEN(len) + 1);
    base64url_encode(bytes, len, encoded);
    *ret_sealed = arena_printf(a, VERSION ".%.*s.%s", TEXT_ARG(id), encoded);
    return E_OK;
}

err
envelope_open(struct arena *a, const struct envelope_place *place, struct text sealed,
              struct text *ret_plain)
{
    uint8_t key[DATA_KEY_BYTES];
    struct parts parts;
    uint8_t *bytes, *plain;
    size_t len;
    bool ok;

    *ret_plain = TEXT_NULL;
    if (!parts_read(sealed, &parts))
        return place_error(E_DATA_SEALED_BROKEN, "a sealed value has not the form", place,
                           TEXT_NULL);
    bytes = arena_alloc(a, parts.payload.len * 3 / 4 + 1);
    if (!base64url_decode(parts.payload, bytes, &len) || len < NONCE + TAG)
        return place_error(E_DATA_SEALED_BROKEN, "a sealed value has not the form", place,
                           parts.key_id);
    if (!key_find(parts.key_id, key))
        return place_error(E_DATA_KEY_UNKNOWN, "a value is sealed under an unknown key", place,
                           parts.key_id);
    plain = arena_alloc(a, len - NONCE - TAG + 1);
    ok = decrypt(key, associated_data(a, place, parts.key_id), bytes, len, plain);
    OPENSSL_cleanse(key, sizeof key);
    if (!ok)
        return place_error(E_DATA_SEALED_BROKEN, "a sealed value does not open", place,
                           parts.key_id);
    *ret_plain = (struct text){(const char *)plain, len - NONCE - TAG};
    return E_OK;
}

bool
envelope_key_id(struct text sealed, struct text *ret_id)
{
    struct parts parts;

    if (!parts_read(sealed, &parts))
        return false;
    *ret_id = parts.key_id;
    return true;
}

bool
envelope_key_known(struct text id)
{
    uint8_t key[DATA_KEY_BYTES];
    bool known = key_find(id, key);

    OPENSSL_cleanse(key, sizeof key);
    return known;
}
