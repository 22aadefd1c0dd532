/* Values between C and PostgreSQL's binary format, and rows written as JSON. */
#ifndef LECTERN_PG_CODEC_H
#define LECTERN_PG_CODEC_H

#include <libpq-fe.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "pg/conn.h"
#include "pg/stmt.h"

/* OID of a type and of its array. */
Oid pg_type_oid(enum pg_type type);

struct pg_value pg_encode_text(struct text t); /* no copy; NULL text is SQL NULL */
struct pg_value pg_encode_int8(struct arena *a, int64_t v);
struct pg_value pg_encode_bool(bool v);
struct pg_value pg_encode_uuid(const struct uuid *u); /* no copy */
struct pg_value pg_encode_null(void);
/* `value` points to the C type that stmt.h names for `type`. */
struct pg_value pg_encode(struct arena *a, enum pg_type type, const void *value);

/* A parameter struct made by the generator → values in the arena. */
const struct pg_value *pg_encode_params(struct arena *a, const struct pg_stmt *stmt,
                                        const void *params);
/* The query of a statement with values that are encoded already. */
struct pg_query pg_query_of(struct arena *a, const struct pg_stmt *stmt,
                            const struct pg_value *values);

/* Rows of a result → the generated row structs: the first if there is one, or all. Texts point into
 * the result. */
err pg_decode_first(struct arena *a, const struct pg_stmt *stmt, const PGresult *result,
                    void *ret_row, bool *ret_found) MUST_CHECK;
err pg_decode_rows(struct arena *a, const struct pg_stmt *stmt, const PGresult *result,
                   void **ret_rows, size_t *ret_count) MUST_CHECK;

/* The first `count` rows as JSON objects by the statement's column types, commas between them;
 * "owner.name" nests. */
void pg_json_rows(struct buf *out, const struct pg_stmt *stmt, const PGresult *result, int count);

/* Index of a column by name, -1 when the statement has none. */
int pg_column(const struct pg_stmt *stmt, const char *name);
/* One value of a result. */
bool pg_is_null(const PGresult *result, int row, int column);
int64_t pg_get_int(const PGresult *result, int row, int column); /* int4 or int8 */
struct timestamp pg_get_time(const PGresult *result, int row, int column);
struct uuid pg_get_uuid(const PGresult *result, int row, int column);
struct text pg_get_text(const PGresult *result, int row, int column);
struct text pg_get_json(const PGresult *result, int row, int column); /* of a jsonb column */

#endif
