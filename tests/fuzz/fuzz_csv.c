/* Two bytes of limits, then any bytes as a list. */
#include "fuzz.h"

#include "wire/csv_in.h"

static struct arena *arena;

static void
check_row(const struct csv_row *row, size_t columns)
{
    fuzz_require(row->count <= columns);
    for (size_t i = 0; i < row->count; i++) {
        struct text t = row->field[i];
        fuzz_require(t.p != NULL && text_utf8_valid(t));
        for (size_t k = 0; k < t.len; k++)
            fuzz_require((unsigned char)t.p[k] >= 0x20);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct csv_table table;
    size_t bytes = 0;

    if (size < 3)
        return 0;
    struct csv_limits limits = {data[0], data[1] % 8};
    struct text document = {(const char *)data + 2, size - 2};
    if (arena == NULL)
        arena = arena_new((size_t)64 * 1024 * 1024);
    err e = wire_csv_parse(arena, document, limits, &table);
    fuzz_require(e == E_OK || e == E_CSV_SYNTAX || e == E_CSV_LIMIT);
    if (e == E_OK) {
        fuzz_require(text_utf8_valid(document));
        fuzz_require(table.count <= limits.rows);
        for (size_t i = 0; i < table.count; i++) {
            fuzz_require(table.row[i].line == i + 1);
            check_row(&table.row[i], limits.columns);
            for (size_t k = 0; k < table.row[i].count; k++)
                bytes += table.row[i].field[k].len;
        }
        fuzz_require(bytes <= document.len);
    }
    arena_reset(arena);
    return 0;
}
