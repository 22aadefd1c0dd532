/* Secrets at rest: AES-256-GCM under the active data key, bound to where the value stands.
 * Nonces are random: one key may seal 2^32 values (NIST SP 800-38D, 8.3), re-encryption included;
 * change it long before. */
#ifndef LECTERN_AUTH_ENVELOPE_H
#define LECTERN_AUTH_ENVELOPE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "base/uuid.h"

#define ENVELOPE_PLAIN_MAX ((size_t)1 << 20)

/* The associated data of a value: a sealed text that is moved to another table, column, row or
 * organisation does not open. */
struct envelope_place {
    const char *table, *column;
    struct uuid row, org;
};

/* "v1.<key id>.<base64url of nonce, ciphertext and tag>" under DATA_ENCRYPTION_ACTIVE_KEY_ID.
 * E_DATA_KEY_UNKNOWN: there is no such setting; E_INTERNAL: over ENVELOPE_PLAIN_MAX. */
err envelope_seal(struct arena *a, const struct envelope_place *place, struct text plain,
                  struct text *ret_sealed) MUST_CHECK;
/* E_DATA_KEY_UNKNOWN: no key of that id, which is logged; E_DATA_SEALED_BROKEN: changed, or sealed
 * for another place. Never an empty text in place of an error: then *ret_plain is TEXT_NULL. */
err envelope_open(struct arena *a, const struct envelope_place *place, struct text sealed,
                  struct text *ret_plain) MUST_CHECK;
/* The key id that a sealed text names, whether or not the settings have it. False when the text has
 * not the form. */
bool envelope_key_id(struct text sealed, struct text *ret_id);
/* Do the settings have that key? */
bool envelope_key_known(struct text id);

#endif
