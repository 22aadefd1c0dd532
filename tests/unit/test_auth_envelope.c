/* Sealed values: what opens, and what must not. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/envelope.h"
#include "base/settings.h"

/* base64 of 32 bytes each */
#define KEY_A "qk3sP0bXv1m8Yw2Zr5Td7Uf9Gh1Ji3Kl5Mn7Op9Qr8A="
#define KEY_B "Zy7Xw5Vu3Ts1Rq9Po7Nm5Lk3Ji1Hg9Fe7Dc5Ba3Zy1E="

static struct arena *a;
static struct envelope_place place;

static size_t
keys_set(const char *active, const char *primary, const char *fallback)
{
    setenv("DATA_ENCRYPTION_ACTIVE_KEY_ID", active, 1);
    setenv("DATA_ENCRYPTION_PRIMARY_KEY", primary, 1);
    setenv("DATA_ENCRYPTION_FALLBACK_KEYS", fallback, 1);
    return settings_load(NULL, stderr);
}

static struct text
sealed_of(struct text plain)
{
    struct text sealed = TEXT_NULL;

    CU_ASSERT_EQUAL_FATAL(envelope_seal(a, &place, plain, &sealed), E_OK);
    return sealed;
}

static void
begin(void)
{
    arena_reset(a);
    CU_ASSERT_EQUAL_FATAL(keys_set("k1", KEY_A, ""), 0);
    place = (struct envelope_place){
        .table = "second_factors", .column = "secret_sealed", .row = uuid_v7(), .org = uuid_v7()};
}

static void
test_round_trip(void)
{
    static const char binary[] = {0, 1, (char)0xff, '.', 0};
    const struct text plains[] = {
        TEXT(""), TEXT("x"), TEXT("a secret of fair length, say"), {binary, sizeof binary}};
    struct text back, sealed, again, id;

    begin();
    for (size_t i = 0; i < sizeof plains / sizeof plains[0]; i++) {
        sealed = sealed_of(plains[i]);
        again = sealed_of(plains[i]);
        CU_ASSERT_TRUE(text_starts(sealed, TEXT("v1.k1.")));
        CU_ASSERT_FALSE(text_eq(sealed, again));
        CU_ASSERT_EQUAL(envelope_open(a, &place, sealed, &back), E_OK);
        CU_ASSERT_TRUE(text_eq(back, plains[i]));
        CU_ASSERT_TRUE(envelope_key_id(sealed, &id) && text_eq(id, TEXT("k1")));
    }
}

static void
test_longest(void)
{
    char *p = arena_alloc(a, ENVELOPE_PLAIN_MAX + 1);
    struct text sealed, back, plain = {p, ENVELOPE_PLAIN_MAX};

    begin();
    p = arena_alloc(a, ENVELOPE_PLAIN_MAX + 1);
    plain.p = p;
    memset(p, 'x', ENVELOPE_PLAIN_MAX + 1);
    sealed = sealed_of(plain);
    CU_ASSERT_EQUAL(envelope_open(a, &place, sealed, &back), E_OK);
    CU_ASSERT_TRUE(text_eq(back, plain));
    plain.len++;
    CU_ASSERT_EQUAL(envelope_seal(a, &place, plain, &sealed), E_INTERNAL);
    CU_ASSERT_PTR_NULL(sealed.p);
}

/* Every bit of the text, whether it stands in version, key id, nonce, ciphertext or tag. */
static void
test_every_bit(void)
{
    struct text sealed, back;
    char *copy;
    size_t opened = 0, unknown = 0;

    begin();
    sealed = sealed_of(TEXT("the plain text"));
    copy = arena_alloc(a, sealed.len);
    for (size_t i = 0; i < sealed.len * 8; i++) {
        memcpy(copy, sealed.p, sealed.len);
        copy[i / 8] = (char)(copy[i / 8] ^ (1 << (i % 8)));
        err e = envelope_open(a, &place, (struct text){copy, sealed.len}, &back);
        opened += e == E_OK || back.p != NULL;
        unknown += e == E_DATA_KEY_UNKNOWN;
    }
    CU_ASSERT_EQUAL(opened, 0);
    CU_ASSERT(unknown > 0);
    for (size_t len = 0; len < sealed.len; len++)
        CU_ASSERT_EQUAL(envelope_open(a, &place, (struct text){sealed.p, len}, &back),
                        E_DATA_SEALED_BROKEN);
}

static void
test_other_places(void)
{
    struct envelope_place places[6];
    struct text sealed, back;

    begin();
    sealed = sealed_of(TEXT("the plain text"));
    for (size_t i = 0; i < 6; i++)
        places[i] = place;
    places[0].table = "mails";
    places[1].column = "other_sealed";
    places[2].row = uuid_v7();
    places[3].org = uuid_v7();
    /* The border between the texts is part of the place. */
    places[4].table = "second_factorss";
    places[4].column = "ecret_sealed";
    places[5].row = place.org;
    places[5].org = place.row;
    for (size_t i = 0; i < 6; i++) {
        CU_ASSERT_EQUAL(envelope_open(a, &places[i], sealed, &back), E_DATA_SEALED_BROKEN);
        CU_ASSERT_PTR_NULL(back.p);
    }
    CU_ASSERT_EQUAL(envelope_open(a, &place, sealed, &back), E_OK);
}

static void
test_keys(void)
{
    struct text sealed, back, moved;

    begin();
    sealed = sealed_of(TEXT("the plain text"));
    CU_ASSERT_EQUAL_FATAL(keys_set("k2", KEY_B, "k1:" KEY_A), 0);
    CU_ASSERT_EQUAL(envelope_open(a, &place, sealed, &back), E_OK);
    CU_ASSERT_TRUE(text_starts(sealed_of(back), TEXT("v1.k2.")));
    CU_ASSERT_TRUE(envelope_key_known(TEXT("k1")) && envelope_key_known(TEXT("k2")));
    /* The id is bound too: another name for the same key opens nothing. */
    CU_ASSERT_EQUAL_FATAL(keys_set("k2", KEY_B, "k3:" KEY_A ", k1:" KEY_A), 0);
    moved = arena_printf(a, "v1.k3.%.*s", (int)sealed.len - 6, sealed.p + 6);
    CU_ASSERT_EQUAL(envelope_open(a, &place, moved, &back), E_DATA_SEALED_BROKEN);
    CU_ASSERT_EQUAL(envelope_open(a, &place, sealed, &back), E_OK);
    /* Another key under the same name. */
    CU_ASSERT_EQUAL_FATAL(keys_set("k1", KEY_B, ""), 0);
    CU_ASSERT_EQUAL(envelope_open(a, &place, sealed, &back), E_DATA_SEALED_BROKEN);
    CU_ASSERT_EQUAL_FATAL(keys_set("k2", KEY_B, ""), 0);
    CU_ASSERT_EQUAL(envelope_open(a, &place, sealed, &back), E_DATA_KEY_UNKNOWN);
    CU_ASSERT_PTR_NULL(back.p);
    CU_ASSERT_FALSE(envelope_key_known(TEXT("k1")));
    CU_ASSERT_EQUAL_FATAL(keys_set("", "", ""), 0);
    CU_ASSERT_EQUAL(envelope_open(a, &place, sealed, &back), E_DATA_KEY_UNKNOWN);
    CU_ASSERT_EQUAL(envelope_seal(a, &place, TEXT("x"), &moved), E_DATA_KEY_UNKNOWN);
    CU_ASSERT_PTR_NULL(moved.p);
    CU_ASSERT_FALSE(envelope_key_known(TEXT("")));
}

static void
test_malformed(void)
{
    static const char *const bad[] = {
        "",
        ".",
        "..",
        "v1",
        "v1.",
        "v1.k1",
        "v1.k1.",
        "v1..AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "v2.k1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "V1.k1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "v1.k1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "v1.k1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB",
        "v1.k1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
        "v1.k1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA+/",
        "v1.k1.AAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAA",
        "v1.k 1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "v1.k1234567890123456789012345678901234567890.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        " v1.k1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "v1.k1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
    };
    struct text back, id;

    begin();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CU_ASSERT_EQUAL(envelope_open(a, &place, text_of(bad[i]), &back), E_DATA_SEALED_BROKEN);
        CU_ASSERT_PTR_NULL(back.p);
    }
    CU_ASSERT_EQUAL(envelope_open(a, &place, TEXT_NULL, &back), E_DATA_SEALED_BROKEN);
    CU_ASSERT_FALSE(envelope_key_id(TEXT_NULL, &id));
    CU_ASSERT_FALSE(envelope_key_id(TEXT("v1.k1"), &id));
}

/* The answer tells nothing of it. */
static void
test_public(void)
{
    CU_ASSERT_EQUAL(err_public(E_DATA_KEY_UNKNOWN), E_INTERNAL);
    CU_ASSERT_EQUAL(err_public(E_DATA_SEALED_BROKEN), E_INTERNAL);
    CU_ASSERT_EQUAL(err_public(E_INTERNAL), E_INTERNAL);
    CU_ASSERT_EQUAL(err_public(E_NOT_FOUND), E_NOT_FOUND);
    CU_ASSERT_EQUAL(err_public(E_UNAVAILABLE), E_UNAVAILABLE);
}

int
main(void)
{
    static const struct unit_case cases[] = {
        {"what was sealed opens", test_round_trip},
        {"the longest, and one more", test_longest},
        {"no bit can be changed", test_every_bit},
        {"nothing opens at another place", test_other_places},
        {"active, fallback and unknown keys", test_keys},
        {"malformed texts", test_malformed},
        {"answers are the general one", test_public},
        {NULL, NULL},
    };
    static const char *const values[][2] = {
        {"JWT_REFRESH_SECRET", "0123456789abcdef0123456789abcdef-refresh"},
        {"SIGNING_SECRET", "0123456789abcdef0123456789abcdef-signing"},
        {"APP_ENV", "test"},
        {"JWT_KEYSET", "e30="},
        {"DATABASE_URL", "postgresql:///lectern"},
    };
    int status;

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        setenv(values[i][0], values[i][1], 1);
    a = arena_new((size_t)64 << 20);
    status = unit_main("auth envelope", cases);
    arena_free(a);
    return status;
}
