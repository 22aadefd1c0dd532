/* Claims of verified tokens, by the SHA-256 of the token: eight ways, so that a few tokens that
 * fall together do not push each other out. A set's tags share a cache line. */
#include <string.h>

#include "auth/keyset_parts.h"

#define WAYS 8
#define SETS 512 /* power of two */
#define LIFETIME_S 30

struct cache_entry {
    uint8_t digest[32];
    uint64_t generation;
    int64_t from; /* a clock set back must not revive what was verified later */
    int64_t until;
    struct token_claims claims;
};

struct cache_set {
    _Alignas(64) uint64_t tags[WAYS];
    struct cache_entry entries[WAYS];
};

static struct cache_set sets[SETS];

static uint64_t
digest_word(const uint8_t digest[32], size_t at)
{
    uint64_t w;

    memcpy(&w, digest + at, sizeof(w));
    return w;
}

static bool
entry_live(const struct cache_entry *e, int64_t now)
{
    return now >= e->from && now < e->until;
}

bool
token_cache_find(const struct keyset *k, const uint8_t digest[32], int64_t now,
                 struct token_claims *ret_claims)
{
    const struct cache_set *set = &sets[digest_word(digest, 8) & (SETS - 1)];
    uint64_t tag = digest_word(digest, 0);

    for (size_t i = 0; i < WAYS; i++) {
        const struct cache_entry *e = &set->entries[i];

        if (set->tags[i] != tag || e->generation != k->generation || !entry_live(e, now) ||
            memcmp(e->digest, digest, sizeof(e->digest)) != 0)
            continue;
        *ret_claims = e->claims;
        return true;
    }
    return false;
}

void
token_cache_store(const struct keyset *k, const uint8_t digest[32], int64_t now,
                  const struct token_claims *claims)
{
    struct cache_set *set = &sets[digest_word(digest, 8) & (SETS - 1)];
    int64_t until = now + LIFETIME_S;
    size_t way = 0;

    for (size_t i = 0; i < WAYS; i++) {
        if (!entry_live(&set->entries[i], now)) {
            way = i;
            break;
        }
        if (set->entries[i].until < set->entries[way].until)
            way = i;
    }
    if (claims->expires_at < until)
        until = claims->expires_at;
    set->tags[way] = digest_word(digest, 0);
    set->entries[way].generation = k->generation;
    set->entries[way].from = now;
    set->entries[way].until = until;
    set->entries[way].claims = *claims;
    memcpy(set->entries[way].digest, digest, sizeof(set->entries[way].digest));
}
