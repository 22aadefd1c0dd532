/* What the verification of an access token costs: cached, uncached with the key in memory, and
 * how long making one takes. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "auth/token.h"

#include "../unit/test_auth_forge.h"

#define NOW INT64_C(1800000000)
#define TOKENS 500
#define CACHED_ROUNDS 2000

static double
microseconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static struct keyset *
keyset_of(struct arena *a, EVP_PKEY *key, const char *alg)
{
    struct keyset *k;
    struct buf b;

    buf_init(&b, 4096, 65536);
    buf_z(&b, "{\"keys\":[");
    forge_entry(&b, (const char *[]){"k", alg, "active"}, key, key);
    buf_z(&b, "]}");
    k = keyset_load(forge_base64(a, buf_as_text(&b)), TEXT("k"), TEXT("lectern"),
                    TEXT("lectern-api"), stderr);
    buf_free(&b);
    return k;
}

/* Mean of verifying every token `rounds` times; the arena is emptied as after a request. */
static double
verify_time(struct arena *request, const struct keyset *k, const struct text *tokens,
            unsigned rounds)
{
    double begin = microseconds();
    struct token_claims c;

    for (unsigned r = 0; r < rounds; r++) {
        for (unsigned i = 0; i < TOKENS; i++) {
            if (token_verify(request, k, tokens[i], NOW, &c) != E_OK)
                return -1;
            arena_reset(request);
        }
    }
    return (microseconds() - begin) / TOKENS / rounds;
}

static void
measure(const char *alg, EVP_PKEY *key)
{
    struct arena *a = arena_new((size_t)16 << 20);
    struct arena *request = arena_new((size_t)1 << 20);
    struct keyset *k = keyset_of(a, key, alg);
    struct text *tokens = arena_array(a, TOKENS, sizeof(*tokens));
    struct token_claims c = {
        .role = "student", .issued_at = NOW, .expires_at = NOW + 900, .user = uuid_v7()};
    double begin = microseconds();

    for (unsigned i = 0; i < TOKENS; i++) {
        c.id = uuid_v7();
        if (token_issue(a, k, &c, &tokens[i]) != E_OK)
            abort();
    }
    printf("%s  %zu bytes: issue %8.1f µs", alg, tokens[0].len, (microseconds() - begin) / TOKENS);
    printf("   verify %6.1f µs", verify_time(request, k, tokens, 1));
    printf("   verify, cached %6.2f µs\n", verify_time(request, k, tokens, CACHED_ROUNDS));
    keyset_free(k);
    arena_free(request);
    arena_free(a);
}

int
main(void)
{
    EVP_PKEY *rsa = forge_rsa(2048), *ec = forge_ec("P-256");

    measure("RS256", rsa);
    measure("ES256", ec);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(ec);
    return EXIT_SUCCESS;
}
