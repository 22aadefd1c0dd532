/* Rows as CSV: RFC 4180, for spreadsheets too. */
#ifndef LECTERN_PG_CSV_OUT_H
#define LECTERN_PG_CSV_OUT_H

#include <libpq-fe.h>

#include "base/buf.h"
#include "pg/stmt.h"

/* A text in quotes. One that a spreadsheet would take for a formula gets an apostrophe in front. */
void csv_text(struct buf *out, struct text t);
/* The names of the columns as a line. */
void csv_head(struct buf *out, const struct pg_stmt *stmt);
/* The first `count` rows as lines, fewer when `out` has reached `enough` bytes; answers how many.
 * NULL is an empty field. Columns hold no arrays. */
int csv_rows(struct buf *out, const struct pg_stmt *stmt, const PGresult *result, int count,
             size_t enough);

#endif
