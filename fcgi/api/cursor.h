/* Positions in lists: opaque to clients, signed, bound to the list and its order. */
#ifndef LECTERN_API_CURSOR_H
#define LECTERN_API_CURSOR_H

#include <libpq-fe.h>

#include "api/req.h"

/* Take over a client's cursor into r->list; false when it is not ours or of another order. */
bool cursor_read(struct req *r, struct text cursor);
/* The position after a row of the list's result; TEXT_NULL when the order has no cursor. */
struct text cursor_write(struct req *r, const PGresult *result, int row);

#endif
