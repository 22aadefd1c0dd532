/* Exports of personal data: made in the database, where what a person's rows are is declared. */
#include "jobs/kind.h"
#include "jobs/statements.h"

err
job_exports_make(struct jobs *j, int64_t *ret_rows)
{
    struct job_time_unlimited_row timeout;
    struct job_exports_build_row row;

    TRY(job_time_unlimited_run(j, &timeout));
    TRY(job_exports_build_run(j, &row));
    *ret_rows = row.built ? 1 : 0;
    return E_OK;
}

err
job_person_clean(struct jobs *j, int64_t *ret_rows)
{
    struct job_person_purge_params params = {.batch = PURGE_BATCH};
    struct job_person_purge_row row;

    TRY(job_person_purge_run(j, &params, &row));
    *ret_rows = row.gone;
    return E_OK;
}
