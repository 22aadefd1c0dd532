/* A cookie's name up to the first newline, any bytes as the Cookie header after it. */
#include "fuzz.h"

#include <string.h>

#include "wire/query.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text header = {(const char *)data, size};
    struct text name = text_cut(&header, '\n');
    struct text value = wire_cookie(header, name);

    if (value.p == NULL)
        return 0;
    fuzz_require(header.p != NULL);
    fuzz_require(value.p >= header.p && value.p + value.len <= header.p + header.len);
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.p[i];
        fuzz_require(c > 0x20 && c < 0x7f && c != ';' && c != ',' && c != '\\');
    }
    /* The same cookie once more must make it ambiguous. */
    char *twice = malloc(header.len * 2 + 1);
    fuzz_require(twice != NULL);
    memcpy(twice, header.p, header.len);
    twice[header.len] = ';';
    memcpy(twice + header.len + 1, header.p, header.len);
    fuzz_require(wire_cookie((struct text){twice, header.len * 2 + 1}, name).p == NULL);
    free(twice);
    return 0;
}
