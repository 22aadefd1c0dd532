/* Rate limits: exact in one process, in many, under foreign keys and killed neighbours. */
#include "unit.h"

#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/encode.h"
#include "shm/shm.h"
#include "shm/tables.h"

#define PROCESSES_MAX 16

/* What parent and children of one test share besides the table. */
struct meeting {
    unsigned arrived;
    unsigned passed;
    unsigned stop;
    unsigned windows[4096];
};

static char directory[64];
static struct meeting *meeting;

static struct shm *
table_open(size_t buckets)
{
    struct shm_layout l = {.counters = 1, .rate_buckets = buckets, .revoked_slots = 8, .tag = 7};
    struct shm *s;

    snprintf(directory, sizeof(directory), "/tmp/lectern-rate-test-XXXXXX");
    CU_ASSERT_FATAL(mkdtemp(directory) != NULL);
    s = shm_open_tables(directory, &l);
    CU_ASSERT_FATAL(s != NULL);
    meeting =
        mmap(NULL, sizeof(*meeting), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CU_ASSERT_FATAL(meeting != MAP_FAILED);
    return s;
}

static void
table_close(struct shm *s)
{
    char path[512];
    struct dirent *e;
    DIR *d = opendir(directory);

    shm_close_tables(s);
    munmap(meeting, sizeof(*meeting));
    CU_ASSERT_FATAL(d != NULL);
    while ((e = readdir(d)) != NULL) {
        snprintf(path, sizeof(path), "%s/%s", directory, e->d_name);
        unlink(path);
    }
    closedir(d);
    rmdir(directory);
}

static int64_t
now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct text
key_make(char *space, size_t size, const char *kind, unsigned n)
{
    int len = snprintf(space, size, "%s:%u", kind, n);

    return (struct text){space, (size_t)len};
}

/* Wait until `count` processes are here. */
static void
meet(unsigned count)
{
    __atomic_fetch_add(&meeting->arrived, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&meeting->arrived, __ATOMIC_SEQ_CST) < count)
        sched_yield();
}

static void
children_start(unsigned n, struct shm *s, void (*work)(struct shm *, unsigned),
               pid_t ret_child[PROCESSES_MAX])
{
    fflush(stdout);
    for (unsigned i = 0; i < n; i++) {
        ret_child[i] = fork();
        if (ret_child[i] == 0) {
            work(s, i);
            unit_child_exit(0);
        }
    }
}

static void
children_wait(unsigned n, const pid_t child[PROCESSES_MAX])
{
    for (unsigned i = 0; i < n; i++) {
        int status = -1;

        CU_ASSERT_EQUAL(waitpid(child[i], &status, 0), child[i]);
        CU_ASSERT_EQUAL(status, 0);
    }
}

static void
test_window(void)
{
    struct shm *s = table_open(64);
    struct text key = TEXT("user:1:read");
    int64_t starts[] = {0, 1000000, 1700000000000, -5000};

    for (size_t t = 0; t < sizeof(starts) / sizeof(starts[0]); t++) {
        char space[32];
        int64_t now = starts[t];
        struct rate_verdict v;

        key = key_make(space, sizeof(space), "user", (unsigned)t);
        for (uint32_t i = 1; i <= 60; i++) {
            v = shm_rate_take(s, key, 60, 60000, now + i - 1);
            CU_ASSERT_TRUE(v.allowed);
            CU_ASSERT_EQUAL(v.limit, 60);
            CU_ASSERT_EQUAL(v.remaining, 60 - i);
            CU_ASSERT_EQUAL(v.reset_ms, now + 60000);
        }
        v = shm_rate_take(s, key, 60, 60000, now + 59999);
        CU_ASSERT_FALSE(v.allowed);
        CU_ASSERT_EQUAL(v.remaining, 0);
        CU_ASSERT_EQUAL(v.reset_ms, now + 60000);
        v = shm_rate_take(s, key, 60, 60000, now + 60000);
        CU_ASSERT_TRUE(v.allowed);
        CU_ASSERT_EQUAL(v.remaining, 59);
        CU_ASSERT_EQUAL(v.reset_ms, now + 120000);
    }
    table_close(s);
}

static void
test_bounds(void)
{
    struct shm *s = table_open(1);
    struct rate_verdict v = shm_rate_take(s, TEXT("zero"), 0, 1000, 50);

    CU_ASSERT_FALSE(v.allowed);
    CU_ASSERT_EQUAL(v.remaining, 0);
    CU_ASSERT_EQUAL(v.reset_ms, 1050);
    v = shm_rate_take(s, TEXT("huge"), UINT32_MAX, UINT32_MAX, 50);
    CU_ASSERT_TRUE(v.allowed);
    CU_ASSERT_EQUAL(v.limit, 16777215);
    CU_ASSERT_EQUAL(v.remaining, 16777214);
    CU_ASSERT_EQUAL(v.reset_ms, 50 + (int64_t)UINT32_MAX);
    v = shm_rate_take(s, TEXT("huge"), UINT32_MAX, UINT32_MAX, 49 + (int64_t)UINT32_MAX);
    CU_ASSERT_EQUAL(v.remaining, 16777213);
    v = shm_rate_take(s, TEXT("none"), 1, 0, 50);
    CU_ASSERT_TRUE(v.allowed);
    CU_ASSERT_EQUAL(v.reset_ms, 51);
    CU_ASSERT_FALSE(shm_rate_take(s, TEXT("none"), 1, 0, 50).allowed);
    CU_ASSERT_TRUE(shm_rate_take(s, TEXT("none"), 1, 0, 51).allowed);
    CU_ASSERT_TRUE(shm_rate_take(s, TEXT(""), 1, 1000, 50).allowed);
    CU_ASSERT_FALSE(shm_rate_take(s, TEXT(""), 1, 1000, 50).allowed);
    table_close(s);
}

/* Another process read its clock a little later: the window is one. A lowered limit holds at
 * once, a changed window too. */
static void
test_clocks_and_changes(void)
{
    struct shm *s = table_open(64);
    struct text key = TEXT("k");

    CU_ASSERT_TRUE(shm_rate_take(s, key, 2, 1000, 5000).allowed);
    struct rate_verdict v = shm_rate_take(s, key, 2, 1000, 4990);
    CU_ASSERT_TRUE(v.allowed);
    CU_ASSERT_EQUAL(v.reset_ms, 6000);
    CU_ASSERT_FALSE(shm_rate_take(s, key, 2, 1000, 4000).allowed);
    CU_ASSERT_TRUE(shm_rate_take(s, key, 3, 1000, 5001).allowed);
    CU_ASSERT_FALSE(shm_rate_take(s, key, 1, 1000, 5001).allowed);
    CU_ASSERT_TRUE(shm_rate_take(s, key, 1, 500, 5500).allowed);
    table_close(s);
}

/* Eight cells in all: the window that began first makes room, and no other. */
static void
test_eviction(void)
{
    struct shm *s = table_open(2);
    char space[32];

    for (unsigned i = 0; i < 8; i++) {
        CU_ASSERT_TRUE(
            shm_rate_take(s, key_make(space, sizeof(space), "k", i), 1, 60000, 100 + i).allowed);
    }
    for (unsigned i = 0; i < 8; i++) {
        CU_ASSERT_FALSE(
            shm_rate_take(s, key_make(space, sizeof(space), "k", i), 1, 60000, 200).allowed);
    }
    CU_ASSERT_TRUE(shm_rate_take(s, TEXT("new"), 1, 60000, 300).allowed);
    CU_ASSERT_FALSE(shm_rate_take(s, TEXT("new"), 1, 60000, 300).allowed);
    for (unsigned i = 1; i < 8; i++) {
        CU_ASSERT_FALSE(
            shm_rate_take(s, key_make(space, sizeof(space), "k", i), 1, 60000, 300).allowed);
    }
    CU_ASSERT_TRUE(shm_rate_take(s, key_make(space, sizeof(space), "k", 0), 1, 60000, 300).allowed);
    table_close(s);
}

/* A short window that is over makes room; long ones of strangers are not taken early, whatever
 * their length. */
static void
test_foreign_windows(void)
{
    static const uint32_t lengths[] = {1,     999,     1000,    2047,     2048,      60000,
                                       65535, 3599999, 3600000, 86400000, 4294967295};
    char space[32];

    for (size_t l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++) {
        struct shm *s = table_open(2);
        int64_t last = 1000 + (int64_t)lengths[l] - 1;

        CU_ASSERT_TRUE(shm_rate_take(s, TEXT("watched"), 1, lengths[l], 1000).allowed);
        for (unsigned i = 0; i < 7; i++)
            shm_rate_take(s, key_make(space, sizeof(space), "short", i), 1, 1, last - 1);
        for (unsigned i = 0; i < 7; i++)
            shm_rate_take(s, key_make(space, sizeof(space), "late", i), 1, 60000, last);
        CU_ASSERT_FALSE(shm_rate_take(s, TEXT("watched"), 1, lengths[l], last).allowed);
        CU_ASSERT_TRUE(shm_rate_take(s, TEXT("watched"), 1, lengths[l], last + 1).allowed);
        table_close(s);
    }
}

static void
work_hammer(struct shm *s, unsigned me)
{
    (void)me;
    meet(meeting->stop);
    for (int i = 0; i < 2000; i++) {
        if (shm_rate_take(s, TEXT("hammered"), 60, 60000, 1000 + i % 50).allowed)
            __atomic_fetch_add(&meeting->passed, 1, __ATOMIC_RELAXED);
    }
}

static void
test_exact_hammer(void)
{
    static const unsigned counts[] = {1, 4, 16};
    pid_t child[PROCESSES_MAX];

    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < 3; i++) {
            struct shm *s = table_open(1024);

            meeting->stop = counts[i];
            children_start(counts[i], s, work_hammer, child);
            children_wait(counts[i], child);
            CU_ASSERT_EQUAL(meeting->passed, 60);
            table_close(s);
        }
    }
}

/* Real time, windows of 20 ms, thousands of other keys coming and going. Passes are counted by
 * the window that the verdict names. */
static void
work_windows(struct shm *s, unsigned me)
{
    char space[32];
    int64_t begin = (int64_t)meeting->stop * 1000;
    unsigned n = 0;

    meet(8);
    for (int64_t now = now_ms(); now < begin + 2000; now = now_ms()) {
        struct rate_verdict v = shm_rate_take(s, TEXT("watched"), 60, 20, now);
        int64_t window = v.reset_ms - begin;

        if (v.allowed && window >= 0 && window < 4096)
            __atomic_fetch_add(&meeting->windows[window], 1, __ATOMIC_RELAXED);
        for (int i = 0; i < 3; i++, n++)
            shm_rate_take(s, key_make(space, sizeof(space), "noise", n % 500 * 8 + me), 5, 15, now);
    }
}

static void
test_exact_windows(void)
{
    pid_t child[PROCESSES_MAX];
    struct shm *s = table_open(4096);
    unsigned full = 0, partial = 0, over = 0;

    /* Whole seconds fit the field: the run takes one to two of them. */
    meeting->stop = (unsigned)(now_ms() / 1000);
    children_start(8, s, work_windows, child);
    children_wait(8, child);
    for (size_t i = 0; i < 4096; i++) {
        over += meeting->windows[i] > 60;
        full += meeting->windows[i] == 60;
        partial += meeting->windows[i] > 0 && meeting->windows[i] < 60;
    }
    CU_ASSERT_EQUAL(over, 0);
    CU_ASSERT(full > 0);
    /* Windows begin at least their length apart. */
    CU_ASSERT(full + partial <= 2000 / 20 + 1);
    printf("(%u full windows, %u partial, %u over) ", full, partial, over);
    table_close(s);
}

/* The race for a key's first cell. In a table of two buckets whose old windows end just now,
 * processes whose clocks differ by a millisecond see different free places. */
static void
work_first(struct shm *s, unsigned me)
{
    char space[32];

    for (unsigned round = 0; round < 20000; round++) {
        int64_t now = 1000 + (int64_t)round * 100;

        if (me == 0) {
            for (unsigned i = 0; i < 5; i++) {
                shm_rate_take(s, key_make(space, sizeof(space), "old", round * 5 + i), 1, 10,
                              now - 10 + (int64_t)(i % 3));
            }
        }
        meet((2 * round + 1) * 6);
        for (int i = 0; i < 3; i++) {
            if (shm_rate_take(s, key_make(space, sizeof(space), "first", round), 2, 90,
                              now + (int64_t)((me + round) % 4))
                    .allowed)
                __atomic_fetch_add(&meeting->windows[round % 4096], 1, __ATOMIC_RELAXED);
        }
        meet((2 * round + 2) * 6);
        if (me == 0 && meeting->windows[round % 4096] != 2)
            __atomic_fetch_add(&meeting->passed, 1, __ATOMIC_RELAXED);
        if (me == 0)
            __atomic_store_n(&meeting->windows[round % 4096], 0, __ATOMIC_RELAXED);
    }
}

static void
test_exact_first(void)
{
    pid_t child[PROCESSES_MAX];
    struct shm *s = table_open(2);

    children_start(6, s, work_first, child);
    children_wait(6, child);
    CU_ASSERT_EQUAL(meeting->passed, 0);
    if (meeting->passed != 0)
        printf("(%u rounds of 20000 not exact) ", meeting->passed);
    table_close(s);
}

static uint64_t
key_tag(const struct shm *s, struct text key)
{
    return siphash(shm_hash_key(s), key.p, key.len) >> 16;
}

/* A process died between placing a cell and opening it, at any of the eight places. */
static void
test_left_opening(void)
{
    struct text key = TEXT("left");

    for (size_t place = 0; place < 8; place++) {
        struct shm *s = table_open(2);
        struct cell *c = &s->rate[place / 4].cells[place % 4];
        unsigned copies = 0;

        c->id = key_tag(s, key) << 16;
        c->state = (uint64_t)5000 << 24 | 77;
        CU_ASSERT_TRUE(shm_rate_take(s, key, 2, 1000, 5000).allowed);
        CU_ASSERT_TRUE(shm_rate_take(s, key, 2, 1000, 5000).allowed);
        CU_ASSERT_FALSE(shm_rate_take(s, key, 2, 1000, 5000).allowed);
        for (size_t i = 0; i < 8; i++)
            copies += s->rate[i / 4].cells[i % 4].id >> 16 == key_tag(s, key);
        CU_ASSERT_EQUAL(copies, 1);
        table_close(s);
    }
}

/* What others left is room again after a second. */
static void
test_left_opening_foreign(void)
{
    struct shm *s = table_open(1);

    for (size_t i = 0; i < 4; i++) {
        s->rate[0].cells[i].id = (uint64_t)(i + 1) << 16;
        s->rate[0].cells[i].state = (uint64_t)5000 << 24 | i;
    }
    CU_ASSERT_TRUE(shm_rate_take(s, TEXT("a"), 1, 100000, 6000).allowed);
    CU_ASSERT_TRUE(shm_rate_take(s, TEXT("b"), 1, 100000, 6000).allowed);
    CU_ASSERT_FALSE(shm_rate_take(s, TEXT("a"), 1, 100000, 6000).allowed);
    CU_ASSERT_FALSE(shm_rate_take(s, TEXT("b"), 1, 100000, 6000).allowed);
    table_close(s);
}

/* Never more than the limit, though neighbours are killed at any instruction; a killed one can
 * take what it was about to count with it, one each. */
static void
work_killable(struct shm *s, unsigned me)
{
    char space[32];

    for (unsigned n = 0; __atomic_load_n(&meeting->stop, __ATOMIC_RELAXED) == 0; n++) {
        unsigned key = n % 1000;

        int64_t now = now_ms();

        if (shm_rate_take(s, key_make(space, sizeof(space), "k", key), 60, 600000, now).allowed)
            __atomic_fetch_add(&meeting->windows[key], 1, __ATOMIC_RELAXED);
        /* Keeps cells being opened all the time, but fewer than the table holds. */
        if (n % 16 == 0)
            shm_rate_take(s, key_make(space, sizeof(space), "fresh", n + me), 1, 1, now);
    }
}

static void
test_exact_killed(void)
{
    pid_t child[PROCESSES_MAX];
    struct shm *s = table_open(4096);
    unsigned killed = 0, lost = 0, over = 0;

    children_start(6, s, work_killable, child);
    for (int round = 0; round < 60; round++) {
        unsigned victim = (unsigned)round % 5;

        usleep(3000);
        kill(child[victim], SIGKILL);
        waitpid(child[victim], NULL, 0);
        killed++;
        fflush(stdout);
        child[victim] = fork();
        if (child[victim] == 0) {
            work_killable(s, victim);
            unit_child_exit(0);
        }
    }
    usleep(300000);
    meeting->stop = 1;
    children_wait(6, child);
    for (unsigned key = 0; key < 1000; key++) {
        char space[32];

        while (shm_rate_take(s, key_make(space, sizeof(space), "k", key), 60, 600000, now_ms())
                   .allowed)
            meeting->windows[key]++;
        over += meeting->windows[key] > 60;
        lost += meeting->windows[key] < 60 ? 60 - meeting->windows[key] : 0;
    }
    CU_ASSERT_EQUAL(over, 0);
    CU_ASSERT(lost <= killed);
    printf("(%u killed, %u passes went with them) ", killed, lost);
    table_close(s);
}

int
main(void)
{
    static const struct unit_case cases[] = {
        {"window: opens with the first, ends, opens again", test_window},
        {"bounds of limit and window", test_bounds},
        {"clocks apart, limits changed", test_clocks_and_changes},
        {"full: the window that began first goes", test_eviction},
        {"foreign windows of every length", test_foreign_windows},
        {"exact: 1, 4 and 16 processes on one key", test_exact_hammer},
        {"exact: window after window among thousands of keys", test_exact_windows},
        {"exact: the race for the first cell", test_exact_first},
        {"a cell left half opened", test_left_opening},
        {"cells left half opened by strangers", test_left_opening_foreign},
        {"exact: processes killed", test_exact_killed},
        {NULL, NULL},
    };

    return unit_main("shm rate", cases);
}
