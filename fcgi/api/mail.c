#include "api/mail.h"

#include "api/statements.h"
#include "auth/envelope.h"

static const char *const kind_names[MAIL_KINDS] = {
    [MAIL_VERIFY_EMAIL] = "verify_email",     [MAIL_ACCOUNT_EXISTS] = "account_exists",
    [MAIL_PASSWORD_RESET] = "password_reset", [MAIL_PASSWORD_CHANGED] = "password_changed",
    [MAIL_ACCOUNT_LOCKED] = "account_locked", [MAIL_INVITATION] = "invitation",
    [MAIL_SECOND_FACTOR] = "second_factor",
};

const char *
mail_kind_name(enum mail_kind kind)
{
    return kind_names[kind];
}

err
mail_enqueue(struct req *r, const struct mail *m)
{
    struct api_mail_enqueue_params p = {.id = uuid_v7(),
                                        .org_id = m->org,
                                        .has_user_id = m->user != NULL,
                                        .kind = text_of(mail_kind_name(m->kind)),
                                        .address = m->address,
                                        .name = m->name,
                                        .locale = m->locale.p != NULL ? m->locale : TEXT("en"),
                                        .sealed = TEXT_NULL,
                                        .detail = m->detail};
    struct envelope_place place = {
        .table = "mails", .column = "sealed", .row = p.id, .org = m->org};

    if (m->user != NULL)
        p.user_id = *m->user;
    if (m->secret.p != NULL)
        TRY(envelope_seal(r->arena, &place, m->secret, &p.sealed));
    struct api_mail_enqueue_row row;
    return api_mail_enqueue_run(r, &p, &row);
}
