#include <stdlib.h>
#include <string.h>

#include "api/emit.h"
#include "api/emit_parts.h"

/* One line of a map: a method, a path and the row behind both. */
struct entry {
    const char *method;
    const char *path;
    bool pattern;
};

#define ENTRIES_MAX 1024

struct entries {
    struct entry entry[ENTRIES_MAX];
    size_t count;
};

static int
entry_order(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = strcmp(x->path, y->path);

    return order != 0 ? order : strcmp(x->method, y->method);
}

static void
entries_add(struct entries *list, const struct route *t, const char *method)
{
    if (list->count < ENTRIES_MAX)
        list->entry[list->count++] = (struct entry){method, t->full, t->nparams > 0};
}

/* The rows that are meant, by path; HEAD goes where GET goes. */
static void
entries_collect(struct entries *ret_list, bool (*meant)(const struct endpoint *))
{
    ret_list->count = 0;
    for (size_t i = 0; i < routes_count(); i++) {
        const struct route *t = route_at(i);
        if (!meant(t->row))
            continue;
        entries_add(ret_list, t, wire_method_name(t->row->method));
        if (t->row->method == METHOD_GET)
            entries_add(ret_list, t, "HEAD");
    }
    qsort(ret_list->entry, ret_list->count, sizeof ret_list->entry[0], entry_order);
}

/* Paths are of [a-z0-9/._-] and {parameters}: a dot is all that a pattern must escape. */
static void
entry_pattern(struct buf *out, const struct entry *e)
{
    buf_z(out, "~^");
    buf_z(out, e->method);
    buf_char(out, ':');
    for (const char *p = e->path; *p != '\0'; p++) {
        if (*p == '{') {
            buf_z(out, "[^/]+");
            p += strcspn(p, "}");
        } else {
            if (*p == '.')
                buf_char(out, '\\');
            buf_char(out, *p);
        }
    }
    buf_z(out, "\\z");
}

static void
entry_write(struct buf *out, const struct entry *e, const char *value)
{
    buf_z(out, "    \"");
    if (e->pattern)
        entry_pattern(out, e);
    else {
        buf_z(out, e->method);
        buf_char(out, ':');
        buf_z(out, e->path);
    }
    buf_z(out, "\" ");
    buf_z(out, value);
    buf_z(out, ";\n");
}

static void
entries_write(struct buf *out, bool (*meant)(const struct endpoint *), const char *value)
{
    struct entries list;

    entries_collect(&list, meant);
    for (size_t i = 0; i < list.count; i++)
        entry_write(out, &list.entry[i], value);
    if (list.count == ENTRIES_MAX)
        out->overflow = true;
}

static bool
row_auth_pool(const struct endpoint *e)
{
    return e->pool == POOL_AUTH;
}

static bool
row_signin(const struct endpoint *e)
{
    return rate_of(e) == RATE_AUTH;
}

void
emit_nginx_pools(struct buf *out)
{
    buf_z(out, "# Produced by emit from the endpoint rows. Do not edit.\n"
               "# The pool that answers a route; everything not named here is answered by the api "
               "pool.\n"
               "map \"$request_method:$uri\" $lectern_pool {\n"
               "    default lectern_api;\n");
    entries_write(out, row_auth_pool, "lectern_auth");
    buf_z(out, "}\n");
}

void
emit_nginx_limits(struct buf *out)
{
    buf_z(out, "# Produced by emit from the endpoint rows. Do not edit.\n"
               "# Routes of the sign-in class are counted by address in a tighter zone; an empty "
               "key is not counted.\n"
               "map \"$request_method:$uri\" $lectern_signin_key {\n"
               "    default \"\";\n");
    entries_write(out, row_signin, "$lectern_address_key");
    buf_z(out, "}\n");
}
