#include "api/gates.h"

#include <stdlib.h>
#include <string.h>

#include "api/bind.h"
#include "api/credentials.h"
#include "api/idempotency.h"
#include "api/limits.h"
#include "api/metrics.h"
#include "api/reply.h"
#include "api/route.h"
#include "api/statements.h"
#include "api/tx.h"
#include "base/encode.h"
#include "base/log.h"
#include "base/settings.h"
#include "pg/codec.h"

typedef err gate(struct req *r);

err
fail(struct req *r, err e)
{
    (void)r;
    return e;
}

void
req_violation(struct req *r, const char *pointer, const char *code, const char *message)
{
    struct violation *more;

    if (r->nviolations == VIOLATIONS_MAX)
        return;
    /* Room for 8, 16, 32 …: a power of two that is full is doubled. */
    if (r->nviolations == 0 ||
        (r->nviolations >= 8 && (r->nviolations & (r->nviolations - 1)) == 0)) {
        more = arena_array(r->arena, r->nviolations == 0 ? 8 : 2 * r->nviolations, sizeof *more);
        if (r->nviolations > 0)
            memcpy(more, r->violations, r->nviolations * sizeof *more);
        r->violations = more;
    }
    r->violations[r->nviolations++] = (struct violation){pointer, code, message};
}

err
req_violations(struct req *r)
{
    return r->nviolations == 0 ? E_OK : E_VALIDATION;
}

bool
req_sent(const struct req *r, size_t offset)
{
    for (size_t i = 0; i < r->row->in->count; i++) {
        if (r->row->in->fields[i].offset == offset)
            return ((r->present | r->nulls) >> i & 1) != 0;
    }
    return false;
}

/* --- route --------------------------------------------------------------------------------- */

static void
route_allow(struct req *r, unsigned allowed)
{
    struct buf b;

    buf_init(&b, 64, 256);
    for (unsigned m = METHOD_GET; m < METHOD_OTHER; m++) {
        if ((allowed >> m & 1) == 0)
            continue;
        if (b.len > 0)
            buf_z(&b, ", ");
        buf_z(&b, wire_method_name((enum wire_method)m));
    }
    reply_header(r, "Allow", arena_text(r->arena, buf_as_text(&b)));
    buf_free(&b);
}

static err
gate_route(struct req *r)
{
    unsigned allowed;

    r->route = route_find(r->http->method, r->http->path, r->path, &allowed);
    if (allowed == 0)
        return E_ROUTE_UNKNOWN;
    if (r->http->method == METHOD_OPTIONS) {
        route_allow(r, allowed);
        r->status = 204;
        r->done = true;
        return E_OK;
    }
    if (r->route == NULL) {
        route_allow(r, allowed);
        return E_METHOD_NOT_ALLOWED;
    }
    r->row = r->route->row;
    r->head = r->http->method == METHOD_HEAD;
    if (r->row->method == METHOD_POST)
        r->new_id = uuid_v7();
    return E_OK;
}

/* --- size and media types -------------------------------------------------------------------- */

static int64_t
body_max(const struct endpoint *row)
{
    return row->body_max > 0 ? row->body_max : setting_int(S_MAX_JSON_BYTES);
}

/* "application/json; charset=utf-8": the type alone decides, another charset is refused. */
static bool
media_type_is(struct text header, struct text want)
{
    struct text rest = header, type = text_trim(text_cut(&rest, ';'));
    struct text charset = TEXT("charset=");

    if (!text_eq_nocase(type, want))
        return false;
    while (rest.p != NULL) {
        struct text parameter = text_trim(text_cut(&rest, ';'));
        struct text name = {parameter.p, parameter.len < charset.len ? parameter.len : charset.len};
        if (text_eq_nocase(name, charset) && !text_eq_nocase(parameter, TEXT("charset=utf-8")) &&
            !text_eq_nocase(parameter, TEXT("charset=\"utf-8\"")))
            return false;
    }
    return true;
}

/* How closely a range of an Accept header names "type/subtype": 3 itself, 2 its kind, 1 as one of
 * all, 0 not. */
static int
accept_closeness(struct text wanted, struct text type)
{
    struct text sub = type, main_type = text_cut(&sub, '/');
    struct text wanted_sub = wanted, wanted_main = text_cut(&wanted_sub, '/');

    if (text_eq_nocase(wanted, type))
        return 3;
    if (text_eq_nocase(wanted_main, main_type) && text_eq(wanted_sub, TEXT("*")))
        return 2;
    return text_eq(wanted, TEXT("*/*")) ? 1 : 0;
}

/* "q=0", with or without decimals, among the parameters of a range. */
static bool
accept_refuses(struct text parameters)
{
    while (parameters.p != NULL) {
        struct text value = text_trim(text_cut(&parameters, ';')), name = text_cut(&value, '=');
        if (text_eq_nocase(name, TEXT("q")) && value.len > 0)
            return strspn(value.p, "0.") >= value.len;
    }
    return false;
}

static bool
accepted(const struct req *r)
{
    struct text accept = r->http->header[HDR_ACCEPT];
    struct text type = text_of(r->row->produces != NULL ? r->row->produces : "application/json");

    if (accept.p == NULL || text_trim(accept).len == 0)
        return true;
    type = text_cut(&type, ';');
    /* RFC 9110, 12.5.1: the closest range decides. */
    int best = 0;
    bool good = false;
    while (accept.p != NULL) {
        struct text parameters = text_cut(&accept, ',');
        int closeness = accept_closeness(text_trim(text_cut(&parameters, ';')), type);
        if (closeness == 0 || closeness < best)
            continue;
        good = (closeness == best && good) || !accept_refuses(parameters);
        best = closeness;
    }
    return good;
}

static err
gate_size(struct req *r)
{
    struct text type = r->http->header[HDR_CONTENT_TYPE];
    struct text want = r->row->body == BODY_CSV ? TEXT("text/csv") : TEXT("application/json");

    if (r->http->content_length > 0 && !bind_takes_body(r->row))
        return E_BODY_UNEXPECTED;
    if (r->http->content_length > (uint64_t)body_max(r->row))
        return E_PAYLOAD_TOO_LARGE;
    if (r->http->content_length > 0 && (type.p == NULL || !media_type_is(type, want)))
        return E_UNSUPPORTED_MEDIA_TYPE;
    return accepted(r) ? E_OK : E_NOT_ACCEPTABLE;
}

static err
gate_body(struct req *r)
{
    return wire_read_body(r->api->wire, (size_t)body_max(r->row), &r->body);
}

/* --- preconditions --------------------------------------------------------------------------- */

/* "\"12\"" → 12. */
static bool
etag_version(struct text t, int64_t *ret_version)
{
    t = text_trim(t);
    if (t.len < 3 || t.p[0] != '"' || t.p[t.len - 1] != '"')
        return false;
    return text_to_int((struct text){t.p + 1, t.len - 2}, ret_version) && *ret_version > 0;
}

static err
gate_preconditions(struct req *r)
{
    struct text match = r->http->header[HDR_IF_MATCH];

    r->if_match = -1;
    r->if_none_match = r->http->header[HDR_IF_NONE_MATCH];
    if (!r->route->conditional)
        return E_OK;
    if (match.p == NULL)
        return r->row->if_match_needed ? E_PRECONDITION_REQUIRED : E_OK;
    match = text_trim(match);
    if (text_eq(match, TEXT("*")))
        return E_OK;
    /* nginx makes an ETag weak when it compresses; the version in it says the same. */
    if (text_starts(match, TEXT("W/")))
        match = (struct text){match.p + 2, match.len - 2};
    return etag_version(match, &r->if_match) ? E_OK : E_PRECONDITION_INVALID;
}

/* --- run ------------------------------------------------------------------------------------- */

/* A write touched nothing: what is there for the caller to see may not be changed by them. */
static err
run_probe(struct req *r, err when_visible)
{
    PGresult *result;

    if (r->row->probe == NULL)
        return E_NOT_FOUND;
    TRY(tx_send_stmt(r, r->row->probe, bind_values(r, r->row->probe, r->route->probe_source)));
    TRY(tx_read(r, &result));
    return PQntuples(result) == 0 ? E_NOT_FOUND : when_visible;
}

static err
run_list(struct req *r)
{
    const struct pg_stmt *stmt = r->row->sql;
    const struct pg_value *own = bind_values(r, stmt, r->route->sql_source);
    struct pg_query rows, count;
    PGresult *result, *counted;

    pg_list_query(r->arena, stmt, &r->list.pg, own, &rows);
    TRY(tx_send(r, &rows));
    if (r->list.count) {
        pg_list_count(r->arena, stmt, &r->list.pg, own, &count);
        TRY(tx_send(r, &count));
    }
    TRY(tx_send_commit(r));
    TRY(tx_read(r, &result));
    if (r->list.count) {
        TRY(tx_read(r, &counted));
        r->total = pg_get_int(counted, 0, 0);
    }
    /* An empty page must not say that its parent is there; a rare case may cost a second trip. */
    if (PQntuples(result) == 0 && r->row->probe != NULL) {
        TRY(tx_commit(r));
        r->begun = false;
        TRY(run_probe(r, E_OK));
    }
    reply_list(r, result);
    return E_OK;
}

static bool
run_touched(PGresult *result, const struct pg_stmt *stmt)
{
    if (stmt->ncolumns > 0)
        return PQntuples(result) > 0;
    return strcmp(PQcmdTuples(result), "0") != 0;
}

static err
run_statement(struct req *r, const struct pg_stmt *stmt, const struct source *sources)
{
    PGresult *result;

    TRY(tx_send_stmt(r, stmt, bind_values(r, stmt, sources)));
    if (r->row->method == METHOD_GET && r->row->sql == stmt)
        TRY(tx_send_commit(r));
    TRY(tx_read(r, &result));
    if (!run_touched(result, stmt))
        return r->row->method == METHOD_GET ? E_NOT_FOUND : run_probe(r, E_FORBIDDEN);
    if (stmt->ncolumns > 0 && r->row->status != 204)
        reply_row(r, stmt, result);
    return E_OK;
}

err
reply_bound(struct req *r, const struct pg_stmt *stmt)
{
    struct source sources[SQL_PARAMS_MAX];

    if (!route_sources(r->route, stmt, sources, NULL))
        return E_INTERNAL;
    return run_statement(r, stmt, sources);
}

static void
run_location(struct req *r)
{
    const char *mark = r->row->location == NULL ? NULL : strstr(r->row->location, "{id}");
    char id[UUID_TEXT_LEN + 1];

    if (mark == NULL || (r->status != 0 && r->status != 201))
        return;
    uuid_format(&r->new_id, id);
    reply_header(r, "Location",
                 arena_printf(r->arena, "/api/v1%.*s%s%s", (int)(mark - r->row->location),
                              r->row->location, id, mark + 4));
}

static err
gate_run(struct req *r)
{
    if (r->row->run != NULL)
        TRY(r->row->run(r, r->in));
    else if (r->row->sql->kind == STMT_LIST)
        TRY(run_list(r));
    else
        TRY(run_statement(r, r->row->sql, r->route->sql_source));
    run_location(r);
    return E_OK;
}

/* --- audit and events ------------------------------------------------------------------------ */

/* The identifier that a rule names: a path parameter, "new" or "session". */
static bool
rule_id(const struct req *r, const char *name, struct uuid *ret_id)
{
    if (name == NULL)
        return false;
    if (strcmp(name, "new") == 0) {
        *ret_id = r->new_id;
        return true;
    }
    if (strcmp(name, "session") == 0) {
        *ret_id = r->claims.session;
        return r->known;
    }
    for (size_t i = 0; i < r->route->nparams; i++) {
        if (strcmp(r->route->param_name[i], name) == 0) {
            *ret_id = r->path_id[i];
            return true;
        }
    }
    return false;
}

static struct texts
audit_redacted(struct req *r)
{
    struct text rest = setting_text(S_AUDIT_LOG_REDACTED_FIELDS);
    struct text *names = arena_array(r->arena, 64, sizeof *names);
    size_t n = 0;

    while (rest.p != NULL && n < 64) {
        struct text name = text_trim(text_cut(&rest, ','));
        if (name.len > 0)
            names[n++] = name;
    }
    return (struct texts){names, n};
}

static err
gate_audit(struct req *r)
{
    const struct audit_rule *rule = &r->row->audit;

    if (rule->action == NULL || r->done || r->unchanged)
        return E_OK;
    struct api_audit_append_params p = {.id = uuid_v7(),
                                        .action = text_of(rule->action),
                                        .target_type = text_of(rule->type),
                                        .max_payload = setting_int(S_AUDIT_LOG_MAX_PAYLOAD_BYTES),
                                        .redacted = audit_redacted(r)};
    p.has_target_id = rule_id(r, rule->target, &p.target_id);
    return tx_prelude(r, &api_audit_append, &p);
}

static err
gate_event(struct req *r)
{
    const struct event_rule *rule = &r->row->event;

    if (rule->kind == NULL || r->done || r->unchanged)
        return E_OK;
    struct api_event_append_params p = {.id = uuid_v7(),
                                        .kind = text_of(rule->kind),
                                        .subject_type = text_of(rule->type),
                                        .request_id = r->http->request_id};
    p.has_subject_id = rule_id(r, rule->subject, &p.subject_id);
    p.has_course_id = rule_id(r, rule->course, &p.course_id);
    return tx_prelude(r, &api_event_append, &p);
}

static err
gate_keep_answer(struct req *r)
{
    return r->idempotent ? idempotency_store(r) : E_OK;
}

static err
gate_commit(struct req *r)
{
    if (!r->abandoned)
        return tx_commit(r);
    tx_rollback(r);
    return E_OK;
}

/* --- order ------------------------------------------------------------------------------------ */

static gate *const gates_before[] = {
    gate_route, gate_size,          gate_address_limits, gate_authenticate,
    gate_csrf,  gate_grant,         gate_user_limits,    gate_body,
    gate_bind,  gate_preconditions, gate_account_limits,
};

static gate *const gates_work[] = {
    gate_second_factor, gate_idempotency, gate_run,    gate_audit,
    gate_event,         gate_keep_answer, gate_commit,
};

static err
gates_pass(struct req *r, gate *const *gates, size_t count)
{
    for (size_t i = 0; i < count && !r->done; i++)
        TRY(gates[i](r));
    return E_OK;
}

#define TRIES_MAX 4

/* Collisions are tried again, a bounded number of times; a lost connection once, and only for what
 * changes nothing. */
static bool
gates_again(struct req *r, err e)
{
    if (++r->tries >= TRIES_MAX)
        return false;
    if (e == E_RETRY)
        return true;
    return e == E_UNAVAILABLE && r->tries == 1 && r->row->method == METHOD_GET &&
           pg_was_lost(r->api->pg);
}

static void
gates_reset(struct req *r)
{
    tx_rollback(r);
    buf_reset(r->body_out);
    r->head_out->len = r->head_mark;
    r->replied = r->unchanged = false;
    r->status = 0;
    r->total = -1;
    r->new_id = uuid_v7();
}

/* The error stands; what may be kept of its transaction is kept. */
static err
gates_settle(struct req *r, err e)
{
    bool keep = r->keep && !r->failed;

    if (keep && tx_commit(r) != E_OK)
        e = E_UNAVAILABLE;
    tx_rollback(r);
    return e;
}

static err
gates_transact(struct req *r)
{
    err e;

    r->head_mark = r->head_out->len;
    while ((e = gates_pass(r, gates_work, sizeof gates_work / sizeof gates_work[0])) != E_OK) {
        if (!gates_again(r, e))
            break;
        gates_reset(r);
    }
    if (idempotency_is_replay(r, e)) {
        gates_reset(r);
        e = idempotency_replay(r);
    }
    if (e == E_OK)
        return E_OK;
    r->head_out->len = r->head_mark; /* of what has not happened */
    return gates_settle(r, e);
}

/* --- log ------------------------------------------------------------------------------------- */

static void
gate_log(struct req *r)
{
    int64_t us = clock_us() - r->started_us;
    bool slow = us >= setting_int(S_SLOW_REQUEST_MS) * 1000;
    enum log_level level = r->status >= 500 ? LOG_L_ERROR : slow ? LOG_L_WARN : LOG_L_INFO;

    if (!log_enabled(level))
        return;
    log_event(level, slow ? "slow request" : "request", LOG_TEXT("request_id", r->http->request_id),
              LOG_Z("trace_id", r->trace), LOG_UUID("user_id", r->known ? &r->claims.user : NULL),
              LOG_UUID("org_id", r->known ? &r->claims.org : NULL),
              LOG_Z("method", wire_method_name(r->http->method)),
              LOG_Z("route", r->route == NULL ? "none" : r->route->full),
              LOG_INT("status", r->status), LOG_INT("us", us), LOG_INT("db_us", r->db_us),
              LOG_INT("bytes", r->body_out->len),
              LOG_Z("class", r->rate_class == RATE_NONE ? NULL : rate_info(r->rate_class)->name),
              LOG_Z("code", r->error == E_OK ? NULL : err_info(r->error)->code),
              LOG_UUID("error_id", r->status >= 500 && r->error != E_OK ? &r->error_id : NULL),
              LOG_Z("pool", r->api->pool));
}

/* W3C Trace Context: version 00, a trace id that is not all zero. Otherwise a trace begins here. */
static void
trace_begin(struct req *r)
{
    struct text t = r->http->header[HDR_TRACEPARENT];
    uint8_t id[16];
    bool sent = t.p != NULL && t.len >= 55 && t.p[2] == '-' && t.p[35] == '-' &&
                hex_decode((struct text){t.p + 3, 32}, id, sizeof id);
    static const uint8_t zero[16];

    if (!sent || memcmp(id, zero, sizeof id) == 0) {
        struct uuid u = uuid_v7();
        memcpy(id, u.b, sizeof id);
    }
    hex_encode(id, sizeof id, r->trace);
}

void
gates_run(struct req *r)
{
    r->started_us = clock_us();
    r->total = -1;
    r->rate_class = RATE_NONE;
    trace_begin(r);
    metric_request_begin(r->api);
    r->error = gates_pass(r, gates_before, sizeof gates_before / sizeof gates_before[0]);
    if (r->error == E_OK && !r->done)
        r->error = gates_transact(r);
    gate_reply(r);
    gate_log(r);
    metric_request_end(r);
}
