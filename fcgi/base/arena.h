/* Memory of one request: taken piece by piece, given back at once. */
#ifndef LECTERN_BASE_ARENA_H
#define LECTERN_BASE_ARENA_H

#include <stddef.h>

#include "base/text.h"

struct arena;

/* `max` bounds all that one request may take, in bytes. Running past it, or the
 * system refusing memory, ends the process with a log line: the master replaces a
 * worker, and no caller has to handle a half-made object. */
struct arena *arena_new(size_t max);
void arena_free(struct arena *a);

/* Zeroed, aligned for any type; never NULL. */
void *arena_alloc(struct arena *a, size_t size);
/* `count` elements of `size` bytes; the product is checked. */
void *arena_array(struct arena *a, size_t count, size_t size);
/* A NUL-terminated copy; the terminator is not counted in len. */
struct text arena_text(struct arena *a, struct text t);
/* printf into the arena, for texts that are neither SQL nor JSON. */
struct text arena_printf(struct arena *a, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Release a foreign object (PGresult, json_object) at reset, last in first out. */
void arena_defer(struct arena *a, void (*release)(void *), void *object);

/* Run the deferred releases and take everything back; the first chunk is kept. */
void arena_reset(struct arena *a);
size_t arena_used(const struct arena *a);

#endif
