#include "bin/ctl.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <openssl/evp.h>

#include "auth/token.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/settings.h"
#include "base/text.h"
#include "wire/json_in.h"

#define KEYSET_MAX ((size_t)256 * 1024)
#define KID_MAX 64

struct key {
    struct text kid, algorithm, state;
    bool has_private;
    struct json_value node;
};

static bool
kid_valid(const char *kid)
{
    size_t len = strspn(kid, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

    return len > 0 && len <= KID_MAX && kid[len] == '\0';
}

/* --- reading -------------------------------------------------------------------------------- */

static int
read_file(struct arena *a, const char *path, struct text *ret_content)
{
    bool own = strcmp(path, "-") != 0;
    FILE *f = own ? fopen(path, "re") : stdin;
    char *content = arena_alloc(a, KEYSET_MAX + 1);

    if (f == NULL)
        return ctl_fail(EX_NOINPUT, "cannot read %s: %s", path, strerror(errno));
    size_t len = fread(content, 1, KEYSET_MAX + 1, f);
    bool failed = ferror(f) != 0;
    if (own)
        fclose(f);
    if (failed)
        return ctl_fail(EX_IOERR, "cannot read %s", path);
    if (len > KEYSET_MAX)
        return ctl_fail(EX_DATAERR, "%s is too long for a keyset", path);
    *ret_content = (struct text){content, len};
    return 0;
}

/* The keyset named on the command line, or else that of the settings. Naming a file means that
 * the settings need not be valid yet: an empty one begins an installation. */
static int
read_keyset(struct arena *a, const struct ctl_options *o, struct text *ret_base64)
{
    *ret_base64 = TEXT_NULL;
    if (o->keyset_file != NULL)
        return read_file(a, o->keyset_file, ret_base64);
    int status = ctl_settings(o->config_file);
    if (status == 0 && setting_text(S_JWT_KEYSET).len > 0)
        *ret_base64 = setting_text(S_JWT_KEYSET);
    return status;
}

/* As with read_keyset, but there has to be one. `ret_keys` is the array of keys. */
static int
parse_keyset(struct arena *a, const struct ctl_options *o, struct json_value *ret_keys)
{
    struct text base64, name;
    struct json_value root;
    void *cursor = NULL;
    int status = read_keyset(a, o, &base64);

    if (status != 0)
        return status;
    if (base64.len == 0)
        return ctl_fail(EX_DATAERR, "there is no keyset: it is empty");
    char *json = arena_alloc(a, base64.len + 4);
    size_t len = 0;
    if (!base64_decode(base64, json, &len) ||
        json_parse(a, (struct text){json, len}, &root) != E_OK || json_type_of(root) != JSON_OBJECT)
        return ctl_fail(EX_DATAERR, "the keyset is not base64 of a JSON object");
    while (json_next_member(root, &cursor, &name, ret_keys)) {
        if (text_eq(name, TEXT("keys")) && json_type_of(*ret_keys) == JSON_ARRAY)
            return 0;
    }
    return ctl_fail(EX_DATAERR, "the keyset has no array of keys");
}

static bool
read_key(struct json_value node, struct key *ret_key)
{
    struct text name, value;
    struct json_value member;
    void *cursor = NULL;

    *ret_key = (struct key){.node = node};
    while (json_type_of(node) == JSON_OBJECT && json_next_member(node, &cursor, &name, &member)) {
        if (!json_get_text(member, &value))
            return false;
        if (text_eq(name, TEXT("kid")))
            ret_key->kid = value;
        else if (text_eq(name, TEXT("alg")))
            ret_key->algorithm = value;
        else if (text_eq(name, TEXT("state")))
            ret_key->state = value;
        else if (text_eq(name, TEXT("private_pem")))
            ret_key->has_private = true;
    }
    return ret_key->kid.p != NULL && ret_key->algorithm.p != NULL && ret_key->state.p != NULL;
}

static int
read_keys(struct arena *a, struct json_value array, struct key **ret_keys, size_t *ret_count)
{
    size_t count = json_count(array);
    struct key *keys = arena_array(a, count > 0 ? count : 1, sizeof *keys);

    for (size_t i = 0; i < count; i++) {
        struct json_value node;
        if (!json_element(array, i, &node) || !read_key(node, &keys[i]))
            return ctl_fail(EX_DATAERR, "key %zu of the keyset lacks kid, alg or state", i + 1);
    }
    *ret_keys = keys;
    *ret_count = count;
    return 0;
}

/* --- jwt list --------------------------------------------------------------------------------- */

static int
list_keys(struct arena *a, const struct ctl_options *o)
{
    struct json_value array = {0};
    struct key *keys = NULL;
    size_t count = 0;
    int status = parse_keyset(a, o, &array);

    if (status == 0)
        status = read_keys(a, array, &keys, &count);
    for (size_t i = 0; status == 0 && i < count; i++)
        printf("%-32.*s %-6.*s %-8.*s %s\n", TEXT_ARG(keys[i].kid), TEXT_ARG(keys[i].algorithm),
               TEXT_ARG(keys[i].state), keys[i].has_private ? "private" : "public");
    return status;
}

/* --- jwt retire ------------------------------------------------------------------------------- */

static bool
is_state(const struct key *k, const char *state)
{
    return text_eq(k->state, text_of(state));
}

/* Retiring the last active key would leave nothing to sign with. */
static int
find_retired(const struct key *keys, size_t count, struct text kid, size_t *ret_index)
{
    size_t active = 0, found = count;

    for (size_t i = 0; i < count; i++) {
        active += is_state(&keys[i], "active");
        if (text_eq(keys[i].kid, kid))
            found = i;
    }
    if (found == count)
        return ctl_fail(EX_DATAERR, "the keyset has no key of this name");
    if (is_state(&keys[found], "active") && active == 1)
        return ctl_fail(EX_DATAERR, "this is the only active key: rotate first");
    *ret_index = found;
    return 0;
}

static void
write_retired(struct buf *out, const struct key *k)
{
    struct text name, value;
    struct json_value member;
    void *cursor = NULL;

    json_open(out, '{');
    while (json_next_member(k->node, &cursor, &name, &member)) {
        /* Nobody can sign with it again, whoever may find this text. */
        if (text_eq(name, TEXT("private_pem")) || text_eq(name, TEXT("state")))
            continue;
        if (json_get_text(member, &value) && name.len < KID_MAX) {
            char key[KID_MAX];
            memcpy(key, name.p, name.len);
            key[name.len] = '\0';
            json_kv_text(out, key, value);
        }
    }
    json_kv_z(out, "state", "retired");
    json_close(out, '}');
}

static int
print_base64(struct arena *a, struct text json)
{
    size_t size = (json.len + 2) / 3 * 4 + 1;
    unsigned char *base64 = arena_alloc(a, size);
    int len = EVP_EncodeBlock(base64, (const unsigned char *)json.p, (int)json.len);

    printf("%.*s\n", len, (const char *)base64);
    return 0;
}

static int
retire_key(struct arena *a, const struct ctl_options *o)
{
    struct json_value array = {0};
    struct key *keys = NULL;
    size_t count = 0, retired = 0;
    struct buf json;
    int status = parse_keyset(a, o, &array);

    if (status == 0)
        status = read_keys(a, array, &keys, &count);
    if (status == 0)
        status = find_retired(keys, count, text_of(o->args[0]), &retired);
    if (status != 0)
        return status;
    buf_init(&json, 4096, KEYSET_MAX);
    json_open(&json, '{');
    json_key(&json, "keys");
    json_open(&json, '[');
    for (size_t i = 0; i < count; i++) {
        if (i == retired)
            write_retired(&json, &keys[i]);
        else
            json_raw(&json, json_serialise(a, keys[i].node));
    }
    json_close(&json, ']');
    json_close(&json, '}');
    status = json.overflow ? ctl_fail(EX_DATAERR, "the keyset is too long")
                           : print_base64(a, buf_as_text(&json));
    buf_free(&json);
    return status;
}

/* --- jwt rotate ------------------------------------------------------------------------------- */

/* "2026-01-31-1f2e": tells its age, and two made on one day differ. */
static struct text
fresh_kid(struct arena *a)
{
    time_t now = time(NULL);
    struct tm day;

    gmtime_r(&now, &day);
    return arena_printf(a, "%04d-%02d-%02d-%04x", day.tm_year + 1900, day.tm_mon + 1, day.tm_mday,
                        (unsigned)(random_u64() & 0xffff));
}

static int
rotate_keys(struct arena *a, const struct ctl_options *o)
{
    struct text previous, keyset;
    struct text kid = o->kid != NULL ? text_of(o->kid) : fresh_kid(a);
    int status = 0;

    if (o->kid != NULL && !kid_valid(o->kid))
        return ctl_fail(EX_USAGE, "a key's name has 1 to 64 of A-Z a-z 0-9 . _ -");
    status = read_keyset(a, o, &previous);
    if (status != 0)
        return status;
    if (previous.p == NULL || text_trim(previous).len == 0) {
        ctl_fail(0, "there is no keyset yet: this begins one");
        previous = TEXT_NULL;
    }
    if (keyset_rotate(a, previous, kid, &keyset) != E_OK)
        return ctl_fail(EX_DATAERR,
                        "the keyset of before cannot be read, or has a key of this name");
    printf("%.*s\n", TEXT_ARG(keyset));
    fprintf(stderr,
            "New active key: %.*s. Set JWT_KEYSET to the printed text, JWT_ACTIVE_KEY_ID to "
            "that name, and send each pool SIGHUP.\n",
            TEXT_ARG(kid));
    return 0;
}

/* --- the commands ---------------------------------------------------------------------------- */

static int
with_arena(int (*run)(struct arena *, const struct ctl_options *), const struct ctl_options *o)
{
    struct arena *a = arena_new((size_t)8 << 20);
    int status = run(a, o);

    arena_free(a);
    return status;
}

int
ctl_jwt_list(int argc, char **argv)
{
    struct ctl_options o;
    int status = ctl_parse(argc, argv, CTL_CONFIG | CTL_KEYSET, 0, &o);

    return status != 0 ? status : with_arena(list_keys, &o);
}

int
ctl_jwt_retire(int argc, char **argv)
{
    struct ctl_options o;
    int status = ctl_parse(argc, argv, CTL_CONFIG | CTL_KEYSET, 1, &o);

    return status != 0 ? status : with_arena(retire_key, &o);
}

int
ctl_jwt_rotate(int argc, char **argv)
{
    struct ctl_options o;
    int status = ctl_parse(argc, argv, CTL_CONFIG | CTL_KEYSET | CTL_KID, 0, &o);

    return status != 0 ? status : with_arena(rotate_keys, &o);
}
