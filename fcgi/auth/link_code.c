#include "auth/link_code.h"

#include <string.h>

#include "base/settings.h"

#define LETTERS 12
#define GROUP 4

/* Crockford's base 32: no I, L, O and U. */
static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static void
link_code_digest(const char letters[LETTERS], uint8_t ret_digest[SHA256_LEN])
{
    uint8_t key[SHA256_LEN];

    derive_key(setting_text(S_SIGNING_SECRET), "parent link code", key);
    hmac_sha256((struct text){(const char *)key, sizeof key}, (struct text){letters, LETTERS},
                ret_digest);
}

struct text
link_code_issue(struct arena *a, uint8_t ret_digest[SHA256_LEN])
{
    uint8_t random[LETTERS];
    char letters[LETTERS];
    size_t n = 0;
    char *shown = arena_alloc(a, LETTERS + LETTERS / GROUP);

    random_bytes(random, sizeof random);
    for (size_t i = 0; i < LETTERS; i++) {
        letters[i] = alphabet[random[i] % 32];
        if (i > 0 && i % GROUP == 0)
            shown[n++] = '-';
        shown[n++] = letters[i];
    }
    link_code_digest(letters, ret_digest);
    return (struct text){shown, n};
}

static char
letter_meant(char c)
{
    if (c >= 'a' && c <= 'z')
        c = (char)(c - 'a' + 'A');
    if (c == 'O')
        return '0';
    if (c == 'I' || c == 'L')
        return '1';
    return c;
}

bool
link_code_parse(struct text given, uint8_t ret_digest[SHA256_LEN])
{
    char letters[LETTERS];
    size_t n = 0;

    for (size_t i = 0; i < given.len; i++) {
        char c = letter_meant(given.p[i]);
        if (c == '-')
            continue;
        if (n == LETTERS || c == '\0' || strchr(alphabet, c) == NULL)
            return false;
        letters[n++] = c;
    }
    if (n != LETTERS)
        return false;
    link_code_digest(letters, ret_digest);
    return true;
}
