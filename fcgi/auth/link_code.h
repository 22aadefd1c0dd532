/* The code by which a student ties a parent to themselves: short enough to be read out. */
#ifndef LECTERN_AUTH_LINK_CODE_H
#define LECTERN_AUTH_LINK_CODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/encode.h"
#include "base/text.h"

/* Twelve of 32 letters and digits (60 random bits) in three groups: "7K2M-QX9D-4TVB". Only
 * `ret_digest`, the HMAC-SHA-256 under a key derived from SIGNING_SECRET, is ever stored. */
struct text link_code_issue(struct arena *a, uint8_t ret_digest[SHA256_LEN]);
/* As people write it down: in any case, with or without hyphens, O for 0, I and L for 1. False when
 * it does not have the form. */
bool link_code_parse(struct text given, uint8_t ret_digest[SHA256_LEN]);

#endif
