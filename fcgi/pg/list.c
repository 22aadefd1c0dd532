#include "pg/list.h"

#include <string.h>

#include "base/buf.h"
#include "pg/codec.h"

/* While a variant is put together. */
struct assembly {
    struct arena *arena;
    const struct pg_stmt *stmt;
    const struct pg_list *list;
    struct buf text;
    struct buf name;
    struct pg_value *values;
    enum pg_type *types;
    size_t n;
};

#define LIST_EXTRA (PG_LIST_FILTERS + 4) /* filters, keyset, limit and offset */
#define LIST_TEXT_MAX 65536
/* The longest page whose length the text tells the planner, see list_bounded(). */
#define LIST_BOUND 101

static void
list_param(struct assembly *s, enum pg_type type, struct pg_value value)
{
    s->types[s->n] = type;
    s->values[s->n] = value;
    s->n++;
    buf_char(&s->text, '$');
    buf_uint(&s->text, s->n);
}

static enum pg_type
list_array_of(enum pg_type type)
{
    return type == PG_UUID ? PG_UUIDS : PG_TEXTS;
}

/* A condition with $V where the value goes. */
static void
list_search(struct assembly *s, const struct pg_filter *f, struct pg_value value)
{
    const char *mark = strstr(f->expression, "$V");

    buf_add(&s->text, f->expression, (size_t)(mark - f->expression));
    list_param(s, f->type, value);
    size_t param = s->n;
    for (const char *rest = mark + 2; rest != NULL;) {
        mark = strstr(rest, "$V");
        buf_add(&s->text, rest, mark == NULL ? strlen(rest) : (size_t)(mark - rest));
        if (mark != NULL) {
            buf_char(&s->text, '$');
            buf_uint(&s->text, param);
        }
        rest = mark == NULL ? NULL : mark + 2;
    }
}

static const char *
list_operator(enum pg_filter_op op)
{
    switch (op) {
    case FILTER_NE:
        return " <> ";
    case FILTER_GTE:
        return " >= ";
    case FILTER_LTE:
        return " <= ";
    case FILTER_IN:
        return " = any(";
    case FILTER_EQ:
    case FILTER_SEARCH:
        break;
    }
    return " = ";
}

static void
list_filters(struct assembly *s)
{
    for (size_t i = 0; i < s->list->nfilters; i++) {
        const struct pg_list_filter *w = &s->list->filter[i];
        const struct pg_filter *f = &s->stmt->filters[w->index];

        buf_printf(&s->name, ".%u%c", w->index, 'a' + __builtin_ctz(w->op));
        buf_z(&s->text, " and ");
        if (w->op == FILTER_SEARCH) {
            list_search(s, f, w->value);
            continue;
        }
        buf_z(&s->text, f->expression);
        buf_z(&s->text, list_operator(w->op));
        list_param(s, w->op == FILTER_IN ? list_array_of(f->type) : f->type, w->value);
        if (w->op == FILTER_IN)
            buf_char(&s->text, ')');
    }
}

static struct pg_list_sort
list_sort(const struct assembly *s, size_t i)
{
    if (s->list->nsorts > 0)
        return s->list->sort[i];
    return (struct pg_list_sort){0, s->stmt->sort_descending};
}

static void
list_keyset(struct assembly *s)
{
    struct pg_list_sort by = list_sort(s, 0);
    const struct pg_sort *sort = &s->stmt->sorts[by.index];

    buf_z(&s->name, ".k");
    buf_z(&s->text, " and (");
    buf_z(&s->text, sort->expression);
    buf_z(&s->text, ", ");
    buf_z(&s->text, s->stmt->key);
    buf_z(&s->text, by.descending ? ") < (" : ") > (");
    list_param(s, sort->type, s->list->after_key);
    buf_z(&s->text, ", ");
    list_param(s, PG_UUID, s->list->after_id);
    buf_char(&s->text, ')');
}

/* Of a limit that is a parameter the planner assumes a tenth of all rows, so that every plan made
 * for the values at hand looks better than the one kept, and each execution is planned anew, which
 * takes longer than the execution. A constant around which the parameter goes makes the kept plan
 * as good. Not with filters: their values decide which index serves. */
static bool
list_bounded(const struct assembly *s, bool counting)
{
    return !counting && s->list->nfilters == 0 && s->list->offset == 0 &&
           s->list->limit <= LIST_BOUND;
}

static void
list_order(struct assembly *s)
{
    size_t n = s->list->nsorts == 0 ? 1 : s->list->nsorts;
    struct pg_list_sort by = {0, false};

    buf_z(&s->text, " order by ");
    for (size_t i = 0; i < n; i++) {
        by = list_sort(s, i);
        buf_z(&s->name, by.descending ? ".d" : ".u");
        buf_uint(&s->name, by.index);
        buf_z(&s->text, s->stmt->sorts[by.index].expression);
        buf_z(&s->text, by.descending ? " desc, " : ", ");
    }
    buf_z(&s->text, s->stmt->key);
    buf_z(&s->text, by.descending ? " desc limit " : " limit ");
    if (list_bounded(s, false)) {
        buf_z(&s->name, ".b");
        buf_int(&s->text, LIST_BOUND);
        buf_z(&s->text, ") page limit ");
    }
    list_param(s, PG_INT8, pg_encode_int8(s->arena, s->list->limit));
    if (s->list->offset > 0) {
        buf_z(&s->name, ".o");
        buf_z(&s->text, " offset ");
        list_param(s, PG_INT8, pg_encode_int8(s->arena, s->list->offset));
    }
}

static void
list_open(struct assembly *s, const struct pg_value *own)
{
    size_t room = s->stmt->nparams + LIST_EXTRA;

    s->values = arena_array(s->arena, room, sizeof *s->values);
    s->types = arena_array(s->arena, room, sizeof *s->types);
    for (; s->n < s->stmt->nparams; s->n++) {
        s->values[s->n] = own[s->n];
        s->types[s->n] = s->stmt->params[s->n].type;
    }
    buf_init(&s->text, 1024, LIST_TEXT_MAX);
    buf_init(&s->name, 64, 1024);
    buf_z(&s->name, s->stmt->name);
}

/* The text with its two marks put in. */
static void
list_assemble(struct assembly *s, bool counting)
{
    const char *filter = strstr(s->stmt->text, "{filter}");
    const char *order = strstr(filter, "{order}");

    if (list_bounded(s, counting))
        buf_z(&s->text, "select * from (");
    buf_add(&s->text, s->stmt->text, (size_t)(filter - s->stmt->text));
    list_filters(s);
    if (s->list->after && !counting)
        list_keyset(s);
    filter += strlen("{filter}");
    buf_add(&s->text, filter, (size_t)(order - filter));
    if (!counting)
        list_order(s);
    buf_z(&s->text, order + strlen("{order}"));
}

static void
list_close(struct assembly *s, struct pg_query *ret_query)
{
    *ret_query = (struct pg_query){
        .stmt = s->stmt,
        .name = arena_text(s->arena, buf_as_text(&s->name)).p,
        .text = arena_text(s->arena, buf_as_text(&s->text)).p,
        .types = s->types,
        .values = s->values,
        .nvalues = s->n,
    };
    buf_free(&s->text);
    buf_free(&s->name);
}

void
pg_list_query(struct arena *a, const struct pg_stmt *stmt, const struct pg_list *list,
              const struct pg_value *own, struct pg_query *ret_query)
{
    struct assembly s = {.arena = a, .stmt = stmt, .list = list};

    list_open(&s, own);
    list_assemble(&s, false);
    list_close(&s, ret_query);
}

void
pg_list_count(struct arena *a, const struct pg_stmt *stmt, const struct pg_list *list,
              const struct pg_value *own, struct pg_query *ret_query)
{
    struct assembly s = {.arena = a, .stmt = stmt, .list = list};

    list_open(&s, own);
    buf_z(&s.name, ".count");
    buf_z(&s.text, "select count(*) as total from (");
    list_assemble(&s, true);
    buf_z(&s.text, ") counted");
    list_close(&s, ret_query);
}
