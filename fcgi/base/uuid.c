#include "base/uuid.h"

#include <string.h>

#include "base/encode.h"
#include "base/timestamp.h"

#define COUNTER_MAX 0xfffU

/* Place of each byte's first digit in the text form. */
static const uint8_t place[16] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};

struct uuid
uuid_v7(void)
{
    /* A forked child begins with its parent's counter: the 62 random bits keep them apart. */
    static uint64_t last_ms;
    static unsigned counter;
    uint64_t ms = (uint64_t)(timestamp_now().us / 1000);
    struct uuid u;

    random_bytes(u.b, sizeof u.b);
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
    static const char hex[] = "0123456789abcdef";

    for (size_t i = 0; i < sizeof u->b; i++) {
        ret_text[place[i]] = hex[u->b[i] >> 4];
        ret_text[place[i] + 1] = hex[u->b[i] & 15];
    }
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
