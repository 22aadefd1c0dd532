/* Argon2id by libargon2, and the passwords that are no secret. */
#include "auth/password.h"

#include <argon2.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/turns.h"
#include "base/encode.h"
#include "base/settings.h"

#define LANES 1
#define SALT_BYTES 16
#define HASH_BYTES 32
#define PHC_MAX 256
#define COMMON_MAX 32

struct cost {
    uint32_t memory_kib;
    uint32_t iterations;
};

static struct cost
cost_now(void)
{
    static struct cost cost;

    if (cost.memory_kib == 0) {
        cost.memory_kib = (uint32_t)setting_int(S_ARGON2_MEMORY_KIB);
        cost.iterations = (uint32_t)setting_int(S_ARGON2_ITERATIONS);
    }
    return cost;
}

err
password_hash(struct arena *a, struct text password, struct text *ret_phc)
{
    struct cost cost = cost_now();
    uint8_t salt[SALT_BYTES];
    size_t size = argon2_encodedlen(cost.iterations, cost.memory_kib, LANES, SALT_BYTES, HASH_BYTES,
                                    Argon2_id);
    char *phc = arena_alloc(a, size);
    int rc;

    random_bytes(salt, sizeof(salt));
    turns_begin();
    rc = argon2id_hash_encoded(cost.iterations, cost.memory_kib, LANES, password.p, password.len,
                               salt, sizeof(salt), HASH_BYTES, phc, size);
    turns_end();
    if (rc != ARGON2_OK)
        return rc == ARGON2_MEMORY_ALLOCATION_ERROR ? E_UNAVAILABLE : E_INTERNAL;
    *ret_phc = text_of(phc);
    return E_OK;
}

/* "name=number" before `end`; leaves *t after it. */
static bool
parameter_read(struct text *t, const char *name, char end, uint32_t *ret_value)
{
    struct text field = text_cut(t, end);
    int64_t value;

    if (!text_starts(field, text_of(name)))
        return false;
    field.p += strlen(name);
    field.len -= strlen(name);
    if (!text_to_int(field, &value) || value < 1 || value > UINT32_MAX)
        return false;
    *ret_value = (uint32_t)value;
    return true;
}

/* Only what password_hash could have written at some time: other lanes would start threads. */
static bool
phc_read(struct text phc, struct cost *ret_cost)
{
    const struct text prefix = TEXT("$argon2id$v=19$");
    uint32_t lanes;

    if (phc.p == NULL || phc.len >= PHC_MAX || !text_starts(phc, prefix) ||
        memchr(phc.p, '\0', phc.len) != NULL)
        return false;
    phc.p += prefix.len;
    phc.len -= prefix.len;
    return parameter_read(&phc, "m=", ',', &ret_cost->memory_kib) &&
           parameter_read(&phc, "t=", ',', &ret_cost->iterations) &&
           parameter_read(&phc, "p=", '$', &lanes) && lanes == LANES;
}

/* The work of a verification whose outcome is known. */
static void
decoy_spend(struct text password)
{
    static const uint8_t salt[SALT_BYTES] = "no such account";
    struct cost cost = cost_now();
    uint8_t hash[HASH_BYTES];

    turns_begin();
    (void)argon2id_hash_raw(cost.iterations, cost.memory_kib, LANES, password.p, password.len, salt,
                            sizeof(salt), hash, sizeof(hash));
    turns_end();
}

bool
password_verify(struct text password, struct text phc, bool *ret_stale)
{
    struct cost now = cost_now();
    struct cost cost = {0};
    char encoded[PHC_MAX];

    if (ret_stale != NULL)
        *ret_stale = false;
    if (!phc_read(phc, &cost)) {
        decoy_spend(password);
        return false;
    }
    if (ret_stale != NULL)
        *ret_stale = cost.memory_kib < now.memory_kib || cost.iterations < now.iterations;
    memcpy(encoded, phc.p, phc.len);
    encoded[phc.len] = '\0';
    turns_begin();
    int rc = argon2id_verify(encoded, password.p, password.len);
    turns_end();
    return rc == ARGON2_OK;
}

/* In order of their bytes. */
static const char *const common_passwords[] = {
#define COMMON(password) password,
#include "auth/common_passwords.def"
#undef COMMON
};

static int
common_compare(const void *key, const void *element)
{
    return strcmp(key, *(const char *const *)element);
}

static bool
password_is_common(struct text password)
{
    char folded[COMMON_MAX + 1];

    if (password.len == 0 || password.len > COMMON_MAX)
        return false;
    for (size_t i = 0; i < password.len; i++) {
        char c = password.p[i];

        folded[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    folded[password.len] = '\0';
    return strlen(folded) == password.len &&
           bsearch(folded, common_passwords, sizeof(common_passwords) / sizeof(common_passwords[0]),
                   sizeof(common_passwords[0]), common_compare) != NULL;
}

bool
password_is_weak(struct text password, struct text email)
{
    struct text local = email;

    if (password_is_common(password))
        return true;
    if (email.len == 0 || password.p == NULL)
        return false;
    /* A quoted local part may hold an @ too: the last one divides. */
    while (local.len > 0 && local.p[local.len - 1] != '@')
        local.len--;
    if (local.len > 0)
        local.len--;
    return text_eq_nocase(password, email) || (local.len > 0 && text_eq_nocase(password, local));
}
