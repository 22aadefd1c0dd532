/* One connection to PostgreSQL. It stays in pipeline mode for its whole life: a transaction is what
 * lies between two synchronisation points, so identity and statements travel together. */
#ifndef LECTERN_PG_CONN_H
#define LECTERN_PG_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "base/arena.h"
#include "base/err.h"
#include "pg/stmt.h"

struct pg;

/* What the server said of a failure, as far as it may be told. */
struct pg_failure {
    const char *statement;
    const char *sqlstate;
    const char *constraint;
    const char *function; /* of the server's source */
};

/* What a connection tells its owner, for metrics and logs. Any member may be NULL. */
struct pg_observer {
    void *ctx;
    /* A statement answered (or failed with e) after `us` microseconds. */
    void (*statement)(void *ctx, const struct pg_stmt *stmt, int64_t us, err e);
    void (*connected)(void *ctx, bool up, unsigned reconnects);
    /* A failure that the catalogue does not name; never the server's text, which may hold values.
     * Without this member it is logged as it is. */
    void (*unnamed)(void *ctx, const struct pg_failure *failure);
};

/* Parameters as PQconnectdbParams takes them (a dbname may be a URL); copied. Does not connect yet.
 */
struct pg *pg_new(const char *const *keywords, const char *const *values, size_t count,
                  const struct pg_observer *observer);
void pg_free(struct pg *p);
/* How long one result may take before the connection counts as lost (60 s); longer than the server
 * lets a statement run. */
void pg_set_patience(struct pg *p, int64_t ms);

/* Connect if not connected. After a failure further tries are refused with E_UNAVAILABLE until a
 * jittered, doubling pause (50 ms to 1 s) has passed. */
err pg_ensure(struct pg *p) MUST_CHECK;
/* For idle moments, outside of a transaction: lets go of a connection that the server has closed,
 * and connects again when its time has come. */
void pg_tend(struct pg *p);
bool pg_is_up(const struct pg *p);
/* Did the last error come from losing the connection (and not from the server's answer)? */
bool pg_was_lost(const struct pg *p);

/* One parameter as it goes over the wire; p == NULL is SQL NULL. */
struct pg_value {
    const char *p;
    int len;
    int format; /* 1 binary, 0 text */
};

/* Something to execute: a statement as it stands, or a list's variant made by pg/list.h. */
struct pg_query {
    const struct pg_stmt *stmt;
    const char *name; /* unique to the text; the prepared statement is kept under it */
    const char *text;
    const enum pg_type *types;
    const struct pg_value *values;
    size_t nvalues;
    bool once; /* do not keep it prepared */
};

/* Queue a query in the open transaction; opens one if none is. Nothing is awaited. */
err pg_send(struct pg *p, const struct pg_query *q) MUST_CHECK;
/* Queue the commit too, so that everything travels in one round trip. */
err pg_send_commit(struct pg *p) MUST_CHECK;
/* The result of the oldest query not yet read. On success *ret_result (released by the arena) has
 * status TUPLES_OK or COMMAND_OK. On failure the error of the catalogue; the transaction is then
 * lost and must be ended. */
err pg_read(struct pg *p, struct arena *a, PGresult **ret_result) MUST_CHECK;
/* Read to the end of the transaction, sending the commit first if it was not. E_OK: it is
 * committed. */
err pg_commit(struct pg *p) MUST_CHECK;
/* End the transaction without effect. Never fails: a connection in doubt is dropped. */
void pg_rollback(struct pg *p);
/* Is a transaction open? */
bool pg_in_transaction(const struct pg *p);
/* Name of the constraint that the last failed statement violated, or "". Stays until the next
 * failure. */
const char *pg_last_constraint(const struct pg *p);

#endif
