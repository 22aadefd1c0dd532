/* A run of bytes with its length: what a request sends and what is not ours to free. */
#ifndef LECTERN_BASE_TEXT_H
#define LECTERN_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* p == NULL means absent (or SQL NULL); an empty text has a p. Not NUL-terminated
 * unless a function says so. */
struct text {
    const char *p;
    size_t len;
};

#define TEXT(literal) ((struct text){(literal), sizeof(literal) - 1})
#define TEXT_NULL ((struct text){NULL, 0})
/* For printf's "%.*s" in messages to people; never for SQL or JSON. */
#define TEXT_ARG(t) (int)(t).len, (t).p

/* NULL gives TEXT_NULL. Inline, so that the length of a literal is known at compile time. */
static inline struct text
text_of(const char *z)
{
    return (struct text){z, z == NULL ? 0 : strlen(z)};
}

/* Byte-wise; NULL equals only NULL. */
static inline bool
text_eq(struct text a, struct text b)
{
    if (a.p == NULL || b.p == NULL)
        return a.p == b.p;
    return a.len == b.len && memcmp(a.p, b.p, a.len) == 0;
}

bool text_eq_nocase(struct text a, struct text b); /* ASCII case folded */
bool text_eq_secret(struct text a, struct text b); /* constant time for equal lengths */
bool text_starts(struct text t, struct text prefix);
/* 1 to `max` bytes, each of them one of `allowed`. */
bool text_is_of(struct text t, const char *allowed, size_t max);
struct text text_trim(struct text t); /* without leading and trailing space and tab */
/* Cut at the first `sep`: returns the part before and leaves the rest in *t
 * (p == NULL when there was no separator and all was returned). */
struct text text_cut(struct text *t, char sep);

/* Valid UTF-8 by RFC 3629: no overlong form, no surrogate, nothing over U+10FFFF. */
bool text_utf8_valid(struct text t);
/* Code points of a valid UTF-8 text. */
size_t text_utf8_length(struct text t);
/* Valid UTF-8 in Unicode normalisation form C (UAX 15). ASCII is answered without the library. */
bool text_is_nfc(struct text t);

/* Whole decimal int64 with optional '-', nothing else; false when it is not one or out of range. */
bool text_to_int(struct text t, int64_t *ret_value);

#endif
