/* The connection against a real server: what is one transaction, what an error leaves behind, what
 * a lost connection means. Usage: LECTERN_TEST_DATABASE=conninfo test_conn; it makes temporary
 * tables. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "pg/codec.h"
#include "pg/conn.h"
#include "../unit/unit.h"

static const struct pg_stmt set_up = {
    .name = "set_up",
    .text = "create temp table t (n int4 constraint t_n primary key,"
            " m int4 constraint t_m references t (n) deferrable initially deferred)"};
static const struct pg_stmt add = {.name = "add", .text = "insert into t (n) values ($1)"};
static const struct pg_stmt dangle = {.name = "dangle",
                                      .text = "insert into t (n, m) values ($1, 1000)"};
static const struct pg_stmt count = {.name = "count", .text = "select count(*) from t"};
static const struct pg_stmt wrong = {.name = "wrong", .text = "select nothing from nowhere"};
static const struct pg_stmt divide = {.name = "divide", .text = "select 1 / $1"};
static const struct pg_stmt leave = {.name = "leave",
                                     .text = "select pg_terminate_backend(pg_backend_pid())"};

static struct arena *arena;
static struct pg *pg;
static unsigned connections;

static void
on_connected(void *ctx, bool up, unsigned reconnects)
{
    (void)ctx;
    (void)reconnects;
    connections += up;
}

static err
run(const struct pg_stmt *stmt, const int64_t *n, PGresult **ret_result)
{
    static const enum pg_type types[] = {PG_INT4};
    struct pg_value value = pg_encode_null();
    struct pg_query q = {.stmt = stmt, .name = stmt->name, .text = stmt->text, .types = types};
    PGresult *ignored;

    if (n != NULL) {
        value = pg_encode(arena, PG_INT4, n);
        q.values = &value;
        q.nvalues = 1;
    }
    TRY(pg_send(pg, &q));
    return pg_read(pg, arena, ret_result == NULL ? &ignored : ret_result);
}

static err
run_int(const struct pg_stmt *stmt, int64_t n)
{
    return run(stmt, &n, NULL);
}

static int64_t
rows(void)
{
    PGresult *result;

    if (run(&count, NULL, &result) != E_OK)
        return -1;
    int64_t n = pg_get_int(result, 0, 0);
    return pg_commit(pg) == E_OK ? n : -1;
}

static void
begin(void)
{
    const char *const keywords[] = {"dbname"};
    const char *const values[] = {getenv("LECTERN_TEST_DATABASE")};
    struct pg_observer observer = {.connected = on_connected};

    arena = arena_new(1 << 20);
    connections = 0;
    pg = pg_new(keywords, values, 1, &observer);
    CU_ASSERT_EQUAL_FATAL(run(&set_up, NULL, NULL), E_OK);
    CU_ASSERT_EQUAL_FATAL(pg_commit(pg), E_OK);
}

static void
end(void)
{
    arena_reset(arena);
    arena_free(arena);
    pg_free(pg);
}

static void
test_commit_and_rollback(void)
{
    begin();
    CU_ASSERT_EQUAL(run_int(&add, 1), E_OK);
    CU_ASSERT_EQUAL(run_int(&add, 2), E_OK);
    CU_ASSERT_TRUE(pg_in_transaction(pg));
    pg_rollback(pg);
    CU_ASSERT_FALSE(pg_in_transaction(pg));
    CU_ASSERT_EQUAL(rows(), 0);
    CU_ASSERT_EQUAL(run_int(&add, 1), E_OK);
    CU_ASSERT_EQUAL(run_int(&add, 2), E_OK);
    CU_ASSERT_EQUAL(pg_commit(pg), E_OK);
    CU_ASSERT_EQUAL(rows(), 2);
    end();
}

/* The first failure ends the transaction, and what was queued behind it is not done. */
static void
test_failure_in_the_middle(void)
{
    begin();
    CU_ASSERT_EQUAL(run_int(&add, 1), E_OK);
    CU_ASSERT_EQUAL(run_int(&divide, 0), E_INTERNAL);
    CU_ASSERT_NOT_EQUAL(run_int(&add, 3), E_OK);
    pg_rollback(pg);
    CU_ASSERT_EQUAL(rows(), 0);
    CU_ASSERT_EQUAL(run(&wrong, NULL, NULL), E_INTERNAL);
    pg_rollback(pg);
    CU_ASSERT_EQUAL(run_int(&add, 3), E_OK); /* was not prepared while the transaction was lost */
    CU_ASSERT_EQUAL(pg_commit(pg), E_OK);
    CU_ASSERT_EQUAL(rows(), 1);
    CU_ASSERT_EQUAL(connections, 1);
    end();
}

/* What only the commit refuses is an answer like any other; the connection stays. */
static void
test_failure_at_commit(void)
{
    begin();
    CU_ASSERT_EQUAL(run_int(&dangle, 5), E_OK);
    CU_ASSERT_EQUAL(pg_commit(pg), E_IN_USE);
    CU_ASSERT_STRING_EQUAL(pg_last_constraint(pg), "t_m");
    CU_ASSERT_FALSE(pg_was_lost(pg));
    CU_ASSERT_EQUAL(rows(), 0);
    CU_ASSERT_EQUAL(connections, 1);
    end();
}

static void
test_duplicate(void)
{
    begin();
    CU_ASSERT_EQUAL(run_int(&add, 1), E_OK);
    CU_ASSERT_EQUAL(run_int(&add, 1), E_CONFLICT);
    CU_ASSERT_STRING_EQUAL(pg_last_constraint(pg), "t_n");
    CU_ASSERT_EQUAL(pg_commit(pg), E_CONFLICT);
    CU_ASSERT_EQUAL(rows(), 0);
    end();
}

static void
test_lost_connection(void)
{
    begin();
    CU_ASSERT_EQUAL(run(&leave, NULL, NULL), E_UNAVAILABLE);
    CU_ASSERT_TRUE(pg_was_lost(pg));
    CU_ASSERT_FALSE(pg_in_transaction(pg));
    CU_ASSERT_EQUAL(run(&set_up, NULL, NULL), E_OK); /* connected again, prepared again */
    CU_ASSERT_EQUAL(pg_commit(pg), E_OK);
    CU_ASSERT_EQUAL(rows(), 0);
    CU_ASSERT_EQUAL(connections, 2);
    end();
}

/* A statement queued twice before its first answer is prepared once. */
static void
test_twice_in_one_pipeline(void)
{
    struct pg_query q = {.stmt = &count, .name = count.name, .text = count.text};
    PGresult *result;

    begin();
    CU_ASSERT_EQUAL(pg_send(pg, &q), E_OK);
    CU_ASSERT_EQUAL(pg_send(pg, &q), E_OK);
    CU_ASSERT_EQUAL(pg_send_commit(pg), E_OK);
    CU_ASSERT_EQUAL(pg_read(pg, arena, &result), E_OK);
    CU_ASSERT_EQUAL(pg_read(pg, arena, &result), E_OK);
    CU_ASSERT_EQUAL(pg_commit(pg), E_OK);
    end();
}

static void
test_no_server(void)
{
    const char *const keywords[] = {"host", "connect_timeout"};
    const char *const values[] = {"/nonexistent", "1"};

    pg = pg_new(keywords, values, 2, NULL);
    CU_ASSERT_EQUAL(pg_ensure(pg), E_UNAVAILABLE);
    CU_ASSERT_EQUAL(pg_ensure(pg), E_UNAVAILABLE); /* within the pause: refused without a try */
    CU_ASSERT_FALSE(pg_is_up(pg));
    pg_free(pg);
}

int
main(void)
{
    static const struct unit_case cases[] = {
        {"commit and rollback", test_commit_and_rollback},
        {"a failure in the middle", test_failure_in_the_middle},
        {"a failure at commit", test_failure_at_commit},
        {"a duplicate", test_duplicate},
        {"a lost connection", test_lost_connection},
        {"twice in one pipeline", test_twice_in_one_pipeline},
        {"no server", test_no_server},
        {NULL, NULL},
    };

    if (getenv("LECTERN_TEST_DATABASE") == NULL) {
        fprintf(stderr, "test_conn: LECTERN_TEST_DATABASE names no database\n");
        return 64;
    }
    return unit_main("connection", cases);
}
