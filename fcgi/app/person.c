/* All that is held about a person: a copy of it, and its end. */
#include "api/credentials.h"
#include "api/endpoint.h"
#include "api/req.h"
#include "api/session.h"
#include "app/statements.h"
#include "auth/password.h"
#include "base/settings.h"

struct part_input {
    int64_t part;
};

static const struct field part_fields[] = {
    FIELD(part_input, part, .place = IN_QUERY, .min = 1, .max = 100000, .preset = "1",
          .doc = "Which of its parts"),
};

struct erase_input {
    struct text password;
};

static const struct field erase_fields[] = {
    FIELD(erase_input, password, .required = true, .min = 1, .max = 128, .sensitive = true,
          .doc = "One's password, once more"),
};

static err
export_request(struct req *r, const void *input)
{
    struct sql_export_request_params p = {.new_id = r->new_id,
                                          .pause_minutes = setting_int(S_EXPORT_PAUSE_MINUTES),
                                          .keep_hours = setting_int(S_EXPORT_EXPIRY_HOURS)};

    (void)input;
    return reply_one(r, &sql_export_request, &p);
}

static err
export_document(struct req *r, const void *input)
{
    const struct part_input *in = input;
    struct sql_export_document_params p = {.part = in->part};
    struct sql_export_document_row row;
    bool found;

    TRY(sql_export_document_run(r, &p, &row, &found));
    return found ? reply_raw(r, row.document) : fail(r, E_NOT_FOUND);
}

static err
account_erase(struct req *r, const void *input)
{
    const struct erase_input *in = input;
    struct sql_password_current_params me = {.user_id = r->claims.user};
    struct sql_password_current_row own;
    struct sql_account_erase_row gone;

    TRY(sql_password_current_run(r, &me, &own));
    if (!password_verify(in->password, own.password_hash, NULL))
        return fail(r, E_PASSWORD_WRONG);
    TRY(sql_account_erase_run(r, &gone));
    session_forget(r, gone.sessions.item, gone.sessions.count);
    reply_clear_cookies(r);
    return E_OK;
}

static const struct endpoint rows[] = {
    {ENDPOINT(POST, "/users/me/export", export_request, USER, EVERYONE), .run = export_request,
     .reply_sql = &sql_export_request, .status = 202, .fails = FAILS(E_EXPORT_NOT_DUE),
     .since = "0.2.0", .doc = "Ask for a copy of all that is held about oneself."},
    {ENDPOINT(GET, "/users/me/export", export_get, USER, EVERYONE), .sql = &sql_export_get,
     .fails = FAILS(E_NOT_FOUND), .since = "0.2.0",
     .doc = "Read how far one's export is: queued, ready or failed."},
    {ENDPOINT(GET, "/users/me/export/document", export_document, USER, EVERYONE),
     .in = SHAPE(part_input, part_fields), .run = export_document, .produces = "application/json",
     .rate = RATE_DOWNLOAD, .fails = FAILS(E_NOT_FOUND), .since = "0.2.0",
     .doc = "Read a part of one's export: a JSON document with rows by table."},
    {ENDPOINT(DELETE, "/users/me", user_me_erase, USER, EVERYONE),
     .in = SHAPE(erase_input, erase_fields), .run = account_erase, .status = 204, .rate = RATE_AUTH,
     .pool = POOL_AUTH, .fails = FAILS(E_PASSWORD_WRONG, E_LAST_ADMIN),
     .audit = {"user.erase", "user", NULL}, .since = "0.2.0",
     .doc = "Erase one's account with all that is held about oneself. It cannot be undone."},
};

DOMAIN(person, "One's own data", rows);
