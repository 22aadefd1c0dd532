/* Lists as CSV: what is read, what is refused, and where the limits are. */
#include "unit.h"

#include <string.h>

#include "wire/csv_in.h"

static struct arena *a;
static const struct csv_limits wide = {100, 4};

static err
parse(const char *z, struct csv_limits limits, struct csv_table *ret_table)
{
    return wire_csv_parse(a, text_of(z), limits, ret_table);
}

/* Rows as text: fields between '|', a row in brackets. */
static const char *
shown(const struct csv_table *table)
{
    static char text[512];
    char *to = text;

    for (size_t i = 0; i < table->count; i++) {
        *to++ = '[';
        for (size_t k = 0; k < table->row[i].count; k++) {
            if (k > 0)
                *to++ = '|';
            memcpy(to, table->row[i].field[k].p, table->row[i].field[k].len);
            to += table->row[i].field[k].len;
        }
        *to++ = ']';
    }
    *to = '\0';
    return text;
}

static void
csv_read(void)
{
    static const char *const good[][2] = {
        {"email\na@b.example\n", "[email][a@b.example]"},
        {"email\na@b.example", "[email][a@b.example]"},
        {"a,b\r\nc,d\r\n", "[a|b][c|d]"},
        {"a\rb\r", "[a][b]"},
        {"\"a,b\",\"c\"\"d\"\n", "[a,b|c\"d]"},
        {"a,,\n", "[a||]"},
        {"\xEF\xBB\xBFx\n", "[x]"},
        {"\xC3\xA9\n", "[\xC3\xA9]"},
        {" a , b \n", "[a|b]"},
        {"\"\"\n", "[]"},
        {"", ""},
    };
    struct csv_table table;

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        CU_ASSERT_EQUAL_FATAL(parse(good[i][0], wide, &table), E_OK);
        CU_ASSERT_STRING_EQUAL(shown(&table), good[i][1]);
    }
}

static void
csv_lines(void)
{
    struct csv_table table;

    CU_ASSERT_EQUAL_FATAL(parse("a\n\n\r\nb\n", wide, &table), E_OK);
    CU_ASSERT_EQUAL_FATAL(table.count, 4);
    for (size_t i = 0; i < table.count; i++)
        CU_ASSERT_EQUAL(table.row[i].line, i + 1);
    CU_ASSERT_EQUAL(table.row[1].count, 0);
    CU_ASSERT_EQUAL(table.row[2].count, 0);
    CU_ASSERT_EQUAL(table.row[3].count, 1);
}

static void
csv_refused(void)
{
    static const char *const bad[] = {
        "a\"b\n",        /* a quote inside a plain field */
        "\"a\"b\n",      /* something behind a closing one */
        "\"a\n",         /* one that is never closed */
        "\"a\nb\"\n",    /* a line break in a field */
        "a\tb\x01\n",    /* a control character */
        "\xE9\n",        /* Latin-1 */
        "\xED\xA0\x80\n" /* a surrogate */
    };
    struct csv_table table = {NULL, 7};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_EQUAL(parse(bad[i], wide, &table), E_CSV_SYNTAX);
    CU_ASSERT_EQUAL(wire_csv_parse(a, TEXT("a\0b\n"), wide, &table), E_CSV_SYNTAX);
    CU_ASSERT_EQUAL(table.count, 7);
}

static void
csv_limits_hold(void)
{
    const struct csv_limits small = {2, 2};
    struct csv_table table;

    CU_ASSERT_EQUAL(parse("a,b\nc,d\n", small, &table), E_OK);
    CU_ASSERT_EQUAL(parse("a,b\nc,d\ne\n", small, &table), E_CSV_LIMIT);
    CU_ASSERT_EQUAL(parse("a,b\nc,d\ne", small, &table), E_CSV_LIMIT);
    CU_ASSERT_EQUAL(parse("a,b,c\n", small, &table), E_CSV_LIMIT);
    CU_ASSERT_EQUAL(parse("a,b,c,d,e\nf,g,h\n", small, &table), E_CSV_LIMIT);
    CU_ASSERT_EQUAL(parse("a\n", (struct csv_limits){0, 2}, &table), E_CSV_LIMIT);
    CU_ASSERT_EQUAL(parse("a\n", (struct csv_limits){2, 0}, &table), E_CSV_LIMIT);
    CU_ASSERT_EQUAL(parse("", (struct csv_limits){0, 0}, &table), E_OK);
}

int
main(void)
{
    static const struct unit_case cases[] = {
        {"what is read", csv_read},
        {"lines are counted", csv_lines},
        {"what is refused", csv_refused},
        {"limits", csv_limits_hold},
        {NULL, NULL},
    };
    int status;

    a = arena_new((size_t)1 << 20);
    status = unit_main("wire csv", cases);
    arena_free(a);
    return status;
}
