/* JSON read strictly: one scan before json-c sees a byte, typed getters after. */
#ifndef LECTERN_WIRE_JSON_IN_H
#define LECTERN_WIRE_JSON_IN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

/* Bounds of one document. */
struct json_limits {
    unsigned depth;    /* nesting of arrays and objects */
    size_t members;    /* of all objects together */
    size_t elements;   /* of all arrays together */
    size_t string_max; /* bytes of one string, as sent */
};

extern const struct json_limits json_limits_default; /* 32, 10,000, 10,000, 1 MiB */

/* RFC 8259 and I-JSON (RFC 7493): UTF-8 without overlong forms, surrogates, no BOM; no duplicate
 * names in one object (compared after unescaping); no lone surrogate escapes, no NUL (also not as
 * \u0000); numbers within int64 or a finite double; no trailing bytes. Answers E_JSON_SYNTAX,
 * E_JSON_DEPTH or E_JSON_LIMIT. ret_offset (may be NULL) tells where. Never allocates from input
 * size more than the duplicate check needs, all in the arena. */
err json_scan(struct arena *a, struct text document, const struct json_limits *limits,
              size_t *ret_offset) MUST_CHECK;

/* A value of a parsed document; the document lives in the arena. */
struct json_value {
    void *node; /* of json-c; NULL is JSON null */
};

enum json_type {
    JSON_NULL,
    JSON_BOOL,
    JSON_INT,
    JSON_DOUBLE,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

/* Scan, then parse. */
err json_parse(struct arena *a, struct text document, struct json_value *ret_root) MUST_CHECK;

enum json_type json_type_of(struct json_value v);
bool json_get_bool(struct json_value v, bool *ret);
bool json_get_int(struct json_value v, int64_t *ret);   /* an integer in the text, no conversion */
bool json_get_double(struct json_value v, double *ret); /* an integer or a double */
bool json_get_text(struct json_value v, struct text *ret); /* points into the document */
size_t json_count(struct json_value v);                    /* elements or members */
bool json_element(struct json_value array, size_t i, struct json_value *ret);
/* Walk the members in order: *cursor starts as NULL; false at the end. */
bool json_next_member(struct json_value object, void **cursor, struct text *ret_name,
                      struct json_value *ret_value);
/* The value written again as compact JSON text in the arena, for jsonb parameters. */
struct text json_serialise(struct arena *a, struct json_value v);

#endif
