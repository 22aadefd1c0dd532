/* Access tokens: JWT (RFC 7519) signed RS256 or ES256 under a keyset. The algorithm comes from
 * the key that `kid` names, never from the token. token.c is the only file that names libjwt. */
#ifndef LECTERN_AUTH_TOKEN_H
#define LECTERN_AUTH_TOKEN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"
#include "base/uuid.h"

#define TOKEN_MAX_BYTES 8192

/* What a token says once it has been verified. */
struct token_claims {
    struct uuid user;    /* sub */
    struct uuid org;     /* org */
    struct uuid session; /* sid */
    struct uuid id;      /* jti */
    char role[16];       /* role, NUL-terminated, one of the closed set */
    int64_t issued_at;   /* iat, Unix seconds */
    int64_t expires_at;  /* exp, Unix seconds */
};

struct keyset;

/* JWT_KEYSET: base64 of {"keys":[{"kid","alg":"RS256"|"ES256","state":"next"|"active"|"legacy"|
 * "retired","private_pem"?, "public_pem"}]}, at most 32. Faults go to `faults`, one line each; NULL
 * on any fault. `active_kid` must name an active key with a private part; empty means the only
 * active one. RSA keys are 2048 to 8192 bits, EC keys on P-256. */
struct keyset *keyset_load(struct text base64, struct text active_kid, struct text issuer,
                           struct text audience, FILE *faults);
void keyset_free(struct keyset *k);

/* RFC 7517: public parts of next, active and legacy keys. */
void keyset_write_jwks(const struct keyset *k, struct buf *out);

/* --- the keyset that follows one, as base64; for lecternctl ------------------------------------
 */

enum key_alg { KEY_RS256, KEY_ES256 };

struct keyset_fresh {
    struct text kid; /* 1 to 64 of [A-Za-z0-9._-] */
    enum key_alg alg;
    bool next; /* accepted from now on, but signs only after keyset_activate */
};

/* Keys that sign no more are kept without their private parts. */

/* With one fresh key; unless it is `next`, active ones become legacy. `previous` may be TEXT_NULL.
 * E_VALIDATION when it is not a keyset, is full, has a next key already, or the kid is taken or
 * malformed. */
err keyset_rotate(struct arena *a, struct text previous_base64, const struct keyset_fresh *fresh,
                  struct text *ret_base64) MUST_CHECK;
/* Its next key signs, active ones become legacy. E_NOT_FOUND when there is no next one;
 * E_VALIDATION when it is not a keyset, or has two. */
err keyset_activate(struct arena *a, struct text previous_base64, struct text *ret_kid,
                    struct text *ret_base64) MUST_CHECK;
/* Tokens of that key are valid no more. E_NOT_FOUND, E_CONFLICT for the only active one,
 * E_VALIDATION when it is not a keyset. */
err keyset_retire(struct arena *a, struct text previous_base64, struct text kid,
                  struct text *ret_base64) MUST_CHECK;

/* E_INTERNAL when the claims are ones that token_verify would not take, or signing fails. */
err token_issue(struct arena *a, const struct keyset *k, const struct token_claims *claims,
                struct text *ret_token) MUST_CHECK;

/* E_TOKEN_INVALID for whatever is wrong. Checks length, alphabet, exactly two dots, header (typ
 * absent or JWT, nothing but alg, kid and typ), kid → key → algorithm, signature, then the claims
 * with the strict reader: sub, org, sid, jti, role, iat, exp, iss, aud (text or array), nbf; 30 s
 * leeway for clocks on iat and nbf only. Claims of verified tokens are cached per process by
 * SHA-256 in an 8-way set-associative table until expiry or 30 s. `now` in Unix seconds.
 * *ret_claims means nothing when the answer is not E_OK. */
err token_verify(struct arena *a, const struct keyset *k, struct text token, int64_t now,
                 struct token_claims *ret_claims) MUST_CHECK;

#endif
