/* The statements of the measured operations as the worker prepares them, for pgbench and for the
 * servers that are compared: one JSON object, name → text and names of the parameters. */
#include <stdio.h>
#include <stdlib.h>

#include "api/statements.h"
#include "app/statements.h"
#include "base/json.h"
#include "pg/codec.h"
#include "pg/list.h"

#define ARENA_MAX 65536
#define PAGE 20 /* and one row more, which tells that there is a next page */

static void
statement_write(struct buf *out, const char *name, const struct pg_stmt *stmt, const char *text,
                size_t nparams)
{
    json_key(out, name);
    json_open(out, '{');
    json_kv_z(out, "text", text);
    json_key(out, "params");
    json_open(out, '[');
    for (size_t i = 0; i < nparams; i++)
        json_text(out, text_of(i < stmt->nparams ? stmt->params[i].name : "limit"));
    json_close(out, ']');
    json_close(out, '}');
}

static void
statement_list(struct buf *out, const char *name, const struct pg_stmt *stmt)
{
    struct arena *a = arena_new(ARENA_MAX);
    const struct pg_list list = {.limit = PAGE + 1};
    struct pg_value own[1] = {pg_encode_null()};
    struct pg_query q;

    pg_list_query(a, stmt, &list, own, &q);
    statement_write(out, name, stmt, q.text, q.nvalues);
    arena_free(a);
}

static void
statement_plain(struct buf *out, const char *name, const struct pg_stmt *stmt)
{
    statement_write(out, name, stmt, stmt->text, stmt->nparams);
}

int
main(void)
{
    struct buf out;

    buf_init(&out, 4096, 1 << 20);
    json_open(&out, '{');
    statement_plain(&out, "identity_read", &api_identity_read);
    statement_list(&out, "list", &sql_announcement_of_course_list);
    statement_plain(&out, "identity_write", &api_identity_write);
    statement_plain(&out, "insert", &sql_announcement_of_course_insert);
    statement_plain(&out, "event", &api_event_append);
    json_close(&out, '}');
    struct text t = buf_as_text(&out);
    printf("%.*s\n", TEXT_ARG(t));
    buf_free(&out);
    return EXIT_SUCCESS;
}
