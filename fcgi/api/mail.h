/* A mail that a request causes: queued in the request's own transaction, sent by lectern-jobs. */
#ifndef LECTERN_API_MAIL_H
#define LECTERN_API_MAIL_H

#include "api/req.h"

enum mail_kind {
    MAIL_VERIFY_EMAIL,     /* secret: the token of the link */
    MAIL_ACCOUNT_EXISTS,   /* somebody registered with an address that has an account */
    MAIL_PASSWORD_RESET,   /* secret: the token of the link */
    MAIL_PASSWORD_CHANGED, /* told, with what to do if it was not oneself */
    MAIL_ACCOUNT_LOCKED,   /* detail: minutes until it opens by itself */
    MAIL_INVITATION,       /* secret: the token of the link; detail: the organisation's name */
    MAIL_SECOND_FACTOR,    /* detail: "enabled", "disabled" or "recovery_code_used" */
    MAIL_KINDS
};

struct mail {
    enum mail_kind kind;
    struct uuid org;
    const struct uuid *user; /* NULL: there is no account */
    struct text address;
    struct text name;   /* how to address the person; TEXT_NULL when unknown */
    struct text locale; /* "de" and "de-…" give German, all else English */
    struct text secret; /* never stored in clear; TEXT_NULL for none */
    struct text detail; /* TEXT_NULL for none */
};

/* As the database and the templates call it. */
const char *mail_kind_name(enum mail_kind kind);

/* Goes out only if the request's transaction commits. E_FORBIDDEN: an account is written to at its
 * own address, anybody else only to be invited, by staff. A request without a caller that found no
 * account for an address calls this with user NULL: it costs the same and nothing is sent. */
err mail_enqueue(struct req *r, const struct mail *m) MUST_CHECK;

#endif
