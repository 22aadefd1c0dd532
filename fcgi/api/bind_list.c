#include <string.h>

#include "api/bind.h"
#include "api/cursor.h"
#include "pg/codec.h"
#include "wire/query.h"

#define IN_MAX 50
#define FILTER_TEXT_MAX 255

struct operator_name {
    const char *suffix;
    enum pg_filter_op op;
};

static const struct operator_name operators[] = {
    {"", FILTER_EQ},       {"[ne]", FILTER_NE}, {"[gte]", FILTER_GTE},
    {"[lte]", FILTER_LTE}, {"[in]", FILTER_IN},
};

/* "created_at[gte]" → filter and operator; false when the list has no such filter. */
static bool
list_filter_find(const struct pg_stmt *list, struct text name, unsigned *ret_index,
                 enum pg_filter_op *ret_op)
{
    for (unsigned i = 0; i < list->nfilters; i++) {
        const struct pg_filter *f = &list->filters[i];
        struct text base = text_of(f->name);

        if (!text_starts(name, base))
            continue;
        struct text suffix = {name.p + base.len, name.len - base.len};
        for (size_t k = 0; k < sizeof operators / sizeof operators[0]; k++) {
            enum pg_filter_op op = operators[k].op;
            if (op == FILTER_EQ && (f->ops & FILTER_SEARCH) != 0)
                op = FILTER_SEARCH;
            if (text_eq(suffix, text_of(operators[k].suffix)) && (f->ops & op) != 0) {
                *ret_index = i;
                *ret_op = op;
                return true;
            }
        }
    }
    return false;
}

int64_t
bind_list_max(const struct endpoint *row)
{
    return row->csv == NULL ? LIST_LIMIT_MAX : LIST_CSV_LIMIT;
}

bool
bind_list_knows(const struct pg_stmt *list, struct text name)
{
    static const char *const own[] = {"limit", "offset", "cursor", "count", "sort"};
    unsigned index;
    enum pg_filter_op op;

    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (text_eq(name, text_of(own[i])))
            return true;
    }
    return list_filter_find(list, name, &index, &op);
}

static void
list_int(struct req *r, const struct wire_pair *p, int64_t min, int64_t max, int64_t *ret)
{
    if (!text_to_int(p->value, ret) || *ret < min || *ret > max)
        req_violation(r, arena_printf(r->arena, "/query/%.*s", TEXT_ARG(p->name)).p, "range",
                      arena_printf(r->arena, "must be an integer from %lld to %lld", (long long)min,
                                   (long long)max)
                          .p);
}

static bool
list_text_good(struct text t)
{
    return t.len > 0 && text_utf8_valid(t) && text_utf8_length(t) <= FILTER_TEXT_MAX &&
           text_is_nfc(t);
}

static bool
list_value(struct req *r, enum pg_type type, struct text t, struct pg_value *ret_value)
{
    struct uuid *u = arena_alloc(r->arena, sizeof *u);
    struct timestamp time;
    int64_t n;

    switch (type) {
    case PG_UUID:
        *ret_value = pg_encode_uuid(u);
        return uuid_parse(t, u);
    case PG_TIME:
        if (!timestamp_parse(t, &time))
            return false;
        *ret_value = pg_encode(r->arena, PG_TIME, &time);
        return true;
    case PG_INT4:
    case PG_INT8:
        if (!text_to_int(t, &n) || (type == PG_INT4 && n != (int32_t)n))
            return false;
        *ret_value = pg_encode(r->arena, type, &n);
        return true;
    case PG_BOOL:
        *ret_value = pg_encode_bool(text_eq(t, TEXT("true")));
        return text_eq(t, TEXT("true")) || text_eq(t, TEXT("false"));
    default:
        *ret_value = pg_encode_text(t);
        return list_text_good(t);
    }
}

static bool
list_values(struct req *r, enum pg_type type, struct text t, struct pg_value *ret_value)
{
    struct texts texts = {NULL, 0};
    struct uuids uuids = {NULL, 0};
    struct text *text = arena_array(r->arena, IN_MAX, sizeof *text);
    struct uuid *id = arena_array(r->arena, IN_MAX, sizeof *id);
    size_t n = 0;

    while (t.p != NULL && n < IN_MAX) {
        text[n] = text_cut(&t, ',');
        if (type == PG_UUID ? !uuid_parse(text[n], &id[n]) : !list_text_good(text[n]))
            return false;
        n++;
    }
    texts.item = text;
    uuids.item = id;
    texts.count = uuids.count = n;
    *ret_value = type == PG_UUID ? pg_encode(r->arena, PG_UUIDS, &uuids)
                                 : pg_encode(r->arena, PG_TEXTS, &texts);
    return t.p == NULL;
}

static void
list_filter(struct req *r, struct text name, struct text value)
{
    const struct pg_stmt *list = r->row->sql;
    struct pg_list *l = &r->list.pg;
    unsigned index;
    enum pg_filter_op op;
    struct pg_value v;

    if (!list_filter_find(list, name, &index, &op))
        return;
    const char *pointer = arena_printf(r->arena, "/query/%.*s", TEXT_ARG(name)).p;
    enum pg_type type = list->filters[index].type;
    bool good = op == FILTER_IN ? list_values(r, type, value, &v) : list_value(r, type, value, &v);
    if (!good)
        req_violation(r, pointer, "type", "is not a value that this filter compares with");
    else if (l->nfilters == PG_LIST_FILTERS)
        req_violation(r, pointer, "items", "is one filter too many");
    else
        l->filter[l->nfilters++] = (struct pg_list_filter){index, op, v};
}

static bool
list_sort_one(const struct pg_stmt *list, struct text name, struct pg_list *l)
{
    bool descending = name.len > 0 && name.p[0] == '-';

    if (descending) {
        name.p++;
        name.len--;
    }
    for (unsigned i = 0; i < list->nsorts; i++) {
        if (!text_eq(name, text_of(list->sorts[i].name)))
            continue;
        for (size_t k = 0; k < l->nsorts; k++) {
            if (l->sort[k].index == i)
                return false;
        }
        l->sort[l->nsorts++] = (struct pg_list_sort){i, descending};
        return true;
    }
    return false;
}

static void
list_sort(struct req *r, struct text value)
{
    while (value.p != NULL) {
        struct text name = text_cut(&value, ',');
        if (r->list.pg.nsorts == PG_LIST_SORTS || !list_sort_one(r->row->sql, name, &r->list.pg)) {
            req_violation(r, "/query/sort", "choice",
                          "names a column that this list is not sorted by");
            return;
        }
    }
}

static void
list_count(struct req *r, struct text value)
{
    if (text_eq(value, TEXT("exact")))
        r->list.count = true;
    else
        req_violation(r, "/query/count", "choice", "must be exact");
}

static void
list_parameter(struct req *r, const struct wire_pair *p, struct text *ret_cursor, bool *ret_offset)
{
    struct pg_list *l = &r->list.pg;

    if (text_eq(p->name, TEXT("limit")))
        list_int(r, p, 1, bind_list_max(r->row), &r->list.limit);
    else if (text_eq(p->name, TEXT("offset"))) {
        list_int(r, p, 0, LIST_OFFSET_MAX, &l->offset);
        *ret_offset = true;
    } else if (text_eq(p->name, TEXT("cursor")))
        *ret_cursor = p->value;
    else if (text_eq(p->name, TEXT("count")))
        list_count(r, p->value);
    else if (text_eq(p->name, TEXT("sort")))
        list_sort(r, p->value);
    else
        list_filter(r, p->name, p->value);
}

err
bind_list(struct req *r, const struct wire_pairs *query)
{
    struct text cursor = TEXT_NULL;
    bool offset = false;

    r->list.limit = r->row->csv == NULL ? LIST_LIMIT_DEFAULT : LIST_CSV_LIMIT;
    r->list.count = !r->row->unbounded;
    for (size_t i = 0; i < query->count; i++)
        list_parameter(r, &query->pair[i], &cursor, &offset);
    if (cursor.p != NULL && offset)
        req_violation(r, "/query/cursor", "exclusive", "cannot be combined with offset");
    else if (cursor.p != NULL && r->list.pg.nsorts > 1)
        req_violation(r, "/query/cursor", "exclusive",
                      "cannot be combined with several sort columns");
    else if (cursor.p != NULL && !cursor_read(r, cursor))
        req_violation(r, "/query/cursor", "cursor", "is not a cursor of this list and order");
    r->list.pg.limit = r->list.limit + 1;
    return E_OK;
}
