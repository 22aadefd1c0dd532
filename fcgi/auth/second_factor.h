/* What a second factor is made of: a sealed secret, recovery codes under it, and challenges of a
 * sign-in that owes a code. What is accepted, and how often, is kept by the database. */
#ifndef LECTERN_AUTH_SECOND_FACTOR_H
#define LECTERN_AUTH_SECOND_FACTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/encode.h"
#include "base/err.h"
#include "base/text.h"
#include "base/uuid.h"

#define RECOVERY_CODES 10
#define CHALLENGE_SECONDS 300

/* A fresh secret, in clear for whoever enrols and sealed for the row of this user. */
err factor_make(struct arena *a, const struct uuid *user, const struct uuid *org,
                struct text *ret_secret, struct text *ret_sealed) MUST_CHECK;
err factor_open(struct arena *a, const struct uuid *user, const struct uuid *org,
                struct text sealed, struct text *ret_secret) MUST_CHECK;

/* A recovery code is 80 random bits, written "abcd-efgh-ijkl-mnop". Its digest is an HMAC under a
 * key derived from the factor's own secret: worth nothing without the key that seals that, and void
 * with the factor. `ret_digests`, in the same order, are in hexadecimal. */
void recovery_make(struct arena *a, struct text secret, struct text ret_codes[RECOVERY_CODES],
                   struct text ret_digests[RECOVERY_CODES]);
/* Case and hyphens do not matter. False when it does not have the form. */
bool recovery_digest(struct text secret, struct text code, uint8_t ret_digest[SHA256_LEN]);

/* 256 random bits in base64url; only the HMAC of it, under a key derived from SIGNING_SECRET, is
 * stored. */
struct text challenge_issue(struct arena *a, uint8_t ret_digest[SHA256_LEN]);
void challenge_digest(struct text challenge, uint8_t ret_digest[SHA256_LEN]);

#endif
