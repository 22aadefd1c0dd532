/* Statements run under the caller's identity; the generated wrappers call these. */
#ifndef LECTERN_API_RUN_H
#define LECTERN_API_RUN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "pg/stmt.h"

struct req;

/* `params` and rows are the structs that the generator made for the statement. */
err stmt_exec(struct req *r, const struct pg_stmt *stmt, const void *params) MUST_CHECK;
err stmt_one(struct req *r, const struct pg_stmt *stmt, const void *params,
             void *ret_row) MUST_CHECK;
err stmt_maybe(struct req *r, const struct pg_stmt *stmt, const void *params, void *ret_row,
               bool *ret_found) MUST_CHECK;
err stmt_many(struct req *r, const struct pg_stmt *stmt, const void *params, void **ret_rows,
              size_t *ret_count) MUST_CHECK;

#endif
