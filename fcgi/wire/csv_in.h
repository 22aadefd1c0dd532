/* CSV read strictly (RFC 4180) through libcsv. */
#ifndef LECTERN_WIRE_CSV_IN_H
#define LECTERN_WIRE_CSV_IN_H

#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

struct csv_row {
    size_t line; /* 1 for the first row of the document, blank ones counted */
    const struct text *field;
    size_t count; /* 0 for a blank line */
};

struct csv_table {
    const struct csv_row *row;
    size_t count;
};

struct csv_limits {
    size_t rows;
    size_t columns;
};

/* The document must be UTF-8 (a byte order mark is skipped) without control characters in fields.
 * E_CSV_SYNTAX for a stray quote, an unterminated one, or text that is not UTF-8; E_CSV_LIMIT for
 * more rows or columns than allowed. */
err wire_csv_parse(struct arena *a, struct text document, struct csv_limits limits,
                   struct csv_table *ret_table) MUST_CHECK;

#endif
