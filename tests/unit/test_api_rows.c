/* The contract of every row of the program, what is produced from the rows, and finding them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/credentials.h"
#include "api/emit.h"
#include "api/format.h"
#include "api/route.h"
#include "base/arena.h"
#include "base/buf.h"
#include "unit.h"
#include "wire/json_in.h"

#define DOCUMENT_MAX ((size_t)64 << 20)

static char *
emitted(void (*emit)(struct buf *))
{
    struct buf b;
    char *z;

    buf_init(&b, 65536, DOCUMENT_MAX);
    emit(&b);
    CU_ASSERT_FALSE(b.overflow);
    z = strndup(b.p, b.len);
    buf_free(&b);
    return z;
}

/* --- rows --------------------------------------------------------------------------------- */

static void
rows_keep_the_contract(void)
{
    CU_ASSERT_EQUAL(emit_check(stderr), 0);
    CU_ASSERT_EQUAL(emit_check(NULL), 0);
    CU_ASSERT(routes_count() >= 40);
}

static void
rows_are_found_by_id(void)
{
    for (size_t i = 0; i < routes_count(); i++) {
        const struct route *t = route_at(i);
        CU_ASSERT_PTR_EQUAL(route_by_id(t->row->id), t);
        CU_ASSERT_PTR_EQUAL(route_of(t->row), t);
    }
    CU_ASSERT_PTR_NULL(route_by_id("no_such_row"));
}

/* Every row is found at its own path, whatever its parameters hold. */
static void
rows_are_found_by_path(void)
{
    for (size_t i = 0; i < routes_count(); i++) {
        const struct route *t = route_at(i);
        struct text params[PATH_PARAMS_MAX];
        char path[256];
        size_t n = 0;
        unsigned allowed;

        for (const char *p = t->full; *p != '\0'; p++) {
            if (*p == '{')
                p += strcspn(p, "}");
            path[n++] = (char)(*p == '}' ? 'x' : *p);
        }
        path[n] = '\0';
        CU_ASSERT_PTR_EQUAL(route_find(t->row->method, text_of(path), params, &allowed), t);
        CU_ASSERT((allowed >> t->row->method & 1) != 0);
        for (size_t k = 0; k < t->nparams; k++)
            CU_ASSERT(text_eq(params[k], TEXT("x")));
    }
}

static const struct route *
find(enum wire_method method, const char *path, unsigned *ret_allowed)
{
    static struct text params[PATH_PARAMS_MAX];
    return route_find(method, text_of(path), params, ret_allowed);
}

static bool
finds(enum wire_method method, const char *path, const char *id)
{
    unsigned allowed;
    const struct route *t = find(method, path, &allowed);
    return t != NULL && strcmp(t->row->id, id) == 0;
}

static void
route_methods(void)
{
    unsigned allowed;

    CU_ASSERT(finds(METHOD_GET, "/api/v1/courses", "course_list"));
    CU_ASSERT(finds(METHOD_HEAD, "/api/v1/courses", "course_list"));
    CU_ASSERT(finds(METHOD_POST, "/api/v1/courses", "course_create"));
    CU_ASSERT_PTR_NULL(find(METHOD_DELETE, "/api/v1/courses", &allowed));
    CU_ASSERT_EQUAL(allowed, 1U << METHOD_GET | 1U << METHOD_HEAD | 1U << METHOD_POST |
                                 1U << METHOD_OPTIONS);
    CU_ASSERT_PTR_NULL(find(METHOD_OPTIONS, "/api/v1/courses", &allowed));
    CU_ASSERT_NOT_EQUAL(allowed, 0);
    CU_ASSERT_PTR_NULL(find(METHOD_OTHER, "/api/v1/courses", &allowed));
    CU_ASSERT_NOT_EQUAL(allowed, 0);
    CU_ASSERT_PTR_NULL(find(METHOD_HEAD, "/api/v1/auth/login", &allowed));
    CU_ASSERT_EQUAL(allowed, 1U << METHOD_POST | 1U << METHOD_OPTIONS);
}

static void
route_unknown_paths(void)
{
    static const char *const paths[] = {
        "",
        "/",
        "//",
        "/api",
        "/api/v1",
        "/api/v1/",
        "/api/v1/nothing",
        "/api/v1/courses/",
        "/api/v1//courses",
        "/api/v1/Courses",
        "/api/v1/courses/x/",
        "/api/v1/courses//staff",
        "/api/v1/courses/x/staff/y/z",
        "/api/v2/courses",
        "/courses",
        "api/v1/courses",
        "/api/v1/metrics",
        "/api/v1/course",
        "/api/v1/coursesx",
        "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r",
    };

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        unsigned allowed = 1;
        CU_ASSERT_PTR_NULL(find(METHOD_GET, paths[i], &allowed));
        CU_ASSERT_EQUAL(allowed, 0);
    }
}

static void
route_parameters(void)
{
    struct text params[PATH_PARAMS_MAX];
    unsigned allowed;
    const struct route *t = route_find(
        METHOD_DELETE, TEXT("/api/v1/courses/first%20one/staff/{second}"), params, &allowed);

    CU_ASSERT_PTR_NOT_NULL_FATAL(t);
    CU_ASSERT_STRING_EQUAL(t->row->id, "course_staff_remove");
    CU_ASSERT_EQUAL(t->nparams, 2);
    CU_ASSERT_STRING_EQUAL(t->param_name[0], "course_id");
    CU_ASSERT_STRING_EQUAL(t->param_name[1], "user_id");
    CU_ASSERT(text_eq(params[0], TEXT("first%20one")));
    CU_ASSERT(text_eq(params[1], TEXT("{second}")));
    CU_ASSERT(finds(METHOD_GET, "/metrics", "metrics"));
    CU_ASSERT(finds(METHOD_GET, "/.well-known/jwks.json", "jwks"));
}

static void
roles_by_name(void)
{
    unsigned all = 0;

    for (unsigned bit = ROLE_STUDENT; bit <= ROLE_OPERATOR; bit <<= 1) {
        const char *name = role_name(bit);
        CU_ASSERT_PTR_NOT_NULL_FATAL(name);
        CU_ASSERT_EQUAL(role_from_name(name), bit);
        all |= bit;
    }
    CU_ASSERT_EQUAL(all, GRANT_EVERYONE);
    CU_ASSERT_EQUAL(role_from_name("Admin"), 0);
    CU_ASSERT_EQUAL(role_from_name(""), 0);
    CU_ASSERT_PTR_NULL(role_name(GRANT_PUBLIC));
    CU_ASSERT_PTR_NULL(role_name(0));
}

/* --- formats ------------------------------------------------------------------------------ */

struct format_case {
    enum field_format format;
    struct text text;
    bool good;
};

static const struct format_case format_cases[] = {
    {FORMAT_LINE, {"plain text", 10}, true},
    {FORMAT_LINE, {"\xc3\xa4", 2}, true},
    {FORMAT_LINE, {"a\tb", 3}, false},
    {FORMAT_LINE, {"a\nb", 3}, false},
    {FORMAT_LINE, {"a\0b", 3}, false},
    {FORMAT_LINE, {"a\x7f", 2}, false},
    {FORMAT_MULTILINE, {"a\tb\nc", 5}, true},
    {FORMAT_MULTILINE, {"a\rb", 3}, false},
    {FORMAT_MULTILINE, {"a\x1b[0m", 5}, false},
    {FORMAT_EMAIL, {"a@example.org", 13}, true},
    {FORMAT_EMAIL, {"a.b+c@sub.example.org", 21}, true},
    {FORMAT_EMAIL, {"a@example", 9}, false},
    {FORMAT_EMAIL, {"@example.org", 12}, false},
    {FORMAT_EMAIL, {"a@@example.org", 14}, false},
    {FORMAT_EMAIL, {".a@example.org", 14}, false},
    {FORMAT_EMAIL, {"a..b@example.org", 16}, false},
    {FORMAT_EMAIL, {"a@-example.org", 14}, false},
    {FORMAT_EMAIL, {"a@example..org", 14}, false},
    {FORMAT_EMAIL, {"a b@example.org", 15}, false},
    {FORMAT_EMAIL, {"a@example.org\n", 14}, false},
    {FORMAT_SLUG, {"a-school-1", 10}, true},
    {FORMAT_SLUG, {"A-School", 8}, false},
    {FORMAT_SLUG, {"a_b", 3}, false},
    {FORMAT_SLUG, {"", 0}, false},
    {FORMAT_LOCALE, {"en", 2}, true},
    {FORMAT_LOCALE, {"de-CH", 5}, true},
    {FORMAT_LOCALE, {"zh-Hant-TW", 10}, true},
    {FORMAT_LOCALE, {"e", 1}, false},
    {FORMAT_LOCALE, {"EN", 2}, false},
    {FORMAT_LOCALE, {"de-", 3}, false},
    {FORMAT_LOCALE, {"de_CH", 5}, false},
    {FORMAT_TIMEZONE, {"Europe/Zurich", 13}, true},
    {FORMAT_TIMEZONE, {"UTC", 3}, true},
    {FORMAT_TIMEZONE, {"Etc/GMT+1", 9}, true},
    {FORMAT_TIMEZONE, {"/etc/passwd", 11}, false},
    {FORMAT_TIMEZONE, {"../x", 4}, false},
    {FORMAT_TIMEZONE, {"Europe/", 7}, false},
    {FORMAT_CODE, {"aB3_-", 5}, true},
    {FORMAT_CODE, {"a b", 3}, false},
    {FORMAT_CODE, {"a%", 2}, false},
    {FORMAT_OPAQUE, {"!~", 2}, true},
    {FORMAT_OPAQUE, {"a b", 3}, false},
    {FORMAT_OPAQUE, {"\xc3\xa4", 2}, false},
    {FORMAT_OPAQUE, {"", 0}, false},
};

static void
formats_check(void)
{
    for (size_t i = 0; i < sizeof format_cases / sizeof format_cases[0]; i++) {
        const struct format_case *c = &format_cases[i];
        if (format_info(c->format)->check(c->text) != c->good) {
            fprintf(stderr, "format %s, case %zu\n", format_info(c->format)->name, i);
            CU_FAIL("a format's check");
        }
    }
    for (int f = 0; f < FORMAT_COUNT; f++) {
        CU_ASSERT_PTR_NOT_NULL(format_info((enum field_format)f)->name);
        CU_ASSERT_PTR_NOT_NULL(format_info((enum field_format)f)->message);
    }
}

/* --- OpenAPI ------------------------------------------------------------------------------ */

static void
openapi_is_strict_json(void)
{
    struct json_limits limits = {64, 1000000, 1000000, 1 << 20};
    struct arena *a = arena_new(DOCUMENT_MAX);
    char *once = emitted(emit_openapi), *again = emitted(emit_openapi);

    CU_ASSERT_EQUAL(json_scan(a, text_of(once), &limits, NULL), E_OK);
    CU_ASSERT_STRING_EQUAL(once, again);
    free(once);
    free(again);
    arena_free(a);
}

/* --- the other documents ------------------------------------------------------------------ */

static void
documents_name_every_row(void)
{
    void (*const documents[])(struct buf *) = {emit_reference, emit_grants};

    for (size_t d = 0; d < sizeof documents / sizeof documents[0]; d++) {
        char *z = emitted(documents[d]);
        for (size_t i = 0; i < routes_count(); i++) {
            CU_ASSERT_PTR_NOT_NULL(strstr(z, route_at(i)->row->id));
            CU_ASSERT_PTR_NOT_NULL(strstr(z, route_at(i)->full));
        }
        CU_ASSERT_PTR_NULL(strstr(z, "(null)"));
        free(z);
    }
}

static void
documents_have_closed_sets(void)
{
    char *errors = emitted(emit_errors), *labels = emitted(emit_metric_labels);

    CU_ASSERT_PTR_NOT_NULL(strstr(errors, "| 422 | `validation_failed` |"));
    CU_ASSERT_PTR_NULL(strstr(errors, "idempotency_replay`"));
    CU_ASSERT_PTR_NOT_NULL(strstr(labels, "- `course_list`\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(labels, "- `session_check`\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(labels, "- `default_read`: "));
    free(errors);
    free(labels);
}

static void
nginx_maps(void)
{
    char *pools = emitted(emit_nginx_pools), *limits = emitted(emit_nginx_limits);

    CU_ASSERT_PTR_NOT_NULL(strstr(pools, "    \"POST:/api/v1/auth/login\" lectern_auth;\n"));
    CU_ASSERT_PTR_NULL(strstr(pools, "/auth/refresh"));
    CU_ASSERT_PTR_NULL(strstr(pools, "/courses"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(limits, "    \"POST:/api/v1/auth/refresh\" $lectern_address_key;\n"));
    free(pools);
    free(limits);
}

int
main(void)
{
    static const struct unit_case cases[] = {
        {"rows keep the contract", rows_keep_the_contract},
        {"rows are found by id", rows_are_found_by_id},
        {"rows are found by path", rows_are_found_by_path},
        {"route: methods", route_methods},
        {"route: unknown paths", route_unknown_paths},
        {"route: parameters", route_parameters},
        {"roles by name", roles_by_name},
        {"formats", formats_check},
        {"openapi is strict JSON, twice the same", openapi_is_strict_json},
        {"documents name every row", documents_name_every_row},
        {"documents have closed sets", documents_have_closed_sets},
        {"nginx maps", nginx_maps},
        {NULL, NULL},
    };

    if (routes_build(stderr) != 0)
        return EXIT_FAILURE;
    return unit_main("api rows", cases);
}
