#include "api/format.h"

#include <string.h>

static bool
in_set(unsigned char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"

static bool
all_in(struct text t, const char *set)
{
    for (size_t i = 0; i < t.len; i++) {
        if (!in_set((unsigned char)t.p[i], set))
            return false;
    }
    return t.len > 0;
}

static bool
format_line(struct text t)
{
    for (size_t i = 0; i < t.len; i++) {
        if ((unsigned char)t.p[i] < 0x20 || t.p[i] == 0x7f)
            return false;
    }
    return true;
}

static bool
format_multiline(struct text t)
{
    for (size_t i = 0; i < t.len; i++) {
        unsigned char c = (unsigned char)t.p[i];
        if ((c < 0x20 && c != '\t' && c != '\n') || c == 0x7f)
            return false;
    }
    return true;
}

/* Labels of letters, digits and inner hyphens, at least two of them. */
static bool
domain_shape(struct text t)
{
    size_t labels = 0;

    while (t.p != NULL) {
        struct text label = text_cut(&t, '.');
        if (label.len == 0 || label.len > 63 || !all_in(label, LOWER UPPER DIGIT "-") ||
            label.p[0] == '-' || label.p[label.len - 1] == '-')
            return false;
        labels++;
    }
    return labels >= 2;
}

/* RFC 5321 mailbox with a dot-string local part: what mail systems accept in practice. */
static bool
format_email(struct text t)
{
    struct text rest = t, local = text_cut(&rest, '@');

    if (t.len > 254 || rest.p == NULL || local.len == 0 || local.len > 64)
        return false;
    if (!all_in(local, LOWER UPPER DIGIT ".!#$%&'*+/=?^_`{|}~-") || local.p[0] == '.' ||
        local.p[local.len - 1] == '.' || memmem(local.p, local.len, "..", 2) != NULL)
        return false;
    return domain_shape(rest);
}

static bool
format_slug(struct text t)
{
    return all_in(t, LOWER DIGIT "-");
}

static bool
format_code(struct text t)
{
    return all_in(t, LOWER UPPER DIGIT "_-");
}

static bool
format_locale(struct text t)
{
    struct text rest = t, language = text_cut(&rest, '-');

    if (language.len < 2 || language.len > 3 || !all_in(language, LOWER))
        return false;
    while (rest.p != NULL) {
        struct text sub = text_cut(&rest, '-');
        if (sub.len < 2 || sub.len > 8 || !all_in(sub, LOWER UPPER DIGIT))
            return false;
    }
    return true;
}

static bool
format_timezone(struct text t)
{
    return all_in(t, LOWER UPPER DIGIT "_+-/") && t.p[0] != '/' && t.p[t.len - 1] != '/';
}

static bool
format_opaque(struct text t)
{
    for (size_t i = 0; i < t.len; i++) {
        if (t.p[i] <= 0x20 || t.p[i] >= 0x7f)
            return false;
    }
    return t.len > 0;
}

static const struct format_info formats[FORMAT_COUNT] = {
    [FORMAT_LINE] = {"control_character", NULL, NULL, "must not hold control characters",
                     format_line},
    [FORMAT_MULTILINE] = {"control_character", NULL, NULL,
                          "must not hold control characters other than tab and newline",
                          format_multiline},
    [FORMAT_EMAIL] = {"email", NULL, "email", "must be an e-mail address", format_email},
    [FORMAT_SLUG] = {"slug", "^[a-z0-9-]+$", NULL, "must be lower-case letters, digits and hyphens",
                     format_slug},
    [FORMAT_LOCALE] = {"locale", "^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", NULL,
                       "must be a language tag like en or de-CH", format_locale},
    [FORMAT_TIMEZONE] = {"timezone", "^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$", NULL,
                         "must be a time zone name like Europe/Zurich", format_timezone},
    [FORMAT_CODE] = {"code", "^[A-Za-z0-9_-]+$", NULL,
                     "must be letters, digits, hyphens and underscores", format_code},
    [FORMAT_OPAQUE] = {"opaque", "^[!-~]+$", NULL, "must be printable ASCII without spaces",
                       format_opaque},
};

const struct format_info *
format_info(enum field_format f)
{
    return &formats[f];
}
