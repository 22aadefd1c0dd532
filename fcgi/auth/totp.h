/* One-time passwords: HOTP (RFC 4226) over time steps (RFC 6238): SHA-1, six digits, 30 seconds.
 * That is what authenticator apps know. */
#ifndef LECTERN_AUTH_TOTP_H
#define LECTERN_AUTH_TOTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/text.h"

#define TOTP_SECRET_BYTES 20
#define TOTP_DIGITS 6
#define TOTP_STEP_SECONDS 30

/* The code of one counter or time step, with its leading zeros and a NUL. */
void totp_code(struct text secret, int64_t step, char ret_code[TOTP_DIGITS + 1]);

/* Is it the code of the step at `now` (Unix seconds), the one before or the one after? All three
 * are computed and compared in constant time. The step is told so that no code is taken twice. */
bool totp_match(struct text secret, struct text code, int64_t now, int64_t *ret_step);

/* RFC 4648, capitals, without padding. */
struct text base32_encode(struct arena *a, struct text bytes);

/* otpauth://totp/Issuer:account?secret=…&issuer=…, escaped as in a URI. */
struct text totp_uri(struct arena *a, struct text issuer, struct text account, struct text secret);

#endif
