#include "api/cursor.h"

#include <string.h>

#include "auth/secret.h"
#include "pg/codec.h"

/* The payload is the row's id (16 bytes) and the sort value in PostgreSQL's binary form. */

static const struct pg_list_sort *
cursor_sort(const struct req *r, struct pg_list_sort *own)
{
    if (r->list.pg.nsorts > 0)
        return &r->list.pg.sort[0];
    *own = (struct pg_list_sort){0, r->row->sql->sort_descending};
    return own;
}

static struct text
cursor_purpose(struct req *r)
{
    struct pg_list_sort own;
    const struct pg_list_sort *by = cursor_sort(r, &own);

    return arena_printf(r->arena, "%.*s/%u/%d", TEXT_ARG(r->http->path), by->index, by->descending);
}

bool
cursor_read(struct req *r, struct text cursor)
{
    struct text payload;

    if (!cursor_open(r->arena, cursor_purpose(r), cursor, &payload) || payload.len < 16)
        return false;
    r->list.pg.after = true;
    r->list.pg.after_id = (struct pg_value){payload.p, 16, 1};
    r->list.pg.after_key = (struct pg_value){payload.p + 16, (int)payload.len - 16, 1};
    return true;
}

struct text
cursor_write(struct req *r, const PGresult *result, int row)
{
    const struct pg_stmt *stmt = r->row->sql;
    struct pg_list_sort own;
    const struct pg_list_sort *by = cursor_sort(r, &own);
    int id = pg_column(stmt, "id"), value = pg_column(stmt, stmt->sorts[by->index].column);

    if (r->list.pg.nsorts > 1 || id < 0 || value < 0 || pg_is_null(result, row, value))
        return TEXT_NULL;
    struct text a = pg_get_text(result, row, id), b = pg_get_text(result, row, value);
    char *p = arena_alloc(r->arena, a.len + b.len);
    memcpy(p, a.p, a.len);
    memcpy(p + a.len, b.p, b.len);
    return cursor_sign(r->arena, cursor_purpose(r), (struct text){p, a.len + b.len});
}
