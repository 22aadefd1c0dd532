#include <ctype.h>
#include <stdarg.h>
#include <string.h>

#include "api/emit.h"
#include "api/emit_parts.h"
#include "api/format.h"
#include "base/timestamp.h"

#define FIELDS_MAX 64 /* bits of req.present */
#define TEXT_LIMIT (1 << 20)
#define LIST_LIMIT 10000
#define ID_MAX 60

/* One row under judgement. */
struct check {
    const struct route *t;
    const struct endpoint *e;
    FILE *out;
    size_t faults;
};

static void fault(struct check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
fault(struct check *c, const char *format, ...)
{
    va_list args;

    c->faults++;
    if (c->out == NULL)
        return;
    fprintf(c->out, "%s: ", c->e->id == NULL ? "(no id)" : c->e->id);
    va_start(args, format);
    vfprintf(c->out, format, args);
    va_end(args);
    fputc('\n', c->out);
}

/* --- words -------------------------------------------------------------------------------- */

static bool
all_of(const char *z, const char *set)
{
    return z != NULL && z[0] != '\0' && z[strspn(z, set)] == '\0';
}

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGIT "0123456789"

static bool
snake_case(const char *z)
{
    return all_of(z, LOWER DIGIT "_") && islower((unsigned char)z[0]) && z[strlen(z) - 1] != '_' &&
           strstr(z, "__") == NULL;
}

static bool
ends_with(const char *z, const char *end)
{
    size_t n = strlen(z), m = strlen(end);
    return n >= m && strcmp(z + n - m, end) == 0;
}

/* "course.transfer_owner" */
static bool
dotted_words(const char *z)
{
    return all_of(z, LOWER DIGIT "._") && strchr(z, '.') != NULL && z[0] != '.' &&
           !ends_with(z, ".");
}

/* "0.1.0" */
static bool
release(const char *z)
{
    unsigned numbers = 0;

    if (z == NULL)
        return false;
    while (isdigit((unsigned char)*z)) {
        z += strspn(z, DIGIT);
        numbers++;
        if (*z == '\0')
            return numbers == 3;
        if (*z++ != '.')
            return false;
    }
    return false;
}

static bool
sentence(const char *z)
{
    return z != NULL && isupper((unsigned char)z[0]) && ends_with(z, ".") && !ends_with(z, "..");
}

static bool
one_of(const char *choices, const char *z)
{
    struct text rest = text_of(choices);

    while (rest.p != NULL) {
        if (text_eq(text_cut(&rest, '|'), text_of(z)))
            return true;
    }
    return false;
}

/* --- the positional part --------------------------------------------------------------------- */

static void
check_names(struct check *c)
{
    if (!snake_case(c->e->id) || strlen(c->e->id) > ID_MAX)
        fault(c, "the id is not snake_case of at most %d characters", ID_MAX);
    for (size_t i = 0; c->e->id != NULL && i < c->t->number; i++) {
        const char *other = route_at(i)->row->id;
        if (other != NULL && strcmp(other, c->e->id) == 0)
            fault(c, "the id is used twice");
    }
    if (!sentence(c->e->doc))
        fault(c, "doc is not a sentence that begins with a capital and ends with a full stop");
    if (!release(c->e->since))
        fault(c, "since is not a release like 0.1.0");
}

static void
check_method(struct check *c)
{
    switch (c->e->method) {
    case METHOD_GET:
    case METHOD_POST:
    case METHOD_PUT:
    case METHOD_PATCH:
    case METHOD_DELETE:
        return;
    case METHOD_NONE:
    case METHOD_HEAD:
    case METHOD_OPTIONS:
    case METHOD_OTHER:
        break;
    }
    fault(c, "the method is none of GET, POST, PUT, PATCH, DELETE");
}

static void
check_path(struct check *c)
{
    const char *path = c->e->path;

    if (path == NULL || path[0] != '/' || !all_of(path, LOWER DIGIT "/._{}-") ||
        ends_with(path, "/"))
        fault(c, "the path is not made of /, lower-case words and {parameters}");
    if (strlen(c->t->full) + 1 >= sizeof c->t->full)
        fault(c, "the path is too long");
}

static void
check_segments(struct check *c)
{
    size_t opened = 0;

    for (const char *p = c->t->full; (p = strchr(p, '{')) != NULL; p++) {
        opened++;
        if (p[-1] != '/' || p[strcspn(p, "}/")] != '}')
            fault(c, "a parameter of the path is not a whole segment");
    }
    if (opened != c->t->nparams)
        fault(c, "the path has %zu parameters, of which %zu can be bound", opened, c->t->nparams);
    for (size_t i = 0; i < c->t->nparams; i++) {
        const char *name = c->t->param_name[i];
        if (!snake_case(name) || (c->t->param_field[i] < 0 && !ends_with(name, "_id")))
            fault(c, "path parameter %s is neither an …_id nor a field", name);
        for (size_t k = 0; k < i; k++) {
            if (strcmp(c->t->param_name[k], name) == 0)
                fault(c, "path parameter %s is named twice", name);
        }
    }
}

static void
check_grant(struct check *c)
{
    bool user = c->e->auth == AUTH_USER;

    if (c->e->auth < AUTH_ANYONE || c->e->auth > AUTH_METRICS)
        fault(c, "auth is not set");
    if (c->e->grant == 0 || (c->e->grant & ~(unsigned)(GRANT_EVERYONE | GRANT_PUBLIC)) != 0)
        fault(c, "grant is not a set of roles");
    if (user && (c->e->grant & GRANT_PUBLIC) != 0)
        fault(c, "GRANT_PUBLIC is not for a row that needs a user");
    if (!user && c->e->grant != GRANT_PUBLIC)
        fault(c, "a row that needs no user has GRANT_PUBLIC alone");
}

/* --- what it does ------------------------------------------------------------------------- */

static void
check_work(struct check *c)
{
    const struct endpoint *e = c->e;
    int replies = (e->reply != NULL) + (e->reply_sql != NULL) + (e->produces != NULL);

    if ((e->sql == NULL) == (e->run == NULL)) {
        fault(c, "exactly one of sql and run is set");
        return;
    }
    if (e->sql != NULL && replies > (e->csv != NULL))
        fault(c, "a row with sql answers with its columns: no reply, reply_sql or produces");
    if (e->sql != NULL)
        return;
    if (e->status == 204 && replies > 0)
        fault(c, "status 204 has no reply");
    else if (e->status != 204 && replies != 1)
        fault(c, "a run row has one of reply, reply_sql and produces, or status 204");
}

static void
check_produces(struct check *c)
{
    const char *type = c->e->produces;

    if (c->e->reply_list && c->e->reply == NULL)
        fault(c, "reply_list is not for a row without reply");
    if (c->e->csv != NULL && (facts_list(c->e) == NULL || type == NULL))
        fault(c, "csv is for a list that produces it");
    if (type != NULL && (strchr(type, '/') == NULL || type[0] == '/'))
        fault(c, "produces is not a media type");
}

static void
check_status(struct check *c)
{
    const struct endpoint *e = c->e;

    if (e->status != 0 && e->status != 200 && e->status != 201 && e->status != 202 &&
        e->status != 204)
        fault(c, "status %d is not one of success", e->status);
    if (facts_safe(e) && e->status != 0 && e->status != 200)
        fault(c, "a GET answers 200");
    if (facts_status(e) != 204 && e->sql != NULL && facts_columns(e) == NULL)
        fault(c, "status %d needs columns to answer with", e->status);
}

static void
check_location(struct check *c)
{
    struct text params[PATH_PARAMS_MAX];
    const char *mark;
    char path[200];
    unsigned allowed;

    if (c->e->location == NULL)
        return;
    mark = strstr(c->e->location, "{id}");
    if (facts_status(c->e) != 201 || c->e->location[0] != '/' || mark == NULL) {
        fault(c, "location is for status 201 and a path with {id}");
        return;
    }
    snprintf(path, sizeof path, "/api/v1%.*s00000000-0000-7000-8000-000000000000%s",
             (int)(mark - c->e->location), c->e->location, mark + 4);
    if (route_find(METHOD_GET, text_of(path), params, &allowed) == NULL)
        fault(c, "location %s is served by no GET", c->e->location);
}

/* Types that the binder makes of a field's kind (bind_values). */
static bool
kind_fits(enum field_kind kind, enum pg_type type)
{
    static const enum pg_type types[] = {
        [FIELD_TEXT] = PG_TEXT,   [FIELD_INT] = PG_INT8,  [FIELD_BOOL] = PG_BOOL,
        [FIELD_UUID] = PG_UUID,   [FIELD_TIME] = PG_TIME, [FIELD_TEXTS] = PG_TEXTS,
        [FIELD_UUIDS] = PG_UUIDS, [FIELD_JSON] = PG_JSON,
    };

    if (kind < FIELD_TEXT || kind > FIELD_JSON)
        return false;
    return types[kind] == type || (kind == FIELD_INT && type == PG_INT4);
}

static bool
field_always(const struct field *f)
{
    return f->required || f->preset != NULL || f->place == IN_PATH;
}

static void
check_param(struct check *c, const struct pg_stmt *stmt, size_t i, struct source s)
{
    const struct pg_param *p = &stmt->params[i];
    bool fits = true, given = true;

    switch (s.kind) {
    case SOURCE_FIELD:
        fits = kind_fits(c->e->in->fields[s.index].kind, p->type);
        given = field_always(&c->e->in->fields[s.index]) && !c->e->in->fields[s.index].nullable;
        break;
    case SOURCE_SENT:
        fits = p->type == PG_BOOL;
        break;
    case SOURCE_PATH:
    case SOURCE_NEW_ID:
        fits = p->type == PG_UUID;
        break;
    case SOURCE_SESSION:
        fits = p->type == PG_UUID;
        given = c->e->auth == AUTH_USER;
        break;
    case SOURCE_IF_MATCH:
        fits = p->type == PG_INT8;
        given = c->e->if_match_needed;
        break;
    }
    if (!fits)
        fault(c, "%s takes %s in another type", stmt->name, p->name);
    if (!given && !p->nullable)
        fault(c, "%s needs %s, which may be left out", stmt->name, p->name);
}

static void
check_params(struct check *c, const struct pg_stmt *stmt)
{
    struct source sources[SQL_PARAMS_MAX];

    if (stmt == NULL)
        return;
    if (!route_sources(c->t, stmt, sources, NULL)) {
        fault(c, "%s has a parameter that the row does not give", stmt->name);
        return;
    }
    for (size_t i = 0; i < stmt->nparams; i++)
        check_param(c, stmt, i, sources[i]);
}

static void
check_statements(struct check *c)
{
    const struct endpoint *e = c->e;

    if (e->sql != NULL && facts_safe(e) && e->sql->kind == STMT_WRITE)
        fault(c, "a GET does not write");
    if (e->sql != NULL && !facts_safe(e) && e->sql->kind != STMT_WRITE)
        fault(c, "what changes something has a statement of kind write");
    if (e->sql != NULL && facts_safe(e) && e->sql->ncolumns == 0)
        fault(c, "a GET has columns to answer with");
    if (e->reply_sql != NULL && e->reply_sql->ncolumns == 0)
        fault(c, "reply_sql has no columns");
    if (e->probe != NULL && e->probe->kind != STMT_READ)
        fault(c, "the probe is not a read");
    check_params(c, e->sql);
    check_params(c, e->probe);
}

/* --- lists -------------------------------------------------------------------------------- */

static void
check_csv(struct check *c, const struct pg_stmt *list)
{
    if (c->e->csv != NULL &&
        (!ends_with(c->e->csv, ".csv") || !all_of(c->e->csv, LOWER DIGIT ".-")))
        fault(c, "csv is not the name of a file");
    for (size_t i = 0; c->e->csv != NULL && i < list->ncolumns; i++) {
        if (list->columns[i].type == PG_TEXTS || list->columns[i].type == PG_UUIDS)
            fault(c, "column %s is an array, which a line has no place for", list->columns[i].name);
    }
}

static void
check_sorts(struct check *c, const struct pg_stmt *list)
{
    if (list->nsorts == 0)
        fault(c, "the list has no sort");
    for (size_t i = 0; i < list->nsorts; i++) {
        const struct pg_sort *s = &list->sorts[i];
        const struct pg_column *column = facts_column(list, s->column);
        if (column == NULL || column->nullable || column->type != s->type)
            fault(c, "sort %s is not a column that is never null", s->name);
    }
}

static bool
filter_on(const struct pg_stmt *list, const char *name)
{
    for (size_t i = 0; i < list->nfilters; i++) {
        if (strcmp(list->filters[i].name, name) == 0)
            return true;
    }
    return false;
}

/* What every list is asked for where the columns are there. */
static void
check_house_filters(struct check *c, const struct pg_stmt *list)
{
    static const char *const house[] = {"created_at", "updated_at", "status", "owner_id"};

    for (size_t i = 0; i < sizeof house / sizeof house[0]; i++) {
        if (facts_column(list, house[i]) != NULL && !filter_on(list, house[i]))
            fault(c, "the list has a column %s and no filter of it", house[i]);
    }
}

static void
check_filters(struct check *c, const struct pg_stmt *list)
{
    static const char *const own[] = {"limit", "offset", "cursor", "count", "sort"};

    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (filter_on(list, own[i]))
            fault(c, "filter %s is a parameter of every list", own[i]);
    }
    for (size_t i = 0; i < list->nfilters; i++) {
        if (list->filters[i].ops == 0)
            fault(c, "filter %s admits no comparison", list->filters[i].name);
    }
}

static void
check_list(struct check *c)
{
    const struct pg_stmt *list = facts_list(c->e);
    const struct pg_column *id = facts_column(list, "id");

    if (list == NULL) {
        if (c->e->unbounded)
            fault(c, "unbounded is for lists");
        return;
    }
    if (list->key == NULL || id == NULL || id->type != PG_UUID || id->nullable)
        fault(c, "the list has no key, or no column id to hold it");
    check_sorts(c, list);
    check_csv(c, list);
    check_filters(c, list);
    check_house_filters(c, list);
}

/* --- fields ------------------------------------------------------------------------------- */

static void
check_length(struct check *c, const struct field *f, int64_t max, int64_t limit)
{
    if (f->min < 0 || f->min > max)
        fault(c, "field %s: min is over max", f->name);
    if (max < 1 || max > limit)
        fault(c, "field %s: max is out of reason", f->name);
}

static void
check_bounds(struct check *c, const struct field *f)
{
    switch (f->kind) {
    case FIELD_INT:
        if (f->min >= f->max)
            fault(c, "field %s: an integer has min below max", f->name);
        break;
    case FIELD_TEXT:
        check_length(c, f, f->max == 0 ? 255 : f->max, TEXT_LIMIT);
        break;
    case FIELD_TEXTS:
    case FIELD_UUIDS:
        check_length(c, f, f->max, LIST_LIMIT);
        break;
    case FIELD_BOOL:
    case FIELD_UUID:
    case FIELD_TIME:
    case FIELD_JSON:
    case FIELD_OBJECT:
    case FIELD_ITEMS:
        if (f->min != 0 || f->max != 0)
            fault(c, "field %s: this kind has no bounds", f->name);
        break;
    }
}

static void
check_choices(struct check *c, const struct field *f)
{
    struct text rest = text_of(f->choices);

    if (f->choices == NULL)
        return;
    if (f->kind != FIELD_TEXT)
        fault(c, "field %s: choices are of texts", f->name);
    while (rest.p != NULL) {
        struct text one = text_cut(&rest, '|');
        if (one.len == 0 || (int64_t)one.len < f->min ||
            one.len > (f->max == 0 ? 255 : (size_t)f->max))
            fault(c, "field %s: a choice is empty or out of its own bounds", f->name);
    }
}

static void
check_preset(struct check *c, const struct field *f)
{
    int64_t n;
    bool good = true;

    if (f->preset == NULL)
        return;
    if (f->required)
        fault(c, "field %s is required and has a preset", f->name);
    if (f->kind == FIELD_BOOL)
        good = one_of("true|false", f->preset);
    else if (f->kind == FIELD_INT)
        good = text_to_int(text_of(f->preset), &n) && n >= f->min && n <= f->max;
    else if (f->kind == FIELD_TEXT && f->choices != NULL)
        good = one_of(f->choices, f->preset);
    else if (f->kind == FIELD_TEXT)
        good = format_info(f->format)->check(text_of(f->preset));
    else
        good = false;
    if (!good)
        fault(c, "field %s: the preset is not a value of it", f->name);
}

static void
check_secrecy(struct check *c, const struct field *f)
{
    bool secret = strstr(f->name, "password") != NULL || strstr(f->name, "token") != NULL ||
                  strstr(f->name, "email") != NULL;

    if (secret && !f->sensitive)
        fault(c, "field %s is sensitive by its name", f->name);
    if (f->account && (f->kind != FIELD_TEXT || rate_of(c->e) != RATE_AUTH))
        fault(c, "field %s: an account is a text of a row of the class auth", f->name);
}

static void
check_path_field(struct check *c, const struct field *f)
{
    bool found = false;

    for (size_t i = 0; i < c->t->nparams; i++)
        found = found || strcmp(c->t->param_name[i], f->name) == 0;
    if (f->place == IN_PATH && !found)
        fault(c, "field %s is not in the path", f->name);
    if (f->place != IN_PATH && found)
        fault(c, "field %s has the name of a path parameter", f->name);
}

static bool
field_single(const struct field *f)
{
    return f->kind != FIELD_TEXTS && f->kind != FIELD_UUIDS && f->kind != FIELD_JSON &&
           !f->nullable;
}

static void
check_place(struct check *c, const struct field *f)
{
    if (f->kind < FIELD_TEXT || f->kind > FIELD_JSON)
        fault(c, "field %s: this kind is for replies", f->name);
    check_path_field(c, f);
    if (f->place != IN_BODY) {
        if (!field_single(f))
            fault(c, "field %s: paths and queries hold single values", f->name);
        return;
    }
    if (facts_safe(c->e) || c->e->body == BODY_CSV)
        fault(c, "field %s: this row has no JSON body", f->name);
    if (f->required && c->e->body == BODY_JSON_OPTIONAL)
        fault(c, "field %s is required in a body that is not", f->name);
}

static void
check_query_name(struct check *c, const struct field *f)
{
    const struct pg_stmt *list = facts_list(c->e);

    if (list != NULL && f->place == IN_QUERY &&
        (filter_on(list, f->name) || one_of("limit|offset|cursor|count|sort", f->name)))
        fault(c, "field %s is a parameter of the list already", f->name);
}

static void
check_field(struct check *c, const struct field *f)
{
    if (!snake_case(f->name))
        fault(c, "field %s is not snake_case", f->name);
    if (f->doc == NULL || f->doc[0] == '\0')
        fault(c, "field %s has no doc", f->name);
    if (f->offset >= c->e->in->size)
        fault(c, "field %s is not in its struct", f->name);
    for (const struct field *other = c->e->in->fields; other < f; other++) {
        if (strcmp(other->name, f->name) == 0)
            fault(c, "field %s is declared twice", f->name);
    }
    check_bounds(c, f);
    check_choices(c, f);
    check_preset(c, f);
    check_secrecy(c, f);
    check_place(c, f);
    check_query_name(c, f);
}

static void
check_fields(struct check *c)
{
    const struct shape *in = c->e->in;

    if (in != NULL && in->count > FIELDS_MAX)
        fault(c, "more than %d fields", FIELDS_MAX);
    for (size_t i = 0; in != NULL && i < in->count && i < FIELDS_MAX; i++)
        check_field(c, &in->fields[i]);
}

static void
check_body(struct check *c)
{
    const struct endpoint *e = c->e;

    if (e->body == BODY_JSON_OPTIONAL && facts_body(e) == FACTS_NO_BODY)
        fault(c, "an optional body has fields");
    if (e->body == BODY_CSV && (facts_safe(e) || e->run == NULL))
        fault(c, "a CSV body is for a run row that changes something");
    if (e->body_max < 0)
        fault(c, "body_max is negative");
}

/* A shape may be nested; it never holds itself. */
static void
check_reply(struct check *c, const struct shape *shape)
{
    if (shape == NULL)
        return;
    if (!snake_case(shape->name))
        fault(c, "shape %s is not snake_case", shape->name);
    for (size_t i = 0; i < shape->count; i++) {
        const struct field *f = &shape->fields[i];
        bool nested = f->kind == FIELD_OBJECT || f->kind == FIELD_ITEMS;
        if (f->doc == NULL || f->doc[0] == '\0')
            fault(c, "field %s of %s has no doc", f->name, shape->name);
        if (nested != (f->shape != NULL))
            fault(c, "field %s of %s: a shape is for what is nested", f->name, shape->name);
        if (f->place != IN_BODY || f->required || f->preset != NULL)
            fault(c, "field %s of %s: place, required and preset are for input", f->name,
                  shape->name);
        check_reply(c, f->shape);
    }
}

static void
check_replies(struct check *c)
{
    check_reply(c, c->e->reply);
}

/* --- what is kept of it ------------------------------------------------------------------- */

static bool
names_id(const struct check *c, const char *name)
{
    if (name == NULL || strcmp(name, "new") == 0 || strcmp(name, "session") == 0)
        return true;
    for (size_t i = 0; i < c->t->nparams; i++) {
        const struct field *f =
            c->t->param_field[i] < 0 ? NULL : &c->e->in->fields[c->t->param_field[i]];
        if (strcmp(c->t->param_name[i], name) == 0)
            return f == NULL || f->kind == FIELD_UUID;
    }
    return false;
}

/* Is a word of the path one of those? */
static bool
path_has(const char *path, const char *words)
{
    struct text rest = text_of(path);

    while (rest.p != NULL) {
        struct text word = text_cut(&rest, '/'), others = text_of(words);
        while (word.len > 0 && others.p != NULL) {
            if (text_eq(text_cut(&others, '|'), word))
                return true;
        }
    }
    return false;
}

static bool
body_has(const struct shape *in, const char *words)
{
    for (size_t i = 0; in != NULL && i < in->count; i++) {
        if (in->fields[i].place == IN_BODY && one_of(words, in->fields[i].name))
            return true;
    }
    return false;
}

/* Deletes, or changes who may do what: by a word of its path or a field of its body. */
static bool
to_be_audited(const struct endpoint *e)
{
    if (e->method == METHOD_DELETE)
        return true;
    if (facts_safe(e))
        return false;
    return path_has(e->path, "role|staff|transfer-owner|password|credentials|second-factor|"
                             "recovery-codes|invitations|parent-links|limits|org|keys") ||
           body_has(e->in, "role|owner_id|password|new_password|settings|permissions");
}

static void
check_no_audit(struct check *c)
{
    if (c->e->unaudited == NULL && c->e->path != NULL && to_be_audited(c->e))
        fault(c, "what deletes, or changes roles, owners, credentials or settings is audited");
    if (c->e->audit.type != NULL || c->e->audit.target != NULL)
        fault(c, "an audit rule has an action");
}

static void
check_audit(struct check *c)
{
    const struct audit_rule *a = &c->e->audit;
    /* Signing in and accepting an invitation begin without a user; whose session or account is
     * the target has become one. */
    bool made =
        a->target != NULL && (strcmp(a->target, "session") == 0 || strcmp(a->target, "new") == 0);
    bool user = c->e->auth == AUTH_USER || made;

    if (c->e->unaudited != NULL && (a->action != NULL || !sentence(c->e->unaudited)))
        fault(c, "unaudited is a sentence, for a row without an action");
    if (a->action == NULL) {
        check_no_audit(c);
        return;
    }
    if (facts_safe(c->e) || !user)
        fault(c, "audit is for what a user changes");
    if (!dotted_words(a->action) || !snake_case(a->type))
        fault(c, "audit has an action like course.delete and a type");
    if (!names_id(c, a->target))
        fault(c, "audit target %s is neither a path parameter nor new nor session", a->target);
}

static void
check_event(struct check *c)
{
    const struct event_rule *e = &c->e->event;

    if (e->kind == NULL) {
        if (e->type != NULL || e->subject != NULL || e->course != NULL)
            fault(c, "an event rule has a kind");
        return;
    }
    if (facts_safe(c->e))
        fault(c, "a read makes no event");
    if (!dotted_words(e->kind) || !snake_case(e->type))
        fault(c, "event has a kind like course.created and a type");
    if (!names_id(c, e->subject))
        fault(c, "event subject %s is neither a path parameter nor new nor session", e->subject);
    if (!names_id(c, e->course))
        fault(c, "event course %s is neither a path parameter nor new nor session", e->course);
}

static bool
fail_seen(const struct endpoint *e, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (e->fails[k] == e->fails[i])
            return true;
    }
    return false;
}

static void
check_fails(struct check *c)
{
    struct err_set gates;
    bool refresh = false;

    facts_gate_errors(c->t, &gates);
    for (size_t i = 0; c->e->fails != NULL && c->e->fails[i] != E_OK; i++) {
        err e = c->e->fails[i];
        refresh = refresh || e == E_REFRESH_INVALID;
        if ((size_t)e >= (size_t)E_COUNT) {
            fault(c, "fails names an error that there is not");
            return;
        }
        if (e == E_IDEMPOTENCY_REPLAY || e == E_ROUTE_UNKNOWN || e == E_METHOD_NOT_ALLOWED ||
            err_public(e) != e)
            fault(c, "fails names %s, which no row answers", err_info(e)->code);
        if (gates.has[e])
            fault(c, "fails names %s, which the gates give already", err_info(e)->code);
        if (fail_seen(c->e, i))
            fault(c, "fails names %s twice", err_info(e)->code);
    }
    if (c->e->auth == AUTH_REFRESH && !refresh)
        fault(c, "a row with a refresh token fails with refresh_token_invalid");
}

/* --- the other columns -------------------------------------------------------------------- */

static void
check_columns(struct check *c)
{
    const struct endpoint *e = c->e;

    if (e->rate > RATE_NONE || e->rate == RATE_GLOBAL || e->rate == RATE_GLOBAL_MUTATION)
        fault(c, "rate is not a class of rows");
    if (e->pool > POOL_AUTH || e->cache > CACHE_PUBLIC || e->csrf > CSRF_OFF ||
        e->second_factor > SECOND_FACTOR_EXEMPT || e->body > BODY_CSV ||
        e->idempotency > IDEMPOTENCY_NONE)
        fault(c, "a column has a value that there is not");
    if (e->second_factor != SECOND_FACTOR_AUTO && e->auth != AUTH_USER)
        fault(c, "second_factor is for rows of a user");
}

static void
check_repeating(struct check *c)
{
    const struct endpoint *e = c->e;

    if (e->idempotency != IDEMPOTENCY_AUTO && e->method != METHOD_POST)
        fault(c, "idempotency is for POST");
    if (e->idempotency == IDEMPOTENCY_REQUIRED && e->auth != AUTH_USER)
        fault(c, "an Idempotency-Key belongs to a user");
    if (e->if_match_needed && e->method == METHOD_POST)
        fault(c, "if_match_needed is for PUT, PATCH and DELETE");
}

static void
check_age(struct check *c)
{
    const struct endpoint *e = c->e;
    struct timestamp end;

    if (e->cache == CACHE_PUBLIC && (e->auth != AUTH_ANYONE || !facts_safe(e)))
        fault(c, "only a read that needs no user is cached for everyone");
    if (e->gone != NULL && !timestamp_parse(text_of(e->gone), &end))
        fault(c, "gone is not an RFC 3339 time");
}

size_t
emit_check(FILE *faults)
{
    static void (*const checks[])(struct check *) = {
        check_names, check_method,   check_path,    check_segments,  check_grant,
        check_work,  check_produces, check_status,  check_location,  check_statements,
        check_list,  check_fields,   check_body,    check_replies,   check_audit,
        check_event, check_fails,    check_columns, check_repeating, check_age,
    };
    size_t count = 0;

    for (size_t i = 0; i < routes_count(); i++) {
        const struct route *t = route_at(i);
        struct check c = {t, t->row, faults, 0};
        for (size_t k = 0; k < sizeof checks / sizeof checks[0]; k++)
            checks[k](&c);
        count += c.faults;
    }
    return count;
}
