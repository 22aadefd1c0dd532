#include <stdio.h>
#include <string.h>

#include "api/bind.h"
#include "api/emit.h"
#include "api/emit_parts.h"
#include "api/format.h"
#include "api/metrics.h"
#include "api/statements.h"

#define PRODUCED "<!-- Produced by emit from the endpoint rows; edit those. -->\n\n"

static const char *const auth_words[] = {
    [AUTH_ANYONE] = "none",
    [AUTH_USER] = "access token",
    [AUTH_REFRESH] = "refresh token",
    [AUTH_METRICS] = "metrics credentials",
};

/* Text in a cell of a table: '|' would end it. */
static void
cell(struct buf *out, const char *z)
{
    for (; *z != '\0'; z++) {
        if (*z == '|')
            buf_char(out, '\\');
        buf_char(out, *z);
    }
}

static void
code(struct buf *out, const char *z)
{
    buf_char(out, '`');
    cell(out, z);
    buf_char(out, '`');
}

/* --- types -------------------------------------------------------------------------------- */

static void
type_choices(struct buf *out, const char *choices)
{
    struct text rest = text_of(choices);

    buf_z(out, "one of");
    while (rest.p != NULL) {
        struct text one = text_cut(&rest, '|');
        buf_printf(out, " `%.*s`%s", TEXT_ARG(one), rest.p == NULL ? "" : ",");
    }
}

static void
type_text(struct buf *out, const struct field *f)
{
    static const char *const words[FORMAT_COUNT] = {
        [FORMAT_LINE] = "text",     [FORMAT_MULTILINE] = "text of several lines",
        [FORMAT_EMAIL] = "e-mail",  [FORMAT_SLUG] = "slug",
        [FORMAT_LOCALE] = "locale", [FORMAT_TIMEZONE] = "time zone",
        [FORMAT_CODE] = "code",     [FORMAT_OPAQUE] = "token",
    };

    if (f->choices != NULL)
        type_choices(out, f->choices);
    else
        buf_printf(out, "%s, %lld to %lld", words[f->format], (long long)f->min,
                   (long long)(f->max == 0 ? 255 : f->max));
}

static void
type_input(struct buf *out, const struct field *f)
{
    switch (f->kind) {
    case FIELD_TEXT:
        type_text(out, f);
        break;
    case FIELD_INT:
        buf_printf(out, "integer, %lld to %lld", (long long)f->min, (long long)f->max);
        break;
    case FIELD_BOOL:
        buf_z(out, "true or false");
        break;
    case FIELD_UUID:
        buf_z(out, "UUID");
        break;
    case FIELD_TIME:
        buf_z(out, "RFC 3339 time");
        break;
    case FIELD_TEXTS:
    case FIELD_UUIDS:
        buf_printf(out, "%lld to %lld %s", (long long)f->min, (long long)f->max,
                   f->kind == FIELD_TEXTS ? "texts" : "UUIDs");
        break;
    case FIELD_JSON:
    case FIELD_OBJECT:
    case FIELD_ITEMS:
        buf_z(out, "object");
        break;
    }
    if (f->nullable)
        buf_z(out, ", or null");
}

static const char *
type_column(enum pg_type type)
{
    static const char *const words[] = {
        [PG_BOOL] = "true or false",  [PG_INT4] = "integer", [PG_INT8] = "integer",
        [PG_TEXT] = "text",           [PG_UUID] = "UUID",    [PG_TIME] = "RFC 3339 time",
        [PG_JSON] = "object",         [PG_BYTES] = "text",   [PG_TEXTS] = "list of texts",
        [PG_UUIDS] = "list of UUIDs",
    };

    return words[type];
}

static void
type_reply(struct buf *out, const struct components *c, const struct field *f)
{
    const struct component *nested =
        f->shape == NULL ? NULL : components_shape(c, COMPONENT_REPLY, f->shape);

    if (nested != NULL)
        buf_printf(out, "%s[`%s`](#%s)", f->kind == FIELD_ITEMS ? "list of " : "", nested->name,
                   nested->name);
    else if (f->kind == FIELD_TEXT && f->choices != NULL)
        type_choices(out, f->choices);
    else if (f->kind == FIELD_TEXT || f->kind == FIELD_INT)
        buf_z(out, f->kind == FIELD_TEXT ? "text" : "integer");
    else if (f->kind == FIELD_TEXTS || f->kind == FIELD_UUIDS)
        buf_z(out, f->kind == FIELD_TEXTS ? "list of texts" : "list of UUIDs");
    else {
        struct field plain = *f;
        plain.nullable = false;
        type_input(out, &plain);
    }
    if (f->nullable)
        buf_z(out, ", or null");
}

/* --- one operation ------------------------------------------------------------------------ */

static void
reference_who(struct buf *out, const struct endpoint *e)
{
    enum rate_class rate = rate_of(e);

    buf_z(out, "Who: ");
    if (e->auth == AUTH_ANYONE)
        buf_z(out, "everyone");
    else if (e->auth != AUTH_USER)
        buf_printf(out, "who has the %s", auth_words[e->auth]);
    else if (e->grant == GRANT_EVERYONE)
        buf_z(out, "every role");
    else {
        const char *comma = "";
        for (const unsigned *bit = all_roles; *bit != 0; bit++) {
            if ((e->grant & *bit) == 0)
                continue;
            buf_printf(out, "%s%s", comma, role_name(*bit));
            comma = ", ";
        }
    }
    buf_printf(out, ". Rate class: %s. ", rate == RATE_NONE ? "none" : rate_info(rate)->name);
    if (e->audit.action != NULL)
        buf_printf(out, "Audited as `%s`. ", e->audit.action);
    if (e->unaudited != NULL)
        buf_printf(out, "Not audited: %s ", e->unaudited);
    if (e->event.kind != NULL)
        buf_printf(out, "Event: `%s`. ", e->event.kind);
    buf_printf(out, "Since %s.", e->since);
    if (e->gone != NULL)
        buf_printf(out, " Goes on %s.", e->gone);
    buf_z(out, "\n\n");
}

static void
reference_row(struct buf *out, const char *name, const char *in)
{
    buf_z(out, "| ");
    code(out, name);
    buf_printf(out, " | %s | ", in);
}

static void
reference_field(struct buf *out, const struct field *f)
{
    static const char *const places[] = {
        [IN_BODY] = "body", [IN_PATH] = "path", [IN_QUERY] = "query"};

    reference_row(out, f->name, places[f->place]);
    type_input(out, f);
    buf_printf(out, " | %s | ", f->required || f->place == IN_PATH ? "yes" : "no");
    cell(out, f->doc);
    if (f->preset != NULL) {
        buf_z(out, "; default ");
        code(out, f->preset);
    }
    buf_z(out, " |\n");
}

static void
reference_list(struct buf *out, const struct endpoint *e)
{
    const struct pg_stmt *list = e->sql;

    buf_printf(out, "| `limit` | query | integer, 1 to %d | no | Rows of a page; default `%d` |\n",
               (int)bind_list_max(e), e->csv == NULL ? LIST_LIMIT_DEFAULT : LIST_CSV_LIMIT);
    buf_printf(out,
               "| `offset` | query | integer, 0 to %d | no | Rows to pass over; not together with "
               "`cursor` |\n",
               LIST_OFFSET_MAX);
    buf_z(out, "| `cursor` | query | text | no | `next_cursor` of the page before |\n"
               "| `count` | query | `exact` | no | Count a list that is not counted otherwise |\n"
               "| `sort` | query | ");
    for (size_t i = 0; i < list->nsorts; i++)
        buf_printf(out, "%s`%s`", i > 0 ? ", " : "", list->sorts[i].name);
    buf_printf(out, " | no | With `-` in front from high to low; default `%s%s` |\n",
               list->sort_descending ? "-" : "", list->sorts[0].name);
    for (size_t i = 0; i < list->nfilters; i++) {
        for (const struct filter_form *form = filter_forms; form->suffix != NULL; form++) {
            char name[96];
            if ((list->filters[i].ops & form->op) == 0)
                continue;
            snprintf(name, sizeof name, "%s%s", list->filters[i].name, form->suffix);
            reference_row(out, name, "query");
            buf_printf(out, "%s%s | no | %s |\n", type_column(list->filters[i].type),
                       form->op == FILTER_IN ? ", several with commas" : "", form->meaning);
        }
    }
}

static void
reference_headers(struct buf *out, const struct endpoint *e)
{
    if (facts_safe(e) && facts_versioned(e))
        buf_z(out,
              "| `If-None-Match` | header | ETag | no | 304 when the resource is still that |\n");
    if (facts_if_match(e))
        buf_printf(out, "| `If-Match` | header | ETag | %s | 412 when the resource has changed |\n",
                   e->if_match_needed ? "yes" : "no");
    if (facts_idempotent(e))
        buf_printf(
            out,
            "| `Idempotency-Key` | header | text, 1 to 255 | %s | Repeating the request gives "
            "the first answer again |\n",
            e->idempotency == IDEMPOTENCY_REQUIRED ? "yes" : "no");
}

static void
reference_parameters(struct buf *out, const struct route *t)
{
    static const char head[] = "| Name | In | Type | Required | Meaning |\n|---|---|---|---|---|\n";
    size_t before = out->len;

    buf_z(out, head);
    for (size_t i = 0; i < t->nparams; i++) {
        if (t->param_field[i] < 0)
            buf_printf(out, "| `%s` | path | UUID | yes |  |\n", t->param_name[i]);
    }
    for (size_t i = 0; t->row->in != NULL && i < t->row->in->count; i++)
        reference_field(out, &t->row->in->fields[i]);
    if (t->row->body == BODY_CSV)
        buf_z(out, "| | body | text/csv | yes | UTF-8, RFC 4180, with a header line |\n");
    if (facts_list(t->row) != NULL)
        reference_list(out, t->row);
    reference_headers(out, t->row);
    if (out->len == before + sizeof head - 1)
        out->len = before;
    else
        buf_char(out, '\n');
}

static void
reference_answer(struct buf *out, const struct components *c, const struct endpoint *e)
{
    const struct pg_stmt *columns = facts_columns(e);
    const struct component *item = e->reply != NULL ? components_shape(c, COMPONENT_REPLY, e->reply)
                                   : columns != NULL ? components_columns(c, columns)
                                                     : NULL;
    int also = facts_status_also(e);

    buf_printf(out, "Answers: %d", facts_status(e));
    if (also != 0)
        buf_printf(out, " or %d", also);
    if (e->produces != NULL)
        buf_printf(out, " with `%s`", e->produces);
    else if (item != NULL)
        buf_printf(out, " with %s[`%s`](#%s)",
                   facts_list(e) != NULL || e->reply_list ? "a list of " : "", item->name,
                   item->name);
    buf_z(out, ".\n\n");
}

static void
reference_errors(struct buf *out, const struct route *t, const struct err_set *common)
{
    struct err_set set;
    int last = 0;

    facts_errors(t, &set);
    buf_z(out, "Errors:");
    for (int status = 400; status < 600; status++) {
        for (err e = E_OK + 1; e < E_COUNT; e++) {
            if (!set.has[e] || common->has[e] || err_info(e)->status != status)
                continue;
            if (status != last)
                buf_printf(out, "%s %d", last == 0 ? "" : ";", status);
            buf_printf(out, " `%s`", err_info(e)->code);
            last = status;
        }
    }
    buf_z(out, last == 0 ? " the common ones.\n\n" : ".\n\n");
}

/* --- documents ---------------------------------------------------------------------------- */

static void
reference_common(struct buf *out, const struct err_set *common)
{
    buf_z(out,
          "Answers are `{\"data\": …}`, lists `{\"data\": […], \"page\": {\"limit\", \"offset\", "
          "\"total\", \"next_cursor\"}}`. Errors are\n`application/problem+json`; the codes "
          "are in [errors.md](errors.md). Every operation can answer ");
    const char *comma = "";
    for (err e = E_OK + 1; e < E_COUNT; e++) {
        if (!common->has[e])
            continue;
        buf_printf(out, "%s`%s`", comma, err_info(e)->code);
        comma = ", ";
    }
    buf_z(out, "; below only the others are named.\n\n");
}

static void
reference_domain(struct buf *out, const struct components *c, const struct domain *d,
                 const struct err_set *common)
{
    buf_printf(out, "## %s\n\n", d->doc);
    for (size_t i = 0; i < routes_count(); i++) {
        const struct route *t = route_at(i);
        if (t->domain != d)
            continue;
        buf_printf(out, "### %s\n\n`%s %s`\n\n%s\n\n", t->row->id, wire_method_name(t->row->method),
                   t->full, t->row->doc);
        reference_who(out, t->row);
        reference_parameters(out, t);
        reference_answer(out, c, t->row);
        reference_errors(out, t, common);
    }
}

static void
reference_shape(struct buf *out, const struct components *c, const struct component *item)
{
    if (item->kind == COMPONENT_BODY)
        return;
    buf_printf(out, "### %s\n\n| Name | Type | Meaning |\n|---|---|---|\n", item->name);
    for (size_t i = 0; item->shape != NULL && i < item->shape->count; i++) {
        const struct field *f = &item->shape->fields[i];
        buf_printf(out, "| `%s` | ", f->name);
        type_reply(out, c, f);
        buf_z(out, " | ");
        cell(out, f->doc);
        buf_z(out, " |\n");
    }
    for (size_t i = 0; item->stmt != NULL && i < item->stmt->ncolumns; i++) {
        const struct pg_column *column = &item->stmt->columns[i];
        buf_printf(out, "| `%s` | %s%s | |\n", column->name, type_column(column->type),
                   column->nullable ? ", or null" : "");
    }
    buf_char(out, '\n');
}

void
emit_reference(struct buf *out)
{
    struct components c;
    struct err_set common;

    components_collect(&c);
    facts_common_errors(&common);
    buf_z(out, "# API reference\n\n" PRODUCED);
    reference_common(out, &common);
    for (size_t i = 0; i < app_domain_count; i++)
        reference_domain(out, &c, app_domains[i], &common);
    buf_z(out, "## Shapes of answers\n\n");
    for (size_t i = 0; i < c.count; i++)
        reference_shape(out, &c, &c.item[i]);
    while (out->len > 1 && !out->overflow && out->p[out->len - 2] == '\n')
        out->len--;
}

void
emit_grants(struct buf *out)
{
    buf_z(out,
          "# Grants\n\n" PRODUCED
          "Which role may call which operation. What a caller sees or changes by it is decided "
          "row by row\nin the database.\n\n| Operation | Method and path | Credential |");
    for (const unsigned *bit = all_roles; *bit != 0; bit++)
        buf_printf(out, " %s |", role_name(*bit));
    buf_z(out, "\n|---|---|---|");
    for (const unsigned *bit = all_roles; *bit != 0; bit++)
        buf_z(out, ":-:|");
    buf_char(out, '\n');
    for (size_t i = 0; i < routes_count(); i++) {
        const struct endpoint *e = route_at(i)->row;
        buf_printf(out, "| `%s` | `%s %s` | %s |", e->id, wire_method_name(e->method),
                   route_at(i)->full, auth_words[e->auth]);
        for (const unsigned *bit = all_roles; *bit != 0; bit++)
            buf_z(out, e->auth != AUTH_USER ? " – |" : (e->grant & *bit) != 0 ? " yes |" : " |");
        buf_char(out, '\n');
    }
}

void
emit_errors(struct buf *out)
{
    buf_z(out, "# Errors\n\n"
               "<!-- Produced by emit from fcgi/base/errors.def; edit that. -->\n\n"
               "`code` of a problem answer is stable: match on it. `type` is "
               "`urn:lectern:error:` and the code.\n\n"
               "| Status | Code | Title | When, and what to do |\n|---|---|---|---|\n");
    for (int status = 400; status < 600; status++) {
        for (err e = E_OK + 1; e < E_COUNT; e++) {
            const struct err_info *info = err_info(e);
            if (info->status != status || e == E_IDEMPOTENCY_REPLAY || err_public(e) != e)
                continue;
            buf_printf(out, "| %d | `%s` | ", info->status, info->code);
            cell(out, info->title);
            buf_z(out, " | ");
            cell(out, info->doc);
            buf_z(out, " |\n");
        }
    }
}

/* --- metric labels ------------------------------------------------------------------------ */

static void
labels_statements(struct buf *out, const struct pg_stmt *const *statements, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "- `%s`\n", statements[i]->name);
}

void
emit_metric_labels(struct buf *out)
{
    buf_z(out, "# Metric labels\n\n" PRODUCED
               "Every label value comes from one of these closed sets.\n\n"
               "## `status`\n\n`1xx`, `2xx`, `3xx`, `4xx`, `5xx`\n\n"
               "## `method` and `route`\n\n");
    for (size_t i = 0; i < routes_count(); i++)
        buf_printf(out, "- `%s` `%s`\n", wire_method_name(route_at(i)->row->method),
                   route_at(i)->full);
    buf_z(out, "\n## `class`\n\n");
    for (enum rate_class c = RATE_AUTO + 1; c < RATE_NONE; c++)
        buf_printf(out, "- `%s`: %s\n", rate_info(c)->name, rate_info(c)->doc);
    buf_z(out, "\n## `code`\n\n");
    for (err e = E_OK + 1; e < E_COUNT; e++)
        buf_printf(out, "- `%s`\n", err_info(e)->code);
    buf_z(out, "\n## `statement`\n\n");
    labels_statements(out, api_statements, api_statement_count);
    labels_statements(out, sql_statements, sql_statement_count);
}
