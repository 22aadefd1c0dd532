/* Any bytes as an identifier. */
#include "fuzz.h"

#include <string.h>

#include "base/uuid.h"

static char
lower(uint8_t c)
{
    return (char)(c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct uuid u, again;
    char text[UUID_TEXT_LEN + 1];

    if (!uuid_parse((struct text){(const char *)data, size}, &u))
        return 0;
    fuzz_require(size == UUID_TEXT_LEN);
    uuid_format(&u, text);
    for (size_t i = 0; i < size; i++)
        fuzz_require(text[i] == lower(data[i]));
    fuzz_require(uuid_parse(text_of(text), &again) && uuid_eq(&u, &again));
    return 0;
}
