#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/oom.h"

#define KEEP ((size_t)64 * 1024)

/* One byte more than cap, for the NUL that vsnprintf writes. */
static void
set_capacity(struct buf *b, size_t cap)
{
    char *p = realloc(b->p, cap + 1);

    if (p == NULL)
        out_of_memory("buffer", cap);
    b->p = p;
    b->cap = cap;
}

void
buf_init(struct buf *b, size_t initial, size_t max)
{
    *b = (struct buf){.max = max};
    set_capacity(b, initial < max ? initial : max);
}

void
buf_free(struct buf *b)
{
    free(b->p);
    *b = (struct buf){0};
}

void
buf_reset(struct buf *b)
{
    b->len = 0;
    b->overflow = false;
    if (b->cap > KEEP)
        set_capacity(b, KEEP);
}

bool
buf_grow(struct buf *b, size_t n)
{
    size_t wanted;
    size_t cap = b->cap;

    if (b->overflow || n > b->max - b->len) {
        b->overflow = true;
        return false;
    }
    wanted = b->len + n;
    if (cap < 64)
        cap = 64;
    while (cap < wanted)
        cap = cap > b->max / 2 ? b->max : cap * 2;
    set_capacity(b, cap < b->max ? cap : b->max);
    return true;
}

void
buf_uint(struct buf *b, uint64_t v)
{
    char digits[20];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    buf_add(b, digits + at, sizeof digits - at);
}

void
buf_int(struct buf *b, int64_t v)
{
    char digits[20];
    size_t at = sizeof digits;
    /* Negation as unsigned: the smallest number has no positive counterpart. */
    uint64_t rest = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (v < 0)
        digits[--at] = '-';
    buf_add(b, digits + at, sizeof digits - at);
}

void
buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    int length;
    char *to;

    va_start(args, format);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0)
        system_failed("vsnprintf");
    to = buf_reserve(b, (size_t)length);
    if (to == NULL)
        return;
    va_start(args, format);
    vsnprintf(to, (size_t)length + 1, format, args);
    va_end(args);
    b->len += (size_t)length;
}

struct text
buf_as_text(const struct buf *b)
{
    return (struct text){b->p == NULL ? "" : b->p, b->len};
}
