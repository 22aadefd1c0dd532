/* The secret of a link that was mailed: 256 random bits for one purpose. */
#ifndef LECTERN_AUTH_LINK_H
#define LECTERN_AUTH_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/encode.h"
#include "base/text.h"

/* base64url, 43 characters. Only `ret_digest`, an HMAC-SHA-256 over the purpose and the bits under
 * a key derived from SIGNING_SECRET, is ever stored. */
struct text link_issue(struct arena *a, struct text purpose, uint8_t ret_digest[SHA256_LEN]);
/* False when it does not have the form; then nothing is known of it. */
bool link_read(struct text token, struct text purpose, uint8_t ret_digest[SHA256_LEN]);

#endif
