/* When which kind is due, and the table of kinds itself. */
#include <string.h>

#include "jobs/kind.h"
#include "jobs/schedule.h"
#include "unit.h"

#define HOUR 3600000

static const struct job_kind kinds[] = {
    {.name = "slow", .period_ms = HOUR},
    {.name = "batches", .period_ms = 60000, .full_batch = 100},
    {.name = "quick", .period_ms = 5000},
};

enum { SLOW, BATCHES, QUICK, KINDS };

static struct schedule
started(int64_t now)
{
    struct schedule s;

    memset(&s, 0xa5, sizeof s);
    schedule_start(&s, kinds, KINDS, now);
    return s;
}

static void
test_all_are_due_at_the_start(void)
{
    struct schedule s = started(1000);

    CU_ASSERT_EQUAL(schedule_due(&s, 999), SCHEDULE_NONE);
    CU_ASSERT_EQUAL(schedule_wait_ms(&s, 999), 1);
    for (size_t i = 0; i < KINDS; i++) {
        CU_ASSERT_EQUAL(schedule_wait_ms(&s, 1000), 0);
        CU_ASSERT_EQUAL(schedule_due(&s, 1000), i); /* in the order of the table */
        schedule_ran(&s, i, E_OK, 0, 1000);
    }
    CU_ASSERT_EQUAL(schedule_due(&s, 1000), SCHEDULE_NONE);
    CU_ASSERT_EQUAL(schedule_wait_ms(&s, 1000), 5000);
}

static void
test_periods(void)
{
    struct schedule s = started(0);
    int runs[KINDS] = {0};

    /* A day in steps of a second; the first of the three rounds is at 0. */
    for (int64_t now = 0; now < 24 * (int64_t)HOUR; now += 1000) {
        for (size_t i = schedule_due(&s, now); i != SCHEDULE_NONE; i = schedule_due(&s, now)) {
            runs[i]++;
            schedule_ran(&s, i, E_OK, 99, now);
        }
    }
    CU_ASSERT_EQUAL(runs[SLOW], 24);
    CU_ASSERT_EQUAL(runs[BATCHES], 24 * 60);
    CU_ASSERT_EQUAL(runs[QUICK], 24 * 720);
}

static void
test_a_full_batch_goes_on_but_behind_the_others(void)
{
    struct schedule s = started(0);

    schedule_ran(&s, SLOW, E_OK, 1000, 0); /* has no batch: rows do not matter */
    schedule_ran(&s, BATCHES, E_OK, 100, 10);
    CU_ASSERT_EQUAL(schedule_due(&s, 10), QUICK);
    schedule_ran(&s, QUICK, E_OK, 0, 10);
    CU_ASSERT_EQUAL(schedule_due(&s, 10), BATCHES);
    schedule_ran(&s, BATCHES, E_OK, 250, 20);
    CU_ASSERT_EQUAL(schedule_due(&s, 20), BATCHES);
    schedule_ran(&s, BATCHES, E_OK, 99, 30);
    CU_ASSERT_EQUAL(schedule_due(&s, 30), SCHEDULE_NONE);
    CU_ASSERT_EQUAL(s.due_ms[BATCHES], 60030);
    CU_ASSERT_EQUAL(s.due_ms[SLOW], HOUR);
}

static void
test_failures_come_again_sooner_but_not_at_once(void)
{
    struct schedule s = started(0);

    schedule_ran(&s, SLOW, E_INTERNAL, 0, 0);
    schedule_ran(&s, BATCHES, E_UNAVAILABLE, 100, 0); /* what it counted before it failed */
    schedule_ran(&s, QUICK, E_INTERNAL, 0, 0);
    CU_ASSERT_EQUAL(s.due_ms[SLOW], 60000);
    CU_ASSERT_EQUAL(s.due_ms[BATCHES], 60000);
    CU_ASSERT_EQUAL(s.due_ms[QUICK], 5000);
}

/* A machine that slept for a week does each kind once. */
static void
test_what_was_missed_is_done_once(void)
{
    struct schedule s = started(0);
    int64_t late = 7 * 24 * (int64_t)HOUR;

    for (size_t i = 0; i < KINDS; i++)
        schedule_ran(&s, i, E_OK, 0, 0);
    for (size_t n = 0; n < KINDS; n++) {
        size_t i = schedule_due(&s, late);
        CU_ASSERT_NOT_EQUAL_FATAL(i, SCHEDULE_NONE);
        schedule_ran(&s, i, E_OK, 0, late);
    }
    CU_ASSERT_EQUAL(schedule_due(&s, late), SCHEDULE_NONE);
    CU_ASSERT_EQUAL(schedule_wait_ms(&s, late), 5000);
}

static void
test_no_kinds(void)
{
    struct schedule s;

    schedule_start(&s, kinds, 0, 0);
    CU_ASSERT_EQUAL(schedule_due(&s, INT64_MAX), SCHEDULE_NONE);
    CU_ASSERT_EQUAL(schedule_wait_ms(&s, 0), INT64_MAX);
}

static void
test_the_table_of_kinds(void)
{
    CU_ASSERT_FATAL(job_kind_count > 0 && job_kind_count <= JOB_KINDS_MAX);
    for (size_t i = 0; i < job_kind_count; i++) {
        const struct job_kind *k = &job_kinds[i];
        CU_ASSERT_TRUE(k->name != NULL && k->name[0] != '\0');
        CU_ASSERT_TRUE(k->period_ms >= 1000 && k->period_ms <= 24 * (int64_t)HOUR);
        CU_ASSERT_TRUE(k->full_batch >= 0);
        CU_ASSERT_PTR_NOT_NULL(k->run);
        for (size_t other = 0; other < i; other++)
            CU_ASSERT_STRING_NOT_EQUAL(k->name, job_kinds[other].name);
    }
}

int
main(void)
{
    static const struct unit_case cases[] = {
        {"all are due at the start", test_all_are_due_at_the_start},
        {"periods", test_periods},
        {"a full batch goes on, behind the others",
         test_a_full_batch_goes_on_but_behind_the_others},
        {"failures come again sooner, not at once",
         test_failures_come_again_sooner_but_not_at_once},
        {"what was missed is done once", test_what_was_missed_is_done_once},
        {"no kinds", test_no_kinds},
        {"the table of kinds", test_the_table_of_kinds},
        {NULL, NULL},
    };

    return unit_main("jobs schedule", cases);
}
