/* Sends what waits in app.mails. A mail is claimed and the claim committed, then sent, then ended:
 * a daemon that dies in between has another send it again, under the same Message-ID. */
#include <string.h>

#include "auth/envelope.h"
#include "base/encode.h"
#include "base/log.h"
#include "base/settings.h"
#include "base/timestamp.h"
#include "jobs/kind.h"
#include "jobs/statements.h"
#include "out/mail.h"
#include "out/mail_text.h"
#include "out/mime.h"

#define RUN_MAX_MS 5000 /* then other kinds have their turn */
#define LEASE_MARGIN_SECONDS 15
#define PAUSE_MAX_SECONDS ((int64_t)6 * 3600)
#define MAIL_BYTES_MAX 131072

int64_t
mail_pause_seconds(int64_t attempts, int64_t first, uint64_t random)
{
    int64_t pause = first;

    for (; attempts > 1 && pause < PAUSE_MAX_SECONDS; attempts--)
        pause *= 2;
    if (pause > PAUSE_MAX_SECONDS)
        pause = PAUSE_MAX_SECONDS;
    return pause - (int64_t)(random % (uint64_t)(pause / 2 + 1));
}

/* The mail's bytes; else which word says why not. */
static const char *
mail_compose(struct jobs *j, const struct job_mail_claim_row *row, struct mail_envelope *e,
             struct buf *out)
{
    struct envelope_place place = {
        .table = "mails", .column = "sealed", .row = row->id, .org = row->org_id};
    struct mail_words words = {.kind = row->kind,
                               .locale = row->locale,
                               .site = setting_text(S_APP_URL),
                               .name = row->name,
                               .detail = row->detail};
    struct mail_text text;

    if (row->sealed.p != NULL &&
        envelope_open(j->arena, &place, row->sealed, &words.secret) != E_OK)
        return "secret";
    if (!mail_text_make(j->arena, &words, &text))
        return "text";
    struct mime_mail mail = {.id = e->id,
                             .date = row->created_at,
                             .kind = row->kind,
                             .from_name = setting_text(S_MAIL_FROM_NAME),
                             .from = e->from,
                             .to_name = mail_name_harmless(row->name) ? row->name : TEXT_NULL,
                             .to = e->to,
                             .subject = text.subject,
                             .plain = text.plain,
                             .html = text.html};
    return mime_write(out, &mail) ? NULL : "address";
}

static struct mail_result
mail_attempt(struct jobs *j, struct mail_out *o, const struct job_mail_claim_row *row)
{
    char *id = arena_alloc(j->arena, UUID_TEXT_LEN + 1);
    struct mail_result r = {MAIL_OUT_REFUSED, NULL, 0, 0};
    const char *fault;
    struct buf bytes;

    uuid_format(&row->id, id);
    struct mail_envelope e = {text_of(id), setting_text(S_MAIL_FROM), row->address};
    buf_init(&bytes, 4096, MAIL_BYTES_MAX);
    fault = mail_compose(j, row, &e, &bytes);
    if (fault == NULL)
        r = mail_out_send(o, &e, buf_as_text(&bytes));
    else
        r.error = fault;
    /* Its key may come back. */
    if (fault != NULL && strcmp(fault, "secret") == 0)
        r.outcome = MAIL_OUT_LATER;
    buf_free(&bytes);
    return r;
}

static void
mail_log(const struct job_mail_claim_row *row, const struct mail_result *r, bool given_up)
{
    log_event(given_up ? LOG_L_ERROR : LOG_L_WARN,
              given_up ? "a mail is given up" : "a mail could not be sent yet",
              LOG_UUID("mail_id", &row->id), LOG_TEXT("kind", row->kind), LOG_Z("why", r->error),
              LOG_INT("attempts", row->attempts), LOG_INT("reply", r->reply),
              LOG_INT("cause", r->cause));
}

static err
mail_ended(struct jobs *j, const struct job_mail_claim_row *row, const struct mail_result *r)
{
    bool last = row->attempts >= setting_int(S_MAIL_MAX_ATTEMPTS);
    bool sent = r->outcome == MAIL_OUT_SENT, dead = r->outcome == MAIL_OUT_REFUSED || last;
    struct job_mail_end_params p = {.id = row->id,
                                    .attempt = row->attempts,
                                    .outcome = sent   ? TEXT("sent")
                                               : dead ? TEXT("dead")
                                                      : TEXT("queued"),
                                    .error = text_of(r->error)};
    struct job_mail_end_row done;

    if (!sent) {
        p.again_seconds =
            mail_pause_seconds(row->attempts, setting_int(S_MAIL_RETRY_SECONDS), random_u64());
        mail_log(row, r, dead);
    }
    TRY(job_mail_end_run(j, &p, &done));
    return pg_commit(j->pg);
}

/* *ret_more: there may be another, and it is worth trying. */
static err
mail_one(struct jobs *j, struct mail_out *o, bool *ret_more)
{
    struct job_mail_claim_params p = {.lease_seconds = setting_int(S_SMTP_TIMEOUT_SECONDS) +
                                                       LEASE_MARGIN_SECONDS};
    struct job_mail_claim_row row;
    bool found;

    *ret_more = false;
    TRY(job_mail_claim_run(j, &p, &row, &found));
    TRY(pg_commit(j->pg));
    if (!found)
        return E_OK;
    struct mail_result r = mail_attempt(j, o, &row);
    *ret_more = r.outcome != MAIL_OUT_NOW_OFF;
    return mail_ended(j, &row, &r);
}

err
job_mail(struct jobs *j, int64_t *ret_rows)
{
    int64_t until = clock_ms() + RUN_MAX_MS;
    struct mail_out *o;
    bool more = true;
    err e = E_OK;

    if (!mail_out_ready())
        return E_OK;
    if (!mime_address_valid(setting_text(S_MAIL_FROM)))
        return E_INTERNAL;
    o = mail_out_open();
    while (e == E_OK && more && *ret_rows < JOB_MAIL_BATCH && clock_ms() < until) {
        e = mail_one(j, o, &more);
        *ret_rows += e == E_OK && more;
    }
    mail_out_close(o);
    return e;
}

err
job_mail_purge(struct jobs *j, int64_t *ret_rows)
{
    struct job_mails_purge_params p = {.days = setting_int(S_MAIL_KEEP_DAYS), .batch = PURGE_BATCH};
    struct job_mails_purge_row row;

    TRY(job_mails_purge_run(j, &p, &row));
    *ret_rows = row.gone;
    return E_OK;
}
