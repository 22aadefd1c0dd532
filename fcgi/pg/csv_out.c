#include "pg/csv_out.h"

#include "base/timestamp.h"
#include "base/uuid.h"
#include "pg/codec.h"

#define FORMULA_STARTS TEXT("=+-@\t\r\n")

static bool
csv_is_formula(struct text t)
{
    return t.len > 0 && memchr(FORMULA_STARTS.p, t.p[0], FORMULA_STARTS.len) != NULL;
}

void
csv_text(struct buf *out, struct text t)
{
    buf_char(out, '"');
    if (csv_is_formula(t))
        buf_char(out, '\'');
    while (t.len > 0) {
        const char *quote = memchr(t.p, '"', t.len);
        size_t n = quote == NULL ? t.len : (size_t)(quote - t.p) + 1;

        buf_add(out, t.p, n);
        if (quote != NULL)
            buf_char(out, '"');
        t.p += n;
        t.len -= n;
    }
    buf_char(out, '"');
}

void
csv_head(struct buf *out, const struct pg_stmt *stmt)
{
    for (size_t i = 0; i < stmt->ncolumns; i++) {
        if (i > 0)
            buf_char(out, ',');
        csv_text(out, text_of(stmt->columns[i].name));
    }
    buf_z(out, "\r\n");
}

static void
csv_value(struct buf *out, enum pg_type type, const PGresult *result, int row, int column)
{
    char word[UUID_TEXT_LEN + 1];
    struct uuid u;

    switch (type) {
    case PG_BOOL:
        buf_z(out, PQgetvalue(result, row, column)[0] != 0 ? "true" : "false");
        break;
    case PG_INT4:
    case PG_INT8:
        buf_int(out, pg_get_int(result, row, column));
        break;
    case PG_TIME:
        timestamp_format(pg_get_time(result, row, column), word);
        buf_add(out, word, TIMESTAMP_TEXT_LEN);
        break;
    case PG_UUID:
        u = pg_get_uuid(result, row, column);
        uuid_format(&u, word);
        buf_add(out, word, UUID_TEXT_LEN);
        break;
    case PG_JSON:
        csv_text(out, pg_get_json(result, row, column));
        break;
    case PG_TEXT:
    case PG_BYTES:
    case PG_TEXTS:
    case PG_UUIDS:
        csv_text(out, pg_get_text(result, row, column));
        break;
    }
}

int
csv_rows(struct buf *out, const struct pg_stmt *stmt, const PGresult *result, int count,
         size_t enough)
{
    int row = 0;

    for (; row < count && out->len < enough; row++) {
        for (int i = 0; i < (int)stmt->ncolumns; i++) {
            if (i > 0)
                buf_char(out, ',');
            if (!pg_is_null(result, row, i))
                csv_value(out, stmt->columns[i].type, result, row, i);
        }
        buf_z(out, "\r\n");
    }
    return row;
}
