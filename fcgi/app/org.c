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
};

DOMAIN(org, "The organisation and its people", rows);
