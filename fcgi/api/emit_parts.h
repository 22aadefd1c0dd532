/* What the emitters share: facts that follow from a row, and the schemas by name. Only they and
 * their tests include this. */
#ifndef LECTERN_API_EMIT_PARTS_H
#define LECTERN_API_EMIT_PARTS_H

#include <stdbool.h>
#include <stddef.h>

#include "api/endpoint.h"
#include "api/route.h"
#include "base/buf.h"

/* --- facts of a row (emit_facts.c) -------------------------------------------------------- */

struct err_set {
    bool has[E_COUNT];
};

/* What the gates can answer for this kind of row, without its own `fails`. */
void facts_gate_errors(const struct route *t, struct err_set *ret_set);
/* The same with them. */
void facts_errors(const struct route *t, struct err_set *ret_set);
/* The errors that every row has. */
void facts_common_errors(struct err_set *ret_set);

enum facts_body { FACTS_NO_BODY, FACTS_JSON, FACTS_JSON_OPTIONAL, FACTS_CSV };
enum facts_body facts_body(const struct endpoint *e);

bool facts_any(bool (*is)(const struct endpoint *)); /* is there such a row? */
bool facts_is_list(const struct endpoint *e);
bool facts_safe(const struct endpoint *e);       /* GET */
int facts_status(const struct endpoint *e);      /* of success */
int facts_status_also(const struct endpoint *e); /* another with the same data, or 0 */
bool facts_csrf(const struct endpoint *e);       /* under a cookie x-csrf-token is needed */
bool facts_idempotent(const struct endpoint *e); /* Idempotency-Key is honoured */
bool facts_if_match(const struct endpoint *e);   /* a statement compares the version */
bool facts_versioned(const struct endpoint *e);  /* answers carry ETag and Last-Modified */
const struct pg_stmt *facts_list(const struct endpoint *e); /* the list's statement, or NULL */
/* The statement whose columns the data are, or NULL. */
const struct pg_stmt *facts_columns(const struct endpoint *e);
/* The statement's column of that name, or NULL. */
const struct pg_column *facts_column(const struct pg_stmt *stmt, const char *name);

/* What a list takes besides its filters; api/bind_list.c enforces it. */
#define FACTS_IN_MAX 50
#define FACTS_FILTER_TEXT_MAX 255

/* A filter's spellings: {FILTER_GTE, "[gte]"}; ended by one whose suffix is NULL. */
struct filter_form {
    unsigned op;
    const char *suffix;
    const char *meaning;
};
extern const struct filter_form filter_forms[];

extern const unsigned all_roles[]; /* ended by 0 */

/* --- schemas by name (emit_schema.c) ------------------------------------------------------ */

enum component_kind { COMPONENT_BODY, COMPONENT_REPLY, COMPONENT_COLUMNS };

struct component {
    enum component_kind kind;
    const struct shape *shape;  /* of a body and a reply */
    const struct pg_stmt *stmt; /* of columns */
    char name[80];
};

#define COMPONENTS_MAX 1024

struct components {
    struct component item[COMPONENTS_MAX];
    size_t count;
};

/* Every schema that the rows need, in their order, each once. What does not fit is left out, and
 * written where it is used. */
void components_collect(struct components *ret_components);
const struct component *components_shape(const struct components *c, enum component_kind kind,
                                         const struct shape *shape);
const struct component *components_columns(const struct components *c, const struct pg_stmt *stmt);

void schema_component(struct buf *b, const struct components *c, const struct component *item);
/* A reference where there is a component, the schema itself otherwise. */
void schema_shape(struct buf *b, const struct components *c, enum component_kind kind,
                  const struct shape *shape);
void schema_columns(struct buf *b, const struct components *c, const struct pg_stmt *stmt);
/* The member "parameters" of an operation, and the components that they refer to. */
void schema_parameters(struct buf *b, const struct route *t);
void components_parameters(struct buf *b);
void schema_ref(struct buf *b, const char *section, const char *name);

#endif
