#include "api/idempotency.h"

#include <libpq-fe.h>
#include <string.h>

#include "api/metrics.h"
#include "api/reply.h"
#include "api/statements.h"
#include "api/tx.h"
#include "base/encode.h"
#include "base/settings.h"
#include "pg/codec.h"

static bool
key_valid(struct text key)
{
    for (size_t i = 0; i < key.len; i++) {
        if (key.p[i] < 0x20 || key.p[i] > 0x7e)
            return false;
    }
    return key.len >= 1 && key.len <= 255;
}

/* What the key belongs to: path, query and body; the route is kept beside it. */
static struct text
request_digest(struct req *r)
{
    uint8_t *digest = arena_alloc(r->arena, SHA256_LEN);
    struct buf b;

    buf_init(&b, 256, r->body.len + r->http->query.len + r->http->path.len + 16);
    buf_text(&b, r->http->path);
    buf_char(&b, '\0');
    buf_text(&b, r->http->query);
    buf_char(&b, '\0');
    buf_text(&b, r->body);
    sha256(buf_as_text(&b), digest);
    buf_free(&b);
    return (struct text){(const char *)digest, SHA256_LEN};
}

err
gate_idempotency(struct req *r)
{
    struct text key = r->http->header[HDR_IDEMPOTENCY_KEY];

    if (r->row->method != METHOD_POST || r->row->idempotency == IDEMPOTENCY_NONE || !r->known)
        return E_OK;
    if (key.p == NULL)
        return r->row->idempotency == IDEMPOTENCY_REQUIRED ? E_IDEMPOTENCY_KEY_MISSING : E_OK;
    if (!key_valid(key))
        return E_IDEMPOTENCY_KEY_INVALID;
    r->idempotency_key = key;
    r->idempotent = true;
    struct api_idempotency_claim_params p = {.key = key,
                                             .route = text_of(r->row->id),
                                             .digest = request_digest(r),
                                             .ttl_hours = setting_int(S_IDEMPOTENCY_TTL_HOURS)};
    return tx_prelude(r, &api_idempotency_claim, &p);
}

bool
idempotency_is_replay(const struct req *r, err e)
{
    return e == E_IDEMPOTENCY_REPLAY && r->idempotent;
}

err
idempotency_replay(struct req *r)
{
    struct api_idempotency_answer_params p = {.key = r->idempotency_key};
    struct api_idempotency_answer_row row;
    bool found;

    r->idempotent = false;
    TRY(api_idempotency_answer_run(r, &p, &row, &found));
    TRY(tx_commit(r));
    if (!found || !row.has_status)
        return E_IDEMPOTENCY_IN_PROGRESS;
    if (!text_eq(row.route, text_of(r->row->id)) || !text_eq(row.digest, request_digest(r)))
        return E_IDEMPOTENCY_MISMATCH;
    buf_reset(r->body_out);
    buf_reset(r->head_out);
    buf_text(r->head_out, row.headers);
    buf_text(r->body_out, row.answer);
    r->status = (int)row.status;
    r->replied = row.answer.len > 0;
    r->replayed = true;
    metric_replay(r->api);
    return E_OK;
}

err
idempotency_store(struct req *r)
{
    int status = r->status != 0        ? r->status
                 : r->row->status != 0 ? r->row->status
                 : r->replied          ? 200
                                       : 204;

    /* They belong to the answer that is kept, and are not to be written again behind it. */
    reply_validators(r);
    r->version = 0;
    struct api_idempotency_store_params p = {.key = r->idempotency_key,
                                             .status = status,
                                             .headers = buf_as_text(r->head_out),
                                             .answer = buf_as_text(r->body_out)};

    if (p.headers.p == NULL)
        p.headers = TEXT("");
    if (p.answer.p == NULL)
        p.answer = TEXT("");
    return tx_send_stmt(r, &api_idempotency_store,
                        pg_encode_params(r->arena, &api_idempotency_store, &p));
}
