/* The strict JSON reader: what must pass, what must not, and what json-c makes of the rest. */
#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "wire/json_in.h"

#define ARENA_MAX ((size_t)16 * 1024 * 1024)

static struct arena *arena;

static err
scan(struct text t)
{
    /* A copy of exact size, so that a sanitizer sees any step over the end. */
    char *copy = malloc(t.len + (t.len == 0));
    if (t.len > 0)
        memcpy(copy, t.p, t.len);
    err e = json_scan(arena, (struct text){copy, t.len}, &json_limits_default, NULL);
    free(copy);
    arena_reset(arena);
    return e;
}

static void
expect_all(const struct text *documents, size_t count, err wanted)
{
    for (size_t i = 0; i < count; i++) {
        err e = scan(documents[i]);
        if (e != wanted)
            printf("\n  case %zu: %.*s gave %s", i, TEXT_ARG(documents[i]), err_info(e)->code);
        CU_ASSERT_EQUAL(e, wanted);
    }
}

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define DOC(z)             \
    {                      \
        (z), sizeof(z) - 1 \
    }

static void
valid_documents(void)
{
    static const struct text docs[] = {
        DOC("{}"),
        DOC("[]"),
        DOC("null"),
        DOC("true"),
        DOC("false"),
        DOC("0"),
        DOC("-0"),
        DOC(" \t\r\n{ \"a\" : [ 1 , 2.5 , -3e+2 , 4E-2 ] } \n"),
        DOC("\"\""),
        DOC("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\ud83d\\ude00\""),
        DOC("\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""),
        DOC("9223372036854775807"),
        DOC("-9223372036854775808"),
        DOC("1e308"),
        DOC("1e-400"),
        DOC("{\"a\":{\"a\":{\"a\":1}},\"b\":{\"a\":1}}"),
        DOC("[{\"a\":1},{\"a\":1}]"),
        DOC("\"\x7f\""),
        DOC("\"\\u0001\""),
        DOC("{\"\":1}"),
        DOC("\"\xef\xbf\xbd\""),
    };
    expect_all(docs, COUNT(docs), E_OK);
}

static void
syntax_errors(void)
{
    static const struct text docs[] = {
        DOC(""),
        DOC(" "),
        DOC("{"),
        DOC("}"),
        DOC("["),
        DOC("[1,]"),
        DOC("[,1]"),
        DOC("[1 2]"),
        DOC("{\"a\"}"),
        DOC("{\"a\":}"),
        DOC("{\"a\":1,}"),
        DOC("{,}"),
        DOC("{a:1}"),
        DOC("{'a':1}"),
        DOC("{1:1}"),
        DOC("{}{}"),
        DOC("{} x"),
        DOC("[]]"),
        DOC("nul"),
        DOC("nulL"),
        DOC("True"),
        DOC("NaN"),
        DOC("Infinity"),
        DOC("-Infinity"),
        DOC("undefined"),
        DOC("/* c */ 1"),
        DOC("1 // c"),
        DOC("\xef\xbb\xbf{}"),
        DOC("[1]\0"),
        DOC("\0"),
        DOC("{\"a\":1;\"b\":2}"),
        DOC("[\"a\":1]"),
        DOC("{\"a\",1}"),
        DOC("tru"),
        DOC("t"),
    };
    expect_all(docs, COUNT(docs), E_JSON_SYNTAX);
}

static void
number_errors(void)
{
    static const struct text docs[] = {
        DOC("-"),
        DOC("+1"),
        DOC("01"),
        DOC("-01"),
        DOC("00"),
        DOC(".5"),
        DOC("1."),
        DOC("1.e5"),
        DOC("1e"),
        DOC("1e+"),
        DOC("0x10"),
        DOC("1_000"),
        DOC("12abc"),
        DOC("--1"),
        DOC("1e5.5"),
        DOC("1e309"),
        DOC("-1e400"),
        DOC("1e99999"),
        DOC("9223372036854775808"),
        DOC("-9223372036854775809"),
        DOC("18446744073709551615"),
        DOC("99999999999999999999999999"),
        DOC("[1e]"),
        DOC("\xd9\xa1"),
    };
    expect_all(docs, COUNT(docs), E_JSON_SYNTAX);
}

static void
string_errors(void)
{
    static const struct text docs[] = {
        DOC("\""),
        DOC("\"a"),
        DOC("\"\\"),
        DOC("\"\\\""),
        DOC("\"\\x41\""),
        DOC("\"\\u\""),
        DOC("\"\\u12\""),
        DOC("\"\\u12g4\""),
        DOC("\"\\u0000\""),
        DOC("\"a\0b\""),
        DOC("\"\n\""),
        DOC("\"\t\""),
        DOC("\"\x1f\""),
        DOC("'a'"),
        DOC("\"\\'\""),
        /* surrogates: alone, reversed, cut, two of a kind, and as bytes */
        DOC("\"\\ud800\""),
        DOC("\"\\udc00\""),
        DOC("\"\\udc00\\ud800\""),
        DOC("\"\\ud800\\u0041\""),
        DOC("\"\\ud800\\ud800\""),
        DOC("\"\\ud83d\\ude0\""),
        DOC("\"\\ud83dx\""),
        DOC("\"\xed\xa0\x80\""),
        /* UTF-8: overlong forms, lone continuation, cut, over U+10FFFF, never-bytes */
        DOC("\"\xc0\x80\""),
        DOC("\"\xc1\xbf\""),
        DOC("\"\xe0\x80\xaf\""),
        DOC("\"\xf0\x80\x80\xaf\""),
        DOC("\"\x80\""),
        DOC("\"\xc3\""),
        DOC("\"\xe2\x82\""),
        DOC("\"\xf4\x90\x80\x80\""),
        DOC("\"\xf5\x80\x80\x80\""),
        DOC("\"\xff\""),
        DOC("\"\xfe\""),
        DOC("\"\xc3"),
        DOC("\"\xf0\x9f\x98"),
        DOC("\"\xf8\x88\x80\x80\x80\""),
        /* noncharacters, raw and escaped */
        DOC("\"\xef\xbf\xbe\""),
        DOC("\"\xef\xbf\xbf\""),
        DOC("\"\xef\xb7\x90\""),
        DOC("\"\\uffff\""),
        DOC("\"\\ufdd0\""),
        DOC("\"\\ud83f\\udfff\""),
        DOC("\"\xf0\x9f\xbf\xbe\""),
    };
    expect_all(docs, COUNT(docs), E_JSON_SYNTAX);
}

static void
duplicate_names(void)
{
    static const struct text docs[] = {
        DOC("{\"a\":1,\"a\":2}"),
        DOC("{\"a\":1,\"\\u0061\":2}"),
        DOC("{\"\\u0061\":1,\"\\u0061\":2}"),
        DOC("{\"\":1,\"\":2}"),
        DOC("[0,{\"b\":{\"c\":1,\"d\":2,\"c\":3}}]"),
        DOC("{\"a\":{},\"b\":[],\"a\":[]}"),
        DOC("{\"\xc3\xa4\":1,\"\\u00e4\":2}"),
        DOC("{\"\xf0\x9f\x98\x80\":1,\"\\uD83D\\uDE00\":2}"),
        DOC("{\"a/b\":1,\"a\\/b\":2}"),
        DOC("{\"a\":{\"x\":1},\"b\":2,\"a\":3}"),
        DOC("{\"\\n\":1,\"\\u000a\":2}"),
        DOC("{\"\xe2\x82\xac\":1,\"\\u20AC\":2}"),
    };
    static const struct text fine[] = {
        DOC("{\"a\":1,\"A\":2}"),
        DOC("{\"a\":1,\"a \":2}"),
        DOC("{\"\\\\u0061\":1,\"a\":2}"),
        DOC("{\"ab\":1,\"a\":2,\"b\":3,\"\":4}"),
    };
    expect_all(docs, COUNT(docs), E_JSON_SYNTAX);
    expect_all(fine, COUNT(fine), E_OK);
}

/* n members with different names, then `last`. */
static err
scan_members(size_t n, const char *last)
{
    struct buf b;
    buf_init(&b, 1024, (size_t)4 * 1024 * 1024);
    buf_char(&b, '{');
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "\"name%zu\":%zu,", i, i);
    buf_z(&b, last);
    buf_char(&b, '}');
    err e = scan(buf_as_text(&b));
    buf_free(&b);
    return e;
}

static err
scan_elements(size_t n)
{
    struct buf b;
    buf_init(&b, 1024, (size_t)4 * 1024 * 1024);
    buf_char(&b, '[');
    for (size_t i = 0; i < n; i++)
        buf_z(&b, i + 1 < n ? "{}," : "{}");
    buf_char(&b, ']');
    err e = scan(buf_as_text(&b));
    buf_free(&b);
    return e;
}

static err
scan_nested(size_t n, bool parse)
{
    struct buf b;
    struct json_value v;
    buf_init(&b, 1024, (size_t)4 * 1024 * 1024);
    for (size_t i = 0; i < n; i++)
        buf_z(&b, i % 2 == 0 ? "[" : "{\"a\":");
    buf_z(&b, "1");
    for (size_t i = n; i > 0; i--)
        buf_char(&b, (i - 1) % 2 == 0 ? ']' : '}');
    err e = parse ? json_parse(arena, buf_as_text(&b), &v) : scan(buf_as_text(&b));
    buf_free(&b);
    arena_reset(arena);
    return e;
}

static err
scan_string_of(size_t n)
{
    char *p = malloc(n + 2);
    memset(p, 'x', n + 2);
    p[0] = p[n + 1] = '"';
    err e = scan((struct text){p, n + 2});
    free(p);
    return e;
}

static void
limits(void)
{
    CU_ASSERT_EQUAL(scan_members(9999, "\"last\":1"), E_OK);
    CU_ASSERT_EQUAL(scan_members(10000, "\"last\":1"), E_JSON_LIMIT);
    CU_ASSERT_EQUAL(scan_members(5000, "\"name0\":1"), E_JSON_SYNTAX);
    CU_ASSERT_EQUAL(scan_members(5000, "\"name\\u0034999\":1"), E_JSON_SYNTAX);
    CU_ASSERT_EQUAL(scan_elements(10000), E_OK);
    CU_ASSERT_EQUAL(scan_elements(10001), E_JSON_LIMIT);
    CU_ASSERT_EQUAL(scan_nested(32, false), E_OK);
    CU_ASSERT_EQUAL(scan_nested(32, true), E_OK);
    CU_ASSERT_EQUAL(scan_nested(33, false), E_JSON_DEPTH);
    CU_ASSERT_EQUAL(scan_nested(33, true), E_JSON_DEPTH);
    CU_ASSERT_EQUAL(scan_nested(500000, false), E_JSON_DEPTH);
    CU_ASSERT_EQUAL(scan_string_of(json_limits_default.string_max), E_OK);
    CU_ASSERT_EQUAL(scan_string_of(json_limits_default.string_max + 1), E_JSON_LIMIT);
    char digits[200];
    memset(digits, '1', sizeof(digits));
    digits[1] = '.';
    CU_ASSERT_EQUAL(scan((struct text){digits, 128}), E_OK);
    CU_ASSERT_EQUAL(scan((struct text){digits, 129}), E_JSON_LIMIT);
}

static void
offsets(void)
{
    size_t at = 99;
    CU_ASSERT_EQUAL(json_scan(arena, TEXT("{\"a\":1,\"a\":2}"), &json_limits_default, &at),
                    E_JSON_SYNTAX);
    CU_ASSERT_EQUAL(at, 7);
    CU_ASSERT_EQUAL(json_scan(arena, TEXT("[1,x]"), &json_limits_default, &at), E_JSON_SYNTAX);
    CU_ASSERT_EQUAL(at, 3);
    CU_ASSERT_EQUAL(json_scan(arena, TEXT_NULL, &json_limits_default, &at), E_JSON_SYNTAX);
    CU_ASSERT_EQUAL(at, 0);
    arena_reset(arena);
}

static struct json_value
parse(struct text t)
{
    struct json_value v = {NULL};
    CU_ASSERT_EQUAL(json_parse(arena, t, &v), E_OK);
    return v;
}

static bool
member(struct json_value object, const char *name, struct json_value *ret)
{
    void *cursor = NULL;
    struct text n;
    while (json_next_member(object, &cursor, &n, ret)) {
        if (text_eq(n, text_of(name)))
            return true;
    }
    return false;
}

static void
getters(void)
{
    struct json_value v, root = parse(TEXT("{\"i\":-42,\"d\":2.5,\"one\":1.0,\"t\":\"h\\u00e9\","
                                           "\"b\":true,\"n\":null,\"a\":[1,\"x\"],\"o\":{}}"));
    int64_t i = 7;
    double d = 7;
    bool b = false;
    struct text t = TEXT_NULL;

    CU_ASSERT_EQUAL(json_type_of(root), JSON_OBJECT);
    CU_ASSERT_EQUAL(json_count(root), 8);
    CU_ASSERT_TRUE(member(root, "i", &v));
    CU_ASSERT_EQUAL(json_type_of(v), JSON_INT);
    CU_ASSERT_TRUE(json_get_int(v, &i) && i == -42);
    CU_ASSERT_TRUE(json_get_double(v, &d) && d == -42);
    CU_ASSERT_FALSE(json_get_text(v, &t));
    CU_ASSERT_FALSE(json_get_bool(v, &b));
    CU_ASSERT_TRUE(member(root, "d", &v));
    CU_ASSERT_FALSE(json_get_int(v, &i));
    CU_ASSERT_TRUE(json_get_double(v, &d) && d == 2.5);
    CU_ASSERT_TRUE(member(root, "one", &v));
    CU_ASSERT_FALSE(json_get_int(v, &i));
    CU_ASSERT_TRUE(member(root, "t", &v));
    CU_ASSERT_TRUE(json_get_text(v, &t) && text_eq(t, TEXT("h\xc3\xa9")));
    CU_ASSERT_FALSE(json_get_int(v, &i));
    CU_ASSERT_TRUE(member(root, "b", &v));
    CU_ASSERT_TRUE(json_get_bool(v, &b) && b);
    CU_ASSERT_FALSE(json_get_int(v, &i));
    CU_ASSERT_TRUE(member(root, "n", &v));
    CU_ASSERT_EQUAL(json_type_of(v), JSON_NULL);
    CU_ASSERT_FALSE(json_get_text(v, &t));
    CU_ASSERT_TRUE(member(root, "a", &v));
    CU_ASSERT_EQUAL(json_count(v), 2);
    CU_ASSERT_TRUE(json_element(v, 1, &v) && json_get_text(v, &t) && text_eq(t, TEXT("x")));
    CU_ASSERT_TRUE(member(root, "a", &v));
    CU_ASSERT_FALSE(json_element(v, 2, &v));
    CU_ASSERT_FALSE(json_element(root, 0, &v));
    CU_ASSERT_TRUE(member(root, "o", &v));
    CU_ASSERT_EQUAL(json_count(v), 0);
    CU_ASSERT_FALSE(member(v, "x", &v));
    CU_ASSERT_FALSE(member(root, "missing", &v));
    arena_reset(arena);
}

static void
integers_are_exact(void)
{
    int64_t i = 0;
    CU_ASSERT_TRUE(json_get_int(parse(TEXT("9223372036854775807")), &i) && i == INT64_MAX);
    CU_ASSERT_TRUE(json_get_int(parse(TEXT("-9223372036854775808")), &i) && i == INT64_MIN);
    CU_ASSERT_TRUE(json_get_int(parse(TEXT(" 12 ")), &i) && i == 12);
    CU_ASSERT_TRUE(json_get_int(parse(TEXT("-0")), &i) && i == 0);
    arena_reset(arena);
}

static void
scalars_at_the_top(void)
{
    struct text t;
    bool b = true;
    CU_ASSERT_EQUAL(json_type_of(parse(TEXT("null"))), JSON_NULL);
    CU_ASSERT_TRUE(json_get_bool(parse(TEXT("false")), &b) && !b);
    CU_ASSERT_TRUE(json_get_text(parse(TEXT("\"\"")), &t) && t.len == 0 && t.p != NULL);
    CU_ASSERT_EQUAL(json_type_of(parse(TEXT("1e2"))), JSON_DOUBLE);
    arena_reset(arena);
}

static void
serialising(void)
{
    static const struct text docs[] = {
        DOC("{\"b\":[1,2.50,null,true,\"x/y\"],\"a\":{}}"),
        DOC("null"),
        DOC("[]"),
        DOC("1E5"),
        DOC("\"\\u0001\\n\""),
    };
    for (size_t i = 0; i < COUNT(docs); i++) {
        struct text out = json_serialise(arena, parse(docs[i]));
        if (!text_eq(out, docs[i]))
            printf("\n  %.*s became %.*s", TEXT_ARG(docs[i]), TEXT_ARG(out));
        CU_ASSERT_TRUE(text_eq(out, docs[i]));
    }
    arena_reset(arena);
}

static void
parse_refuses(void)
{
    struct json_value v = {NULL};
    CU_ASSERT_EQUAL(json_parse(arena, TEXT("{\"a\":1,\"a\":1}"), &v), E_JSON_SYNTAX);
    CU_ASSERT_EQUAL(json_parse(arena, TEXT("[NaN]"), &v), E_JSON_SYNTAX);
    CU_ASSERT_EQUAL(json_parse(arena, TEXT_NULL, &v), E_JSON_SYNTAX);
    CU_ASSERT_PTR_NULL(v.node);
    arena_reset(arena);
}

int
main(void)
{
    static const struct unit_case cases[] = {
        {"valid documents", valid_documents},
        {"syntax errors", syntax_errors},
        {"number errors", number_errors},
        {"string errors", string_errors},
        {"duplicate names", duplicate_names},
        {"limits", limits},
        {"offsets", offsets},
        {"getters", getters},
        {"integers are exact", integers_are_exact},
        {"scalars at the top", scalars_at_the_top},
        {"serialising", serialising},
        {"parse refuses", parse_refuses},
        {NULL, NULL},
    };
    arena = arena_new(ARENA_MAX);
    int status = unit_main("wire: json", cases);
    arena_free(arena);
    return status;
}
