#include "bin/ctl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/encode.h"
#include "base/err.h"
#include "jobs/statements.h"

#define ARENA_MAX ((size_t)1 << 30) /* one problem takes some 60 bytes */
#define HASH_DIGITS 64
#define HEADS_MAX 65536 /* of a file: of some thousand verifications */

/* What the database told of the log. */
struct findings {
    struct job_audit_heads_row *heads;
    struct job_audit_verify_row *problems;
    size_t nheads, nproblems;
};

/* --- what was printed before -------------------------------------------------------------- */

/* "head CHAIN SEQ HASH" → "CHAIN SEQ HASH"; false when a line that begins so goes on otherwise. */
static bool
head_line(const char *line, struct arena *a, struct text *ret_head)
{
    struct text rest = {line, strcspn(line, "\n")};
    uint8_t digest[HASH_DIGITS / 2];
    int64_t chain, seq;

    *ret_head = TEXT_NULL;
    if (!text_eq(text_cut(&rest, ' '), TEXT("head")))
        return true;
    struct text head = rest;
    if (!text_to_int(text_cut(&rest, ' '), &chain) || !text_to_int(text_cut(&rest, ' '), &seq))
        return false;
    if (!hex_decode(rest, digest, sizeof digest))
        return false;
    *ret_head = arena_text(a, head);
    return true;
}

/* Other lines of the file, such as the verdict, are passed over. */
static bool
read_heads(FILE *in, struct arena *a, struct texts *ret_heads)
{
    struct text *item = arena_array(a, HEADS_MAX, sizeof *item);
    char line[256];
    size_t n = 0;

    while (n < HEADS_MAX && fgets(line, sizeof line, in) != NULL) {
        if (!head_line(line, a, &item[n]))
            return false;
        n += item[n].p != NULL;
    }
    *ret_heads = (struct texts){item, n};
    return n > 0 && n < HEADS_MAX && feof(in);
}

static int
expected_heads(const char *path, struct arena *a, struct texts *ret_heads)
{
    FILE *in;

    *ret_heads = (struct texts){NULL, 0};
    if (path == NULL)
        return 0;
    in = fopen(path, "re");
    if (in == NULL)
        return ctl_fail(EX_NOINPUT, "%s cannot be read", path);
    bool good = read_heads(in, a, ret_heads);
    fclose(in);
    return good ? 0 : ctl_fail(EX_DATAERR, "%s is not what 'audit verify' prints", path);
}

/* --- the log ------------------------------------------------------------------------------ */

/* In one transaction: the statements after the first may take as long as they need. Heads come
 * first, so that all that they stand for is verified. */
static err
read_log(struct jobs *j, struct texts expected, struct findings *ret_found)
{
    struct job_time_unlimited_row ignored;
    struct job_audit_verify_params p = {.expected = expected};

    TRY(job_time_unlimited_run(j, &ignored));
    TRY(job_audit_heads_run(j, &ret_found->heads, &ret_found->nheads));
    return job_audit_verify_run(j, &p, &ret_found->problems, &ret_found->nproblems);
}

static void
print_problem(const struct job_audit_verify_row *row)
{
    char id[UUID_TEXT_LEN + 1] = "";

    if (row->has_id)
        uuid_format(&row->id, id);
    printf("chain %" PRId64 " seq %" PRId64 "%s%s: %.*s\n", row->chain, row->seq,
           row->has_id ? " id " : "", id, TEXT_ARG(row->problem));
}

static int
print_findings(const struct findings *f)
{
    for (size_t i = 0; i < f->nproblems; i++)
        print_problem(&f->problems[i]);
    if (f->nproblems == 0)
        puts("The audit log is whole.");
    else
        printf("%zu %s in the audit log.\n", f->nproblems,
               f->nproblems == 1 ? "problem" : "problems");
    for (size_t i = 0; i < f->nheads; i++)
        printf("head %" PRId64 " %" PRId64 " %.*s\n", f->heads[i].chain, f->heads[i].seq,
               TEXT_ARG(f->heads[i].hash));
    return f->nproblems == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int
verify(struct jobs *j, const char *expect)
{
    struct findings found = {.heads = NULL};
    struct texts expected;
    int status = expected_heads(expect, j->arena, &expected);

    if (status != 0)
        return status;
    err e = read_log(j, expected, &found);
    status = e == E_OK ? print_findings(&found) : EX_SOFTWARE;
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
    int status = ctl_parse(argc, argv, CTL_CONFIG | CTL_EXPECT, 0, &o);

    if (status == 0)
        status = ctl_settings(o.config_file);
    if (status != 0)
        return status;
    if (!jobs_open(&j, "lecternctl", ARENA_MAX))
        return ctl_fail(EX_CONFIG, "JOBS_DATABASE_URL is not set");
    status = verify(&j, o.expect);
    jobs_close(&j);
    return status;
}
