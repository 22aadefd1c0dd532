/* What the files of the tokens share: keys as they are written down, and as they are used. */
#ifndef LECTERN_AUTH_KEYSET_PARTS_H
#define LECTERN_AUTH_KEYSET_PARTS_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "auth/token.h"

#define KEYSET_MAX 32
#define KID_MAX 64

/* A key's life: next (published and accepted, signs nothing yet), active, legacy (accepted still),
 * retired. */
enum key_state { KEY_NEXT, KEY_ACTIVE, KEY_LEGACY, KEY_RETIRED };

/* One key of the document, unchecked but for its form. */
struct key_entry {
    struct text kid;
    struct text alg;
    struct text state;
    struct text private_pem; /* TEXT_NULL where there is none */
    struct text public_pem;
};

struct key {
    char kid[KID_MAX + 1];
    enum key_alg alg;
    enum key_state state;
    EVP_PKEY *public_key;
    EVP_MD_CTX *verifier; /* made ready once; copied for each signature */
    char *private_pem;    /* for libjwt, which reads PEM only; NULL where there is none */
    size_t private_len;
};

struct keyset {
    uint64_t generation; /* no two keysets of a process have the same */
    char *issuer;
    char *audience;
    size_t count;
    const struct key *active;
    struct key keys[KEYSET_MAX];
};

const char *key_alg_name(enum key_alg alg);   /* "RS256" */
const char *key_state_name(enum key_state s); /* "active" */
bool kid_valid(struct text kid);              /* 1 to 64 of [A-Za-z0-9._-] */
bool key_alg_named(struct text name, enum key_alg *ret_alg);
bool key_entry_is(const struct key_entry *e, enum key_state s);

/* The keys of a JWT_KEYSET. False when the document has not the form; what is wrong goes to
 * `faults`, which may be NULL. */
bool keyset_parse(struct arena *a, struct text base64, struct key_entry ret_keys[KEYSET_MAX],
                  size_t *ret_count, FILE *faults);

/* The key for a token's kid, or NULL: unknown and retired are one. */
const struct key *keyset_find(const struct keyset *k, struct text kid);

/* One of the platform's roles? */
bool role_known(struct text role);

/* Claims of tokens that this process has verified. */
bool token_cache_find(const struct keyset *k, const uint8_t digest[32], int64_t now,
                      struct token_claims *ret_claims);
void token_cache_store(const struct keyset *k, const uint8_t digest[32], int64_t now,
                       const struct token_claims *claims);

#endif
