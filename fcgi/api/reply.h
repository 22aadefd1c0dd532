/* Answers: bodies by shape or by statement, headers by the row. */
#ifndef LECTERN_API_REPLY_H
#define LECTERN_API_REPLY_H

#include <libpq-fe.h>

#include "api/req.h"

/* {"data": {…}} of the first row; notes version and updated_at for the validators. */
void reply_row(struct req *r, const struct pg_stmt *stmt, const PGresult *result);
/* {"data": […], "page": {…}} of a list's result, x-total-count and Link. */
void reply_list(struct req *r, const PGresult *result);
/* An application/problem+json answer for r->error; drops whatever was written before. */
void reply_problem(struct req *r);
/* Write a struct by its shape as a JSON object. */
void reply_object(struct buf *out, const struct shape *shape, const void *value);

/* ETag and Last-Modified of the version that was noted, if one was. */
void reply_validators(struct req *r);

/* The gate: status, validators, conditional answers, every header; sends. */
void gate_reply(struct req *r);

#endif
