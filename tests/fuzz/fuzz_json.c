/* Any bytes as a JSON document. What the scan passes, json-c must parse; what is written again must
 * pass too, and mean the same. */
#include "fuzz.h"

#include <string.h>

#include "wire/json_in.h"

static struct arena *arena;

static void
walk(struct json_value v, unsigned depth)
{
    struct text t = TEXT_NULL, name;
    struct json_value inner;
    void *cursor = NULL;
    size_t members = 0;

    fuzz_require(depth <= json_limits_default.depth);
    if (json_get_text(v, &t))
        fuzz_require(text_utf8_valid(t) && memchr(t.p, '\0', t.len) == NULL);
    for (size_t i = 0; json_element(v, i, &inner); i++)
        walk(inner, depth + 1);
    for (; json_next_member(v, &cursor, &name, &inner); members++) {
        fuzz_require(text_utf8_valid(name));
        walk(inner, depth + 1);
    }
    fuzz_require(json_type_of(v) != JSON_OBJECT || members == json_count(v));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text document = {(const char *)data, size};
    struct json_value root, again;
    size_t offset = 0;

    if (arena == NULL)
        arena = arena_new((size_t)64 * 1024 * 1024);
    err scanned = json_scan(arena, document, &json_limits_default, &offset);
    fuzz_require(offset <= size);
    err parsed = json_parse(arena, document, &root);
    fuzz_require(scanned == parsed);
    if (parsed == E_OK) {
        fuzz_require(text_utf8_valid(document));
        walk(root, 0);
        struct text written = json_serialise(arena, root);
        /* Escapes may have grown: only that limit may stop it now. */
        err e = json_parse(arena, written, &again);
        fuzz_require(e == E_OK || e == E_JSON_LIMIT);
        fuzz_require(e != E_OK || text_eq(json_serialise(arena, again), written));
    }
    arena_reset(arena);
    return 0;
}
