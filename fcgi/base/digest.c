#include "base/encode.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>

#include "base/oom.h"

/* Fetching an algorithm costs more than a short digest: each is fetched once a process. */
static EVP_MD *sha;
static EVP_MD_CTX *sha_context;
static EVP_MAC_CTX *hmac_context;

#define KEY_KEPT_MAX 64

static void
sha_prepare(void)
{
    sha = EVP_MD_fetch(NULL, "SHA256", NULL);
    sha_context = EVP_MD_CTX_new();
    if (sha == NULL || sha_context == NULL)
        system_failed("SHA-256");
}

void
sha256(struct text t, uint8_t ret_digest[SHA256_LEN])
{
    if (sha == NULL)
        sha_prepare();
    if (EVP_DigestInit_ex2(sha_context, sha, NULL) != 1 ||
        EVP_DigestUpdate(sha_context, t.p, t.len) != 1 ||
        EVP_DigestFinal_ex(sha_context, ret_digest, NULL) != 1)
        system_failed("SHA-256");
}

static void
hmac_prepare(void)
{
    static char digest_name[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest_name, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);

    hmac_context = mac != NULL ? EVP_MAC_CTX_new(mac) : NULL;
    EVP_MAC_free(mac); /* the context holds a reference of its own */
    if (hmac_context == NULL || EVP_MAC_CTX_set_params(hmac_context, params) != 1)
        system_failed("HMAC");
}

/* Is it the key of the call before? The context keeps what it made of that one. */
static bool
hmac_key_again(struct text key)
{
    static char last[KEY_KEPT_MAX];
    static size_t last_len = SIZE_MAX;

    if (last_len == key.len && text_eq_secret((struct text){last, last_len}, key))
        return true;
    last_len = SIZE_MAX;
    if (key.p != NULL && key.len > 0 && key.len <= sizeof last) {
        memcpy(last, key.p, key.len);
        last_len = key.len;
    }
    return false;
}

void
hmac_sha256(struct text key, struct text message, uint8_t ret_mac[SHA256_LEN])
{
    /* A NULL key means the one of the call before. */
    const void *key_bytes = key.p != NULL ? key.p : "";
    size_t length = 0;

    if (hmac_context == NULL)
        hmac_prepare();
    if (hmac_key_again(key))
        key_bytes = NULL;
    if (EVP_MAC_init(hmac_context, key_bytes, key_bytes == NULL ? 0 : key.len, NULL) != 1 ||
        EVP_MAC_update(hmac_context, (const unsigned char *)message.p, message.len) != 1 ||
        EVP_MAC_final(hmac_context, ret_mac, &length, SHA256_LEN) != 1 || length != SHA256_LEN)
        system_failed("HMAC");
}

void
derive_key(struct text secret, const char *label, uint8_t ret_key[SHA256_LEN])
{
    hmac_sha256(secret, text_of(label), ret_key);
}

struct sip {
    uint64_t a, b, c, d;
};

static uint64_t
rotate(uint64_t v, unsigned by)
{
    return v << by | v >> (64 - by);
}

static void
sip_rounds(struct sip *s, int rounds)
{
    while (rounds-- > 0) {
        s->a += s->b;
        s->c += s->d;
        s->b = rotate(s->b, 13) ^ s->a;
        s->d = rotate(s->d, 16) ^ s->c;
        s->a = rotate(s->a, 32);
        s->c += s->b;
        s->a += s->d;
        s->b = rotate(s->b, 17) ^ s->c;
        s->d = rotate(s->d, 21) ^ s->a;
        s->c = rotate(s->c, 32);
    }
}

/* Up to eight bytes as a little-endian number. */
static uint64_t
little_endian(const uint8_t *p, size_t n)
{
    uint64_t v = 0;

    while (n-- > 0)
        v = v << 8 | p[n];
    return v;
}

static void
sip_word(struct sip *s, uint64_t word)
{
    s->d ^= word;
    sip_rounds(s, 2);
    s->a ^= word;
}

uint64_t
siphash(const uint8_t key[16], const void *p, size_t n)
{
    const uint8_t *bytes = p;
    uint64_t k0 = little_endian(key, 8);
    uint64_t k1 = little_endian(key + 8, 8);
    struct sip s = {k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d),
                    k0 ^ UINT64_C(0x6c7967656e657261), k1 ^ UINT64_C(0x7465646279746573)};
    size_t left = n;

    for (; left >= 8; left -= 8, bytes += 8)
        sip_word(&s, little_endian(bytes, 8));
    sip_word(&s, little_endian(bytes, left) | (uint64_t)(n & 0xff) << 56);
    s.c ^= 0xff;
    sip_rounds(&s, 4);
    return s.a ^ s.b ^ s.c ^ s.d;
}
