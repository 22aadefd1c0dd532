#include "base/settings_parts.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "base/cidr.h"
#include "base/data_keys.h"
#include "base/encode.h"
#include "base/oom.h"

#define LIST_WORD "A-Za-z0-9._+*/-"
/* RFC 3986: unreserved, reserved and the percent sign. */
#define URL_CHARACTERS "A-Za-z0-9._~:/?#@!$&'()*+,;=%[]-"

/* Is c in a set written as "a-z0-9_-"? A '-' at the end stands for itself. */
static bool
in_set(char c, const char *set)
{
    for (; *set != '\0'; set++) {
        if (set[1] == '-' && set[2] != '\0') {
            if (c >= set[0] && c <= set[2])
                return true;
            set += 2;
        } else if (c == *set) {
            return true;
        }
    }
    return false;
}

static bool
all_in_set(struct text t, const char *set)
{
    for (size_t i = 0; i < t.len; i++) {
        if (!in_set(t.p[i], set))
            return false;
    }
    return true;
}

static bool
is_printable(struct text t)
{
    for (size_t i = 0; i < t.len; i++) {
        if ((unsigned char)t.p[i] < 0x20 || t.p[i] == 0x7f)
            return false;
    }
    return text_utf8_valid(t);
}

static bool
length_fits(const struct setting_info *s, struct text t)
{
    return (int64_t)t.len >= s->min && (int64_t)t.len <= s->max;
}

static bool
check_text(const struct setting_info *s, struct text t, int64_t *ret_number)
{
    (void)ret_number;
    return length_fits(s, t) &&
           (s->choices[0] != '\0' ? all_in_set(t, s->choices) : is_printable(t));
}

static bool
check_int(const struct setting_info *s, struct text t, int64_t *ret_number)
{
    return text_to_int(t, ret_number) && *ret_number >= s->min && *ret_number <= s->max;
}

static bool
check_bool(const struct setting_info *s, struct text t, int64_t *ret_number)
{
    (void)s;
    *ret_number = text_eq(t, TEXT("1")) || text_eq(t, TEXT("true"));
    return *ret_number == 1 || text_eq(t, TEXT("0")) || text_eq(t, TEXT("false"));
}

static bool
is_choice(const char *choices, struct text t)
{
    struct text rest = text_of(choices);

    while (rest.p != NULL) {
        if (text_eq(t, text_cut(&rest, '|')))
            return true;
    }
    return false;
}

static bool
check_choice(const struct setting_info *s, struct text t, int64_t *ret_number)
{
    (void)ret_number;
    return is_choice(s->choices, t);
}

/* The scheme, with what follows "://" left in *t; TEXT_NULL when there is none. */
static struct text
cut_scheme(struct text *t)
{
    struct text rest = *t;
    struct text scheme = text_cut(&rest, ':');

    if (!text_starts(rest, TEXT("//")))
        return TEXT_NULL;
    *t = (struct text){rest.p + 2, rest.len - 2};
    return scheme;
}

static bool
escapes_whole(struct text t)
{
    uint8_t byte;

    for (size_t i = 0; i < t.len; i++) {
        if (t.p[i] == '%' &&
            (t.len - i < 3 || !hex_decode((struct text){t.p + i + 1, 2}, &byte, 1)))
            return false;
    }
    return true;
}

static bool
check_url(const struct setting_info *s, struct text t, int64_t *ret_number)
{
    struct text rest = t;
    struct text scheme = cut_scheme(&rest);

    (void)ret_number;
    return length_fits(s, t) && scheme.p != NULL && is_choice(s->choices, scheme) && rest.len > 0 &&
           all_in_set(t, URL_CHARACTERS) && escapes_whole(t);
}

static bool
port_well_formed(struct text t)
{
    int64_t port;

    return t.len <= 5 && text_to_int(t, &port) && port >= 1 && port <= 65535;
}

bool
origin_well_formed(struct text t)
{
    struct text rest = t;
    struct text scheme = cut_scheme(&rest);
    struct text host;
    struct cidr address;

    if (!text_eq(scheme, TEXT("https")) && !text_eq(scheme, TEXT("http")))
        return false;
    if (text_starts(rest, TEXT("["))) {
        rest = (struct text){rest.p + 1, rest.len - 1};
        host = text_cut(&rest, ']');
        if (rest.p == NULL || memchr(host.p, '/', host.len) != NULL ||
            memchr(host.p, ':', host.len) == NULL || !cidr_parse(host, &address))
            return false;
        return rest.len == 0 ||
               (rest.p[0] == ':' && port_well_formed((struct text){rest.p + 1, rest.len - 1}));
    }
    host = text_cut(&rest, ':');
    return host.len > 0 && host.len <= 253 && all_in_set(host, "A-Za-z0-9.-") &&
           (rest.p == NULL || port_well_formed(rest));
}

static bool
check_origins(const struct setting_info *s, struct text t, int64_t *ret_number)
{
    (void)ret_number;
    if (!length_fits(s, t))
        return false;
    if (text_eq(t, TEXT("*")))
        return true;
    while (t.p != NULL) {
        if (!origin_well_formed(text_trim(text_cut(&t, ','))))
            return false;
    }
    return true;
}

static bool
check_cidrs(const struct setting_info *s, struct text t, int64_t *ret_number)
{
    struct cidr network;

    (void)ret_number;
    if (!length_fits(s, t))
        return false;
    while (t.p != NULL) {
        if (!cidr_parse(text_trim(text_cut(&t, ',')), &network))
            return false;
    }
    return true;
}

static bool
check_list(const struct setting_info *s, struct text t, int64_t *ret_number)
{
    (void)ret_number;
    if (!length_fits(s, t))
        return false;
    while (t.p != NULL) {
        struct text word = text_trim(text_cut(&t, ','));
        if (word.len == 0 || !all_in_set(word, LIST_WORD) ||
            (s->choices[0] != '\0' && !is_choice(s->choices, word)))
            return false;
    }
    return true;
}

static bool
check_base64(const struct setting_info *s, struct text t, int64_t *ret_number)
{
    void *bytes = malloc(t.len + 1);
    size_t length;
    bool valid;

    (void)ret_number;
    if (bytes == NULL)
        out_of_memory("settings", t.len);
    valid = length_fits(s, t) && base64_decode(t, bytes, &length) && length > 0;
    free(bytes);
    return valid;
}

static bool
check_key(const struct setting_info *s, struct text t, int64_t *ret_number)
{
    uint8_t key[DATA_KEY_BYTES];
    bool valid = data_key_decode(t, key);

    (void)s;
    (void)ret_number;
    OPENSSL_cleanse(key, sizeof key);
    return valid;
}

static bool
check_keys(const struct setting_info *s, struct text t, int64_t *ret_number)
{
    uint8_t key[DATA_KEY_BYTES];
    struct text id;
    bool valid = length_fits(s, t);

    (void)ret_number;
    while (valid && t.p != NULL)
        valid = data_key_next(&t, &id, key);
    OPENSSL_cleanse(key, sizeof key);
    return valid;
}

typedef bool check_fn(const struct setting_info *, struct text, int64_t *);

static check_fn *const checks[] = {
    [SETTING_TEXT] = check_text,     [SETTING_INT] = check_int,   [SETTING_BOOL] = check_bool,
    [SETTING_CHOICE] = check_choice, [SETTING_URL] = check_url,   [SETTING_ORIGINS] = check_origins,
    [SETTING_CIDRS] = check_cidrs,   [SETTING_LIST] = check_list, [SETTING_BASE64] = check_base64,
    [SETTING_KEY] = check_key,       [SETTING_KEYS] = check_keys,
};

bool
setting_well_formed(enum setting_id id, struct setting_value *v)
{
    const struct setting_info *s = setting_info(id);

    v->number = 0;
    /* Nothing given and no default: whether that may be is the table's `required`. */
    return v->text[0] == '\0' || checks[s->kind](s, text_of(v->text), &v->number);
}

/* "a, b or c" out of "a|b|c" */
static void
describe_choices(const char *choices, char *ret_text, size_t size)
{
    struct text rest = text_of(choices);
    size_t at = 0;

    ret_text[0] = '\0';
    while (rest.p != NULL && at < size) {
        struct text word = text_cut(&rest, '|');
        bool last = rest.p == NULL || memchr(rest.p, '|', rest.len) == NULL;
        const char *joint = rest.p == NULL ? "" : last ? " or " : ", ";
        int n = snprintf(ret_text + at, size - at, "%.*s%s", TEXT_ARG(word), joint);
        at += n > 0 ? (size_t)n : 0;
    }
}

void
setting_describe(enum setting_id id, char *ret_text, size_t size)
{
    const struct setting_info *s = setting_info(id);
    char choices[256];
    long long min = s->min;
    long long max = s->max;

    describe_choices(s->choices, choices, sizeof choices);
    switch (s->kind) {
    case SETTING_TEXT:
        snprintf(ret_text, size,
                 s->choices[0] != '\0' ? "%lld to %lld of %s" : "%lld to %lld bytes%s", min, max,
                 s->choices);
        break;
    case SETTING_INT:
        snprintf(ret_text, size, "a whole number from %lld to %lld", min, max);
        break;
    case SETTING_BOOL:
        snprintf(ret_text, size, "0, 1, true or false");
        break;
    case SETTING_CHOICE:
        snprintf(ret_text, size, "%s", choices);
        break;
    case SETTING_URL:
        snprintf(ret_text, size, "a URL of scheme %s, at most %lld bytes", choices, max);
        break;
    case SETTING_ORIGINS:
        snprintf(ret_text, size, "origins (scheme://host[:port]) separated by commas, or *");
        break;
    case SETTING_CIDRS:
        snprintf(ret_text, size, "addresses or networks (10.0.0.0/8) separated by commas");
        break;
    case SETTING_LIST:
        if (s->choices[0] != '\0')
            snprintf(ret_text, size, "words out of %s, separated by commas", choices);
        else
            snprintf(ret_text, size, "words separated by commas, at most %lld bytes", max);
        break;
    case SETTING_BASE64:
        snprintf(ret_text, size, "base64, at most %lld bytes", max);
        break;
    case SETTING_KEY:
        snprintf(ret_text, size, "base64 of 32 bytes");
        break;
    case SETTING_KEYS:
        snprintf(ret_text, size, "id:key separated by commas, each key base64 of 32 bytes");
        break;
    }
}
