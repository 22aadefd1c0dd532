#include "base/settings_parts.h"

#include <openssl/crypto.h>
#include <string.h>

#include "base/data_keys.h"
#include "base/encode.h"

#define SECRET_MIN_BYTES 32
#define SECRET_MIN_DIFFERENT 8

/* Texts of manuals and samples; a secret that holds one, in any case, is not a secret. */
static const char *const samples[] = {
    "changeme",     "change-me",   "change_me",        "change me",        "replace-me",
    "replace_me",   "replaceme",   "your-secret",      "your_secret",      "yoursecret",
    "example",      "placeholder", "insecure",         "password1",        "mysecret",
    "my-secret",    "my_secret",   "supersecret",      "super-secret",     "super_secret",
    "secretsecret", "development", "0123456789abcdef", "abcdefghijklmnop",
};

static bool
holds_nocase(struct text t, struct text part)
{
    for (size_t i = 0; i + part.len <= t.len; i++) {
        if (text_eq_nocase((struct text){t.p + i, part.len}, part))
            return true;
    }
    return false;
}

static unsigned
different_bytes(struct text t)
{
    bool seen[256] = {false};
    unsigned count = 0;

    for (size_t i = 0; i < t.len; i++) {
        count += !seen[(unsigned char)t.p[i]];
        seen[(unsigned char)t.p[i]] = true;
    }
    return count;
}

/* What makes a secret weak, or NULL. */
static const char *
secret_problem(struct text secret)
{
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        if (holds_nocase(secret, text_of(samples[i])))
            return "is a sample, not a secret";
    }
    if (secret.len < SECRET_MIN_BYTES)
        return "is shorter than 32 bytes";
    if (different_bytes(secret) < SECRET_MIN_DIFFERENT)
        return "repeats too few characters";
    return NULL;
}

/* The parts of scheme://user:password@host,host/name?key=value that decide on safety. */
struct url_parts {
    struct text user;
    struct text hosts;
    struct text query;
};

static struct url_parts
url_split(const char *url)
{
    struct url_parts parts = {TEXT_NULL, TEXT_NULL, TEXT_NULL};
    struct text rest = text_of(strstr(url, "://") + 3);
    struct text before = text_cut(&rest, '?');

    parts.query = rest;
    before = text_cut(&before, '/');
    parts.hosts = before;
    for (size_t i = 0; i < before.len; i++) {
        if (before.p[i] == '@') {
            parts.user = (struct text){before.p, i};
            parts.hosts = (struct text){before.p + i + 1, before.len - i - 1};
        }
    }
    return parts;
}

/* Percent escapes undone; cut at what fits. Escapes were checked when the URL was. */
static struct text
unescape(struct text t, char *space, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < t.len && n < size; i++, n++) {
        space[n] = t.p[i];
        if (t.p[i] == '%') {
            hex_decode((struct text){t.p + i + 1, 2}, space + n, 1);
            i += 2;
        }
    }
    return (struct text){space, n};
}

/* The last of that name, TEXT_NULL when there is none. */
static struct text
query_value(struct text query, const char *name)
{
    struct text found = TEXT_NULL;

    while (query.p != NULL) {
        struct text value = text_cut(&query, '&');
        struct text key = text_cut(&value, '=');
        if (text_eq(key, text_of(name)))
            found = value;
    }
    return found;
}

static bool
host_is_local(struct text host)
{
    if (host.len == 0 || host.p[0] == '/' || host.p[0] == '@')
        return true;
    return text_eq_nocase(host, TEXT("localhost")) || cidr_match(TEXT("127.0.0.0/8,::1"), host);
}

/* One of "host:port,[v6]:port"; a missing or empty list is libpq's own socket. */
static bool
hosts_are_local(struct text hosts)
{
    char space[2048];

    while (hosts.p != NULL) {
        struct text host = text_cut(&hosts, ',');
        if (text_starts(host, TEXT("["))) {
            host = (struct text){host.p + 1, host.len - 1};
            host = text_cut(&host, ']');
        } else {
            host = text_cut(&host, ':');
        }
        if (!host_is_local(unescape(host, space, sizeof space)))
            return false;
    }
    return true;
}

/* In a query's host and hostaddr there are no ports and brackets. */
static bool
query_hosts_are_local(struct text escaped)
{
    char space[2048];
    struct text hosts = unescape(escaped, space, sizeof space);

    if (escaped.p == NULL)
        return true;
    while (hosts.p != NULL) {
        if (!host_is_local(text_cut(&hosts, ',')))
            return false;
    }
    return true;
}

static bool
mode_is_strict(struct text mode)
{
    return text_eq(mode, TEXT("require")) || text_eq(mode, TEXT("verify-ca")) ||
           text_eq(mode, TEXT("verify-full"));
}

/* The URL's sslmode and DB_SSL_MODE may both be there: neither may undo the other. */
static bool
tls_is_off(struct text url_mode, const struct setting_value *mode)
{
    bool strict = mode_is_strict(text_of(mode->text));

    if (url_mode.p == NULL)
        return !strict;
    return !mode_is_strict(url_mode) || (!strict && mode->source != FROM_DEFAULT);
}

static void
check_database_url(enum setting_id id, const struct setting_value *values, struct faults *f)
{
    const char *name = setting_info(id)->name;
    struct url_parts parts;
    struct text password;
    char space[2048];

    if (values[id].text[0] == '\0')
        return;
    parts = url_split(values[id].text);
    password = parts.user;
    text_cut(&password, ':');
    if (password.p == NULL)
        password = query_value(parts.query, "password");
    if (password.p != NULL) {
        const char *problem = secret_problem(unescape(password, space, sizeof space));
        if (problem != NULL)
            fault_add(f, name, "its password %s", problem);
    }
    /* Where a service file leads is not known here. */
    if (hosts_are_local(parts.hosts) && query_hosts_are_local(query_value(parts.query, "host")) &&
        query_hosts_are_local(query_value(parts.query, "hostaddr")) &&
        query_value(parts.query, "service").p == NULL)
        return;
    if (tls_is_off(query_value(parts.query, "sslmode"), &values[S_DB_SSL_MODE]))
        fault_add(f, "DB_SSL_MODE",
                  "the server of %s is remote: require, verify-ca or verify-full is needed", name);
}

static void
check_database(const struct setting_value *values, struct faults *f)
{
    check_database_url(S_DATABASE_URL, values, f);
    check_database_url(S_JOBS_DATABASE_URL, values, f);
    if (values[S_DATABASE_URL].text[0] != '\0')
        return;
    if (!host_is_local(text_of(values[S_DB_HOST].text)) &&
        tls_is_off(TEXT_NULL, &values[S_DB_SSL_MODE]))
        fault_add(f, "DB_SSL_MODE",
                  "the server of DB_HOST is remote: require, verify-ca or verify-full is needed");
}

static void
check_secrets(const struct setting_value *values, struct faults *f)
{
    for (enum setting_id id = 0; id < S_COUNT; id++) {
        const struct setting_info *s = setting_info(id);
        const char *problem;
        if ((s->flags & SET_SECRET) == 0 || values[id].text[0] == '\0')
            continue;
        problem = strcmp(values[id].text, s->preset) == 0
                      ? "is the default"
                      : secret_problem(text_of(values[id].text));
        if (problem != NULL)
            fault_add(f, s->name, "the secret %s", problem);
    }
}

/* A password of the mail server may be seen on the way unless TLS is certain. */
static void
check_mail(const struct setting_value *values, struct faults *f)
{
    struct url_parts parts;

    if (values[S_SMTP_URL].faulty)
        return;
    if (values[S_SMTP_URL].text[0] == '\0') {
        if (values[S_MAIL_DIR].text[0] == '\0')
            fault_add(f, "SMTP_URL", "production needs this setting, or MAIL_DIR");
        return;
    }
    if (values[S_MAIL_FROM].source == FROM_DEFAULT)
        fault_add(f, "MAIL_FROM", "production needs this setting together with SMTP_URL");
    parts = url_split(values[S_SMTP_URL].text);
    if (parts.user.p != NULL && !hosts_are_local(parts.hosts) &&
        text_starts(text_of(values[S_SMTP_URL].text), TEXT("smtp:")) &&
        strcmp(values[S_SMTP_TLS].text, "required") != 0)
        fault_add(f, "SMTP_TLS",
                  "the server of SMTP_URL is remote and wants a password: "
                  "required, or smtps:// is needed");
}

static void
check_production(const struct setting_value *values, struct faults *f)
{
    bool basic =
        values[S_METRICS_USERNAME].text[0] != '\0' && values[S_METRICS_PASSWORD].text[0] != '\0';

    for (enum setting_id id = 0; id < S_COUNT; id++) {
        if ((setting_info(id)->flags & SET_PRODUCTION) != 0 && values[id].source == FROM_DEFAULT &&
            !values[id].faulty)
            fault_add(f, setting_info(id)->name, "production needs this setting");
    }
    check_secrets(values, f);
    check_database(values, f);
    check_mail(values, f);
    if (!basic && values[S_METRICS_BEARER_TOKEN].text[0] == '\0' &&
        values[S_METRICS_ALLOWED_IPS].text[0] == '\0')
        fault_add(f, "METRICS_BEARER_TOKEN",
                  "/metrics is open: set it, METRICS_USERNAME and METRICS_PASSWORD, or "
                  "METRICS_ALLOWED_IPS");
    if (strcmp(values[S_CORS_ALLOWED_ORIGINS].text, "*") == 0 &&
        values[S_CORS_ALLOW_CREDENTIALS].number != 0)
        fault_add(f, "CORS_ALLOWED_ORIGINS", "any origin together with CORS_ALLOW_CREDENTIALS");
}

static void
check_mail_from(const struct setting_value *from, struct faults *f)
{
    struct text domain = text_of(from->text), local = text_cut(&domain, '@');

    if (from->faulty)
        return;
    if (local.len == 0 || domain.len == 0 || memchr(domain.p, '@', domain.len) != NULL)
        fault_add(f, "MAIL_FROM", "expected an address: name@domain");
}

/* Told twice, a name must mean one key. */
static void
check_data_keys(const struct setting_value *values, struct faults *f)
{
    const char *primary = values[S_DATA_ENCRYPTION_PRIMARY_KEY].text;
    const char *active = values[S_DATA_ENCRYPTION_ACTIVE_KEY_ID].text;
    uint8_t keys[2][DATA_KEY_BYTES];
    struct text list = text_of(values[S_DATA_ENCRYPTION_FALLBACK_KEYS].text);
    struct text id, other, rest;
    bool twice = false;

    if ((primary[0] == '\0') != (active[0] == '\0'))
        fault_add(f, "DATA_ENCRYPTION_PRIMARY_KEY",
                  "goes together with "
                  "DATA_ENCRYPTION_ACTIVE_KEY_ID");
    while (list.len > 0 && data_key_next(&list, &id, keys[0])) {
        if (text_eq(id, text_of(active)) && data_key_decode(text_of(primary), keys[1]))
            twice = twice || memcmp(keys[0], keys[1], DATA_KEY_BYTES) != 0;
        for (rest = list; rest.len > 0 && data_key_next(&rest, &other, keys[1]);)
            twice = twice || (text_eq(id, other) && memcmp(keys[0], keys[1], DATA_KEY_BYTES) != 0);
    }
    OPENSSL_cleanse(keys, sizeof keys);
    if (twice)
        fault_add(f, "DATA_ENCRYPTION_FALLBACK_KEYS", "two keys have one name");
}

void
settings_check_together(const struct setting_value values[S_COUNT], struct faults *f)
{
    if (!origin_well_formed(text_of(values[S_APP_URL].text)))
        fault_add(f, "APP_URL", "expected scheme://host[:port] and nothing behind it");
    if (values[S_SHARED_DIR].text[0] != '/')
        fault_add(f, "SHARED_DIR", "expected an absolute path");
    if (values[S_MAIL_DIR].text[0] != '\0' && values[S_MAIL_DIR].text[0] != '/')
        fault_add(f, "MAIL_DIR", "expected an absolute path");
    check_mail_from(&values[S_MAIL_FROM], f);
    if ((values[S_METRICS_USERNAME].text[0] == '\0') !=
        (values[S_METRICS_PASSWORD].text[0] == '\0'))
        fault_add(f, "METRICS_USERNAME", "goes together with METRICS_PASSWORD");
    check_data_keys(values, f);
    /* A session in use is refreshed that often; a shorter one would end under its user's hands. */
    if (values[S_SESSION_IDLE_MINUTES].number != 0 &&
        values[S_SESSION_IDLE_MINUTES].number <= values[S_TOKEN_EXPIRY_MINUTES].number)
        fault_add(f, "SESSION_IDLE_MINUTES", "expected 0, or more than TOKEN_EXPIRY_MINUTES");
    if (values[S_TWO_FACTOR_REQUIRED_ROLES].text[0] != '\0' &&
        values[S_DATA_ENCRYPTION_PRIMARY_KEY].text[0] == '\0')
        fault_add(f, "TWO_FACTOR_REQUIRED_ROLES", "needs DATA_ENCRYPTION_PRIMARY_KEY");
    if (strcmp(values[S_APP_ENV].text, "production") == 0)
        check_production(values, f);
}
