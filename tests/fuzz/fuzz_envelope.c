/* Sealed values. The first byte chooses.
 * 's': column, NUL, plain text; sealed by us, it opens in its place only and as it was.
 * Anything else: a text that nobody sealed; it must not open. */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>

#include "auth/envelope.h"
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
        {"DATA_ENCRYPTION_ACTIVE_KEY_ID", "k1"},
        {"DATA_ENCRYPTION_PRIMARY_KEY", "qk3sP0bXv1m8Yw2Zr5Td7Uf9Gh1Ji3Kl5Mn7Op9Qr8A="},
    };

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        setenv(values[i][0], values[i][1], 1);
    fuzz_require(settings_load(NULL, stderr) == 0);
}

static void
try_sealed(struct arena *a, struct text input)
{
    struct text plain = input, back, sealed, id;
    struct text column = text_cut(&plain, '\0');
    struct envelope_place place = {.table = "t", .column = arena_text(a, column).p};

    if (plain.p == NULL)
        return;
    fuzz_require(envelope_seal(a, &place, plain, &sealed) == E_OK);
    fuzz_require(envelope_key_id(sealed, &id) && text_eq(id, TEXT("k1")));
    fuzz_require(envelope_open(a, &place, sealed, &back) == E_OK && text_eq(plain, back));
    place.row.b[0] = 1;
    fuzz_require(envelope_open(a, &place, sealed, &back) == E_DATA_SEALED_BROKEN);
}

static void
try_foreign(struct arena *a, struct text input)
{
    struct envelope_place place = {.table = "t", .column = "c"};
    struct text back, id;
    err e = envelope_open(a, &place, input, &back);

    fuzz_require(back.p == NULL);
    fuzz_require(e == E_DATA_SEALED_BROKEN || e == E_DATA_KEY_UNKNOWN);
    fuzz_require(e != E_DATA_KEY_UNKNOWN ||
                 (envelope_key_id(input, &id) && !envelope_key_known(id)));
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
        try_sealed(a, rest);
    else
        try_foreign(a, rest);
    arena_reset(a);
    return 0;
}
