/* What a mail says: the texts of mail_text.def with their places filled. */
#ifndef LECTERN_OUT_MAIL_TEXT_H
#define LECTERN_OUT_MAIL_TEXT_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/text.h"

struct mail_words {
    struct text kind;   /* of mails.kind */
    struct text locale; /* "de" and "de-…": German; all else English */
    struct text site;   /* APP_URL */
    struct text name;   /* of who is written to; left out when it could pass for an address */
    struct text secret; /* of the link; TEXT_NULL where the text has none */
    struct text detail;
};

struct mail_text {
    struct text subject;
    struct text plain;
    struct text html; /* everything that was filled in is escaped */
};

/* False when there is no text of that kind, or of that detail where the detail chooses the text. */
bool mail_text_make(struct arena *a, const struct mail_words *w, struct mail_text *ret_text);

/* Whoever registers chooses the name that a mail to somebody else's address begins with: one that
 * holds or resembles an address, or is long, does not go out. */
bool mail_name_harmless(struct text name);

#endif
