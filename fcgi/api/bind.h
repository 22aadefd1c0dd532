/* The binder: path, query and body into the row's struct, every violation at once. */
#ifndef LECTERN_API_BIND_H
#define LECTERN_API_BIND_H

#include "api/req.h"

/* Pages of a list. */
#define LIST_LIMIT_DEFAULT 20
#define LIST_LIMIT_MAX 100
#define LIST_CSV_LIMIT 500 /* of a list as CSV: at most, and unless asked otherwise */
#define LIST_OFFSET_MAX 1000000

/* The gate. 400 for what cannot be read, 422 with all violations for what can. */
err gate_bind(struct req *r) MUST_CHECK;

/* Whether the row has a use for a body. */
bool bind_takes_body(const struct endpoint *row);

/* Values for a row's statement, from where route.h says each parameter comes. */
struct route;
struct source;
const struct pg_value *bind_values(struct req *r, const struct pg_stmt *stmt,
                                   const struct source *sources);

/* Part of gate_bind, in bind_list.c: limit, offset, cursor, count, sort and filters of a list. A
 * parameter that is none of the list's is left alone: false. */
struct wire_pairs;
err bind_list(struct req *r, const struct wire_pairs *query) MUST_CHECK;
/* Rows of a page at most. */
int64_t bind_list_max(const struct endpoint *row);
bool bind_list_knows(const struct pg_stmt *list, struct text name);

/* One value of a query or path text into the struct member of a field. */
void bind_text_value(struct req *r, size_t field, struct text value, const char *pointer);

#endif
