/* The organisation and its people. */
#include "api/endpoint.h"
#include "api/req.h"
#include "app/statements.h"

struct org_input {
    struct text name;
    struct text locale;
    struct text timezone;
    struct json_text settings;
};

static const struct field org_fields[] = {
    FIELD(org_input, name, .min = 1, .max = 255, .doc = "Its name"),
    FIELD(org_input, locale, .min = 2, .max = 35, .format = FORMAT_LOCALE, .doc = "Its language"),
    FIELD(org_input, timezone, .min = 1, .max = 64, .format = FORMAT_TIMEZONE,
          .doc = "Its time zone"),
    FIELD(org_input, settings, .doc = "Preferences of the organisation, at most 32 KiB"),
};

struct org_role {
    struct uuid user_id;
    struct text role;
};

static const struct field org_role_fields[] = {
    FIELD(org_role, user_id, .place = IN_PATH, .doc = "Whose role"),
    FIELD(org_role, role, .required = true,
          .choices = "student|teacher|parent|vendor|moderator|analyst|admin|operator",
          .doc = "The new role, not above one's own"),
};

struct limits_input {
    int64_t users;
    int64_t storage_bytes;
    int64_t workbench_runs_per_day;
    int64_t telemetry_events_per_day;
};

/* All of them, so that none is lifted by being forgotten; null lifts it. */
static const struct field limits_fields[] = {
    FIELD(limits_input, users, .required = true, .nullable = true, .min = 0, .max = 1000000000,
          .doc = "How many accounts it may have; null: any number"),
    FIELD(limits_input, storage_bytes, .required = true, .nullable = true, .min = 0,
          .max = INT64_C(1) << 60, .doc = "How much it may store; null: without limit"),
    FIELD(limits_input, workbench_runs_per_day, .required = true, .nullable = true, .min = 0,
          .max = 1000000000, .doc = "Queries run in the workbench in a day; null: without limit"),
    FIELD(limits_input, telemetry_events_per_day, .required = true, .nullable = true, .min = 0,
          .max = INT64_C(1000000000000), .doc = "Events taken in a day; null: without limit"),
};

static const struct endpoint rows[] = {
    {ENDPOINT(GET, "/org", org_get, USER, EVERYONE), .sql = &sql_org_get, .since = "0.1.0",
     .doc = "Read the caller's organisation."},
    {ENDPOINT(PATCH, "/org", org_update, USER, ADMINS), .in = SHAPE(org_input, org_fields),
     .sql = &sql_org_update, .audit = {"org.update", "org", NULL}, .since = "0.1.0",
     .doc = "Change the organisation's name, language, time zone or settings."},
    {ENDPOINT(GET, "/org/users", org_user_list, USER, TEACHERS), .sql = &sql_org_user_list,
     .unbounded = true, .since = "0.1.0", .doc = "List and search the people of the organisation."},
    {ENDPOINT(PUT, "/org/users/{user_id}/role", org_user_role, USER, ADMINS),
     .in = SHAPE(org_role, org_role_fields), .sql = &sql_org_user_role,
     .fails = FAILS(E_LAST_ADMIN, E_ROLE_TOO_HIGH), .audit = {"user.role", "user", "user_id"},
     .event = {"user.role_changed", "user", "user_id", NULL}, .since = "0.1.0",
     .doc = "Give a person another role; their sessions end."},
    {ENDPOINT(DELETE, "/org/users/{user_id}", org_user_remove, USER, ADMINS),
     .sql = &sql_org_user_remove, .status = 204, .rate = RATE_DESTRUCTIVE,
     .fails = FAILS(E_LAST_ADMIN, E_ROLE_TOO_HIGH, E_IN_USE),
     .audit = {"user.remove", "user", "user_id"},
     .event = {"user.removed", "user", "user_id", NULL}, .since = "0.2.0",
     .doc = "Remove a person: the account is closed, its sessions end, its courses become yours."},
    {ENDPOINT(GET, "/users", user_list, USER, ADMINS), .sql = &sql_user_list,
     .rate = RATE_ADMIN_READ, .unbounded = true, .since = "0.2.0",
     .doc = "List all accounts of the organisation, removed ones too."},
    {ENDPOINT(GET, "/org/limits", org_limits, USER, ADMINS), .sql = &sql_org_limits,
     .since = "0.2.0", .doc = "Read what the organisation may have; null is without limit."},
    {ENDPOINT(PUT, "/org/limits", org_limits_put, USER, OPERATORS),
     .in = SHAPE(limits_input, limits_fields), .sql = &sql_org_limits_put,
     .audit = {"org.limits", "org", NULL}, .since = "0.2.0",
     .doc = "Set what one's own organisation may have; less than it has stops growth only."},
    {ENDPOINT(PUT, "/admin/orgs/{org_id}/limits", admin_org_limits_put, USER, OPERATORS),
     .in = SHAPE(limits_input, limits_fields), .sql = &sql_admin_org_limits_put,
     .audit = {"org.limits", "org", "org_id"}, .since = "0.2.0",
     .doc = "Set what any organisation may have; less than it has stops growth only."},
    {ENDPOINT(GET, "/org/usage", org_usage, USER, ADMINS), .sql = &sql_org_usage, .since = "0.2.0",
     .doc = "Read what the organisation has beside what it may; null is not counted yet."},
};

DOMAIN(org, "The organisation and its people", rows);
