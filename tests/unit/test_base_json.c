#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"

static struct buf out;

static void
begin(void)
{
    buf_free(&out);
    buf_init(&out, 16, 100000);
}

/* What was written, for a message that shows it. */
static bool
wrote(const char *expected)
{
    bool same = text_eq(buf_as_text(&out), text_of(expected));

    if (!same)
        printf("\n  wrote    %.*s\n  expected %s\n", TEXT_ARG(buf_as_text(&out)), expected);
    return same;
}

static void
test_structure(void)
{
    struct uuid u = {
        {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0x7c, 0xde, 0x8f, 0x01, 2, 3, 4, 5, 6, 7}};

    begin();
    json_open(&out, '{');
    json_kv_text(&out, "a", TEXT("x"));
    json_key(&out, "b");
    json_open(&out, '[');
    json_int(&out, 1);
    json_int(&out, INT64_MIN);
    json_uint(&out, UINT64_MAX);
    json_null(&out);
    json_bool(&out, true);
    json_bool(&out, false);
    json_z(&out, ",");
    json_z(&out, "{");
    json_z(&out, NULL);
    json_open(&out, '[');
    json_close(&out, ']');
    json_open(&out, '{');
    json_close(&out, '}');
    json_close(&out, ']');
    json_key(&out, "id");
    json_uuid(&out, &u);
    json_key(&out, "at");
    json_time(&out, (struct timestamp){1500});
    json_kv_int(&out, "n", -5);
    json_kv_bool(&out, "t", true);
    json_kv_z(&out, "z", NULL);
    json_key(&out, "raw");
    json_raw(&out, TEXT("{\"k\": 1}"));
    json_key(&out, "none");
    json_raw(&out, TEXT_NULL);
    json_close(&out, '}');
    CU_ASSERT_TRUE(
        wrote("{\"a\":\"x\",\"b\":[1,-9223372036854775808,18446744073709551615,null,true,"
              "false,\",\",\"{\",null,[],{}],"
              "\"id\":\"01234567-89ab-7cde-8f01-020304050607\","
              "\"at\":\"1970-01-01T00:00:00.001Z\",\"n\":-5,\"t\":true,\"z\":null,"
              "\"raw\":{\"k\": 1},\"none\":null}"));
}

static void
test_arrays(void)
{
    struct uuid nil = {{0}};

    begin();
    json_open(&out, '[');
    json_uuid(&out, &nil);
    json_time(&out, (struct timestamp){0});
    json_raw(&out, TEXT("[]"));
    json_open(&out, '{');
    json_close(&out, '}');
    json_text(&out, TEXT(""));
    json_close(&out, ']');
    CU_ASSERT_TRUE(wrote("[\"00000000-0000-0000-0000-000000000000\",\"1970-01-01T00:00:00.000Z\","
                         "[],{},\"\"]"));
}

static void
test_escapes(void)
{
    begin();
    json_text(&out, TEXT("\"\\/\b\f\n\r\t\x01\x1f\x7f<script>&'\0."));
    CU_ASSERT_TRUE(wrote("\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\\u003cscript>&'\\u0000.\""));
    begin();
    json_text(&out, TEXT("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xe2\x80\xa8"));
    CU_ASSERT_TRUE(wrote("\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xe2\x80\xa8\""));
}

/* Each byte at each place of a word, among plain and among high bytes: the fast path must see
 * what the slow one sees. */
static void
test_escapes_everywhere(void)
{
    for (int fill = 0; fill < 2; fill++) {
        for (unsigned c = 0; c < 256; c++) {
            for (size_t at = 0; at < 20; at++) {
                char text[20];
                size_t expected = sizeof text + 2;
                memset(text, fill ? 0xbf : 'a', sizeof text);
                text[at] = (char)c;
                if (c == '"' || c == '\\' || c == '\b' || c == '\f' || c == '\n' || c == '\r' ||
                    c == '\t')
                    expected += 1;
                else if (c < 0x20 || c == '<')
                    expected += 5;
                begin();
                json_escape(&out, text, sizeof text);
                CU_ASSERT_EQUAL_FATAL(out.len, expected);
                CU_ASSERT_EQUAL_FATAL(out.p[0], '"');
                CU_ASSERT_EQUAL_FATAL(out.p[out.len - 1], '"');
                CU_ASSERT_FALSE_FATAL(expected > 22 && out.p[at + 1] != '\\');
            }
        }
    }
}

static void
test_overflow(void)
{
    struct buf small;

    buf_init(&small, 4, 40);
    json_open(&small, '{');
    json_kv_z(&small, "key", "a text that is much longer than the buffer may ever get");
    json_kv_int(&small, "n", 1);
    json_close(&small, '}');
    CU_ASSERT_TRUE(small.overflow);
    CU_ASSERT_TRUE(small.len <= 40);
    buf_free(&small);
}

/* --- the catalogue of errors -------------------------------------------------------------- */

static void
test_catalogue(void)
{
    for (int e = E_OK + 1; e < E_COUNT; e++) {
        const struct err_info *i = err_info((err)e);
        CU_ASSERT_TRUE(i->status >= 400 && i->status <= 599);
        CU_ASSERT_TRUE(i->code[0] != '\0' && i->title[0] != '\0' && i->doc[0] != '\0');
        CU_ASSERT_EQUAL(strspn(i->code, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(i->code));
        for (int other = e + 1; other < E_COUNT; other++)
            CU_ASSERT_STRING_NOT_EQUAL(i->code, err_info((err)other)->code);
    }
    CU_ASSERT_PTR_EQUAL(err_info(E_COUNT), err_info(E_INTERNAL));
    CU_ASSERT_PTR_EQUAL(err_info((err)-1), err_info(E_INTERNAL));
    CU_ASSERT_PTR_EQUAL(err_info((err)100000), err_info(E_INTERNAL));
    CU_ASSERT_EQUAL(err_info(E_NOT_FOUND)->status, 404);
    CU_ASSERT_STRING_EQUAL(err_info(E_NOT_FOUND)->symbol, "NOT_FOUND");
}

/* Every word of every entry leads back to its entry: none is named twice. */
static void
test_from_sql_whole(void)
{
    unsigned words = 0;

    for (int e = E_OK + 1; e < E_COUNT; e++) {
        struct text rest = text_of(err_info((err)e)->sql);
        while (rest.len > 0) {
            struct text word = text_cut(&rest, ' ');
            char z[128];
            if (word.len == 0)
                continue;
            CU_ASSERT_TRUE_FATAL(word.len < sizeof z);
            snprintf(z, sizeof z, "%.*s", TEXT_ARG(word));
            if (err_from_sql(z, NULL) != (err)e || err_from_sql(NULL, z) != (err)e)
                printf("\n  %s is named by two entries\n", z);
            CU_ASSERT_EQUAL(err_from_sql(z, NULL), (err)e);
            CU_ASSERT_EQUAL(err_from_sql(NULL, z), (err)e);
            words++;
        }
    }
    CU_ASSERT_TRUE(words > 20);
}

static void
test_from_sql(void)
{
    CU_ASSERT_EQUAL(err_from_sql("23505", NULL), E_CONFLICT);
    CU_ASSERT_EQUAL(err_from_sql("23505", "not_a_constraint_of_ours"), E_CONFLICT);
    CU_ASSERT_EQUAL(err_from_sql("23505", ""), E_CONFLICT);
    CU_ASSERT_EQUAL(err_from_sql("40001", "LE404"), E_NOT_FOUND); /* the constraint wins */
    CU_ASSERT_EQUAL(err_from_sql("XX000", NULL), E_OK);
    CU_ASSERT_EQUAL(err_from_sql("2350", NULL), E_OK);
    CU_ASSERT_EQUAL(err_from_sql("235055", NULL), E_OK);
    CU_ASSERT_EQUAL(err_from_sql("23505 23P01", NULL), E_OK);
    CU_ASSERT_EQUAL(err_from_sql("", ""), E_OK);
    CU_ASSERT_EQUAL(err_from_sql(NULL, NULL), E_OK);
}

static err
tries(err e)
{
    TRY(e);
    return E_CONFLICT;
}

static void
test_try(void)
{
    CU_ASSERT_EQUAL(tries(E_NOT_FOUND), E_NOT_FOUND);
    CU_ASSERT_EQUAL(tries(E_OK), E_CONFLICT);
}

int
main(void)
{
    static const struct unit_case cases[] = {
        {"structure and commas", test_structure},
        {"values in arrays", test_arrays},
        {"escapes", test_escapes},
        {"every byte at every place", test_escapes_everywhere},
        {"overflow", test_overflow},
        {"errors: catalogue", test_catalogue},
        {"errors: every SQL word", test_from_sql_whole},
        {"errors: from SQL", test_from_sql},
        {"errors: TRY", test_try},
        {NULL, NULL},
    };
    int status = unit_main("base json and errors", cases);

    buf_free(&out);
    return status;
}
