/* What comes back to us signed: cursors, and the opaque tokens beside them. The first byte chooses.
 * 's': purpose, NUL, payload; signed by us, it opens for its purpose only and as it was.
 * Anything else: bytes that nobody signed; none may open. */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>

#include "auth/secret.h"
#include "base/settings.h"

static void
settings_make(void)
{
    static const char *const values[][2] = {
        {"JWT_REFRESH_SECRET", "0123456789abcdef0123456789abcdef-refresh"},
        {"SIGNING_SECRET", "0123456789abcdef0123456789abcdef-signing"},
        {"APP_ENV", "test"},
        {"JWT_KEYSET", "e30="},
        {"DATABASE_URL", "postgresql:///lectern"},
    };

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        setenv(values[i][0], values[i][1], 1);
    fuzz_require(settings_load(NULL, stderr) == 0);
}

static void
try_signed(struct arena *a, struct text input)
{
    struct text payload = input, back;
    struct text purpose = text_cut(&payload, '\0');

    if (payload.p == NULL)
        return;
    struct text cursor = cursor_sign(a, purpose, payload);
    if (cursor_open(a, purpose, cursor, &back))
        fuzz_require(text_eq(back, payload));
    else
        fuzz_require(cursor.len > (size_t)8 * 1024);
    fuzz_require(!cursor_open(a, TEXT("/another"), cursor, &back) ||
                 text_eq(purpose, TEXT("/another")));
    if (purpose.len > 0) {
        purpose.len--;
        fuzz_require(!cursor_open(a, purpose, cursor, &back));
    }
}

static void
try_foreign(struct arena *a, struct text input)
{
    uint8_t digest[SHA256_LEN], again[SHA256_LEN];
    struct uuid session = {{0}}, second;
    struct text payload;

    fuzz_require(!cursor_open(a, TEXT("/list"), input, &payload));
    fuzz_require(!csrf_valid(input, &session));
    if (refresh_parse(input, &session, digest)) {
        fuzz_require(refresh_parse(input, &second, again));
        fuzz_require(uuid_eq(&session, &second) && memcmp(digest, again, sizeof digest) == 0);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct arena *a;

    if (size < 1 || size > 65536)
        return 0;
    if (a == NULL) {
        settings_make();
        a = arena_new((size_t)4 << 20);
    }
    struct text rest = {(const char *)data + 1, size - 1};
    if (data[0] == 's')
        try_signed(a, rest);
    else
        try_foreign(a, rest);
    arena_reset(a);
    return 0;
}
