/* Access tokens: ours are taken, every hostile kind is refused. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/token.h"
#include "base/encode.h"
#include "base/json.h"
#include "test_auth_forge.h"
#include "wire/json_in.h"

#define NOW INT64_C(1800000000)
#define USER "0190d5a0-7e5c-7000-8000-000000000001"
#define ORG "0190d5a0-7e5c-7000-8000-000000000002"
#define SESSION "0190d5a0-7e5c-7000-8000-000000000003"
#define TOKEN_ID "0190d5a0-7e5c-7000-8000-000000000004"
#define GOOD_HEADER "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"JWT\"}"
#define GOOD_EC_HEADER "{\"alg\":\"ES256\",\"kid\":\"ec\"}"

static struct arena *a;
static EVP_PKEY *rsa, *rsa_other, *rsa_retired, *ec, *ec_other, *ec384;
static struct keyset *keys; /* rsa (active), ec (active), old (legacy), gone (retired) */

static const struct forge_signer *
by_rsa(void)
{
    static struct forge_signer s;

    s = (struct forge_signer){FORGE_PKCS1, "SHA256", rsa, TEXT_NULL};
    return &s;
}

static const struct forge_signer *
by_ec(void)
{
    static struct forge_signer s;

    s = (struct forge_signer){FORGE_ECDSA, "SHA256", ec, TEXT_NULL};
    return &s;
}

static struct text
keyset_text(void)
{
    struct text base64;
    struct buf b;

    buf_init(&b, 4096, 1 << 20);
    buf_z(&b, "{\"keys\":[");
    forge_entry(&b, (const char *[]){"rsa", "RS256", "active"}, rsa, rsa);
    forge_entry(&b, (const char *[]){"ec", "ES256", "active"}, ec, ec);
    forge_entry(&b, (const char *[]){"old", "RS256", "legacy"}, NULL, rsa_other);
    forge_entry(&b, (const char *[]){"gone", "RS256", "retired"}, NULL, rsa_retired);
    buf_z(&b, "]}");
    base64 = forge_base64(a, buf_as_text(&b));
    buf_free(&b);
    return base64;
}

static void
world_make(void)
{
    a = arena_new((size_t)64 << 20);
    rsa = forge_rsa(2048);
    rsa_other = forge_rsa(2048);
    rsa_retired = forge_rsa(2048);
    ec = forge_ec("P-256");
    ec_other = forge_ec("P-256");
    ec384 = forge_ec("P-384");
    keys = keyset_load(keyset_text(), TEXT("rsa"), TEXT("lectern"), TEXT("lectern-api"), stderr);
}

static void
world_end(void)
{
    EVP_PKEY *all[] = {rsa, rsa_other, rsa_retired, ec, ec_other, ec384};

    keyset_free(keys);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        EVP_PKEY_free(all[i]);
    arena_free(a);
}

static struct uuid
uuid_of(const char *z)
{
    struct uuid u = {{0}};

    CU_ASSERT_TRUE(uuid_parse(text_of(z), &u));
    return u;
}

static struct token_claims
claims_good(void)
{
    struct token_claims c = {.user = uuid_of(USER),
                             .org = uuid_of(ORG),
                             .session = uuid_of(SESSION),
                             .id = uuid_of(TOKEN_ID),
                             .role = "teacher",
                             .issued_at = NOW,
                             .expires_at = NOW + 900};

    return c;
}

/* The good payload with one member replaced by JSON text, or left out where that is NULL; a name
 * that it does not have is added. */
static struct text
payload_with(const char *name, const char *json)
{
    static const char *const good[][2] = {
        {"iss", "\"lectern\""},  {"aud", "\"lectern-api\""}, {"sub", "\"" USER "\""},
        {"org", "\"" ORG "\""},  {"sid", "\"" SESSION "\""}, {"jti", "\"" TOKEN_ID "\""},
        {"role", "\"teacher\""}, {"iat", "1800000000"},      {"exp", "1800000900"}};
    bool replaced = false;
    struct text t;
    struct buf b;

    buf_init(&b, 1024, 1 << 20);
    json_open(&b, '{');
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        const char *value = good[i][1];

        if (name != NULL && strcmp(name, good[i][0]) == 0) {
            replaced = true;
            value = json;
        }
        if (value == NULL)
            continue;
        json_key(&b, good[i][0]);
        json_raw(&b, text_of(value));
    }
    if (!replaced && json != NULL) {
        json_key(&b, name);
        json_raw(&b, text_of(json));
    }
    json_close(&b, '}');
    t = arena_text(a, buf_as_text(&b));
    buf_free(&b);
    return t;
}

static err
verify(struct text token)
{
    struct token_claims c;

    return token_verify(a, keys, token, NOW, &c);
}

static void
refused(const char *what, struct text token)
{
    err e = verify(token);

    if (e != E_TOKEN_INVALID)
        printf("\n    taken: %s: %.200s\n", what, token.p == NULL ? "" : token.p);
    CU_ASSERT_EQUAL(e, E_TOKEN_INVALID);
}

static void
taken(const char *what, struct text token)
{
    err e = verify(token);

    if (e != E_OK)
        printf("\n    refused: %s\n", what);
    CU_ASSERT_EQUAL(e, E_OK);
}

static void
claims_equal(const struct token_claims *x, const struct token_claims *y)
{
    CU_ASSERT_TRUE(uuid_eq(&x->user, &y->user));
    CU_ASSERT_TRUE(uuid_eq(&x->org, &y->org));
    CU_ASSERT_TRUE(uuid_eq(&x->session, &y->session));
    CU_ASSERT_TRUE(uuid_eq(&x->id, &y->id));
    CU_ASSERT_STRING_EQUAL(x->role, y->role);
    CU_ASSERT_EQUAL(x->issued_at, y->issued_at);
    CU_ASSERT_EQUAL(x->expires_at, y->expires_at);
}

static void
test_world(void)
{
    CU_ASSERT_FATAL(keys != NULL);
    taken("RS256", forge_token(a, GOOD_HEADER, payload_with(NULL, NULL), by_rsa()));
    taken("ES256", forge_token(a, GOOD_EC_HEADER, payload_with(NULL, NULL), by_ec()));
}

static void
test_round_trip(void)
{
    struct token_claims in = claims_good(), out;
    struct text token;

    CU_ASSERT_EQUAL(token_issue(a, keys, &in, &token), E_OK);
    for (int i = 0; i < 2; i++) { /* the second from the cache */
        memset(&out, 0x55, sizeof(out));
        CU_ASSERT_EQUAL(token_verify(a, keys, token, NOW, &out), E_OK);
        claims_equal(&in, &out);
    }
}

/* r and s with leading zeros come once in 128 signatures. */
static void
test_round_trip_ec(void)
{
    struct keyset *k =
        keyset_load(keyset_text(), TEXT("ec"), TEXT("lectern"), TEXT("lectern-api"), stderr);
    struct token_claims in = claims_good(), out;
    unsigned bad = 0;
    struct text token;

    CU_ASSERT_FATAL(k != NULL);
    for (int i = 0; i < 1000; i++) {
        in.id = uuid_v7();
        if (token_issue(a, k, &in, &token) != E_OK || token_verify(a, k, token, NOW, &out) != E_OK)
            bad++;
    }
    CU_ASSERT_EQUAL(bad, 0);
    claims_equal(&in, &out);
    keyset_free(k);
}

static void
test_issue_bad(void)
{
    struct token_claims c = claims_good();
    struct text token;

    memcpy(c.role, "root", 5);
    CU_ASSERT_EQUAL(token_issue(a, keys, &c, &token), E_INTERNAL);
    memset(c.role, 'x', sizeof(c.role));
    CU_ASSERT_EQUAL(token_issue(a, keys, &c, &token), E_INTERNAL);
    c = claims_good();
    c.expires_at = c.issued_at;
    CU_ASSERT_EQUAL(token_issue(a, keys, &c, &token), E_INTERNAL);
    c = claims_good();
    c.issued_at = -1;
    CU_ASSERT_EQUAL(token_issue(a, keys, &c, &token), E_INTERNAL);
}

/* What a token's header may not be, each under a right signature. */
static void
test_headers(void)
{
    /* lint-allow: function-length: a table of cases, read from top to bottom */
    static const char *const bad[] = {
        "{\"alg\":\"RS256\"}",
        "{\"kid\":\"rsa\"}",
        "{}",
        "[]",
        "null",
        "\"RS256\"",
        "not json",
        "{\"alg\":\"RS256\",\"kid\":\"rsa\"",
        "{\"alg\":\"RS256\",\"kid\":\"rsa\"}{}",
        "{\"alg\":\"none\",\"kid\":\"rsa\"}",
        "{\"alg\":\"None\",\"kid\":\"rsa\"}",
        "{\"alg\":\"\",\"kid\":\"rsa\"}",
        "{\"alg\":\"rs256\",\"kid\":\"rsa\"}",
        "{\"alg\":\"RS256 \",\"kid\":\"rsa\"}",
        "{\"alg\":\"RS512\",\"kid\":\"rsa\"}",
        "{\"alg\":\"PS256\",\"kid\":\"rsa\"}",
        "{\"alg\":\"ES256\",\"kid\":\"rsa\"}",
        "{\"alg\":\"HS256\",\"kid\":\"rsa\"}",
        "{\"alg\":null,\"kid\":\"rsa\"}",
        "{\"alg\":[\"RS256\"],\"kid\":\"rsa\"}",
        "{\"alg\":256,\"kid\":\"rsa\"}",
        "{\"alg\":\"RS256\",\"alg\":\"RS256\",\"kid\":\"rsa\"}",
        "{\"alg\":\"none\",\"alg\":\"RS256\",\"kid\":\"rsa\"}",
        "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"\\u006bid\":\"rsa\"}",
        "{\"alg\":\"RS256\",\"kid\":\"RSA\"}",
        "{\"alg\":\"RS256\",\"kid\":\"ec\"}",
        "{\"alg\":\"RS256\",\"kid\":\"old\"}",
        "{\"alg\":\"RS256\",\"kid\":\"unknown\"}",
        "{\"alg\":\"RS256\",\"kid\":\"\"}",
        "{\"alg\":\"RS256\",\"kid\":null}",
        "{\"alg\":\"RS256\",\"kid\":0}",
        "{\"alg\":\"RS256\",\"kid\":[\"rsa\"]}",
        "{\"alg\":\"RS256\",\"kid\":\"rsa\\u0000\"}",
        "{\"alg\":\"RS256\",\"kid\":\"rsa \"}",
        "{\"alg\":\"RS256\",\"kid\":\"../../../dev/null\"}",
        "{\"alg\":\"RS256\",\"kid\":\"' OR '1'='1\"}",
        "{\"alg\":\"RS256\",\"kid\":\"%s%s%n\"}",
        "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"crit\":[\"exp\"]}",
        "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"crit\":[]}",
        "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"b64\":false,\"crit\":[\"b64\"]}",
        "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"jwk\":{\"kty\":\"RSA\",\"n\":\"AQ\",\"e\":\"AQ\"}}",
        "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"jku\":\"https://evil.example/jwks\"}",
        "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"x5u\":\"https://evil.example/c\"}",
        "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"x5c\":[\"MIIB\"]}",
        "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"zip\":\"DEF\"}",
        "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"cty\":\"JWT\"}",
        "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"JWE\"}",
        "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"at+jwt\"}",
        "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":null}",
        "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":1}",
        "\xef\xbb\xbf{\"alg\":\"RS256\",\"kid\":\"rsa\"}",
        "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"x\":\"\xff\"}",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        refused(bad[i], forge_token(a, bad[i], payload_with(NULL, NULL), by_rsa()));
    taken("no typ", forge_token(a, "{\"kid\":\"rsa\",\"alg\":\"RS256\"}", payload_with(NULL, NULL),
                                by_rsa()));
}

/* Signatures of the wrong kind, under headers that say otherwise or say so. */
static void
test_confusion(void)
{
    struct text good = payload_with(NULL, NULL);
    const struct forge_signer signers[] = {
        {FORGE_HMAC, NULL, NULL, forge_pem(a, rsa, false)},
        {FORGE_HMAC, NULL, NULL, forge_pem(a, ec, false)},
        {FORGE_HMAC, NULL, NULL, TEXT("")},
        {FORGE_HMAC, NULL, NULL, TEXT("secret")},
        {FORGE_EMPTY, NULL, NULL, TEXT_NULL},
        {FORGE_PSS, "SHA256", rsa, TEXT_NULL},
        {FORGE_PKCS1, "SHA512", rsa, TEXT_NULL},
        {FORGE_PKCS1, "SHA1", rsa, TEXT_NULL},
        {FORGE_PKCS1, "SHA256", rsa_other, TEXT_NULL},
        {FORGE_PKCS1, "SHA256", rsa_retired, TEXT_NULL},
        {FORGE_ECDSA_DER, "SHA256", ec, TEXT_NULL},
        {FORGE_ECDSA, "SHA384", ec, TEXT_NULL},
        {FORGE_ECDSA, "SHA256", ec_other, TEXT_NULL},
        {FORGE_ECDSA, "SHA384", ec384, TEXT_NULL},
        {FORGE_ECDSA, "SHA256", ec384, TEXT_NULL},
    };
    const char *const headers[] = {
        GOOD_HEADER,
        GOOD_EC_HEADER,
        "{\"alg\":\"HS256\",\"kid\":\"rsa\"}",
        "{\"alg\":\"HS256\",\"kid\":\"ec\"}",
        "{\"alg\":\"HS256\"}",
        "{\"alg\":\"none\",\"kid\":\"rsa\"}",
        "{\"alg\":\"none\"}",
        "{\"alg\":\"ES384\",\"kid\":\"ec\"}",
        "{\"alg\":\"RS256\",\"kid\":\"gone\"}",
    };

    for (size_t h = 0; h < sizeof(headers) / sizeof(headers[0]); h++) {
        for (size_t s = 0; s < sizeof(signers) / sizeof(signers[0]); s++)
            refused(headers[h], forge_token(a, headers[h], good, &signers[s]));
    }
    refused("EC signature for the RSA key", forge_token(a, GOOD_HEADER, good, by_ec()));
    refused("RSA signature for the EC key", forge_token(a, GOOD_EC_HEADER, good, by_rsa()));
    taken("legacy", forge_token(a, "{\"alg\":\"RS256\",\"kid\":\"old\"}", good, &signers[8]));
}

/* Any bytes as signature of a token that is good otherwise. */
static struct text
token_with_signature(const char *header, const uint8_t *signature, size_t n)
{
    const struct forge_signer none = {FORGE_EMPTY, NULL, NULL, TEXT_NULL};
    struct text t = forge_token(a, header, payload_with(NULL, NULL), &none);

    return arena_printf(a, "%s%s", t.p,
                        forge_encode(a, (struct text){(const char *)signature, n}).p);
}

static void
test_signatures(void)
{
    static const size_t lengths[] = {1, 31, 32, 63, 64, 65, 72, 128, 255, 256, 257, 512, 4096};
    uint8_t bytes[4096];

    for (int fill = 0; fill < 3; fill++) {
        memset(bytes, fill == 0 ? 0 : fill == 1 ? 0xff : 0x30, sizeof(bytes));
        for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
            refused("RSA", token_with_signature(GOOD_HEADER, bytes, lengths[i]));
            refused("EC", token_with_signature(GOOD_EC_HEADER, bytes, lengths[i]));
        }
    }
    /* r = 0 with a good s, and the other way round. */
    memset(bytes, 0, sizeof(bytes));
    bytes[63] = 1;
    refused("r is 0", token_with_signature(GOOD_EC_HEADER, bytes, 64));
    bytes[63] = 0;
    bytes[31] = 1;
    refused("s is 0", token_with_signature(GOOD_EC_HEADER, bytes, 64));
}

/* A good signature with bytes more or less, however they are encoded. */
static void
test_signatures_resized(void)
{
    struct text good = forge_token(a, GOOD_EC_HEADER, payload_with(NULL, NULL), by_ec());
    const char *dot = strrchr(good.p, '.');
    uint8_t bytes[80] = {0};
    size_t len = 0;

    CU_ASSERT_TRUE(base64url_decode(text_of(dot + 1), bytes, &len));
    CU_ASSERT_EQUAL_FATAL(len, 64);
    bytes[64] = 0;
    for (size_t n = 60; n <= 72; n++) {
        struct text token = arena_printf(a, "%.*s%s", (int)(dot + 1 - good.p), good.p,
                                         forge_encode(a, (struct text){(const char *)bytes, n}).p);

        if (n == 64)
            taken("as it was", token);
        else
            refused("resized", token);
    }
    memmove(bytes + 1, bytes, 64);
    bytes[0] = 0;
    refused("a leading zero",
            arena_printf(a, "%.*s%s", (int)(dot + 1 - good.p), good.p,
                         forge_encode(a, (struct text){(const char *)bytes, 65}).p));
}

static void
test_claims_bad(void)
{
    /* lint-allow: function-length: a table of cases, read from top to bottom */
    static const char *const bad[][2] = {
        {"sub", NULL},
        {"org", NULL},
        {"sid", NULL},
        {"jti", NULL},
        {"role", NULL},
        {"iat", NULL},
        {"exp", NULL},
        {"iss", NULL},
        {"aud", NULL},
        {"sub", "null"},
        {"sub", "1"},
        {"sub", "\"\""},
        {"sub", "\"root\""},
        {"sub", "[\"" USER "\"]"},
        {"sub", "\"" USER " \""},
        {"sub", "\"{" USER "}\""},
        {"sub", "\"" USER "\",\"sub\":\"" ORG "\""},
        {"org", "\"0190d5a07e5c70008000000000000002\""},
        {"org", "{}"},
        {"sid", "true"},
        {"jti", "\"x\""},
        {"role", "\"root\""},
        {"role", "\"\""},
        {"role", "\"Teacher\""},
        {"role", "\"teacher \""},
        {"role", "[\"teacher\"]"},
        {"role", "null"},
        {"role", "\"teacher\\u0000\""},
        {"role", "\"adminadminadminadminadmin\""},
        {"role", "\"student\",\"role\":\"admin\""},
        {"role", "\"student\",\"r\\u006fle\":\"admin\""},
        {"exp", "1800000000"},
        {"exp", "1799999999"},
        {"exp", "0"},
        {"exp", "-1"},
        {"exp", "\"1800000900\""},
        {"exp", "1800000900.0"},
        {"exp", "1.8e9"},
        {"exp", "null"},
        {"exp", "true"},
        {"exp", "[1800000900]"},
        {"exp", "99999999999999999999"},
        {"exp", "1e400"},
        {"exp", "NaN"},
        {"exp", "Infinity"},
        {"exp", "01800000900"},
        {"exp", "1800000900,\"exp\":1900000000"},
        {"iat", "1800000031"},
        {"iat", "-1"},
        {"iat", "\"1800000000\""},
        {"iat", "1.8e9"},
        {"iat", "9223372036854775807"},
        {"iat", "9223372036854775808"},
        {"nbf", "1800000031"},
        {"nbf", "9223372036854775807"},
        {"nbf", "\"0\""},
        {"nbf", "null"},
        {"nbf", "1.0"},
        {"iss", "\"\""},
        {"iss", "\"Lectern\""},
        {"iss", "\"lectern \""},
        {"iss", "[\"lectern\"]"},
        {"iss", "\"https://evil.example\""},
        {"iss", "null"},
        {"aud", "\"\""},
        {"aud", "\"lectern\""},
        {"aud", "\"lectern-runtime\""},
        {"aud", "[]"},
        {"aud", "[\"other\"]"},
        {"aud", "[\"lectern-api\",1]"},
        {"aud", "[[\"lectern-api\"]]"},
        {"aud", "[1,\"lectern-api\"]"},
        {"aud", "{\"lectern-api\":1}"},
        {"aud", "null"},
        {"aud", "1"},
    };
    const char *const payloads[] = {
        "",         "{}",       "[]",        "null",     "1",
        "\"text\"", "not json", "{\"sub\":", "\xff\xfe", "{\"\\ud800\":1}"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        refused(bad[i][1] == NULL ? bad[i][0] : bad[i][1],
                forge_token(a, GOOD_HEADER, payload_with(bad[i][0], bad[i][1]), by_rsa()));
    for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++)
        refused(payloads[i], forge_token(a, GOOD_HEADER, text_of(payloads[i]), by_rsa()));
    refused("a NUL in the payload",
            forge_token(a, GOOD_HEADER,
                        (struct text){payload_with(NULL, NULL).p, payload_with(NULL, NULL).len + 1},
                        by_rsa()));
}

static void
test_claims_good(void)
{
    static const char *const good[][2] = {
        {"role", "\"student\""},
        {"role", "\"parent\""},
        {"role", "\"vendor\""},
        {"role", "\"moderator\""},
        {"role", "\"analyst\""},
        {"role", "\"admin\""},
        {"role", "\"operator\""},
        {"exp", "1800000001"},
        {"exp", "9223372036854775807"},
        {"iat", "1800000030"},
        {"iat", "0"},
        {"nbf", "1800000030"},
        {"nbf", "0"},
        {"aud", "[\"lectern-api\"]"},
        {"aud", "[\"other\",\"lectern-api\"]"},
        {"scope", "[\"unknown\",{\"x\":null}]"},
    };

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        taken(good[i][1],
              forge_token(a, GOOD_HEADER, payload_with(good[i][0], good[i][1]), by_rsa()));
}

/* A token that was refused must not have been cached, nor one that is nearly another. */
static void
test_mutations(void)
{
    struct text token = forge_token(a, GOOD_HEADER, payload_with("jti", "\"" USER "\""), by_rsa());
    char *copy = arena_alloc(a, token.len + 8);
    unsigned accepted = 0;

    taken("before", token);
    for (size_t i = 0; i < token.len; i++) {
        memcpy(copy, token.p, token.len);
        copy[i] = token.p[i] == 'A' ? 'B' : 'A';
        accepted += verify((struct text){copy, token.len}) == E_OK;
        copy[i] = (char)(token.p[i] ^ 0x80);
        accepted += verify((struct text){copy, token.len}) == E_OK;
    }
    for (size_t i = 0; i < token.len; i++)
        accepted += verify((struct text){token.p, i}) == E_OK;
    CU_ASSERT_EQUAL(accepted, 0);
    taken("after", token);
}

static void
test_forms(void)
{
    struct text token = forge_token(a, GOOD_HEADER, payload_with(NULL, NULL), by_rsa());
    const char *const tails[] = {"=",  "==", ".",  " ",  "\n", "\r\n", "\t", "A",
                                 "AA", "-",  "..", ".A", "%",  "+",    "/",  "!"};
    const char *const heads[] = {" ", "\n", ".", "Bearer ", "=", "A", "\xef\xbb\xbf"};
    const char *const whole[] = {"",
                                 ".",
                                 "..",
                                 "...",
                                 "a.b.c",
                                 "a..c",
                                 ".b.c",
                                 "a.b.",
                                 "a.b",
                                 "e30.e30.e30",
                                 "e30=.e30=.e30=",
                                 "null",
                                 "\xff.\xff.\xff"};

    for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++)
        refused(tails[i], arena_printf(a, "%s%s", token.p, tails[i]));
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
        refused(heads[i], arena_printf(a, "%s%s", heads[i], token.p));
    for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++)
        refused(whole[i], text_of(whole[i]));
    refused("absent", TEXT_NULL);
    refused("NUL after", (struct text){token.p, token.len + 1});
    refused("two tokens", arena_printf(a, "%s.%s", token.p, token.p));
}

static void
test_long(void)
{
    size_t huge = (size_t)2 << 20;
    char *p = arena_alloc(a, huge + 1);
    char *claim = arena_alloc(a, 8192);
    struct text token;

    memset(p, 'A', huge);
    refused("no dots", (struct text){p, huge});
    p[100] = p[200] = '.';
    refused("long signature", (struct text){p, huge});
    refused("long within the bound", (struct text){p, TOKEN_MAX_BYTES});
    memset(p, '.', huge);
    refused("dots", (struct text){p, huge});
    refused("dots within the bound", (struct text){p, TOKEN_MAX_BYTES});
    memset(claim, 'x', 5400);
    claim[0] = claim[5399] = '"';
    token = forge_token(a, GOOD_HEADER, payload_with("pad", claim), by_rsa());
    CU_ASSERT(token.len > 7500 && token.len <= TOKEN_MAX_BYTES);
    taken("long and good", token);
    memset(claim, 'x', 6000);
    claim[0] = claim[5999] = '"';
    token = forge_token(a, GOOD_HEADER, payload_with("pad", claim), by_rsa());
    CU_ASSERT(token.len > TOKEN_MAX_BYTES);
    refused("too long, and good", token);
    memset(claim, '[', 3000);
    memset(claim + 3000, ']', 3000);
    claim[6000] = '\0';
    claim[2500] = '\0';
    refused("deep", forge_token(a, GOOD_HEADER, payload_with("deep", claim), by_rsa()));
}

static void
test_cache(void)
{
    struct token_claims c;
    struct keyset *next;
    struct text token = forge_token(a, GOOD_HEADER, payload_with("exp", "1800000010"), by_rsa());
    struct text base64;
    struct buf b;

    CU_ASSERT_EQUAL(token_verify(a, keys, token, NOW, &c), E_OK);
    CU_ASSERT_EQUAL(token_verify(a, keys, token, NOW + 9, &c), E_OK);
    CU_ASSERT_EQUAL(token_verify(a, keys, token, NOW + 10, &c), E_TOKEN_INVALID);
    CU_ASSERT_EQUAL(token_verify(a, keys, token, NOW + 31, &c), E_TOKEN_INVALID);
    /* A clock set back before the token's time. */
    CU_ASSERT_EQUAL(token_verify(a, keys, token, NOW - 31, &c), E_TOKEN_INVALID);
    CU_ASSERT_EQUAL(token_verify(a, keys, token, NOW, &c), E_OK);
    /* The key is retired in the next keyset: what was cached under this one is worth nothing. */
    buf_init(&b, 4096, 1 << 20);
    buf_z(&b, "{\"keys\":[");
    forge_entry(&b, (const char *[]){"rsa", "RS256", "retired"}, NULL, rsa);
    forge_entry(&b, (const char *[]){"ec", "ES256", "active"}, ec, ec);
    buf_z(&b, "]}");
    base64 = forge_base64(a, buf_as_text(&b));
    buf_free(&b);
    next = keyset_load(base64, TEXT(""), TEXT("lectern"), TEXT("lectern-api"), stderr);
    CU_ASSERT_FATAL(next != NULL);
    CU_ASSERT_EQUAL(token_verify(a, next, token, NOW, &c), E_TOKEN_INVALID);
    CU_ASSERT_EQUAL(token_verify(a, keys, token, NOW, &c), E_OK);
    keyset_free(next);
}

/* More tokens than the cache holds: all right, all their own. */
static void
test_cache_full(void)
{
    enum { TOKENS = 6000 };
    struct text *tokens = arena_array(a, TOKENS, sizeof(*tokens));
    unsigned wrong = 0;

    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < TOKENS; i++) {
            struct token_claims c;
            char iat[24];

            if (round == 0) {
                snprintf(iat, sizeof(iat), "%u", 1700000000 + i);
                tokens[i] = forge_token(a, GOOD_EC_HEADER, payload_with("iat", iat), by_ec());
            }
            wrong += token_verify(a, keys, tokens[i], NOW, &c) != E_OK ||
                     c.issued_at != 1700000000 + (int64_t)i;
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

int
main(void)
{
    static const struct unit_case cases[] = {
        {"the keyset of these tests", test_world},
        {"issued tokens come back", test_round_trip},
        {"issued ES256 tokens come back, a thousand", test_round_trip_ec},
        {"claims that are not issued", test_issue_bad},
        {"hostile headers", test_headers},
        {"algorithm confusion, wrong keys and curves", test_confusion},
        {"hostile signatures", test_signatures},
        {"signatures with bytes more or less", test_signatures_resized},
        {"hostile claims", test_claims_bad},
        {"unusual claims that are right", test_claims_good},
        {"every byte changed, every length", test_mutations},
        {"hostile forms", test_forms},
        {"long and deep", test_long},
        {"cache: expiry, clocks, keysets", test_cache},
        {"cache: more tokens than it holds", test_cache_full},
        {NULL, NULL},
    };
    int status;

    world_make();
    status = unit_main("auth token", cases);
    world_end();
    return status;
}
