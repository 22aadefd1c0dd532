/* The row: everything that is true of an endpoint. The gates enforce it, the emitters print it. */
#ifndef LECTERN_API_ENDPOINT_H
#define LECTERN_API_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/limits.h"
#include "base/err.h"
#include "base/timestamp.h"
#include "base/uuid.h"
#include "pg/stmt.h"
#include "wire/request.h"

struct req;
struct shape;

/* --- fields ----------------------------------------------------------------------------- */

/* JSON kept as it came, for jsonb columns; p == NULL is absent. */
struct json_text {
    struct text text;
};

/* Things of one shape, for lists inside a reply. */
struct items {
    const void *item;
    size_t count;
};

enum field_kind {
    FIELD_TEXT = 1,
    FIELD_INT,
    FIELD_BOOL,
    FIELD_UUID,
    FIELD_TIME,
    FIELD_TEXTS,
    FIELD_UUIDS,
    FIELD_JSON,
    FIELD_OBJECT, /* replies only: a nested struct of `shape` */
    FIELD_ITEMS,  /* replies only: struct items of `shape` */
};

enum field_place { IN_BODY, IN_PATH, IN_QUERY };

/* Closed set of text forms; each has a check in api/format.c and a pattern for OpenAPI. */
enum field_format {
    FORMAT_LINE,      /* no control characters (the default) */
    FORMAT_MULTILINE, /* tab and newline too */
    FORMAT_EMAIL,     /* RFC 5321 mailbox, ≤ 254; lower-cased by the binder */
    FORMAT_SLUG,      /* [a-z0-9-] */
    FORMAT_LOCALE,    /* BCP 47 shape: en, de-CH */
    FORMAT_TIMEZONE,  /* IANA name shape */
    FORMAT_CODE,      /* [A-Za-z0-9_-] */
    FORMAT_OPAQUE,    /* printable ASCII without spaces: tokens */
    FORMAT_COUNT,
};

struct field {
    const char *name;
    enum field_kind kind;
    size_t offset;
    enum field_place place;
    bool required;
    bool nullable;    /* an explicit null is allowed and means "clear it" */
    bool sensitive;   /* never logged; redacted in audit */
    bool account;     /* the account that sign-in limits count by */
    int64_t min, max; /* code points, value, or items; max 0 for a text means 255 */
    enum field_format format;
    const char *choices;       /* "draft|published", or NULL */
    const char *preset;        /* default as text, or NULL */
    const struct shape *shape; /* of FIELD_OBJECT and FIELD_ITEMS */
    const char *doc;
};

struct shape {
    const char *name; /* of the C struct and the OpenAPI schema */
    const struct field *fields;
    size_t count;
    size_t size;
};

/* The member's C type decides the kind; a type the binder does not know does not compile. */
#define FIELD_KIND(type, member)                           \
    _Generic(((const struct type *)0)->member, struct text \
             : FIELD_TEXT, int64_t                         \
             : FIELD_INT, bool                             \
             : FIELD_BOOL, struct uuid                     \
             : FIELD_UUID, struct timestamp                \
             : FIELD_TIME, struct texts                    \
             : FIELD_TEXTS, struct uuids                   \
             : FIELD_UUIDS, struct json_text               \
             : FIELD_JSON, struct items                    \
             : FIELD_ITEMS)
#define FIELD(type, member, ...)                             \
    {                                                        \
        .name = #member, .kind = FIELD_KIND(type, member),   \
        .offset = offsetof(struct type, member), __VA_ARGS__ \
    }
#define FIELD_NESTED(type, member, of, ...)                                             \
    {                                                                                   \
        .name = #member, .kind = FIELD_OBJECT, .offset = offsetof(struct type, member), \
        .shape = (of), __VA_ARGS__                                                      \
    }
#define SHAPE(type, field_table)                                                  \
    (&(const struct shape){.name = #type,                                         \
                           .fields = (field_table),                               \
                           .count = sizeof(field_table) / sizeof(field_table)[0], \
                           .size = sizeof(struct type)})

/* --- the columns of a row ------------------------------------------------------------------ */

enum auth_kind {
    AUTH_ANYONE = 1, /* no credential is looked at */
    AUTH_USER,       /* access token: bearer or cookie */
    AUTH_REFRESH,    /* refresh token: body or cookie */
    AUTH_METRICS,    /* credentials and addresses of the metrics settings */
};

enum role_bit {
    ROLE_STUDENT = 1,
    ROLE_TEACHER = 2,
    ROLE_PARENT = 4,
    ROLE_VENDOR = 8,
    ROLE_MODERATOR = 16,
    ROLE_ANALYST = 32,
    ROLE_ADMIN = 64,
    ROLE_OPERATOR = 128,
};

/* Grants: sets of roles. */
#define GRANT_PUBLIC 256 /* rows that need no user */
#define GRANT_EVERYONE 255
#define GRANT_TEACHERS (ROLE_TEACHER | ROLE_ADMIN | ROLE_OPERATOR)
#define GRANT_ADMINS (ROLE_ADMIN | ROLE_OPERATOR)
#define GRANT_OPERATORS ROLE_OPERATOR
#define GRANT_STUDENTS ROLE_STUDENT
#define GRANT_PARENTS ROLE_PARENT

/* "student" … "operator" for one bit; 0 and NULL for what is none. */
unsigned role_from_name(const char *name);
const char *role_name(unsigned bit);

enum body_kind {
    BODY_AUTO, /* JSON when the row has body fields, none otherwise */
    BODY_JSON_OPTIONAL,
    BODY_CSV, /* text/csv, UTF-8; the run function reads r->http body */
};

enum idempotency_kind {
    IDEMPOTENCY_AUTO,     /* honoured on POST for a known caller */
    IDEMPOTENCY_REQUIRED, /* 400 without a key */
    IDEMPOTENCY_NONE,     /* the answer holds a secret and is never kept */
};

enum pool_kind { POOL_API, POOL_AUTH };

enum cache_kind {
    CACHE_NONE,   /* private, no-store */
    CACHE_PUBLIC, /* public, max-age=300 */
};

enum csrf_kind { CSRF_AUTO, CSRF_OFF };

/* Whether a caller of TWO_FACTOR_REQUIRED_ROLES must have proven a second factor in the session. */
enum second_factor_kind {
    SECOND_FACTOR_AUTO,
    SECOND_FACTOR_EXEMPT, /* what one needs to set it up, or to leave */
};

/* What is written to audit_logs and events when the row has done its work. The target is a path
 * parameter's name, "new" for the identifier made for this request, or "session" for the caller's
 * session. */
struct audit_rule {
    const char *action;
    const char *type;
    const char *target;
};

struct event_rule {
    const char *kind;
    const char *type;    /* of the subject */
    const char *subject; /* as in audit_rule */
    const char *course;  /* path parameter or "new" that names the course, or NULL */
};

struct endpoint {
    enum wire_method method;
    const char *path; /* below /api/v1, or absolute when it begins with a double slash */
    const char *id;   /* unique; the OpenAPI operationId */
    enum auth_kind auth;
    unsigned grant;

    const char *doc; /* one sentence */
    enum rate_class rate;
    const struct shape *in; /* path, query and body fields, bound into one struct */
    enum body_kind body;
    int64_t body_max; /* bytes; 0 means MAX_JSON_BYTES */
    const struct pg_stmt *sql;
    err (*run)(struct req *r, const void *in);
    const struct shape *reply;       /* of a run row; its data is this */
    const struct pg_stmt *reply_sql; /* of a run row whose data are this statement's columns */
    bool reply_list;                 /* data is an array of `reply` */
    const char *produces;            /* media type other than application/json: raw body */
    const char *csv;                 /* a list as text/csv: the name of the file */
    int status;                      /* 0: 200, or 204 when there is no reply */
    int also;         /* another success: found again, only tried; or 503 with the same reply */
    const err *fails; /* errors beyond those that the gates give, ended by E_OK */
    enum idempotency_kind idempotency;
    struct audit_rule audit;
    const char *unaudited; /* of a row that should name an action: why it names none */
    struct event_rule event;
    const struct pg_stmt *probe; /* read by the same identity: does the target exist for the caller?
                                    tells 403 from 404 when a write touched nothing */
    enum csrf_kind csrf;
    enum second_factor_kind second_factor;
    enum cache_kind cache;
    enum pool_kind pool;
    bool unbounded;       /* a list that grows without bound: counted only on count=exact */
    bool if_match_needed; /* 428 without If-Match */
    const char *location; /* of what was created, with {id}: "/courses/{id}" */
    const char *since;    /* release that brought it */
    const char *gone;     /* date of its end: answers Deprecation and Sunset */
};

/* The positional part: leaving one out does not compile, zero is refused at compile time. */
#define NOT_ZERO(x)                                          \
    ((x) + 0 * sizeof(struct {                               \
               _Static_assert((x) != 0, "must not be zero"); \
               int unused;                                   \
           }))
#define ENDPOINT(method_, path_, id_, auth_, grant_)                                         \
    .method = METHOD_##method_, .path = (path_), .id = #id_, .auth = NOT_ZERO(AUTH_##auth_), \
    .grant = NOT_ZERO(GRANT_##grant_)

#define FAILS(...) ((const err[]){__VA_ARGS__, E_OK})

/* A domain: one app file. */
struct domain {
    const char *name; /* the tag in the documents */
    const char *doc;
    const struct endpoint *rows;
    size_t count;
};

#define DOMAIN(name_, doc_, table_)                         \
    const struct domain name_##_domain = {.name = #name_,   \
                                          .doc = (doc_),    \
                                          .rows = (table_), \
                                          .count = sizeof(table_) / sizeof(table_)[0]}

/* Every domain of the program; in app/domains.c. */
extern const struct domain *const app_domains[];
extern const size_t app_domain_count;

/* Every named statement of the domains, made from the .sql files of app. */
extern const struct pg_stmt *const sql_statements[];
extern const size_t sql_statement_count;

#endif
