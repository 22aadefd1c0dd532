#include "jobs/schedule.h"

#define FAILED_RETRY_MS 60000

void
schedule_start(struct schedule *s, const struct job_kind *kinds, size_t count, int64_t now_ms)
{
    *s = (struct schedule){.kinds = kinds, .count = count < JOB_KINDS_MAX ? count : JOB_KINDS_MAX};
    for (size_t i = 0; i < s->count; i++)
        s->due_ms[i] = now_ms;
}

static size_t
schedule_first(const struct schedule *s)
{
    size_t first = SCHEDULE_NONE;

    for (size_t i = 0; i < s->count; i++) {
        if (first == SCHEDULE_NONE || s->due_ms[i] < s->due_ms[first])
            first = i;
    }
    return first;
}

size_t
schedule_due(const struct schedule *s, int64_t now_ms)
{
    size_t first = schedule_first(s);

    return first != SCHEDULE_NONE && s->due_ms[first] <= now_ms ? first : SCHEDULE_NONE;
}

int64_t
schedule_wait_ms(const struct schedule *s, int64_t now_ms)
{
    size_t first = schedule_first(s);

    if (first == SCHEDULE_NONE)
        return INT64_MAX;
    return s->due_ms[first] > now_ms ? s->due_ms[first] - now_ms : 0;
}

static int64_t
schedule_pause_ms(const struct job_kind *kind, err e, int64_t rows)
{
    if (e == E_OK)
        return kind->full_batch > 0 && rows >= kind->full_batch ? 0 : kind->period_ms;
    return kind->period_ms < FAILED_RETRY_MS ? kind->period_ms : FAILED_RETRY_MS;
}

void
schedule_ran(struct schedule *s, size_t kind, err e, int64_t rows, int64_t now_ms)
{
    s->due_ms[kind] = now_ms + schedule_pause_ms(&s->kinds[kind], e, rows);
}
