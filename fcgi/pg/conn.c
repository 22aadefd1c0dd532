#include "pg/conn.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/log.h"
#include "base/timestamp.h"
#include "pg/codec.h"

/* Results that a pipeline still owes, oldest first. */
enum owed { OWED_PREPARE, OWED_EXECUTE, OWED_SYNC };

struct owed_result {
    enum owed kind;
    const struct pg_stmt *stmt;
    uint64_t name_hash;
};

#define PIPELINE_MAX 64
#define PREPARED_SLOTS 1024 /* power of two, never more than half full */
#define PREPARED_NAME 64    /* the server tells names apart by their first 63 bytes */
#define PARAMS_MAX 64
#define OPTIONS_MAX 24
#define PAUSE_FIRST_MS 50
#define PAUSE_MAX_MS 1000
#define PATIENCE_MS 60000

struct pg {
    char *keyword[OPTIONS_MAX + 1];
    char *value[OPTIONS_MAX + 1];
    PGconn *conn;
    struct pg_observer observer;
    struct owed_result owed[PIPELINE_MAX];
    size_t owed_first, owed_count;
    bool open; /* something was sent since the last synchronisation */
    bool sync_sent;
    bool lost;
    err failure;     /* what ended the open transaction before its commit, or E_OK */
    bool up;         /* the observer knows of the connection */
    bool flushed;    /* the server was asked to send what it has */
    int64_t sent_us; /* when the oldest unread statement began to run */
    uint64_t prepared[PREPARED_SLOTS];
    size_t prepared_count;
    unsigned connects;
    int64_t retry_at_ms;
    int64_t pause_ms;
    int64_t patience_ms;
    char constraint[64];
};

static const uint8_t name_key[16] = "lectern-prepared";

static char *
pg_copy(const char *z)
{
    char *copy = strdup(z);
    if (copy == NULL)
        abort();
    return copy;
}

struct pg *
pg_new(const char *const *keywords, const char *const *values, size_t count,
       const struct pg_observer *observer)
{
    struct pg *p = calloc(1, sizeof *p);

    if (p == NULL || count > OPTIONS_MAX)
        abort();
    for (size_t i = 0; i < count; i++) {
        p->keyword[i] = pg_copy(keywords[i]);
        p->value[i] = pg_copy(values[i]);
    }
    if (observer != NULL)
        p->observer = *observer;
    p->patience_ms = PATIENCE_MS;
    return p;
}

static void
pg_drop(struct pg *p)
{
    if (p->conn != NULL) {
        PQfinish(p->conn);
        p->conn = NULL;
    }
    if (p->up && p->observer.connected != NULL)
        p->observer.connected(p->observer.ctx, false, p->connects - 1);
    p->up = false;
    memset(p->prepared, 0, sizeof p->prepared);
    p->prepared_count = 0;
    p->owed_first = p->owed_count = 0;
    p->open = p->sync_sent = p->flushed = false;
    p->failure = E_OK;
}

void
pg_free(struct pg *p)
{
    if (p == NULL)
        return;
    pg_drop(p);
    for (size_t i = 0; p->keyword[i] != NULL; i++) {
        free(p->keyword[i]);
        free(p->value[i]);
    }
    free(p);
}

/* The server's message may name hosts and users: only the SQLSTATE class is ours to log. */
static err
pg_connect_failed(struct pg *p)
{
    int64_t longer = p->pause_ms == 0 ? PAUSE_FIRST_MS : p->pause_ms * 2;

    p->pause_ms = longer < PAUSE_MAX_MS ? longer : PAUSE_MAX_MS;
    p->retry_at_ms = clock_ms() + p->pause_ms / 2 + (int64_t)(random_u64() % (uint64_t)p->pause_ms);
    log_event(LOG_L_WARN, "database connection failed", LOG_INT("retry_in_ms", p->pause_ms));
    pg_drop(p);
    return E_UNAVAILABLE;
}

static void
pg_ignore_notice(void *ctx, const PGresult *result)
{
    (void)ctx;
    (void)result;
}

void
pg_set_patience(struct pg *p, int64_t ms)
{
    p->patience_ms = ms;
}

err
pg_ensure(struct pg *p)
{
    if (p->conn != NULL && PQstatus(p->conn) == CONNECTION_OK)
        return E_OK;
    if (p->conn != NULL)
        pg_drop(p);
    if (clock_ms() < p->retry_at_ms)
        return E_UNAVAILABLE;
    p->conn = PQconnectdbParams((const char *const *)p->keyword, (const char *const *)p->value, 1);
    if (p->conn == NULL)
        abort();
    p->connects++;
    /* A blocking send to a server that does not read waits without bound. */
    if (PQstatus(p->conn) != CONNECTION_OK || PQsetnonblocking(p->conn, 1) != 0 ||
        PQenterPipelineMode(p->conn) != 1)
        return pg_connect_failed(p);
    PQsetNoticeReceiver(p->conn, pg_ignore_notice, NULL);
    p->pause_ms = 0;
    p->lost = false;
    p->up = true;
    if (p->observer.connected != NULL)
        p->observer.connected(p->observer.ctx, true, p->connects - 1);
    return E_OK;
}

void
pg_tend(struct pg *p)
{
    struct pollfd peer = {.fd = p->conn == NULL ? -1 : PQsocket(p->conn), .events = POLLRDHUP};

    if (p->open)
        return;
    if (peer.fd >= 0 && poll(&peer, 1, 0) > 0)
        pg_drop(p);
    err ignored = pg_ensure(p);
    (void)ignored;
}

bool
pg_is_up(const struct pg *p)
{
    return p->conn != NULL && PQstatus(p->conn) == CONNECTION_OK;
}

bool
pg_was_lost(const struct pg *p)
{
    return p->lost;
}

bool
pg_in_transaction(const struct pg *p)
{
    return p->open;
}

const char *
pg_last_constraint(const struct pg *p)
{
    return p->constraint;
}

static err
pg_lost(struct pg *p)
{
    p->lost = true;
    pg_drop(p);
    return E_UNAVAILABLE;
}

/* The slot that holds the hash, or the free one where it would go. */
static uint64_t *
pg_prepared_slot(struct pg *p, uint64_t hash)
{
    size_t i = hash & (PREPARED_SLOTS - 1);

    while (p->prepared[i] != 0 && p->prepared[i] != hash)
        i = (i + 1) & (PREPARED_SLOTS - 1);
    return &p->prepared[i];
}

static void
pg_mark_prepared(struct pg *p, uint64_t hash)
{
    uint64_t *slot = pg_prepared_slot(p, hash);

    if (*slot == 0) {
        *slot = hash;
        p->prepared_count++;
    }
}

static void
pg_owe(struct pg *p, enum owed kind, const struct pg_stmt *stmt, uint64_t hash)
{
    size_t i = (p->owed_first + p->owed_count++) % PIPELINE_MAX;
    p->owed[i] = (struct owed_result){.kind = kind, .stmt = stmt, .name_hash = hash};
}

/* Parameters in the shape libpq wants. */
struct pg_wire_params {
    const char *value[PARAMS_MAX];
    int length[PARAMS_MAX];
    int format[PARAMS_MAX];
    Oid type[PARAMS_MAX];
};

static void
pg_params(const struct pg_query *q, struct pg_wire_params *ret_params)
{
    for (size_t i = 0; i < q->nvalues; i++) {
        ret_params->value[i] = q->values[i].p;
        ret_params->length[i] = q->values[i].len;
        ret_params->format[i] = q->values[i].format;
        ret_params->type[i] = pg_type_oid(q->types[i]);
    }
}

/* Was it queued earlier in this pipeline? */
static bool
pg_prepare_is_owed(const struct pg *p, uint64_t hash)
{
    for (size_t i = 0; i < p->owed_count; i++) {
        const struct owed_result *o = &p->owed[(p->owed_first + i) % PIPELINE_MAX];
        if (o->kind == OWED_PREPARE && o->name_hash == hash)
            return true;
    }
    return false;
}

/* A variant's own name may be long: the statement's, for people, and the hash, which decides. */
static void
pg_prepared_name(const struct pg_query *q, uint64_t hash, char ret_name[PREPARED_NAME])
{
    size_t n = strlen(q->stmt->name);

    if (n > 40)
        n = 40;
    memcpy(ret_name, q->stmt->name, n);
    ret_name[n++] = '.';
    for (int shift = 60; shift >= 0; shift -= 4)
        ret_name[n++] = "0123456789abcdef"[hash >> shift & 15];
    ret_name[n] = '\0';
}

err
pg_send(struct pg *p, const struct pg_query *q)
{
    struct pg_wire_params w;
    char name[PREPARED_NAME];
    int n = (int)q->nvalues;
    uint64_t hash = siphash(name_key, q->name, strlen(q->name)) | 1;
    bool keep = !q->once && p->prepared_count < PREPARED_SLOTS / 2;
    bool prepared;

    if (q->nvalues > PARAMS_MAX || p->owed_count + 5 > PIPELINE_MAX)
        return E_INTERNAL;
    TRY(pg_ensure(p));
    prepared = *pg_prepared_slot(p, hash) == hash || pg_prepare_is_owed(p, hash);
    pg_prepared_name(q, hash, name);
    pg_params(q, &w);
    if (!p->open)
        p->sent_us = clock_us();
    p->open = true;
    p->flushed = false;
    if (!prepared && keep) {
        if (PQsendPrepare(p->conn, name, q->text, n, w.type) != 1)
            return pg_lost(p);
        pg_owe(p, OWED_PREPARE, q->stmt, hash);
        prepared = true;
    }
    int sent = prepared
                   ? PQsendQueryPrepared(p->conn, name, n, w.value, w.length, w.format, 1)
                   : PQsendQueryParams(p->conn, q->text, n, w.type, w.value, w.length, w.format, 1);
    if (sent != 1)
        return pg_lost(p);
    pg_owe(p, OWED_EXECUTE, q->stmt, 0);
    return E_OK;
}

err
pg_send_commit(struct pg *p)
{
    if (p->sync_sent || !p->open)
        return E_OK;
    if (p->conn == NULL || PQpipelineSync(p->conn) != 1)
        return pg_lost(p);
    p->sync_sent = p->flushed = true;
    pg_owe(p, OWED_SYNC, NULL, 0);
    return E_OK;
}

static void
pg_note_failure(struct pg *p, const PGresult *result)
{
    const char *c = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
    size_t n = c == NULL ? 0 : strnlen(c, sizeof p->constraint - 1);

    memcpy(p->constraint, c == NULL ? "" : c, n);
    p->constraint[n] = '\0';
}

/* The server ends the session with it: shutting down, told to by someone, or after a timeout. */
static bool
pg_ends_session(const char *state)
{
    return strncmp(state, "57P0", 4) == 0 || strncmp(state, "08", 2) == 0 ||
           strcmp(state, "25P03") == 0;
}

/* A failure that the catalogue does not name is ours, one of the server's is the operator's: log
 * its SQLSTATE and where, never its text, which may hold values. */
static err
pg_result_error(struct pg *p, const PGresult *result, const struct pg_stmt *stmt)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    err e;

    pg_note_failure(p, result);
    if (state == NULL || pg_ends_session(state))
        return pg_lost(p);
    struct pg_failure failure = {stmt == NULL ? NULL : stmt->name, state, p->constraint,
                                 PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION)};
    e = err_from_sql(state, p->constraint[0] == '\0' ? NULL : p->constraint);
    if (e != E_OK && e != E_UNAVAILABLE)
        return e;
    if (p->observer.unnamed != NULL)
        p->observer.unnamed(p->observer.ctx, &failure);
    else
        log_event(LOG_L_ERROR, "statement failed", LOG_Z("statement", failure.statement),
                  LOG_Z("sqlstate", failure.sqlstate), LOG_Z("constraint", failure.constraint),
                  LOG_Z("function", failure.function));
    return e == E_OK ? E_INTERNAL : e;
}

/* What is queued goes out while the server takes it. False when the connection is gone. */
static bool
pg_push(struct pg *p, short *ret_events)
{
    int unsent = PQflush(p->conn);

    *ret_events = (short)(unsent == 1 ? POLLIN | POLLOUT : POLLIN);
    return unsent >= 0;
}

/* PQgetResult alone waits without bound for a server that has gone silent, and for a message that
 * it dropped itself for want of memory. */
static bool
pg_await(struct pg *p)
{
    struct pollfd server = {.fd = PQsocket(p->conn)};
    int64_t end = -1;

    while (PQisBusy(p->conn) == 1) {
        int64_t now = clock_ms();
        if (end < 0)
            end = now + p->patience_ms;
        if (!pg_push(p, &server.events))
            return false;
        int n = poll(&server, 1, end > now ? (int)(end - now) : 0);
        if (n == 0 || (n < 0 && errno != EINTR))
            return false;
        if (n > 0 && (server.revents & ~POLLOUT) != 0 && PQconsumeInput(p->conn) != 1)
            return false;
    }
    return true;
}

/* The next result; NULL at the end of a statement's, and without a connection. */
static PGresult *
pg_result(struct pg *p)
{
    if (p->conn == NULL)
        return NULL;
    if (pg_await(p))
        return PQgetResult(p->conn);
    log_event(LOG_L_WARN, "database does not answer", LOG_INT("patience_ms", p->patience_ms));
    pg_drop(p);
    return NULL;
}

/* What the commit itself refuses (a deferred constraint, a serialization failure) comes as a
 * failure before the synchronisation point. */
static err
pg_take_sync(struct pg *p, PGresult **ret_result)
{
    err e = E_OK;

    for (int reads = 0; reads < 4; reads++) {
        ExecStatusType status =
            *ret_result == NULL ? PGRES_COMMAND_OK : PQresultStatus(*ret_result);
        if (status == PGRES_PIPELINE_SYNC)
            return e;
        if (status == PGRES_FATAL_ERROR && e == E_OK)
            e = pg_result_error(p, *ret_result, NULL);
        PQclear(*ret_result);
        *ret_result = pg_result(p);
    }
    PQclear(*ret_result);
    *ret_result = NULL;
    return pg_lost(p);
}

/* One owed result with the NULL that follows it. *ret_result is NULL when the server skipped it. */
static err
pg_take(struct pg *p, struct owed_result *ret_owed, PGresult **ret_result)
{
    struct owed_result o = p->owed[p->owed_first];
    PGresult *result = pg_result(p);

    p->owed_first = (p->owed_first + 1) % PIPELINE_MAX;
    p->owed_count--;
    *ret_owed = o;
    *ret_result = result;
    if (result == NULL || PQstatus(p->conn) != CONNECTION_OK) {
        PQclear(result);
        *ret_result = NULL;
        return pg_lost(p);
    }
    if (o.kind == OWED_SYNC)
        return pg_take_sync(p, ret_result);
    PGresult *end = pg_result(p);
    if (end != NULL) {
        PQclear(end);
        PQclear(result);
        *ret_result = NULL;
        return pg_lost(p);
    }
    return E_OK;
}

static void
pg_clear(void *result)
{
    PQclear(result);
}

static err
pg_judge(struct pg *p, const struct owed_result *o, const PGresult *result)
{
    switch (PQresultStatus(result)) {
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
        if (o->kind == OWED_PREPARE)
            pg_mark_prepared(p, o->name_hash);
        return E_OK;
    case PGRES_PIPELINE_ABORTED:
        return E_CONFLICT; /* skipped; the first failure was already told */
    default:
        return pg_result_error(p, result, o->stmt);
    }
}

static void
pg_observe(struct pg *p, const struct owed_result *o, err e)
{
    int64_t now = clock_us();

    if (o->kind == OWED_EXECUTE && p->observer.statement != NULL && o->stmt != NULL)
        p->observer.statement(p->observer.ctx, o->stmt, now - p->sent_us, e);
    p->sent_us = now;
}

static err
pg_flush(struct pg *p)
{
    if (p->flushed)
        return E_OK;
    if (p->conn == NULL || PQsendFlushRequest(p->conn) != 1 || PQflush(p->conn) < 0)
        return pg_lost(p);
    p->flushed = true;
    return E_OK;
}

err
pg_read(struct pg *p, struct arena *a, PGresult **ret_result)
{
    *ret_result = NULL;
    TRY(pg_flush(p));
    while (p->owed_count > 0 && p->owed[p->owed_first].kind != OWED_SYNC) {
        struct owed_result o;
        PGresult *result;

        TRY(pg_take(p, &o, &result));
        arena_defer(a, pg_clear, result);
        err e = pg_judge(p, &o, result);
        pg_observe(p, &o, e);
        if (e != E_OK && p->failure == E_OK && p->conn != NULL)
            p->failure = e;
        TRY(e);
        if (o.kind == OWED_EXECUTE) {
            *ret_result = result;
            return E_OK;
        }
    }
    return E_INTERNAL;
}

/* Read everything up to the synchronisation point; the first failure is the answer. */
static err
pg_drain(struct pg *p)
{
    err first = p->failure;

    p->failure = E_OK;
    while (p->owed_count > 0) {
        struct owed_result o;
        PGresult *result;
        err e = pg_take(p, &o, &result);
        if (p->conn == NULL)
            return e;
        if (o.kind != OWED_SYNC) {
            e = pg_judge(p, &o, result);
            pg_observe(p, &o, e);
        }
        PQclear(result);
        if (first == E_OK)
            first = e;
        if (p->conn == NULL)
            return first;
    }
    p->open = p->sync_sent = p->flushed = false;
    return first;
}

err
pg_commit(struct pg *p)
{
    if (!p->open)
        return p->lost && p->conn == NULL ? E_UNAVAILABLE : E_OK;
    TRY(pg_send_commit(p));
    return pg_drain(p);
}

static bool
pg_send_word(struct pg *p, const char *word)
{
    if (PQsendQueryParams(p->conn, word, 0, NULL, NULL, NULL, NULL, 0) != 1) {
        (void)pg_lost(p);
        return false;
    }
    pg_owe(p, OWED_EXECUTE, NULL, 0);
    return true;
}

/* BEGIN makes the implicit transaction an explicit one, with all that was done in it: of a ROLLBACK
 * alone the server's log would have a warning each time. Both are skipped by the server if a
 * failure has ended the transaction already. */
void
pg_rollback(struct pg *p)
{
    if (!p->open || p->conn == NULL)
        return;
    if (!p->sync_sent &&
        (!pg_send_word(p, "BEGIN") || !pg_send_word(p, "ROLLBACK") || pg_send_commit(p) != E_OK))
        return;
    err ignored = pg_drain(p);
    (void)ignored;
}
