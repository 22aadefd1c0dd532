/* Rows that break the contract, each in one way: the check must find every one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/emit.h"
#include "api/req.h"
#include "api/route.h"
#include "unit.h"

const struct pg_stmt *const sql_statements[] = {NULL};
const size_t sql_statement_count = 0;

struct things {
    struct uuid thing_id;
    struct text title;
    struct text password;
    int64_t n;
    bool flag;
    struct json_text json;
    struct texts words;
};

static const struct field answer_fields[] = {FIELD(things, title, .doc = "A title")};
static const struct field bad_answer_fields[] = {FIELD(things, title, .required = true)};
static const struct field title_fields[] = {FIELD(things, title, .min = 1, .doc = "A title")};
static const struct field twice_fields[] = {FIELD(things, title, .doc = "A title"),
                                            FIELD(things, title, .doc = "It again")};
static const struct field needed_fields[] = {
    FIELD(things, title, .required = true, .doc = "A title")};
static const struct field wide_fields[] = {
    FIELD(things, n, .place = IN_QUERY, .max = 9, .doc = "A number"),
    FIELD(things, title, .place = IN_QUERY, .doc = "A title")};
static const struct field right_fields[] = {
    FIELD(things, password, .min = 8, .max = 128, .sensitive = true, .doc = "Secret")};
static struct field many_fields[65];

/* Shapes and lists that rows point to, alive as long as the program. */
static const struct shape *const answer_shape = SHAPE(things, answer_fields);
static const struct shape *const bad_answer_shape = SHAPE(things, bad_answer_fields);
static const struct shape *const title_shape = SHAPE(things, title_fields);
static const struct shape *const twice_shape = SHAPE(things, twice_fields);
static const struct shape *const needed_shape = SHAPE(things, needed_fields);
static const struct shape *const right_shape = SHAPE(things, right_fields);
static const struct shape *const wide_shape = SHAPE(things, wide_fields);
static const struct shape *const many_shape = SHAPE(things, many_fields);
static const err gate_fails[] = {E_VALIDATION, E_OK};
static const err twice_fails[] = {E_CONFLICT, E_IN_USE, E_CONFLICT, E_OK};
static const err unknown_fails[] = {(err)(E_COUNT + 3), E_OK};
static const err never_fails[] = {E_IDEMPOTENCY_REPLAY, E_OK};
static const err good_fails[] = {E_CONFLICT, E_IN_USE, E_OK};

static const struct pg_column id_columns[] = {{.name = "id", .type = PG_UUID},
                                              {.name = "created_at", .type = PG_TIME}};
static const struct pg_column name_columns[] = {
    {.name = "name", .type = PG_TEXT, .nullable = true}};
static const struct pg_param title_params[] = {{.name = "title", .type = PG_TEXT}};
static const struct pg_param number_params[] = {
    {.name = "title", .type = PG_INT8, .nullable = true}};
static const struct pg_param lost_params[] = {{.name = "nowhere", .type = PG_TEXT}};
static const struct pg_param session_params[] = {{.name = "own_session", .type = PG_UUID}};
static const struct pg_param match_params[] = {{.name = "if_match", .type = PG_INT8}};
static const struct pg_filter time_filters[] = {
    {"created_at", PG_TIME, "x.created_at", FILTER_GTE | FILTER_LTE}};
static const struct pg_filter sort_filters[] = {{"sort", PG_TEXT, "x.sort", FILTER_EQ},
                                                {"created_at", PG_TIME, "x.created_at", 0}};
static const struct pg_sort time_sorts[] = {{"created_at", "x.created_at", PG_TIME, "created_at"}};
static const struct pg_sort name_sorts[] = {{"name", "x.name", PG_TEXT, "name"}};

static const struct pg_stmt read_stmt = {
    .name = "read", .text = "", .kind = STMT_READ, .columns = id_columns, .ncolumns = 2};
static const struct pg_stmt write_stmt = {.name = "write", .text = "", .kind = STMT_WRITE};
static const struct pg_stmt title_stmt = {
    .name = "titled", .text = "", .kind = STMT_WRITE, .params = title_params, .nparams = 1};
static const struct pg_stmt number_stmt = {
    .name = "numbered", .text = "", .kind = STMT_WRITE, .params = number_params, .nparams = 1};
static const struct pg_stmt lost_stmt = {
    .name = "lost", .text = "", .kind = STMT_WRITE, .params = lost_params, .nparams = 1};
static const struct pg_stmt match_stmt = {
    .name = "matched", .text = "", .kind = STMT_WRITE, .params = match_params, .nparams = 1};
static const struct pg_stmt session_stmt = {
    .name = "sessioned", .text = "", .kind = STMT_WRITE, .params = session_params, .nparams = 1};
static const struct pg_stmt list_stmt = {.name = "list",
                                         .text = "",
                                         .kind = STMT_LIST,
                                         .columns = id_columns,
                                         .ncolumns = 2,
                                         .filters = time_filters,
                                         .nfilters = 1,
                                         .sorts = time_sorts,
                                         .nsorts = 1,
                                         .key = "x.id"};
static const struct pg_stmt bare_list_stmt = {
    .name = "bare", .text = "", .kind = STMT_LIST, .columns = id_columns, .ncolumns = 2};
static const struct pg_stmt name_list_stmt = {.name = "named",
                                              .text = "",
                                              .kind = STMT_LIST,
                                              .columns = name_columns,
                                              .ncolumns = 1,
                                              .filters = sort_filters,
                                              .nfilters = 2,
                                              .sorts = name_sorts,
                                              .nsorts = 1,
                                              .key = "x.id"};

static err
run_nothing(struct req *r, const void *in)
{
    (void)r;
    (void)in;
    return E_OK;
}

/* --- whole rows --------------------------------------------------------------------------- */

/* Each case takes a good row of a method and spoils it. */
struct row_case {
    enum wire_method method;
    void (*spoil)(struct endpoint *e);
    const char *want; /* part of the fault; NULL: there is none */
};

#define SPOIL(name, ...)                         \
    static void spoil_##name(struct endpoint *e) \
    {                                            \
        __VA_ARGS__;                             \
    }

SPOIL(nothing, (void)e)
SPOIL(id, e->id = "Case-1")
SPOIL(no_id, e->id = "")
SPOIL(doc, e->doc = NULL)
SPOIL(doc_stop, e->doc = "Without a stop")
SPOIL(doc_case, e->doc = "small letters.")
SPOIL(since, e->since = NULL)
SPOIL(since_form, e->since = "0.1")
SPOIL(method, e->method = METHOD_HEAD)
SPOIL(path_case, e->path = "/Upper")
SPOIL(path_end, e->path = "/ends/")
SPOIL(path_name, e->path = "/named/{slug}")
SPOIL(path_part, e->path = "/part-{thing_id}")
SPOIL(path_twice, e->path = "/twice/{thing_id}/{thing_id}")
SPOIL(path_many, e->path = "/many/{a_id}/{b_id}/{c_id}/{d_id}/{e_id}")
SPOIL(auth, e->auth = 0)
SPOIL(grant, e->grant = 0)
SPOIL(grant_bits, e->grant = 1024)
SPOIL(grant_public, e->grant = GRANT_EVERYONE | GRANT_PUBLIC)
SPOIL(grant_anyone, e->auth = AUTH_ANYONE)
SPOIL(both, e->sql = &read_stmt)
SPOIL(neither, e->run = NULL)
SPOIL(no_reply, e->reply = NULL)
SPOIL(two_replies, e->produces = "text/plain")
SPOIL(sql_reply, e->run = NULL; e->sql = &read_stmt)
SPOIL(reply_list, e->reply = NULL; e->reply_sql = &read_stmt; e->reply_list = true)
SPOIL(produces, e->reply = NULL; e->produces = "text")
SPOIL(status, e->status = 302)
SPOIL(get_status, e->status = 201)
SPOIL(status_204, e->status = 204)
SPOIL(status_columns, e->run = NULL; e->reply = NULL; e->sql = &write_stmt; e->status = 200)
SPOIL(location, e->location = "/things/{id}")
SPOIL(location_lost, e->status = 201; e->location = "/nowhere/{id}")
SPOIL(get_write, e->run = NULL; e->reply = NULL; e->sql = &title_stmt)
SPOIL(post_read, e->run = NULL; e->reply = NULL; e->sql = &read_stmt)
SPOIL(param_lost, e->run = NULL; e->reply = NULL; e->sql = &lost_stmt)
SPOIL(param_type, e->in = title_shape; e->run = NULL; e->reply = NULL; e->sql = &number_stmt)
SPOIL(param_optional, e->in = title_shape; e->run = NULL; e->reply = NULL; e->sql = &title_stmt)
SPOIL(param_match, e->run = NULL; e->reply = NULL; e->sql = &match_stmt)
SPOIL(probe_write, e->probe = &write_stmt)
SPOIL(unbounded, e->unbounded = true)
SPOIL(list_bare, e->run = NULL; e->reply = NULL; e->sql = &bare_list_stmt)
SPOIL(list_names, e->run = NULL; e->reply = NULL; e->sql = &name_list_stmt)
SPOIL(in_get, e->in = title_shape)
SPOIL(in_csv, e->in = title_shape; e->body = BODY_CSV)
SPOIL(csv_get, e->body = BODY_CSV)
SPOIL(in_twice, e->in = twice_shape)
SPOIL(in_many, e->in = many_shape)
SPOIL(in_optional, e->in = needed_shape; e->body = BODY_JSON_OPTIONAL)
SPOIL(in_none, e->body = BODY_JSON_OPTIONAL)
SPOIL(reply_doc, e->reply = bad_answer_shape)
SPOIL(audit, e->audit.target = "new")
SPOIL(audit_words, e->audit = ((struct audit_rule){"thing", "thing", "new"}))
SPOIL(audit_target, e->audit = ((struct audit_rule){"thing.delete", "thing", "thing_id"}))
SPOIL(audit_get, e->audit = ((struct audit_rule){"thing.read", "thing", NULL}))
SPOIL(audit_nobody, e->auth = AUTH_ANYONE; e->grant = GRANT_PUBLIC;
      e->audit = ((struct audit_rule){"thing.make", "thing", NULL}))
SPOIL(audit_joined, e->auth = AUTH_ANYONE; e->grant = GRANT_PUBLIC;
      e->audit = ((struct audit_rule){"thing.join", "thing", "new"}))
SPOIL(audit_session, e->auth = AUTH_ANYONE; e->grant = GRANT_PUBLIC;
      e->audit = ((struct audit_rule){"thing.start", "thing", "session"});
      e->event = ((struct event_rule){"thing.started", "thing", "session", NULL}))
SPOIL(own_session, e->run = NULL; e->reply = NULL; e->sql = &session_stmt)
SPOIL(nobodys_session, e->run = NULL; e->reply = NULL; e->sql = &session_stmt;
      e->auth = AUTH_ANYONE; e->grant = GRANT_PUBLIC)
SPOIL(no_audit, e->audit.action = NULL)
SPOIL(no_audit_role, e->path = "/things/{thing_id}/role")
SPOIL(no_audit_field, e->in = right_shape)
SPOIL(unaudited_word, e->audit.action = NULL; e->unaudited = "because")
SPOIL(unaudited_both, e->unaudited = "It is.")
SPOIL(event, e->event.subject = "new")
SPOIL(event_words, e->event = ((struct event_rule){"made", "thing", "new", NULL}))
SPOIL(event_subject, e->event = ((struct event_rule){"thing.made", "thing", "other_id", NULL}))
SPOIL(event_course, e->event = ((struct event_rule){"thing.made", "thing", "new", "course_id"}))
SPOIL(event_get, e->event = ((struct event_rule){"thing.read", "thing", NULL, NULL}))
SPOIL(fails_gate, e->fails = gate_fails)
SPOIL(fails_twice, e->fails = twice_fails)
SPOIL(fails_unknown, e->fails = unknown_fails)
SPOIL(fails_never, e->fails = never_fails)
SPOIL(refresh, e->auth = AUTH_REFRESH; e->grant = GRANT_PUBLIC)
SPOIL(rate, e->rate = RATE_GLOBAL)
SPOIL(pool, e->pool = (enum pool_kind)7)
SPOIL(body_max, e->body_max = -1)
SPOIL(idempotency, e->idempotency = IDEMPOTENCY_NONE)
SPOIL(key, e->auth = AUTH_ANYONE; e->grant = GRANT_PUBLIC; e->idempotency = IDEMPOTENCY_REQUIRED)
SPOIL(cache, e->cache = CACHE_PUBLIC)
SPOIL(match, e->if_match_needed = true)
SPOIL(gone, e->gone = "next year")
SPOIL(factor, e->second_factor = (enum second_factor_kind)7)
SPOIL(factor_anyone, e->auth = AUTH_ANYONE; e->grant = GRANT_PUBLIC;
      e->second_factor = SECOND_FACTOR_EXEMPT)
/* Good ones, so that the check is not one that says no to everything. */
SPOIL(csv_row, e->csv = "things.csv")
SPOIL(csv_name, e->run = NULL; e->reply = NULL; e->sql = &list_stmt; e->produces = "text/csv";
      e->csv = "X")
SPOIL(good_csv, e->run = NULL; e->reply = NULL; e->sql = &list_stmt; e->produces = "text/csv";
      e->csv = "x.csv")
SPOIL(good_list, e->run = NULL; e->reply = NULL; e->sql = &list_stmt; e->unbounded = true)
SPOIL(good_query, e->in = wide_shape)
SPOIL(good_write, e->in = needed_shape; e->run = NULL; e->reply = NULL; e->sql = &title_stmt)
SPOIL(good_fails, e->fails = good_fails)
SPOIL(good_unaudited, e->audit = ((struct audit_rule){NULL, NULL, NULL});
      e->unaudited = "Its statement writes the row.")
SPOIL(good_gone, e->gone = "2030-01-01T00:00:00Z")
SPOIL(good_match, e->run = NULL; e->reply = NULL; e->sql = &match_stmt; e->if_match_needed = true)

static const struct row_case row_cases[] = {
    {METHOD_GET, spoil_nothing, NULL},
    {METHOD_POST, spoil_nothing, NULL},
    {METHOD_DELETE, spoil_nothing, NULL},
    {METHOD_GET, spoil_good_list, NULL},
    {METHOD_GET, spoil_good_csv, NULL},
    {METHOD_GET, spoil_csv_row, "csv is for a list"},
    {METHOD_GET, spoil_csv_name, "csv is not the name"},
    {METHOD_GET, spoil_good_query, NULL},
    {METHOD_POST, spoil_good_write, NULL},
    {METHOD_POST, spoil_good_fails, NULL},
    {METHOD_GET, spoil_good_gone, NULL},
    {METHOD_PATCH, spoil_good_match, NULL},
    {METHOD_GET, spoil_id, "snake_case"},
    {METHOD_GET, spoil_no_id, "snake_case"},
    {METHOD_GET, spoil_doc, "doc is not a sentence"},
    {METHOD_GET, spoil_doc_stop, "doc is not a sentence"},
    {METHOD_GET, spoil_doc_case, "doc is not a sentence"},
    {METHOD_GET, spoil_since, "since is not"},
    {METHOD_GET, spoil_since_form, "since is not"},
    {METHOD_GET, spoil_method, "the method is none"},
    {METHOD_GET, spoil_path_case, "the path is not made of"},
    {METHOD_GET, spoil_path_end, "the path is not made of"},
    {METHOD_GET, spoil_path_name, "slug is neither"},
    {METHOD_GET, spoil_path_part, "not a whole segment"},
    {METHOD_GET, spoil_path_twice, "named twice"},
    {METHOD_GET, spoil_path_many, "5 parameters, of which 4"},
    {METHOD_GET, spoil_auth, "auth is not set"},
    {METHOD_GET, spoil_grant, "grant is not"},
    {METHOD_GET, spoil_grant_bits, "grant is not"},
    {METHOD_GET, spoil_grant_public, "GRANT_PUBLIC is not"},
    {METHOD_GET, spoil_grant_anyone, "GRANT_PUBLIC alone"},
    {METHOD_GET, spoil_both, "exactly one of sql and run"},
    {METHOD_GET, spoil_neither, "exactly one of sql and run"},
    {METHOD_GET, spoil_no_reply, "one of reply, reply_sql and produces"},
    {METHOD_GET, spoil_two_replies, "one of reply, reply_sql and produces"},
    {METHOD_GET, spoil_sql_reply, "answers with its columns"},
    {METHOD_GET, spoil_reply_list, "reply_list"},
    {METHOD_GET, spoil_produces, "media type"},
    {METHOD_POST, spoil_status, "not one of success"},
    {METHOD_GET, spoil_get_status, "a GET answers 200"},
    {METHOD_POST, spoil_status_204, "status 204 has no reply"},
    {METHOD_POST, spoil_status_columns, "needs columns"},
    {METHOD_POST, spoil_location, "location is for status 201"},
    {METHOD_POST, spoil_location_lost, "served by no GET"},
    {METHOD_GET, spoil_get_write, "a GET does not write"},
    {METHOD_POST, spoil_post_read, "kind write"},
    {METHOD_POST, spoil_param_lost, "the row does not give"},
    {METHOD_POST, spoil_param_type, "in another type"},
    {METHOD_POST, spoil_param_optional, "may be left out"},
    {METHOD_PATCH, spoil_param_match, "may be left out"},
    {METHOD_POST, spoil_probe_write, "the probe is not a read"},
    {METHOD_GET, spoil_unbounded, "unbounded is for lists"},
    {METHOD_GET, spoil_list_bare, "no key"},
    {METHOD_GET, spoil_list_bare, "no sort"},
    {METHOD_GET, spoil_list_bare, "created_at and no filter"},
    {METHOD_GET, spoil_list_names, "no column id"},
    {METHOD_GET, spoil_list_names, "never null"},
    {METHOD_GET, spoil_list_names, "parameter of every list"},
    {METHOD_GET, spoil_list_names, "admits no comparison"},
    {METHOD_GET, spoil_in_get, "no JSON body"},
    {METHOD_POST, spoil_in_csv, "no JSON body"},
    {METHOD_GET, spoil_csv_get, "a CSV body"},
    {METHOD_POST, spoil_in_twice, "declared twice"},
    {METHOD_POST, spoil_in_many, "more than 64"},
    {METHOD_POST, spoil_in_optional, "required in a body that is not"},
    {METHOD_POST, spoil_in_none, "an optional body has fields"},
    {METHOD_GET, spoil_reply_doc, "has no doc"},
    {METHOD_GET, spoil_reply_doc, "are for input"},
    {METHOD_POST, spoil_audit, "an audit rule has an action"},
    {METHOD_POST, spoil_audit_words, "an action like"},
    {METHOD_POST, spoil_audit_target, "audit target thing_id"},
    {METHOD_GET, spoil_audit_get, "audit is for"},
    {METHOD_DELETE, spoil_no_audit, "is audited"},
    {METHOD_PUT, spoil_no_audit_role, "is audited"},
    {METHOD_GET, spoil_no_audit_role, NULL},
    {METHOD_POST, spoil_no_audit_field, "is audited"},
    {METHOD_DELETE, spoil_unaudited_word, "unaudited is a sentence"},
    {METHOD_DELETE, spoil_unaudited_both, "unaudited is a sentence"},
    {METHOD_DELETE, spoil_good_unaudited, NULL},
    {METHOD_POST, spoil_audit_nobody, "audit is for"},
    {METHOD_POST, spoil_audit_joined, NULL},
    {METHOD_POST, spoil_audit_session, NULL},
    {METHOD_POST, spoil_own_session, NULL},
    {METHOD_POST, spoil_nobodys_session, "needs own_session"},
    {METHOD_POST, spoil_event, "an event rule has a kind"},
    {METHOD_POST, spoil_event_words, "a kind like"},
    {METHOD_POST, spoil_event_subject, "event subject other_id"},
    {METHOD_POST, spoil_event_course, "event course course_id"},
    {METHOD_GET, spoil_event_get, "a read makes no event"},
    {METHOD_POST, spoil_fails_gate, "the gates give already"},
    {METHOD_POST, spoil_fails_twice, "conflict twice"},
    {METHOD_POST, spoil_fails_unknown, "an error that there is not"},
    {METHOD_POST, spoil_fails_never, "which no row answers"},
    {METHOD_POST, spoil_refresh, "refresh_token_invalid"},
    {METHOD_GET, spoil_rate, "rate is not"},
    {METHOD_GET, spoil_pool, "a value that there is not"},
    {METHOD_POST, spoil_body_max, "body_max"},
    {METHOD_PATCH, spoil_idempotency, "idempotency is for POST"},
    {METHOD_POST, spoil_key, "belongs to a user"},
    {METHOD_GET, spoil_cache, "cached for everyone"},
    {METHOD_POST, spoil_match, "if_match_needed"},
    {METHOD_GET, spoil_gone, "gone is not"},
    {METHOD_GET, spoil_factor, "a value that there is not"},
    {METHOD_GET, spoil_factor_anyone, "second_factor is for rows"},
};
#define ROWS (sizeof row_cases / sizeof row_cases[0])

/* --- single fields ------------------------------------------------------------------------ */

struct field_case {
    struct field field;
    const char *want;
};

static const struct field_case field_cases[] = {
    {FIELD(things, title, .doc = "A title"), NULL},
    {FIELD(things, n, .min = -5, .max = 5, .preset = "0", .doc = "A number"), NULL},
    {FIELD(things, words, .min = 1, .max = 20, .doc = "Words"), NULL},
    {FIELD(things, flag, .preset = "true", .doc = "A flag"), NULL},
    {FIELD(things, password, .min = 8, .max = 128, .sensitive = true, .doc = "Secret"), NULL},
    {FIELD(things, title), "has no doc"},
    {FIELD(things, title, .min = 300, .doc = "A title"), "min is over max"},
    {FIELD(things, title, .min = -1, .doc = "A title"), "min is over max"},
    {FIELD(things, title, .max = 100000000, .doc = "A title"), "out of reason"},
    {FIELD(things, n, .doc = "A number"), "min below max"},
    {FIELD(things, n, .min = 5, .max = 4, .doc = "A number"), "min below max"},
    {FIELD(things, words, .doc = "Words"), "out of reason"},
    {FIELD(things, flag, .max = 1, .doc = "A flag"), "no bounds"},
    {FIELD(things, n, .max = 9, .choices = "1|2", .doc = "A number"), "choices are of texts"},
    {FIELD(things, title, .choices = "a||b", .doc = "A title"), "a choice is empty"},
    {FIELD(things, title, .required = true, .preset = "a", .doc = "A title"), "has a preset"},
    {FIELD(things, title, .choices = "a|b", .preset = "c", .doc = "A title"), "not a value of it"},
    {FIELD(things, title, .preset = "a\nb", .doc = "A title"), "not a value of it"},
    {FIELD(things, n, .max = 9, .preset = "10", .doc = "A number"), "not a value of it"},
    {FIELD(things, n, .max = 9, .preset = "x", .doc = "A number"), "not a value of it"},
    {FIELD(things, flag, .preset = "yes", .doc = "A flag"), "not a value of it"},
    {FIELD(things, json, .preset = "{}", .doc = "An object"), "not a value of it"},
    {FIELD(things, password, .min = 8, .max = 128, .doc = "Secret"), "sensitive by its name"},
    {FIELD(things, title, .account = true, .doc = "A title"), "an account is"},
    {FIELD(things, json, .place = IN_QUERY, .doc = "An object"), "single values"},
    {FIELD(things, words, .max = 3, .place = IN_QUERY, .doc = "Words"), "single values"},
    {FIELD(things, title, .place = IN_QUERY, .nullable = true, .doc = "A title"), "single values"},
    {FIELD(things, thing_id, .place = IN_PATH, .doc = "A thing"), "not in the path"},
    {FIELD_NESTED(things, title, SHAPE(things, answer_fields), .doc = "Nested"), "for replies"},
};
#define FIELDS (sizeof field_cases / sizeof field_cases[0])

/* --- put together ------------------------------------------------------------------------- */

static struct endpoint rows[ROWS];
static struct endpoint field_rows[FIELDS];
static struct shape field_shapes[FIELDS];
static char ids[ROWS + FIELDS][32], paths[ROWS + FIELDS][32];
static const struct domain row_domain = {"rows", "Rows", rows, ROWS};
static const struct domain field_domain = {"fields", "Fields", field_rows, FIELDS};
const struct domain *const app_domains[] = {&row_domain, &field_domain};
const size_t app_domain_count = 2;

static char *text; /* every fault, a line each */
static size_t faults;

static struct endpoint
good_row(enum wire_method method, size_t number)
{
    struct endpoint e = {.method = method, .path = paths[number], .id = ids[number]};

    snprintf(ids[number], sizeof ids[number], "case_%zu", number);
    snprintf(paths[number], sizeof paths[number], "/cases/%zu", number);
    e.auth = AUTH_USER;
    e.grant = GRANT_TEACHERS;
    e.doc = "Do one thing.";
    e.since = "0.1.0";
    e.run = run_nothing;
    e.reply = answer_shape;
    if (method == METHOD_DELETE)
        e.audit = (struct audit_rule){"thing.delete", "thing", NULL};
    return e;
}

static void
rows_make(void)
{
    for (size_t i = 0; i < 65; i++)
        many_fields[i] = title_fields[0];
    for (size_t i = 0; i < ROWS; i++) {
        rows[i] = good_row(row_cases[i].method, i);
        row_cases[i].spoil(&rows[i]);
    }
    for (size_t i = 0; i < FIELDS; i++) {
        field_shapes[i] = (struct shape){"things", &field_cases[i].field, 1, sizeof(struct things)};
        field_rows[i] = good_row(METHOD_POST, ROWS + i);
        field_rows[i].in = &field_shapes[i];
        field_rows[i].unaudited = "It is about its field.";
    }
}

static bool
faulty(const char *id, const char *want)
{
    char begin[64];
    size_t n = (size_t)snprintf(begin, sizeof begin, "%s: ", id);

    for (const char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n') + 1) {
        const char *end = strchr(line, '\n');
        const char *at = want == NULL ? line : strstr(line, want);
        if (strncmp(line, begin, n) == 0 && at != NULL && at < end)
            return true;
    }
    return false;
}

static void
judge(const char *id, const char *want)
{
    if (want == NULL && faulty(id, NULL)) {
        fprintf(stderr, "%s is good and was refused\n", id);
        CU_FAIL("a good row");
    } else if (want != NULL && !faulty(id, want)) {
        fprintf(stderr, "%s: not found: %s\n", id, want);
        CU_FAIL("a bad row");
    } else
        CU_PASS("as it must be");
}

static void
bad_rows_are_found(void)
{
    for (size_t i = 0; i < ROWS; i++)
        judge(rows[i].id, row_cases[i].want);
}

static void
bad_fields_are_found(void)
{
    for (size_t i = 0; i < FIELDS; i++)
        judge(field_rows[i].id, field_cases[i].want);
}

static void
faults_are_counted(void)
{
    size_t lines = 0;

    for (const char *p = text; *p != '\0'; p++)
        lines += *p == '\n';
    CU_ASSERT_EQUAL(lines, faults);
    CU_ASSERT_EQUAL(emit_check(NULL), faults);
}

int
main(void)
{
    static const struct unit_case cases[] = {
        {"bad rows are found", bad_rows_are_found},
        {"bad fields are found", bad_fields_are_found},
        {"faults are counted", faults_are_counted},
        {NULL, NULL},
    };
    size_t size, built;
    FILE *sink = fopen("/dev/null", "w"), *out;
    int status;

    rows_make();
    if (sink == NULL)
        return EXIT_FAILURE;
    built = routes_build(sink);
    fclose(sink);
    out = open_memstream(&text, &size);
    if (out == NULL)
        return EXIT_FAILURE;
    faults = emit_check(out);
    fclose(out);
    status = unit_main("api faults", cases);
    free(text);
    return built > 0 ? status : EXIT_FAILURE;
}
