/* Keysets: what is loaded, what is refused and why, what is published, how one follows another. */
#include "unit.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/token.h"
#include "base/encode.h"
#include "base/json.h"
#include "test_auth_forge.h"
#include "wire/json_in.h"

static struct arena *a;
static EVP_PKEY *rsa, *ec;
static struct text rsa_private, rsa_public, ec_private, ec_public;

static struct text
key_json(const char *kid, const char *alg, const char *state, struct text private_pem,
         struct text public_pem)
{
    struct text t;
    struct buf b;

    buf_init(&b, 4096, 1 << 20);
    json_open(&b, '{');
    json_kv_z(&b, "kid", kid);
    json_kv_z(&b, "alg", alg);
    json_kv_z(&b, "state", state);
    if (private_pem.p != NULL)
        json_kv_text(&b, "private_pem", private_pem);
    json_kv_text(&b, "public_pem", public_pem);
    json_close(&b, '}');
    t = arena_text(a, buf_as_text(&b));
    buf_free(&b);
    return t;
}

static struct text
rsa_json(const char *kid, const char *state)
{
    return key_json(kid, "RS256", state, rsa_private, rsa_public);
}

static struct text
keys_base64(const char *keys)
{
    return forge_base64(a, arena_printf(a, "{\"keys\":[%s]}", keys));
}

/* Loads, and gives what was complained of. */
static struct keyset *
load(struct text base64, const char *active, struct text *ret_faults)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    struct keyset *k =
        keyset_load(base64, text_of(active), TEXT("lectern"), TEXT("lectern-api"), f);

    fclose(f);
    *ret_faults = arena_text(a, (struct text){text, len});
    free(text);
    return k;
}

static void
load_refused(struct text base64, const char *active, const char *because)
{
    struct text faults;
    struct keyset *k = load(base64, active, &faults);

    CU_ASSERT_PTR_NULL(k);
    if (strstr(faults.p, because) == NULL)
        printf("\n    not \"%s\" but: %s", because, faults.p);
    CU_ASSERT_PTR_NOT_NULL(strstr(faults.p, because));
    CU_ASSERT_PTR_NULL(strstr(faults.p, "PRIVATE KEY"));
    keyset_free(k);
}

static void
load_taken(struct text base64, const char *active)
{
    struct text faults;
    struct keyset *k = load(base64, active, &faults);

    CU_ASSERT_PTR_NOT_NULL(k);
    CU_ASSERT_EQUAL(faults.len, 0);
    if (faults.len > 0)
        printf("\n    %s", faults.p);
    keyset_free(k);
}

static void
test_load(void)
{
    struct text both = arena_printf(a, "%s,%s", rsa_json("a", "active").p,
                                    key_json("b", "ES256", "active", ec_private, ec_public).p);

    load_taken(keys_base64(both.p), "a");
    load_taken(keys_base64(both.p), "b");
    load_taken(keys_base64(rsa_json("a", "active").p), "");
    load_taken(keys_base64(rsa_json("a", "active").p), NULL);
    load_taken(keys_base64(arena_printf(a, "%s,%s", rsa_json("a", "active").p,
                                        key_json("b", "RS256", "legacy", TEXT_NULL, rsa_public).p)
                               .p),
               NULL);
    keyset_free(NULL);
}

static void
test_load_active(void)
{
    struct text both =
        arena_printf(a, "%s,%s", rsa_json("a", "active").p, rsa_json("b", "active").p);

    load_refused(keys_base64(both.p), "c", "names no key");
    load_refused(keys_base64(both.p), NULL, "must say which");
    load_refused(keys_base64(rsa_json("a", "legacy").p), NULL, "must say which");
    load_refused(keys_base64(rsa_json("a", "legacy").p), "a", "is not active");
    load_refused(keys_base64(rsa_json("a", "retired").p), "a", "is not active");
    load_refused(keys_base64(key_json("a", "RS256", "active", TEXT_NULL, rsa_public).p), "a",
                 "has no private_pem");
}

static void
test_load_documents(void)
{
    static const char *const bad[] = {"",
                                      "[]",
                                      "null",
                                      "{}",
                                      "{\"keys\":{}}",
                                      "{\"keys\":null}",
                                      "{\"keys\":[]",
                                      "{\"keys\":[],\"more\":1}",
                                      "{\"keys\":[],\"keys\":[]}",
                                      "{\"Keys\":[]}",
                                      "{'keys':[]}"};
    struct text faults;
    struct buf b;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        load_refused(forge_base64(a, text_of(bad[i])), "a", "not the base64 of a JSON object");
    load_refused(TEXT("{\"keys\":[]}"), "a", "not the base64");
    load_refused(TEXT("!!!!"), "a", "not the base64");
    load_refused(TEXT_NULL, "a", "not the base64");
    load_refused(keys_base64(""), "a", "1 to 32 keys");
    buf_init(&b, 65536, 1 << 20);
    for (int i = 0; i < 33; i++)
        buf_z(&b, i == 0 ? "1" : ",1");
    buf_char(&b, '\0');
    load_refused(keys_base64(b.p), "a", "1 to 32 keys");
    buf_free(&b);
    CU_ASSERT_PTR_NULL(keyset_load(keys_base64(rsa_json("a", "active").p), TEXT("a"), TEXT(""),
                                   TEXT("x"), stderr));
    CU_ASSERT_PTR_NULL(load(keys_base64("1,{},\"x\""), "a", &faults));
    CU_ASSERT_PTR_NOT_NULL(strstr(faults.p, "key 1:"));
    CU_ASSERT_PTR_NOT_NULL(strstr(faults.p, "key 2:"));
    CU_ASSERT_PTR_NOT_NULL(strstr(faults.p, "key 3:"));
}

static void
test_load_entries(void)
{
    const char *form = "there is nothing else";
    struct text good = rsa_json("a", "active");
    char *more = arena_text(a, good).p == NULL ? NULL : arena_alloc(a, good.len + 32);

    CU_ASSERT_FATAL(more != NULL);
    memcpy(more, good.p, good.len - 1);
    memcpy(more + good.len - 1, ",\"x\":\"y\"}", 10);
    load_refused(keys_base64(more), "a", form);
    load_refused(keys_base64("{\"kid\":\"a\",\"alg\":\"RS256\",\"state\":\"active\"}"), "a", form);
    load_refused(keys_base64("{\"kid\":1,\"alg\":\"RS256\",\"state\":\"active\","
                             "\"public_pem\":\"x\"}"),
                 "a", form);
    load_refused(keys_base64(rsa_json("", "active").p), "a", form);
    load_refused(keys_base64(rsa_json("../a", "active").p), "a", form);
    load_refused(keys_base64(rsa_json("a b", "active").p), "a", form);
    load_refused(
        keys_base64(rsa_json("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                             "aaaa",
                             "active")
                        .p),
        "a", form);
    load_refused(keys_base64(arena_printf(a, "%s,%s", good.p, rsa_json("a", "legacy").p).p), "a",
                 "is the one of key 1");
    load_refused(keys_base64(rsa_json("a", "Active").p), "a", "state is");
    load_refused(keys_base64(key_json("a", "HS256", "active", rsa_private, rsa_public).p), "a",
                 "alg is");
    load_refused(keys_base64(key_json("a", "none", "active", rsa_private, rsa_public).p), "a",
                 "alg is");
}

static void
test_load_keys(void)
{
    EVP_PKEY *small = forge_rsa(1024), *p384 = forge_ec("P-384"), *other = forge_rsa(2048);
    EVP_PKEY *okp = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    EVP_PKEY *pss = EVP_PKEY_Q_keygen(NULL, NULL, "RSA-PSS", (size_t)2048);
    const char *fits = "RS256 takes RSA keys";

    load_refused(keys_base64(key_json("a", "RS256", "active", forge_pem(a, small, true),
                                      forge_pem(a, small, false))
                                 .p),
                 "a", fits);
    load_refused(keys_base64(key_json("a", "ES256", "active", forge_pem(a, p384, true),
                                      forge_pem(a, p384, false))
                                 .p),
                 "a", fits);
    if (pss != NULL)
        load_refused(keys_base64(key_json("a", "RS256", "active", forge_pem(a, pss, true),
                                          forge_pem(a, pss, false))
                                     .p),
                     "a", fits);
    load_refused(keys_base64(key_json("a", "RS256", "active", ec_private, ec_public).p), "a", fits);
    load_refused(keys_base64(key_json("a", "ES256", "active", rsa_private, rsa_public).p), "a",
                 fits);
    load_refused(
        keys_base64(
            key_json("a", "ES256", "active", forge_pem(a, okp, true), forge_pem(a, okp, false)).p),
        "a", fits);
    load_refused(
        keys_base64(key_json("a", "RS256", "active", forge_pem(a, other, true), rsa_public).p), "a",
        "not one pair");
    load_refused(keys_base64(key_json("a", "RS256", "active", ec_private, rsa_public).p), "a",
                 "not one pair");
    load_refused(keys_base64(key_json("a", "RS256", "active", rsa_public, rsa_public).p), "a",
                 "not a private key");
    load_refused(keys_base64(key_json("a", "RS256", "active", TEXT(""), rsa_public).p), "a",
                 "not a private key");
    load_refused(keys_base64(key_json("a", "RS256", "active", rsa_private, TEXT("")).p), "a",
                 "not a public key");
    load_refused(keys_base64(key_json("a", "RS256", "active", rsa_private, rsa_private).p), "a",
                 "not a public key");
    load_refused(keys_base64(key_json("a", "RS256", "active", rsa_private,
                                      TEXT("-----BEGIN PUBLIC KEY-----\nMIIB\n"
                                           "-----END PUBLIC KEY-----\n"))
                                 .p),
                 "a", "not a public key");
    EVP_PKEY_free(small);
    EVP_PKEY_free(p384);
    EVP_PKEY_free(other);
    EVP_PKEY_free(okp);
    EVP_PKEY_free(pss);
}

/* A key under a passphrase is refused and nobody is asked for it. */
static void
test_load_encrypted(void)
{
    static unsigned char passphrase[] = "secret";
    BIO *bio = BIO_new(BIO_s_mem());
    char *p = NULL;
    struct text pem;

    CU_ASSERT_EQUAL(
        PEM_write_bio_PrivateKey(bio, rsa, EVP_aes_128_cbc(), passphrase, 6, NULL, NULL), 1);
    pem.len = (size_t)BIO_get_mem_data(bio, &p);
    pem.p = p;
    load_refused(keys_base64(key_json("a", "RS256", "active", pem, rsa_public).p), "a",
                 "without passphrase");
    BIO_free(bio);
}

static struct json_value
member(struct json_value object, const char *wanted)
{
    struct json_value v = {NULL}, value;
    struct text name;
    void *cursor = NULL;

    while (json_next_member(object, &cursor, &name, &value)) {
        if (text_eq(name, text_of(wanted)))
            v = value;
    }
    return v;
}

static void
member_is(struct json_value object, const char *name, const char *value)
{
    struct text t = TEXT_NULL;

    CU_ASSERT_TRUE(json_get_text(member(object, name), &t));
    CU_ASSERT_TRUE(text_eq(t, text_of(value)));
}

static size_t
member_bytes(struct json_value object, const char *name)
{
    struct text t = TEXT_NULL;
    uint8_t bytes[2048];
    size_t len = 0;

    CU_ASSERT_TRUE(json_get_text(member(object, name), &t));
    CU_ASSERT_TRUE(base64url_decode(t, bytes, &len));
    return len;
}

static void
test_jwks(void)
{
    struct text three = arena_printf(a, "%s,%s,%s,%s", rsa_json("a", "active").p,
                                     key_json("b", "ES256", "legacy", TEXT_NULL, ec_public).p,
                                     rsa_json("c", "retired").p,
                                     key_json("d", "ES256", "next", ec_private, ec_public).p);
    struct text faults;
    struct keyset *k = load(keys_base64(three.p), "a", &faults);
    struct json_value root, list, key;
    struct buf out;

    CU_ASSERT_FATAL(k != NULL);
    buf_init(&out, 4096, 65536);
    keyset_write_jwks(k, &out);
    CU_ASSERT_FALSE(out.overflow);
    CU_ASSERT_EQUAL_FATAL(json_parse(a, buf_as_text(&out), &root), E_OK);
    list = member(root, "keys");
    CU_ASSERT_EQUAL_FATAL(json_count(list), 3);
    CU_ASSERT_TRUE(json_element(list, 0, &key));
    member_is(key, "kty", "RSA");
    member_is(key, "use", "sig");
    member_is(key, "alg", "RS256");
    member_is(key, "kid", "a");
    member_is(key, "e", "AQAB");
    CU_ASSERT_EQUAL(member_bytes(key, "n"), 256);
    CU_ASSERT_EQUAL(json_count(key), 6);
    CU_ASSERT_TRUE(json_element(list, 1, &key));
    member_is(key, "kty", "EC");
    member_is(key, "crv", "P-256");
    member_is(key, "kid", "b");
    CU_ASSERT_EQUAL(member_bytes(key, "x"), 32);
    CU_ASSERT_EQUAL(member_bytes(key, "y"), 32);
    CU_ASSERT_EQUAL(json_count(key), 7);
    CU_ASSERT_TRUE(json_element(list, 2, &key));
    member_is(key, "kid", "d");
    CU_ASSERT_EQUAL(json_count(key), 7);
    buf_free(&out);
    keyset_free(k);
}

static void
claims_fill(struct token_claims *c)
{
    *c = (struct token_claims){.user = uuid_v7(),
                               .org = uuid_v7(),
                               .session = uuid_v7(),
                               .id = uuid_v7(),
                               .role = "student",
                               .issued_at = 1000,
                               .expires_at = 2000};
}

static void
test_rotate(void)
{
    struct text first, second, third, token, faults;
    struct keyset *k1, *k2, *k3;
    struct token_claims c, out;

    CU_ASSERT_EQUAL_FATAL(
        keyset_rotate(a, TEXT_NULL, &(struct keyset_fresh){.kid = TEXT("k1")}, &first), E_OK);
    k1 = load(first, "k1", &faults);
    CU_ASSERT_FATAL(k1 != NULL);
    claims_fill(&c);
    CU_ASSERT_EQUAL(token_issue(a, k1, &c, &token), E_OK);
    CU_ASSERT_EQUAL_FATAL(
        keyset_rotate(a, first, &(struct keyset_fresh){.kid = TEXT("k2")}, &second), E_OK);
    k2 = load(second, NULL, &faults);
    CU_ASSERT_FATAL(k2 != NULL);
    CU_ASSERT_EQUAL(token_verify(a, k2, token, 1500, &out), E_OK);
    CU_ASSERT_TRUE(uuid_eq(&out.user, &c.user));
    CU_ASSERT_EQUAL(token_issue(a, k2, &c, &token), E_OK);
    CU_ASSERT_EQUAL(token_verify(a, k2, token, 1500, &out), E_OK);
    CU_ASSERT_EQUAL(token_verify(a, k1, token, 1500, &out), E_TOKEN_INVALID);
    CU_ASSERT_EQUAL_FATAL(
        keyset_rotate(a, second, &(struct keyset_fresh){.kid = TEXT("k3")}, &third), E_OK);
    k3 = load(third, "k3", &faults);
    CU_ASSERT_FATAL(k3 != NULL);
    CU_ASSERT_EQUAL(token_verify(a, k3, token, 1500, &out), E_OK);
    CU_ASSERT_PTR_NULL(load(third, "k2", &faults));
    keyset_free(k1);
    keyset_free(k2);
    keyset_free(k3);
}

/* The secrets of keys that sign no more are gone from the next keyset. */
static void
test_rotate_secrets(void)
{
    struct text first, second;
    char *bytes;
    size_t len, n = 0;

    CU_ASSERT_EQUAL_FATAL(
        keyset_rotate(a, TEXT_NULL, &(struct keyset_fresh){.kid = TEXT("k1")}, &first), E_OK);
    CU_ASSERT_EQUAL_FATAL(
        keyset_rotate(a, first, &(struct keyset_fresh){.kid = TEXT("k2")}, &second), E_OK);
    bytes = arena_alloc(a, second.len + 1);
    CU_ASSERT_TRUE(base64_decode(second, bytes, &len));
    bytes[len] = '\0';
    for (const char *p = bytes; (p = strstr(p, "BEGIN PRIVATE KEY")) != NULL; p++)
        n++;
    CU_ASSERT_EQUAL(n, 1);
}

static void
test_rotate_bad(void)
{
    struct text first, out;
    struct buf b;

    CU_ASSERT_EQUAL_FATAL(
        keyset_rotate(a, TEXT_NULL, &(struct keyset_fresh){.kid = TEXT("k1")}, &first), E_OK);
    CU_ASSERT_EQUAL(keyset_rotate(a, first, &(struct keyset_fresh){.kid = TEXT("k1")}, &out),
                    E_VALIDATION);
    CU_ASSERT_EQUAL(keyset_rotate(a, first, &(struct keyset_fresh){.kid = TEXT("")}, &out),
                    E_VALIDATION);
    CU_ASSERT_EQUAL(keyset_rotate(a, first, &(struct keyset_fresh){.kid = TEXT_NULL}, &out),
                    E_VALIDATION);
    CU_ASSERT_EQUAL(keyset_rotate(a, first, &(struct keyset_fresh){.kid = TEXT("k/2")}, &out),
                    E_VALIDATION);
    CU_ASSERT_EQUAL(
        keyset_rotate(a, TEXT("nonsense"), &(struct keyset_fresh){.kid = TEXT("k2")}, &out),
        E_VALIDATION);
    CU_ASSERT_EQUAL(keyset_rotate(a, TEXT(""), &(struct keyset_fresh){.kid = TEXT("k2")}, &out),
                    E_VALIDATION);
    buf_init(&b, 65536, 1 << 20);
    for (int i = 0; i < 32; i++)
        buf_printf(&b,
                   "%s{\"kid\":\"n%d\",\"alg\":\"RS256\",\"state\":\"legacy\","
                   "\"public_pem\":\"x\"}",
                   i == 0 ? "" : ",", i);
    buf_char(&b, '\0');
    CU_ASSERT_EQUAL(
        keyset_rotate(a, keys_base64(b.p), &(struct keyset_fresh){.kid = TEXT("k2")}, &out),
        E_VALIDATION);
    buf_free(&b);
}

/* Accepted before it signs, so that no worker meets a token of a key that it does not know. */
static void
rotate_staged(enum key_alg alg)
{
    struct keyset_fresh fresh = {.kid = TEXT("k2"), .alg = alg, .next = true};
    struct text first, staged, active, kid, old, new, faults;
    struct keyset *k1, *k2, *k3;
    struct token_claims c, out;

    CU_ASSERT_EQUAL_FATAL(
        keyset_rotate(a, TEXT_NULL, &(struct keyset_fresh){.kid = TEXT("k1")}, &first), E_OK);
    CU_ASSERT_EQUAL_FATAL(keyset_rotate(a, first, &fresh, &staged), E_OK);
    CU_ASSERT_EQUAL_FATAL(keyset_activate(a, staged, &kid, &active), E_OK);
    CU_ASSERT_TRUE(text_eq(kid, TEXT("k2")));
    k1 = load(first, NULL, &faults);
    k2 = load(staged, NULL, &faults);
    k3 = load(active, NULL, &faults);
    CU_ASSERT_FATAL(k1 != NULL && k2 != NULL && k3 != NULL);
    claims_fill(&c);
    /* The next key signs nothing: all three take this token. */
    CU_ASSERT_EQUAL(token_issue(a, k2, &c, &old), E_OK);
    CU_ASSERT_EQUAL(token_verify(a, k1, old, 1500, &out), E_OK);
    CU_ASSERT_EQUAL(token_verify(a, k2, old, 1500, &out), E_OK);
    CU_ASSERT_EQUAL(token_verify(a, k3, old, 1500, &out), E_OK);
    CU_ASSERT_EQUAL(token_issue(a, k3, &c, &new), E_OK);
    CU_ASSERT_EQUAL(token_verify(a, k2, new, 1500, &out), E_OK);
    CU_ASSERT_EQUAL(token_verify(a, k3, new, 1500, &out), E_OK);
    CU_ASSERT_EQUAL(token_verify(a, k1, new, 1500, &out), E_TOKEN_INVALID);
    keyset_free(k1);
    keyset_free(k2);
    keyset_free(k3);
}

static void
test_rotate_staged(void)
{
    rotate_staged(KEY_RS256);
    rotate_staged(KEY_ES256);
}

static void
test_staged_bad(void)
{
    struct keyset_fresh fresh = {.kid = TEXT("k2"), .next = true};
    struct text first, staged, out, kid;

    CU_ASSERT_EQUAL_FATAL(
        keyset_rotate(a, TEXT_NULL, &(struct keyset_fresh){.kid = TEXT("k1")}, &first), E_OK);
    CU_ASSERT_EQUAL(keyset_activate(a, first, &kid, &out), E_NOT_FOUND);
    CU_ASSERT_EQUAL(keyset_activate(a, TEXT("nonsense"), &kid, &out), E_VALIDATION);
    CU_ASSERT_EQUAL_FATAL(keyset_rotate(a, first, &fresh, &staged), E_OK);
    fresh.kid = TEXT("k3");
    CU_ASSERT_EQUAL(keyset_rotate(a, staged, &fresh, &out), E_VALIDATION);
    /* A next key alone signs nothing, and is not chosen by name either. */
    load_refused(keys_base64(rsa_json("a", "next").p), NULL, "must say which");
    load_refused(keys_base64(rsa_json("a", "next").p), "a", "is not active");
    out = arena_printf(a, "%s,%s", rsa_json("a", "next").p, rsa_json("b", "next").p);
    CU_ASSERT_EQUAL(keyset_activate(a, keys_base64(out.p), &kid, &out), E_VALIDATION);
    out = key_json("a", "RS256", "next", TEXT_NULL, rsa_public);
    CU_ASSERT_EQUAL(keyset_activate(a, keys_base64(out.p), &kid, &out), E_VALIDATION);
}

static void
test_retire(void)
{
    struct text both = arena_printf(a, "%s,%s", rsa_json("a", "active").p,
                                    key_json("b", "ES256", "legacy", TEXT_NULL, ec_public).p);
    struct text base64 = keys_base64(both.p), out, token, faults;
    struct keyset *k = load(base64, "a", &faults);
    struct token_claims c, read;

    CU_ASSERT_EQUAL(keyset_retire(a, base64, TEXT("a"), &out), E_CONFLICT);
    CU_ASSERT_EQUAL(keyset_retire(a, base64, TEXT("c"), &out), E_NOT_FOUND);
    CU_ASSERT_EQUAL(keyset_retire(a, TEXT("nonsense"), TEXT("a"), &out), E_VALIDATION);
    CU_ASSERT_FATAL(k != NULL);
    claims_fill(&c);
    CU_ASSERT_EQUAL(token_issue(a, k, &c, &token), E_OK);
    keyset_free(k);
    both = arena_printf(a, "%s,%s", rsa_json("a", "active").p,
                        key_json("b", "ES256", "active", ec_private, ec_public).p);
    CU_ASSERT_EQUAL_FATAL(keyset_retire(a, keys_base64(both.p), TEXT("a"), &out), E_OK);
    k = load(out, NULL, &faults);
    CU_ASSERT_FATAL(k != NULL);
    CU_ASSERT_EQUAL(token_verify(a, k, token, 1500, &read), E_TOKEN_INVALID);
    keyset_free(k);
}

int
main(void)
{
    static const struct unit_case cases[] = {
        {"load: RSA and EC, named and only active", test_load},
        {"load: which key signs", test_load_active},
        {"load: hostile documents", test_load_documents},
        {"load: hostile entries", test_load_entries},
        {"load: wrong keys", test_load_keys},
        {"load: a key under a passphrase", test_load_encrypted},
        {"jwks: public parts of next, active and legacy", test_jwks},
        {"rotate: old tokens hold, new key signs", test_rotate},
        {"rotate: old secrets go", test_rotate_secrets},
        {"rotate: bad input", test_rotate_bad},
        {"rotate in two steps: no token is met too early", test_rotate_staged},
        {"rotate in two steps: bad input", test_staged_bad},
        {"retire: its tokens end, the last one stays", test_retire},
        {NULL, NULL},
    };
    int status;

    a = arena_new((size_t)64 << 20);
    rsa = forge_rsa(2048);
    ec = forge_ec("P-256");
    rsa_private = forge_pem(a, rsa, true);
    rsa_public = forge_pem(a, rsa, false);
    ec_private = forge_pem(a, ec, true);
    ec_public = forge_pem(a, ec, false);
    status = unit_main("auth keyset", cases);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(ec);
    arena_free(a);
    return status;
}
