#include "unit.h"

#include <string.h>

#include "base/text.h"

static void
test_equality(void)
{
    CU_ASSERT_TRUE(text_eq(TEXT("abc"), TEXT("abc")));
    CU_ASSERT_FALSE(text_eq(TEXT("abc"), TEXT("abd")));
    CU_ASSERT_FALSE(text_eq(TEXT("abc"), TEXT("ab")));
    CU_ASSERT_TRUE(text_eq(TEXT("a\0b"), TEXT("a\0b")));
    CU_ASSERT_FALSE(text_eq(TEXT("a\0b"), TEXT("a\0c")));
    CU_ASSERT_TRUE(text_eq(TEXT_NULL, TEXT_NULL));
    CU_ASSERT_FALSE(text_eq(TEXT_NULL, TEXT("")));
    CU_ASSERT_PTR_NULL(text_of(NULL).p);
    CU_ASSERT_TRUE(text_eq_nocase(TEXT("X-Request-ID"), TEXT("x-request-id")));
    CU_ASSERT_FALSE(text_eq_nocase(TEXT("@["), TEXT("`{")));
    CU_ASSERT_FALSE(text_eq_nocase(TEXT("a"), TEXT_NULL));
    CU_ASSERT_TRUE(text_eq_secret(TEXT("s3cret"), TEXT("s3cret")));
    CU_ASSERT_FALSE(text_eq_secret(TEXT("s3cret"), TEXT("s3creT")));
    CU_ASSERT_FALSE(text_eq_secret(TEXT("s3cret"), TEXT("s3cre")));
    CU_ASSERT_FALSE(text_eq_secret(TEXT_NULL, TEXT_NULL));
}

static void
test_alphabet(void)
{
    CU_ASSERT_TRUE(text_is_of(TEXT("abba"), "ab", 4));
    CU_ASSERT_FALSE(text_is_of(TEXT("abbab"), "ab", 4));
    CU_ASSERT_FALSE(text_is_of(TEXT("abc"), "ab", 4));
    CU_ASSERT_FALSE(text_is_of(TEXT("a\0b"), "ab", 4));
    CU_ASSERT_FALSE(text_is_of(TEXT(""), "ab", 4));
    CU_ASSERT_FALSE(text_is_of(TEXT_NULL, "ab", 4));
}

static void
test_cutting(void)
{
    struct text t = TEXT("a,,b");

    CU_ASSERT_TRUE(text_eq(text_cut(&t, ','), TEXT("a")));
    CU_ASSERT_TRUE(text_eq(text_cut(&t, ','), TEXT("")));
    CU_ASSERT_PTR_NOT_NULL(t.p);
    CU_ASSERT_TRUE(text_eq(text_cut(&t, ','), TEXT("b")));
    CU_ASSERT_PTR_NULL(t.p);
    t = TEXT("a,");
    (void)text_cut(&t, ',');
    CU_ASSERT_PTR_NOT_NULL(t.p);
    CU_ASSERT_EQUAL(t.len, 0);
    CU_ASSERT_TRUE(text_eq(text_trim(TEXT(" \t a b\t ")), TEXT("a b")));
    CU_ASSERT_EQUAL(text_trim(TEXT(" \t ")).len, 0);
    CU_ASSERT_TRUE(text_starts(TEXT("Bearer x"), TEXT("Bearer ")));
    CU_ASSERT_FALSE(text_starts(TEXT("Bear"), TEXT("Bearer ")));
    CU_ASSERT_FALSE(text_starts(TEXT_NULL, TEXT("")));
}

static void
test_utf8(void)
{
    static const char *const good[] = {
        "",
        "ascii only, longer than eight",
        "\xc2\x80",
        "\xdf\xbf",
        "\xe0\xa0\x80",
        "\xed\x9f\xbf",
        "\xee\x80\x80",
        "\xef\xbf\xbf",
        "\xf0\x90\x80\x80",
        "\xf4\x8f\xbf\xbf",
        "1234567\xc3\xa9",
    };
    static const char *const bad[] = {
        "\x80",                 /* a continuation alone */
        "\xbf",                 /* likewise */
        "\xc0\x80",             /* overlong NUL */
        "\xc0\xaf",             /* overlong slash */
        "\xc1\xbf",             /* overlong, two bytes */
        "\xe0\x80\xaf",         /* overlong, three bytes */
        "\xe0\x9f\xbf",         /* the largest overlong of three bytes */
        "\xf0\x80\x80\xaf",     /* overlong, four bytes */
        "\xf0\x8f\xbf\xbf",     /* the largest overlong of four bytes */
        "\xed\xa0\x80",         /* the first surrogate */
        "\xed\xbf\xbf",         /* the last surrogate */
        "\xf4\x90\x80\x80",     /* over U+10FFFF */
        "\xf5\x80\x80\x80",     /* never a lead byte */
        "\xf8\x88\x80\x80\x80", /* five bytes */
        "\xfe",
        "\xff",
        "\xc3",         /* cut */
        "\xe2\x82",     /* cut */
        "\xf0\x9f\x98", /* cut */
        "\xc3(",        /* no continuation */
        "\xe2\x82(",
        "\xf0\x9f\x98(",
        "12345678\xed\xa0\x80",
        "1234567\x80",
    };

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        CU_ASSERT_TRUE(text_utf8_valid(text_of(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_FALSE(text_utf8_valid(text_of(bad[i])));
    /* A sequence cut by the length, not by a NUL. */
    CU_ASSERT_FALSE(text_utf8_valid((struct text){"\xe2\x82\xac", 2}));
    CU_ASSERT_TRUE(text_utf8_valid(TEXT("a\0b")));
    CU_ASSERT_EQUAL(text_utf8_length(TEXT("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80")), 4);
}

static void
test_nfc(void)
{
    char many[3001];

    CU_ASSERT_TRUE(text_is_nfc(TEXT("plain")));
    CU_ASSERT_TRUE(text_is_nfc(TEXT("")));
    CU_ASSERT_TRUE(text_is_nfc(TEXT("caf\xc3\xa9")));
    CU_ASSERT_FALSE(text_is_nfc(TEXT("cafe\xcc\x81")));
    CU_ASSERT_FALSE(text_is_nfc(TEXT("\xe2\x84\xab"))); /* the Angstrom sign is A with a ring */
    CU_ASSERT_TRUE(text_is_nfc(TEXT("\xea\xb0\x80")));
    CU_ASSERT_FALSE(text_is_nfc(TEXT("\xe1\x84\x80\xe1\x85\xa1"))); /* the same, in Jamo */
    CU_ASSERT_FALSE(text_is_nfc(TEXT("a\xcc\x81\xcc\xa7")));        /* marks out of order */
    CU_ASSERT_TRUE(text_is_nfc(TEXT("\xd0\x96\xf0\x9f\x98\x80")));
    CU_ASSERT_FALSE(text_is_nfc(TEXT("\xff")));
    /* Longer than the space on the stack. */
    for (size_t i = 0; i < sizeof many - 1; i += 2)
        memcpy(many + i, "\xd0\x96", 2);
    CU_ASSERT_TRUE(text_is_nfc((struct text){many, sizeof many - 1}));
    memcpy(many + 2998, "\xcc\x86", 2); /* Zhe and a breve make one letter */
    CU_ASSERT_FALSE(text_is_nfc((struct text){many, sizeof many - 1}));
}

static void
test_int(void)
{
    static const char *const bad[] = {
        "",
        "-",
        "+1",
        " 1",
        "1 ",
        "1x",
        "0x10",
        "1e3",
        "1.0",
        "--1",
        "9223372036854775808",
        "-9223372036854775809",
        "99999999999999999999",
        "\xef\xbc\x91",
    };
    int64_t v = 7;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_FALSE(text_to_int(text_of(bad[i]), &v));
    CU_ASSERT_FALSE(text_to_int(TEXT("1\0"), &v));
    CU_ASSERT_FALSE(text_to_int(TEXT_NULL, &v));
    CU_ASSERT_EQUAL(v, 7);
    CU_ASSERT_TRUE(text_to_int(TEXT("9223372036854775807"), &v) && v == INT64_MAX);
    CU_ASSERT_TRUE(text_to_int(TEXT("-9223372036854775808"), &v) && v == INT64_MIN);
    CU_ASSERT_TRUE(text_to_int(TEXT("0"), &v) && v == 0);
    CU_ASSERT_TRUE(text_to_int(TEXT("-12"), &v) && v == -12);
}

int
main(void)
{
    static const struct unit_case cases[] = {
        {"equality", test_equality},
        {"alphabet", test_alphabet},
        {"cutting", test_cutting},
        {"UTF-8", test_utf8},
        {"normal form C", test_nfc},
        {"integers", test_int},
        {NULL, NULL},
    };

    return unit_main("base text", cases);
}
