#include "api/reply.h"

#include <string.h>

#include "api/cursor.h"
#include "api/headers.h"
#include "api/route.h"
#include "api/tx.h"
#include "base/json.h"
#include "pg/codec.h"
#include "pg/csv_out.h"

/* Bytes of a CSV answer after which no further line is begun; far below ANSWER_MAX. */
#define CSV_ENOUGH ((size_t)4 << 20)

/* --- objects ------------------------------------------------------------------------------- */

static void
reply_items(struct buf *out, const struct shape *shape, const struct items *items)
{
    const char *p = items->item;

    json_open(out, '[');
    for (size_t i = 0; i < items->count; i++) {
        if (i > 0)
            buf_char(out, ',');
        reply_object(out, shape, p + i * shape->size);
    }
    json_close(out, ']');
}

static void
reply_texts(struct buf *out, const struct texts *texts)
{
    json_open(out, '[');
    for (size_t i = 0; i < texts->count; i++)
        json_text(out, texts->item[i]);
    json_close(out, ']');
}

static void
reply_member(struct buf *out, const struct field *f, const void *value)
{
    switch (f->kind) {
    case FIELD_TEXT:
        json_text(out, *(const struct text *)value);
        break;
    case FIELD_INT:
        json_int(out, *(const int64_t *)value);
        break;
    case FIELD_BOOL:
        json_bool(out, *(const bool *)value);
        break;
    case FIELD_UUID:
        if (uuid_is_nil(value))
            json_null(out);
        else
            json_uuid(out, value);
        break;
    case FIELD_TIME:
        if (((const struct timestamp *)value)->us == 0)
            json_null(out);
        else
            json_time(out, *(const struct timestamp *)value);
        break;
    case FIELD_TEXTS:
        reply_texts(out, value);
        break;
    case FIELD_JSON:
        json_raw(out, ((const struct json_text *)value)->text);
        break;
    case FIELD_OBJECT:
        reply_object(out, f->shape, value);
        break;
    case FIELD_ITEMS:
        reply_items(out, f->shape, value);
        break;
    case FIELD_UUIDS:
        json_null(out);
        break;
    }
}

void
reply_object(struct buf *out, const struct shape *shape, const void *value)
{
    const char *base = value;

    buf_char(out, '{');
    for (size_t i = 0; i < shape->count; i++) {
        json_key(out, shape->fields[i].name);
        reply_member(out, &shape->fields[i], base + shape->fields[i].offset);
    }
    buf_char(out, '}');
}

err
reply_shape(struct req *r, const struct shape *shape, const void *value)
{
    buf_z(r->body_out, "{\"data\":");
    reply_object(r->body_out, shape, value);
    buf_char(r->body_out, '}');
    r->replied = true;
    return E_OK;
}

err
reply_shapes(struct req *r, const struct shape *shape, struct items items)
{
    buf_z(r->body_out, "{\"data\":");
    reply_items(r->body_out, shape, &items);
    buf_char(r->body_out, '}');
    r->replied = true;
    return E_OK;
}

err
reply_raw(struct req *r, struct text body)
{
    buf_text(r->body_out, body);
    r->replied = true;
    return E_OK;
}

/* --- rows ------------------------------------------------------------------------------------ */

static void
reply_note_version(struct req *r, const struct pg_stmt *stmt, const PGresult *result)
{
    int version = pg_column(stmt, "version"), modified = pg_column(stmt, "updated_at");

    if (version >= 0 && !pg_is_null(result, 0, version))
        r->version = pg_get_int(result, 0, version);
    if (modified >= 0 && !pg_is_null(result, 0, modified))
        r->modified = pg_get_time(result, 0, modified);
}

void
reply_row(struct req *r, const struct pg_stmt *stmt, const PGresult *result)
{
    buf_z(r->body_out, "{\"data\":");
    pg_json_rows(r->body_out, stmt, result, 1);
    buf_char(r->body_out, '}');
    reply_note_version(r, stmt, result);
    r->replied = true;
}

err
reply_one(struct req *r, const struct pg_stmt *stmt, const void *params)
{
    PGresult *result;

    TRY(tx_send_stmt(r, stmt, pg_encode_params(r->arena, stmt, params)));
    TRY(tx_read(r, &result));
    if (PQntuples(result) == 0)
        return E_NOT_FOUND;
    reply_row(r, stmt, result);
    return E_OK;
}

/* The caller's query without what says where the page begins. */
static struct text
list_query_rest(struct req *r)
{
    struct text rest = r->http->query;
    struct buf b;

    if (rest.len == 0)
        return rest;
    buf_init(&b, 256, 16384);
    while (rest.p != NULL && rest.len > 0) {
        struct text pair = text_cut(&rest, '&');
        if (pair.len == 0 || text_starts(pair, TEXT("offset=")) ||
            text_starts(pair, TEXT("cursor=")))
            continue;
        buf_text(&b, pair);
        buf_char(&b, '&');
    }
    struct text t = arena_text(r->arena, buf_as_text(&b));
    buf_free(&b);
    return t;
}

static bool
header_safe(struct text t)
{
    for (size_t i = 0; i < t.len; i++) {
        unsigned char c = (unsigned char)t.p[i];
        if (c <= 0x20 || c >= 0x7f || c == '<' || c == '>' || c == '"')
            return false;
    }
    return true;
}

static void
list_link(struct req *r, struct buf *b, const char *position, struct text value)
{
    if (b->len > 0)
        buf_z(b, ", ");
    buf_char(b, '<');
    buf_text(b, r->http->path);
    buf_char(b, '?');
    buf_text(b, list_query_rest(r));
    buf_z(b, position);
    buf_text(b, value);
}

static void
list_link_offset(struct req *r, struct buf *b, const char *rel, int64_t offset)
{
    list_link(r, b, "offset=", TEXT(""));
    buf_int(b, offset);
    buf_z(b, rel);
}

static void
list_links(struct req *r, int shown, bool more, struct text cursor)
{
    int64_t limit = r->list.limit, offset = r->list.pg.offset;
    struct buf b;

    if (!header_safe(r->http->query) || !header_safe(r->http->path))
        return;
    buf_init(&b, 1024, 65536);
    list_link_offset(r, &b, ">; rel=\"first\"", 0);
    if (!r->list.pg.after && offset > 0)
        list_link_offset(r, &b, ">; rel=\"prev\"", offset > limit ? offset - limit : 0);
    if (more && cursor.p != NULL) {
        list_link(r, &b, "cursor=", cursor);
        buf_z(&b, ">; rel=\"next\"");
    } else if (more)
        list_link_offset(r, &b, ">; rel=\"next\"", offset + shown);
    if (r->total > 0)
        list_link_offset(r, &b, ">; rel=\"last\"", (r->total - 1) / limit * limit);
    reply_header(r, "Link", buf_as_text(&b));
    buf_free(&b);
}

/* A page as a file: what does not fit comes with the next one. */
static int
reply_csv(struct req *r, const PGresult *result, int shown)
{
    reply_header(r, "Content-Disposition",
                 arena_printf(r->arena, "attachment; filename=\"%s\"", r->row->csv));
    csv_head(r->body_out, r->row->sql);
    r->replied = true;
    return csv_rows(r->body_out, r->row->sql, result, shown, CSV_ENOUGH);
}

void
reply_list(struct req *r, const PGresult *result)
{
    const struct pg_stmt *stmt = r->row->sql;
    int rows = PQntuples(result);
    int shown = rows > r->list.limit ? (int)r->list.limit : rows;
    struct buf *out = r->body_out;

    if (r->row->csv != NULL)
        shown = reply_csv(r, result, shown);
    bool more = rows > shown;
    struct text cursor = more ? cursor_write(r, result, shown - 1) : TEXT_NULL;
    list_links(r, shown, more, cursor);
    if (r->row->csv != NULL)
        return;
    buf_z(out, "{\"data\":[");
    pg_json_rows(out, stmt, result, shown);
    buf_z(out, "],\"page\":{\"limit\":");
    buf_int(out, r->list.limit);
    buf_z(out, ",\"offset\":");
    if (r->list.pg.after)
        buf_z(out, "null");
    else
        buf_int(out, r->list.pg.offset);
    buf_z(out, ",\"total\":");
    if (r->total < 0)
        buf_z(out, "null");
    else
        buf_int(out, r->total);
    buf_z(out, ",\"next_cursor\":");
    json_text(out, cursor);
    buf_z(out, "}}");
    r->replied = true;
}

/* --- problems -------------------------------------------------------------------------------- */

static void
problem_violations(struct req *r, struct buf *out)
{
    json_key(out, "errors");
    json_open(out, '[');
    for (size_t i = 0; i < r->nviolations; i++) {
        if (i > 0)
            buf_char(out, ',');
        json_open(out, '{');
        json_kv_z(out, "field", r->violations[i].pointer);
        json_kv_z(out, "code", r->violations[i].code);
        json_kv_z(out, "message", r->violations[i].message);
        json_close(out, '}');
    }
    json_close(out, ']');
}

void
reply_problem(struct req *r)
{
    const struct err_info *e = err_info(err_public(r->error));
    struct buf *out = r->body_out;

    buf_reset(out);
    r->status = e->status;
    r->version = 0;
    r->total = -1;
    json_open(out, '{');
    json_key(out, "type");
    buf_printf(out, "\"urn:lectern:error:%s\"", e->code);
    json_kv_z(out, "title", e->title);
    json_kv_int(out, "status", e->status);
    json_kv_z(out, "detail", e->doc);
    json_kv_z(out, "code", e->code);
    json_kv_text(out, "request_id", r->http->request_id);
    if (e->status >= 500) {
        r->error_id = uuid_v7();
        json_key(out, "error_id");
        json_uuid(out, &r->error_id);
    }
    if (r->nviolations > 0)
        problem_violations(r, out);
    if (r->error == E_SECOND_FACTOR_REQUIRED) {
        json_kv_text(out, "challenge", r->challenge);
        json_kv_int(out, "expires_in", r->challenge_seconds);
    }
    json_close(out, '}');
    r->replied = true;
}

/* --- the gate -------------------------------------------------------------------------------- */

/* RFC 9110, 13.1.2: weak comparison against a list, or '*'. */
static bool
etag_listed(struct text header, struct text etag)
{
    if (text_eq(text_trim(header), TEXT("*")))
        return true;
    while (header.p != NULL) {
        struct text one = text_trim(text_cut(&header, ','));
        if (text_starts(one, TEXT("W/"))) {
            one.p += 2;
            one.len -= 2;
        }
        if (text_eq(one, etag))
            return true;
    }
    return false;
}

static struct text
reply_etag(struct req *r)
{
    return arena_printf(r->arena, "\"%lld\"", (long long)r->version);
}

void
reply_validators(struct req *r)
{
    if (r->version == 0)
        return;
    reply_header(r, "ETag", reply_etag(r));
    if (r->modified.us != 0) {
        char date[30];
        timestamp_http(r->modified, date);
        reply_header(r, "Last-Modified", arena_text(r->arena, text_of(date)));
    }
}

static void
reply_conditional(struct req *r)
{
    reply_validators(r);
    if (r->version == 0)
        return;
    if (r->status == 200 && r->row->method == METHOD_GET && r->if_none_match.p != NULL &&
        etag_listed(r->if_none_match, reply_etag(r))) {
        r->status = 304;
        buf_reset(r->body_out);
    }
}

static int
reply_status(const struct req *r)
{
    if (r->status != 0)
        return r->status;
    if (r->row != NULL && r->row->status != 0)
        return r->row->status;
    return r->replied ? 200 : 204;
}

void
gate_reply(struct req *r)
{
    if (r->error != E_OK)
        reply_problem(r);
    else if (r->body_out->overflow) {
        r->error = E_INTERNAL;
        reply_problem(r);
    }
    r->status = reply_status(r);
    if (r->row != NULL)
        reply_conditional(r);
    headers_write(r);
    struct text body = buf_as_text(r->body_out);
    if (r->status != 304 && r->status != 204)
        headers_length(r, body.len);
    if (r->head || r->status == 304 || r->status == 204)
        body = TEXT("");
    (void)wire_answer(r->api->wire, r->status, r->head_out, body);
}
