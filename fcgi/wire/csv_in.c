#include "wire/csv_in.h"

#include <csv.h>
#include <string.h>

struct reader {
    struct arena *arena;
    struct csv_limits limits;
    struct csv_row *rows;
    size_t nrows;
    struct text *fields; /* of the row being read */
    size_t nfields;
    int end; /* of the row before */
    err error;
};

static void
reader_field(void *bytes, size_t len, void *ctx)
{
    struct reader *c = ctx;
    struct text t =
        arena_text(c->arena, (struct text){bytes == NULL ? "" : bytes, bytes == NULL ? 0 : len});

    if (c->error != E_OK)
        return;
    if (c->nfields == c->limits.columns) {
        c->error = E_CSV_LIMIT;
        return;
    }
    for (size_t i = 0; i < t.len; i++) {
        if ((unsigned char)t.p[i] < 0x20)
            c->error = E_CSV_SYNTAX;
    }
    c->fields[c->nfields++] = t;
}

static void
reader_row(int end, void *ctx)
{
    struct reader *c = ctx;
    struct text *kept;

    if (c->error != E_OK)
        return;
    /* The second half of CR LF ends nothing. */
    if (end == '\n' && c->end == '\r' && c->nfields == 0) {
        c->end = end;
        return;
    }
    c->end = end;
    if (c->nrows == c->limits.rows) {
        c->error = E_CSV_LIMIT;
        return;
    }
    kept = arena_array(c->arena, c->nfields + 1, sizeof *kept);
    memcpy(kept, c->fields, c->nfields * sizeof *kept);
    c->rows[c->nrows] = (struct csv_row){c->nrows + 1, kept, c->nfields};
    c->nrows++;
    c->nfields = 0;
}

err
wire_csv_parse(struct arena *a, struct text document, struct csv_limits limits,
               struct csv_table *ret_table)
{
    struct reader c = {.arena = a, .limits = limits};
    struct csv_parser parser;
    bool good;

    if (!text_utf8_valid(document) || memchr(document.p, '\0', document.len) != NULL)
        return E_CSV_SYNTAX;
    if (text_starts(document, TEXT("\xEF\xBB\xBF"))) {
        document.p += 3;
        document.len -= 3;
    }
    if (csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI | CSV_REPALL_NL) != 0)
        return E_INTERNAL;
    c.rows = arena_array(a, limits.rows + 1, sizeof *c.rows);
    c.fields = arena_array(a, limits.columns + 1, sizeof *c.fields);
    good = csv_parse(&parser, document.p, document.len, reader_field, reader_row, &c) ==
               document.len &&
           csv_fini(&parser, reader_field, reader_row, &c) == 0;
    csv_free(&parser);
    TRY(c.error);
    if (!good)
        return E_CSV_SYNTAX;
    *ret_table = (struct csv_table){c.rows, c.nrows};
    return E_OK;
}
