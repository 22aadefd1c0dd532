#include "api/tx.h"

#include "api/run.h"
#include "api/session.h"
#include "api/statements.h"
#include "base/timestamp.h"
#include "pg/codec.h"

/* Safe methods run read-only; the database enforces it. */
static bool
tx_read_only(const struct req *r)
{
    return r->row->method == METHOD_GET;
}

static err
tx_queue(struct req *r, const struct pg_stmt *stmt, const void *params)
{
    struct pg_query q = pg_query_of(r->arena, stmt, pg_encode_params(r->arena, stmt, params));

    r->prelude++;
    return pg_send(r->api->pg, &q);
}

static err
tx_queue_identity(struct req *r)
{
    struct text role = r->known ? text_of(r->claims.role) : TEXT("");

    if (tx_read_only(r)) {
        struct api_identity_read_params read = {.user_id = r->claims.user,
                                                .has_user_id = r->known,
                                                .org_id = r->claims.org,
                                                .has_org_id = r->known,
                                                .role = role};
        return tx_queue(r, &api_identity_read, &read);
    }
    struct api_identity_write_params write = {
        .user_id = r->claims.user,
        .has_user_id = r->known,
        .org_id = r->claims.org,
        .has_org_id = r->known,
        .role = role,
        .request_id = r->http->request_id,
        .client_ip = r->http->address,
        .audit_action = text_of(r->row->audit.action == NULL ? "" : r->row->audit.action)};
    return tx_queue(r, &api_identity_write, &write);
}

static err
tx_queue_session_check(struct req *r)
{
    struct api_session_check_params p = {.session_id = r->claims.session,
                                         .user_id = r->claims.user,
                                         .org_id = r->claims.org,
                                         .role = text_of(r->claims.role)};
    return tx_queue(r, &api_session_check, &p);
}

static err
tx_begin(struct req *r)
{
    r->begun = true;
    TRY(tx_queue_identity(r));
    return r->session_check ? tx_queue_session_check(r) : E_OK;
}

/* The answers to what was queued before the first statement of the run. */
static err
tx_read_prelude(struct req *r)
{
    bool checked = r->session_check && r->prelude > 0;
    PGresult *ignored;

    for (; r->prelude > 0; r->prelude--)
        TRY(pg_read(r->api->pg, r->arena, &ignored));
    if (checked) {
        session_checked(&r->claims.session);
        r->session_check = false;
    }
    return E_OK;
}

static err
tx_noting(struct req *r, err e)
{
    if (e != E_OK)
        r->failed = true;
    return e;
}

err
tx_send(struct req *r, const struct pg_query *q)
{
    if (!r->begun)
        TRY(tx_noting(r, tx_begin(r)));
    return tx_noting(r, pg_send(r->api->pg, q));
}

err
req_commit(struct req *r)
{
    TRY(tx_commit(r));
    r->begun = false;
    return E_OK;
}

err
req_become(struct req *r, const struct token_claims *claims)
{
    PGresult *ignored;

    r->claims = *claims;
    r->role = role_from_name(claims->role);
    r->known = true;
    TRY(tx_noting(r, tx_queue_identity(r)));
    r->prelude--;
    return tx_read(r, &ignored);
}

err
tx_send_stmt(struct req *r, const struct pg_stmt *stmt, const struct pg_value *values)
{
    struct pg_query q = pg_query_of(r->arena, stmt, values);
    return tx_send(r, &q);
}

err
tx_send_commit(struct req *r)
{
    return tx_noting(r, pg_send_commit(r->api->pg));
}

err
tx_read(struct req *r, PGresult **ret_result)
{
    int64_t started = clock_us();
    err e = tx_read_prelude(r);

    if (e == E_OK)
        e = pg_read(r->api->pg, r->arena, ret_result);
    r->db_us += clock_us() - started;
    return tx_noting(r, e);
}

err
tx_commit(struct req *r)
{
    int64_t started = clock_us();

    if (!r->begun)
        return E_OK; /* what asks nothing of the database is answered without one */
    err e = pg_commit(r->api->pg);

    r->db_us += clock_us() - started;
    return tx_noting(r, e);
}

void
tx_rollback(struct req *r)
{
    pg_rollback(r->api->pg);
    r->begun = r->failed = false;
    r->prelude = 0;
}

err
tx_prelude(struct req *r, const struct pg_stmt *stmt, const void *params)
{
    if (!r->begun)
        TRY(tx_noting(r, tx_begin(r)));
    return tx_noting(r, tx_queue(r, stmt, params));
}

/* --- the runtime of the generated wrappers ----------------------------------------------- */

static err
stmt_result(struct req *r, const struct pg_stmt *stmt, const void *params, PGresult **ret_result)
{
    TRY(tx_send_stmt(r, stmt, pg_encode_params(r->arena, stmt, params)));
    return tx_read(r, ret_result);
}

err
stmt_exec(struct req *r, const struct pg_stmt *stmt, const void *params)
{
    PGresult *ignored;
    return stmt_result(r, stmt, params, &ignored);
}

err
stmt_maybe(struct req *r, const struct pg_stmt *stmt, const void *params, void *ret_row,
           bool *ret_found)
{
    PGresult *result;

    TRY(stmt_result(r, stmt, params, &result));
    return pg_decode_first(r->arena, stmt, result, ret_row, ret_found);
}

err
stmt_one(struct req *r, const struct pg_stmt *stmt, const void *params, void *ret_row)
{
    bool found;

    TRY(stmt_maybe(r, stmt, params, ret_row, &found));
    return found ? E_OK : E_NOT_FOUND;
}

err
stmt_many(struct req *r, const struct pg_stmt *stmt, const void *params, void **ret_rows,
          size_t *ret_count)
{
    PGresult *result;

    TRY(stmt_result(r, stmt, params, &result));
    return pg_decode_rows(r->arena, stmt, result, ret_rows, ret_count);
}
