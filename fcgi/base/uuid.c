#include "base/uuid.h"

#include <pthread.h>
#include <string.h>

#include "base/encode.h"
#include "base/timestamp.h"

#define COUNTER_MAX 0xfffU
#define POOL 32

/* Place of each byte's first digit in the text form. */
static const uint8_t place[16] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};

/* The two digits of each byte. */
static const char pairs[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
                            "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
                            "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f"
                            "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f"
                            "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"
                            "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf"
                            "c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
                            "e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff";

/* Random bytes for the next identifiers: one system call for many. Each is used once, and a forked
 * child makes its own. */
static struct {
    uint8_t bytes[POOL][16];
    size_t left;
    bool watched;
} pool;

static void
pool_forget(void)
{
    pool.left = 0;
}

static void
pool_take(uint8_t ret_bytes[16])
{
    if (pool.left == 0) {
        /* Unwatched, it would be filled for every single one. */
        pool.watched = pool.watched || pthread_atfork(NULL, NULL, pool_forget) == 0;
        random_bytes(pool.bytes, sizeof pool.bytes);
        pool.left = pool.watched ? POOL : 1;
    }
    memcpy(ret_bytes, pool.bytes[--pool.left], 16);
}

struct uuid
uuid_v7(void)
{
    /* A forked child begins with its parent's counter: the 62 random bits keep them apart. */
    static uint64_t last_ms;
    static unsigned counter;
    uint64_t ms = (uint64_t)(timestamp_now().us / 1000);
    struct uuid u;

    pool_take(u.b);
    if (ms > last_ms) {
        last_ms = ms;
        /* The highest bit starts as 0, so that at least 2048 fit into a millisecond. */
        /* cppcheck-suppress uninitvar ; random_bytes has filled it */
        counter = ((unsigned)u.b[6] << 8 | u.b[7]) & (COUNTER_MAX >> 1);
    } else if (counter < COUNTER_MAX) {
        counter++;
    } else {
        last_ms++;
        counter = ((unsigned)u.b[6] << 8 | u.b[7]) & (COUNTER_MAX >> 1);
    }
    for (unsigned i = 0; i < 6; i++)
        u.b[i] = (uint8_t)(last_ms >> (40 - 8 * i));
    u.b[6] = (uint8_t)(0x70 | counter >> 8);
    u.b[7] = (uint8_t)counter;
    u.b[8] = (uint8_t)(0x80 | (u.b[8] & 0x3f));
    return u;
}

bool
uuid_parse(struct text t, struct uuid *ret_uuid)
{
    struct uuid u;

    if (t.p == NULL || t.len != UUID_TEXT_LEN)
        return false;
    if (t.p[8] != '-' || t.p[13] != '-' || t.p[18] != '-' || t.p[23] != '-')
        return false;
    for (size_t i = 0; i < sizeof u.b; i++) {
        if (!hex_decode((struct text){t.p + place[i], 2}, &u.b[i], 1))
            return false;
    }
    *ret_uuid = u;
    return true;
}

void
uuid_format(const struct uuid *u, char ret_text[UUID_TEXT_LEN + 1])
{
    for (size_t i = 0; i < sizeof u->b; i++)
        memcpy(ret_text + place[i], pairs + (size_t)2 * u->b[i], 2);
    ret_text[8] = ret_text[13] = ret_text[18] = ret_text[23] = '-';
    ret_text[UUID_TEXT_LEN] = '\0';
}

bool
uuid_eq(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

bool
uuid_is_nil(const struct uuid *u)
{
    static const struct uuid nil;

    return uuid_eq(u, &nil);
}
