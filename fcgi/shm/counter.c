/* Counters of the metrics table. Each is kept once for every shard, a shard has cache lines of
 * its own, and a process adds to the shard of the processor it runs on: workers do not fight
 * over a line, and the reader adds the shards up. */
#include <sched.h>

#include "shm/tables.h"

static uint64_t *
counter_at(const struct shm *s, size_t shard, size_t counter)
{
    return s->counters + shard * s->counter_stride + counter;
}

static size_t
shard_here(void)
{
    int cpu = sched_getcpu();

    return cpu < 0 ? 0 : (size_t)cpu & (SHM_COUNTER_SHARDS - 1);
}

void
shm_count(struct shm *s, size_t counter, uint64_t delta)
{
    if (counter < s->counter_count)
        __atomic_fetch_add(counter_at(s, shard_here(), counter), delta, __ATOMIC_RELAXED);
}

void
shm_count_down(struct shm *s, size_t counter, uint64_t delta)
{
    shm_count(s, counter, 0 - delta);
}

uint64_t
shm_counter(const struct shm *s, size_t counter)
{
    uint64_t sum = 0;

    if (counter >= s->counter_count)
        return 0;
    for (size_t shard = 0; shard < SHM_COUNTER_SHARDS; shard++)
        sum += __atomic_load_n(counter_at(s, shard, counter), __ATOMIC_RELAXED);
    /* A gauge raised on one shard and lowered on another while we add can look negative. */
    return sum > INT64_MAX ? 0 : sum;
}
