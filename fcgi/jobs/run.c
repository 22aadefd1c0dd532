#include "jobs/run.h"

#include <libpq-fe.h>

#include "base/settings.h"
#include "pg/codec.h"
#include "pg/config.h"

bool
jobs_open(struct jobs *j, const char *application, size_t arena_max)
{
    *j = (struct jobs){0};
    if (setting_text(S_JOBS_DATABASE_URL).len == 0)
        return false;
    j->pg = pg_from_settings(PG_AS_JOBS, application, NULL);
    j->arena = arena_new(arena_max);
    return true;
}

void
jobs_close(struct jobs *j)
{
    /* The arena may hold results: they go before their connection. */
    if (j->arena != NULL)
        arena_free(j->arena);
    pg_free(j->pg);
    *j = (struct jobs){0};
}

err
jobs_end(struct jobs *j, err e)
{
    if (e == E_OK)
        e = pg_commit(j->pg);
    if (e != E_OK)
        pg_rollback(j->pg);
    arena_reset(j->arena);
    return e;
}

static err
jobs_result(struct jobs *j, const struct pg_stmt *stmt, const void *params, PGresult **ret_result)
{
    struct pg_query q = pg_query_of(j->arena, stmt, pg_encode_params(j->arena, stmt, params));

    TRY(pg_send(j->pg, &q));
    return pg_read(j->pg, j->arena, ret_result);
}

err
jobs_exec(struct jobs *j, const struct pg_stmt *stmt, const void *params)
{
    PGresult *ignored;

    return jobs_result(j, stmt, params, &ignored);
}

err
jobs_maybe(struct jobs *j, const struct pg_stmt *stmt, const void *params, void *ret_row,
           bool *ret_found)
{
    PGresult *result;

    TRY(jobs_result(j, stmt, params, &result));
    return pg_decode_first(j->arena, stmt, result, ret_row, ret_found);
}

err
jobs_one(struct jobs *j, const struct pg_stmt *stmt, const void *params, void *ret_row)
{
    bool found;

    TRY(jobs_maybe(j, stmt, params, ret_row, &found));
    return found ? E_OK : E_NOT_FOUND;
}

err
jobs_many(struct jobs *j, const struct pg_stmt *stmt, const void *params, void **ret_rows,
          size_t *ret_count)
{
    PGresult *result;

    TRY(jobs_result(j, stmt, params, &result));
    return pg_decode_rows(j->arena, stmt, result, ret_rows, ret_count);
}
