/* Identifiers: UUID version 7 (RFC 9562), made in the worker. */
#ifndef LECTERN_BASE_UUID_H
#define LECTERN_BASE_UUID_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

struct uuid {
    uint8_t b[16];
};

#define UUID_TEXT_LEN 36

/* Time-ordered within a process also inside one millisecond (RFC 9562, 6.2 method 1). */
struct uuid uuid_v7(void);
/* Canonical 8-4-4-4-12 form in either case, nothing else. */
bool uuid_parse(struct text t, struct uuid *ret_uuid);
/* Lower case, NUL-terminated. */
void uuid_format(const struct uuid *u, char ret_text[UUID_TEXT_LEN + 1]);
bool uuid_eq(const struct uuid *a, const struct uuid *b);
bool uuid_is_nil(const struct uuid *u);

#endif
