/* Writing keysets: the public one for others (RFC 7517), and the next one of ours. */
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#include "auth/keyset_parts.h"
#include "base/encode.h"
#include "base/json.h"

#define NEW_RSA_BITS 2048
#define NUMBER_MAX 1024 /* bytes of an RSA modulus of 8192 bits */
#define P256_BYTES 32
#define KEYSET_BYTES_MAX ((size_t)256 * 1024)

/* A number of the key as base64url; `width` pads it on the left, 0 means as long as it is. */
static void
number_write(const struct key *key, const char *param, const char *name, int width, struct buf *out)
{
    char encoded[BASE64URL_LEN(NUMBER_MAX) + 1];
    uint8_t bytes[NUMBER_MAX];
    BIGNUM *n = NULL;
    int len;

    if (EVP_PKEY_get_bn_param(key->public_key, param, &n) != 1)
        return;
    len = width > 0 ? width : BN_num_bytes(n);
    if (len <= NUMBER_MAX && BN_bn2binpad(n, bytes, len) == len) {
        base64url_encode(bytes, (size_t)len, encoded);
        json_kv_z(out, name, encoded);
    }
    BN_free(n);
}

void
keyset_write_jwks(const struct keyset *k, struct buf *out)
{
    json_open(out, '{');
    json_key(out, "keys");
    json_open(out, '[');
    for (size_t i = 0; i < k->count; i++) {
        const struct key *key = &k->keys[i];

        if (key->state == KEY_RETIRED)
            continue;
        json_open(out, '{');
        json_kv_z(out, "kty", key->alg == KEY_RS256 ? "RSA" : "EC");
        json_kv_z(out, "use", "sig");
        json_kv_z(out, "alg", key_alg_name(key->alg));
        json_kv_z(out, "kid", key->kid);
        if (key->alg == KEY_RS256) {
            number_write(key, OSSL_PKEY_PARAM_RSA_N, "n", 0, out);
            number_write(key, OSSL_PKEY_PARAM_RSA_E, "e", 0, out);
        } else {
            json_kv_z(out, "crv", "P-256");
            number_write(key, OSSL_PKEY_PARAM_EC_PUB_X, "x", P256_BYTES, out);
            number_write(key, OSSL_PKEY_PARAM_EC_PUB_Y, "y", P256_BYTES, out);
        }
        json_close(out, '}');
    }
    json_close(out, ']');
    json_close(out, '}');
}

static bool
bio_text(struct arena *a, BIO *bio, struct text *ret_text)
{
    char *p = NULL;
    long len = BIO_get_mem_data(bio, &p);

    if (len <= 0)
        return false;
    *ret_text = arena_text(a, (struct text){p, (size_t)len});
    return true;
}

static bool
pkey_pem(struct arena *a, EVP_PKEY *key, bool private_part, struct text *ret_pem)
{
    BIO *bio = BIO_new(private_part ? BIO_s_secmem() : BIO_s_mem());
    bool ok;

    if (bio == NULL)
        return false;
    ok = (private_part ? PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL)
                       : PEM_write_bio_PUBKEY(bio, key)) == 1 &&
         bio_text(a, bio, ret_pem);
    BIO_free(bio);
    return ok;
}

static EVP_PKEY *
pkey_generate(enum key_alg alg)
{
    return alg == KEY_RS256 ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)NEW_RSA_BITS)
                            : EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
}

static err
entry_generate(struct arena *a, const struct keyset_fresh *fresh, struct key_entry *ret_entry)
{
    EVP_PKEY *key = pkey_generate(fresh->alg);
    bool ok;

    *ret_entry = (struct key_entry){
        .kid = fresh->kid,
        .alg = text_of(key_alg_name(fresh->alg)),
        .state = text_of(key_state_name(fresh->next ? KEY_NEXT : KEY_ACTIVE)),
    };
    ok = key != NULL && pkey_pem(a, key, true, &ret_entry->private_pem) &&
         pkey_pem(a, key, false, &ret_entry->public_pem);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return ok ? E_OK : E_INTERNAL;
}

static void
entry_write(struct buf *out, const struct key_entry *e)
{
    json_open(out, '{');
    json_kv_text(out, "kid", e->kid);
    json_kv_text(out, "alg", e->alg);
    json_kv_text(out, "state", e->state);
    if (e->private_pem.p != NULL)
        json_kv_text(out, "private_pem", e->private_pem);
    json_kv_text(out, "public_pem", e->public_pem);
    json_close(out, '}');
}

static err
entries_encode(struct arena *a, const struct key_entry *entries, size_t count,
               struct text *ret_base64)
{
    struct buf out;
    char *encoded;
    int len;
    err e = E_INTERNAL;

    buf_init(&out, 4096, KEYSET_BYTES_MAX);
    json_open(&out, '{');
    json_key(&out, "keys");
    json_open(&out, '[');
    for (size_t i = 0; i < count; i++)
        entry_write(&out, &entries[i]);
    json_close(&out, ']');
    json_close(&out, '}');
    if (!out.overflow) {
        encoded = arena_alloc(a, out.len / 3 * 4 + 8);
        len = EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)out.p, (int)out.len);
        *ret_base64 = (struct text){encoded, (size_t)len};
        e = E_OK;
    }
    OPENSSL_cleanse(out.p, out.len);
    buf_free(&out);
    return e;
}

static void
entry_move(struct key_entry *e, enum key_state to)
{
    e->state = text_of(key_state_name(to));
    /* A key that will sign no more has no use for its secret. */
    if (to == KEY_LEGACY || to == KEY_RETIRED)
        e->private_pem = TEXT_NULL;
}

/* The active keys of before sign no more. */
static void
entries_supersede(struct key_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (key_entry_is(&entries[i], KEY_ACTIVE))
            entry_move(&entries[i], KEY_LEGACY);
    }
}

err
keyset_rotate(struct arena *a, struct text previous_base64, const struct keyset_fresh *fresh,
              struct text *ret_base64)
{
    struct key_entry entries[KEYSET_MAX + 1];
    size_t count = 0;

    if (!kid_valid(fresh->kid))
        return E_VALIDATION;
    if (previous_base64.p != NULL && !keyset_parse(a, previous_base64, entries + 1, &count, NULL))
        return E_VALIDATION;
    if (count == KEYSET_MAX)
        return E_VALIDATION;
    for (size_t i = 1; i <= count; i++) {
        if (text_eq(entries[i].kid, fresh->kid) || key_entry_is(&entries[i], KEY_NEXT))
            return E_VALIDATION;
    }
    if (!fresh->next)
        entries_supersede(entries + 1, count);
    TRY(entry_generate(a, fresh, &entries[0]));
    return entries_encode(a, entries, count + 1, ret_base64);
}

err
keyset_activate(struct arena *a, struct text previous_base64, struct text *ret_kid,
                struct text *ret_base64)
{
    struct key_entry entries[KEYSET_MAX];
    struct key_entry *next = NULL;
    size_t count = 0;

    if (!keyset_parse(a, previous_base64, entries, &count, NULL))
        return E_VALIDATION;
    for (size_t i = 0; i < count; i++) {
        if (!key_entry_is(&entries[i], KEY_NEXT))
            continue;
        if (next != NULL || entries[i].private_pem.p == NULL)
            return E_VALIDATION;
        next = &entries[i];
    }
    if (next == NULL)
        return E_NOT_FOUND;
    entries_supersede(entries, count);
    entry_move(next, KEY_ACTIVE);
    *ret_kid = next->kid;
    return entries_encode(a, entries, count, ret_base64);
}

err
keyset_retire(struct arena *a, struct text previous_base64, struct text kid,
              struct text *ret_base64)
{
    struct key_entry entries[KEYSET_MAX];
    struct key_entry *retired = NULL;
    size_t count = 0, active = 0;

    if (!keyset_parse(a, previous_base64, entries, &count, NULL))
        return E_VALIDATION;
    for (size_t i = 0; i < count; i++) {
        active += key_entry_is(&entries[i], KEY_ACTIVE);
        if (text_eq(entries[i].kid, kid))
            retired = &entries[i];
    }
    if (retired == NULL)
        return E_NOT_FOUND;
    if (key_entry_is(retired, KEY_ACTIVE) && active == 1)
        return E_CONFLICT;
    entry_move(retired, KEY_RETIRED);
    return entries_encode(a, entries, count, ret_base64);
}
