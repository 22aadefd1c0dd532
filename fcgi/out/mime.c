#include "out/mime.h"

#include <string.h>

#define QP_LINE_MAX 76
#define WORD_LINE_MAX 76 /* a line with encoded words */
#define WORD_BEGIN "=?UTF-8?Q?"
#define WORD_END "?="
#define WORD_FRAME (sizeof WORD_BEGIN WORD_END - 1)
#define PLAIN_MAX 60 /* of a header's value that is written as it is */
#define LOCAL_MAX 64

static const char hex_digits[] = "0123456789ABCDEF";

static bool
is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* --- addresses ------------------------------------------------------------------------------ */

/* Runs of allowed characters with single dots between them. */
static bool
is_dotted(struct text t, const char *also)
{
    bool dot = true;

    for (size_t i = 0; i < t.len; i++) {
        char c = t.p[i];
        if (c == '.' ? dot : !is_letter_or_digit(c) && (c == '\0' || strchr(also, c) == NULL))
            return false;
        dot = c == '.';
    }
    return t.len > 0 && !dot;
}

bool
mime_address_valid(struct text address)
{
    struct text domain = address, local = text_cut(&domain, '@');

    return domain.p != NULL && address.len <= 254 && local.len <= LOCAL_MAX &&
           is_dotted(local, "!#$%&'*+/=?^_`{|}~-") && is_dotted(domain, "-");
}

/* --- header values -------------------------------------------------------------------------- */

static bool
is_plain(struct text t, bool phrase)
{
    for (size_t i = 0; i < t.len; i++) {
        char c = t.p[i];
        if (!is_letter_or_digit(c) && c != ' ' && (phrase || c < '!' || c > '~'))
            return false;
    }
    return t.len <= PLAIN_MAX && memmem(t.p, t.len, "=?", 2) == NULL;
}

static size_t
code_point_length(struct text t)
{
    size_t n = 1;

    while (n < t.len && ((unsigned char)t.p[n] & 0xc0) == 0x80)
        n++;
    return n;
}

static void
write_escape(struct buf *out, char c)
{
    unsigned char byte = (unsigned char)c;

    buf_char(out, '=');
    buf_char(out, hex_digits[byte >> 4]);
    buf_char(out, hex_digits[byte & 15]);
}

static void
write_word_byte(struct buf *out, char c)
{
    if (is_letter_or_digit(c))
        buf_char(out, c);
    else if (c == ' ')
        buf_char(out, '_');
    else
        write_escape(out, c);
}

/* RFC 2047, "Q", on a line that holds `column` bytes already: no code point is divided between two
 * words. */
static void
write_words(struct buf *out, struct text t, size_t column)
{
    size_t used = column + WORD_FRAME;

    buf_z(out, WORD_BEGIN);
    while (t.len > 0) {
        size_t n = code_point_length(t);
        size_t need = n == 1 && (is_letter_or_digit(t.p[0]) || t.p[0] == ' ') ? 1 : 3 * n;
        if (used + need > WORD_LINE_MAX) {
            buf_z(out, WORD_END "\r\n " WORD_BEGIN);
            used = 1 + WORD_FRAME;
        }
        for (size_t i = 0; i < n; i++)
            write_word_byte(out, t.p[i]);
        used += need;
        t = (struct text){t.p + n, t.len - n};
    }
    buf_z(out, WORD_END);
}

static void
write_value(struct buf *out, const char *header, struct text t, bool phrase)
{
    buf_z(out, header);
    if (is_plain(t, phrase))
        buf_text(out, t);
    else
        write_words(out, t, strlen(header));
}

static void
write_mailbox(struct buf *out, const char *header, struct text name, struct text address)
{
    if (name.len > 0) {
        write_value(out, header, name, true);
        buf_z(out, "\r\n <");
    } else {
        buf_z(out, header);
        buf_char(out, '<');
    }
    buf_text(out, address);
    buf_z(out, ">\r\n");
}

/* --- bodies --------------------------------------------------------------------------------- */

/* Quoted-printable: ASCII lines of at most 76 bytes, no space at the end of one. */
static void
write_quoted_printable(struct buf *out, struct text t)
{
    size_t used = 0;

    for (size_t i = 0; i < t.len; i++) {
        char c = t.p[i];
        bool last = i + 1 == t.len || t.p[i + 1] == '\n';
        bool as_is = c > ' ' && c <= '~' ? c != '=' : c == ' ' && !last;
        if (c == '\n') {
            buf_z(out, "\r\n");
            used = 0;
            continue;
        }
        if (used + (as_is ? 1 : 3) >= QP_LINE_MAX) {
            buf_z(out, "=\r\n");
            used = 0;
        }
        if (as_is)
            buf_char(out, c);
        else
            write_escape(out, c);
        used += as_is ? 1 : 3;
    }
    buf_z(out, "\r\n");
}

static void
write_part(struct buf *out, struct text id, const char *type, struct text t)
{
    buf_z(out, "--=_");
    buf_text(out, id);
    buf_z(out, "\r\nContent-Type: ");
    buf_z(out, type);
    buf_z(out, "; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n");
    write_quoted_printable(out, t);
}

/* --- the mail ------------------------------------------------------------------------------- */

static void
write_date(struct buf *out, struct timestamp date)
{
    char text[30];

    timestamp_http(date, text);
    buf_z(out, "Date: ");
    buf_add(out, text, strlen(text) - strlen("GMT"));
    buf_z(out, "+0000\r\n");
}

static void
write_headers(struct buf *out, const struct mime_mail *m)
{
    struct text domain = m->from;

    text_cut(&domain, '@');
    write_date(out, m->date);
    write_mailbox(out, "From: ", m->from_name, m->from);
    write_mailbox(out, "To: ", m->to_name, m->to);
    write_value(out, "Subject: ", m->subject, false);
    buf_z(out, "\r\nMessage-ID: <");
    buf_text(out, m->id);
    buf_char(out, '@');
    buf_text(out, domain);
    buf_z(out, ">\r\nAuto-Submitted: auto-generated\r\nX-Lectern-Kind: ");
    buf_text(out, m->kind);
    buf_z(out, "\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n boundary=\"=_");
    buf_text(out, m->id);
    buf_z(out, "\"\r\n\r\n");
}

bool
mime_write(struct buf *out, const struct mime_mail *m)
{
    if (!mime_address_valid(m->from) || !mime_address_valid(m->to))
        return false;
    write_headers(out, m);
    write_part(out, m->id, "text/plain", m->plain);
    write_part(out, m->id, "text/html", m->html);
    buf_z(out, "--=_");
    buf_text(out, m->id);
    buf_z(out, "--\r\n");
    return !out->overflow;
}
