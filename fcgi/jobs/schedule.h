/* When which kind is due. Pure: times are given, in milliseconds of one clock. */
#ifndef LECTERN_JOBS_SCHEDULE_H
#define LECTERN_JOBS_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "jobs/kind.h"

#define SCHEDULE_NONE SIZE_MAX

struct schedule {
    const struct job_kind *kinds;
    size_t count;
    int64_t due_ms[JOB_KINDS_MAX];
};

/* All kinds due now. */
void schedule_start(struct schedule *s, const struct job_kind *kinds, size_t count, int64_t now_ms);

/* The kind that has been due for longest, the first of equals; SCHEDULE_NONE when none is. */
size_t schedule_due(const struct schedule *s, int64_t now_ms);

/* Milliseconds until the next kind is due; 0 when one is. */
int64_t schedule_wait_ms(const struct schedule *s, int64_t now_ms);

/* A kind ran and ended with `e` at `now_ms`: again after its period; at once, behind whatever else
 * is due, when its batch was full; after a minute, or its period if that is less, when it failed.
 * What was missed is done once, not made up for. */
void schedule_ran(struct schedule *s, size_t kind, err e, int64_t rows, int64_t now_ms);

#endif
