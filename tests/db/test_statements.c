/* Every named statement, prepared on a migrated database as the application's role: it must parse,
 * and the server's parameter and column types must be those declared. Lists are tried with every
 * filter, operator and sort. Usage: test_statements CONNINFO-of-lectern_app
 * CONNINFO-of-lectern_jobs */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/endpoint.h"
#include "api/statements.h"
#include "base/arena.h"
#include "jobs/statements.h"
#include "pg/codec.h"
#include "pg/list.h"

static unsigned passed, failed;

static void
report(const char *name, const char *fault)
{
    if (fault == NULL) {
        passed++;
        return;
    }
    failed++;
    printf("%s: %s\n", name, fault);
}

static const char *
differs(struct arena *a, const struct pg_query *q, const PGresult *d, bool columns)
{
    if (PQnparams(d) != (int)q->nvalues)
        return "another number of parameters";
    for (int i = 0; i < PQnparams(d); i++) {
        if (PQparamtype(d, i) != pg_type_oid(q->types[i]))
            return arena_printf(a, "parameter %d is of type %u", i + 1, PQparamtype(d, i)).p;
    }
    if (!columns)
        return NULL;
    if (PQnfields(d) != (int)q->stmt->ncolumns)
        return arena_printf(a, "%d columns, not %zu", PQnfields(d), q->stmt->ncolumns).p;
    for (int i = 0; i < PQnfields(d); i++) {
        const struct pg_column *c = &q->stmt->columns[i];
        if (strcmp(PQfname(d, i), c->name) != 0)
            return arena_printf(a, "column %s is called %s", c->name, PQfname(d, i)).p;
        if (PQftype(d, i) != pg_type_oid(c->type))
            return arena_printf(a, "column %s is of type %u", c->name, PQftype(d, i)).p;
    }
    return NULL;
}

static void
try_query(PGconn *conn, struct arena *a, const struct pg_query *q, bool columns)
{
    Oid types[64];

    for (size_t i = 0; i < q->nvalues; i++)
        types[i] = pg_type_oid(q->types[i]);
    PGresult *r = PQprepare(conn, "", q->text, (int)q->nvalues, types);
    if (PQresultStatus(r) != PGRES_COMMAND_OK) {
        report(q->name, PQresultErrorMessage(r));
        PQclear(r);
        return;
    }
    PQclear(r);
    r = PQdescribePrepared(conn, "");
    report(q->name, differs(a, q, r, columns));
    PQclear(r);
}

static void
try_list(PGconn *conn, struct arena *a, const struct pg_stmt *s, const struct pg_value *own)
{
    struct pg_query q;

    for (unsigned i = 0; i < s->nsorts; i++) {
        struct pg_list l = {
            .nsorts = 1, .sort = {{i, true}}, .after = true, .limit = 1, .offset = 1};
        pg_list_query(a, s, &l, own, &q);
        try_query(conn, a, &q, true);
        l.offset = 0;
        pg_list_query(a, s, &l, own, &q);
        try_query(conn, a, &q, true);
    }
    for (unsigned i = 0; i < s->nfilters; i++) {
        for (unsigned op = FILTER_EQ; op <= FILTER_SEARCH; op <<= 1) {
            struct pg_list l = {.nfilters = 1,
                                .filter = {{i, (enum pg_filter_op)op, {NULL, 0, 1}}}};
            if ((s->filters[i].ops & op) == 0)
                continue;
            pg_list_query(a, s, &l, own, &q);
            try_query(conn, a, &q, true);
            pg_list_count(a, s, &l, own, &q);
            try_query(conn, a, &q, false);
        }
    }
}

static void
try_all(PGconn *conn, const struct pg_stmt *const *stmts, size_t count)
{
    struct arena *a = arena_new(1 << 24);

    for (size_t k = 0; k < count; k++, arena_reset(a)) {
        const struct pg_stmt *s = stmts[k];
        struct pg_value *own = arena_array(a, s->nparams + 1, sizeof *own);
        enum pg_type *types = arena_array(a, s->nparams + 1, sizeof *types);
        struct pg_query q = {.stmt = s,
                             .name = s->name,
                             .text = s->text,
                             .types = types,
                             .values = own,
                             .nvalues = s->nparams};

        for (size_t i = 0; i < s->nparams; i++)
            types[i] = s->params[i].type;
        if (s->kind == STMT_LIST)
            try_list(conn, a, s, own);
        else
            try_query(conn, a, &q, true);
    }
    arena_free(a);
}

static PGconn *
open_database(const char *conninfo)
{
    PGconn *conn = PQconnectdb(conninfo);

    if (PQstatus(conn) != CONNECTION_OK) {
        fprintf(stderr, "test_statements: %s", PQerrorMessage(conn));
        exit(EXIT_FAILURE);
    }
    PQclear(PQexec(conn, "set search_path = ''"));
    return conn;
}

int
main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "Usage: test_statements APP-CONNINFO JOBS-CONNINFO\n");
        return 64;
    }
    PGconn *app = open_database(argv[1]), *jobs = open_database(argv[2]);
    try_all(app, api_statements, api_statement_count);
    try_all(app, sql_statements, sql_statement_count);
    try_all(jobs, job_statements, job_statement_count);
    PQfinish(app);
    PQfinish(jobs);
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 && passed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
