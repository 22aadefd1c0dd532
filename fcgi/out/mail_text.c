#include "out/mail_text.h"

#include <string.h>

#include "base/buf.h"

#define TEXT_BYTES_MAX 32768
#define NAME_MAX_LENGTH 80

struct template
{
    const char *kind, *detail, *language, *subject, *path, *text;
};

static const struct template templates[] = {
#define MAIL_TEXT(kind_, detail_, language_, subject_, path_, text_) \
    {kind_, detail_, language_, subject_, path_, text_},
#include "out/mail_text.def"
#undef MAIL_TEXT
};

bool
mail_name_harmless(struct text name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.p[i];
        bool joined = c == '.' && i + 1 < name.len && name.p[i + 1] != ' ';
        if (c == '/' || c == ':' || c == '@' || c == '\\' || joined)
            return false;
    }
    return name.len > 0 && text_utf8_valid(name) && text_utf8_length(name) <= NAME_MAX_LENGTH;
}

static const char *
language_of(struct text locale)
{
    return text_eq(locale, TEXT("de")) || text_starts(locale, TEXT("de-")) ? "de" : "en";
}

static const struct template *
find(const struct mail_words *w, const char *language)
{
    for (size_t i = 0; i < sizeof templates / sizeof templates[0]; i++) {
        const struct template *t = &templates[i];
        if (text_eq(w->kind, text_of(t->kind)) && strcmp(language, t->language) == 0 &&
            (t->detail[0] == '\0' || text_eq(w->detail, text_of(t->detail))))
            return t;
    }
    return NULL;
}

/* --- filling in ----------------------------------------------------------------------------- */

static void
html_text(struct buf *out, struct text t)
{
    for (size_t i = 0; i < t.len; i++) {
        switch (t.p[i]) {
        case '&':
            buf_z(out, "&amp;");
            break;
        case '<':
            buf_z(out, "&lt;");
            break;
        case '>':
            buf_z(out, "&gt;");
            break;
        case '"':
            buf_z(out, "&quot;");
            break;
        case '\'':
            buf_z(out, "&#39;");
            break;
        default:
            buf_char(out, t.p[i]);
        }
    }
}

static void
put(struct buf *out, struct text t, bool html)
{
    if (html)
        html_text(out, t);
    else
        buf_text(out, t);
}

static void
put_link(struct buf *out, struct text link, bool html)
{
    if (html) {
        buf_z(out, "<a href=\"");
        html_text(out, link);
        buf_z(out, "\">");
    }
    put(out, link, html);
    if (html)
        buf_z(out, "</a>");
}

/* The templates are constants: a place that is none of these is written as it stands, and a test
 * looks for braces that are left. */
static void
fill(struct buf *out, const char *template, const struct mail_words *w, struct text link, bool html)
{
    struct text rest = text_of(template);

    while (rest.len > 0) {
        if (text_starts(rest, TEXT("{link}"))) {
            put_link(out, link, html);
        } else if (text_starts(rest, TEXT("{site}"))) {
            put(out, w->site, html);
        } else if (text_starts(rest, TEXT("{detail}"))) {
            put(out, w->detail, html);
        } else if (html && text_starts(rest, TEXT("\n\n"))) {
            buf_z(out, "</p>\n<p>");
            rest = (struct text){rest.p + 2, rest.len - 2};
            continue;
        } else {
            put(out, (struct text){rest.p, 1}, html);
            rest = (struct text){rest.p + 1, rest.len - 1};
            continue;
        }
        text_cut(&rest, '}');
    }
}

static void
greet(struct buf *out, const struct mail_words *w, const char *language, bool html)
{
    buf_z(out, strcmp(language, "de") == 0 ? "Guten Tag" : "Hello");
    if (mail_name_harmless(w->name)) {
        buf_char(out, ' ');
        put(out, w->name, html);
    }
    buf_z(out, html ? ",</p>\n<p>" : ",\n\n");
}

static struct text
made(struct arena *a, struct buf *b)
{
    struct text t = arena_text(a, buf_as_text(b));

    buf_free(b);
    return t;
}

bool
mail_text_make(struct arena *a, const struct mail_words *w, struct mail_text *ret_text)
{
    const char *language = language_of(w->locale);
    const struct template *t = find(w, language);
    struct buf plain, html;

    if (t == NULL)
        return false;
    struct text link = arena_printf(a, "%.*s%s%.*s", TEXT_ARG(w->site), t->path, (int)w->secret.len,
                                    w->secret.p == NULL ? "" : w->secret.p);
    buf_init(&plain, 1024, TEXT_BYTES_MAX);
    buf_init(&html, 1024, TEXT_BYTES_MAX);
    greet(&plain, w, language, false);
    fill(&plain, t->text, w, link, false);
    buf_char(&plain, '\n');
    buf_z(&html, "<!DOCTYPE html>\n<html lang=\"");
    buf_z(&html, language);
    buf_z(&html, "\">\n<head><meta charset=\"utf-8\"><title>");
    buf_z(&html, t->subject);
    buf_z(&html, "</title></head>\n<body>\n<p>");
    greet(&html, w, language, true);
    fill(&html, t->text, w, link, true);
    buf_z(&html, "</p>\n</body>\n</html>\n");
    ret_text->subject = text_of(t->subject);
    ret_text->plain = made(a, &plain);
    ret_text->html = made(a, &html);
    return true;
}
