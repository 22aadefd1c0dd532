/* Rows as CSV: quotes, line ends, formulas, types, and where it stops. */
#include "unit.h"

#include <string.h>

#include "pg/csv_out.h"

#define BODY_MAX 65536

static struct buf out;

static const char *
written(void)
{
    buf_char(&out, '\0');
    return out.p;
}

static bool
text_becomes(const char *text, size_t len, const char *want)
{
    buf_reset(&out);
    csv_text(&out, (struct text){text, len});
    return strcmp(written(), want) == 0;
}
#define BECOMES(text, want) text_becomes((text), sizeof(text) - 1, (want))

static void
texts_are_quoted(void)
{
    CU_ASSERT(BECOMES("", "\"\""));
    CU_ASSERT(BECOMES("plain", "\"plain\""));
    CU_ASSERT(BECOMES("a,b;c", "\"a,b;c\""));
    CU_ASSERT(BECOMES("\"", "\"\"\"\""));
    CU_ASSERT(BECOMES("a\"\"b\"", "\"a\"\"\"\"b\"\"\""));
    CU_ASSERT(BECOMES("two\r\nlines", "\"two\r\nlines\""));
}

static void
formulas_are_defused(void)
{
    CU_ASSERT(BECOMES("=1+1", "\"'=1+1\""));
    CU_ASSERT(BECOMES("+1", "\"'+1\""));
    CU_ASSERT(BECOMES("-1", "\"'-1\""));
    CU_ASSERT(BECOMES("@SUM(A1)", "\"'@SUM(A1)\""));
    CU_ASSERT(BECOMES("\t=1", "\"'\t=1\""));
    CU_ASSERT(BECOMES("\r=1", "\"'\r=1\""));
    CU_ASSERT(BECOMES("\n=1", "\"'\n=1\""));
    CU_ASSERT(BECOMES("=\"a\"", "\"'=\"\"a\"\"\""));
    CU_ASSERT(BECOMES("a=1", "\"a=1\""));
    CU_ASSERT(BECOMES("'=1", "\"'=1\""));
}

/* --- rows --------------------------------------------------------------------------------- */

static const struct pg_column columns[] = {
    {.name = "id", .type = PG_UUID},   {.name = "n", .type = PG_INT4},
    {.name = "note", .type = PG_TEXT}, {.name = "at", .type = PG_TIME},
    {.name = "more", .type = PG_JSON}, {.name = "yes", .type = PG_BOOL},
};
#define COLUMNS (sizeof columns / sizeof columns[0])
static const struct pg_stmt stmt = {.name = "rows", .columns = columns, .ncolumns = COLUMNS};

struct cell {
    const char *value;
    int len;
};

/* A result of this process's own making, as the server sends them: binary. */
static PGresult *
result_make(int rows, const struct cell cells[COLUMNS])
{
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    PGresAttDesc names[COLUMNS] = {0};
    char any[] = "x";

    for (size_t i = 0; i < COLUMNS; i++) {
        names[i].name = any;
        names[i].format = 1;
    }
    CU_ASSERT_FATAL(result != NULL && PQsetResultAttrs(result, (int)COLUMNS, names) == 1);
    for (int row = 0; row < rows; row++) {
        for (int i = 0; i < (int)COLUMNS; i++)
            CU_ASSERT_FATAL(
                PQsetvalue(result, row, i, (char *)(uintptr_t)cells[i].value, cells[i].len) == 1);
    }
    return result;
}

static const struct cell full[COLUMNS] = {
    {"\x01\x89\x00\x00\x00\x00\x70\x00\x80\x00\x00\x00\x00\x00\x00\x01", 16},
    {"\xff\xff\xff\xfe", 4},
    {"-x", 2},
    {"\x00\x00\x00\x00\x00\x00\x00\x00", 8},
    {"\x01{\"a\": \"=1\"}", 12},
    {"\x01", 1},
};
static const struct cell empty[COLUMNS] = {{NULL, -1}, {NULL, -1}, {NULL, -1},
                                           {NULL, -1}, {NULL, -1}, {NULL, -1}};

static void
rows_by_type(void)
{
    PGresult *result = result_make(1, full);

    buf_reset(&out);
    csv_head(&out, &stmt);
    CU_ASSERT_EQUAL(csv_rows(&out, &stmt, result, 1, BODY_MAX), 1);
    CU_ASSERT_STRING_EQUAL(written(),
                           "\"id\",\"n\",\"note\",\"at\",\"more\",\"yes\"\r\n"
                           "01890000-0000-7000-8000-000000000001,-2,\"'-x\","
                           "2000-01-01T00:00:00.000Z,\"{\"\"a\"\": \"\"=1\"\"}\",true\r\n");
    PQclear(result);
}

static void
nothing_is_an_empty_field(void)
{
    PGresult *result = result_make(1, empty);

    buf_reset(&out);
    CU_ASSERT_EQUAL(csv_rows(&out, &stmt, result, 1, BODY_MAX), 1);
    CU_ASSERT_STRING_EQUAL(written(), ",,,,,\r\n");
    PQclear(result);
}

static void
it_stops_when_there_is_enough(void)
{
    PGresult *result = result_make(5, empty);

    buf_reset(&out);
    CU_ASSERT_EQUAL(csv_rows(&out, &stmt, result, 5, 8), 2); /* a line has seven bytes */
    CU_ASSERT_EQUAL(csv_rows(&out, &stmt, result, 5, 8), 0);
    CU_ASSERT_EQUAL(out.len, 14);
    buf_reset(&out);
    CU_ASSERT_EQUAL(csv_rows(&out, &stmt, result, 3, BODY_MAX), 3);
    PQclear(result);
}

int
main(void)
{
    static const struct unit_case cases[] = {
        {"texts are quoted", texts_are_quoted},
        {"formulas are defused", formulas_are_defused},
        {"rows by type", rows_by_type},
        {"nothing is an empty field", nothing_is_an_empty_field},
        {"it stops when there is enough", it_stops_when_there_is_enough},
        {NULL, NULL},
    };

    buf_init(&out, 1024, BODY_MAX);
    int status = unit_main("pg csv", cases);
    buf_free(&out);
    return status;
}
