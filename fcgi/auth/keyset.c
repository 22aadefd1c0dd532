/* Reading a keyset: the document first, then each key by itself, every fault at once. */
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "auth/keyset_parts.h"
#include "base/encode.h"
#include "base/oom.h"
#include "wire/json_in.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192
#define DOCUMENT_MAX ((size_t)256 * 1024)

static const char *const alg_names[] = {[KEY_RS256] = "RS256", [KEY_ES256] = "ES256"};
static const char *const state_names[] = {
    [KEY_NEXT] = "next",
    [KEY_ACTIVE] = "active",
    [KEY_LEGACY] = "legacy",
    [KEY_RETIRED] = "retired",
};
#define STATE_COUNT (sizeof(state_names) / sizeof(state_names[0]))

static void fault(FILE *faults, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
fault(FILE *faults, const char *format, ...)
{
    va_list args;

    if (faults == NULL)
        return;
    va_start(args, format);
    fputs("JWT_KEYSET: ", faults);
    vfprintf(faults, format, args);
    fputc('\n', faults);
    va_end(args);
}

const char *
key_alg_name(enum key_alg alg)
{
    return alg_names[alg];
}

const char *
key_state_name(enum key_state s)
{
    return state_names[s];
}

bool
kid_valid(struct text kid)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

    return text_is_of(kid, allowed, KID_MAX);
}

static bool
name_index(struct text name, const char *const *names, size_t count, unsigned *ret_index)
{
    for (unsigned i = 0; i < count; i++) {
        if (text_eq(name, text_of(names[i]))) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

bool
key_alg_named(struct text name, enum key_alg *ret_alg)
{
    unsigned alg;

    if (!name_index(name, alg_names, 2, &alg))
        return false;
    *ret_alg = alg;
    return true;
}

bool
key_entry_is(const struct key_entry *e, enum key_state s)
{
    return text_eq(e->state, text_of(state_names[s]));
}

static bool
entry_parse(struct json_value v, struct key_entry *ret_entry)
{
    const struct {
        struct text name;
        struct text *value;
    } members[] = {{TEXT("kid"), &ret_entry->kid},
                   {TEXT("alg"), &ret_entry->alg},
                   {TEXT("state"), &ret_entry->state},
                   {TEXT("private_pem"), &ret_entry->private_pem},
                   {TEXT("public_pem"), &ret_entry->public_pem}};
    const size_t count = sizeof(members) / sizeof(members[0]);
    struct json_value value;
    struct text name;
    void *cursor = NULL;

    *ret_entry = (struct key_entry){0};
    while (json_next_member(v, &cursor, &name, &value)) {
        size_t i = 0;

        while (i < count && !text_eq(name, members[i].name))
            i++;
        if (i == count || !json_get_text(value, members[i].value))
            return false;
    }
    return kid_valid(ret_entry->kid) && ret_entry->alg.p != NULL && ret_entry->state.p != NULL &&
           ret_entry->public_pem.p != NULL;
}

/* The value of "keys", the only member there may be. */
static bool
document_keys(struct arena *a, struct text base64, struct json_value *ret_keys)
{
    struct json_value root;
    struct text name, json;
    void *cursor = NULL;
    char *bytes;

    if (base64.p == NULL || base64.len > DOCUMENT_MAX)
        return false;
    bytes = arena_alloc(a, base64.len + 1);
    if (!base64_decode(base64, bytes, &json.len))
        return false;
    json.p = bytes;
    return json_parse(a, json, &root) == E_OK && json_count(root) == 1 &&
           json_next_member(root, &cursor, &name, ret_keys) && text_eq(name, TEXT("keys")) &&
           json_type_of(*ret_keys) == JSON_ARRAY;
}

bool
keyset_parse(struct arena *a, struct text base64, struct key_entry ret_keys[KEYSET_MAX],
             size_t *ret_count, FILE *faults)
{
    struct json_value keys, v;
    bool ok = true;

    if (!document_keys(a, base64, &keys)) {
        fault(faults, "not the base64 of a JSON object with an array \"keys\"");
        return false;
    }
    *ret_count = json_count(keys);
    if (*ret_count == 0 || *ret_count > KEYSET_MAX) {
        fault(faults, "1 to %d keys are allowed, not %zu", KEYSET_MAX, *ret_count);
        return false;
    }
    for (size_t i = 0; i < *ret_count; i++) {
        if (!json_element(keys, i, &v) || !entry_parse(v, &ret_keys[i])) {
            fault(faults,
                  "key %zu: kid, alg, state and public_pem are required texts, "
                  "private_pem is an optional one, and there is nothing else",
                  i + 1);
            ok = false;
            continue;
        }
        for (size_t j = 0; j < i; j++) {
            if (!text_eq(ret_keys[j].kid, ret_keys[i].kid))
                continue;
            fault(faults, "key %zu: its kid is the one of key %zu", i + 1, j + 1);
            ok = false;
        }
    }
    return ok;
}

/* Never asks a terminal: a key under a passphrase is refused. */
static int
no_passphrase(char *buf, int size, int writing, void *user)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)user;
    return -1;
}

static EVP_PKEY *
pem_read(struct text pem, bool private_part)
{
    BIO *bio = pem.len < INT32_MAX ? BIO_new_mem_buf(pem.p, (int)pem.len) : NULL;
    EVP_PKEY *key = NULL;

    if (bio == NULL)
        return NULL;
    key = private_part ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL)
                       : PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    ERR_clear_error();
    return key;
}

static bool
pkey_consistent(EVP_PKEY *key)
{
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);
    bool ok = c != NULL && EVP_PKEY_public_check(c) == 1;

    EVP_PKEY_CTX_free(c);
    ERR_clear_error();
    return ok;
}

/* Type, size and curve that the algorithm asks for. */
static bool
pkey_fits(EVP_PKEY *key, enum key_alg alg)
{
    char group[32];
    size_t len;

    if (alg == KEY_RS256)
        return EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) >= RSA_BITS_MIN &&
               EVP_PKEY_get_bits(key) <= RSA_BITS_MAX;
    return EVP_PKEY_is_a(key, "EC") &&
           EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group),
                                          &len) == 1 &&
           strcmp(group, "prime256v1") == 0;
}

static bool
key_verifier_make(struct key *key)
{
    key->verifier = EVP_MD_CTX_new();
    return key->verifier != NULL && EVP_DigestVerifyInit_ex(key->verifier, NULL, "SHA256", NULL,
                                                            NULL, key->public_key, NULL) == 1;
}

static char *
bytes_copy(struct text t)
{
    char *copy = malloc(t.len + 1);

    if (copy == NULL)
        out_of_memory("keyset", t.len + 1);
    if (t.len > 0)
        memcpy(copy, t.p, t.len);
    copy[t.len] = '\0';
    return copy;
}

/* NULL, or what is wrong with the private part. */
static const char *
key_private_load(struct key *key, struct text pem)
{
    EVP_PKEY *private_key;
    bool pair;

    if (pem.p == NULL)
        return NULL;
    private_key = pem_read(pem, true);
    if (private_key == NULL)
        return "private_pem is not a private key without passphrase";
    pair = EVP_PKEY_eq(private_key, key->public_key) == 1;
    EVP_PKEY_free(private_key);
    ERR_clear_error();
    if (!pair)
        return "private_pem and public_pem are not one pair";
    /* Only an active key can sign: the secrets of others are not kept. */
    if (key->state != KEY_ACTIVE)
        return NULL;
    key->private_pem = bytes_copy(pem);
    key->private_len = pem.len;
    return NULL;
}

/* NULL, or what is wrong with the key. */
static const char *
key_load(struct key *key, const struct key_entry *e)
{
    unsigned state;

    memcpy(key->kid, e->kid.p, e->kid.len);
    if (!key_alg_named(e->alg, &key->alg))
        return "alg is RS256 or ES256";
    if (!name_index(e->state, state_names, STATE_COUNT, &state))
        return "state is next, active, legacy or retired";
    key->state = state;
    key->public_key = pem_read(e->public_pem, false);
    if (key->public_key == NULL)
        return "public_pem is not a public key";
    if (!pkey_fits(key->public_key, key->alg))
        return "RS256 takes RSA keys of 2048 to 8192 bits, ES256 keys on P-256";
    if (!pkey_consistent(key->public_key))
        return "public_pem is not a sound key";
    if (!key_verifier_make(key))
        return "the key cannot be used for verification";
    return key_private_load(key, e->private_pem);
}

/* The key that signs: the one that is named, or the only active one. */
static const char *
keyset_choose_active(struct keyset *k, struct text active_kid)
{
    size_t candidates = 0;

    for (size_t i = 0; i < k->count; i++) {
        const struct key *key = &k->keys[i];
        bool named =
            active_kid.len > 0 ? text_eq(active_kid, text_of(key->kid)) : key->state == KEY_ACTIVE;

        if (!named)
            continue;
        candidates++;
        k->active = key;
    }
    if (active_kid.len > 0 && candidates == 0)
        return "JWT_ACTIVE_KEY_ID names no key";
    if (candidates != 1)
        return "JWT_ACTIVE_KEY_ID must say which active key signs";
    if (k->active->state != KEY_ACTIVE)
        return "the key of JWT_ACTIVE_KEY_ID is not active";
    return k->active->private_pem == NULL ? "the key that signs has no private_pem" : NULL;
}

static struct keyset *
keyset_build(const struct key_entry *entries, size_t count, struct text active_kid, FILE *faults)
{
    static uint64_t generation;
    struct keyset *k = calloc(1, sizeof(*k));
    const char *wrong;
    bool ok = true;

    if (k == NULL)
        out_of_memory("keyset", sizeof(*k));
    k->generation = ++generation;
    k->count = count;
    for (size_t i = 0; i < count; i++) {
        wrong = key_load(&k->keys[i], &entries[i]);
        if (wrong == NULL)
            continue;
        fault(faults, "key %zu (%s): %s", i + 1, k->keys[i].kid, wrong);
        ok = false;
    }
    wrong = ok ? keyset_choose_active(k, active_kid) : NULL;
    if (wrong != NULL)
        fault(faults, "%s", wrong);
    if (ok && wrong == NULL)
        return k;
    keyset_free(k);
    return NULL;
}

struct keyset *
keyset_load(struct text base64, struct text active_kid, struct text issuer, struct text audience,
            FILE *faults)
{
    struct arena *a = arena_new(16 * DOCUMENT_MAX);
    struct key_entry entries[KEYSET_MAX];
    struct keyset *k = NULL;
    size_t count;

    if (issuer.len == 0 || audience.len == 0)
        fault(faults, "issuer and audience must not be empty");
    else if (keyset_parse(a, base64, entries, &count, faults))
        k = keyset_build(entries, count, active_kid, faults);
    arena_free(a);
    if (k != NULL) {
        k->issuer = bytes_copy(issuer);
        k->audience = bytes_copy(audience);
    }
    return k;
}

void
keyset_free(struct keyset *k)
{
    if (k == NULL)
        return;
    for (size_t i = 0; i < k->count; i++) {
        struct key *key = &k->keys[i];

        EVP_MD_CTX_free(key->verifier);
        EVP_PKEY_free(key->public_key);
        if (key->private_pem != NULL)
            OPENSSL_cleanse(key->private_pem, key->private_len);
        free(key->private_pem);
    }
    free(k->issuer);
    free(k->audience);
    free(k);
}

const struct key *
keyset_find(const struct keyset *k, struct text kid)
{
    for (size_t i = 0; i < k->count; i++) {
        if (text_eq(kid, text_of(k->keys[i].kid)))
            return k->keys[i].state == KEY_RETIRED ? NULL : &k->keys[i];
    }
    return NULL;
}
