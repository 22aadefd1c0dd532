/* Everything that is produced from the rows. After routes_build. */
#ifndef LECTERN_API_EMIT_H
#define LECTERN_API_EMIT_H

#include <stdio.h>

#include "base/buf.h"

void emit_openapi(struct buf *out);       /* the OpenAPI 3.1 document */
void emit_reference(struct buf *out);     /* docs/api/reference.md */
void emit_grants(struct buf *out);        /* docs/api/grants.md: who may call what */
void emit_errors(struct buf *out);        /* docs/api/errors.md */
void emit_metric_labels(struct buf *out); /* docs/api/metric-labels.md: the closed sets */
void emit_nginx_pools(struct buf *out);   /* nginx/generated/pools.conf */
void emit_nginx_limits(struct buf *out);  /* nginx/generated/limits.conf */

/* Rows judged by what every row must have: columns set, doc present, identifiers unique, paths
 * bound, statement parameters equal to fields, errors known. One line a fault (`faults` may be
 * NULL); returns their number. */
size_t emit_check(FILE *faults);

#endif
