/* A growing byte buffer with a maximum from birth. */
#ifndef LECTERN_BASE_BUF_H
#define LECTERN_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"

struct buf {
    char *p;
    size_t len;
    size_t cap;
    size_t max;
    bool overflow; /* something did not fit; later appends are ignored */
};

/* Takes `initial` bytes now; grows by doubling up to `max`. Memory refused ends the process. */
void buf_init(struct buf *b, size_t initial, size_t max);
void buf_free(struct buf *b);
void buf_reset(struct buf *b); /* empty again; gives back what is over 64 KiB */

/* Makes room for n bytes; false on overflow. The slow path of what follows. */
bool buf_grow(struct buf *b, size_t n);

/* Room for n bytes at the end, for a caller that writes itself and then adds to len.
 * NULL on overflow. */
static inline char *
buf_reserve(struct buf *b, size_t n)
{
    if (__builtin_expect(b->overflow || n > b->cap - b->len, 0) && !buf_grow(b, n))
        return NULL;
    return b->p + b->len;
}

static inline void
buf_add(struct buf *b, const void *p, size_t n)
{
    char *to = buf_reserve(b, n);

    if (to == NULL || n == 0)
        return;
    memcpy(to, p, n);
    b->len += n;
}

static inline void
buf_text(struct buf *b, struct text t)
{
    if (t.len > 0)
        buf_add(b, t.p, t.len);
}

static inline void
buf_z(struct buf *b, const char *z)
{
    buf_text(b, text_of(z));
}

static inline void
buf_char(struct buf *b, char c)
{
    char *to = buf_reserve(b, 1);

    if (to == NULL)
        return;
    *to = c;
    b->len++;
}

void buf_int(struct buf *b, int64_t v);
void buf_uint(struct buf *b, uint64_t v);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct text buf_as_text(const struct buf *b);

#endif
