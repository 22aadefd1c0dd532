/* What the build knows of a named statement. The tables are made from the .sql files by
 * pg/statements.awk; a test prepares every one of them and compares types. */
#ifndef LECTERN_PG_STMT_H
#define LECTERN_PG_STMT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "base/timestamp.h"
#include "base/uuid.h"

enum pg_type {
    PG_BOOL = 1, /* bool */
    PG_INT4,     /* int64_t */
    PG_INT8,     /* int64_t */
    PG_TEXT,     /* struct text */
    PG_UUID,     /* struct uuid */
    PG_TIME,     /* timestamptz: struct timestamp */
    PG_JSON,     /* jsonb: struct text holding JSON */
    PG_BYTES,    /* bytea: struct text */
    PG_TEXTS,    /* text[]: struct texts */
    PG_UUIDS,    /* uuid[]: struct uuids */
};

struct texts {
    const struct text *item;
    size_t count;
};

struct uuids {
    const struct uuid *item;
    size_t count;
};

struct pg_column {
    const char *name; /* "id", or "owner.name" for a member of a nested object */
    enum pg_type type;
    bool nullable;
    size_t offset; /* of the value in the generated row struct */
    size_t
        null_offset; /* of its bool has_<name>; only for nullable columns that are not text-like */
};

struct pg_param {
    const char *name;
    enum pg_type type;
    bool nullable;
    size_t offset;      /* in the generated parameter struct */
    size_t null_offset; /* as above */
};

/* Comparisons that a list's filter admits, as bits. */
enum pg_filter_op {
    FILTER_EQ = 1,
    FILTER_NE = 2,
    FILTER_GTE = 4,
    FILTER_LTE = 8,
    FILTER_IN = 16,
    FILTER_SEARCH = 32, /* expression with :value in it; `q=` and its kind */
};

struct pg_filter {
    const char *name;       /* of the query parameter */
    enum pg_type type;      /* of its value */
    const char *expression; /* SQL: "c.status", or for FILTER_SEARCH a condition with $V */
    unsigned ops;
};

struct pg_sort {
    const char *name;       /* in sort= */
    const char *expression; /* SQL, not null */
    enum pg_type type;
    const char *column; /* the result column that holds its value, for the cursor */
};

enum pg_kind {
    STMT_READ = 1, /* returns rows, changes nothing: runs read-only */
    STMT_LIST,     /* a read with {filter} and {order} in its text */
    STMT_WRITE,
};

struct pg_stmt {
    const char *name;
    const char *text; /* with $1… ; a list's has the two marks left in */
    enum pg_kind kind;
    const struct pg_param *params;
    size_t nparams;
    const struct pg_column *columns;
    size_t ncolumns;
    size_t row_size; /* of the generated row struct */
    const struct pg_filter *filters;
    size_t nfilters;
    const struct pg_sort *sorts; /* the first is the default; all for lists only */
    size_t nsorts;
    bool sort_descending; /* direction of the default */
    const char *key; /* SQL expression of the unique tie-breaker (a uuid), result column "id" */
    unsigned index;  /* position in the registry */
};

#endif
