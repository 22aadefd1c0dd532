/* JSON written straight into a buffer (RFC 8259). The writer adds commas itself:
 * it looks at the last byte written. */
#ifndef LECTERN_BASE_JSON_H
#define LECTERN_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/text.h"
#include "base/timestamp.h"
#include "base/uuid.h"

void json_open(struct buf *b, char bracket);  /* '{' or '[' */
void json_close(struct buf *b, char bracket); /* '}' or ']' */
/* A member name, with the comma before it where one is due. `name` needs no escaping. */
void json_key(struct buf *b, const char *name);

/* Values. Inside an array the comma before the value is added where one is due. */
void json_text(struct buf *b, struct text t); /* TEXT_NULL gives null */
void json_z(struct buf *b, const char *z);
void json_int(struct buf *b, int64_t v);
void json_uint(struct buf *b, uint64_t v);
void json_bool(struct buf *b, bool v);
void json_null(struct buf *b);
void json_uuid(struct buf *b, const struct uuid *u);
void json_time(struct buf *b, struct timestamp t);
void json_raw(struct buf *b, struct text valid_json);

/* The string alone, quoted and escaped, without looking for a comma: for writers
 * that know their position (rows of a result). Bytes must be valid UTF-8; control
 * characters, quote and backslash are escaped, '<' too so that an answer is never markup. */
void json_escape(struct buf *b, const char *p, size_t n);

/* Member name and value in one call. */
void json_kv_text(struct buf *b, const char *name, struct text t);
void json_kv_z(struct buf *b, const char *name, const char *z);
void json_kv_int(struct buf *b, const char *name, int64_t v);
void json_kv_bool(struct buf *b, const char *name, bool v);

#endif
