/* The transaction of a request: opened with the caller's identity by the first statement. */
#ifndef LECTERN_API_TX_H
#define LECTERN_API_TX_H

#include <libpq-fe.h>

#include "api/req.h"
#include "pg/conn.h"

/* Queue a query in the request's transaction, preceded by identity (and session check) if it is
 * the first. Nothing is awaited. */
err tx_send(struct req *r, const struct pg_query *q) MUST_CHECK;
/* Queue a statement with already encoded values. */
err tx_send_stmt(struct req *r, const struct pg_stmt *stmt,
                 const struct pg_value *values) MUST_CHECK;
/* Queue a statement whose answer matters only if it fails; it is read with the next result. */
err tx_prelude(struct req *r, const struct pg_stmt *stmt, const void *params) MUST_CHECK;
/* The oldest queued result. A failure is remembered: the transaction will not be committed. */
err tx_read(struct req *r, PGresult **ret_result) MUST_CHECK;
/* Ask for the commit together with what is queued: one round trip. */
err tx_send_commit(struct req *r) MUST_CHECK;
err tx_commit(struct req *r) MUST_CHECK;
void tx_rollback(struct req *r);

#endif
