/* Secrets at rest: AES-256-GCM under the active data key, bound to where the value stands. */
#ifndef LECTERN_AUTH_ENVELOPE_H
#define LECTERN_AUTH_ENVELOPE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "base/uuid.h"

/* The associated data of a value: a sealed text that is moved to another table, column, row or
 * organisation does not open. */
struct envelope_place {
    const char *table, *column;
    struct uuid row, org;
};

/* "v1.<key id>.<base64url of nonce, ciphertext and tag>" under DATA_ENCRYPTION_ACTIVE_KEY_ID. */
err envelope_seal(struct arena *a, const struct envelope_place *place, struct text plain,
                  struct text *ret_sealed);
/* E_DATA_KEY_UNKNOWN: no key of that id, which is logged; E_DATA_SEALED_BROKEN: changed, or sealed
 * for another place. Never an empty text in place of an error. */
err envelope_open(struct arena *a, const struct envelope_place *place, struct text sealed,
                  struct text *ret_plain);

#endif
