/* Statements of the background daemon: a connection as lectern_jobs and memory for one run. The
 * generated wrappers call jobs_exec and its kind. */
#ifndef LECTERN_JOBS_RUN_H
#define LECTERN_JOBS_RUN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "pg/conn.h"
#include "pg/stmt.h"

struct jobs {
    struct pg *pg;
    struct arena *arena; /* of the run at hand; emptied by jobs_end */
};

/* From the settings, not connected yet; `arena_max` bytes bound what one run may take. False when
 * JOBS_DATABASE_URL is not set: the daemon never guesses where to work. */
bool jobs_open(struct jobs *j, const char *application, size_t arena_max);
void jobs_close(struct jobs *j);

/* End the transaction of a run: commit when `e` is E_OK, else nothing of it stays. Returns `e` or
 * why the commit failed, and takes the run's memory back: copy what must outlive it first. */
err jobs_end(struct jobs *j, err e) MUST_CHECK;

/* `params` and rows are the structs that the generator made for the statement. The first statement
 * opens the transaction. jobs_one: E_NOT_FOUND when there is no row. */
err jobs_exec(struct jobs *j, const struct pg_stmt *stmt, const void *params) MUST_CHECK;
err jobs_one(struct jobs *j, const struct pg_stmt *stmt, const void *params,
             void *ret_row) MUST_CHECK;
err jobs_maybe(struct jobs *j, const struct pg_stmt *stmt, const void *params, void *ret_row,
               bool *ret_found) MUST_CHECK;
err jobs_many(struct jobs *j, const struct pg_stmt *stmt, const void *params, void **ret_rows,
              size_t *ret_count) MUST_CHECK;

#endif
