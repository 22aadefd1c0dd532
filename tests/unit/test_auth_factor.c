/* One-time passwords, recovery codes, challenges, QR codes. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/qr.h"
#include "auth/second_factor.h"
#include "auth/totp.h"
#include "base/settings.h"

#define SEED TEXT("12345678901234567890") /* of both RFCs */

static struct arena *a;

/* RFC 4226, appendix D. */
static void
test_hotp_vectors(void)
{
    static const char *const codes[] = {"755224", "287082", "359152", "969429", "338314",
                                        "254676", "287922", "162583", "399871", "520489"};
    char code[TOTP_DIGITS + 1];

    for (int64_t i = 0; i < 10; i++) {
        totp_code(SEED, i, code);
        CU_ASSERT_STRING_EQUAL(code, codes[i]);
    }
}

/* RFC 6238, appendix B, SHA-1: the last six of its eight digits. */
static void
test_totp_vectors(void)
{
    static const struct {
        int64_t time;
        const char *code;
    } vectors[] = {{59, "287082"},         {1111111109, "081804"}, {1111111111, "050471"},
                   {1234567890, "005924"}, {2000000000, "279037"}, {20000000000, "353130"}};
    char code[TOTP_DIGITS + 1];
    int64_t step;

    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        totp_code(SEED, vectors[i].time / TOTP_STEP_SECONDS, code);
        CU_ASSERT_STRING_EQUAL(code, vectors[i].code);
        CU_ASSERT_TRUE(totp_match(SEED, text_of(vectors[i].code), vectors[i].time, &step));
        CU_ASSERT_EQUAL(step, vectors[i].time / TOTP_STEP_SECONDS);
    }
}

static void
test_totp_window(void)
{
    int64_t now = 1234567890, step;
    char code[TOTP_DIGITS + 1];

    for (int64_t off = -3; off <= 3; off++) {
        totp_code(SEED, now / TOTP_STEP_SECONDS + off, code);
        step = -1;
        CU_ASSERT_EQUAL(totp_match(SEED, text_of(code), now, &step), off >= -1 && off <= 1);
        CU_ASSERT_EQUAL(step, off >= -1 && off <= 1 ? now / TOTP_STEP_SECONDS + off : -1);
    }
}

static void
test_totp_bad(void)
{
    static const char *const bad[] = {"", "0", "05924", "0005924", "5924", "00592a", " 05924"};
    int64_t step;

    CU_ASSERT_FALSE(totp_match(SEED, TEXT_NULL, 1234567890, &step));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_FALSE(totp_match(SEED, text_of(bad[i]), 1234567890, &step));
    CU_ASSERT_FALSE(totp_match(TEXT("12345678901234567891"), TEXT("005924"), 1234567890, &step));
}

/* RFC 4648, 10, without the padding. */
static void
test_base32(void)
{
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "MY"},
                                           {"fo", "MZXQ"},
                                           {"foo", "MZXW6"},
                                           {"foob", "MZXW6YQ"},
                                           {"fooba", "MZXW6YTB"},
                                           {"foobar", "MZXW6YTBOI"},
                                           {"12345678901234567890", "GEZDGNBVGY3TQOJQ"
                                                                    "GEZDGNBVGY3TQOJQ"}};

    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        CU_ASSERT_TRUE(text_eq(base32_encode(a, text_of(pairs[i][0])), text_of(pairs[i][1])));
    CU_ASSERT_TRUE(text_eq(base32_encode(a, TEXT("\xff\xff\xff\xff\xff")), TEXT("77777777")));
}

static void
test_uri(void)
{
    struct text uri = totp_uri(a, TEXT("A School"), TEXT("x+y&z@b.example"), SEED);

    CU_ASSERT_TRUE(text_eq(uri, TEXT("otpauth://totp/A%20School:x%2By%26z%40b.example?secret="
                                     "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=A%20School"
                                     "&algorithm=SHA1&digits=6&period=30")));
}

static void
test_qr(void)
{
    struct text svg;
    char *big = arena_alloc(a, 5000);

    CU_ASSERT_EQUAL(qr_svg(a, TEXT("otpauth://totp/x"), &svg), E_OK);
    CU_ASSERT_TRUE(text_starts(svg, TEXT("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=")));
    /* The finder pattern's first row: seven dark modules after the quiet zone. */
    CU_ASSERT_PTR_NOT_NULL(strstr(svg.p, "<path d=\"M4 4h7v1h-7z"));
    CU_ASSERT_EQUAL(memcmp(svg.p + svg.len - 8, "/></svg>", 8), 0);
    memset(big, 'x', 4999);
    CU_ASSERT_EQUAL(qr_svg(a, (struct text){big, 4999}, &svg), E_INTERNAL);
}

static void
test_recovery(void)
{
    struct text codes[RECOVERY_CODES], digests[RECOVERY_CODES];
    uint8_t digest[SHA256_LEN];
    char hex[2 * SHA256_LEN + 1];

    recovery_make(a, SEED, codes, digests);
    for (size_t i = 0; i < RECOVERY_CODES; i++) {
        CU_ASSERT_EQUAL(codes[i].len, 19);
        CU_ASSERT_TRUE(recovery_digest(SEED, codes[i], digest));
        hex_encode(digest, sizeof digest, hex);
        CU_ASSERT_TRUE(text_eq(text_of(hex), digests[i]));
        CU_ASSERT_TRUE(recovery_digest(TEXT("another secret"), codes[i], digest));
        hex_encode(digest, sizeof digest, hex);
        CU_ASSERT_FALSE(text_eq(text_of(hex), digests[i]));
        for (size_t k = 0; k < i; k++)
            CU_ASSERT_FALSE(text_eq(codes[i], codes[k]));
    }
}

static void
test_recovery_forms(void)
{
    uint8_t plain[SHA256_LEN], other[SHA256_LEN];
    static const char *const same[] = {"ABCD-EFGH-IJKL-MN27", "abcdefghijklmn27",
                                       "a-b-c-d-e-f-g-h-ijklmn27", "-abcdefghijklmn27-"};
    static const char *const bad[] = {"",
                                      "-",
                                      "abcd-efgh-ijkl-mn2",
                                      "abcd-efgh-ijkl-mn277",
                                      "abcd-efgh-ijkl-mn20",
                                      "abcd efgh ijkl mn27",
                                      "abcd-efgh-ijkl-mn2\xc3"};

    CU_ASSERT_TRUE(recovery_digest(SEED, TEXT("abcd-efgh-ijkl-mn27"), plain));
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        CU_ASSERT_TRUE(recovery_digest(SEED, text_of(same[i]), other));
        CU_ASSERT_EQUAL(memcmp(plain, other, sizeof plain), 0);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_FALSE(recovery_digest(SEED, text_of(bad[i]), other));
}

static void
test_challenge(void)
{
    uint8_t first[SHA256_LEN], again[SHA256_LEN], plain[SHA256_LEN];
    struct text one = challenge_issue(a, first), two = challenge_issue(a, again);

    CU_ASSERT_EQUAL(one.len, 43);
    CU_ASSERT_FALSE(text_eq(one, two));
    CU_ASSERT_NOT_EQUAL(memcmp(first, again, sizeof first), 0);
    challenge_digest(one, again);
    CU_ASSERT_EQUAL(memcmp(first, again, sizeof first), 0);
    /* Keyed: who reads the table cannot tell which challenge a digest is of. */
    sha256(one, plain);
    CU_ASSERT_NOT_EQUAL(memcmp(first, plain, sizeof first), 0);
}

static void
test_sealed(void)
{
    struct uuid user = uuid_v7(), other = uuid_v7(), org = uuid_v7();
    struct text secret, second, sealed, back;

    CU_ASSERT_EQUAL(factor_make(a, &user, &org, &secret, &sealed), E_OK);
    CU_ASSERT_EQUAL(secret.len, TOTP_SECRET_BYTES);
    CU_ASSERT_EQUAL(factor_open(a, &user, &org, sealed, &back), E_OK);
    CU_ASSERT_TRUE(text_eq(secret, back));
    /* Moved to another user it opens nothing. */
    CU_ASSERT_EQUAL(factor_open(a, &other, &org, sealed, &back), E_DATA_SEALED_BROKEN);
    CU_ASSERT_EQUAL(factor_open(a, &user, &other, sealed, &back), E_DATA_SEALED_BROKEN);
    CU_ASSERT_EQUAL(factor_make(a, &user, &org, &second, &sealed), E_OK);
    CU_ASSERT_FALSE(text_eq(secret, second));
}

int
main(void)
{
    static const struct unit_case cases[] = {
        {"HOTP: vectors of RFC 4226", test_hotp_vectors},
        {"TOTP: vectors of RFC 6238", test_totp_vectors},
        {"TOTP: one step before and after", test_totp_window},
        {"TOTP: wrong codes", test_totp_bad},
        {"base32: vectors of RFC 4648", test_base32},
        {"otpauth URI", test_uri},
        {"QR code", test_qr},
        {"recovery codes", test_recovery},
        {"recovery codes: forms", test_recovery_forms},
        {"challenges", test_challenge},
        {"secrets are sealed for their user", test_sealed},
        {NULL, NULL},
    };
    static const char *const values[][2] = {
        {"JWT_REFRESH_SECRET", "0123456789abcdef0123456789abcdef-refresh"},
        {"SIGNING_SECRET", "0123456789abcdef0123456789abcdef-signing"},
        {"APP_ENV", "test"},
        {"JWT_KEYSET", "e30="},
        {"DATABASE_URL", "postgresql:///lectern"},
        {"DATA_ENCRYPTION_ACTIVE_KEY_ID", "one"},
        {"DATA_ENCRYPTION_PRIMARY_KEY", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="},
    };
    int status;

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        setenv(values[i][0], values[i][1], 1);
    if (settings_load(NULL, stderr) != 0)
        return EXIT_FAILURE;
    a = arena_new((size_t)16 << 20);
    status = unit_main("auth factor", cases);
    arena_free(a);
    return status;
}
