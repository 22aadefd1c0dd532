/* Any bytes as a query string. */
#include "fuzz.h"

#include "wire/query.h"

static struct arena *arena;

static void
check_text(struct text t)
{
    fuzz_require(t.p != NULL && text_utf8_valid(t));
    for (size_t i = 0; i < t.len; i++)
        fuzz_require((unsigned char)t.p[i] >= 0x20);
    fuzz_require(t.p[t.len] == '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_pairs pairs;
    size_t total = 0;

    if (arena == NULL)
        arena = arena_new((size_t)64 * 1024 * 1024);
    err e = wire_query_parse(arena, (struct text){(const char *)data, size}, &pairs);
    fuzz_require(e == E_OK || e == E_QUERY_SYNTAX);
    fuzz_require(e == E_OK || pairs.count == 0);
    fuzz_require(pairs.count <= 64);
    for (size_t i = 0; i < pairs.count; i++) {
        check_text(pairs.pair[i].name);
        check_text(pairs.pair[i].value);
        total += pairs.pair[i].name.len + pairs.pair[i].value.len;
    }
    fuzz_require(total <= size);
    arena_reset(arena);
    return 0;
}
