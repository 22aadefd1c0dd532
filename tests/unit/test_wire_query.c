/* Query strings and cookies. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "wire/query.h"

static struct arena *arena;

static err
query(struct text t, struct wire_pairs *ret)
{
    char *copy = malloc(t.len + (t.len == 0));
    if (t.len > 0)
        memcpy(copy, t.p, t.len);
    err e = wire_query_parse(arena, (struct text){copy, t.len}, ret);
    free(copy); /* what was parsed must not lean on the input */
    return e;
}

#define DOC(z)             \
    {                      \
        (z), sizeof(z) - 1 \
    }

static void
pairs(void)
{
    static const struct {
        struct text in, name, value;
    } cases[] = {
        {DOC("a=1"), DOC("a"), DOC("1")},
        {DOC("a"), DOC("a"), DOC("")},
        {DOC("a="), DOC("a"), DOC("")},
        {DOC("=1"), DOC(""), DOC("1")},
        {DOC("a=b=c"), DOC("a"), DOC("b=c")},
        {DOC("a%3Db=c%26d"), DOC("a=b"), DOC("c&d")},
        {DOC("q=a+b%2Bc%20d"), DOC("q"), DOC("a b+c d")},
        {DOC("created_at%5Bgte%5D=1"), DOC("created_at[gte]"), DOC("1")},
        {DOC("created_at[gte]=1"), DOC("created_at[gte]"), DOC("1")},
        {DOC("&&a=1&"), DOC("a"), DOC("1")},
        {DOC("a=%c3%A4"), DOC("a"), DOC("\xc3\xa4")},
        {DOC("a=\xc3\xa4"), DOC("a"), DOC("\xc3\xa4")},
        {DOC("a=%25%32%35"), DOC("a"), DOC("%25")},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct wire_pairs got;
        CU_ASSERT_EQUAL(query(cases[i].in, &got), E_OK);
        CU_ASSERT_EQUAL_FATAL(got.count, 1);
        CU_ASSERT_TRUE(text_eq(got.pair[0].name, cases[i].name));
        CU_ASSERT_TRUE(text_eq(got.pair[0].value, cases[i].value));
        arena_reset(arena);
    }
}

static void
order_and_repeats(void)
{
    struct wire_pairs got;
    CU_ASSERT_EQUAL(query(TEXT("b=2&a=1&b=3"), &got), E_OK);
    CU_ASSERT_EQUAL_FATAL(got.count, 3);
    CU_ASSERT_TRUE(text_eq(got.pair[0].name, TEXT("b")) && text_eq(got.pair[2].name, TEXT("b")));
    CU_ASSERT_TRUE(text_eq(got.pair[2].value, TEXT("3")));
    CU_ASSERT_EQUAL(query(TEXT(""), &got), E_OK);
    CU_ASSERT_EQUAL(got.count, 0);
    CU_ASSERT_EQUAL(query(TEXT_NULL, &got), E_OK);
    CU_ASSERT_EQUAL(got.count, 0);
    CU_ASSERT_EQUAL(query(TEXT("&&&"), &got), E_OK);
    CU_ASSERT_EQUAL(got.count, 0);
    arena_reset(arena);
}

static void
refused(void)
{
    static const struct text cases[] = {
        DOC("a=%"),         DOC("a=%4"),     DOC("a=%zz"),       DOC("%=1"),
        DOC("a=%4g"),       DOC("a=%u0041"), DOC("a=%00"),       DOC("%00=1"),
        DOC("a=x%0ay"),     DOC("a=%0D"),    DOC("a=%09"),       DOC("a=%1f"),
        DOC("a=\x01"),      DOC("a=\0"),     DOC("a=%ff"),       DOC("a=%c0%80"),
        DOC("a=%c3"),       DOC("%c3=%a4"),  DOC("a=%ed%a0%80"), DOC("a=%f4%90%80%80"),
        DOC("a=%e0%80%af"), DOC("ok=1&b=%"), DOC("a=%-1"),       DOC("a=% 1"),
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct wire_pairs got;
        err e = query(cases[i], &got);
        if (e != E_QUERY_SYNTAX)
            printf("\n  passed: %.*s", TEXT_ARG(cases[i]));
        CU_ASSERT_EQUAL(e, E_QUERY_SYNTAX);
        CU_ASSERT_EQUAL(got.count, 0);
        arena_reset(arena);
    }
}

static void
pair_limit(void)
{
    char z[65 * 2];
    struct wire_pairs got;
    for (size_t i = 0; i < 65; i++) {
        z[i * 2] = 'a';
        z[i * 2 + 1] = '&';
    }
    CU_ASSERT_EQUAL(query((struct text){z, 64 * 2}, &got), E_OK);
    CU_ASSERT_EQUAL(got.count, 64);
    CU_ASSERT_EQUAL(query((struct text){z, 65 * 2}, &got), E_QUERY_SYNTAX);
    arena_reset(arena);
}

static void
cookies(void)
{
    static const struct {
        struct text header, value;
    } cases[] = {
        {DOC("s=1"), DOC("1")},
        {DOC("a=0; s=1; b=2"), DOC("1")},
        {DOC("a=0;s=1;b=2"), DOC("1")},
        {DOC("  s=1  "), DOC("1")},
        {DOC("s="), DOC("")},
        {DOC("s=a=b=="), DOC("a=b==")},
        {DOC("s=\"q\""), DOC("\"q\"")},
        {DOC("S=0; xs=0; s2=0; s=1"), DOC("1")},
        {DOC("s; s=1"), DOC("1")},
        {DOC(";;s=1;;"), DOC("1")},
        /* absent, planted twice, or not cookie octets */
        {DOC(""), {NULL, 0}},
        {DOC("s"), {NULL, 0}},
        {DOC("S=1"), {NULL, 0}},
        {DOC("s =1"), {NULL, 0}},
        {DOC("a=s=1"), {NULL, 0}},
        {DOC("s=1; s=1"), {NULL, 0}},
        {DOC("s=1; a=2; s=2"), {NULL, 0}},
        {DOC("s=1; s="), {NULL, 0}},
        {DOC("s=a b"), {NULL, 0}},
        {DOC("s=a,b"), {NULL, 0}},
        {DOC("s=a\"b"), {NULL, 0}},
        {DOC("s=\""), {NULL, 0}},
        {DOC("s=a\\b"), {NULL, 0}},
        {DOC("s=\xc3\xa4"), {NULL, 0}},
        {DOC("s=a\x01"), {NULL, 0}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct text got = wire_cookie(cases[i].header, TEXT("s"));
        if (!text_eq(got, cases[i].value))
            printf("\n  %.*s gave %.*s", TEXT_ARG(cases[i].header), TEXT_ARG(got));
        CU_ASSERT_TRUE(text_eq(got, cases[i].value));
    }
    CU_ASSERT_PTR_NULL(wire_cookie(TEXT_NULL, TEXT("s")).p);
    CU_ASSERT_TRUE(text_eq(wire_cookie(TEXT("__Host-s=x; s=y"), TEXT("__Host-s")), TEXT("x")));
}

int
main(void)
{
    static const struct unit_case cases[] = {
        {"pairs", pairs},     {"order and repeats", order_and_repeats},
        {"refused", refused}, {"at most 64 pairs", pair_limit},
        {"cookies", cookies}, {NULL, NULL},
    };
    arena = arena_new((size_t)1024 * 1024);
    int status = unit_main("wire: query and cookies", cases);
    arena_free(arena);
    return status;
}
