/* What keeps the database in order: months to come have their partitions, what has expired goes. */
#include "jobs/kind.h"
#include "jobs/statements.h"

#define MONTHS_AHEAD 3
#define SECOND_MS ((int64_t)1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)

static err
run_partitions(struct jobs *j, int64_t *ret_rows)
{
    struct job_partitions_make_params params = {.months = MONTHS_AHEAD};
    struct job_partitions_make_row row;

    TRY(job_partitions_make_run(j, &params, &row));
    *ret_rows = row.made;
    return E_OK;
}

static err
run_purge(struct jobs *j, int64_t *ret_rows)
{
    struct job_expired_purge_params params = {.batch = PURGE_BATCH};
    struct job_expired_purge_row row;

    TRY(job_expired_purge_run(j, &params, &row));
    *ret_rows = row.gone;
    return E_OK;
}

static err
run_signin_purge(struct jobs *j, int64_t *ret_rows)
{
    struct job_signin_failures_purge_params params = {.batch = PURGE_BATCH};
    struct job_signin_failures_purge_row row;

    TRY(job_signin_failures_purge_run(j, &params, &row));
    *ret_rows = row.gone;
    return E_OK;
}

static err
run_token_purge(struct jobs *j, int64_t *ret_rows)
{
    struct job_account_tokens_purge_params params = {.batch = PURGE_BATCH};
    struct job_account_tokens_purge_row row;

    TRY(job_account_tokens_purge_run(j, &params, &row));
    *ret_rows = row.gone;
    return E_OK;
}

static err
run_invitation_purge(struct jobs *j, int64_t *ret_rows)
{
    struct job_invitations_purge_params params = {.batch = PURGE_BATCH};
    struct job_invitations_purge_row row;

    TRY(job_invitations_purge_run(j, &params, &row));
    *ret_rows = row.gone;
    return E_OK;
}

const struct job_kind job_kinds[] = {
    {.name = "partitions", .period_ms = HOUR_MS, .full_batch = 0, .run = run_partitions},
    {.name = "mail",
     .period_ms = SECOND_MS,
     .full_batch = JOB_MAIL_BATCH,
     .often = true,
     .run = job_mail},
    {.name = "invitation_purge",
     .period_ms = HOUR_MS,
     .full_batch = PURGE_BATCH,
     .run = run_invitation_purge},
    {.name = "mail_purge", .period_ms = HOUR_MS, .full_batch = PURGE_BATCH, .run = job_mail_purge},
    {.name = "token_purge",
     .period_ms = HOUR_MS,
     .full_batch = PURGE_BATCH,
     .run = run_token_purge},
    {.name = "purge", .period_ms = MINUTE_MS, .full_batch = PURGE_BATCH, .run = run_purge},
    {.name = "signin_purge",
     .period_ms = MINUTE_MS,
     .full_batch = PURGE_BATCH,
     .run = run_signin_purge},
    {.name = "exports",
     .period_ms = 5 * SECOND_MS,
     .full_batch = 1,
     .often = true,
     .run = job_exports_make},
    {.name = "person_purge",
     .period_ms = MINUTE_MS,
     .full_batch = PURGE_BATCH,
     .run = job_person_clean},
};

const size_t job_kind_count = sizeof job_kinds / sizeof job_kinds[0];

_Static_assert(sizeof job_kinds / sizeof job_kinds[0] <= JOB_KINDS_MAX, "JOB_KINDS_MAX");
