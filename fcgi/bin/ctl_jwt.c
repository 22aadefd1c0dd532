#include "bin/ctl.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "auth/keyset_parts.h"
#include "base/arena.h"
#include "base/encode.h"
#include "base/settings.h"
#include "base/text.h"

#define KEYSET_BYTES_MAX ((size_t)256 * 1024)

struct keys {
    size_t count;
    struct key_entry entries[KEYSET_MAX];
};

/* --- reading -------------------------------------------------------------------------------- */

static int
read_file(struct arena *a, const char *path, struct text *ret_content)
{
    bool own = strcmp(path, "-") != 0;
    FILE *f = own ? fopen(path, "re") : stdin;
    char *content = arena_alloc(a, KEYSET_BYTES_MAX + 1);

    if (f == NULL)
        return ctl_fail(EX_NOINPUT, "cannot read %s: %s", path, strerror(errno));
    size_t len = fread(content, 1, KEYSET_BYTES_MAX + 1, f);
    bool failed = ferror(f) != 0;
    if (own)
        fclose(f);
    if (failed)
        return ctl_fail(EX_IOERR, "cannot read %s", path);
    if (len > KEYSET_BYTES_MAX)
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

/* As with read_keyset, but there has to be one. */
static int
read_entries(struct arena *a, const struct ctl_options *o, struct text *ret_base64,
             struct keys *ret_keys)
{
    int status = read_keyset(a, o, ret_base64);

    *ret_keys = (struct keys){.count = 0};
    if (status != 0)
        return status;
    if (text_trim(*ret_base64).len == 0)
        return ctl_fail(EX_DATAERR, "there is no keyset: it is empty");
    if (!keyset_parse(a, *ret_base64, ret_keys->entries, &ret_keys->count, stderr))
        return ctl_fail(EX_DATAERR, "the keyset cannot be read");
    return 0;
}

static int
print_keyset(struct text base64)
{
    printf("%.*s\n", TEXT_ARG(base64));
    return 0;
}

/* --- jwt list, jwt retire --------------------------------------------------------------------- */

static int
list_keys(struct arena *a, const struct ctl_options *o)
{
    struct keys keys;
    struct text base64;
    int status = read_entries(a, o, &base64, &keys);

    for (size_t i = 0; status == 0 && i < keys.count; i++) {
        const struct key_entry *e = &keys.entries[i];
        printf("%-32.*s %-6.*s %-8.*s %s\n", TEXT_ARG(e->kid), TEXT_ARG(e->alg), TEXT_ARG(e->state),
               e->private_pem.p != NULL ? "private" : "public");
    }
    return status;
}

static int
retire_key(struct arena *a, const struct ctl_options *o)
{
    struct text base64, next;
    struct keys keys;
    int status = read_entries(a, o, &base64, &keys);

    if (status != 0)
        return status;
    switch (keyset_retire(a, base64, text_of(o->args[0]), &next)) {
    case E_OK:
        return print_keyset(next);
    case E_NOT_FOUND:
        return ctl_fail(EX_DATAERR, "the keyset has no key of this name");
    case E_CONFLICT:
        return ctl_fail(EX_DATAERR, "this is the only active key: rotate first");
    default:
        return ctl_fail(EX_DATAERR, "the keyset is too long");
    }
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
read_fresh(struct arena *a, const struct ctl_options *o, struct keyset_fresh *ret_fresh)
{
    *ret_fresh = (struct keyset_fresh){
        .kid = o->kid != NULL ? text_of(o->kid) : fresh_kid(a), .alg = KEY_RS256, .next = o->next};
    if (!kid_valid(ret_fresh->kid))
        return ctl_fail(EX_USAGE, "a key's name has 1 to 64 of A-Z a-z 0-9 . _ -");
    if (o->alg != NULL && !key_alg_named(text_of(o->alg), &ret_fresh->alg))
        return ctl_fail(EX_USAGE, "the algorithm is RS256 or ES256");
    return 0;
}

/* The first key of an installation: nobody has a token that could be refused. */
static int
begin_keyset(struct arena *a, struct keyset_fresh *fresh)
{
    struct text base64;

    fresh->next = false;
    if (keyset_rotate(a, TEXT_NULL, fresh, &base64) != E_OK)
        return ctl_fail(EX_SOFTWARE, "no key could be made");
    ctl_fail(0, "there is no keyset yet: this begins one");
    fprintf(stderr, "New active key: %.*s.\n", TEXT_ARG(fresh->kid));
    return print_keyset(base64);
}

static int
add_key(struct arena *a, struct text previous, const struct keyset_fresh *fresh)
{
    struct text base64;

    if (keyset_rotate(a, previous, fresh, &base64) != E_OK)
        return ctl_fail(EX_DATAERR, "the keyset is full, or has a key of this name");
    if (fresh->next)
        fprintf(
            stderr,
            "Next key: %.*s. Set JWT_KEYSET to the printed text and send each pool SIGHUP; once "
            "all have reloaded, rotate again: then it signs.\n",
            TEXT_ARG(fresh->kid));
    else
        fprintf(stderr,
                "New active key: %.*s. Set JWT_KEYSET to the printed text and send each pool "
                "SIGHUP. Workers of before refuse its tokens until they are renewed: "
                "'jwt rotate --next' first avoids that.\n",
                TEXT_ARG(fresh->kid));
    return print_keyset(base64);
}

static int
activate_key(struct arena *a, const struct ctl_options *o, struct text previous)
{
    struct text base64, kid;

    if (o->next || o->kid != NULL || o->alg != NULL)
        return ctl_fail(EX_DATAERR, "a next key waits: rotate without options, or retire it");
    if (keyset_activate(a, previous, &kid, &base64) != E_OK)
        return ctl_fail(EX_DATAERR, "the keyset has two next keys, or one that cannot sign");
    fprintf(stderr,
            "New active key: %.*s. Set JWT_KEYSET to the printed text and send each pool SIGHUP; "
            "retire the key of before when its tokens have expired.\n",
            TEXT_ARG(kid));
    return print_keyset(base64);
}

static int
rotate_keys(struct arena *a, const struct ctl_options *o)
{
    struct keyset_fresh fresh;
    struct text previous;
    struct keys keys;
    bool waits = false;
    int status = read_fresh(a, o, &fresh);

    if (status == 0)
        status = read_keyset(a, o, &previous);
    if (status != 0)
        return status;
    if (text_trim(previous).len == 0)
        return begin_keyset(a, &fresh);
    if (!keyset_parse(a, previous, keys.entries, &keys.count, stderr))
        return ctl_fail(EX_DATAERR, "the keyset of before cannot be read");
    for (size_t i = 0; i < keys.count; i++)
        waits = waits || key_entry_is(&keys.entries[i], KEY_NEXT);
    return waits ? activate_key(a, o, previous) : add_key(a, previous, &fresh);
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
    int status =
        ctl_parse(argc, argv, CTL_CONFIG | CTL_KEYSET | CTL_KID | CTL_ALG | CTL_NEXT, 0, &o);

    return status != 0 ? status : with_arena(rotate_keys, &o);
}
