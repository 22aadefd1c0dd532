#include "base/oom.h"

#include <stdlib.h>

#include <openssl/crypto.h>

static void *
crypto_malloc(size_t size, const char *file, int line)
{
    void *p = malloc(size);

    (void)file;
    (void)line;
    if (p == NULL && size > 0)
        out_of_memory("crypto", size);
    return p;
}

static void *
crypto_realloc(void *old, size_t size, const char *file, int line)
{
    void *p = realloc(old, size);

    (void)file;
    (void)line;
    if (p == NULL && size > 0)
        out_of_memory("crypto", size);
    return p;
}

static void
crypto_free(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    free(p);
}

bool
oom_guard_crypto(void)
{
    return CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free) == 1;
}
