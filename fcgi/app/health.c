/* Is it alive, is it ready, and how it is doing. */
#include "config.h"

#include "api/endpoint.h"
#include "api/limits.h"
#include "api/metrics.h"
#include "api/req.h"
#include "app/schema_version.h"
#include "app/statements.h"
#include "base/settings.h"
#include "pg/conn.h"

struct check {
    struct text name;
    struct text status;
};

static const struct field check_fields[] = {
    FIELD(check, name, .doc = "What was looked at"),
    FIELD(check, status, .choices = "up|down", .doc = "What was found"),
};

struct health {
    struct text status;
    struct text version;
    struct items checks;
};

static const struct field health_fields[] = {
    FIELD(health, status, .choices = "up|down", .doc = "up when every check is"),
    FIELD(health, version, .doc = "The running release"),
    FIELD(health, checks, .shape = SHAPE(check, check_fields), .doc = "Each dependency"),
};

#define HEALTH_SHAPE SHAPE(health, health_fields)

struct limit_in_force {
    struct text name;
    int64_t count;
    int64_t window_ms;
};

static const struct field limit_fields[] = {
    FIELD(limit_in_force, name, .doc = "The rate class"),
    FIELD(limit_in_force, count, .doc = "Requests that pass in a window"),
    FIELD(limit_in_force, window_ms, .doc = "Length of the window in milliseconds"),
};

struct required_env {
    struct text name;
    bool present;
};

static const struct field required_env_fields[] = {
    FIELD(required_env, name, .doc = "The setting"),
    FIELD(required_env, present, .doc = "Whether it is given"),
};

struct health_details {
    struct text status;
    struct text version;
    struct text schema_version;
    struct text pool;
    int64_t requests_in_flight;
    int64_t database_connections;
    struct items checks;
    struct items rate_limits;
    struct items required_envs;
};

static const struct field health_details_fields[] = {
    FIELD(health_details, status, .choices = "up|down", .doc = "up when every check is"),
    FIELD(health_details, version, .doc = "The running release"),
    FIELD(health_details, schema_version, .doc = "The schema that this release works with"),
    FIELD(health_details, pool, .doc = "The pool that answered"),
    FIELD(health_details, requests_in_flight, .doc = "In all workers of the host"),
    FIELD(health_details, database_connections, .doc = "Of all workers of the host"),
    FIELD(health_details, checks, .shape = SHAPE(check, check_fields), .doc = "Each dependency"),
    FIELD(health_details, rate_limits, .shape = SHAPE(limit_in_force, limit_fields),
          .doc = "The limits in force"),
    FIELD(health_details, required_envs, .shape = SHAPE(required_env, required_env_fields),
          .doc = "The settings that must be given"),
};

#define CHECKS 4

static struct check
check_of(const char *name, bool up)
{
    return (struct check){text_of(name), up ? TEXT("up") : TEXT("down")};
}

/* Database reachable, schema known, nothing to be seen without an identity, tables attached. */
static bool
health_checks(struct req *r, struct check checks[CHECKS])
{
    struct sql_health_probe_row row = {.leaked = -1};
    bool up = !r->known && sql_health_probe_run(r, &row) == E_OK;
    bool schema = up && text_eq(row.schema_version, TEXT(SCHEMA_VERSION));
    bool isolated = up && row.leaked == 0;

    checks[0] = check_of("database", up);
    checks[1] = check_of("schema", schema);
    checks[2] = check_of("row_level_security", isolated);
    checks[3] = check_of("shared_tables", r->api->shm != NULL);
    return up && schema && isolated && r->api->shm != NULL;
}

static err
health_ready(struct req *r, const void *input)
{
    struct check *checks = arena_array(r->arena, CHECKS, sizeof *checks);
    bool up = health_checks(r, checks);
    struct health out = {up ? TEXT("up") : TEXT("down"), TEXT(PACKAGE_VERSION), {checks, CHECKS}};

    (void)input;
    r->abandoned = !up;
    r->status = up ? 200 : 503;
    return reply_shape(r, HEALTH_SHAPE, &out);
}

static err
health_live(struct req *r, const void *input)
{
    struct health out = {TEXT("up"), TEXT(PACKAGE_VERSION), {NULL, 0}};

    (void)input;
    return reply_shape(r, HEALTH_SHAPE, &out);
}

static struct items
details_limits(struct req *r)
{
    struct limit_in_force *limits = arena_array(r->arena, RATE_COUNT, sizeof *limits);
    size_t n = 0;

    for (enum rate_class c = RATE_AUTO + 1; c < RATE_NONE; c++) {
        const struct rate_info *info = rate_info(c);
        limits[n++] = (struct limit_in_force){text_of(info->name), setting_int(info->count_setting),
                                              setting_int(info->window_setting)};
    }
    return (struct items){limits, n};
}

static struct items
details_required(struct req *r)
{
    struct required_env *envs = arena_array(r->arena, S_COUNT, sizeof *envs);
    size_t n = 0;

    for (int id = 0; id < S_COUNT; id++) {
        const struct setting_info *s = setting_info((enum setting_id)id);
        if ((s->flags & (SET_REQUIRED | SET_PRODUCTION)) != 0)
            envs[n++] =
                (struct required_env){text_of(s->name), setting_is_set((enum setting_id)id)};
    }
    return (struct items){envs, n};
}

/* The operator's own transaction proves the database; that strangers see nothing is for /ready. */
static err
health_details(struct req *r, const void *input)
{
    struct check *checks = arena_array(r->arena, 2, sizeof *checks);
    struct health_details out = {
        .status = TEXT("up"),
        .version = TEXT(PACKAGE_VERSION),
        .schema_version = TEXT(SCHEMA_VERSION),
        .pool = text_of(r->api->pool),
        .requests_in_flight = metrics_in_flight(r->api),
        .database_connections = metrics_connections(r->api),
        .rate_limits = details_limits(r),
        .required_envs = details_required(r),
    };
    struct sql_health_probe_row row;

    (void)input;
    TRY(sql_health_probe_run(r, &row));
    checks[0] = check_of("database", true);
    checks[1] = check_of("schema", text_eq(row.schema_version, TEXT(SCHEMA_VERSION)));
    out.checks = (struct items){checks, 2};
    return reply_shape(r, SHAPE(health_details, health_details_fields), &out);
}

static err
health_metrics(struct req *r, const void *input)
{
    (void)input;
    metrics_write(r->api, r->body_out);
    r->replied = true;
    return E_OK;
}

static const struct endpoint rows[] = {
    {ENDPOINT(GET, "/health", health, ANYONE, PUBLIC), .run = health_ready, .reply = HEALTH_SHAPE,
     .also = 503, .rate = RATE_NONE, .since = "0.1.0",
     .doc = "The public summary; 503 when not ready."},
    {ENDPOINT(GET, "/health/live", health_live, ANYONE, PUBLIC), .run = health_live,
     .reply = HEALTH_SHAPE, .rate = RATE_NONE, .since = "0.1.0", .doc = "The process answers."},
    {ENDPOINT(GET, "/health/ready", health_ready, ANYONE, PUBLIC), .run = health_ready,
     .reply = HEALTH_SHAPE, .also = 503, .rate = RATE_NONE, .since = "0.1.0",
     .doc = "The database answers with the right schema, and row-level security holds."},
    {ENDPOINT(GET, "/health/startup", health_startup, ANYONE, PUBLIC), .run = health_ready,
     .reply = HEALTH_SHAPE, .also = 503, .rate = RATE_NONE, .since = "0.1.0",
     .doc = "It has started and is ready."},
    {ENDPOINT(GET, "/health/details", health_details, USER, OPERATORS), .run = health_details,
     .reply = SHAPE(health_details, health_details_fields), .rate = RATE_ADMIN_READ,
     .since = "0.1.0",
     .doc = "Dependencies, the limits in force and the settings that must be given."},
    {ENDPOINT(GET, "//metrics", metrics, METRICS, PUBLIC), .run = health_metrics,
     .produces = "text/plain; version=0.0.4; charset=utf-8", .rate = RATE_NONE, .since = "0.1.0",
     .doc = "Counters of the whole host in Prometheus text format."},
};

DOMAIN(health, "Health and metrics", rows);
