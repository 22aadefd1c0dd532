#include "test_auth_forge.h"

#include <openssl/bio.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/json.h"

#define SIGNATURE_MAX 1024

static void
must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "forge: %s\n", what);
    abort();
}

EVP_PKEY *
forge_rsa(unsigned bits)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits);

    must(key != NULL, "rsa");
    return key;
}

EVP_PKEY *
forge_ec(const char *curve)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", curve);

    must(key != NULL, "ec");
    return key;
}

struct text
forge_pem(struct arena *a, EVP_PKEY *key, bool private_part)
{
    BIO *bio = BIO_new(BIO_s_mem());
    struct text pem;
    char *p = NULL;

    must((private_part ? PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL)
                       : PEM_write_bio_PUBKEY(bio, key)) == 1,
         "pem");
    pem.len = (size_t)BIO_get_mem_data(bio, &p);
    pem.p = p;
    pem = arena_text(a, pem);
    BIO_free(bio);
    return pem;
}

void
forge_entry(struct buf *keys, const char *kid_alg_state[3], EVP_PKEY *private_key,
            EVP_PKEY *public_key)
{
    struct arena *a = arena_new(1 << 20);

    json_open(keys, '{');
    json_kv_z(keys, "kid", kid_alg_state[0]);
    json_kv_z(keys, "alg", kid_alg_state[1]);
    json_kv_z(keys, "state", kid_alg_state[2]);
    if (private_key != NULL)
        json_kv_text(keys, "private_pem", forge_pem(a, private_key, true));
    json_kv_text(keys, "public_pem", forge_pem(a, public_key, false));
    json_close(keys, '}');
    arena_free(a);
}

struct text
forge_base64(struct arena *a, struct text t)
{
    char *out = arena_alloc(a, t.len / 3 * 4 + 8);
    int len = EVP_EncodeBlock((unsigned char *)out, (const unsigned char *)t.p, (int)t.len);

    return (struct text){out, (size_t)len};
}

struct text
forge_encode(struct arena *a, struct text t)
{
    char *out = arena_alloc(a, BASE64URL_LEN(t.len) + 1);

    return (struct text){out, base64url_encode(t.p, t.len, out)};
}

static size_t
ecdsa_raw(uint8_t *signature, size_t len, EVP_PKEY *key)
{
    const unsigned char *at = signature;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)len);
    int width = (EVP_PKEY_get_bits(key) + 7) / 8;

    must(sig != NULL, "ecdsa");
    BN_bn2binpad(ECDSA_SIG_get0_r(sig), signature, width);
    BN_bn2binpad(ECDSA_SIG_get0_s(sig), signature + width, width);
    ECDSA_SIG_free(sig);
    return 2 * (size_t)width;
}

static size_t
signature_make(struct text message, const struct forge_signer *s, uint8_t ret_sig[SIGNATURE_MAX])
{
    EVP_PKEY_CTX *options = NULL;
    size_t len = SIGNATURE_MAX;
    EVP_MD_CTX *c;

    if (s->kind == FORGE_EMPTY)
        return 0;
    if (s->kind == FORGE_HMAC) {
        hmac_sha256(s->secret, message, ret_sig);
        return SHA256_LEN;
    }
    c = EVP_MD_CTX_new();
    must(EVP_DigestSignInit_ex(c, &options, s->digest, NULL, NULL, s->key, NULL) == 1, "init");
    if (s->kind == FORGE_PSS)
        must(EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1, "pss");
    must(EVP_DigestSign(c, ret_sig, &len, (const unsigned char *)message.p, message.len) == 1,
         "sign");
    EVP_MD_CTX_free(c);
    return s->kind == FORGE_ECDSA ? ecdsa_raw(ret_sig, len, s->key) : len;
}

struct text
forge_token(struct arena *a, const char *header, struct text payload,
            const struct forge_signer *signer)
{
    uint8_t signature[SIGNATURE_MAX];
    struct text message =
        arena_printf(a, "%s.%s", forge_encode(a, text_of(header)).p, forge_encode(a, payload).p);
    size_t len = signature_make(message, signer, signature);
    struct text encoded = forge_encode(a, (struct text){(const char *)signature, len});

    return arena_printf(a, "%s.%s", message.p, encoded.p);
}
