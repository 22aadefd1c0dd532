#include "api/bind.h"

#include <string.h>

#include "api/format.h"
#include "api/route.h"
#include "base/json.h"
#include "pg/codec.h"
#include "wire/json_in.h"
#include "wire/query.h"

#define POINTER_NAME_MAX 100 /* of a name that a client made up */

/* RFC 6901: '~' and '/' are escaped. */
static const char *
bind_pointer(struct req *r, const char *prefix, struct text name)
{
    struct buf b;
    const char *z;

    buf_init(&b, 128, 1024);
    buf_z(&b, prefix);
    for (size_t i = 0; i < name.len && i < POINTER_NAME_MAX; i++) {
        if (name.p[i] == '~')
            buf_z(&b, "~0");
        else if (name.p[i] == '/')
            buf_z(&b, "~1");
        else
            buf_char(&b, name.p[i]);
    }
    /* A cut must not leave half a code point. */
    while (!text_utf8_valid(buf_as_text(&b)))
        b.len--;
    z = arena_text(r->arena, buf_as_text(&b)).p;
    buf_free(&b);
    return z;
}

static void *
bind_member(struct req *r, size_t field)
{
    return (char *)r->in + r->row->in->fields[field].offset;
}

static bool
bind_choice(const char *choices, struct text t)
{
    struct text rest = text_of(choices);

    while (rest.p != NULL) {
        if (text_eq(text_cut(&rest, '|'), t))
            return true;
    }
    return false;
}

static struct text
bind_lower(struct req *r, struct text t)
{
    char *p = arena_alloc(r->arena, t.len + 1);

    for (size_t i = 0; i < t.len; i++)
        p[i] = (char)(t.p[i] >= 'A' && t.p[i] <= 'Z' ? t.p[i] + 32 : t.p[i]);
    return (struct text){p, t.len};
}

static bool
bind_blank(struct text t)
{
    for (size_t i = 0; i < t.len; i++) {
        if (t.p[i] != ' ' && t.p[i] != '\t' && t.p[i] != '\n')
            return false;
    }
    return true;
}

static const char *
bind_bounds_message(struct req *r, const struct field *f, const char *unit)
{
    int64_t max = f->max == 0 ? 255 : f->max;
    return arena_printf(r->arena, "must have %lld to %lld %s", (long long)f->min, (long long)max,
                        unit)
        .p;
}

/* All rules of a text; false when one was broken (and reported). */
static bool
bind_check_text(struct req *r, const struct field *f, struct text t, const char *pointer)
{
    const struct format_info *form = format_info(f->format);
    size_t before = r->nviolations;
    size_t length;

    if (!text_utf8_valid(t)) {
        req_violation(r, pointer, "utf8", "must be valid UTF-8");
        return false;
    }
    length = text_utf8_length(t);
    if ((int64_t)length < f->min || (int64_t)length > (f->max == 0 ? 255 : f->max))
        req_violation(r, pointer, "length", bind_bounds_message(r, f, "characters"));
    else if (f->choices != NULL && !bind_choice(f->choices, t))
        req_violation(r, pointer, "choice",
                      arena_printf(r->arena, "must be one of %s", f->choices).p);
    else if (!(t.len == 0 && f->min == 0) && !form->check(t))
        req_violation(r, pointer, form->name, form->message);
    else if (!text_is_nfc(t))
        req_violation(r, pointer, "not_nfc", "must be in Unicode normalisation form C");
    else if (f->min > 0 && f->format <= FORMAT_MULTILINE && bind_blank(t))
        req_violation(r, pointer, "blank", "must not be blank");
    return r->nviolations == before;
}

static void
bind_set_text(struct req *r, size_t i, struct text t, const char *pointer)
{
    const struct field *f = &r->row->in->fields[i];

    if (bind_check_text(r, f, t, pointer))
        *(struct text *)bind_member(r, i) = f->format == FORMAT_EMAIL ? bind_lower(r, t) : t;
}

static void
bind_set_int(struct req *r, size_t i, int64_t v, const char *pointer)
{
    const struct field *f = &r->row->in->fields[i];

    if (v < f->min || v > f->max) {
        req_violation(r, pointer, "range",
                      arena_printf(r->arena, "must be from %lld to %lld", (long long)f->min,
                                   (long long)f->max)
                          .p);
        return;
    }
    *(int64_t *)bind_member(r, i) = v;
}

static void
bind_set_uuid(struct req *r, size_t i, struct text t, const char *pointer)
{
    if (!uuid_parse(t, bind_member(r, i)))
        req_violation(r, pointer, "uuid", "must be a UUID");
}

static void
bind_set_time(struct req *r, size_t i, struct text t, const char *pointer)
{
    if (!timestamp_parse(t, bind_member(r, i)))
        req_violation(r, pointer, "timestamp", "must be an RFC 3339 date and time");
}

static void
bind_wrong_type(struct req *r, const char *pointer, const char *want)
{
    req_violation(r, pointer, "type", arena_printf(r->arena, "must be %s", want).p);
}

void
bind_text_value(struct req *r, size_t i, struct text value, const char *pointer)
{
    int64_t n;

    switch (r->row->in->fields[i].kind) {
    case FIELD_TEXT:
        bind_set_text(r, i, value, pointer);
        break;
    case FIELD_INT:
        if (text_to_int(value, &n))
            bind_set_int(r, i, n, pointer);
        else
            bind_wrong_type(r, pointer, "an integer");
        break;
    case FIELD_BOOL:
        if (text_eq(value, TEXT("true")) || text_eq(value, TEXT("1")))
            *(bool *)bind_member(r, i) = true;
        else if (!text_eq(value, TEXT("false")) && !text_eq(value, TEXT("0")))
            bind_wrong_type(r, pointer, "true or false");
        break;
    case FIELD_UUID:
        bind_set_uuid(r, i, value, pointer);
        break;
    case FIELD_TIME:
        bind_set_time(r, i, value, pointer);
        break;
    default:
        bind_wrong_type(r, pointer, "a single value");
    }
    r->present |= UINT64_C(1) << i;
}

/* --- body ------------------------------------------------------------------------------------ */

static bool
bind_item_count(struct req *r, const struct field *f, size_t n, const char *pointer)
{
    if ((int64_t)n >= f->min && (int64_t)n <= f->max)
        return true;
    req_violation(r, pointer, "items", bind_bounds_message(r, f, "items"));
    return false;
}

static void
bind_json_texts(struct req *r, size_t i, struct json_value v, const char *pointer)
{
    const struct field *f = &r->row->in->fields[i];
    /* Of a list, min and max bound the items; each item is a house tag: 1 to 64. */
    struct field item = *f;
    size_t n = json_count(v);
    struct text *texts;

    if (!bind_item_count(r, f, n, pointer))
        return;
    item.min = 1;
    item.max = 64;
    texts = arena_array(r->arena, n + 1, sizeof *texts);
    for (size_t k = 0; k < n; k++) {
        struct json_value e = {NULL};
        const char *at = arena_printf(r->arena, "%s/%zu", pointer, k).p;
        if (!json_element(v, k, &e) || !json_get_text(e, &texts[k]))
            bind_wrong_type(r, at, "a string");
        else
            (void)bind_check_text(r, &item, texts[k], at);
    }
    *(struct texts *)bind_member(r, i) = (struct texts){texts, n};
}

static void
bind_json_uuids(struct req *r, size_t i, struct json_value v, const char *pointer)
{
    size_t n = json_count(v);
    struct uuid *ids;

    if (!bind_item_count(r, &r->row->in->fields[i], n, pointer))
        return;
    ids = arena_array(r->arena, n + 1, sizeof *ids);
    for (size_t k = 0; k < n; k++) {
        struct json_value e = {NULL};
        struct text t;
        if (!json_element(v, k, &e) || !json_get_text(e, &t) || !uuid_parse(t, &ids[k]))
            req_violation(r, arena_printf(r->arena, "%s/%zu", pointer, k).p, "uuid",
                          "must be a UUID");
    }
    *(struct uuids *)bind_member(r, i) = (struct uuids){ids, n};
}

#define JSON_COLUMN_MAX 32768

static void
bind_json_document(struct req *r, size_t i, struct json_value v, const char *pointer)
{
    struct text t = json_serialise(r->arena, v);

    if (json_type_of(v) != JSON_OBJECT)
        bind_wrong_type(r, pointer, "an object");
    else if (t.len > JSON_COLUMN_MAX)
        req_violation(r, pointer, "size", "must be at most 32 KiB of JSON");
    else
        ((struct json_text *)bind_member(r, i))->text = t;
}

static void
bind_json_array(struct req *r, size_t i, struct json_value v, const char *pointer)
{
    if (json_type_of(v) != JSON_ARRAY)
        bind_wrong_type(r, pointer, "an array");
    else if (r->row->in->fields[i].kind == FIELD_TEXTS)
        bind_json_texts(r, i, v, pointer);
    else
        bind_json_uuids(r, i, v, pointer);
}

static void
bind_json_string(struct req *r, size_t i, struct json_value v, const char *pointer)
{
    struct text t;

    if (!json_get_text(v, &t)) {
        bind_wrong_type(r, pointer, "a string");
        return;
    }
    switch (r->row->in->fields[i].kind) {
    case FIELD_UUID:
        bind_set_uuid(r, i, t, pointer);
        break;
    case FIELD_TIME:
        bind_set_time(r, i, t, pointer);
        break;
    default:
        bind_set_text(r, i, t, pointer);
    }
}

static void
bind_json_value(struct req *r, size_t i, struct json_value v, const char *pointer)
{
    int64_t n;

    switch (r->row->in->fields[i].kind) {
    case FIELD_INT:
        if (json_get_int(v, &n))
            bind_set_int(r, i, n, pointer);
        else
            bind_wrong_type(r, pointer, "an integer");
        break;
    case FIELD_BOOL:
        if (!json_get_bool(v, bind_member(r, i)))
            bind_wrong_type(r, pointer, "true or false");
        break;
    case FIELD_TEXTS:
    case FIELD_UUIDS:
        bind_json_array(r, i, v, pointer);
        break;
    case FIELD_JSON:
        bind_json_document(r, i, v, pointer);
        break;
    default:
        bind_json_string(r, i, v, pointer);
    }
}

static int
bind_field(const struct req *r, struct text name, enum field_place place)
{
    for (size_t i = 0; r->row->in != NULL && i < r->row->in->count; i++) {
        const struct field *f = &r->row->in->fields[i];
        if (f->place == place && text_eq(text_of(f->name), name))
            return (int)i;
    }
    return -1;
}

static void
bind_json_member(struct req *r, struct text name, struct json_value v)
{
    int i = bind_field(r, name, IN_BODY);
    const char *pointer = bind_pointer(r, "/", name);

    if (i < 0) {
        req_violation(r, pointer, "unknown", "is not a field of this operation");
        return;
    }
    if (json_type_of(v) == JSON_NULL) {
        r->nulls |= UINT64_C(1) << i;
        if (!r->row->in->fields[i].nullable)
            req_violation(r, pointer, "null", "must not be null");
        return;
    }
    r->present |= UINT64_C(1) << i;
    bind_json_value(r, (size_t)i, v, pointer);
}

static err
bind_json_body(struct req *r)
{
    struct json_value root, v;
    struct text name;
    void *cursor = NULL;

    TRY(json_parse(r->arena, r->body, &root));
    if (json_type_of(root) != JSON_OBJECT) {
        req_violation(r, "", "type", "the body must be an object");
        return E_OK;
    }
    while (json_next_member(root, &cursor, &name, &v))
        bind_json_member(r, name, v);
    return E_OK;
}

bool
bind_takes_body(const struct endpoint *row)
{
    if (row->body == BODY_CSV)
        return true;
    for (size_t i = 0; row->in != NULL && i < row->in->count; i++) {
        if (row->in->fields[i].place == IN_BODY)
            return true;
    }
    return false;
}

static err
bind_body(struct req *r)
{
    if (r->row->body == BODY_CSV)
        return r->body.len == 0 ? E_BODY_MISSING : E_OK;
    if (!bind_takes_body(r->row))
        return r->body.len > 0 ? E_BODY_UNEXPECTED : E_OK;
    if (r->body.len == 0)
        return r->row->body == BODY_JSON_OPTIONAL ? E_OK : E_BODY_MISSING;
    return bind_json_body(r);
}

/* --- path and query ----------------------------------------------------------------------- */

static void
bind_path(struct req *r)
{
    const struct route *t = r->route;

    for (size_t i = 0; i < t->nparams; i++) {
        const char *pointer = arena_printf(r->arena, "/path/%s", t->param_name[i]).p;
        if (r->row->in != NULL && t->param_field[i] >= 0) {
            size_t field = (size_t)t->param_field[i];
            bind_text_value(r, field, r->path[i], pointer);
            /* Audit and events name their target by path parameter, bound or not. */
            if (r->row->in->fields[field].kind == FIELD_UUID)
                r->path_id[i] = *(struct uuid *)bind_member(r, field);
        } else if (!uuid_parse(r->path[i], &r->path_id[i]))
            req_violation(r, pointer, "uuid", "must be a UUID");
    }
}

static bool
bind_repeated(const struct wire_pairs *pairs, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (text_eq(pairs->pair[k].name, pairs->pair[i].name))
            return true;
    }
    return false;
}

static err
bind_query(struct req *r)
{
    const struct pg_stmt *list =
        r->row->sql != NULL && r->row->sql->kind == STMT_LIST ? r->row->sql : NULL;
    struct wire_pairs query;

    TRY(wire_query_parse(r->arena, r->http->query, &query));
    for (size_t i = 0; i < query.count; i++) {
        const struct wire_pair *p = &query.pair[i];
        const char *pointer = bind_pointer(r, "/query/", p->name);
        int f = bind_field(r, p->name, IN_QUERY);

        if (bind_repeated(&query, i))
            req_violation(r, pointer, "repeated", "must be given once");
        else if (f >= 0)
            bind_text_value(r, (size_t)f, p->value, pointer);
        else if (list == NULL || !bind_list_knows(list, p->name))
            req_violation(r, pointer, "unknown", "is not a parameter of this operation");
    }
    return list == NULL ? E_OK : bind_list(r, &query);
}

/* --- defaults and requirements --------------------------------------------------------------- */

static void
bind_missing(struct req *r, size_t i)
{
    static const char *const places[] = {"/", "/path/", "/query/"};
    const struct field *f = &r->row->in->fields[i];
    const char *pointer = bind_pointer(r, places[f->place], text_of(f->name));

    if (f->required)
        req_violation(r, pointer, "required", "is required");
    else if (f->preset != NULL) {
        bind_text_value(r, i, text_of(f->preset), pointer);
        r->present &= ~(UINT64_C(1) << i);
    }
}

err
gate_bind(struct req *r)
{
    const struct shape *in = r->row->in;

    if (in != NULL)
        r->in = arena_alloc(r->arena, in->size);
    bind_path(r);
    TRY(bind_query(r));
    TRY(bind_body(r));
    for (size_t i = 0; in != NULL && i < in->count; i++) {
        if (((r->present | r->nulls) >> i & 1) == 0)
            bind_missing(r, i);
    }
    return req_violations(r);
}

/* --- values of a statement ------------------------------------------------------------------- */

static const enum pg_type field_pg_type[] = {
    [FIELD_TEXT] = PG_TEXT,   [FIELD_INT] = PG_INT8,  [FIELD_BOOL] = PG_BOOL,
    [FIELD_UUID] = PG_UUID,   [FIELD_TIME] = PG_TIME, [FIELD_TEXTS] = PG_TEXTS,
    [FIELD_UUIDS] = PG_UUIDS, [FIELD_JSON] = PG_JSON,
};

static struct pg_value
bind_field_value(struct req *r, size_t i, enum pg_type want)
{
    const struct field *f = &r->row->in->fields[i];
    bool given = (r->present >> i & 1) != 0 || f->preset != NULL;

    if (!given)
        return pg_encode_null();
    return pg_encode(r->arena, want == PG_INT4 ? PG_INT4 : field_pg_type[f->kind],
                     bind_member(r, i));
}

const struct pg_value *
bind_values(struct req *r, const struct pg_stmt *stmt, const struct source *sources)
{
    struct pg_value *v = arena_array(r->arena, stmt->nparams + 1, sizeof *v);

    for (size_t i = 0; i < stmt->nparams; i++) {
        const struct source *s = &sources[i];
        switch (s->kind) {
        case SOURCE_FIELD:
            v[i] = bind_field_value(r, s->index, stmt->params[i].type);
            break;
        case SOURCE_SENT:
            v[i] = pg_encode_bool(((r->present | r->nulls) >> s->index & 1) != 0);
            break;
        case SOURCE_PATH:
            v[i] = pg_encode_uuid(&r->path_id[s->index]);
            break;
        case SOURCE_NEW_ID:
            v[i] = pg_encode_uuid(&r->new_id);
            break;
        case SOURCE_SESSION:
            v[i] = pg_encode_uuid(&r->claims.session);
            break;
        case SOURCE_IF_MATCH:
            v[i] = r->if_match < 0 ? pg_encode_null() : pg_encode_int8(r->arena, r->if_match);
            break;
        }
    }
    return v;
}
