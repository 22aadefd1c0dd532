/* Passwords: Argon2id (RFC 9106), one lane, so that no thread is started in a worker. */
#ifndef LECTERN_AUTH_PASSWORD_H
#define LECTERN_AUTH_PASSWORD_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

/* PHC string with the parameters of ARGON2_MEMORY_KIB and ARGON2_ITERATIONS, random 16-byte salt.
 * E_UNAVAILABLE when there is no memory for it now. */
err password_hash(struct arena *a, struct text password, struct text *ret_phc) MUST_CHECK;

/* Always spends the time of one verification: with phc = TEXT_NULL, or one that password_hash
 * cannot have written, a computation of the current parameters, answering false. ret_stale (may be
 * NULL): the parameters have risen since. */
bool password_verify(struct text password, struct text phc, bool *ret_stale);

/* Is it on the shipped list of common passwords (compared in lower case), or equal to the e-mail
 * or its local part? */
bool password_is_weak(struct text password, struct text email);

#endif
