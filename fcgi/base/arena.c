#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/oom.h"

#define FIRST_CHUNK ((size_t)64 * 1024)
#define NEXT_CHUNK ((size_t)256 * 1024)
#define ALIGNMENT alignof(max_align_t)

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define HIDE(p, n) ASAN_POISON_MEMORY_REGION((p), (n))
#define SHOW(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
#else
#define HIDE(p, n) ((void)(p), (void)(n))
#define SHOW(p, n) ((void)(p), (void)(n))
#endif

struct chunk {
    struct chunk *next;
    size_t size; /* of data */
    size_t used;
    alignas(max_align_t) unsigned char data[];
};

struct deferred {
    struct deferred *next;
    void (*release)(void *);
    void *object;
};

struct arena {
    struct chunk *first;   /* kept over resets */
    struct chunk *current; /* where small things go: the first or the newest of the others */
    struct chunk *others;
    struct deferred *deferred;
    size_t used;
    size_t max;
};

static struct chunk *
chunk_new(size_t size, struct chunk *next)
{
    struct chunk *c = malloc(sizeof *c + size);

    if (c == NULL)
        out_of_memory("arena", size);
    c->next = next;
    c->size = size;
    c->used = 0;
    HIDE(c->data, size);
    return c;
}

static void
chunk_free(struct chunk *c)
{
    SHOW(c->data, c->size);
    free(c);
}

struct arena *
arena_new(size_t max)
{
    struct arena *a = calloc(1, sizeof *a);

    if (a == NULL)
        out_of_memory("arena", sizeof *a);
    a->max = max;
    a->first = chunk_new(FIRST_CHUNK, NULL);
    a->current = a->first;
    return a;
}

void
arena_free(struct arena *a)
{
    if (a == NULL)
        return;
    arena_reset(a);
    chunk_free(a->first);
    free(a);
}

/* The chunk to take `size` bytes from, with room for them. */
static struct chunk *
chunk_with_room(struct arena *a, size_t size)
{
    bool large = size > NEXT_CHUNK / 4;

    if (size <= a->current->size - a->current->used)
        return a->current;
    a->others = chunk_new(large ? size : NEXT_CHUNK, a->others);
    /* Something large gets a chunk of its own size: the room left in the current one stays in use.
     */
    if (!large)
        a->current = a->others;
    return a->others;
}

void *
arena_alloc(struct arena *a, size_t size)
{
    struct chunk *c;
    size_t rounded;
    void *p;

    if (size > a->max || a->used > a->max - size)
        out_of_memory("arena", size);
    rounded = size == 0 ? ALIGNMENT : (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
    c = chunk_with_room(a, rounded);
    p = c->data + c->used;
    c->used += rounded;
    a->used += rounded;
    SHOW(p, size);
    return memset(p, 0, size);
}

void *
arena_array(struct arena *a, size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes))
        out_of_memory("arena", SIZE_MAX);
    return arena_alloc(a, bytes);
}

struct text
arena_text(struct arena *a, struct text t)
{
    char *copy;

    if (t.p == NULL)
        return TEXT_NULL;
    copy = arena_array(a, t.len + 1, 1);
    if (t.len > 0)
        memcpy(copy, t.p, t.len);
    return (struct text){copy, t.len};
}

struct text
arena_printf(struct arena *a, const char *format, ...)
{
    va_list args;
    int length;
    char *p;

    va_start(args, format);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0)
        system_failed("vsnprintf");
    p = arena_alloc(a, (size_t)length + 1);
    va_start(args, format);
    vsnprintf(p, (size_t)length + 1, format, args);
    va_end(args);
    return (struct text){p, (size_t)length};
}

void
arena_defer(struct arena *a, void (*release)(void *), void *object)
{
    struct deferred *d = arena_alloc(a, sizeof *d);

    d->release = release;
    d->object = object;
    d->next = a->deferred;
    a->deferred = d;
}

void
arena_reset(struct arena *a)
{
    while (a->deferred != NULL) {
        struct deferred *d = a->deferred;
        a->deferred = d->next;
        d->release(d->object);
    }
    while (a->others != NULL) {
        struct chunk *c = a->others;
        a->others = c->next;
        chunk_free(c);
    }
    HIDE(a->first->data, a->first->size);
    a->first->used = 0;
    a->current = a->first;
    a->used = 0;
}

size_t
arena_used(const struct arena *a)
{
    return a->used;
}
