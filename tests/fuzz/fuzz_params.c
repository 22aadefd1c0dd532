/* Parameters of a request, NAME=value each, one behind the other with a NUL between them: headers,
 * method, path, length, address. */
#include "fuzz.h"

#include <stdbool.h>
#include <string.h>

#include "wire/params.h"

enum { PARAMS = 64 };

static bool
plain(struct text t)
{
    for (size_t i = 0; i < t.len; i++) {
        unsigned char c = (unsigned char)t.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool
inside(struct text t, const char *begin, size_t size)
{
    return t.len == 0 || (t.p >= begin && t.p + t.len <= begin + size && t.p[t.len] == '\0');
}

static void
check(const struct wire_request *r, const char *begin, size_t size)
{
    fuzz_require(r->method != METHOD_NONE && r->method <= METHOD_OTHER);
    fuzz_require(r->path.len > 0 && r->path.p[0] == '/' && text_utf8_valid(r->path) &&
                 plain(r->path) && inside(r->path, begin, size));
    fuzz_require(r->request_id.len >= 1 && r->request_id.len <= 128 &&
                 inside(r->request_id, begin, size));
    fuzz_require(r->content_length < UINT64_C(1000000000000000000));
    fuzz_require(r->address.p != NULL && r->address.len < 46 && inside(r->address, begin, size));
    fuzz_require(r->query.p != NULL && inside(r->query, begin, size));
    for (int h = 0; h < HDR_COUNT; h++)
        fuzz_require(plain(r->header[h]) && inside(r->header[h], begin, size));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_request r = {METHOD_NONE};
    char *list[PARAMS + 1];
    size_t n = 0;
    char *copy = malloc(size + 1);

    fuzz_require(copy != NULL);
    memcpy(copy, data, size);
    copy[size] = '\0';
    for (size_t at = 0; at < size && n < PARAMS; at += strlen(copy + at) + 1)
        list[n++] = copy + at;
    list[n] = NULL;
    if (wire_params_read(list, &r) == NULL)
        check(&r, copy, size);
    else
        fuzz_require(r.request_id.len <= 128);
    free(copy);
    return 0;
}
