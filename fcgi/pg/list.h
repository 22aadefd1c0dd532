/* List statements: filters, keyset and order put in as the caller asked, out of what the statement
 * declares. No byte of a request becomes SQL: every part is a constant of the .sql file or a
 * parameter. */
#ifndef LECTERN_PG_LIST_H
#define LECTERN_PG_LIST_H

#include "base/arena.h"
#include "base/err.h"
#include "pg/conn.h"
#include "pg/stmt.h"

#define PG_LIST_FILTERS 12
#define PG_LIST_SORTS 4

struct pg_list_filter {
    unsigned index; /* in stmt->filters */
    enum pg_filter_op op;
    struct pg_value value; /* for FILTER_IN an array */
};

struct pg_list_sort {
    unsigned index; /* in stmt->sorts */
    bool descending;
};

struct pg_list {
    struct pg_list_filter filter[PG_LIST_FILTERS];
    size_t nfilters;
    struct pg_list_sort sort[PG_LIST_SORTS];
    size_t nsorts;             /* 0: the statement's default */
    bool after;                /* start after the position below (one sort only) */
    struct pg_value after_key; /* value of the sort expression */
    struct pg_value after_id;
    int64_t limit; /* rows to fetch */
    int64_t offset;
};

/* The statement's own values first, then the list's. */
void pg_list_query(struct arena *a, const struct pg_stmt *stmt, const struct pg_list *list,
                   const struct pg_value *own, struct pg_query *ret_query);
/* The same rows counted: one column "total". */
void pg_list_count(struct arena *a, const struct pg_stmt *stmt, const struct pg_list *list,
                   const struct pg_value *own, struct pg_query *ret_query);

#endif
