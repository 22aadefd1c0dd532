#include "api/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/gates.h"
#include "api/metrics.h"
#include "api/req.h"
#include "api/route.h"
#include "base/log.h"
#include "base/settings.h"
#include "base/timestamp.h"
#include "pg/config.h"

#define RATE_BUCKETS (1U << 16)
#define REVOKED_SLOTS (1U << 16)
#define ANSWER_MAX (8U << 20)
#define HEAD_MAX (64U << 10)
#define IDLE_MS 1000
#define ASK_EVERY 16

static struct api api;
static void (*on_ready)(void);
static const char *const pool_names[METRIC_POOLS] = {
    [POOL_API] = "api", [POOL_AUTH] = "auth", "slow", "messaging"};

void
api_on_ready(void (*ready)(void))
{
    on_ready = ready;
}

static unsigned
api_pool_index(const char *pool)
{
    for (unsigned i = 0; i < METRIC_POOLS; i++) {
        if (strcmp(pool_names[i], pool) == 0)
            return i;
    }
    return METRIC_POOLS;
}

static struct keyset *
api_keys(void)
{
    return keyset_load(setting_text(S_JWT_KEYSET), setting_text(S_JWT_ACTIVE_KEY_ID),
                       setting_text(S_JWT_ISSUER), setting_text(S_JWT_AUDIENCE), stderr);
}

err
api_open(const char *pool)
{
    struct shm_layout layout = {.rate_buckets = RATE_BUCKETS, .revoked_slots = REVOKED_SLOTS};

    api.pool = pool;
    if (api_pool_index(pool) == METRIC_POOLS) {
        log_event(LOG_L_ERROR, "there is no such pool", LOG_Z("pool", pool));
        return E_INTERNAL;
    }
    if (routes_build(stderr) > 0)
        return E_INTERNAL;
    api.keys = api_keys();
    if (api.keys == NULL)
        return E_INTERNAL;
    layout.counters = metrics_size();
    layout.tag = metrics_tag();
    api.shm = shm_open_tables(setting_z(S_SHARED_DIR), &layout);
    if (api.shm == NULL) {
        log_event(LOG_L_ERROR, "the shared tables cannot be opened",
                  LOG_Z("directory", setting_z(S_SHARED_DIR)));
        return E_UNAVAILABLE;
    }
    return E_OK;
}

bool
api_reload(void *ctx)
{
    struct keyset *keys = api_keys();

    (void)ctx;
    if (keys == NULL)
        return false;
    keyset_free(api.keys);
    api.keys = keys;
    return true;
}

void
api_worker_event(int started, int signalled)
{
    metric_worker(&api, started, signalled > 0);
}

/* --- observers ------------------------------------------------------------------------------- */

static struct text
observed_request(const struct api *a)
{
    return a->current == NULL ? TEXT_NULL : a->current->http->request_id;
}

static void
observe_statement(void *ctx, const struct pg_stmt *stmt, int64_t us, err e)
{
    struct api *a = ctx;

    metric_statement(a, stmt, us, e != E_OK);
    if (us >= setting_int(S_SLOW_QUERY_MS) * 1000)
        log_event(LOG_L_WARN, "slow statement", LOG_Z("statement", stmt->name), LOG_INT("us", us),
                  LOG_TEXT("request_id", observed_request(a)));
}

static void
observe_connection(void *ctx, bool up, unsigned reconnects)
{
    metric_database(ctx, up, reconnects > 0);
    if (!up || reconnects > 0)
        log_event(up ? LOG_L_INFO : LOG_L_WARN,
                  up ? "database connected again" : "database connection closed",
                  LOG_INT("reconnects", reconnects));
}

static void
observe_failure(void *ctx, const struct pg_failure *f)
{
    const struct api *a = ctx;

    log_event(LOG_L_ERROR, "statement failed", LOG_Z("statement", f->statement),
              LOG_Z("sqlstate", f->sqlstate), LOG_Z("constraint", f->constraint),
              LOG_Z("function", f->function), LOG_TEXT("request_id", observed_request(a)));
}

/* --- a worker
 * ------------------------------------------------------------------------------------- */

static bool
worker_told_to_leave(void)
{
    static unsigned served;
    sigset_t pending;

    /* A worker that waits is told by its wait; a busy one need not ask after every request. */
    if (served++ % ASK_EVERY != 0)
        return false;
    return sigpending(&pending) == 0 && sigismember(&pending, SIGTERM) == 1;
}

static void
worker_serve(struct wire_request *http, struct buf *head, struct buf *body)
{
    struct req r = {
        .api = &api, .http = http, .arena = http->arena, .head_out = head, .body_out = body};

    buf_reset(head);
    buf_reset(body);
    api.current = &r;
    gates_run(&r);
    api.current = NULL;
}

/* Who gave up while the request waited in the socket gets no password hashed: in a storm of
 * sign-ins those who still wait come sooner. What the other pool does is cheaper than to ask. */
static bool
worker_skips(const struct wire_request *http)
{
    if (api_pool_index(api.pool) != POOL_AUTH || !wire_abandoned(api.wire))
        return false;
    log_event(LOG_L_INFO, "request abandoned", LOG_TEXT("request_id", http->request_id),
              LOG_Z("pool", api.pool));
    return true;
}

static int
worker_loop(const sigset_t *wait_mask)
{
    int64_t left = setting_int(S_WORKER_MAX_REQUESTS);
    struct buf head, body;
    bool limited = left > 0;

    buf_init(&head, 2048, HEAD_MAX);
    buf_init(&body, 16384, ANSWER_MAX);
    while (!worker_told_to_leave() && !(limited && left == 0)) {
        struct wire_request *http;
        enum wire_event event = wire_accept(api.wire, IDLE_MS, wait_mask, &http);

        if (event == WIRE_SIGNAL)
            break;
        if (event == WIRE_FATAL)
            return EXIT_FAILURE;
        if (event == WIRE_IDLE)
            pg_tend(api.pg);
        if (event == WIRE_REFUSED)
            metric_request_refused(&api);
        if (event != WIRE_REQUEST)
            continue;
        if (!worker_skips(http))
            worker_serve(http, &head, &body);
        wire_finish(api.wire);
        left--;
    }
    buf_free(&head);
    buf_free(&body);
    return EXIT_SUCCESS;
}

int
api_worker(int listen_fd, unsigned slot, const sigset_t *wait_mask, void *ctx)
{
    struct pg_observer observer = {&api, observe_statement, observe_connection, observe_failure};

    (void)ctx;
    api.slot = api_pool_index(api.pool) * METRIC_SLOTS + slot % METRIC_SLOTS;
    metric_slot_reset(&api);
    char name[32];
    snprintf(name, sizeof name, "lectern-api %s", api.pool);
    api.pg = pg_from_settings(PG_AS_APP, name, &observer);
    api.wire = wire_open(listen_fd, (int)setting_int(S_WORKER_STALL_TIMEOUT_MS),
                         (size_t)setting_int(S_WORKER_ARENA_MAX_BYTES));
    if (api.wire == NULL)
        return EXIT_FAILURE;
    /* A database that is away is met by each request; the worker need not wait for it. */
    err ignored = pg_ensure(api.pg);
    (void)ignored;
    if (on_ready != NULL)
        on_ready();
    int status = worker_loop(wait_mask);
    wire_close(api.wire);
    pg_free(api.pg);
    keyset_free(api.keys);
    return status;
}
