#include "api/route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "/api/v1"
#define METHODS (METHOD_OTHER + 1)

/* One path segment. Literal children are tried before the parameter. */
struct node {
    const char *literal; /* NULL for a parameter */
    size_t len;
    struct node *child;
    struct node *next;
    const struct route *route[METHODS];
};

static struct route *routes;
static size_t nroutes;
static struct node root;

size_t
routes_count(void)
{
    return nroutes;
}

const struct route *
route_at(size_t number)
{
    return &routes[number];
}

const struct route *
route_by_id(const char *id)
{
    for (size_t i = 0; i < nroutes; i++) {
        if (strcmp(routes[i].row->id, id) == 0)
            return &routes[i];
    }
    return NULL;
}

const struct route *
route_of(const struct endpoint *row)
{
    for (size_t i = 0; i < nroutes; i++) {
        if (routes[i].row == row)
            return &routes[i];
    }
    return NULL;
}

/* --- building ------------------------------------------------------------------------------ */

static struct node *
node_child(struct node *parent, const char *segment, size_t len)
{
    bool parameter = segment[0] == '{';
    struct node **at = &parent->child;

    while (*at != NULL) {
        bool same = parameter ? (*at)->literal == NULL
                              : (*at)->literal != NULL && (*at)->len == len &&
                                    memcmp((*at)->literal, segment, len) == 0;
        if (same)
            return *at;
        if ((*at)->literal == NULL) /* the parameter stays last */
            break;
        at = &(*at)->next;
    }
    struct node *n = calloc(1, sizeof *n);
    if (n == NULL)
        abort();
    n->literal = parameter ? NULL : segment;
    n->len = len;
    n->next = *at;
    *at = n;
    return n;
}

static void
route_add_param(struct route *t, const char *segment, size_t len)
{
    size_t i = t->nparams;

    if (i == PATH_PARAMS_MAX || len < 3 || len - 2 >= sizeof t->names[0])
        return;
    memcpy(t->names[i], segment + 1, len - 2);
    t->param_name[i] = t->names[i];
    t->param_field[i] = -1;
    for (size_t f = 0; t->row->in != NULL && f < t->row->in->count; f++) {
        const struct field *d = &t->row->in->fields[f];
        if (d->place == IN_PATH && strcmp(d->name, t->names[i]) == 0)
            t->param_field[i] = (int)f;
    }
    t->nparams++;
}

static struct node *
route_insert(struct route *t)
{
    struct node *n = &root;

    for (const char *p = t->full; *p == '/';) {
        size_t len = strcspn(p + 1, "/");
        if (p[1] == '{')
            route_add_param(t, p + 1, len);
        n = node_child(n, p + 1, len);
        p += 1 + len;
    }
    return n;
}

static int
route_param_index(const struct route *t, const char *name)
{
    for (size_t i = 0; i < t->nparams; i++) {
        if (strcmp(t->param_name[i], name) == 0)
            return (int)i;
    }
    return -1;
}

static int
route_field_index(const struct route *t, const char *name)
{
    for (size_t i = 0; t->row->in != NULL && i < t->row->in->count; i++) {
        if (strcmp(t->row->in->fields[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}

static bool
route_source(const struct route *t, const char *name, struct source *ret_source)
{
    int i;

    if (strcmp(name, "new_id") == 0) {
        *ret_source = (struct source){SOURCE_NEW_ID, 0};
        return true;
    }
    if (strcmp(name, "own_session") == 0) {
        *ret_source = (struct source){SOURCE_SESSION, 0};
        return true;
    }
    if (strcmp(name, "if_match") == 0) {
        *ret_source = (struct source){SOURCE_IF_MATCH, 0};
        return true;
    }
    if ((i = route_field_index(t, name)) >= 0) {
        *ret_source = (struct source){SOURCE_FIELD, (unsigned)i};
        return true;
    }
    if ((i = route_param_index(t, name)) >= 0) {
        *ret_source = (struct source){SOURCE_PATH, (unsigned)i};
        return true;
    }
    if (strncmp(name, "sent_", 5) == 0 && (i = route_field_index(t, name + 5)) >= 0) {
        *ret_source = (struct source){SOURCE_SENT, (unsigned)i};
        return true;
    }
    return false;
}

bool
route_sources(const struct route *t, const struct pg_stmt *stmt, struct source *ret_sources,
              FILE *faults)
{
    bool good = true;

    if (stmt->nparams > SQL_PARAMS_MAX)
        return false;
    for (size_t i = 0; i < stmt->nparams; i++) {
        if (route_source(t, stmt->params[i].name, &ret_sources[i]))
            continue;
        if (faults != NULL)
            fprintf(faults, "%s: statement %s wants %s, which the row does not have\n", t->row->id,
                    stmt->name, stmt->params[i].name);
        good = false;
    }
    return good;
}

static bool
route_takes_if_match(const struct pg_stmt *stmt)
{
    for (size_t i = 0; stmt != NULL && i < stmt->nparams; i++) {
        if (strcmp(stmt->params[i].name, "if_match") == 0)
            return true;
    }
    return false;
}

static size_t
route_build(struct route *t, FILE *faults)
{
    const struct endpoint *e = t->row;
    bool absolute = strncmp(e->path, "//", 2) == 0;
    size_t bad = 0;
    struct node *n;

    snprintf(t->full, sizeof t->full, "%s%s", absolute ? "" : PREFIX, e->path + (absolute ? 1 : 0));
    n = route_insert(t);
    if (n->route[e->method] != NULL) {
        fprintf(faults, "%s: %s %s is served already by %s\n", e->id, wire_method_name(e->method),
                t->full, n->route[e->method]->row->id);
        bad++;
    }
    n->route[e->method] = t;
    t->conditional = route_takes_if_match(e->sql) || route_takes_if_match(e->reply_sql);
    bad += e->sql != NULL && !route_sources(t, e->sql, t->sql_source, faults);
    bad += e->probe != NULL && !route_sources(t, e->probe, t->probe_source, faults);
    return bad;
}

size_t
routes_build(FILE *faults)
{
    size_t bad = 0;

    nroutes = 0;
    for (size_t d = 0; d < app_domain_count; d++)
        nroutes += app_domains[d]->count;
    routes = calloc(nroutes + 1, sizeof *routes);
    if (routes == NULL)
        abort();
    nroutes = 0;
    for (size_t d = 0; d < app_domain_count; d++) {
        for (size_t i = 0; i < app_domains[d]->count; i++) {
            struct route *t = &routes[nroutes];
            t->row = &app_domains[d]->rows[i];
            t->domain = app_domains[d];
            t->number = (unsigned)nroutes++;
            bad += route_build(t, faults);
        }
    }
    return bad;
}

/* --- finding ------------------------------------------------------------------------------- */

#define SEGMENTS_MAX 16

struct search {
    struct text segment[SEGMENTS_MAX];
    size_t count;
    unsigned taken[PATH_PARAMS_MAX]; /* segments that matched a parameter */
    size_t ntaken;
};

static bool
search_split(struct text path, struct search *ret_search)
{
    const char *p = path.p, *end = path.p + path.len;

    while (p < end && *p == '/') {
        const char *q = memchr(p + 1, '/', (size_t)(end - p - 1));
        if (q == NULL)
            q = end;
        if (ret_search->count == SEGMENTS_MAX)
            return false;
        ret_search->segment[ret_search->count++] = (struct text){p + 1, (size_t)(q - p - 1)};
        p = q;
    }
    return p == end;
}

static unsigned
node_allowed(const struct node *n)
{
    unsigned bits = 0;

    for (unsigned m = METHOD_GET; m < METHODS; m++) {
        if (n->route[m] != NULL)
            bits |= 1U << m;
    }
    if (n->route[METHOD_GET] != NULL)
        bits |= 1U << METHOD_HEAD;
    return bits == 0 ? 0 : bits | 1U << METHOD_OPTIONS;
}

/* Depth first, literal before parameter; depth is bounded by SEGMENTS_MAX. */
static const struct node *
search_node(struct search *s, const struct node *n, size_t depth)
{
    if (depth == s->count)
        return node_allowed(n) == 0 ? NULL : n;
    struct text segment = s->segment[depth];
    for (const struct node *c = n->child; c != NULL; c = c->next) {
        const struct node *found;
        size_t before = s->ntaken;

        if (c->literal != NULL &&
            (c->len != segment.len || memcmp(c->literal, segment.p, segment.len) != 0))
            continue;
        if (c->literal == NULL) {
            if (segment.len == 0 || s->ntaken == PATH_PARAMS_MAX)
                continue;
            s->taken[s->ntaken++] = (unsigned)depth;
        }
        found = search_node(s, c, depth + 1);
        if (found != NULL)
            return found;
        s->ntaken = before;
    }
    return NULL;
}

const struct route *
route_find(enum wire_method method, struct text path, struct text ret_params[PATH_PARAMS_MAX],
           unsigned *ret_allowed)
{
    struct search s = {.count = 0};
    const struct node *n;

    *ret_allowed = 0;
    if (!search_split(path, &s) || (n = search_node(&s, &root, 0)) == NULL)
        return NULL;
    *ret_allowed = node_allowed(n);
    for (size_t i = 0; i < s.ntaken; i++)
        ret_params[i] = s.segment[s.taken[i]];
    return n->route[method == METHOD_HEAD ? METHOD_GET : method];
}
