#include "unit.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"

static void
test_hex(void)
{
    uint8_t bytes[4] = {0};
    char z[9];

    hex_encode("\x00\x9f\xa0\xff", 4, z);
    CU_ASSERT_STRING_EQUAL(z, "009fa0ff");
    CU_ASSERT_TRUE(hex_decode(TEXT("009FA0ff"), bytes, 4));
    CU_ASSERT_EQUAL(memcmp(bytes, "\x00\x9f\xa0\xff", 4), 0);
    CU_ASSERT_FALSE(hex_decode(TEXT("009FA0f"), bytes, 4));
    CU_ASSERT_FALSE(hex_decode(TEXT("009FA0fff"), bytes, 4));
    CU_ASSERT_FALSE(hex_decode(TEXT("009FA0fg"), bytes, 4));
    CU_ASSERT_FALSE(hex_decode(TEXT("009FA0 f"), bytes, 4));
    CU_ASSERT_FALSE(hex_decode(TEXT(""), bytes, 4));
    CU_ASSERT_TRUE(hex_decode(TEXT(""), bytes, 0));
}

/* RFC 4648, section 10, without padding. */
static void
test_base64url(void)
{
    static const char *const pairs[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xfe", "-__-"},
    };
    char z[16];
    char back[16];
    size_t n;

    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        size_t length = strlen(pairs[i][0]);
        CU_ASSERT_EQUAL(base64url_encode(pairs[i][0], length, z), strlen(pairs[i][1]));
        CU_ASSERT_EQUAL(BASE64URL_LEN(length), strlen(pairs[i][1]));
        CU_ASSERT_STRING_EQUAL(z, pairs[i][1]);
        CU_ASSERT_TRUE(base64url_decode(text_of(pairs[i][1]), back, &n));
        CU_ASSERT_TRUE(text_eq((struct text){back, n}, text_of(pairs[i][0])));
    }
}

static void
test_base64url_bad(void)
{
    static const char *const bad[] = {
        "Z",     "Zg=",        "Zg==",    "Zm9vY", "Zh",      "Zi",
        "Zo",    "Zv",                                                  /* trailing bits */
        "Zm9",   "Zm-",        "Zm9vYmF", "+/+/",  "Zm9v Zg", "Zm9v\n", /* alphabets */
        "Zm9v.", "Zm\xc3\xa9", "=",
    };
    char space[32];
    size_t n;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (base64url_decode(text_of(bad[i]), space, &n))
            CU_FAIL(bad[i]);
    }
    CU_ASSERT_FALSE(base64url_decode(TEXT("Zm\0v"), space, &n));
}

static void
test_base64url_round(void)
{
    uint8_t bytes[80];
    char z[BASE64URL_LEN(sizeof bytes) + 1];
    uint8_t back[sizeof bytes + 1];
    size_t n;

    for (size_t length = 0; length <= sizeof bytes; length++) {
        random_bytes(bytes, length);
        CU_ASSERT_EQUAL_FATAL(base64url_encode(bytes, length, z), BASE64URL_LEN(length));
        CU_ASSERT_TRUE_FATAL(base64url_decode(text_of(z), back, &n));
        CU_ASSERT_EQUAL_FATAL(n, length);
        CU_ASSERT_EQUAL_FATAL(memcmp(bytes, back, length), 0);
    }
}

static bool
decodes(const char *z, const char *expected)
{
    char space[32];
    size_t n;

    return base64_decode(text_of(z), space, &n) &&
           text_eq((struct text){space, n}, text_of(expected));
}

static void
test_base64(void)
{
    static const char *const bad[] = {
        "Z",     "Zg=",  "Zg===", "Zh==", "Zg==Zg==", "Zm9v=",  "Zm9v====",
        "Zm8==", "=Zg=", "====",  "-_-_", "Zm 9v",    "Zm9v\t", "=",
    };
    char space[32];
    size_t n;

    CU_ASSERT_TRUE(decodes("Zg==", "f"));
    CU_ASSERT_TRUE(decodes("Zg", "f"));
    CU_ASSERT_TRUE(decodes("Zm9v\r\nYmE=\n", "fooba"));
    CU_ASSERT_TRUE(decodes("+/+/", "\xfb\xff\xbf"));
    CU_ASSERT_TRUE(decodes("", ""));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (base64_decode(text_of(bad[i]), space, &n))
            CU_FAIL(bad[i]);
    }
}

static bool
is_hex(const uint8_t digest[SHA256_LEN], const char *expected)
{
    char z[2 * SHA256_LEN + 1];

    hex_encode(digest, SHA256_LEN, z);
    return strcmp(z, expected) == 0;
}

static void
test_sha256(void)
{
    uint8_t d[SHA256_LEN];

    for (int i = 0; i < 2; i++) {
        sha256(TEXT("abc"), d);
        CU_ASSERT_TRUE(
            is_hex(d, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
        sha256(TEXT(""), d);
        CU_ASSERT_TRUE(
            is_hex(d, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    }
    sha256(TEXT_NULL, d);
    CU_ASSERT_TRUE(is_hex(d, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
}

/* RFC 4231, cases 1, 2 and 6. */
static void
test_hmac(void)
{
    uint8_t mac[SHA256_LEN];
    uint8_t derived[SHA256_LEN];
    char key[131];

    memset(key, 0x0b, 20);
    hmac_sha256((struct text){key, 20}, TEXT("Hi There"), mac);
    CU_ASSERT_TRUE(is_hex(mac, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"));
    hmac_sha256(TEXT("Jefe"), TEXT("what do ya want for nothing?"), mac);
    CU_ASSERT_TRUE(is_hex(mac, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
    derive_key(TEXT("Jefe"), "what do ya want for nothing?", derived);
    CU_ASSERT_EQUAL(memcmp(mac, derived, sizeof mac), 0);
    memset(key, 0xaa, sizeof key);
    hmac_sha256((struct text){key, sizeof key},
                TEXT("Test Using Larger Than Block-Size Key - Hash Key First"), mac);
    CU_ASSERT_TRUE(is_hex(mac, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"));
    /* An empty key is a key, not the one of the call before. */
    hmac_sha256(TEXT_NULL, TEXT(""), mac);
    CU_ASSERT_TRUE(is_hex(mac, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"));
    hmac_sha256(TEXT(""), TEXT(""), mac);
    CU_ASSERT_TRUE(is_hex(mac, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"));
}

static uint64_t
siphash_of_library(const uint8_t key[16], const uint8_t *p, size_t n)
{
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(mac);
    size_t size = 8;
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
                                 OSSL_PARAM_construct_end()};
    uint8_t bytes[8] = {0};
    uint64_t v = 0;

    CU_ASSERT_EQUAL(EVP_MAC_init(context, key, 16, params), 1);
    CU_ASSERT_EQUAL(EVP_MAC_update(context, p, n), 1);
    CU_ASSERT_EQUAL(EVP_MAC_final(context, bytes, &size, sizeof bytes), 1);
    for (int i = 7; i >= 0; i--)
        v = v << 8 | bytes[i];
    EVP_MAC_CTX_free(context);
    EVP_MAC_free(mac);
    return v;
}

/* The vectors of the authors' reference implementation, and a second implementation. */
static void
test_siphash(void)
{
    uint8_t key[16], in[300];

    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (uint8_t)i;
    memcpy(key, in, sizeof key);
    CU_ASSERT_EQUAL(siphash(key, in, 0), UINT64_C(0x726fdb47dd0e0e31));
    CU_ASSERT_EQUAL(siphash(key, in, 1), UINT64_C(0x74f839c593dc67fd));
    CU_ASSERT_EQUAL(siphash(key, in, 8), UINT64_C(0x93f5f5799a932462));
    CU_ASSERT_EQUAL(siphash(key, in, 15), UINT64_C(0xa129ca6149be45e5));
    for (size_t n = 0; n <= sizeof in; n++)
        CU_ASSERT_EQUAL(siphash(key, in, n), siphash_of_library(key, in, n));
    random_bytes(key, sizeof key);
    CU_ASSERT_EQUAL(siphash(key, in, 37), siphash_of_library(key, in, 37));
}

static void
test_random(void)
{
    uint8_t a[64] = {0}, b[64] = {0};

    random_bytes(a, sizeof a);
    random_bytes(b, sizeof b);
    CU_ASSERT_NOT_EQUAL(memcmp(a, b, sizeof a), 0);
    CU_ASSERT_NOT_EQUAL(random_u64(), random_u64());
    random_bytes(a, 0);
}

int
main(void)
{
    static const struct unit_case cases[] = {
        {"hexadecimal", test_hex},
        {"base64url", test_base64url},
        {"base64url: bad", test_base64url_bad},
        {"base64url: there and back", test_base64url_round},
        {"base64", test_base64},
        {"SHA-256", test_sha256},
        {"HMAC", test_hmac},
        {"SipHash", test_siphash},
        {"random", test_random},
        {NULL, NULL},
    };

    return unit_main("base encode", cases);
}
