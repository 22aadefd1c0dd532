#include <stdio.h>
#include <string.h>

#include "api/bind.h"
#include "api/emit_parts.h"
#include "api/format.h"
#include "base/json.h"
#include "base/text.h"
#include "pg/list.h"

#define TEXT_MAX_DEFAULT 255 /* of a text field whose max is 0 */
#define LIST_TEXT_MAX 64     /* of an item in a list of texts */

/* --- names -------------------------------------------------------------------------------- */

static bool
columns_equal(const struct pg_stmt *a, const struct pg_stmt *b)
{
    if (a->ncolumns != b->ncolumns)
        return false;
    for (size_t i = 0; i < a->ncolumns; i++) {
        const struct pg_column *x = &a->columns[i], *y = &b->columns[i];
        if (strcmp(x->name, y->name) != 0 || x->type != y->type || x->nullable != y->nullable)
            return false;
    }
    return true;
}

const struct component *
components_shape(const struct components *c, enum component_kind kind, const struct shape *shape)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->item[i].kind == kind && c->item[i].shape->fields == shape->fields)
            return &c->item[i];
    }
    return NULL;
}

const struct component *
components_columns(const struct components *c, const struct pg_stmt *stmt)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->item[i].kind == COMPONENT_COLUMNS && columns_equal(c->item[i].stmt, stmt))
            return &c->item[i];
    }
    return NULL;
}

static bool
name_taken(const struct components *c, const char *name)
{
    for (size_t i = 0; i < c->count; i++) {
        if (strcmp(c->item[i].name, name) == 0)
            return true;
    }
    return strcmp(name, "problem") == 0 || strcmp(name, "violation") == 0 ||
           strcmp(name, "page") == 0;
}

/* The first name that is free. */
static void
components_add(struct components *c, struct component item, const char *name, const char *longer)
{
    if (c->count == COMPONENTS_MAX)
        return;
    snprintf(item.name, sizeof item.name, "%s", name_taken(c, name) ? longer : name);
    for (unsigned n = 2; name_taken(c, item.name); n++)
        snprintf(item.name, sizeof item.name, "%.60s_%u", longer, n);
    c->item[c->count++] = item;
}

/* A shape's own nested ones come with it; they are never nested in themselves. */
static void
collect_reply(struct components *c, const struct route *t, const struct shape *shape)
{
    char longer[80];

    if (components_shape(c, COMPONENT_REPLY, shape) != NULL)
        return;
    snprintf(longer, sizeof longer, "%s_%s", t->row->id, shape->name);
    components_add(c, (struct component){.kind = COMPONENT_REPLY, .shape = shape}, shape->name,
                   longer);
    for (size_t i = 0; i < shape->count; i++) {
        if (shape->fields[i].shape != NULL)
            collect_reply(c, t, shape->fields[i].shape);
    }
}

static void
collect_body(struct components *c, const struct route *t)
{
    char name[80];

    if (components_shape(c, COMPONENT_BODY, t->row->in) != NULL)
        return;
    snprintf(name, sizeof name, "%s_request", t->row->id);
    components_add(c, (struct component){.kind = COMPONENT_BODY, .shape = t->row->in}, name, name);
}

/* "course_list" and "course_get" show courses; whichever comes first gives the name. */
static void
collect_columns(struct components *c, const struct pg_stmt *stmt)
{
    char name[80];
    size_t n;

    if (components_columns(c, stmt) != NULL)
        return;
    snprintf(name, sizeof name, "%s", stmt->name);
    n = strlen(name);
    if (n > 5 && strcmp(name + n - 5, "_list") == 0)
        name[n - 5] = '\0';
    else if (n > 4 && strcmp(name + n - 4, "_get") == 0)
        name[n - 4] = '\0';
    components_add(c, (struct component){.kind = COMPONENT_COLUMNS, .stmt = stmt}, name,
                   stmt->name);
}

void
components_collect(struct components *ret_components)
{
    ret_components->count = 0;
    for (size_t i = 0; i < routes_count(); i++) {
        const struct route *t = route_at(i);
        enum facts_body body = facts_body(t->row);
        const struct pg_stmt *columns = facts_columns(t->row);

        if (body == FACTS_JSON || body == FACTS_JSON_OPTIONAL)
            collect_body(ret_components, t);
        if (t->row->reply != NULL)
            collect_reply(ret_components, t, t->row->reply);
        else if (columns != NULL)
            collect_columns(ret_components, columns);
    }
}

/* --- pieces ---------------------------------------------------------------------------------- */

void
schema_ref(struct buf *b, const char *section, const char *name)
{
    json_open(b, '{');
    json_key(b, "$ref");
    buf_printf(b, "\"#/components/%s/%s\"", section, name);
    json_close(b, '}');
}

static void
schema_type(struct buf *b, const char *type, bool nullable)
{
    if (!nullable) {
        json_kv_z(b, "type", type);
        return;
    }
    json_key(b, "type");
    json_open(b, '[');
    json_z(b, type);
    json_z(b, "null");
    json_close(b, ']');
}

static void
schema_string(struct buf *b, const char *format, bool nullable)
{
    schema_type(b, "string", nullable);
    if (format != NULL)
        json_kv_z(b, "format", format);
}

static void
schema_items(struct buf *b, const char *format)
{
    json_key(b, "items");
    json_open(b, '{');
    schema_string(b, format, false);
    json_close(b, '}');
}

static void
schema_enum(struct buf *b, const char *choices, bool nullable)
{
    struct text rest = text_of(choices);

    json_key(b, "enum");
    json_open(b, '[');
    while (rest.p != NULL)
        json_text(b, text_cut(&rest, '|'));
    if (nullable)
        json_null(b);
    json_close(b, ']');
}

/* --- input ----------------------------------------------------------------------------------- */

static void
schema_text_rules(struct buf *b, const struct field *f)
{
    const struct format_info *form = format_info(f->format);

    if (f->choices != NULL) {
        schema_enum(b, f->choices, f->nullable);
        return;
    }
    if (form->openapi != NULL)
        json_kv_z(b, "format", form->openapi);
    else if (strstr(f->name, "password") != NULL)
        json_kv_z(b, "format", "password");
    if (form->pattern != NULL)
        json_kv_z(b, "pattern", form->pattern);
    if (f->min > 0)
        json_kv_int(b, "minLength", f->min);
    json_kv_int(b, "maxLength", f->max == 0 ? TEXT_MAX_DEFAULT : f->max);
}

static void
schema_list_rules(struct buf *b, const struct field *f)
{
    if (f->min > 0)
        json_kv_int(b, "minItems", f->min);
    json_kv_int(b, "maxItems", f->max);
    if (f->kind == FIELD_UUIDS) {
        schema_items(b, "uuid");
        return;
    }
    json_key(b, "items");
    json_open(b, '{');
    schema_string(b, NULL, false);
    json_kv_int(b, "minLength", 1);
    json_kv_int(b, "maxLength", LIST_TEXT_MAX);
    json_close(b, '}');
}

static void
schema_preset(struct buf *b, const struct field *f)
{
    struct text t = text_of(f->preset);

    if (f->preset == NULL)
        return;
    json_key(b, "default");
    if (f->kind == FIELD_BOOL)
        json_bool(b, text_eq(t, TEXT("true")) || text_eq(t, TEXT("1")));
    else if (f->kind == FIELD_INT)
        json_raw(b, t);
    else
        json_text(b, t);
}

static const char *
field_type(const struct field *f)
{
    switch (f->kind) {
    case FIELD_INT:
        return "integer";
    case FIELD_BOOL:
        return "boolean";
    case FIELD_TEXTS:
    case FIELD_UUIDS:
    case FIELD_ITEMS:
        return "array";
    case FIELD_JSON:
    case FIELD_OBJECT:
        return "object";
    case FIELD_TEXT:
    case FIELD_UUID:
    case FIELD_TIME:
        break;
    }
    return "string";
}

static void
schema_input_rules(struct buf *b, const struct field *f)
{
    switch (f->kind) {
    case FIELD_TEXT:
        schema_text_rules(b, f);
        break;
    case FIELD_INT:
        json_kv_int(b, "minimum", f->min);
        json_kv_int(b, "maximum", f->max);
        break;
    case FIELD_UUID:
        json_kv_z(b, "format", "uuid");
        break;
    case FIELD_TIME:
        json_kv_z(b, "format", "date-time");
        break;
    case FIELD_TEXTS:
    case FIELD_UUIDS:
        schema_list_rules(b, f);
        break;
    case FIELD_BOOL:
    case FIELD_JSON:
    case FIELD_OBJECT:
    case FIELD_ITEMS:
        break;
    }
}

static void
schema_input(struct buf *b, const struct field *f, bool described)
{
    json_open(b, '{');
    schema_type(b, field_type(f), f->nullable);
    schema_input_rules(b, f);
    schema_preset(b, f);
    if (described && f->doc != NULL)
        json_kv_z(b, "description", f->doc);
    json_close(b, '}');
}

static void
schema_parameter(struct buf *b, const struct field *f)
{
    schema_input(b, f, false);
}

static void
schema_body(struct buf *b, const struct shape *shape)
{
    size_t required = 0;

    json_open(b, '{');
    json_kv_z(b, "type", "object");
    json_key(b, "properties");
    json_open(b, '{');
    for (size_t i = 0; i < shape->count; i++) {
        const struct field *f = &shape->fields[i];
        if (f->place != IN_BODY)
            continue;
        required += f->required;
        json_key(b, f->name);
        schema_input(b, f, true);
    }
    json_close(b, '}');
    if (required > 0) {
        json_key(b, "required");
        json_open(b, '[');
        for (size_t i = 0; i < shape->count; i++) {
            if (shape->fields[i].place == IN_BODY && shape->fields[i].required)
                json_z(b, shape->fields[i].name);
        }
        json_close(b, ']');
    }
    json_kv_bool(b, "additionalProperties", false);
    json_close(b, '}');
}

/* --- replies --------------------------------------------------------------------------------- */

static void
schema_reply_rules(struct buf *b, const struct components *c, const struct field *f)
{
    if (f->kind == FIELD_UUID)
        json_kv_z(b, "format", "uuid");
    else if (f->kind == FIELD_TIME)
        json_kv_z(b, "format", "date-time");
    else if (f->kind == FIELD_TEXT && f->choices != NULL)
        schema_enum(b, f->choices, f->nullable);
    else if (f->kind == FIELD_TEXTS || f->kind == FIELD_UUIDS)
        schema_items(b, f->kind == FIELD_UUIDS ? "uuid" : NULL);
    else if (f->kind == FIELD_ITEMS) {
        json_key(b, "items");
        schema_shape(b, c, COMPONENT_REPLY, f->shape);
    }
    if (f->doc != NULL)
        json_kv_z(b, "description", f->doc);
}

static void
schema_reply(struct buf *b, const struct components *c, const struct shape *shape)
{
    json_open(b, '{');
    json_kv_z(b, "type", "object");
    json_key(b, "properties");
    json_open(b, '{');
    for (size_t i = 0; i < shape->count; i++) {
        const struct field *f = &shape->fields[i];
        json_key(b, f->name);
        if (f->kind == FIELD_OBJECT) {
            schema_shape(b, c, COMPONENT_REPLY, f->shape);
            continue;
        }
        json_open(b, '{');
        schema_type(b, field_type(f), f->nullable);
        schema_reply_rules(b, c, f);
        json_close(b, '}');
    }
    json_close(b, '}');
    json_key(b, "required");
    json_open(b, '[');
    for (size_t i = 0; i < shape->count; i++)
        json_z(b, shape->fields[i].name);
    json_close(b, ']');
    json_close(b, '}');
}

/* --- columns --------------------------------------------------------------------------------- */

static void
schema_pg_type(struct buf *b, enum pg_type type, bool nullable)
{
    switch (type) {
    case PG_BOOL:
        schema_type(b, "boolean", nullable);
        break;
    case PG_INT4:
    case PG_INT8:
        schema_type(b, "integer", nullable);
        json_kv_z(b, "format", type == PG_INT4 ? "int32" : "int64");
        break;
    case PG_UUID:
        schema_string(b, "uuid", nullable);
        break;
    case PG_TIME:
        schema_string(b, "date-time", nullable);
        break;
    case PG_JSON:
        schema_type(b, "object", nullable);
        break;
    case PG_TEXT:
    case PG_BYTES:
        schema_string(b, NULL, nullable);
        break;
    case PG_TEXTS:
    case PG_UUIDS:
        schema_type(b, "array", nullable);
        schema_items(b, type == PG_UUIDS ? "uuid" : NULL);
        break;
    }
}

static void
schema_filter_value(struct buf *b, enum pg_type type)
{
    json_open(b, '{');
    schema_pg_type(b, type, false);
    if (type == PG_TEXT) {
        json_kv_int(b, "minLength", 1);
        json_kv_int(b, "maxLength", FACTS_FILTER_TEXT_MAX);
    }
    json_close(b, '}');
}

/* Columns [from, to) of one object; `skip` bytes of each name are the object's own. */
struct column_run {
    size_t from, to;
    size_t skip;
};

static size_t
column_nesting(const char *name)
{
    const char *dot = strchr(name, '.');
    return dot == NULL ? 0 : (size_t)(dot - name);
}

/* Neighbours that begin with the same "owner." are one object, as the row writer has it. */
static size_t
column_run_end(const struct pg_stmt *stmt, size_t i)
{
    const char *name = stmt->columns[i].name;
    size_t n = column_nesting(name), end = i + 1;

    while (end < stmt->ncolumns && strncmp(stmt->columns[end].name, name, n + 1) == 0)
        end++;
    return end;
}

static void
columns_required(struct buf *b, const struct pg_stmt *stmt, struct column_run run)
{
    json_key(b, "required");
    json_open(b, '[');
    for (size_t i = run.from; i < run.to;) {
        const char *name = stmt->columns[i].name + run.skip;
        size_t n = column_nesting(name);
        json_text(b, (struct text){name, n > 0 ? n : strlen(name)});
        i = n > 0 ? column_run_end(stmt, i) : i + 1;
    }
    json_close(b, ']');
}

static void columns_object(struct buf *b, const struct pg_stmt *stmt, struct column_run run);

static void
columns_nested(struct buf *b, const struct pg_stmt *stmt, size_t from, size_t to)
{
    char object[64];
    size_t n = column_nesting(stmt->columns[from].name);

    snprintf(object, sizeof object, "%.*s", (int)n, stmt->columns[from].name);
    json_key(b, object);
    columns_object(b, stmt, (struct column_run){from, to, n + 1});
}

/* Nesting is one deep, so this calls itself once at most. */
static void
columns_object(struct buf *b, const struct pg_stmt *stmt, struct column_run run)
{
    json_open(b, '{');
    json_kv_z(b, "type", "object");
    json_key(b, "properties");
    json_open(b, '{');
    for (size_t i = run.from; i < run.to;) {
        const struct pg_column *column = &stmt->columns[i];
        if (run.skip == 0 && column_nesting(column->name) > 0) {
            size_t end = column_run_end(stmt, i);
            columns_nested(b, stmt, i, end);
            i = end;
            continue;
        }
        json_key(b, column->name + run.skip);
        json_open(b, '{');
        schema_pg_type(b, column->type, column->nullable);
        json_close(b, '}');
        i++;
    }
    json_close(b, '}');
    columns_required(b, stmt, run);
    json_close(b, '}');
}

/* --- by name or in place --------------------------------------------------------------------- */

void
schema_component(struct buf *b, const struct components *c, const struct component *item)
{
    if (item->kind == COMPONENT_BODY)
        schema_body(b, item->shape);
    else if (item->kind == COMPONENT_REPLY)
        schema_reply(b, c, item->shape);
    else
        columns_object(b, item->stmt, (struct column_run){0, item->stmt->ncolumns, 0});
}

void
schema_shape(struct buf *b, const struct components *c, enum component_kind kind,
             const struct shape *shape)
{
    const struct component *item = components_shape(c, kind, shape);
    struct component unnamed = {.kind = kind, .shape = shape};

    if (item != NULL)
        schema_ref(b, "schemas", item->name);
    else
        schema_component(b, c, &unnamed);
}

void
schema_columns(struct buf *b, const struct components *c, const struct pg_stmt *stmt)
{
    const struct component *item = components_columns(c, stmt);
    struct component unnamed = {.kind = COMPONENT_COLUMNS, .stmt = stmt};

    if (item != NULL)
        schema_ref(b, "schemas", item->name);
    else
        schema_component(b, c, &unnamed);
}

/* --- parameters --------------------------------------------------------------------------- */

struct parameter {
    const char *name;
    const char *in; /* "path", "query", "header" */
    const char *doc;
    bool required;
};

/* Up to the schema, which the caller writes; then json_close. */
static void
parameter_open(struct buf *b, struct parameter p)
{
    json_open(b, '{');
    json_kv_z(b, "name", p.name);
    json_kv_z(b, "in", p.in);
    if (p.required)
        json_kv_bool(b, "required", true);
    if (p.doc != NULL)
        json_kv_z(b, "description", p.doc);
    json_key(b, "schema");
}

static void
parameters_path(struct buf *b, const struct route *t)
{
    for (size_t i = 0; i < t->nparams; i++) {
        const struct field *f =
            t->param_field[i] < 0 ? NULL : &t->row->in->fields[t->param_field[i]];
        parameter_open(
            b, (struct parameter){t->param_name[i], "path", f == NULL ? NULL : f->doc, true});
        if (f != NULL)
            schema_parameter(b, f);
        else
            schema_filter_value(b, PG_UUID);
        json_close(b, '}');
    }
}

static void
parameters_query(struct buf *b, const struct shape *in)
{
    for (size_t i = 0; in != NULL && i < in->count; i++) {
        const struct field *f = &in->fields[i];
        if (f->place != IN_QUERY)
            continue;
        parameter_open(b, (struct parameter){f->name, "query", f->doc, f->required});
        schema_parameter(b, f);
        json_close(b, '}');
    }
}

static void
parameter_sort(struct buf *b, const struct pg_stmt *list)
{
    char preset[80];

    parameter_open(b, (struct parameter){"sort", "query",
                                         "Columns to sort by, with - in front from high to low; a "
                                         "cursor goes with one column",
                                         false});
    json_open(b, '{');
    json_kv_z(b, "type", "array");
    json_key(b, "items");
    json_open(b, '{');
    json_kv_z(b, "type", "string");
    json_key(b, "enum");
    json_open(b, '[');
    for (size_t i = 0; i < list->nsorts; i++) {
        char down[80];
        snprintf(down, sizeof down, "-%s", list->sorts[i].name);
        json_z(b, list->sorts[i].name);
        json_z(b, down);
    }
    json_close(b, ']');
    json_close(b, '}');
    json_kv_int(b, "minItems", 1);
    json_kv_int(b, "maxItems", PG_LIST_SORTS);
    json_kv_bool(b, "uniqueItems", true);
    snprintf(preset, sizeof preset, "%s%s", list->sort_descending ? "-" : "", list->sorts[0].name);
    json_key(b, "default");
    json_open(b, '[');
    json_z(b, preset);
    json_close(b, ']');
    json_close(b, '}');
    json_kv_z(b, "style", "form");
    json_kv_bool(b, "explode", false);
    json_close(b, '}');
}

static void
parameter_filter(struct buf *b, const struct pg_filter *f, const struct filter_form *form)
{
    char name[96];

    snprintf(name, sizeof name, "%s%s", f->name, form->suffix);
    parameter_open(b, (struct parameter){name, "query", form->meaning, false});
    if (form->op != FILTER_IN) {
        schema_filter_value(b, f->type);
        json_close(b, '}');
        return;
    }
    json_open(b, '{');
    json_kv_z(b, "type", "array");
    json_key(b, "items");
    schema_filter_value(b, f->type);
    json_kv_int(b, "minItems", 1);
    json_kv_int(b, "maxItems", FACTS_IN_MAX);
    json_close(b, '}');
    json_kv_z(b, "style", "form");
    json_kv_bool(b, "explode", false);
    json_close(b, '}');
}

static void
parameters_list(struct buf *b, const struct endpoint *e)
{
    static const char *const paging[] = {"offset", "cursor", "count"};
    const struct pg_stmt *list = facts_list(e);

    if (list == NULL)
        return;
    schema_ref(b, "parameters", e->csv == NULL ? "limit" : "limit_csv");
    for (size_t i = 0; i < sizeof paging / sizeof paging[0]; i++)
        schema_ref(b, "parameters", paging[i]);
    if (list->nsorts > 0)
        parameter_sort(b, list);
    for (size_t i = 0; i < list->nfilters; i++) {
        for (const struct filter_form *form = filter_forms; form->suffix != NULL; form++) {
            if ((list->filters[i].ops & form->op) != 0)
                parameter_filter(b, &list->filters[i], form);
        }
    }
}

static void
parameters_headers(struct buf *b, const struct endpoint *e)
{
    if (facts_safe(e) && facts_versioned(e))
        schema_ref(b, "parameters", "if_none_match");
    if (e->if_match_needed)
        schema_ref(b, "parameters", "if_match_needed");
    else if (facts_if_match(e))
        schema_ref(b, "parameters", "if_match");
    if (e->idempotency == IDEMPOTENCY_REQUIRED)
        schema_ref(b, "parameters", "idempotency_key_needed");
    else if (facts_idempotent(e))
        schema_ref(b, "parameters", "idempotency_key");
}

void
schema_parameters(struct buf *b, const struct route *t)
{
    size_t before = b->len, empty;

    json_key(b, "parameters");
    json_open(b, '[');
    empty = b->len;
    parameters_path(b, t);
    parameters_query(b, t->row->in);
    parameters_list(b, t->row);
    parameters_headers(b, t->row);
    if (b->len == empty)
        b->len = before;
    else
        json_close(b, ']');
}

static bool
row_etag(const struct endpoint *e)
{
    return facts_safe(e) && facts_versioned(e);
}

static bool
row_if_match(const struct endpoint *e)
{
    return facts_if_match(e) && !e->if_match_needed;
}

static bool
row_if_match_needed(const struct endpoint *e)
{
    return e->if_match_needed;
}

static bool
row_key(const struct endpoint *e)
{
    return facts_idempotent(e) && e->idempotency != IDEMPOTENCY_REQUIRED;
}

static bool
row_key_needed(const struct endpoint *e)
{
    return e->idempotency == IDEMPOTENCY_REQUIRED;
}

#define DIGITS(n) #n
#define NUMBER(n) DIGITS(n)
#define INTEGER(min, max, preset) \
    "{\"type\":\"integer\",\"minimum\":" min ",\"maximum\":" max ",\"default\":" preset "}"
#define STRING "{\"type\":\"string\"}"
#define KEY "{\"type\":\"string\",\"minLength\":1,\"maxLength\":255,\"pattern\":\"^[ -~]+$\"}"
#define MATCH "The ETag as it was received, or *: 412 when the resource has changed"
#define REPEAT "Makes repeating the request safe: the first answer is given again"

/* Parameters that come from no row, left out while no row uses them. */
struct shared {
    const char *component;
    bool (*used)(const struct endpoint *);
    struct parameter parameter;
    const char *schema; /* JSON */
};

static bool
row_csv(const struct endpoint *e)
{
    return e->csv != NULL;
}

static const struct shared shared_parameters[] = {
    {"limit",
     facts_is_list,
     {"limit", "query", "Rows of a page", false},
     INTEGER("1", NUMBER(LIST_LIMIT_MAX), NUMBER(LIST_LIMIT_DEFAULT))},
    {"limit_csv",
     row_csv,
     {"limit", "query", "Lines at most; Link leads to those after them", false},
     INTEGER("1", NUMBER(LIST_CSV_LIMIT), NUMBER(LIST_CSV_LIMIT))},
    {"offset",
     facts_is_list,
     {"offset", "query", "Rows to pass over; not together with cursor", false},
     INTEGER("0", NUMBER(LIST_OFFSET_MAX), "0")},
    {"cursor",
     facts_is_list,
     {"cursor", "query", "next_cursor of the page before, with the same sort", false},
     STRING},
    {"count",
     facts_is_list,
     {"count", "query", "exact: count a list that is not counted otherwise", false},
     "{\"type\":\"string\",\"enum\":[\"exact\"]}"},
    {"if_none_match",
     row_etag,
     {"If-None-Match", "header", "ETag values, or *: 304 when the resource is still that", false},
     STRING},
    {"if_match", row_if_match, {"If-Match", "header", MATCH, false}, STRING},
    {"if_match_needed", row_if_match_needed, {"If-Match", "header", MATCH, true}, STRING},
    {"idempotency_key", row_key, {"Idempotency-Key", "header", REPEAT, false}, KEY},
    {"idempotency_key_needed", row_key_needed, {"Idempotency-Key", "header", REPEAT, true}, KEY},
};

void
components_parameters(struct buf *b)
{
    json_key(b, "parameters");
    json_open(b, '{');
    for (size_t i = 0; i < sizeof shared_parameters / sizeof shared_parameters[0]; i++) {
        const struct shared *s = &shared_parameters[i];
        if (!facts_any(s->used))
            continue;
        json_key(b, s->component);
        parameter_open(b, s->parameter);
        json_raw(b, text_of(s->schema));
        json_close(b, '}');
    }
    json_close(b, '}');
}
