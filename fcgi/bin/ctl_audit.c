#include "bin/ctl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/err.h"
#include "jobs/statements.h"

#define ARENA_MAX ((size_t)1 << 30) /* one problem takes some 40 bytes */

/* In one transaction: the statement after it may take as long as it needs. */
static err
read_problems(struct jobs *j, struct job_audit_verify_row **ret_rows, size_t *ret_count)
{
    struct job_time_unlimited_row ignored;

    TRY(job_time_unlimited_run(j, &ignored));
    return job_audit_verify_run(j, ret_rows, ret_count);
}

static int
print_problems(const struct job_audit_verify_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        printf("chain %" PRId64 " seq %" PRId64 ": %.*s\n", rows[i].chain, rows[i].seq,
               TEXT_ARG(rows[i].problem));
    if (count == 0)
        puts("The audit log is whole.");
    else
        printf("%zu %s in the audit log.\n", count, count == 1 ? "problem" : "problems");
    return count == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int
verify(struct jobs *j)
{
    struct job_audit_verify_row *rows = NULL;
    size_t count = 0;
    err e = read_problems(j, &rows, &count);
    int status = e == E_OK ? print_problems(rows, count) : EX_SOFTWARE;

    e = jobs_end(j, e);
    if (e == E_UNAVAILABLE)
        return ctl_fail(EX_UNAVAILABLE, "the database cannot be reached");
    return e == E_OK ? status
                     : ctl_fail(EX_SOFTWARE, "the audit log cannot be read: %s", err_info(e)->code);
}

int
ctl_audit_verify(int argc, char **argv)
{
    struct ctl_options o;
    struct jobs j;
    int status = ctl_parse(argc, argv, CTL_CONFIG, 0, &o);

    if (status == 0)
        status = ctl_settings(o.config_file);
    if (status != 0)
        return status;
    if (!jobs_open(&j, "lecternctl", ARENA_MAX))
        return ctl_fail(EX_CONFIG, "JOBS_DATABASE_URL is not set");
    status = verify(&j);
    jobs_close(&j);
    return status;
}
