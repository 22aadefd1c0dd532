/* Where mails go: an SMTP server (SMTP_URL), or files (MAIL_DIR). */
#ifndef LECTERN_OUT_MAIL_H
#define LECTERN_OUT_MAIL_H

#include <stdbool.h>

#include "base/text.h"

struct mail_out;

enum mail_outcome {
    MAIL_OUT_SENT,
    MAIL_OUT_LATER,   /* this mail, this time */
    MAIL_OUT_NOW_OFF, /* later, and others would fare no better now */
    MAIL_OUT_REFUSED, /* for good */
};

struct mail_result {
    enum mail_outcome outcome;
    const char *error; /* a word of mails.last_error; NULL when sent */
    int reply;         /* of the server, 0 for none */
    int cause;         /* libcurl's number, or errno for a file */
};

struct mail_envelope {
    struct text id; /* names the file */
    struct text from, to;
};

/* Is there anywhere to send to? Without it mails stay queued. */
bool mail_out_ready(void);

/* Connections are kept between mails until mail_out_close. */
struct mail_out *mail_out_open(void);
void mail_out_close(struct mail_out *o);

/* One attempt, bounded by SMTP_TIMEOUT_SECONDS. The same mail may be given again: a file is written
 * over. Certificates are always verified where there is TLS. */
struct mail_result mail_out_send(struct mail_out *o, const struct mail_envelope *e,
                                 struct text bytes);

#endif
