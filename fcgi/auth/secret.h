/* Opaque secrets of a session: refresh tokens and CSRF tokens. */
#ifndef LECTERN_AUTH_SECRET_H
#define LECTERN_AUTH_SECRET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/encode.h"
#include "base/text.h"
#include "base/uuid.h"

/* A refresh token is base64url(session id ‖ 256 random bits). Only `ret_digest`, its HMAC-SHA-256
 * under JWT_REFRESH_SECRET, is ever stored. */
struct text refresh_issue(struct arena *a, const struct uuid *session,
                          uint8_t ret_digest[SHA256_LEN]);
/* False when it does not have the form; then nothing is known of it. */
bool refresh_parse(struct text token, struct uuid *ret_session, uint8_t ret_digest[SHA256_LEN]);

/* base64url(16-byte nonce ‖ HMAC(nonce ‖ session)) under a key derived from SIGNING_SECRET. */
struct text csrf_issue(struct arena *a, const struct uuid *session);
bool csrf_valid(struct text token, const struct uuid *session);

/* Sign and open an opaque value: base64url(payload ‖ 16 bytes of its HMAC), at most 8 KiB. The
 * purpose (a list's name, a cookie's) is part of the MAC: a cursor of one list means nothing to
 * another. */
struct text cursor_sign(struct arena *a, struct text purpose, struct text payload);
bool cursor_open(struct arena *a, struct text purpose, struct text cursor,
                 struct text *ret_payload);

#endif
