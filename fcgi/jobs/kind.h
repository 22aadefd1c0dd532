/* A kind of background work: one row. */
#ifndef LECTERN_JOBS_KIND_H
#define LECTERN_JOBS_KIND_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct jobs;

#define JOB_KINDS_MAX 16

struct job_kind {
    const char *name;   /* in the log */
    int64_t period_ms;  /* from one run to the next */
    int64_t full_batch; /* so many rows or more: there may be more to do at once; 0: never */
    /* One transaction, which the caller ends. Done twice, or not at all this time, it must do no
     * harm. *ret_rows is what it made or removed. */
    err (*run)(struct jobs *j, int64_t *ret_rows);
};

/* Exports of personal data: the one that has waited longest; what of them has expired. */
err run_exports(struct jobs *j, int64_t *ret_rows);
err run_person_purge(struct jobs *j, int64_t *ret_rows);

/* Housekeeping, at most JOB_KINDS_MAX rows. */
extern const struct job_kind job_kinds[];
extern const size_t job_kind_count;

#endif
