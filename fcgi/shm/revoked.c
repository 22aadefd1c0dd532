/* Sessions that ended before their access tokens did. */
#include "base/encode.h"
#include "shm/tables.h"

/* A cell: the session's keyed hash, and until when it is remembered. */
static uint64_t
session_id(const struct shm *s, const uint8_t session[16])
{
    uint64_t h = siphash(s->header->hash_key, session, 16);

    return h == 0 ? 1 : h;
}

static struct revoked_bucket *
bucket_of(const struct shm *s, uint64_t id)
{
    return &s->revoked[id & s->revoked_mask];
}

/* The session's own cell, else an empty one, else the one that ends soonest. */
static struct cell *
cell_choose(struct revoked_bucket *b, uint64_t id, struct cell *ret_seen)
{
    struct cell *best = NULL;

    for (size_t i = 0; i < SHM_REVOKED_WAYS; i++) {
        struct cell seen = cell_read(&b->cells[i]);

        if (seen.id == id) {
            *ret_seen = seen;
            return &b->cells[i];
        }
        if (best == NULL || (ret_seen->id != 0 &&
                             (seen.id == 0 || (int64_t)seen.state < (int64_t)ret_seen->state))) {
            best = &b->cells[i];
            *ret_seen = seen;
        }
    }
    return best;
}

void
shm_revoke(struct shm *s, const uint8_t session[16], int64_t until_ms, int64_t now_ms)
{
    uint64_t id = session_id(s, session);
    struct revoked_bucket *b = bucket_of(s, id);
    struct cell desired = {.id = id, .state = (uint64_t)until_ms};

    if (until_ms <= now_ms)
        return;
    for (;;) {
        struct cell seen;
        struct cell *c = cell_choose(b, id, &seen);

        if (seen.id == id && (int64_t)seen.state >= until_ms)
            return;
        if (cell_swap(c, seen, desired))
            return;
    }
}

bool
shm_is_revoked(const struct shm *s, const uint8_t session[16], int64_t now_ms)
{
    uint64_t id = session_id(s, session);
    const struct revoked_bucket *b = bucket_of(s, id);

    for (size_t i = 0; i < SHM_REVOKED_WAYS; i++) {
        struct cell seen;

        if (__atomic_load_n(&b->cells[i].id, __ATOMIC_RELAXED) != id)
            continue;
        seen = cell_read(&b->cells[i]);
        if (seen.id == id && (int64_t)seen.state > now_ms)
            return true;
    }
    return false;
}
