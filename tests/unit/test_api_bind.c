/* The binder: what is refused, where, and as what; all of it at once. And what the documents say of
 * rows that the program has none of yet. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/bind.h"
#include "api/emit.h"
#include "api/emit_parts.h"
#include "api/req.h"
#include "api/route.h"
#include "base/arena.h"
#include "unit.h"
#include "wire/json_in.h"

const struct pg_stmt *const sql_statements[] = {NULL};
const size_t sql_statement_count = 0;

struct things {
    struct uuid thing_id;
    struct text title;
    struct text note;
    struct text mail;
    struct text kind;
    int64_t n;
    bool flag;
    struct uuid owner;
    struct timestamp time;
    struct texts words;
    struct uuids ids;
    struct json_text json;
    int64_t page;
};

static const struct field things_fields[] = {
    FIELD(things, thing_id, .place = IN_PATH, .doc = "It"),
    FIELD(things, title, .required = true, .min = 1, .max = 5, .doc = "Its title"),
    FIELD(things, note, .format = FORMAT_MULTILINE, .nullable = true, .doc = "A note"),
    FIELD(things, mail, .max = 254, .format = FORMAT_EMAIL, .doc = "An address"),
    FIELD(things, kind, .choices = "a|bc", .preset = "bc", .doc = "A kind"),
    FIELD(things, n, .min = -1, .max = 5, .nullable = true, .doc = "A number"),
    FIELD(things, flag, .preset = "true", .doc = "A flag"),
    FIELD(things, owner, .doc = "An owner"),
    FIELD(things, time, .doc = "A time"),
    FIELD(things, words, .min = 1, .max = 2, .doc = "Words"),
    FIELD(things, ids, .max = 2, .doc = "Ids"),
    FIELD(things, json, .doc = "An object"),
    FIELD(things, page, .place = IN_QUERY, .min = 1, .max = 9, .preset = "3", .doc = "A page"),
};

static const struct field optional_fields[] = {FIELD(things, title, .max = 5, .doc = "Its title")};

static const struct pg_column columns[] = {{.name = "id", .type = PG_UUID},
                                           {.name = "created_at", .type = PG_TIME},
                                           {.name = "name", .type = PG_TEXT}};
static const struct pg_filter filters[] = {
    {"created_at", PG_TIME, "x.created_at", FILTER_GTE | FILTER_LTE},
    {"name", PG_TEXT, "x.name", FILTER_EQ | FILTER_NE | FILTER_IN},
    {"owner_id", PG_UUID, "x.owner_id", FILTER_EQ | FILTER_IN},
    {"small", PG_INT4, "x.small", FILTER_EQ},
    {"flag", PG_BOOL, "x.flag", FILTER_EQ},
    {"q", PG_TEXT, "(x.name = $V)", FILTER_SEARCH},
};
static const struct pg_sort sorts[] = {{"created_at", "x.created_at", PG_TIME, "created_at"},
                                       {"name", "x.name", PG_TEXT, "name"}};
static const struct pg_stmt list_stmt = {.name = "list",
                                         .text = "",
                                         .kind = STMT_LIST,
                                         .columns = columns,
                                         .ncolumns = 3,
                                         .filters = filters,
                                         .nfilters = 6,
                                         .sorts = sorts,
                                         .nsorts = 2,
                                         .key = "x.id"};
static const struct pg_param params[] = {
    {.name = "new_id", .type = PG_UUID},
    {.name = "title", .type = PG_TEXT},
    {.name = "sent_note", .type = PG_BOOL},
    {.name = "note", .type = PG_TEXT, .nullable = true},
    {.name = "kind", .type = PG_TEXT},
    {.name = "n", .type = PG_INT4, .nullable = true},
    {.name = "if_match", .type = PG_INT8, .nullable = true},
    {.name = "own_session", .type = PG_UUID},
};
static const struct pg_stmt write_stmt = {
    .name = "write", .text = "", .kind = STMT_WRITE, .params = params, .nparams = 8};

static const struct pg_column nested_columns[] = {{.name = "id", .type = PG_UUID},
                                                  {.name = "owner.id", .type = PG_UUID},
                                                  {.name = "owner.name", .type = PG_TEXT},
                                                  {.name = "tags", .type = PG_TEXTS},
                                                  {.name = "version", .type = PG_INT8}};
static const struct pg_stmt nested_stmt = {
    .name = "nested_get", .text = "", .columns = nested_columns, .ncolumns = 5, .kind = STMT_READ};
static const struct pg_stmt paid_stmt = {
    .name = "paid", .text = "", .columns = nested_columns, .ncolumns = 5, .kind = STMT_WRITE};

#define ROW(method_, path_, id_)                                                 \
    .method = METHOD_##method_, .path = (path_), .id = (id_), .auth = AUTH_USER, \
    .grant = GRANT_EVERYONE, .since = "0.1.0", .doc = "Do it."

static const struct endpoint rows[] = {
    {ROW(PUT, "/things/{thing_id}", "put"), .in = SHAPE(things, things_fields), .sql = &write_stmt},
    {ROW(POST, "/optional", "optional"), .in = SHAPE(things, optional_fields),
     .body = BODY_JSON_OPTIONAL, .sql = &write_stmt},
    {ROW(POST, "/csv", "csv"), .body = BODY_CSV},
    {ROW(GET, "/things/{thing_id}/{other_id}", "plain")},
    {ROW(GET, "/things", "list"), .sql = &list_stmt},
    {ROW(GET, "/unbounded", "unbounded"), .sql = &list_stmt, .unbounded = true},
    {ROW(GET, "/nested/{thing_id}/v1.0", "nested"), .sql = &nested_stmt, .pool = POOL_AUTH,
     .rate = RATE_AUTH, .gone = "2030-01-01T00:00:00Z"},
    {ROW(POST, "/paid", "paid"), .sql = &paid_stmt, .idempotency = IDEMPOTENCY_REQUIRED},
    {ROW(DELETE, "/paid", "unpaid"), .sql = &write_stmt, .if_match_needed = true},
    {ROW(GET, "/many", "many"), .reply = SHAPE(things, optional_fields), .reply_list = true},
};
static const struct domain domain = {"things", "Things", rows, sizeof rows / sizeof rows[0]};
const struct domain *const app_domains[] = {&domain};
const size_t app_domain_count = 1;

/* --- one request -------------------------------------------------------------------------- */

#define ID "0192f0c1-2d3e-7abc-8def-0123456789ab"

struct sent {
    const char *id;   /* of the row */
    const char *path; /* first path parameter; the second is always ID */
    const char *query;
    const char *body;
};

static struct arena *arena;
static struct wire_request http;
static struct req request;

static err
bind(struct sent s)
{
    arena_reset(arena);
    http = (struct wire_request){.query = text_of(s.query == NULL ? "" : s.query), .arena = arena};
    request = (struct req){.http = &http, .arena = arena, .route = route_by_id(s.id)};
    request.row = request.route->row;
    request.path[0] = text_of(s.path == NULL ? ID : s.path);
    request.path[1] = TEXT(ID);
    request.body = text_of(s.body == NULL ? "" : s.body);
    request.if_match = -1;
    return gate_bind(&request);
}

/* "/title length, /query/limit range" */
static const char *
violations(void)
{
    static char z[4096];
    size_t n = 0;

    z[0] = '\0';
    for (size_t i = 0; i < request.nviolations; i++) {
        const struct violation *v = &request.violations[i];
        n += (size_t)snprintf(z + n, sizeof z - n, "%s%s %s", i > 0 ? ", " : "", v->pointer,
                              v->code);
    }
    return z;
}

struct bind_case {
    struct sent sent;
    err want;
    const char *violations;
};

static void
bind_cases(const struct bind_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        err e = bind(cases[i].sent);
        const char *found = violations();
        bool good = e == cases[i].want &&
                    strcmp(found, cases[i].violations == NULL ? "" : cases[i].violations) == 0;
        if (!good)
            fprintf(stderr, "%s?%s %s: %s [%s]\n", cases[i].sent.id,
                    cases[i].sent.query == NULL ? "" : cases[i].sent.query,
                    cases[i].sent.body == NULL ? "" : cases[i].sent.body, err_info(e)->code, found);
        CU_ASSERT(good);
    }
}

#define CASES(table) bind_cases((table), sizeof(table) / sizeof(table)[0])
#define BODY(json)              \
    {                           \
        "put", NULL, NULL, json \
    }
#define TITLED(member)                                    \
    {                                                     \
        "put", NULL, NULL, "{\"title\":\"x\"," member "}" \
    }
#define LIST(query)               \
    {                             \
        "list", NULL, query, NULL \
    }

/* --- bodies ------------------------------------------------------------------------------- */

static const struct bind_case body_cases[] = {
    {BODY("{\"title\":\"x\"}"), E_OK, NULL},
    {BODY(""), E_BODY_MISSING, NULL},
    {BODY("{"), E_JSON_SYNTAX, NULL},
    {BODY("{\"title\":\"x\"} x"), E_JSON_SYNTAX, NULL},
    {BODY("{\"title\":\"x\",\"title\":\"y\"}"), E_JSON_SYNTAX, NULL},
    {BODY("[]"), E_VALIDATION, " type, /title required"},
    {BODY("null"), E_VALIDATION, " type, /title required"},
    {BODY("{}"), E_VALIDATION, "/title required"},
    {BODY("{\"title\":null}"), E_VALIDATION, "/title null"},
    {BODY("{\"title\":\"\"}"), E_VALIDATION, "/title length"},
    {BODY("{\"title\":\"12345\"}"), E_OK, NULL},
    {BODY("{\"title\":\"123456\"}"), E_VALIDATION, "/title length"},
    {BODY("{\"title\":\"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\"}"), E_OK, NULL},
    {BODY("{\"title\":\"a\xcc\x88\"}"), E_VALIDATION, "/title not_nfc"},
    {BODY("{\"title\":\"   \"}"), E_VALIDATION, "/title blank"},
    {BODY("{\"title\":\"a\\nb\"}"), E_VALIDATION, "/title control_character"},
    {BODY("{\"title\":5}"), E_VALIDATION, "/title type"},
    {BODY("{\"title\":[\"x\"]}"), E_VALIDATION, "/title type"},
    {TITLED("\"note\":\"a\\nb\""), E_OK, NULL},
    {TITLED("\"note\":null"), E_OK, NULL},
    {TITLED("\"note\":\"\""), E_OK, NULL},
    {TITLED("\"mail\":\"A@Example.Org\""), E_OK, NULL},
    {TITLED("\"mail\":\"a\""), E_VALIDATION, "/mail email"},
    {TITLED("\"kind\":\"a\""), E_OK, NULL},
    {TITLED("\"kind\":\"b\""), E_VALIDATION, "/kind choice"},
    {TITLED("\"kind\":\"a|bc\""), E_VALIDATION, "/kind choice"},
    {TITLED("\"n\":-1"), E_OK, NULL},
    {TITLED("\"n\":-2"), E_VALIDATION, "/n range"},
    {TITLED("\"n\":5"), E_OK, NULL},
    {TITLED("\"n\":6"), E_VALIDATION, "/n range"},
    {TITLED("\"n\":1.0"), E_VALIDATION, "/n type"},
    {TITLED("\"n\":\"1\""), E_VALIDATION, "/n type"},
    {TITLED("\"n\":99999999999999999999"), E_JSON_SYNTAX, NULL},
    {TITLED("\"flag\":false"), E_OK, NULL},
    {TITLED("\"flag\":0"), E_VALIDATION, "/flag type"},
    {TITLED("\"flag\":null"), E_VALIDATION, "/flag null"},
    {TITLED("\"owner\":\"" ID "\""), E_OK, NULL},
    {TITLED("\"owner\":\"x\""), E_VALIDATION, "/owner uuid"},
    {TITLED("\"time\":\"2026-01-02T03:04:05Z\""), E_OK, NULL},
    {TITLED("\"time\":\"2026-02-30T03:04:05Z\""), E_VALIDATION, "/time timestamp"},
    {TITLED("\"words\":[\"a\",\"b\"]"), E_OK, NULL},
    {TITLED("\"words\":[]"), E_VALIDATION, "/words items"},
    {TITLED("\"words\":[\"a\",\"b\",\"c\"]"), E_VALIDATION, "/words items"},
    {TITLED("\"words\":[\"\",5]"), E_VALIDATION, "/words/0 length, /words/1 type"},
    {TITLED("\"words\":\"a\""), E_VALIDATION, "/words type"},
    {TITLED("\"ids\":[]"), E_OK, NULL},
    {TITLED("\"ids\":[\"" ID "\",\"x\"]"), E_VALIDATION, "/ids/1 uuid"},
    {TITLED("\"json\":{\"a\":[1]}"), E_OK, NULL},
    {TITLED("\"json\":[1]"), E_VALIDATION, "/json type"},
    {TITLED("\"nothing\":1"), E_VALIDATION, "/nothing unknown"},
    {TITLED("\"a/b~c\":1"), E_VALIDATION, "/a~1b~0c unknown"},
    {TITLED("\"page\":1"), E_VALIDATION, "/page unknown"},
    {TITLED("\"thing_id\":1"), E_VALIDATION, "/thing_id unknown"},
    {{"put", "x", "page=0&more=1", "{\"n\":9,\"kind\":\"z\"}"},
     E_VALIDATION,
     "/path/thing_id uuid, /query/page range, /query/more unknown, /n range, /kind choice, "
     "/title required"},
};

static void
bodies(void)
{
    CASES(body_cases);
}

static const struct bind_case other_cases[] = {
    {{"optional", NULL, NULL, NULL}, E_OK, NULL},
    {{"optional", NULL, NULL, "{}"}, E_OK, NULL},
    {{"optional", NULL, NULL, "{\"title\":\"123456\"}"}, E_VALIDATION, "/title length"},
    {{"optional", NULL, NULL, "x"}, E_JSON_SYNTAX, NULL},
    {{"csv", NULL, NULL, NULL}, E_BODY_MISSING, NULL},
    {{"csv", NULL, NULL, "email\n"}, E_OK, NULL},
    {{"csv", NULL, "x=1", "email\n"}, E_VALIDATION, "/query/x unknown"},
    {{"plain", NULL, NULL, NULL}, E_OK, NULL},
    {{"plain", NULL, NULL, "{}"}, E_BODY_UNEXPECTED, NULL},
    {{"plain", "x", NULL, NULL}, E_VALIDATION, "/path/thing_id uuid"},
    {{"plain", "", NULL, NULL}, E_VALIDATION, "/path/thing_id uuid"},
    {{"plain", NULL, "limit=5", NULL}, E_VALIDATION, "/query/limit unknown"},
    {{"plain", NULL, "a=%zz", NULL}, E_QUERY_SYNTAX, NULL},
    {{"plain", NULL, "a=%00", NULL}, E_QUERY_SYNTAX, NULL},
    {{"put", NULL, "page=9", "{\"title\":\"x\"}"}, E_OK, NULL},
    {{"put", NULL, "page=1.5", "{\"title\":\"x\"}"}, E_VALIDATION, "/query/page type"},
    {{"put", NULL, "page=", "{\"title\":\"x\"}"}, E_VALIDATION, "/query/page type"},
    {{"put", NULL, "page=1&page=1", "{\"title\":\"x\"}"}, E_VALIDATION, "/query/page repeated"},
    {{"put", NULL, "title=x", "{\"title\":\"x\"}"}, E_VALIDATION, "/query/title unknown"},
};

static void
bodies_paths_and_queries(void)
{
    CASES(other_cases);
}

/* --- lists -------------------------------------------------------------------------------- */

static const struct bind_case list_cases[] = {
    {LIST(""), E_OK, NULL},
    {LIST("limit=1&offset=0"), E_OK, NULL},
    {LIST("limit=0"), E_VALIDATION, "/query/limit range"},
    {LIST("limit=ten"), E_VALIDATION, "/query/limit range"},
    {LIST("limit=5&limit=5"), E_VALIDATION, "/query/limit repeated"},
    {LIST("offset=-1"), E_VALIDATION, "/query/offset range"},
    {LIST("count=exact"), E_OK, NULL},
    {LIST("count=1"), E_VALIDATION, "/query/count choice"},
    {LIST("sort=name,-created_at"), E_OK, NULL},
    {LIST("sort="), E_VALIDATION, "/query/sort choice"},
    {LIST("sort=name,name"), E_VALIDATION, "/query/sort choice"},
    {LIST("sort=name,-name"), E_VALIDATION, "/query/sort choice"},
    {LIST("sort=id"), E_VALIDATION, "/query/sort choice"},
    {LIST("sort=name;drop%20table"), E_VALIDATION, "/query/sort choice"},
    {LIST("cursor=x&offset=1"), E_VALIDATION, "/query/cursor exclusive"},
    {LIST("cursor=x&sort=name,created_at"), E_VALIDATION, "/query/cursor exclusive"},
    {LIST("created_at[gte]=2026-01-01T00:00:00Z"), E_OK, NULL},
    {LIST("created_at%5Blte%5D=2026-01-01T00:00:00Z"), E_OK, NULL},
    {LIST("created_at[gte]=yesterday"), E_VALIDATION, "/query/created_at[gte] type"},
    {LIST("created_at=2026-01-01T00:00:00Z"), E_VALIDATION, "/query/created_at unknown"},
    {LIST("created_at[in]=1"), E_VALIDATION, "/query/created_at[in] unknown"},
    {LIST("created_at[GTE]=1"), E_VALIDATION, "/query/created_at[GTE] unknown"},
    {LIST("name=a&name[ne]=b&name[in]=c,d"), E_OK, NULL},
    {LIST("name="), E_VALIDATION, "/query/name type"},
    {LIST("name[in]=a,,b"), E_VALIDATION, "/query/name[in] type"},
    {LIST("nam=a"), E_VALIDATION, "/query/nam unknown"},
    {LIST("names=a"), E_VALIDATION, "/query/names unknown"},
    {LIST("owner_id=" ID), E_OK, NULL},
    {LIST("owner_id=1"), E_VALIDATION, "/query/owner_id type"},
    {LIST("owner_id[in]=" ID "," ID), E_OK, NULL},
    {LIST("owner_id[in]=" ID ",x"), E_VALIDATION, "/query/owner_id[in] type"},
    {LIST("small=2147483647"), E_OK, NULL},
    {LIST("small=2147483648"), E_VALIDATION, "/query/small type"},
    {LIST("flag=true"), E_OK, NULL},
    {LIST("flag=yes"), E_VALIDATION, "/query/flag type"},
    {LIST("q=%25'%3B--"), E_OK, NULL},
    {LIST("q[in]=a"), E_VALIDATION, "/query/q[in] unknown"},
};

static void
lists(void)
{
    CASES(list_cases);
}

static bool
list_takes(const char *name, int64_t value)
{
    char query[64];

    snprintf(query, sizeof query, "%s=%lld", name, (long long)value);
    return bind((struct sent){"list", NULL, query, NULL}) == E_OK;
}

static bool
list_takes_text(const char *name, const char *unit, size_t times)
{
    char query[8192];
    size_t n = (size_t)snprintf(query, sizeof query, "%s=", name);

    for (size_t i = 0; i < times; i++)
        n += (size_t)snprintf(query + n, sizeof query - n, "%s", unit);
    if (query[n - 1] == ',')
        query[n - 1] = '\0';
    return bind((struct sent){"list", NULL, query, NULL}) == E_OK;
}

/* What the documents say of lists is what the binder does. */
static void
lists_as_documented(void)
{
    CU_ASSERT(list_takes("limit", LIST_LIMIT_MAX));
    CU_ASSERT_FALSE(list_takes("limit", LIST_LIMIT_MAX + 1));
    CU_ASSERT(list_takes("offset", LIST_OFFSET_MAX));
    CU_ASSERT_FALSE(list_takes("offset", LIST_OFFSET_MAX + 1));
    CU_ASSERT(list_takes_text("name", "x", FACTS_FILTER_TEXT_MAX));
    CU_ASSERT_FALSE(list_takes_text("name", "x", FACTS_FILTER_TEXT_MAX + 1));
    CU_ASSERT(list_takes_text("name[in]", "x,", FACTS_IN_MAX));
    CU_ASSERT_FALSE(list_takes_text("name[in]", "x,", FACTS_IN_MAX + 1));
    CU_ASSERT_EQUAL(bind((struct sent){"list", NULL, "", NULL}), E_OK);
    CU_ASSERT_EQUAL(request.list.limit, LIST_LIMIT_DEFAULT);
    CU_ASSERT_EQUAL(request.list.pg.limit, LIST_LIMIT_DEFAULT + 1);
    CU_ASSERT(request.list.count);
    CU_ASSERT_EQUAL(bind((struct sent){"unbounded", NULL, "", NULL}), E_OK);
    CU_ASSERT_FALSE(request.list.count);
    CU_ASSERT_EQUAL(bind((struct sent){"unbounded", NULL, "count=exact", NULL}), E_OK);
    CU_ASSERT(request.list.count);
}

/* Every spelling that the documents give a filter is known, and no other. */
static void
filters_as_documented(void)
{
    for (size_t i = 0; i < list_stmt.nfilters; i++) {
        for (const struct filter_form *form = filter_forms; form->suffix != NULL; form++) {
            char name[64];
            bool search = (filters[i].ops & FILTER_SEARCH) != 0 && form->suffix[0] == '\0';
            snprintf(name, sizeof name, "%s%s", filters[i].name, form->suffix);
            CU_ASSERT_EQUAL(bind_list_knows(&list_stmt, text_of(name)),
                            (filters[i].ops & form->op) != 0 || search ||
                                ((filters[i].ops & FILTER_EQ) != 0 && form->suffix[0] == '\0'));
        }
    }
}

/* --- values ------------------------------------------------------------------------------- */

static void
values_are_bound(void)
{
    const struct things *in;

    CU_ASSERT_EQUAL(bind((struct sent){"put", NULL, NULL,
                                       "{\"title\":\"x\",\"mail\":\"A@Example.Org\",\"n\":null}"}),
                    E_OK);
    in = request.in;
    CU_ASSERT(text_eq(in->title, TEXT("x")));
    CU_ASSERT(text_eq(in->mail, TEXT("a@example.org")));
    CU_ASSERT(text_eq(in->kind, TEXT("bc")));
    CU_ASSERT(in->flag);
    CU_ASSERT_EQUAL(in->page, 3);
    CU_ASSERT_PTR_NULL(in->note.p);
    CU_ASSERT(req_sent(&request, offsetof(struct things, n)));
    CU_ASSERT(req_sent(&request, offsetof(struct things, title)));
    CU_ASSERT_FALSE(req_sent(&request, offsetof(struct things, note)));
    CU_ASSERT_FALSE(req_sent(&request, offsetof(struct things, kind)));
}

static void
values_reach_the_statement(void)
{
    const struct pg_value *v;

    CU_ASSERT_EQUAL(bind((struct sent){"put", NULL, NULL, "{\"title\":\"x\",\"note\":null}"}),
                    E_OK);
    request.new_id = uuid_v7();
    request.claims.session = uuid_v7();
    v = bind_values(&request, &write_stmt, request.route->sql_source);
    CU_ASSERT_EQUAL(v[0].len, 16);
    CU_ASSERT_EQUAL(memcmp(v[0].p, request.new_id.b, 16), 0);
    CU_ASSERT_EQUAL(v[1].len, 1);
    CU_ASSERT_EQUAL(v[1].p[0], 'x');
    CU_ASSERT_EQUAL(v[2].p[0], 1);
    CU_ASSERT_PTR_NULL(v[3].p);
    CU_ASSERT_EQUAL(v[4].len, 2);
    CU_ASSERT_PTR_NULL(v[5].p);
    CU_ASSERT_PTR_NULL(v[6].p);
    CU_ASSERT_EQUAL(bind((struct sent){"put", NULL, NULL, "{\"title\":\"x\",\"n\":4}"}), E_OK);
    request.if_match = 7;
    v = bind_values(&request, &write_stmt, request.route->sql_source);
    CU_ASSERT_EQUAL(v[2].p[0], 0);
    CU_ASSERT_EQUAL(v[5].len, 4);
    CU_ASSERT_EQUAL(v[5].p[3], 4);
    CU_ASSERT_EQUAL(v[6].len, 8);
    CU_ASSERT_EQUAL(v[6].p[7], 7);
    CU_ASSERT_EQUAL(v[7].len, 16);
    CU_ASSERT_EQUAL(memcmp(v[7].p, request.claims.session.b, 16), 0);
}

/* --- documents ------------------------------------------------------------------------------- */

static char *
emitted(void (*emit)(struct buf *))
{
    struct buf b;
    char *z;

    buf_init(&b, 65536, (size_t)16 << 20);
    emit(&b);
    CU_ASSERT_FALSE(b.overflow);
    z = strndup(b.p, b.len);
    buf_free(&b);
    return z;
}

#define HAS(z, part) CU_ASSERT_PTR_NOT_NULL(strstr((z), (part)))

static void
documents_of_odd_rows(void)
{
    struct json_limits limits = {64, 100000, 100000, 1 << 20};
    char *z = emitted(emit_openapi);

    arena_reset(arena);
    CU_ASSERT_EQUAL(json_scan(arena, text_of(z), &limits, NULL), E_OK);
    HAS(z, "\"owner\":{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"string\",");
    HAS(z, "\"required\":[\"id\",\"owner\",\"tags\",\"version\"]");
    HAS(z, "\"required\":[\"id\",\"name\"]");
    HAS(z, "{\"$ref\":\"#/components/parameters/idempotency_key_needed\"}");
    HAS(z, "{\"$ref\":\"#/components/parameters/if_match_needed\"}");
    HAS(z, "\"precondition_required\"");
    HAS(z, "\"idempotency_key_missing\"");
    HAS(z, "\"deprecated\":true");
    HAS(z, "\"Sunset\":{\"$ref\":\"#/components/headers/Sunset\"}");
    HAS(z, "\"data\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/things\"}}");
    HAS(z, "\"text/csv\":{\"schema\":{\"type\":\"string\"}}");
    HAS(z, "\"default\":3}");
    HAS(z, "\"default\":true,");
    free(z);
}

static void
nginx_maps_of_odd_rows(void)
{
    char *pools = emitted(emit_nginx_pools), *limits = emitted(emit_nginx_limits);

    HAS(pools, "    \"~^GET:/api/v1/nested/[^/]+/v1\\.0\\z\" lectern_auth;\n"
               "    \"~^HEAD:/api/v1/nested/[^/]+/v1\\.0\\z\" lectern_auth;\n}");
    HAS(limits, "    \"~^HEAD:/api/v1/nested/[^/]+/v1\\.0\\z\" $lectern_address_key;\n");
    free(pools);
    free(limits);
}

int
main(void)
{
    static const struct unit_case cases[] = {
        {"bodies", bodies},
        {"bodies, paths and queries", bodies_paths_and_queries},
        {"lists", lists},
        {"lists as documented", lists_as_documented},
        {"filters as documented", filters_as_documented},
        {"values are bound", values_are_bound},
        {"values reach the statement", values_reach_the_statement},
        {"documents of odd rows", documents_of_odd_rows},
        {"nginx maps of odd rows", nginx_maps_of_odd_rows},
        {NULL, NULL},
    };
    FILE *sink = fopen("/dev/null", "w");
    int status;

    /* Two rows lack fields of their statement; nothing is made of it here. */
    if (sink == NULL || routes_build(sink) != 2)
        return EXIT_FAILURE;
    fclose(sink);
    arena = arena_new((size_t)16 << 20);
    status = unit_main("api bind", cases);
    arena_free(arena);
    return status;
}
