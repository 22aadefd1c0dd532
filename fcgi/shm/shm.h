/* Tables in memory shared by all workers and pools of a host. A file mapped by everyone, named
 * after a hash of its layout, so that programs of different releases never share one. No locks:
 * a worker killed at any instruction leaves nothing behind. */
#ifndef LECTERN_SHM_SHM_H
#define LECTERN_SHM_SHM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

struct shm;

struct shm_layout {
    size_t counters;      /* 64-bit counters of the metrics table */
    size_t rate_buckets;  /* power of two; four keys each */
    size_t revoked_slots; /* power of two */
    uint64_t tag;         /* hash of what the counters mean: the rows, statements, classes */
};

/* Map (creating it where needed, under a lock of its own) the tables in `directory`.
 * NULL with errno set when it cannot be. The file is 0600. */
struct shm *shm_open_tables(const char *directory, const struct shm_layout *layout);
void shm_close_tables(struct shm *s);

/* The SipHash key of this mapping, made at its creation. */
const uint8_t *shm_hash_key(const struct shm *s);

/* --- counters ------------------------------------------------------------------------- */
void shm_count(struct shm *s, size_t counter, uint64_t delta);
void shm_count_down(struct shm *s, size_t counter, uint64_t delta);
uint64_t shm_counter(const struct shm *s, size_t counter);

/* --- rate limits ----------------------------------------------------------------------- */
struct rate_verdict {
    bool allowed;
    uint32_t limit;
    uint32_t remaining; /* requests left in the window */
    int64_t reset_ms;   /* when the window ends, on the clock of now_ms */
};

/* Count one request of `key` (any bytes, hashed) against `limit` in a window of `window_ms` that
 * opens with the key's first request. Exactly `limit` pass in a window, over all processes.
 * A refused request does not count. limit 0 refuses everything; limits over 16,777,215 are that;
 * window_ms 0 is 1. A key loses its count early only when all eight cells it may use hold open
 * windows of other keys: the one that began first goes, so give the table room. */
struct rate_verdict shm_rate_take(struct shm *s, struct text key, uint32_t limit,
                                  uint32_t window_ms, int64_t now_ms);

/* --- revoked sessions -------------------------------------------------------------------- */
/* Remember until `until_ms` that a session ended, so that every worker of the host refuses its
 * tokens at once. Best effort: a full bucket forgets the entry that ends soonest, and the
 * database check within SESSION_VALIDATION_CACHE_TTL_MS remains. */
void shm_revoke(struct shm *s, const uint8_t session[16], int64_t until_ms, int64_t now_ms);
bool shm_is_revoked(const struct shm *s, const uint8_t session[16], int64_t now_ms);

#endif
