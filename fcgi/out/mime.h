/* One mail as bytes: headers and a text in two forms (RFC 5322, 2045 to 2047). */
#ifndef LECTERN_OUT_MIME_H
#define LECTERN_OUT_MIME_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/text.h"
#include "base/timestamp.h"

struct mime_mail {
    struct text id;        /* left side of Message-ID, and of the boundary: letters, digits, '-' */
    struct timestamp date; /* of writing: repeated deliveries are the same mail */
    struct text kind;      /* a word of ours, for X-Lectern-Kind */
    struct text from_name, from;
    struct text to_name, to; /* names may be TEXT_NULL */
    struct text subject;
    struct text plain, html; /* UTF-8, lines ended by '\n' */
};

/* A mailbox that stands in a header and in a command without quoting: dot-string local part, ASCII,
 * one '@'. Nothing else is written to. */
bool mime_address_valid(struct text address);

/* The whole mail with CRLF lines of at most 78 bytes; whatever is in the texts, no header begins
 * that is not named here. False when an address is not valid or the mail is larger than `out`. */
bool mime_write(struct buf *out, const struct mime_mail *m);

#endif
