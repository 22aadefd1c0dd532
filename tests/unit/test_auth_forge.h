/* Keysets and tokens of any kind, good and hostile, for the tests of auth. */
#ifndef LECTERN_TESTS_AUTH_FORGE_H
#define LECTERN_TESTS_AUTH_FORGE_H

#include <openssl/evp.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/text.h"

enum forge_kind {
    FORGE_PKCS1, /* RSASSA-PKCS1-v1_5 */
    FORGE_PSS,
    FORGE_ECDSA,     /* r ‖ s */
    FORGE_ECDSA_DER, /* as OpenSSL gives it */
    FORGE_HMAC,
    FORGE_EMPTY, /* no signature */
};

struct forge_signer {
    enum forge_kind kind;
    const char *digest;
    EVP_PKEY *key;
    struct text secret; /* of FORGE_HMAC */
};

EVP_PKEY *forge_rsa(unsigned bits);
EVP_PKEY *forge_ec(const char *curve);
struct text forge_pem(struct arena *a, EVP_PKEY *key, bool private_part);
/* Append one key to the JSON of a keyset; `private_key` may be NULL. */
void forge_entry(struct buf *keys, const char *kid_alg_state[3], EVP_PKEY *private_key,
                 EVP_PKEY *public_key);
struct text forge_base64(struct arena *a, struct text t);
/* base64url, as it stands in a token. */
struct text forge_encode(struct arena *a, struct text t);
/* header.payload.signature over any two texts. */
struct text forge_token(struct arena *a, const char *header, struct text payload,
                        const struct forge_signer *signer);

#endif
