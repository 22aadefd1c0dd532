/* Query strings and cookies, strictly. */
#ifndef LECTERN_WIRE_QUERY_H
#define LECTERN_WIRE_QUERY_H

#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

struct wire_pair {
    struct text name;
    struct text value;
};

struct wire_pairs {
    struct wire_pair *pair;
    size_t count;
};

/* application/x-www-form-urlencoded pairs in order, percent-decoded ('+' is a space), at most 64.
 * Broken escapes, NUL, other C0 controls and what is not UTF-8 after decoding: E_QUERY_SYNTAX.
 * Repeats are kept: the binder refuses them. */
err wire_query_parse(struct arena *a, struct text query, struct wire_pairs *ret_pairs) MUST_CHECK;

/* One cookie of a Cookie header (RFC 6265), TEXT_NULL when absent. A name that comes twice
 * counts as absent: which one was planted cannot be told. */
struct text wire_cookie(struct text header, struct text name);

#endif
