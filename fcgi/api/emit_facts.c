#include <string.h>

#include "api/emit_parts.h"

const unsigned all_roles[] = {ROLE_STUDENT, ROLE_TEACHER,   ROLE_PARENT,
                              ROLE_VENDOR,  ROLE_MODERATOR, ROLE_ANALYST,
                              ROLE_ADMIN,   ROLE_OPERATOR,  0};

const struct filter_form filter_forms[] = {
    {FILTER_EQ, "", "Equal to this"},
    {FILTER_NE, "[ne]", "Other than this"},
    {FILTER_GTE, "[gte]", "From this on"},
    {FILTER_LTE, "[lte]", "Up to this"},
    {FILTER_IN, "[in]", "One of these"},
    {FILTER_SEARCH, "", "Text to search for"},
    {0, NULL, NULL},
};

/* --- what kind of row it is --------------------------------------------------------------- */

bool
facts_safe(const struct endpoint *e)
{
    return e->method == METHOD_GET;
}

enum facts_body
facts_body(const struct endpoint *e)
{
    if (e->body == BODY_CSV)
        return FACTS_CSV;
    for (size_t i = 0; e->in != NULL && i < e->in->count; i++) {
        if (e->in->fields[i].place == IN_BODY)
            return e->body == BODY_JSON_OPTIONAL ? FACTS_JSON_OPTIONAL : FACTS_JSON;
    }
    return FACTS_NO_BODY;
}

bool
facts_any(bool (*is)(const struct endpoint *))
{
    for (size_t i = 0; i < routes_count(); i++) {
        if (is(route_at(i)->row))
            return true;
    }
    return false;
}

bool
facts_is_list(const struct endpoint *e)
{
    return facts_list(e) != NULL;
}

const struct pg_stmt *
facts_list(const struct endpoint *e)
{
    return e->sql != NULL && e->sql->kind == STMT_LIST ? e->sql : NULL;
}

const struct pg_stmt *
facts_columns(const struct endpoint *e)
{
    const struct pg_stmt *stmt = e->sql != NULL ? e->sql : e->reply_sql;

    if (stmt == NULL || e->status == 204 || stmt->ncolumns == 0)
        return NULL;
    return stmt;
}

int
facts_status(const struct endpoint *e)
{
    if (e->status != 0)
        return e->status;
    return e->reply != NULL || e->produces != NULL || facts_columns(e) != NULL ? 200 : 204;
}

int
facts_status_also(const struct endpoint *e)
{
    return e->also;
}

bool
facts_csrf(const struct endpoint *e)
{
    return !facts_safe(e) && e->csrf != CSRF_OFF &&
           (e->auth == AUTH_USER || e->auth == AUTH_REFRESH);
}

bool
facts_idempotent(const struct endpoint *e)
{
    return e->method == METHOD_POST && e->auth == AUTH_USER && e->idempotency != IDEMPOTENCY_NONE;
}

static bool
facts_param(const struct pg_stmt *stmt, const char *name)
{
    for (size_t i = 0; stmt != NULL && i < stmt->nparams; i++) {
        if (strcmp(stmt->params[i].name, name) == 0)
            return true;
    }
    return false;
}

bool
facts_if_match(const struct endpoint *e)
{
    return e->if_match_needed || facts_param(e->sql, "if_match") ||
           facts_param(e->reply_sql, "if_match");
}

const struct pg_column *
facts_column(const struct pg_stmt *stmt, const char *name)
{
    for (size_t i = 0; stmt != NULL && i < stmt->ncolumns; i++) {
        if (strcmp(stmt->columns[i].name, name) == 0)
            return &stmt->columns[i];
    }
    return NULL;
}

bool
facts_versioned(const struct endpoint *e)
{
    return facts_list(e) == NULL && facts_column(facts_columns(e), "version") != NULL;
}

/* --- errors ---------------------------------------------------------------------------------- */

static void
set_add(struct err_set *set, const err *errors)
{
    for (; *errors != E_OK; errors++) {
        if (*errors > E_OK && *errors < E_COUNT)
            set->has[*errors] = true;
    }
}

static void
errors_of_body(const struct endpoint *e, struct err_set *set)
{
    switch (facts_body(e)) {
    case FACTS_NO_BODY:
        set_add(set, FAILS(E_BODY_UNEXPECTED));
        return;
    case FACTS_JSON:
        set_add(set, FAILS(E_BODY_MISSING, E_JSON_SYNTAX, E_JSON_DEPTH, E_JSON_LIMIT));
        break;
    case FACTS_JSON_OPTIONAL:
        set_add(set, FAILS(E_JSON_SYNTAX, E_JSON_DEPTH, E_JSON_LIMIT));
        break;
    case FACTS_CSV:
        set_add(set, FAILS(E_BODY_MISSING));
        break;
    }
    set_add(set, FAILS(E_PAYLOAD_TOO_LARGE, E_UNSUPPORTED_MEDIA_TYPE));
}

static void
errors_of_caller(const struct endpoint *e, struct err_set *set)
{
    if (e->auth == AUTH_METRICS)
        set_add(set, FAILS(E_UNAUTHENTICATED, E_FORBIDDEN));
    if (facts_csrf(e))
        set_add(set, FAILS(E_CSRF));
    if (e->auth != AUTH_USER)
        return;
    set_add(set, FAILS(E_UNAUTHENTICATED, E_TOKEN_INVALID, E_SESSION_ENDED));
    if (e->second_factor != SECOND_FACTOR_EXEMPT)
        set_add(set, FAILS(E_SECOND_FACTOR_ENROLMENT));
    /* What every role may do shows less rather than refusing, unless a probe tells the two apart;
     * a row whose work refuses says so itself. */
    if (e->grant != GRANT_EVERYONE || (!facts_safe(e) && e->probe != NULL))
        set_add(set, FAILS(E_FORBIDDEN));
}

static void
errors_of_repeating(const struct endpoint *e, struct err_set *set)
{
    if (facts_idempotent(e))
        set_add(set, FAILS(E_IDEMPOTENCY_KEY_INVALID, E_IDEMPOTENCY_IN_PROGRESS,
                           E_IDEMPOTENCY_MISMATCH));
    if (e->idempotency == IDEMPOTENCY_REQUIRED)
        set_add(set, FAILS(E_IDEMPOTENCY_KEY_MISSING));
    if (facts_if_match(e))
        set_add(set, FAILS(E_PRECONDITION_INVALID, E_PRECONDITION_FAILED));
    if (e->if_match_needed)
        set_add(set, FAILS(E_PRECONDITION_REQUIRED));
    if (!facts_safe(e))
        set_add(set, FAILS(E_RETRY));
}

void
facts_gate_errors(const struct route *t, struct err_set *ret_set)
{
    *ret_set = (struct err_set){{false}};
    set_add(ret_set, FAILS(E_BAD_REQUEST, E_QUERY_SYNTAX, E_NOT_ACCEPTABLE, E_VALIDATION,
                           E_INTERNAL, E_UNAVAILABLE));
    errors_of_body(t->row, ret_set);
    errors_of_caller(t->row, ret_set);
    errors_of_repeating(t->row, ret_set);
    if (t->nparams > 0)
        set_add(ret_set, FAILS(E_NOT_FOUND));
    if (rate_of(t->row) != RATE_NONE)
        set_add(ret_set, FAILS(E_RATE_LIMITED));
}

void
facts_errors(const struct route *t, struct err_set *ret_set)
{
    facts_gate_errors(t, ret_set);
    if (t->row->fails != NULL)
        set_add(ret_set, t->row->fails);
}

void
facts_common_errors(struct err_set *ret_set)
{
    for (int e = 0; e < E_COUNT; e++)
        ret_set->has[e] = true;
    for (size_t i = 0; i < routes_count(); i++) {
        struct err_set one;
        facts_errors(route_at(i), &one);
        for (int e = 0; e < E_COUNT; e++)
            ret_set->has[e] = ret_set->has[e] && one.has[e];
    }
}
