/* What the files of this folder share: the mapping and its 16-byte atomic cells. */
#ifndef LECTERN_SHM_TABLES_H
#define LECTERN_SHM_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "shm/shm.h"

#define SHM_CACHE_LINE 64
#define SHM_COUNTER_SHARDS 16 /* power of two */
#define SHM_REVOKED_WAYS 8
#define SHM_RATE_WAYS 4

/* Two words that only ever change together. A zero `id` is an empty cell. */
struct cell {
    _Alignas(16) uint64_t id;
    uint64_t state;
};

struct rate_bucket {
    _Alignas(SHM_CACHE_LINE) struct cell cells[SHM_RATE_WAYS];
};

struct revoked_bucket {
    _Alignas(SHM_CACHE_LINE) struct cell cells[SHM_REVOKED_WAYS];
};

_Static_assert(sizeof(struct rate_bucket) == SHM_CACHE_LINE, "a bucket is one cache line");

/* The first page of the file. */
struct shm_header {
    char magic[16];
    uint64_t layout_hash;
    uint64_t bytes;
    char boot_id[40]; /* the times inside mean nothing after a restart of the host */
    uint8_t hash_key[16];
    _Alignas(SHM_CACHE_LINE) uint64_t ticket; /* numbers the openings of rate windows */
};

struct shm {
    struct shm_header *header;
    uint64_t *counters;
    struct rate_bucket *rate;
    struct revoked_bucket *revoked;
    size_t bytes;
    size_t counter_count;
    size_t counter_stride; /* counters from one shard to the next */
    size_t rate_mask;
    size_t revoked_mask;
};

/* Both words, as they stood together at one moment: each half is read twice, and a change seen
 * between the readings starts over. */
static inline struct cell
cell_read(const struct cell *c)
{
    struct cell first, again;

    do {
        first.id = __atomic_load_n(&c->id, __ATOMIC_ACQUIRE);
        first.state = __atomic_load_n(&c->state, __ATOMIC_ACQUIRE);
        again.id = __atomic_load_n(&c->id, __ATOMIC_ACQUIRE);
        again.state = __atomic_load_n(&c->state, __ATOMIC_ACQUIRE);
    } while (first.id != again.id || first.state != again.state);
    return first;
}

/* One 128-bit compare-and-swap: cmpxchg16b on x86-64, casp or an exclusive pair on aarch64. */
static inline bool
cell_swap(struct cell *c, struct cell expected, struct cell desired)
{
    typedef unsigned __int128 __attribute__((may_alias)) wide;
    wide from, to;

    memcpy(&from, &expected, sizeof(from));
    memcpy(&to, &desired, sizeof(to));
    return __sync_bool_compare_and_swap((wide *)c, from, to);
}

#endif
