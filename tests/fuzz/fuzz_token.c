/* libFuzzer: access tokens.
 *
 * The first byte chooses. 'r': the rest is a token as it came; nobody outside has the key, so one
 * that is taken is a fault. 's': header, NUL, payload, signed with the right key (ES256); what is
 * taken must say what the contract promises, and the same from the cache. */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>

#include "../unit/test_auth_forge.h"
#include "auth/token.h"

#define NOW INT64_C(1800000000)

static struct keyset *keys;
static EVP_PKEY *ec;

static void
world_make(void)
{
    struct arena *a = arena_new(1 << 20);
    struct text base64;
    struct buf b;

    ec = forge_ec("P-256");
    buf_init(&b, 4096, 65536);
    buf_z(&b, "{\"keys\":[");
    forge_entry(&b, (const char *[]){"k", "ES256", "active"}, ec, ec);
    buf_z(&b, "]}");
    base64 = forge_base64(a, buf_as_text(&b));
    keys = keyset_load(base64, TEXT("k"), TEXT("i"), TEXT("a"), stderr);
    buf_free(&b);
    arena_free(a);
    fuzz_require(keys != NULL);
}

static void
token_raw(struct arena *a, struct text token)
{
    struct token_claims c;

    fuzz_require(token_verify(a, keys, token, NOW, &c) != E_OK);
}

static void
token_signed(struct arena *a, struct text input)
{
    const struct forge_signer signer = {FORGE_ECDSA, "SHA256", ec, TEXT_NULL};
    struct text payload = input;
    struct text header = text_cut(&payload, '\0');
    struct token_claims c;
    struct text token;

    if (payload.p == NULL)
        return;
    token = forge_token(a, arena_text(a, header).p, payload, &signer);
    for (int i = 0; i < 2; i++) {
        if (token_verify(a, keys, token, NOW, &c) != E_OK)
            return;
        fuzz_require(c.expires_at > NOW && c.issued_at >= 0 && c.issued_at <= NOW + 30);
        fuzz_require(c.role[0] != '\0' && memchr(c.role, '\0', sizeof(c.role)) != NULL);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text rest = {(const char *)data + 1, size - 1};
    struct arena *a;

    if (size < 1 || size > 65536)
        return 0;
    if (keys == NULL)
        world_make();
    a = arena_new((size_t)16 << 20);
    if (data[0] == 's')
        token_signed(a, rest);
    else
        token_raw(a, rest);
    arena_free(a);
    return 0;
}
