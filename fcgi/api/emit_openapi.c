#include "config.h"

#include <stdio.h>
#include <string.h>

#include "api/credentials.h"
#include "api/emit.h"
#include "api/emit_parts.h"
#include "base/json.h"

static const char *const pool_names[] = {[POOL_API] = "api", [POOL_AUTH] = "auth"};

static void
string_member(struct buf *b, const char *name, const char *type)
{
    json_key(b, name);
    json_open(b, '{');
    json_kv_z(b, "type", type);
    json_close(b, '}');
}

/* --- body --------------------------------------------------------------------------------- */

static void
operation_body(struct buf *b, const struct components *c, const struct endpoint *e)
{
    enum facts_body body = facts_body(e);

    if (body == FACTS_NO_BODY)
        return;
    json_key(b, "requestBody");
    json_open(b, '{');
    json_kv_bool(b, "required", body != FACTS_JSON_OPTIONAL);
    json_key(b, "content");
    json_open(b, '{');
    json_key(b, body == FACTS_CSV ? "text/csv" : "application/json");
    json_open(b, '{');
    json_key(b, "schema");
    if (body == FACTS_CSV) {
        json_open(b, '{');
        json_kv_z(b, "type", "string");
        json_close(b, '}');
    } else
        schema_shape(b, c, COMPONENT_BODY, e->in);
    json_close(b, '}');
    json_close(b, '}');
    json_close(b, '}');
}

/* --- answers ------------------------------------------------------------------------------ */

static void
header_ref(struct buf *b, const char *name)
{
    json_key(b, name);
    schema_ref(b, "headers", name);
}

static void
headers_limits(struct buf *b)
{
    header_ref(b, "x-rate-limit-limit");
    header_ref(b, "x-rate-limit-remaining");
    header_ref(b, "x-rate-limit-reset");
    header_ref(b, "RateLimit");
    header_ref(b, "RateLimit-Policy");
}

static void
headers_always(struct buf *b, const struct endpoint *e)
{
    header_ref(b, "x-request-id");
    if (rate_of(e) != RATE_NONE)
        headers_limits(b);
    if (e->gone != NULL) {
        header_ref(b, "Deprecation");
        header_ref(b, "Sunset");
    }
}

static void
headers_success(struct buf *b, const struct endpoint *e, int status)
{
    json_key(b, "headers");
    json_open(b, '{');
    headers_always(b, e);
    if (facts_versioned(e)) {
        header_ref(b, "ETag");
        header_ref(b, "Last-Modified");
    }
    if (facts_list(e) != NULL) {
        header_ref(b, "x-total-count");
        header_ref(b, "Link");
    }
    if (e->location != NULL && status == 201)
        header_ref(b, "Location");
    if (facts_idempotent(e)) {
        header_ref(b, "Idempotency-Key");
        header_ref(b, "Idempotency-Replayed");
    }
    json_close(b, '}');
}

static void
success_data(struct buf *b, const struct components *c, const struct endpoint *e)
{
    bool list = facts_list(e) != NULL || (e->reply != NULL && e->reply_list);

    if (list) {
        json_open(b, '{');
        json_kv_z(b, "type", "array");
        json_key(b, "items");
    }
    if (e->reply != NULL)
        schema_shape(b, c, COMPONENT_REPLY, e->reply);
    else
        schema_columns(b, c, facts_columns(e));
    if (list)
        json_close(b, '}');
}

static void
success_schema(struct buf *b, const struct components *c, const struct endpoint *e)
{
    bool paged = facts_list(e) != NULL;

    json_open(b, '{');
    json_kv_z(b, "type", "object");
    json_key(b, "properties");
    json_open(b, '{');
    json_key(b, "data");
    success_data(b, c, e);
    if (paged) {
        json_key(b, "page");
        schema_ref(b, "schemas", "page");
    }
    json_close(b, '}');
    json_key(b, "required");
    json_open(b, '[');
    json_z(b, "data");
    if (paged)
        json_z(b, "page");
    json_close(b, ']');
    json_close(b, '}');
}

/* The media type without its parameters: that is how documents and clients match it. */
static void
success_produced(struct buf *b, const char *produces)
{
    char type[128];

    snprintf(type, sizeof type, "%.*s", (int)strcspn(produces, "; "), produces);
    json_key(b, type);
    json_open(b, '{');
    json_key(b, "schema");
    json_open(b, '{');
    json_kv_z(b, "type", strcmp(type, "application/json") == 0 ? "object" : "string");
    json_close(b, '}');
    json_close(b, '}');
}

static void
success_content(struct buf *b, const struct components *c, const struct endpoint *e)
{
    if (e->produces != NULL) {
        success_produced(b, e->produces);
        return;
    }
    json_key(b, "application/json");
    json_open(b, '{');
    json_key(b, "schema");
    success_schema(b, c, e);
    json_close(b, '}');
}

static void
response_open(struct buf *b, int status)
{
    char key[16];

    snprintf(key, sizeof key, "%d", status);
    json_key(b, key);
    json_open(b, '{');
}

static const char *
success_word(int status)
{
    switch (status) {
    case 201:
        return "Created";
    case 202:
        return "Accepted";
    case 204:
        return "Done; there is nothing to tell";
    default:
        return "Done";
    }
}

static void
response_success(struct buf *b, const struct components *c, const struct endpoint *e, int status)
{
    response_open(b, status);
    json_kv_z(b, "description", success_word(status));
    headers_success(b, e, status);
    if (status != 204) {
        json_key(b, "content");
        json_open(b, '{');
        success_content(b, c, e);
        json_close(b, '}');
    }
    json_close(b, '}');
}

static void
response_not_modified(struct buf *b, const struct endpoint *e)
{
    response_open(b, 304);
    json_kv_z(b, "description", "If-None-Match names the version that there is");
    json_key(b, "headers");
    json_open(b, '{');
    headers_always(b, e);
    header_ref(b, "ETag");
    header_ref(b, "Last-Modified");
    json_close(b, '}');
    json_close(b, '}');
}

/* --- problems ----------------------------------------------------------------------------- */

/* The errors of a set with this status: how many, and the first. */
static size_t
set_count(const struct err_set *set, int status, err *ret_first)
{
    size_t n = 0;

    for (err e = E_OK + 1; e < E_COUNT; e++) {
        if (!set->has[e] || err_info(e)->status != status)
            continue;
        if (n++ == 0)
            *ret_first = e;
    }
    return n;
}

static void
problem_headers(struct buf *b, int status)
{
    json_key(b, "headers");
    json_open(b, '{');
    header_ref(b, "x-request-id");
    if (status == 401)
        header_ref(b, "WWW-Authenticate");
    if (status == 409 || status == 429 || status == 503)
        header_ref(b, "Retry-After");
    if (status == 429)
        headers_limits(b);
    json_close(b, '}');
}

static void
problem_description(struct buf *b, const struct err_set *set, int status)
{
    struct buf words;

    buf_init(&words, 256, 16384);
    for (err e = E_OK + 1; e < E_COUNT; e++) {
        if (!set->has[e] || err_info(e)->status != status)
            continue;
        if (words.len > 0)
            buf_char(&words, ' ');
        buf_printf(&words, "`%s`: %s", err_info(e)->code, err_info(e)->title);
    }
    json_kv_text(b, "description", buf_as_text(&words));
    buf_free(&words);
}

static void
problem_content(struct buf *b, const struct err_set *set, int status)
{
    json_key(b, "application/problem+json");
    json_open(b, '{');
    json_key(b, "schema");
    json_open(b, '{');
    json_key(b, "allOf");
    json_open(b, '[');
    schema_ref(b, "schemas", "problem");
    json_open(b, '{');
    json_kv_z(b, "type", "object");
    json_key(b, "properties");
    json_open(b, '{');
    json_key(b, "code");
    json_open(b, '{');
    json_key(b, "enum");
    json_open(b, '[');
    for (err e = E_OK + 1; e < E_COUNT; e++) {
        if (set->has[e] && err_info(e)->status == status)
            json_z(b, err_info(e)->code);
    }
    json_close(b, ']');
    json_close(b, '}');
    json_close(b, '}');
    json_close(b, '}');
    json_close(b, ']');
    json_close(b, '}');
    json_close(b, '}');
}

/* What follows a response's opening brace. */
static void
problem_response(struct buf *b, const struct err_set *set, int status)
{
    problem_description(b, set, status);
    problem_headers(b, status);
    json_key(b, "content");
    json_open(b, '{');
    problem_content(b, set, status);
}

static void
operation_problems(struct buf *b, const struct components *c, const struct route *t)
{
    struct err_set set;

    facts_errors(t, &set);
    for (int status = 400; status < 600; status++) {
        err first = E_INTERNAL;
        size_t n = set_count(&set, status, &first);
        bool also = facts_status_also(t->row) == status;
        char key[16];

        if (n == 0)
            continue;
        snprintf(key, sizeof key, "%d", status);
        json_key(b, key);
        if (n == 1 && !also) {
            schema_ref(b, "responses", err_info(first)->code);
            continue;
        }
        json_open(b, '{');
        problem_response(b, &set, status);
        if (also)
            success_content(b, c, t->row);
        json_close(b, '}');
        json_close(b, '}');
    }
}

static void
operation_responses(struct buf *b, const struct components *c, const struct route *t)
{
    int status = facts_status(t->row), also = facts_status_also(t->row);

    json_key(b, "responses");
    json_open(b, '{');
    if (also != 0 && also < status)
        response_success(b, c, t->row, also);
    response_success(b, c, t->row, status);
    if (facts_safe(t->row) && facts_versioned(t->row))
        response_not_modified(b, t->row);
    operation_problems(b, c, t);
    json_close(b, '}');
}

/* --- operations --------------------------------------------------------------------------- */

static void
security_scheme(struct buf *b, const char *name, bool csrf)
{
    json_open(b, '{');
    if (name != NULL) {
        json_key(b, name);
        buf_z(b, "[]");
    }
    if (csrf) {
        json_key(b, "csrf");
        buf_z(b, "[]");
    }
    json_close(b, '}');
}

static void
operation_security(struct buf *b, const struct endpoint *e)
{
    json_key(b, "security");
    json_open(b, '[');
    switch (e->auth) {
    case AUTH_USER:
        security_scheme(b, "bearer", false);
        security_scheme(b, "cookie", facts_csrf(e));
        break;
    case AUTH_REFRESH:
        /* The body may bring the token instead. */
        security_scheme(b, NULL, false);
        security_scheme(b, "refresh_cookie", facts_csrf(e));
        break;
    case AUTH_METRICS:
        security_scheme(b, "metrics_bearer", false);
        security_scheme(b, "metrics_basic", false);
        break;
    case AUTH_ANYONE:
        break;
    }
    json_close(b, ']');
}

static void
operation_roles(struct buf *b, const struct endpoint *e)
{
    json_key(b, "roles");
    json_open(b, '[');
    for (const unsigned *bit = all_roles; *bit != 0; bit++) {
        if ((e->grant & *bit) != 0)
            json_z(b, role_name(*bit));
    }
    json_close(b, ']');
}

static void
operation_lectern(struct buf *b, const struct endpoint *e)
{
    enum rate_class rate = rate_of(e);

    json_key(b, "x-lectern");
    json_open(b, '{');
    operation_roles(b, e);
    json_kv_z(b, "rate_class", rate == RATE_NONE ? NULL : rate_info(rate)->name);
    json_kv_z(b, "pool", pool_names[e->pool]);
    json_kv_z(b, "audit", e->audit.action);
    json_kv_z(b, "event", e->event.kind);
    json_kv_z(b, "since", e->since);
    json_close(b, '}');
}

static void
operation_description(struct buf *b, const struct endpoint *e)
{
    struct buf words;

    buf_init(&words, 256, 4096);
    if (e->auth == AUTH_METRICS)
        buf_z(&words, "For who has the credentials of the metrics settings.");
    else if (e->auth != AUTH_USER)
        buf_z(&words, "For everyone.");
    else if (e->grant == GRANT_EVERYONE)
        buf_z(&words, "For every role.");
    else {
        buf_z(&words, "For");
        for (const unsigned *bit = all_roles; *bit != 0; bit++) {
            if ((e->grant & *bit) != 0)
                buf_printf(&words, "%s %s", words.len > 3 ? "," : "", role_name(*bit));
        }
        buf_char(&words, '.');
    }
    buf_printf(&words, " Since %s.", e->since);
    json_kv_text(b, "description", buf_as_text(&words));
    buf_free(&words);
}

static void
operation(struct buf *b, const struct components *c, const struct route *t)
{
    static const char *const keys[] = {
        [METHOD_GET] = "get",     [METHOD_POST] = "post",     [METHOD_PUT] = "put",
        [METHOD_PATCH] = "patch", [METHOD_DELETE] = "delete",
    };

    json_key(b, keys[t->row->method]);
    json_open(b, '{');
    json_key(b, "tags");
    json_open(b, '[');
    json_z(b, t->domain->name);
    json_close(b, ']');
    json_kv_z(b, "operationId", t->row->id);
    json_kv_z(b, "summary", t->row->doc);
    operation_description(b, t->row);
    if (t->row->gone != NULL)
        json_kv_bool(b, "deprecated", true);
    operation_security(b, t->row);
    schema_parameters(b, t);
    operation_body(b, c, t->row);
    operation_responses(b, c, t);
    operation_lectern(b, t->row);
    json_close(b, '}');
}

/* All methods of a path are together, where the first of them stands in the rows. */
static void
document_paths(struct buf *b, const struct components *c)
{
    json_key(b, "paths");
    json_open(b, '{');
    for (size_t i = 0; i < routes_count(); i++) {
        const char *path = route_at(i)->full;
        bool seen = false;

        for (size_t k = 0; k < i && !seen; k++)
            seen = strcmp(route_at(k)->full, path) == 0;
        if (seen)
            continue;
        json_key(b, path);
        json_open(b, '{');
        for (size_t k = i; k < routes_count(); k++) {
            if (strcmp(route_at(k)->full, path) == 0)
                operation(b, c, route_at(k));
        }
        json_close(b, '}');
    }
    json_close(b, '}');
}

/* --- components --------------------------------------------------------------------------- */

static void
schema_problem(struct buf *b)
{
    static const char *const texts[] = {"title", "detail", "code", "request_id"};

    json_key(b, "problem");
    json_open(b, '{');
    json_kv_z(b, "type", "object");
    json_kv_z(b, "description", "RFC 9457");
    json_key(b, "properties");
    json_open(b, '{');
    json_key(b, "type");
    json_raw(b, TEXT("{\"type\":\"string\",\"format\":\"uri\"}"));
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        string_member(b, texts[i], "string");
    string_member(b, "status", "integer");
    json_key(b, "error_id");
    json_raw(
        b, TEXT("{\"type\":\"string\",\"description\":\"Of a 5xx: finds the cause in the log\"}"));
    json_key(b, "errors");
    json_raw(b, TEXT("{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/violation\"},"
                     "\"description\":\"Of a 422: every violation\"}"));
    json_key(b, "challenge");
    json_raw(b, TEXT("{\"type\":\"string\",\"description\":\"Of second_factor_required: to be sent "
                     "with the code\"}"));
    json_key(b, "expires_in");
    json_raw(b, TEXT("{\"type\":\"integer\",\"description\":\"Of second_factor_required: seconds "
                     "that the challenge lives\"}"));
    json_close(b, '}');
    json_key(b, "required");
    json_raw(b, TEXT("[\"type\",\"title\",\"status\",\"detail\",\"code\",\"request_id\"]"));
    json_close(b, '}');
}

static void
schema_violation(struct buf *b)
{
    json_key(b, "violation");
    json_open(b, '{');
    json_kv_z(b, "type", "object");
    json_key(b, "properties");
    json_open(b, '{');
    json_key(b, "field");
    json_raw(b,
             TEXT("{\"type\":\"string\",\"description\":\"JSON pointer into the body; /query/… and "
                  "/path/… for parameters\"}"));
    string_member(b, "code", "string");
    string_member(b, "message", "string");
    json_close(b, '}');
    json_key(b, "required");
    json_raw(b, TEXT("[\"field\",\"code\",\"message\"]"));
    json_close(b, '}');
}

static void
schema_page(struct buf *b)
{
    json_key(b, "page");
    json_raw(b, TEXT("{\"type\":\"object\",\"properties\":{\"limit\":{\"type\":\"integer\"},"
                     "\"offset\":{\"type\":[\"integer\",\"null\"],\"description\":\"null after a "
                     "cursor\"},\"total\":{\"type\":[\"integer\",\"null\"],\"description\":\"null "
                     "where it was not counted\"},\"next_cursor\":{\"type\":[\"string\",\"null\"],"
                     "\"description\":\"null on the last page\"}},\"required\":[\"limit\","
                     "\"offset\",\"total\",\"next_cursor\"]}"));
}

static void
components_schemas(struct buf *b, const struct components *c)
{
    json_key(b, "schemas");
    json_open(b, '{');
    schema_problem(b);
    schema_violation(b);
    schema_page(b);
    for (size_t i = 0; i < c->count; i++) {
        json_key(b, c->item[i].name);
        schema_component(b, c, &c->item[i]);
    }
    json_close(b, '}');
}

/* Answers that are one error alone, by its code. */
static void
components_responses(struct buf *b)
{
    struct err_set used = {{false}};

    for (size_t i = 0; i < routes_count(); i++) {
        struct err_set set;
        facts_errors(route_at(i), &set);
        for (int status = 400; status < 600; status++) {
            err first = E_INTERNAL;
            if (set_count(&set, status, &first) == 1 &&
                facts_status_also(route_at(i)->row) != status)
                used.has[first] = true;
        }
    }
    json_key(b, "responses");
    json_open(b, '{');
    for (err e = E_OK + 1; e < E_COUNT; e++) {
        struct err_set one = {{false}};
        if (!used.has[e])
            continue;
        one.has[e] = true;
        json_key(b, err_info(e)->code);
        json_open(b, '{');
        problem_response(b, &one, err_info(e)->status);
        json_close(b, '}');
        json_close(b, '}');
    }
    json_close(b, '}');
}

static bool
row_any(const struct endpoint *e)
{
    return e != NULL;
}

static bool
row_limited(const struct endpoint *e)
{
    return rate_of(e) != RATE_NONE;
}

static bool
row_location(const struct endpoint *e)
{
    return e->location != NULL;
}

static bool
row_gone(const struct endpoint *e)
{
    return e->gone != NULL;
}

struct header {
    const char *name;
    bool (*used)(const struct endpoint *);
    const char *type;
    const char *doc;
};

static const struct header shared_headers[] = {
    {"x-request-id", row_any, "string",
     "The client's own identifier of the request, or one made for it"},
    {"x-rate-limit-limit", row_limited, "integer", "Requests that pass in a window"},
    {"x-rate-limit-remaining", row_limited, "integer", "What is left of them"},
    {"x-rate-limit-reset", row_limited, "integer", "When the window ends, in seconds since 1970"},
    {"RateLimit", row_limited, "string",
     "draft-ietf-httpapi-ratelimit-headers: class, r remaining, t seconds to go"},
    {"RateLimit-Policy", row_limited, "string",
     "draft-ietf-httpapi-ratelimit-headers: class, q requests in w seconds"},
    {"Retry-After", row_any, "integer", "Seconds to wait"},
    {"WWW-Authenticate", row_any, "string", "RFC 9110: the scheme that is asked for"},
    {"ETag", facts_versioned, "string", "The version, for If-Match and If-None-Match"},
    {"Last-Modified", facts_versioned, "string", "When it was changed last"},
    {"x-total-count", facts_is_list, "integer", "Rows of all pages, where they are counted"},
    {"Link", facts_is_list, "string", "RFC 8288: first, prev, next and last where they are known"},
    {"Location", row_location, "string", "Where what was made is found"},
    {"Idempotency-Key", facts_idempotent, "string", "The key, as it was sent"},
    {"Idempotency-Replayed", facts_idempotent, "string",
     "1 when this is the answer to an earlier request"},
    {"Deprecation", row_gone, "string", "RFC 9745"},
    {"Sunset", row_gone, "string", "RFC 8594: when it goes"},
};

static void
components_headers(struct buf *b)
{
    json_key(b, "headers");
    json_open(b, '{');
    for (size_t i = 0; i < sizeof shared_headers / sizeof shared_headers[0]; i++) {
        const struct header *h = &shared_headers[i];
        if (!facts_any(h->used))
            continue;
        json_key(b, h->name);
        json_open(b, '{');
        json_kv_z(b, "description", h->doc);
        json_key(b, "schema");
        json_open(b, '{');
        json_kv_z(b, "type", h->type);
        json_close(b, '}');
        json_close(b, '}');
    }
    json_close(b, '}');
}

static void
scheme_key(struct buf *b, const char *id, const char *in, const char *name, const char *doc)
{
    json_key(b, id);
    json_open(b, '{');
    json_kv_z(b, "type", "apiKey");
    json_kv_z(b, "in", in);
    json_kv_z(b, "name", name);
    json_kv_z(b, "description", doc);
    json_close(b, '}');
}

static void
scheme_http(struct buf *b, const char *id, const char *scheme, const char *format, const char *doc)
{
    json_key(b, id);
    json_open(b, '{');
    json_kv_z(b, "type", "http");
    json_kv_z(b, "scheme", scheme);
    if (format != NULL)
        json_kv_z(b, "bearerFormat", format);
    json_kv_z(b, "description", doc);
    json_close(b, '}');
}

static void
components_security(struct buf *b)
{
    json_key(b, "securitySchemes");
    json_open(b, '{');
    scheme_http(b, "bearer", "bearer", "JWT", "The access token");
    scheme_key(b, "cookie", "cookie", COOKIE_ACCESS, "The access token, for browsers");
    scheme_key(b, "csrf", "header", "x-csrf-token",
               "Equal to the cookie " COOKIE_CSRF "; with every change under a cookie");
    scheme_key(b, "refresh_cookie", "cookie", COOKIE_REFRESH, "The refresh token, for browsers");
    scheme_http(b, "metrics_bearer", "bearer", NULL, "METRICS_BEARER_TOKEN");
    scheme_http(b, "metrics_basic", "basic", NULL, "METRICS_USERNAME and METRICS_PASSWORD");
    json_close(b, '}');
}

/* --- the document ------------------------------------------------------------------------- */

static void
document_info(struct buf *b)
{
    json_kv_z(b, "openapi", "3.1.0");
    json_key(b, "info");
    json_open(b, '{');
    json_kv_z(b, "title", "Lectern");
    json_kv_z(b, "version", PACKAGE_VERSION);
    json_kv_z(b, "description",
              "A learning platform. Answers are {\"data\": …}; lists add page; errors are "
              "application/problem+json (RFC 9457) with a stable code. Times are RFC 3339 in UTC, "
              "identifiers UUIDs. Unknown fields and parameters are refused.");
    json_key(b, "license");
    json_raw(b, TEXT("{\"name\":\"AGPL-3.0-or-later\",\"identifier\":\"AGPL-3.0-or-later\"}"));
    json_close(b, '}');
    json_key(b, "servers");
    json_raw(b, TEXT("[{\"url\":\"/\",\"description\":\"This installation\"}]"));
}

static void
document_tags(struct buf *b)
{
    json_key(b, "tags");
    json_open(b, '[');
    for (size_t i = 0; i < app_domain_count; i++) {
        json_open(b, '{');
        json_kv_z(b, "name", app_domains[i]->name);
        json_kv_z(b, "description", app_domains[i]->doc);
        json_close(b, '}');
    }
    json_close(b, ']');
}

void
emit_openapi(struct buf *out)
{
    struct components c;

    components_collect(&c);
    json_open(out, '{');
    document_info(out);
    document_tags(out);
    document_paths(out, &c);
    json_key(out, "components");
    json_open(out, '{');
    components_schemas(out, &c);
    components_responses(out);
    components_parameters(out);
    components_headers(out);
    components_security(out);
    json_close(out, '}');
    json_close(out, '}');
}
