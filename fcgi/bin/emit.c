/* Writes what is produced from the rows and the settings: to standard output, or all of it into a
 * tree. Part of the build and its tests; it is not installed. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/emit.h"
#include "api/route.h"
#include "base/buf.h"
#include "base/settings.h"

#define DOCUMENT_MAX ((size_t)64 << 20)
#define EXIT_USAGE 64
#define EXIT_FAULTS 65
#define EXIT_SYSTEM 71

struct document {
    const char *name;
    const char *path; /* below the tree */
    void (*emit)(struct buf *out);
};

/* --- pretty JSON ----------------------------------------------------------------------------- */

static void
pretty_line(struct buf *out, size_t depth)
{
    buf_char(out, '\n');
    for (size_t i = 0; i < depth; i++)
        buf_z(out, "  ");
}

/* The string at p, with its quotes. */
static size_t
pretty_string(const char *p, const char *end)
{
    const char *q = p + 1;

    while (q < end && *q != '"')
        q += *q == '\\' ? 2 : 1;
    return (size_t)(q + 1 - p);
}

/* Valid compact JSON, two blanks a level; what is empty stays on its line. */
static void
pretty(struct buf *out, struct text json)
{
    const char *end = json.p + json.len;
    size_t depth = 0;

    for (const char *p = json.p; p < end; p++) {
        if (*p == '"') {
            size_t n = pretty_string(p, end);
            buf_add(out, p, n);
            p += n - 1;
        } else if (*p == '{' || *p == '[') {
            buf_char(out, *p);
            if (p[1] == '}' || p[1] == ']')
                buf_char(out, *++p);
            else
                pretty_line(out, ++depth);
        } else if (*p == '}' || *p == ']') {
            pretty_line(out, --depth);
            buf_char(out, *p);
        } else {
            buf_char(out, *p);
            if (*p == ',')
                pretty_line(out, depth);
            else if (*p == ':')
                buf_char(out, ' ');
        }
    }
    buf_char(out, '\n');
}

static void
document_openapi(struct buf *out)
{
    struct buf compact;

    buf_init(&compact, 1U << 20, DOCUMENT_MAX);
    emit_openapi(&compact);
    if (compact.overflow)
        out->overflow = true;
    else
        pretty(out, buf_as_text(&compact));
    buf_free(&compact);
}

static void
document_configuration(struct buf *out)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);

    if (memory != NULL) {
        settings_emit_markdown(memory);
        if (fclose(memory) == 0)
            buf_add(out, text, size);
    }
    out->overflow = out->overflow || size == 0;
    free(text);
}

static const struct document documents[] = {
    {"openapi", "docs/api/openapi.json", document_openapi},
    {"reference", "docs/api/reference.md", emit_reference},
    {"grants", "docs/api/grants.md", emit_grants},
    {"errors", "docs/api/errors.md", emit_errors},
    {"metric-labels", "docs/api/metric-labels.md", emit_metric_labels},
    {"configuration", "docs/configuration.md", document_configuration},
    {"nginx-pools", "nginx/generated/pools.conf", emit_nginx_pools},
    {"nginx-limits", "nginx/generated/limits.conf", emit_nginx_limits},
};
#define DOCUMENTS (sizeof documents / sizeof documents[0])

/* --- commands -------------------------------------------------------------------------------- */

static bool
write_document(const struct document *d, FILE *out)
{
    struct buf b;
    bool good;

    buf_init(&b, 65536, DOCUMENT_MAX);
    d->emit(&b);
    good = !b.overflow && fwrite(b.p, 1, b.len, out) == b.len && fflush(out) == 0;
    buf_free(&b);
    return good;
}

/* Beside its place first: a tree never holds half a document. */
static bool
write_file(const struct document *d, const char *tree)
{
    char path[4096], fresh[4096 + 8];
    FILE *out;
    bool good;

    if (snprintf(path, sizeof path, "%s/%s", tree, d->path) >= (int)sizeof path)
        return false;
    snprintf(fresh, sizeof fresh, "%s.new", path);
    out = fopen(fresh, "w");
    good = out != NULL && write_document(d, out);
    if (out != NULL && fclose(out) != 0)
        good = false;
    if (good && rename(fresh, path) == 0)
        return true;
    fprintf(stderr, "emit: %s: %s\n", path, strerror(errno));
    if (out != NULL)
        remove(fresh);
    return false;
}

static int
emit_all(const char *tree)
{
    for (size_t i = 0; i < DOCUMENTS; i++) {
        if (!write_file(&documents[i], tree))
            return EXIT_SYSTEM;
    }
    return EXIT_SUCCESS;
}

static int
emit_one(const char *name)
{
    for (size_t i = 0; i < DOCUMENTS; i++) {
        if (strcmp(documents[i].name, name) == 0)
            return write_document(&documents[i], stdout) ? EXIT_SUCCESS : EXIT_SYSTEM;
    }
    return EXIT_USAGE;
}

static int
usage(void)
{
    fputs("usage: emit check\n       emit all DIRECTORY\n", stderr);
    for (size_t i = 0; i < DOCUMENTS; i++)
        fprintf(stderr, "       emit %s\n", documents[i].name);
    return EXIT_USAGE;
}

int
main(int argc, char **argv)
{
    int status = EXIT_USAGE;

    if (routes_build(stderr) > 0)
        return EXIT_FAULTS;
    if (argc == 2 && strcmp(argv[1], "check") == 0)
        return emit_check(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAULTS;
    if (argc == 3 && strcmp(argv[1], "all") == 0)
        return emit_all(argv[2]);
    if (argc == 2)
        status = emit_one(argv[1]);
    return status == EXIT_USAGE ? usage() : status;
}
