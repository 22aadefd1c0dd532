/* A kind of background work: one row. */
#ifndef LECTERN_JOBS_KIND_H
#define LECTERN_JOBS_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct jobs;

#define JOB_KINDS_MAX 16
#define PURGE_BATCH 1000 /* rows of one table: short transactions, few locks at a time */
#define JOB_MAIL_BATCH 50

struct job_kind {
    const char *name;   /* in the log */
    int64_t period_ms;  /* from one run to the next */
    int64_t full_batch; /* so many rows or more: there may be more to do at once; 0: never */
    bool often;         /* a run that found nothing to do is not logged */
    /* One transaction, which the caller ends. Done twice, or not at all this time, it must do no
     * harm. *ret_rows is what it made or removed. */
    err (*run)(struct jobs *j, int64_t *ret_rows);
};

/* Exports of personal data: the one that has waited longest; what of them has expired. */
err job_exports_make(struct jobs *j, int64_t *ret_rows);
err job_person_clean(struct jobs *j, int64_t *ret_rows);
/* Mails: several transactions of its own, since a server is spoken to in between. */
err job_mail(struct jobs *j, int64_t *ret_rows);
err job_mail_purge(struct jobs *j, int64_t *ret_rows);
/* Seconds until a mail is tried again after its nth attempt: a pause that doubles, up to six hours,
 * of which `random` takes away up to a half. */
int64_t mail_pause_seconds(int64_t attempts, int64_t first, uint64_t random);

/* In housekeeping.c, at most JOB_KINDS_MAX rows. */
extern const struct job_kind job_kinds[];
extern const size_t job_kind_count;

#endif
