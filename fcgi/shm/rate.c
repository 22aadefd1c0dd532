/* Rate limits: one cell a key, in one of two buckets of one cache line each.
 *
 * id     48 bits of the key's hash, 16 bits of the window's length (rounded up; 0: being opened)
 * state  40 bits of the window's start in ms, 24 bits of its count
 *
 * Counting, reopening one's own window and taking over a dead cell are each one 128-bit
 * compare-and-swap. A key that has no cell could be given one by two processes at once in two
 * places, and each would count for itself; so a new cell is placed as "being opened" with a
 * number of its own, the places are looked at again, and only a cell that finds itself alone is
 * swapped to an open one. Of two the lower place wins. A process killed in between leaves a cell
 * that whoever meets it removes. */
#include <sched.h>

#include "base/encode.h"
#include "shm/tables.h"

#define COUNT_BITS 24
#define COUNT_MASK (((uint64_t)1 << COUNT_BITS) - 1)
#define START_BITS 40
#define LENGTH_BITS 16
#define LENGTH_MASK (((uint64_t)1 << LENGTH_BITS) - 1)
#define LENGTH_SHIFT_BITS 5
#define PLACES (2 * SHM_RATE_WAYS)
#define OPENING_MS 1000      /* a cell being opened for longer is of a dead process */
#define OPENING_PATIENCE 200 /* looks at it before its opener is taken for stopped */

struct request {
    uint64_t tag; /* the key's part of the id; never 0 */
    uint32_t limit;
    uint32_t window_ms;
    int64_t now_ms;
    struct cell *places[PLACES];
    size_t place_count;
};

enum outcome { AGAIN, PASSED, REFUSED };

static uint64_t
id_tag(uint64_t id)
{
    return id >> LENGTH_BITS;
}

static bool
id_opening(uint64_t id)
{
    return id != 0 && (id & LENGTH_MASK) == 0;
}

/* 11 bits of mantissa and 5 of exponent, rounded up: a stranger never thinks a window over
 * before its owner does. */
static uint64_t
length_encode(uint32_t window_ms)
{
    uint64_t mantissa = window_ms;
    uint64_t shift = 0;

    while (mantissa >= (uint64_t)1 << (LENGTH_BITS - LENGTH_SHIFT_BITS)) {
        mantissa = (mantissa + 1) >> 1;
        shift++;
    }
    return mantissa << LENGTH_SHIFT_BITS | shift;
}

static int64_t
length_decode(uint64_t id)
{
    uint64_t code = id & LENGTH_MASK;

    if (code == 0)
        return OPENING_MS;
    return (int64_t)(code >> LENGTH_SHIFT_BITS << (code & ((1U << LENGTH_SHIFT_BITS) - 1)));
}

static uint64_t
state_make(int64_t start_ms, uint64_t count)
{
    return (uint64_t)start_ms << COUNT_BITS | (count & COUNT_MASK);
}

/* Milliseconds from the window's start to now, on a circle of 34 years: any clock will do.
 * Negative where another process read its clock after we did. */
static int64_t
state_age(uint64_t state, int64_t now_ms)
{
    uint64_t circle = ((uint64_t)now_ms - (state >> COUNT_BITS)) << (64 - START_BITS);

    return (int64_t)circle >> (64 - START_BITS);
}

static bool
cell_dead(struct cell c, int64_t now_ms)
{
    return c.id == 0 || state_age(c.state, now_ms) >= length_decode(c.id);
}

static struct rate_verdict
verdict(const struct request *r, enum outcome outcome, uint64_t state)
{
    uint32_t count = (uint32_t)(state & COUNT_MASK);

    return (struct rate_verdict){
        .allowed = outcome == PASSED,
        .limit = r->limit,
        .remaining = count < r->limit ? r->limit - count : 0,
        .reset_ms = r->now_ms - state_age(state, r->now_ms) + r->window_ms,
    };
}

/* Count in the key's own open cell, or open it again where its window is over. */
static enum outcome
cell_count(const struct request *r, struct cell *c, struct cell seen, uint64_t *ret_state)
{
    struct cell next = {.id = r->tag << LENGTH_BITS | length_encode(r->window_ms)};

    if (state_age(seen.state, r->now_ms) >= r->window_ms) {
        next.state = state_make(r->now_ms, 1);
    } else if ((seen.state & COUNT_MASK) >= r->limit) {
        *ret_state = seen.state;
        return REFUSED;
    } else {
        next.id = seen.id;
        next.state = seen.state + 1;
    }
    *ret_state = next.state;
    return cell_swap(c, seen, next) ? PASSED : AGAIN;
}

/* Another process is opening a window for this key. It needs some hundred nanoseconds; one that
 * takes longer is stopped or dead, and its cell is taken away: it will notice. */
static void
opening_settle(struct cell *c, struct cell opening)
{
    for (int i = 0; i < OPENING_PATIENCE; i++) {
        struct cell seen = cell_read(c);

        if (seen.id != opening.id || seen.state != opening.state)
            return;
    }
    cell_swap(c, opening, (struct cell){0});
}

/* Where a new window goes: a free cell of the bucket that has more of them, else in place of the
 * window that began first. */
static struct cell *
place_choose(const struct request *r, struct cell *ret_seen)
{
    struct cell *free_place[2] = {NULL, NULL};
    struct cell free_seen[2] = {{0}, {0}};
    size_t free_count[2] = {0, 0};
    struct cell *oldest = r->places[0];
    size_t pick;

    *ret_seen = cell_read(oldest);
    for (size_t i = 0; i < r->place_count; i++) {
        size_t bucket = i / SHM_RATE_WAYS;
        struct cell seen = cell_read(r->places[i]);

        if (cell_dead(seen, r->now_ms)) {
            free_count[bucket]++;
            free_place[bucket] = r->places[i];
            free_seen[bucket] = seen;
        } else if (state_age(seen.state, r->now_ms) > state_age(ret_seen->state, r->now_ms)) {
            oldest = r->places[i];
            *ret_seen = seen;
        }
    }
    pick = free_count[1] > free_count[0] ? 1 : 0;
    if (free_place[pick] == NULL)
        return oldest;
    *ret_seen = free_seen[pick];
    return free_place[pick];
}

/* Is the new cell the only one of its key? A rival being opened in a higher place is removed. */
static bool
opening_alone(const struct request *r, const struct cell *own)
{
    bool above = false;

    for (size_t i = 0; i < r->place_count; i++) {
        struct cell *c = r->places[i];
        struct cell seen = cell_read(c);

        if (c == own) {
            above = true;
            continue;
        }
        if (seen.id == 0 || id_tag(seen.id) != r->tag)
            continue;
        if (!above || !id_opening(seen.id) || !cell_swap(c, seen, (struct cell){0}))
            return false;
    }
    return true;
}

static enum outcome
window_open(struct shm *s, const struct request *r, uint64_t *ret_state)
{
    uint64_t number = __atomic_fetch_add(&s->header->ticket, 1, __ATOMIC_RELAXED);
    struct cell opening = {.id = r->tag << LENGTH_BITS, .state = state_make(r->now_ms, number)};
    struct cell open = {.id = r->tag << LENGTH_BITS | length_encode(r->window_ms),
                        .state = state_make(r->now_ms, 1)};
    struct cell seen;
    struct cell *own = place_choose(r, &seen);

    /* Its own cell can have appeared meanwhile and be the oldest: that one counts already. */
    if (id_tag(seen.id) == r->tag || !cell_swap(own, seen, opening))
        return AGAIN;
    /* The places must be read after the swap is seen by all: store, then load. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!opening_alone(r, own)) {
        cell_swap(own, opening, (struct cell){0});
        return AGAIN;
    }
    *ret_state = open.state;
    return cell_swap(own, opening, open) ? PASSED : AGAIN;
}

static enum outcome
request_try(struct shm *s, const struct request *r, uint64_t *ret_state)
{
    for (size_t i = 0; i < r->place_count; i++) {
        struct cell *c = r->places[i];
        uint64_t id = __atomic_load_n(&c->id, __ATOMIC_RELAXED);
        struct cell seen;

        if (id_tag(id) != r->tag)
            continue;
        seen = cell_read(c);
        if (id_tag(seen.id) != r->tag)
            return AGAIN;
        if (!id_opening(seen.id))
            return cell_count(r, c, seen, ret_state);
        opening_settle(c, seen);
        return AGAIN;
    }
    return window_open(s, r, ret_state);
}

static void
request_locate(struct shm *s, struct request *r, uint64_t hash)
{
    size_t first = hash & s->rate_mask;
    size_t second = first;

    r->tag = hash >> LENGTH_BITS;
    if (r->tag == 0)
        r->tag = 1;
    /* The second bucket follows from other bits of the hash and is never the first. */
    if (s->rate_mask != 0)
        second ^= 1 + (hash >> 32) % s->rate_mask;
    r->place_count = first == second ? SHM_RATE_WAYS : PLACES;
    for (size_t i = 0; i < SHM_RATE_WAYS; i++) {
        r->places[i] = &s->rate[first].cells[i];
        r->places[i + SHM_RATE_WAYS] = &s->rate[second].cells[i];
    }
}

struct rate_verdict
shm_rate_take(struct shm *s, struct text key, uint32_t limit, uint32_t window_ms, int64_t now_ms)
{
    struct request r = {.limit = limit < COUNT_MASK ? limit : (uint32_t)COUNT_MASK,
                        .window_ms = window_ms > 0 ? window_ms : 1,
                        .now_ms = now_ms};
    enum outcome outcome = REFUSED;
    uint64_t state = state_make(now_ms, 0);

    if (limit == 0)
        return verdict(&r, outcome, state);
    request_locate(s, &r, siphash(s->header->hash_key, key.p, key.len));
    outcome = request_try(s, &r, &state);
    for (unsigned tries = 1; outcome == AGAIN; tries++) {
        if (tries % 64 == 0)
            sched_yield();
        outcome = request_try(s, &r, &state);
    }
    return verdict(&r, outcome, state);
}
