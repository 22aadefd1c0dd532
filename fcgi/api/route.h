/* From a method and a path to a row. */
#ifndef LECTERN_API_ROUTE_H
#define LECTERN_API_ROUTE_H

#include <stdio.h>

#include "api/endpoint.h"
#include "api/req.h"

#define SQL_PARAMS_MAX 40

/* Where a parameter of a row's statement comes from. */
enum source_kind {
    SOURCE_FIELD,    /* row->in field `index` */
    SOURCE_SENT,     /* whether that field was sent */
    SOURCE_PATH,     /* path parameter `index` */
    SOURCE_NEW_ID,   /* "new_id": the identifier made for this request */
    SOURCE_SESSION,  /* "own_session": the caller's session */
    SOURCE_IF_MATCH, /* "if_match": version of If-Match, or NULL */
};

struct source {
    enum source_kind kind;
    unsigned index;
};

/* A row made ready at boot. */
struct route {
    const struct endpoint *row;
    const struct domain *domain;
    unsigned number;                         /* dense, for metrics */
    char full[160];                          /* "/api/v1/courses/{course_id}" */
    const char *param_name[PATH_PARAMS_MAX]; /* into `names` */
    char names[PATH_PARAMS_MAX][32];
    int param_field[PATH_PARAMS_MAX]; /* field of row->in, or -1 */
    size_t nparams;
    bool conditional; /* its statement takes if_match */
    struct source sql_source[SQL_PARAMS_MAX];
    struct source probe_source[SQL_PARAMS_MAX];
};

/* Build the tables from app_domains; every fault of a row is written to `faults`. Returns the
 * number of faults. Call once, before anything else here. */
size_t routes_build(FILE *faults);
size_t routes_count(void);
const struct route *route_at(size_t number);
const struct route *route_by_id(const char *id);
const struct route *route_of(const struct endpoint *row);

/* Where each parameter of a statement comes from in this row; false when one comes from nowhere
 * (told to `faults`, which may be NULL). ret_sources has SQL_PARAMS_MAX places. */
bool route_sources(const struct route *t, const struct pg_stmt *stmt, struct source *ret_sources,
                   FILE *faults);

/* Find the row for a method and a canonical path; path parameters go to ret_params (as sent).
 * HEAD finds GET. Without a row for the method *ret_allowed has the bits (1 << method) of those
 * that exist for the path: 0 means the path is unknown. */
const struct route *route_find(enum wire_method method, struct text path,
                               struct text ret_params[PATH_PARAMS_MAX], unsigned *ret_allowed);

#endif
