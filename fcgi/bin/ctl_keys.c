#include "bin/ctl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "auth/envelope.h"
#include "base/err.h"
#include "base/settings.h"
#include "jobs/statements.h"

#define ARENA_MAX ((size_t)64 << 20)
#define BATCH_ROWS 200
#define BATCH_BYTES (4 << 20)
#define PASSES 5 /* over rows that others held at the time */
#define COLUMNS_MAX 64
#define PROGRESS_EVERY_S 5

struct column {
    char table[64], column[64];
};

/* What one run has done. */
struct work {
    struct jobs jobs;
    struct column columns[COLUMNS_MAX];
    size_t count;
    int64_t read;   /* rows of the column at hand */
    int64_t moved;  /* values of it */
    int64_t unopen; /* values of all columns, in this pass */
    int64_t left;   /* values that someone else held or changed, in this pass */
    time_t told;
};

/* --- what there is ---------------------------------------------------------------------------- */

static int
failed(err e)
{
    if (e == E_UNAVAILABLE)
        return ctl_fail(EX_UNAVAILABLE,
                        "the database cannot be reached; what was moved stays moved");
    return ctl_fail(EX_SOFTWARE, "sealed values cannot be read or written: %s", err_info(e)->code);
}

static err
columns_read(struct work *w)
{
    struct job_sealed_columns_row *rows = NULL;
    size_t count = 0;
    err e = job_sealed_columns_run(&w->jobs, &rows, &count);

    w->count = 0;
    for (size_t i = 0; e == E_OK && i < count; i++) {
        struct column *c = &w->columns[w->count];

        if (w->count == COLUMNS_MAX || rows[i].table_name.len >= sizeof c->table ||
            rows[i].column_name.len >= sizeof c->column) {
            e = E_INTERNAL;
            break;
        }
        snprintf(c->table, sizeof c->table, "%.*s", TEXT_ARG(rows[i].table_name));
        snprintf(c->column, sizeof c->column, "%.*s", TEXT_ARG(rows[i].column_name));
        w->count++;
    }
    return jobs_end(&w->jobs, e);
}

static const char *
key_word(struct text id)
{
    if (id.p == NULL)
        return "broken";
    if (text_eq(id, setting_text(S_DATA_ENCRYPTION_ACTIVE_KEY_ID)))
        return "active";
    return envelope_key_known(id) ? "fallback" : "unknown";
}

/* One line for each column and key. `ret_bad`: under keys that the settings do not have, or of no
 * key at all; `ret_old`: to be moved yet. */
static err
usage_print(struct work *w, int64_t *ret_bad, int64_t *ret_old)
{
    struct job_time_unlimited_row ignored;
    struct job_sealed_usage_row *rows = NULL;
    size_t count = 0;
    err e = job_time_unlimited_run(&w->jobs, &ignored);

    *ret_bad = *ret_old = 0;
    if (e == E_OK)
        e = job_sealed_usage_run(&w->jobs, &rows, &count);
    for (size_t i = 0; e == E_OK && i < count; i++) {
        const char *word = key_word(rows[i].key_id);
        struct text id = rows[i].key_id.p != NULL ? rows[i].key_id : TEXT("-");

        printf("%.*s.%.*s\t%.*s\t%s\t%" PRId64 "\n", TEXT_ARG(rows[i].table_name),
               TEXT_ARG(rows[i].column_name), TEXT_ARG(id), word, rows[i].held);
        *ret_old += strcmp(word, "fallback") == 0 ? rows[i].held : 0;
        if (strcmp(word, "unknown") != 0 && strcmp(word, "broken") != 0)
            continue;
        *ret_bad += rows[i].held;
        if (rows[i].key_id.p == NULL)
            ctl_fail(0, "%.*s.%.*s: %" PRId64 " values are no sealed texts",
                     TEXT_ARG(rows[i].table_name), TEXT_ARG(rows[i].column_name), rows[i].held);
        else
            ctl_fail(0, "%.*s.%.*s: %" PRId64 " values are under the unknown key %.*s",
                     TEXT_ARG(rows[i].table_name), TEXT_ARG(rows[i].column_name), rows[i].held,
                     TEXT_ARG(id));
    }
    return jobs_end(&w->jobs, e);
}

/* --- moving ----------------------------------------------------------------------------------- */

/* The same value under the active key. What does not open is told by the log and left; an unknown
 * key is told once for all its values, at the end. */
static err
reseal(struct work *w, const struct column *c, const struct job_sealed_batch_row *row,
       struct text *ret_sealed)
{
    struct arena *a = w->jobs.arena;
    struct envelope_place place = {
        .table = c->table, .column = c->column, .row = row->id, .org = row->org_id};
    struct text id, plain;

    if (envelope_key_id(row->sealed, &id) && !envelope_key_known(id))
        return E_DATA_KEY_UNKNOWN;
    TRY(envelope_open(a, &place, row->sealed, &plain));
    return envelope_seal(a, &place, plain, ret_sealed);
}

/* Seals the rows of a batch again and puts the new texts where the old ones still stand. */
static err
batch_move(struct work *w, const struct column *c, const struct job_sealed_batch_row *rows,
           size_t count)
{
    struct arena *a = w->jobs.arena;
    struct uuid *ids = arena_array(a, count + 1, sizeof *ids);
    struct text *old = arena_array(a, count + 1, sizeof *old);
    struct text *new = arena_array(a, count + 1, sizeof *new);
    struct job_sealed_swap_row swapped;
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        if (rows[i].sealed.p == NULL)
            continue;
        if (reseal(w, c, &rows[i], &new[n]) != E_OK) {
            w->unopen++;
            continue;
        }
        ids[n] = rows[i].id;
        old[n++] = rows[i].sealed;
    }
    if (n == 0)
        return E_OK;
    struct job_sealed_swap_params params = {.table_name = text_of(c->table),
                                            .column_name = text_of(c->column),
                                            .ids = {ids, n},
                                            .old = {old, n},
                                            .new = {new, n}};
    TRY(job_sealed_swap_run(&w->jobs, &params, &swapped));
    w->moved += swapped.moved;
    w->left += (int64_t)n - swapped.moved;
    return E_OK;
}

static void
progress(struct work *w, const struct column *c, bool done)
{
    time_t now = time(NULL);

    if (!done && now - w->told < PROGRESS_EVERY_S)
        return;
    w->told = now;
    fprintf(stderr, "%s.%s: %" PRId64 " rows read, %" PRId64 " values moved%s\n", c->table,
            c->column, w->read, w->moved, done ? ", done" : "");
}

/* One transaction a batch: whenever this ends, what was committed stays, and the next run finds
 * what is left. */
static err
column_move(struct work *w, const struct column *c)
{
    struct job_sealed_batch_params params = {
        .table_name = text_of(c->table),
        .column_name = text_of(c->column),
        .active = setting_text(S_DATA_ENCRYPTION_ACTIVE_KEY_ID),
        .max_rows = BATCH_ROWS,
        .max_bytes = BATCH_BYTES,
    };
    struct job_sealed_batch_row *rows;
    size_t count;

    w->read = w->moved = 0;
    do {
        err e = job_sealed_batch_run(&w->jobs, &params, &rows, &count);

        if (e == E_OK && count > 0) {
            params.after = rows[count - 1].id;
            params.has_after = true;
            w->read += (int64_t)count;
            e = batch_move(w, c, rows, count);
        }
        TRY(jobs_end(&w->jobs, e));
        progress(w, c, count == 0);
    } while (count > 0);
    return E_OK;
}

static err
all_move(struct work *w)
{
    TRY(columns_read(w));
    for (int pass = 0; pass < PASSES; pass++) {
        w->unopen = w->left = 0;
        for (size_t i = 0; i < w->count; i++)
            TRY(column_move(w, &w->columns[i]));
        if (w->left == 0)
            break;
        nanosleep(&(struct timespec){.tv_nsec = 200000000L}, NULL);
    }
    return E_OK;
}

static int
reencrypt(struct work *w)
{
    int64_t bad = 0, old = 0;
    err e = all_move(w);

    if (e == E_OK)
        e = usage_print(w, &bad, &old);
    if (e != E_OK)
        return failed(e);
    if (w->unopen > 0 && bad == 0)
        return ctl_fail(EXIT_FAILURE, "%" PRId64 " values do not open", w->unopen);
    if (bad > 0)
        return ctl_fail(EXIT_FAILURE, "%" PRId64 " values could not be moved", bad);
    if (old > 0)
        return ctl_fail(EX_TEMPFAIL, "%" PRId64 " values are under other keys still: run it again",
                        old);
    return EXIT_SUCCESS;
}

static int
list(struct work *w)
{
    int64_t bad = 0, old = 0;
    err e = usage_print(w, &bad, &old);

    if (e != E_OK)
        return failed(e);
    return bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* --- the commands ----------------------------------------------------------------------------- */

static int
with_jobs(int argc, char **argv, int (*run)(struct work *))
{
    struct ctl_options o;
    struct work w = {.count = 0};
    int status = ctl_parse(argc, argv, CTL_CONFIG, 0, &o);

    if (status == 0)
        status = ctl_settings(o.config_file);
    if (status != 0)
        return status;
    if (setting_text(S_DATA_ENCRYPTION_ACTIVE_KEY_ID).len == 0)
        return ctl_fail(EX_CONFIG, "DATA_ENCRYPTION_ACTIVE_KEY_ID is not set");
    if (!jobs_open(&w.jobs, "lecternctl", ARENA_MAX))
        return ctl_fail(EX_CONFIG, "JOBS_DATABASE_URL is not set");
    status = run(&w);
    jobs_close(&w.jobs);
    return status;
}

int
ctl_keys_list(int argc, char **argv)
{
    return with_jobs(argc, argv, list);
}

int
ctl_keys_reencrypt(int argc, char **argv)
{
    return with_jobs(argc, argv, reencrypt);
}
