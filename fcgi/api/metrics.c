#include "api/metrics.h"

#include "config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/limits.h"
#include "api/route.h"
#include "api/statements.h"
#include "base/encode.h"
#include "base/timestamp.h"

/* Upper bounds in microseconds; the last bucket is +Inf. */
static const int64_t bounds_us[] = {500,   1000,  2500,   5000,   10000,
                                    25000, 50000, 100000, 250000, 1000000};
#define BOUNDS (sizeof bounds_us / sizeof bounds_us[0])
#define CLASSES 6 /* status classes 1xx to 5xx by their digit */

enum {
    G_REQUEST_BYTES,
    G_RESPONSE_BYTES,
    G_DATABASE_US,
    G_DATABASE_RECONNECTS,
    G_REPLAYS,
    G_WORKERS_STARTED,
    G_WORKERS_RESTARTED,
    G_WORKERS_SIGNALLED,
    G_COUNT
};

/* Per route: status classes, then duration buckets, count is their sum, then microseconds. */
#define ROUTE_COUNTERS (CLASSES + BOUNDS + 1 + 1)
/* Per statement: failures, then duration buckets and microseconds as above. */
#define STMT_COUNTERS (1 + BOUNDS + 1 + 1)

/* What one worker holds at the moment. Its successor in the slot starts from zero, so that a killed
 * worker leaves no trace. */
enum slot_gauge { SLOT_OWNER, SLOT_IN_FLIGHT, SLOT_DATABASE_UP, SLOT_GAUGES };
#define SLOTS ((size_t)METRIC_POOLS * METRIC_SLOTS)

/* Layout: globals, gauges by slot, rate classes, errors by code, routes, statements (api then app).
 */
static size_t
at_slot(enum slot_gauge gauge, size_t slot)
{
    return G_COUNT + (size_t)gauge * SLOTS + slot;
}

static size_t
at_rate(enum rate_class c)
{
    return at_slot(SLOT_GAUGES, 0) + (size_t)c;
}

static size_t
at_error(err e)
{
    return at_rate(RATE_COUNT) + (size_t)e;
}

static size_t
at_auth(err e)
{
    return at_error(E_COUNT) + (size_t)e;
}

static size_t
at_route(size_t number)
{
    return at_auth(E_COUNT) + number * ROUTE_COUNTERS;
}

static size_t
at_stmt(size_t number)
{
    return at_route(routes_count()) + number * STMT_COUNTERS;
}

static size_t
stmt_total(void)
{
    return api_statement_count + sql_statement_count;
}

static const struct pg_stmt *
stmt_at(size_t i)
{
    return i < api_statement_count ? api_statements[i] : sql_statements[i - api_statement_count];
}

static size_t
stmt_number(const struct pg_stmt *stmt)
{
    bool own = stmt->index < api_statement_count && api_statements[stmt->index] == stmt;
    return own ? stmt->index : api_statement_count + stmt->index;
}

size_t
metrics_size(void)
{
    return at_stmt(stmt_total());
}

static uint64_t
tag_add(uint64_t tag, const char *name)
{
    uint8_t key[16] = "lectern-metrics";

    memcpy(key, &tag, sizeof tag);
    return siphash(key, name, strlen(name));
}

uint64_t
metrics_tag(void)
{
    uint64_t tag = tag_add(0, PACKAGE_VERSION);

    for (size_t i = 0; i < routes_count(); i++)
        tag = tag_add(tag, route_at(i)->row->id);
    for (size_t i = 0; i < stmt_total(); i++)
        tag = tag_add(tag, stmt_at(i)->name);
    for (err e = E_OK; e < E_COUNT; e++)
        tag = tag_add(tag, err_info(e)->code);
    return tag;
}

static size_t
bucket_of(int64_t us)
{
    size_t i = 0;

    while (i < BOUNDS && us > bounds_us[i])
        i++;
    return i;
}

static uint64_t slot_owner;

/* In a reload the worker that leaves shares its slot with the one that has come: what it lets go of
 * is not the other's. */
static void
slot_add(struct api *api, enum slot_gauge gauge, int change)
{
    if (shm_counter(api->shm, at_slot(SLOT_OWNER, api->slot)) != slot_owner)
        return;
    if (change > 0)
        shm_count(api->shm, at_slot(gauge, api->slot), 1);
    else
        shm_count_down(api->shm, at_slot(gauge, api->slot), 1);
}

static bool
auth_failure(err e)
{
    /* That a code is owed is no failure; that it was wrong is one, whatever its status. */
    if (e == E_OK || e == E_SECOND_FACTOR_REQUIRED)
        return false;
    return err_info(e)->status == 401 || e == E_CSRF || e == E_SECOND_FACTOR_INVALID;
}

void
metric_request_begin(struct api *api)
{
    slot_add(api, SLOT_IN_FLIGHT, 1);
}

void
metric_request_end(const struct req *r)
{
    struct shm *s = r->api->shm;
    int64_t us = clock_us() - r->started_us;

    slot_add(r->api, SLOT_IN_FLIGHT, -1);
    shm_count(s, G_REQUEST_BYTES, r->body.len);
    shm_count(s, G_RESPONSE_BYTES, r->body_out->len);
    shm_count(s, G_DATABASE_US, (uint64_t)r->db_us);
    if (r->error != E_OK)
        shm_count(s, at_error(r->error), 1);
    if (auth_failure(r->error))
        shm_count(s, at_auth(r->error), 1);
    if (r->route == NULL)
        return;
    size_t base = at_route(r->route->number);
    shm_count(s, base + (size_t)(r->status / 100) % CLASSES, 1);
    shm_count(s, base + CLASSES + bucket_of(us), 1);
    shm_count(s, base + CLASSES + BOUNDS + 1, (uint64_t)us);
}

void
metric_request_refused(struct api *api)
{
    shm_count(api->shm, at_error(E_BAD_REQUEST), 1);
}

void
metric_slot_reset(struct api *api)
{
    slot_owner = (uint64_t)getpid();
    for (enum slot_gauge g = 0; g < SLOT_GAUGES; g++) {
        size_t at = at_slot(g, api->slot);
        shm_count_down(api->shm, at, shm_counter(api->shm, at));
    }
    shm_count(api->shm, at_slot(SLOT_OWNER, api->slot), slot_owner);
}

void
metric_rate_hit(struct api *api, enum rate_class c)
{
    shm_count(api->shm, at_rate(c), 1);
}

void
metric_replay(struct api *api)
{
    shm_count(api->shm, G_REPLAYS, 1);
}

void
metric_statement(struct api *api, const struct pg_stmt *stmt, int64_t us, bool failed)
{
    size_t base = at_stmt(stmt_number(stmt));

    if (failed)
        shm_count(api->shm, base, 1);
    shm_count(api->shm, base + 1 + bucket_of(us), 1);
    shm_count(api->shm, base + 1 + BOUNDS + 1, (uint64_t)us);
}

void
metric_database(struct api *api, bool up, bool again)
{
    slot_add(api, SLOT_DATABASE_UP, up ? 1 : -1);
    if (up && again)
        shm_count(api->shm, G_DATABASE_RECONNECTS, 1);
}

void
metric_worker(struct api *api, int started, bool signalled)
{
    if (started > 0)
        shm_count(api->shm, G_WORKERS_STARTED, 1);
    if (started > 1)
        shm_count(api->shm, G_WORKERS_RESTARTED, 1);
    if (signalled)
        shm_count(api->shm, G_WORKERS_SIGNALLED, 1);
}

/* --- exposition ------------------------------------------------------------------------------ */

static void
family(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void
seconds(struct buf *out, uint64_t us)
{
    buf_printf(out, "%llu.%06llu\n", (unsigned long long)(us / 1000000),
               (unsigned long long)(us % 1000000));
}

struct global {
    size_t counter;
    const char *name;
    const char *help;
};

static const struct global globals[] = {
    {G_REQUEST_BYTES, "http_request_bytes_total", "Bytes of request bodies."},
    {G_RESPONSE_BYTES, "http_response_bytes_total", "Bytes of answers."},
    {G_DATABASE_RECONNECTS, "db_reconnects_total", "Connections made again."},
    {G_REPLAYS, "idempotent_replays_total", "Answers given again for a key."},
    {G_WORKERS_STARTED, "worker_starts_total", "Workers started."},
    {G_WORKERS_RESTARTED, "worker_restarts_total", "Workers started in place of one that ended."},
    {G_WORKERS_SIGNALLED, "worker_kills_total", "Workers ended by a signal."},
};

static void
write_globals(struct buf *out, const struct api *api)
{
    for (size_t i = 0; i < sizeof globals / sizeof globals[0]; i++) {
        const struct global *g = &globals[i];
        family(out, g->name, "counter", g->help);
        buf_printf(out, "%s %llu\n", g->name,
                   (unsigned long long)shm_counter(api->shm, g->counter));
    }
}

static uint64_t
slot_sum(const struct api *api, enum slot_gauge g)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < SLOTS; i++)
        sum += shm_counter(api->shm, at_slot(g, i));
    return sum;
}

int64_t
metrics_in_flight(const struct api *api)
{
    return (int64_t)slot_sum(api, SLOT_IN_FLIGHT);
}

int64_t
metrics_connections(const struct api *api)
{
    return (int64_t)slot_sum(api, SLOT_DATABASE_UP);
}

static void
gauge(struct buf *out, const struct api *api, enum slot_gauge g, const char *name, const char *help)
{
    family(out, name, "gauge", help);
    buf_printf(out, "%s %llu\n", name, (unsigned long long)slot_sum(api, g));
}

/* The buckets begin at `at`; the sum of microseconds follows them. */
static void
histogram(struct buf *out, const struct api *api, const char *name, const char *labels, size_t at)
{
    uint64_t count = 0;

    for (size_t i = 0; i <= BOUNDS; i++) {
        count += shm_counter(api->shm, at + i);
        buf_printf(out, "%s_bucket{%s,le=\"", name, labels);
        if (i == BOUNDS)
            buf_z(out, "+Inf");
        else
            buf_printf(out, "%g", (double)bounds_us[i] / 1e6);
        buf_printf(out, "\"} %llu\n", (unsigned long long)count);
    }
    buf_printf(out, "%s_sum{%s} ", name, labels);
    seconds(out, shm_counter(api->shm, at + BOUNDS + 1));
    buf_printf(out, "%s_count{%s} %llu\n", name, labels, (unsigned long long)count);
}

static void
write_routes(struct buf *out, const struct api *api)
{
    family(out, "http_requests_total", "counter", "Requests by route, method and status class.");
    for (size_t i = 0; i < routes_count(); i++) {
        const struct route *t = route_at(i);
        for (size_t c = 1; c < CLASSES; c++) {
            uint64_t n = shm_counter(api->shm, at_route(i) + c);
            if (n > 0)
                buf_printf(
                    out, "http_requests_total{route=\"%s\",method=\"%s\",status=\"%zuxx\"} %llu\n",
                    t->full, wire_method_name(t->row->method), c, (unsigned long long)n);
        }
    }
    family(out, "http_request_duration_seconds", "histogram", "Time from accept to answer.");
    for (size_t i = 0; i < routes_count(); i++) {
        const struct route *t = route_at(i);
        char labels[256];
        snprintf(labels, sizeof labels, "route=\"%s\",method=\"%s\"", t->full,
                 wire_method_name(t->row->method));
        histogram(out, api, "http_request_duration_seconds", labels, at_route(i) + CLASSES);
    }
}

static void
write_statements(struct buf *out, const struct api *api)
{
    family(out, "db_statement_duration_seconds", "histogram", "Time of a statement by its name.");
    for (size_t i = 0; i < stmt_total(); i++) {
        char labels[128];
        snprintf(labels, sizeof labels, "statement=\"%s\"", stmt_at(i)->name);
        histogram(out, api, "db_statement_duration_seconds", labels, at_stmt(i) + 1);
    }
    family(out, "db_statement_failures_total", "counter", "Statements that failed, by name.");
    for (size_t i = 0; i < stmt_total(); i++)
        buf_printf(out, "db_statement_failures_total{statement=\"%s\"} %llu\n", stmt_at(i)->name,
                   (unsigned long long)shm_counter(api->shm, at_stmt(i)));
}

static void
write_errors(struct buf *out, const struct api *api)
{
    family(out, "http_errors_total", "counter", "Problem answers by code.");
    for (err e = E_OK + 1; e < E_COUNT; e++)
        buf_printf(out, "http_errors_total{code=\"%s\"} %llu\n", err_info(e)->code,
                   (unsigned long long)shm_counter(api->shm, at_error(e)));
    family(out, "auth_failures_total", "counter", "Refused credentials by code.");
    for (err e = E_OK + 1; e < E_COUNT; e++) {
        if (auth_failure(e))
            buf_printf(out, "auth_failures_total{code=\"%s\"} %llu\n", err_info(e)->code,
                       (unsigned long long)shm_counter(api->shm, at_auth(e)));
    }
    family(out, "rate_limit_hits_total", "counter", "Requests refused, by rate class.");
    for (enum rate_class c = RATE_AUTO + 1; c < RATE_NONE; c++)
        buf_printf(out, "rate_limit_hits_total{class=\"%s\"} %llu\n", rate_info(c)->name,
                   (unsigned long long)shm_counter(api->shm, at_rate(c)));
}

void
metrics_write(const struct api *api, struct buf *out)
{
    family(out, "lectern_build_info", "gauge", "The running release.");
    buf_printf(out, "lectern_build_info{version=\"%s\"} 1\n", PACKAGE_VERSION);
    gauge(out, api, SLOT_IN_FLIGHT, "http_requests_in_flight", "Requests in workers now.");
    gauge(out, api, SLOT_DATABASE_UP, "db_connections", "Open database connections.");
    family(out, "db_time_seconds_total", "counter", "Time requests waited for the database.");
    buf_z(out, "db_time_seconds_total ");
    seconds(out, shm_counter(api->shm, G_DATABASE_US));
    write_globals(out, api);
    write_routes(out, api);
    write_statements(out, api);
    write_errors(out, api);
}
