#include "pg/codec.h"

#include <endian.h>
#include <string.h>

#include "base/json.h"

/* PostgreSQL counts microseconds from 2000-01-01. */
#define PG_EPOCH_US INT64_C(946684800000000)
#define NAMES_MAX 65536 /* of all columns of a statement, which the build fixes */

struct pg_type_row {
    Oid oid;
    Oid element; /* of an array */
};

/* OIDs are fixed in PostgreSQL's catalogue (pg_type.dat). */
static const struct pg_type_row types[] = {
    [PG_BOOL] = {16, 0},     [PG_INT4] = {23, 0},       [PG_INT8] = {20, 0},   [PG_TEXT] = {25, 0},
    [PG_UUID] = {2950, 0},   [PG_TIME] = {1184, 0},     [PG_JSON] = {3802, 0}, [PG_BYTES] = {17, 0},
    [PG_TEXTS] = {1009, 25}, [PG_UUIDS] = {2951, 2950},
};

Oid
pg_type_oid(enum pg_type type)
{
    return types[type].oid;
}

static void
put32(char *p, uint32_t v)
{
    v = htobe32(v);
    memcpy(p, &v, sizeof v);
}

static void
put64(char *p, uint64_t v)
{
    v = htobe64(v);
    memcpy(p, &v, sizeof v);
}

static uint32_t
get32(const char *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return be32toh(v);
}

static uint64_t
get64(const char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return be64toh(v);
}

struct pg_value
pg_encode_null(void)
{
    return (struct pg_value){NULL, 0, 1};
}

struct pg_value
pg_encode_text(struct text t)
{
    return (struct pg_value){t.p, (int)t.len, 1};
}

struct pg_value
pg_encode_int8(struct arena *a, int64_t v)
{
    char *p = arena_alloc(a, 8);
    put64(p, (uint64_t)v);
    return (struct pg_value){p, 8, 1};
}

struct pg_value
pg_encode_bool(bool v)
{
    static const char bytes[2] = {0, 1};
    return (struct pg_value){&bytes[v], 1, 1};
}

struct pg_value
pg_encode_uuid(const struct uuid *u)
{
    return (struct pg_value){(const char *)u->b, 16, 1};
}

static struct pg_value
pg_encode_int4(struct arena *a, int64_t v)
{
    char *p = arena_alloc(a, 4);
    put32(p, (uint32_t)(int32_t)v);
    return (struct pg_value){p, 4, 1};
}

/* jsonb's binary form is a version byte and the text. */
static struct pg_value
pg_encode_json(struct arena *a, struct text t)
{
    char *p;

    if (t.p == NULL)
        return pg_encode_null();
    p = arena_alloc(a, t.len + 1);
    p[0] = 1;
    memcpy(p + 1, t.p, t.len);
    return (struct pg_value){p, (int)t.len + 1, 1};
}

/* One dimension, no NULLs: ndim, flags, element type, length, lower bound, then each element. */
static struct pg_value
pg_encode_array(struct arena *a, Oid element, size_t count,
                struct text (*item)(const void *, size_t), const void *items)
{
    size_t size = 20;
    char *start, *p;

    for (size_t i = 0; i < count; i++)
        size += 4 + item(items, i).len;
    start = p = arena_alloc(a, size);
    put32(p, count == 0 ? 0 : 1);
    put32(p + 4, 0);
    put32(p + 8, element);
    if (count == 0)
        return (struct pg_value){start, 12, 1};
    put32(p + 12, (uint32_t)count);
    put32(p + 16, 1);
    p += 20;
    for (size_t i = 0; i < count; i++) {
        struct text t = item(items, i);
        put32(p, (uint32_t)t.len);
        memcpy(p + 4, t.p, t.len);
        p += 4 + t.len;
    }
    return (struct pg_value){start, (int)size, 1};
}

static struct text
pg_text_item(const void *items, size_t i)
{
    return ((const struct text *)items)[i];
}

static struct text
pg_uuid_item(const void *items, size_t i)
{
    return (struct text){(const char *)((const struct uuid *)items)[i].b, 16};
}

struct pg_value
pg_encode(struct arena *a, enum pg_type type, const void *value)
{
    const struct texts *texts = value;
    const struct uuids *uuids = value;

    switch (type) {
    case PG_BOOL:
        return pg_encode_bool(*(const bool *)value);
    case PG_INT4:
        return pg_encode_int4(a, *(const int64_t *)value);
    case PG_INT8:
        return pg_encode_int8(a, *(const int64_t *)value);
    case PG_TIME:
        return pg_encode_int8(a, ((const struct timestamp *)value)->us - PG_EPOCH_US);
    case PG_UUID:
        return pg_encode_uuid(value);
    case PG_JSON:
        return pg_encode_json(a, *(const struct text *)value);
    case PG_TEXTS:
        return pg_encode_array(a, types[type].element, texts->count, pg_text_item, texts->item);
    case PG_UUIDS:
        return pg_encode_array(a, types[type].element, uuids->count, pg_uuid_item, uuids->item);
    case PG_TEXT:
    case PG_BYTES:
        return pg_encode_text(*(const struct text *)value);
    }
    return pg_encode_null();
}

/* Text-like values carry their own absence; the others have a flag beside them. */
static bool
pg_text_like(enum pg_type type)
{
    return type == PG_TEXT || type == PG_JSON || type == PG_BYTES || type == PG_TEXTS ||
           type == PG_UUIDS;
}

const struct pg_value *
pg_encode_params(struct arena *a, const struct pg_stmt *stmt, const void *params)
{
    struct pg_value *v = arena_array(a, stmt->nparams + 1, sizeof *v);

    for (size_t i = 0; i < stmt->nparams; i++) {
        const struct pg_param *d = &stmt->params[i];
        const char *base = params;
        bool absent =
            d->nullable && !pg_text_like(d->type) && !*(const bool *)(base + d->null_offset);
        v[i] = absent ? pg_encode_null() : pg_encode(a, d->type, base + d->offset);
    }
    return v;
}

struct pg_query
pg_query_of(struct arena *a, const struct pg_stmt *stmt, const struct pg_value *values)
{
    enum pg_type *of = arena_array(a, stmt->nparams + 1, sizeof *of);

    for (size_t i = 0; i < stmt->nparams; i++)
        of[i] = stmt->params[i].type;
    return (struct pg_query){.stmt = stmt,
                             .name = stmt->name,
                             .text = stmt->text,
                             .types = of,
                             .values = values,
                             .nvalues = stmt->nparams};
}

bool
pg_is_null(const PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column) != 0;
}

int64_t
pg_get_int(const PGresult *result, int row, int column)
{
    const char *p = PQgetvalue(result, row, column);
    return PQgetlength(result, row, column) == 4 ? (int32_t)get32(p) : (int64_t)get64(p);
}

struct timestamp
pg_get_time(const PGresult *result, int row, int column)
{
    return (struct timestamp){(int64_t)get64(PQgetvalue(result, row, column)) + PG_EPOCH_US};
}

struct uuid
pg_get_uuid(const PGresult *result, int row, int column)
{
    struct uuid u;
    memcpy(u.b, PQgetvalue(result, row, column), sizeof u.b);
    return u;
}

struct text
pg_get_text(const PGresult *result, int row, int column)
{
    return (struct text){PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column)};
}

struct text
pg_get_json(const PGresult *result, int row, int column)
{
    struct text t = pg_get_text(result, row, column);
    return (struct text){t.p + 1, t.len - 1};
}

/* Walk an array value; the server never sends more dimensions for what we declare. */
struct pg_array {
    const char *p;
    size_t count;
};

static struct pg_array
pg_array_open(struct text t)
{
    if (t.len < 20 || get32(t.p) != 1)
        return (struct pg_array){NULL, 0};
    return (struct pg_array){t.p + 20, get32(t.p + 12)};
}

static struct text
pg_array_next(struct pg_array *array)
{
    int32_t len = (int32_t)get32(array->p);
    struct text t = {array->p + 4, len < 0 ? 0 : (size_t)len};

    array->p += 4 + t.len;
    return t;
}

static void
pg_decode_array(struct arena *a, enum pg_type type, struct text t, void *ret_value)
{
    struct pg_array array = pg_array_open(t);
    struct text *texts = type == PG_TEXTS ? arena_array(a, array.count + 1, sizeof *texts) : NULL;
    struct uuid *uuids = type == PG_UUIDS ? arena_array(a, array.count + 1, sizeof *uuids) : NULL;

    for (size_t i = 0; i < array.count; i++) {
        struct text item = pg_array_next(&array);
        if (texts != NULL)
            texts[i] = item;
        else if (uuids != NULL && item.len == 16)
            memcpy(uuids[i].b, item.p, 16);
    }
    if (texts != NULL)
        *(struct texts *)ret_value = (struct texts){texts, array.count};
    else
        *(struct uuids *)ret_value = (struct uuids){uuids, array.count};
}

/* One value of a result. */
struct pg_cell {
    const PGresult *result;
    int row;
    int column;
};

static void
pg_decode_value(struct arena *a, enum pg_type type, const struct pg_cell *c, void *ret_value)
{
    switch (type) {
    case PG_BOOL:
        *(bool *)ret_value = PQgetvalue(c->result, c->row, c->column)[0] != 0;
        break;
    case PG_INT4:
    case PG_INT8:
        *(int64_t *)ret_value = pg_get_int(c->result, c->row, c->column);
        break;
    case PG_TIME:
        *(struct timestamp *)ret_value = pg_get_time(c->result, c->row, c->column);
        break;
    case PG_UUID:
        *(struct uuid *)ret_value = pg_get_uuid(c->result, c->row, c->column);
        break;
    case PG_JSON:
        *(struct text *)ret_value = pg_get_json(c->result, c->row, c->column);
        break;
    case PG_TEXT:
    case PG_BYTES:
        *(struct text *)ret_value = pg_get_text(c->result, c->row, c->column);
        break;
    case PG_TEXTS:
    case PG_UUIDS:
        pg_decode_array(a, type, pg_get_text(c->result, c->row, c->column), ret_value);
        break;
    }
}

static err
pg_decode_row(struct arena *a, const struct pg_stmt *stmt, const PGresult *result, int row,
              void *ret_row)
{
    char *base = ret_row;

    if (PQnfields(result) != (int)stmt->ncolumns)
        return E_INTERNAL;
    memset(ret_row, 0, stmt->row_size);
    for (int i = 0; i < (int)stmt->ncolumns; i++) {
        const struct pg_column *c = &stmt->columns[i];
        struct pg_cell cell = {result, row, i};
        if (pg_is_null(result, row, i))
            continue;
        if (c->nullable && !pg_text_like(c->type))
            *(bool *)(base + c->null_offset) = true;
        pg_decode_value(a, c->type, &cell, base + c->offset);
    }
    return E_OK;
}

err
pg_decode_first(struct arena *a, const struct pg_stmt *stmt, const PGresult *result, void *ret_row,
                bool *ret_found)
{
    *ret_found = PQntuples(result) > 0;
    return *ret_found ? pg_decode_row(a, stmt, result, 0, ret_row) : E_OK;
}

err
pg_decode_rows(struct arena *a, const struct pg_stmt *stmt, const PGresult *result, void **ret_rows,
               size_t *ret_count)
{
    size_t count = (size_t)PQntuples(result);
    char *rows = arena_array(a, count + 1, stmt->row_size);

    for (size_t i = 0; i < count; i++)
        TRY(pg_decode_row(a, stmt, result, (int)i, rows + i * stmt->row_size));
    *ret_rows = rows;
    *ret_count = count;
    return E_OK;
}

static void
pg_json_array(struct buf *out, enum pg_type type, struct text t)
{
    struct pg_array array = pg_array_open(t);

    buf_char(out, '[');
    for (size_t i = 0; i < array.count; i++) {
        struct text item = pg_array_next(&array);
        char id[UUID_TEXT_LEN + 1];
        struct uuid u;

        if (i > 0)
            buf_char(out, ',');
        if (type == PG_UUIDS && item.len == 16) {
            memcpy(u.b, item.p, 16);
            uuid_format(&u, id);
            item = text_of(id);
        }
        json_escape(out, item.p, item.len);
    }
    buf_char(out, ']');
}

static void
pg_json_fixed(struct buf *out, const char *text, size_t len)
{
    char *p = buf_reserve(out, len + 2);

    if (p == NULL)
        return;
    p[0] = '"';
    memcpy(p + 1, text, len);
    p[len + 1] = '"';
    out->len += len + 2;
}

static void
pg_json_value(struct buf *out, enum pg_type type, const PGresult *result, int row, int i)
{
    char text[UUID_TEXT_LEN + 1];
    struct uuid u;
    struct text t;

    switch (type) {
    case PG_BOOL:
        buf_z(out, PQgetvalue(result, row, i)[0] != 0 ? "true" : "false");
        break;
    case PG_INT4:
    case PG_INT8:
        buf_int(out, pg_get_int(result, row, i));
        break;
    case PG_TIME:
        timestamp_format(pg_get_time(result, row, i), text);
        pg_json_fixed(out, text, TIMESTAMP_TEXT_LEN);
        break;
    case PG_UUID:
        u = pg_get_uuid(result, row, i);
        uuid_format(&u, text);
        pg_json_fixed(out, text, UUID_TEXT_LEN);
        break;
    case PG_JSON:
        buf_text(out, pg_get_json(result, row, i));
        break;
    case PG_TEXT:
    case PG_BYTES:
        t = pg_get_text(result, row, i);
        json_escape(out, t.p, t.len);
        break;
    case PG_TEXTS:
    case PG_UUIDS:
        pg_json_array(out, type, pg_get_text(result, row, i));
        break;
    }
}

/* Length of the object's name in "owner.name", 0 for a plain column. */
static size_t
pg_nesting(const char *name)
{
    const char *dot = strchr(name, '.');
    return dot == NULL ? 0 : (size_t)(dot - name);
}

/* What stands before each value of a row, the same in every row: its length in two bytes, then
 * `,"name":`, with the braces of nested objects. */
static void
pg_json_names(struct buf *names, const struct pg_stmt *stmt)
{
    const char *within = NULL;
    size_t within_len = 0;

    for (size_t i = 0; i < stmt->ncolumns; i++) {
        const char *name = stmt->columns[i].name;
        size_t n = pg_nesting(name), start = names->len;
        bool same = n > 0 && n == within_len && strncmp(name, within, n) == 0;

        buf_add(names, "\0", 2);
        if (within_len > 0 && !same)
            buf_char(names, '}');
        if (i > 0)
            buf_char(names, ',');
        if (n > 0 && !same) {
            buf_char(names, '"');
            buf_add(names, name, n);
            buf_add(names, "\":{", 3);
        }
        buf_char(names, '"');
        buf_z(names, n > 0 ? name + n + 1 : name);
        buf_add(names, "\":", 2);
        uint16_t len = (uint16_t)(names->len - start - 2);
        memcpy(names->p + start, &len, sizeof len);
        within = name;
        within_len = n;
    }
    buf_add(names, "}}", within_len > 0 ? 2 : 1);
}

static void
pg_json_one(struct buf *out, const struct pg_stmt *stmt, const PGresult *result, int row,
            const struct buf *names)
{
    const char *name = names->p;

    buf_char(out, '{');
    for (int i = 0; i < (int)stmt->ncolumns; i++) {
        uint16_t len;
        memcpy(&len, name, sizeof len);
        buf_add(out, name + 2, len);
        name += 2 + len;
        if (pg_is_null(result, row, i))
            buf_add(out, "null", 4);
        else
            pg_json_value(out, stmt->columns[i].type, result, row, i);
    }
    buf_add(out, name, (size_t)(names->p + names->len - name));
}

void
pg_json_rows(struct buf *out, const struct pg_stmt *stmt, const PGresult *result, int count)
{
    struct buf names;

    buf_init(&names, 1024, NAMES_MAX);
    pg_json_names(&names, stmt);
    for (int row = 0; row < count; row++) {
        if (row > 0)
            buf_char(out, ',');
        pg_json_one(out, stmt, result, row, &names);
    }
    buf_free(&names);
}

int
pg_column(const struct pg_stmt *stmt, const char *name)
{
    for (size_t i = 0; i < stmt->ncolumns; i++) {
        if (strcmp(stmt->columns[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}
