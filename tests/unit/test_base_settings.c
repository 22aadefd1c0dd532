#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/settings.h"

#define GOOD_SECRET "q8Zt1Wm4Xc7Vb0Nn3Ll6Kk9Jj2Hh5Gg8Ff"
#define DATA_KEY "qk3sP0bXv1m8Yw2Zr5Td7Uf9Gh1Ji3Kl5Mn7Op9Qr8A="
#define OTHER_KEY "Zy7Xw5Vu3Ts1Rq9Po7Nm5Lk3Ji1Hg9Fe7Dc5Ba3Zy1E="
#define MARKED "n0t-t0-be-sh0wn"

static char directory[] = "/tmp/lectern-settings-XXXXXX";
static char told[16384]; /* the faults of the last load */

/* A clean environment with what is required everywhere. */
static void
begin(void)
{
    char name[64];

    for (int id = 0; id < S_COUNT; id++) {
        unsetenv(setting_info((enum setting_id)id)->name);
        snprintf(name, sizeof name, "%s_FILE", setting_info((enum setting_id)id)->name);
        unsetenv(name);
    }
    setenv("JWT_KEYSET", "eyJrZXlzIjpbeyJraWQiOiIyMDI2LTAxIiwiYWxnIjoiUlMyNTYifV19", 1);
    setenv("JWT_REFRESH_SECRET", GOOD_SECRET "r", 1);
    setenv("SIGNING_SECRET", GOOD_SECRET "s", 1);
}

static void
begin_production(void)
{
    begin();
    setenv("APP_ENV", "production", 1);
    setenv("APP_URL", "https://learn.school.test", 1);
    setenv("METRICS_BEARER_TOKEN", GOOD_SECRET "m", 1);
    setenv("DATA_ENCRYPTION_PRIMARY_KEY", DATA_KEY, 1);
    setenv("DATA_ENCRYPTION_ACTIVE_KEY_ID", "k1", 1);
    setenv("SMTP_URL", "smtps://mail.school.test", 1);
    setenv("MAIL_FROM", "school@school.test", 1);
}

static size_t
load(const char *config, bool reload)
{
    FILE *out = fmemopen(told, sizeof told, "w");
    size_t count;

    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    count = reload ? settings_reload(out) : settings_load(config, out);
    fclose(out);
    if (count == 0)
        told[0] = '\0';
    return count;
}

static bool
tells(const char *part)
{
    bool found = strstr(told, part) != NULL;

    if (!found)
        printf("\n  missing: %s\n  told: %s\n", part, told);
    return found;
}

/* Exactly one fault, with this text. */
static bool
one_fault(const char *part)
{
    size_t count = load(NULL, false);

    if (count != 1)
        printf("\n  %zu faults for %s: %s\n", count, part, told);
    return count == 1 && tells(part);
}

static const char *
write_file(const char *name, const char *content, size_t n)
{
    static char path[128];
    FILE *out;

    snprintf(path, sizeof path, "%s/%s", directory, name);
    out = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    fwrite(content, 1, n, out);
    fclose(out);
    return path;
}

static const char *
config_of(const char *content)
{
    return write_file("lectern.env", content, strlen(content));
}

/* --- the table -------------------------------------------------------------------------------- */

static void
test_defaults(void)
{
    CU_ASSERT_EQUAL(setting_int(S_WORKERS), 4);
    CU_ASSERT_TRUE(setting_bool(S_CSRF_DOUBLE_SUBMIT));
    CU_ASSERT_STRING_EQUAL(setting_z(S_LOG_LEVEL), "info");
    CU_ASSERT_STRING_EQUAL(setting_z(S_REGISTRATION_ORG), "");
    CU_ASSERT_FALSE(setting_is_set(S_WORKERS));
    CU_ASSERT_FALSE(setting_production());
    CU_ASSERT_EQUAL(setting_int(S_GLOBAL_RATE_LIMIT), 1200);
    CU_ASSERT_EQUAL(setting_int(S_AUTH_RATE_WINDOW_MS), 60000);
}

/* Every default obeys its own rule: what cannot be loaded as given is a fault of the table. */
static void
test_table(void)
{
    for (int i = 0; i < S_COUNT; i++) {
        const struct setting_info *s = setting_info((enum setting_id)i);
        size_t n = strlen(s->name);
        begin();
        if (s->preset[0] != '\0') {
            setenv(s->name, s->preset, 1);
            if (load(NULL, false) != 0)
                CU_FAIL(s->name);
        }
        CU_ASSERT_TRUE(s->min <= s->max);
        CU_ASSERT_EQUAL(strspn(s->name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"), n);
        /* Otherwise NAME_FILE of one would be the name of another. */
        CU_ASSERT_TRUE(n < 5 || strcmp(s->name + n - 5, "_FILE") != 0);
        CU_ASSERT_TRUE(s->doc[0] != '\0' && s->doc[strlen(s->doc) - 1] == '.');
        CU_ASSERT_FALSE((s->flags & SET_SECRET) != 0 && s->preset[0] != '\0');
    }
}

static void
test_empty_environment(void)
{
    begin();
    unsetenv("JWT_KEYSET");
    unsetenv("JWT_REFRESH_SECRET");
    setenv("SIGNING_SECRET", "", 1);
    CU_ASSERT_EQUAL(load(NULL, false), 3);
    CU_ASSERT_TRUE(tells("JWT_KEYSET: this setting is required\n"));
    CU_ASSERT_TRUE(tells("JWT_REFRESH_SECRET: this setting is required\n"));
    CU_ASSERT_TRUE(tells("SIGNING_SECRET: this setting is required\n"));
    CU_ASSERT_EQUAL(settings_load(NULL, NULL), 3);
}

/* --- kinds ----------------------------------------------------------------------------------- */

struct sample {
    const char *name;
    const char *value;
};

static void
test_well_formed(void)
{
    static const struct sample good[] = {
        {"WORKERS", "1"},
        {"WORKERS", "256"},
        {"COEP", "1"},
        {"COEP", "true"},
        {"COEP", "false"},
        {"LOG_LEVEL", "error"},
        {"APP_URL", "http://127.0.0.1:8080"},
        {"APP_URL", "https://[::1]:8443"},
        {"DATABASE_URL", "postgresql:///lectern?host=/run/postgresql"},
        {"DATABASE_URL", "postgres://a:b%40c@h1:5432,h2:5433/db?target_session_attrs=read-write"},
        {"CORS_ALLOWED_ORIGINS", "*"},
        {"CORS_ALLOWED_ORIGINS", "https://a.test, https://b.test:8443,http://[2001:db8::1]:80"},
        {"ADMIN_ALLOWED_CIDRS", "10.0.0.0/8, ::1,192.0.2.7"},
        {"ALLOWED_UPLOAD_MIME", "image/png,application/vnd.ms-excel"},
        {"REGISTRATION_ORG", "my-school-2"},
        {"TRACE_HEADER_NAME", "X-Trace-Id"},
        {"LISTEN_SOCKET_MODE", "0600"},
        {"JWT_KEYSET", "e3\n0=\n"},
        {"ARGON2_MEMORY_KIB", "8192"},
        {"DATA_ENCRYPTION_FALLBACK_KEYS", "k1:" DATA_KEY},
        {"DATA_ENCRYPTION_FALLBACK_KEYS", "k1:" DATA_KEY ", k-2_:" OTHER_KEY ",k1:" DATA_KEY},
    };

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        begin();
        setenv(good[i].name, good[i].value, 1);
        if (load(NULL, false) != 0)
            CU_FAIL(told);
    }
}

static const struct sample malformed[] = {
    {"WORKERS", "0"},
    {"WORKERS", "257"},
    {"WORKERS", "-1"},
    {"WORKERS", "4 "},
    {"WORKERS", "four"},
    {"WORKERS", "4.0"},
    {"WORKERS", "0x4"},
    {"WORKERS", "9999999999999999999"},
    {"ARGON2_MEMORY_KIB", "8191"},
    {"COEP", "yes"},
    {"COEP", "TRUE"},
    {"COEP", "2"},
    {"LOG_LEVEL", "trace"},
    {"LOG_LEVEL", "inf"},
    {"LOG_LEVEL", "debug|info"},
    {"APP_ENV", "prod"},
    {"APP_URL", "learn.test"},
    {"APP_URL", "ftp://learn.test"},
    {"APP_URL", "https://"},
    {"APP_URL", "https://learn.test/"},
    {"APP_URL", "https://learn.test/x"},
    {"APP_URL", "https://learn.test:0"},
    {"APP_URL", "https://learn.test:65536"},
    {"APP_URL", "https://user@learn.test"},
    {"APP_URL", "https://le arn.test"},
    {"APP_URL", "https://[::1"},
    {"APP_URL", "https://[10.0.0.1]"},
    {"APP_URL", "HTTPS://learn.test"},
    {"APP_URL", "https://learn.test\";"},
    {"DATABASE_URL", "mysql://h/db"},
    {"DATABASE_URL", "host=/run dbname=x"},
    {"DATABASE_URL", "postgresql://h/db%4"},
    {"DATABASE_URL", "postgresql://h/db%zz"},
    {"DATABASE_URL", "postgresql://"},
    {"DATABASE_URL", "postgresql://h/d b"},
    {"CORS_ALLOWED_ORIGINS", "*,https://a.test"},
    {"CORS_ALLOWED_ORIGINS", "https://*.a.test"},
    {"CORS_ALLOWED_ORIGINS", "https://a.test,"},
    {"CORS_ALLOWED_ORIGINS", "https://a.test/"},
    {"CORS_ALLOWED_ORIGINS", "null"},
    {"CORS_ALLOWED_ORIGINS", "a.test"},
    {"ADMIN_ALLOWED_CIDRS", "10.0.0.1/8"},
    {"ADMIN_ALLOWED_CIDRS", "10.0.0.0/8;"},
    {"ADMIN_ALLOWED_CIDRS", "all"},
    {"ADMIN_ALLOWED_CIDRS", "10.0.0.0/8,,::1"},
    {"ALLOWED_UPLOAD_MIME", "image/png,,text/csv"},
    {"ALLOWED_UPLOAD_MIME", "image/png;q=1"},
    {"CORS_ALLOWED_HEADERS", "x-a $evil"},
    {"TWO_FACTOR_REQUIRED_ROLES", "admin,principal"},
    {"TWO_FACTOR_REQUIRED_ROLES", "Admin"},
    {"REGISTRATION_ORG", "My School"},
    {"REGISTRATION_ORG", "x"},
    {"TRACE_HEADER_NAME", "x-trace: 1"},
    {"TRACE_HEADER_NAME", "x_t"},
    {"LISTEN_SOCKET_MODE", "0666"},
    {"SHARED_DIR", "run/lectern"},
    {"JWT_KEYSET", "!!!!"},
    {"JWT_KEYSET", "e"},
    {"SERVICE_TOKEN", "a\tb"},
    {"SERVICE_TOKEN", "a\xff"},
    {"DB_PORT", "65536"},
    {"METRICS_USERNAME", "a:b"},
    {"DATA_ENCRYPTION_PRIMARY_KEY", "c2hvcnQ="},
    {"DATA_ENCRYPTION_PRIMARY_KEY", DATA_KEY "AAAA"},
    {"DATA_ENCRYPTION_PRIMARY_KEY", "not base64, but of fitting length: 44 chars."},
    {"DATA_ENCRYPTION_ACTIVE_KEY_ID", "a.b"},
    {"DATA_ENCRYPTION_ACTIVE_KEY_ID", "a:b"},
    {"DATA_ENCRYPTION_FALLBACK_KEYS", DATA_KEY},
    {"DATA_ENCRYPTION_FALLBACK_KEYS", ":" DATA_KEY},
    {"DATA_ENCRYPTION_FALLBACK_KEYS", "k1:" DATA_KEY ","},
    {"DATA_ENCRYPTION_FALLBACK_KEYS", "k1:" DATA_KEY ";k2:" OTHER_KEY},
    {"DATA_ENCRYPTION_FALLBACK_KEYS", "k.1:" DATA_KEY},
    {"DATA_ENCRYPTION_FALLBACK_KEYS", "k1:" DATA_KEY ",k1:" OTHER_KEY},
    {"DATA_ENCRYPTION_FALLBACK_KEYS", "k1:" DATA_KEY ",k2:" OTHER_KEY ",k1:" OTHER_KEY},
};

static void
test_malformed(void)
{
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        begin();
        setenv(malformed[i].name, malformed[i].value, 1);
        if (load(NULL, false) == 0 ||
            strncmp(told, malformed[i].name, strlen(malformed[i].name)) != 0) {
            printf("\n  %s=%s told: %s\n", malformed[i].name, malformed[i].value, told);
            CU_FAIL("a malformed value was taken");
        }
    }
}

static void
test_messages(void)
{
    begin();
    setenv("WORKERS", "300\033[2J", 1);
    CU_ASSERT_TRUE(one_fault("WORKERS: expected a whole number from 1 to 256, found 300?[2J\n"));
    begin();
    setenv("LOG_LEVEL", "loud", 1);
    CU_ASSERT_TRUE(one_fault("LOG_LEVEL: expected debug, info, warn or error, found loud\n"));
    begin();
    setenv("METRICS_USERNAME", "prometheus", 1);
    CU_ASSERT_TRUE(one_fault("METRICS_USERNAME: goes together with METRICS_PASSWORD\n"));
    begin();
    setenv("TWO_FACTOR_REQUIRED_ROLES", "teacher", 1);
    CU_ASSERT_TRUE(one_fault("TWO_FACTOR_REQUIRED_ROLES: needs DATA_ENCRYPTION_PRIMARY_KEY\n"));
    begin();
    setenv("SESSION_IDLE_MINUTES", "15", 1);
    CU_ASSERT_TRUE(
        one_fault("SESSION_IDLE_MINUTES: expected 0, or more than TOKEN_EXPIRY_MINUTES\n"));
    setenv("SESSION_IDLE_MINUTES", "16", 1);
    CU_ASSERT_EQUAL(load(NULL, false), 0);
    setenv("SESSION_IDLE_MINUTES", "0", 1);
    CU_ASSERT_EQUAL(load(NULL, false), 0);
    begin();
    setenv("DATA_ENCRYPTION_PRIMARY_KEY", DATA_KEY, 1);
    CU_ASSERT_TRUE(one_fault("DATA_ENCRYPTION_PRIMARY_KEY: goes together with "
                             "DATA_ENCRYPTION_ACTIVE_KEY_ID\n"));
    setenv("DATA_ENCRYPTION_ACTIVE_KEY_ID", "k1", 1);
    setenv("TWO_FACTOR_REQUIRED_ROLES", "admin, operator", 1);
    CU_ASSERT_EQUAL(load(NULL, false), 0);
    setenv("DATA_ENCRYPTION_FALLBACK_KEYS", "k1:" DATA_KEY, 1);
    CU_ASSERT_EQUAL(load(NULL, false), 0);
    setenv("DATA_ENCRYPTION_FALLBACK_KEYS", "k1:" OTHER_KEY, 1);
    CU_ASSERT_TRUE(one_fault("DATA_ENCRYPTION_FALLBACK_KEYS: two keys have one name\n"));
    /* Faults keep the values that were in force. */
    begin();
    setenv("WORKERS", "7", 1);
    CU_ASSERT_EQUAL(load(NULL, false), 0);
    setenv("WORKERS", "0", 1);
    CU_ASSERT_EQUAL(load(NULL, false), 1);
    CU_ASSERT_EQUAL(setting_int(S_WORKERS), 7);
}

/* --- sources --------------------------------------------------------------------------------- */

static void
test_config_file(void)
{
    begin();
    setenv("WORKERS", "9", 1);
    CU_ASSERT_EQUAL_FATAL(load(config_of("# comment\n; another\n\n  \t\n"
                                         "export LOG_LEVEL=warn\r\n"
                                         "WORKERS=5\n"
                                         "  SLOW_QUERY_MS=20  \n"
                                         "DB_NAME='lec.tern'\n"
                                         "SERVICE_TOKEN=\"a \\\"b\\\" \\\\ \\$c # d\"  \n"
                                         "METRICS_BEARER_TOKEN='a \"b\" \\ # c'\n"
                                         "JWT_ISSUER=https://a/=b#c\n"
                                         "REGISTRATION_ORG=\n"
                                         "COEP=1"),
                               false),
                          1); /* '=' and '#' are not of an issuer's characters */
    CU_ASSERT_TRUE(tells("JWT_ISSUER: expected"));
    CU_ASSERT_EQUAL_FATAL(load(config_of("export LOG_LEVEL=warn\r\n"
                                         "WORKERS=5\n"
                                         "  SLOW_QUERY_MS=20  \n"
                                         "DB_NAME='lec.tern'\n"
                                         "SERVICE_TOKEN=\"a \\\"b\\\" \\\\ \\$c # d \\n\"  \n"
                                         "METRICS_BEARER_TOKEN='a \"b\" \\ # c'\n"
                                         "DB_PASSWORD=x=y#z\n"
                                         "REGISTRATION_ORG=\n"
                                         "COEP=1"),
                               false),
                          0);
    CU_ASSERT_EQUAL(setting_int(S_WORKERS), 9); /* the environment wins */
    CU_ASSERT_EQUAL(setting_int(S_SLOW_QUERY_MS), 20);
    CU_ASSERT_STRING_EQUAL(setting_z(S_LOG_LEVEL), "warn");
    CU_ASSERT_STRING_EQUAL(setting_z(S_DB_NAME), "lec.tern");
    CU_ASSERT_STRING_EQUAL(setting_z(S_SERVICE_TOKEN), "a \"b\" \\ $c # d \\n");
    CU_ASSERT_STRING_EQUAL(setting_z(S_METRICS_BEARER_TOKEN), "a \"b\" \\ # c");
    CU_ASSERT_STRING_EQUAL(setting_z(S_DB_PASSWORD), "x=y#z");
    CU_ASSERT_FALSE(setting_is_set(S_REGISTRATION_ORG));
    CU_ASSERT_TRUE(setting_is_set(S_WORKERS) && setting_bool(S_COEP));
}

static void
test_config_file_faults(void)
{
    static const char *const bad[] = {
        "WORKERS",
        "WORKERS 4",
        "=4",
        "4WORKERS=1",
        "workers=4",
        "WORKERS =4",
        "WORKERS=\"4",
        "WORKERS='4",
        "WORKERS='4'x",
        "WORKERS=\"4\" # four",
        "WORKERS=4 # four",
        "WORKERS=4\\",
        "WORKERS=a\"b\"",
        "WORKERS=4\nWORKERS=4",
        "NO_SUCH_THING=1",
        "NO_SUCH_THING_FILE=/x",
        "_FILE=/x",
        "exportWORKERS=4",
        "export",
        "WORKERS='",
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        begin();
        if (load(config_of(bad[i]), false) != 1 || strncmp(told, "lectern.env:", 12) != 0) {
            printf("\n  %s told: %s\n", bad[i], told);
            CU_FAIL("a malformed line was taken");
        }
    }
    begin();
    CU_ASSERT_EQUAL(load(config_of("COEP=1\n\nWORKRES=4\nSIGNING_SECRTE='" MARKED "'\n"), false),
                    2);
    CU_ASSERT_TRUE(tells("lectern.env:3: there is no setting WORKRES; WORKERS is the nearest\n"));
    CU_ASSERT_TRUE(tells("lectern.env:4: there is no setting SIGNING_SECRTE; SIGNING_SECRET is"));
    CU_ASSERT_PTR_NULL(strstr(told, MARKED));
    CU_ASSERT_EQUAL(load("/nonexistent/lectern.env", false), 1);
    CU_ASSERT_TRUE(tells("--config: /nonexistent/lectern.env: No such file"));
    CU_ASSERT_EQUAL(load(directory, false), 1);
    CU_ASSERT_EQUAL(load(write_file("lectern.env", "COEP=1\0WORKERS=4\n", 17), false), 1);
    CU_ASSERT_TRUE(tells("NUL"));
    /* What is unknown in the environment is none of our business. */
    setenv("WORKRES", "x", 1);
    CU_ASSERT_EQUAL(load(NULL, false), 0);
    unsetenv("WORKRES");
}

static void
test_long_name(void)
{
    char text[400];

    begin();
    memset(text, 'A', sizeof text);
    memcpy(text + 300, "=1", 3);
    CU_ASSERT_EQUAL(load(config_of(text), false), 1);
    CU_ASSERT_TRUE(tells("there is no setting AAAA"));
}

static void
test_value_files(void)
{
    static char large[70000];
    char path[128];

    begin();
    unsetenv("SIGNING_SECRET");
    setenv("SIGNING_SECRET_FILE", write_file("s", GOOD_SECRET "\n", sizeof GOOD_SECRET), 1);
    CU_ASSERT_EQUAL_FATAL(load(NULL, false), 0);
    CU_ASSERT_STRING_EQUAL(setting_z(S_SIGNING_SECRET), GOOD_SECRET);
    setenv("SIGNING_SECRET_FILE", write_file("s", "abc\r\n", 5), 1);
    CU_ASSERT_EQUAL_FATAL(load(NULL, false), 0);
    CU_ASSERT_STRING_EQUAL(setting_z(S_SIGNING_SECRET), "abc");
    /* One newline only; a second one is a control character. */
    setenv("SIGNING_SECRET_FILE", write_file("s", "abc\n\n", 5), 1);
    CU_ASSERT_TRUE(one_fault("SIGNING_SECRET: expected 1 to 1024 bytes, found something else (not "
                             "shown)\n"));
    setenv("SIGNING_SECRET_FILE", write_file("s", "a\0b\n", 4), 1);
    CU_ASSERT_TRUE(one_fault("NUL"));
    setenv("SIGNING_SECRET_FILE", write_file("s", "\n", 1), 1);
    CU_ASSERT_TRUE(one_fault("SIGNING_SECRET: this setting is required"));
    setenv("SIGNING_SECRET_FILE", write_file("s", large, sizeof large), 1);
    CU_ASSERT_TRUE(one_fault("too long"));
    setenv("SIGNING_SECRET_FILE", "/nonexistent/secret", 1);
    CU_ASSERT_TRUE(one_fault("SIGNING_SECRET: the file of SIGNING_SECRET_FILE cannot be read: No "
                             "such file"));
    setenv("SIGNING_SECRET_FILE", directory, 1);
    CU_ASSERT_TRUE(one_fault("SIGNING_SECRET: the file of SIGNING_SECRET_FILE cannot be read: "));
    setenv("SIGNING_SECRET", GOOD_SECRET, 1);
    CU_ASSERT_TRUE(
        one_fault("SIGNING_SECRET: both SIGNING_SECRET and SIGNING_SECRET_FILE are set\n"));
    /* Also in the config file, and for what is no secret; the environment wins over it. */
    unsetenv("SIGNING_SECRET_FILE");
    snprintf(path, sizeof path, "WORKERS_FILE=%s", write_file("w", "12\n", 3));
    CU_ASSERT_EQUAL(load(config_of(path), false), 0);
    CU_ASSERT_EQUAL(setting_int(S_WORKERS), 12);
    CU_ASSERT_EQUAL(load(config_of("WORKERS=3\nWORKERS_FILE=/x\n"), false), 1);
    setenv("WORKERS", "13", 1);
    CU_ASSERT_EQUAL(load(config_of("WORKERS_FILE=/nonexistent\n"), false), 0);
    CU_ASSERT_EQUAL(setting_int(S_WORKERS), 13);
}

static void
test_mail(void)
{
    static const char *const addresses[] = {"nobody", "a@", "@b", "a@b@c"};

    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        begin();
        setenv("MAIL_FROM", addresses[i], 1);
        CU_ASSERT_TRUE(one_fault("MAIL_FROM: expected"));
    }
    begin();
    setenv("MAIL_DIR", "mail", 1);
    CU_ASSERT_TRUE(one_fault("MAIL_DIR: expected an absolute path\n"));
    begin_production();
    unsetenv("SMTP_URL");
    unsetenv("MAIL_FROM");
    setenv("MAIL_DIR", "/var/mail", 1);
    CU_ASSERT_EQUAL(load(NULL, false), 0);
    setenv("SMTP_URL", "smtps://mail.school.test", 1);
    CU_ASSERT_TRUE(one_fault("MAIL_FROM: production needs this setting together with SMTP_URL\n"));
}

/* Is a mail server with this URL and SMTP_TLS taken in production? */
static bool
mail_server(const char *url, const char *tls)
{
    begin_production();
    setenv("SMTP_URL", url, 1);
    setenv("SMTP_TLS", tls, 1);
    return load(NULL, false) == 0 || !tells("SMTP_TLS: the server of SMTP_URL is remote");
}

static void
test_mail_passwords(void)
{
    CU_ASSERT_TRUE(mail_server("smtp://u:" MARKED "@mail.test:587", "required"));
    CU_ASSERT_FALSE(mail_server("smtp://u:" MARKED "@mail.test:587", "opportunistic"));
    CU_ASSERT_FALSE(mail_server("smtp://u:" MARKED "@mail.test:587", "none"));
    CU_ASSERT_TRUE(mail_server("smtps://u:" MARKED "@mail.test", "none"));
    CU_ASSERT_TRUE(mail_server("smtp://u:" MARKED "@localhost:25", "none"));
    CU_ASSERT_TRUE(mail_server("smtp://mail.test:25", "none"));
    CU_ASSERT_PTR_NULL(strstr(told, MARKED));
}

/* --- production
 * ------------------------------------------------------------------------------------ */

static void
test_production(void)
{
    begin_production();
    if (load(NULL, false) != 0)
        CU_FAIL(told);
    CU_ASSERT_TRUE(setting_production());
    begin();
    setenv("APP_ENV", "production", 1);
    unsetenv("JWT_KEYSET");
    unsetenv("JWT_REFRESH_SECRET");
    setenv("SIGNING_SECRET", "short", 1);
    setenv("SERVICE_TOKEN", "please-ChangeMe-please-ChangeMe-please", 1);
    setenv("DB_HOST", "db.school.test", 1);
    setenv("CORS_ALLOWED_ORIGINS", "*", 1);
    setenv("CORS_ALLOW_CREDENTIALS", "1", 1);
    setenv("WORKERS", "0", 1);
    CU_ASSERT_EQUAL(load(NULL, false), 12);
    CU_ASSERT_TRUE(tells("SMTP_URL: production needs this setting, or MAIL_DIR\n"));
    CU_ASSERT_TRUE(tells("DATA_ENCRYPTION_PRIMARY_KEY: production needs this setting\n"));
    CU_ASSERT_TRUE(tells("DATA_ENCRYPTION_ACTIVE_KEY_ID: production needs this setting\n"));
    CU_ASSERT_TRUE(tells("JWT_KEYSET: this setting is required\n"));
    CU_ASSERT_TRUE(tells("JWT_REFRESH_SECRET: this setting is required\n"));
    CU_ASSERT_TRUE(tells("APP_URL: production needs this setting\n"));
    CU_ASSERT_TRUE(tells("SIGNING_SECRET: the secret is shorter than 32 bytes\n"));
    CU_ASSERT_TRUE(tells("SERVICE_TOKEN: the secret is a sample, not a secret\n"));
    CU_ASSERT_TRUE(tells("DB_SSL_MODE: the server of DB_HOST is remote"));
    CU_ASSERT_TRUE(tells("METRICS_BEARER_TOKEN: /metrics is open"));
    CU_ASSERT_TRUE(
        tells("CORS_ALLOWED_ORIGINS: any origin together with CORS_ALLOW_CREDENTIALS\n"));
    CU_ASSERT_TRUE(tells("WORKERS: expected"));
    CU_ASSERT_PTR_NULL(strstr(told, "ChangeMe"));
    CU_ASSERT_PTR_NULL(strstr(told, "short\n"));
    setenv("APP_ENV", "development", 1);
    CU_ASSERT_EQUAL(load(NULL, false), 3); /* the two that are always required, and WORKERS */
}

static void
test_production_secrets(void)
{
    static const char *const weak[] = {
        "0123456789012345678901234567890",          /* 31 bytes */
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", /* long, but one byte */
        "abababcabababcabababcabababcabababcd",     /* four different ones */
        "this-is-an-EXAMPLE-of-a-very-long-secret",
        "0123456789abcdef0123456789abcdef0123456789abcdef",
        "your-secret-key-goes-here-and-is-long-enough",
    };
    static const char *const names[] = {"SIGNING_SECRET", "JWT_REFRESH_SECRET", "SERVICE_TOKEN",
                                        "METRICS_BEARER_TOKEN", "DB_PASSWORD"};

    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        for (size_t i = 0; i < sizeof weak / sizeof weak[0]; i++) {
            begin_production();
            setenv(names[n], weak[i], 1);
            CU_ASSERT_TRUE(one_fault(names[n]));
            CU_ASSERT_PTR_NULL(strstr(told, weak[i]));
        }
    }
    begin_production();
    setenv("METRICS_USERNAME", "prometheus", 1);
    setenv("METRICS_PASSWORD", "short", 1);
    CU_ASSERT_TRUE(one_fault("METRICS_PASSWORD: the secret is shorter than 32 bytes"));
}

static void
test_production_metrics(void)
{
    begin_production();
    unsetenv("METRICS_BEARER_TOKEN");
    CU_ASSERT_TRUE(one_fault("/metrics is open"));
    setenv("METRICS_ALLOWED_IPS", "10.0.0.0/8", 1);
    CU_ASSERT_EQUAL(load(NULL, false), 0);
    unsetenv("METRICS_ALLOWED_IPS");
    setenv("METRICS_USERNAME", "prometheus", 1);
    setenv("METRICS_PASSWORD", GOOD_SECRET, 1);
    CU_ASSERT_EQUAL(load(NULL, false), 0);
}

/* Is a connection with this URL and mode (NULL: not given) taken in production? */
static bool
database_taken(const char *url, const char *mode)
{
    bool taken;

    begin_production();
    setenv("DATABASE_URL", url, 1);
    if (mode != NULL)
        setenv("DB_SSL_MODE", mode, 1);
    taken = load(NULL, false) == 0;
    setenv("JOBS_DATABASE_URL", url, 1);
    unsetenv("DATABASE_URL");
    CU_ASSERT_EQUAL(load(NULL, false) == 0, taken);
    return taken;
}

static void
test_production_database(void)
{
    static const char *const local[] = {
        "postgresql:///lectern",
        "postgresql://lectern_app@/lectern",
        "postgresql://localhost/x",
        "postgresql://LOCALHOST:5433,127.0.0.1,[::1]:5432/x",
        "postgresql:///x?host=/run/postgresql",
        "postgresql://%2Frun%2Fpostgresql/x",
        "postgresql://a:" GOOD_SECRET "@127.1.2.3:5432/x",
        "postgresql:///x?host=%2Frun%2Fpg&port=5433",
        "postgres:///x?hostaddr=127.0.0.1",
    };
    static const char *const remote[] = {
        "postgresql://db.test/x",
        "postgresql://10.0.0.5:5432/x",
        "postgresql://localhost,db.test/x",
        "postgresql://[2001:db8::1]:5432/x",
        "postgresql://localhost@db.test/x",
        "postgresql:///x?host=db.test",
        "postgresql:///x?host=/run/postgresql,db.test",
        "postgresql://localhost/x?hostaddr=10.0.0.5",
        "postgresql:///x?host=%64b.test",
        "postgresql://localhost.evil.test/x",
        "postgresql://a:" GOOD_SECRET "@db.test/x",
        "postgresql://0127.0.0.1/x",
        "postgresql:///x?host=2001:db8::1",
        "postgresql:///x?service=school",
    };
    char url[256];

    for (size_t i = 0; i < sizeof local / sizeof local[0]; i++) {
        if (!database_taken(local[i], "disable") || !database_taken(local[i], NULL))
            CU_FAIL(local[i]);
    }
    for (size_t i = 0; i < sizeof remote / sizeof remote[0]; i++) {
        if (database_taken(remote[i], NULL) || database_taken(remote[i], "prefer") ||
            !database_taken(remote[i], "require") || !database_taken(remote[i], "verify-full"))
            CU_FAIL(remote[i]);
        snprintf(url, sizeof url, "%s%csslmode=verify-ca", remote[i],
                 strchr(remote[i], '?') ? '&' : '?');
        if (!database_taken(url, NULL) || database_taken(url, "prefer"))
            CU_FAIL(url);
        snprintf(url, sizeof url, "%s%csslmode=allow", remote[i],
                 strchr(remote[i], '?') ? '&' : '?');
        if (database_taken(url, NULL) || database_taken(url, "require"))
            CU_FAIL(url);
    }
    CU_ASSERT_FALSE(database_taken("postgresql://a:" MARKED "@localhost/x", NULL));
    CU_ASSERT_TRUE(tells("JOBS_DATABASE_URL: its password is shorter than 32 bytes\n"));
    CU_ASSERT_PTR_NULL(strstr(told, MARKED));
    CU_ASSERT_FALSE(database_taken("postgresql:///x?user=a&password=" MARKED, NULL));
    CU_ASSERT_PTR_NULL(strstr(told, MARKED));
}

static void
test_production_db_host(void)
{
    static const char *const local[] = {"/run/postgresql", "localhost", "127.0.0.1", "::1",
                                        "@abstract"};
    static const char *const remote[] = {"db.test", "10.0.0.5", "2001:db8::1"};

    for (size_t i = 0; i < sizeof local / sizeof local[0]; i++) {
        begin_production();
        setenv("DB_HOST", local[i], 1);
        setenv("DB_SSL_MODE", "disable", 1);
        CU_ASSERT_EQUAL(load(NULL, false), 0);
    }
    for (size_t i = 0; i < sizeof remote / sizeof remote[0]; i++) {
        begin_production();
        setenv("DB_HOST", remote[i], 1);
        CU_ASSERT_TRUE(one_fault("DB_SSL_MODE"));
        setenv("DB_SSL_MODE", "require", 1);
        CU_ASSERT_EQUAL(load(NULL, false), 0);
    }
}

/* --- reload
 * ------------------------------------------------------------------------------------------ */

static void
test_reload(void)
{
    begin();
    CU_ASSERT_EQUAL_FATAL(load(config_of("AUTH_RATE_LIMIT=5\nLOG_LEVEL=warn\nWORKERS=3\n"), false),
                          0);
    (void)config_of("AUTH_RATE_LIMIT=6\nLOG_LEVEL=error\nWORKERS=8\nSLOW_QUERY_MS=9\n");
    CU_ASSERT_EQUAL(load(NULL, true), 0);
    CU_ASSERT_EQUAL(setting_int(S_AUTH_RATE_LIMIT), 6);
    CU_ASSERT_STRING_EQUAL(setting_z(S_LOG_LEVEL), "error");
    CU_ASSERT_EQUAL(setting_int(S_SLOW_QUERY_MS), 9);
    CU_ASSERT_EQUAL(setting_int(S_WORKERS), 3); /* needs a restart */
    (void)config_of("AUTH_RATE_LIMIT=7\nLOG_LEVEL=loud\n");
    CU_ASSERT_EQUAL(load(NULL, true), 1);
    CU_ASSERT_EQUAL(setting_int(S_AUTH_RATE_LIMIT), 6); /* all or nothing */
    (void)config_of("");
    CU_ASSERT_EQUAL(load(NULL, true), 0);
    CU_ASSERT_EQUAL(setting_int(S_AUTH_RATE_LIMIT), 10);
    CU_ASSERT_FALSE(setting_is_set(S_AUTH_RATE_LIMIT));
}

/* --- what is shown
 * --------------------------------------------------------------------------------------- */

static void
test_show(void)
{
    static char shown[65536];
    FILE *out = fmemopen(shown, sizeof shown, "w");

    begin();
    setenv("SERVICE_TOKEN", MARKED, 1);
    setenv("DATABASE_URL", "postgresql://u:" MARKED "@localhost/x", 1);
    setenv("DB_PASSWORD", MARKED, 1);
    setenv("WORKERS", "6", 1);
    CU_ASSERT_EQUAL_FATAL(load(config_of("COEP=1\n"), false), 0);
    settings_show(out);
    fclose(out);
    CU_ASSERT_PTR_NULL(strstr(shown, MARKED));
    CU_ASSERT_PTR_NULL(strstr(shown, GOOD_SECRET));
    CU_ASSERT_PTR_NOT_NULL(strstr(shown, "\nWORKERS=6\t# environment\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(shown, "\nCOEP=1\t# config file\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(shown, "\nDB_PORT=5432\t# default\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(shown, "\nSERVICE_TOKEN=********\t# environment\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(shown, "\nMETRICS_PASSWORD=\t# not set\n"));
}

static void
test_markdown(void)
{
    static char page[65536];
    FILE *out = fmemopen(page, sizeof page, "w");

    settings_emit_markdown(out);
    fclose(out);
    for (int i = 0; i < S_COUNT; i++) {
        char row[96];
        snprintf(row, sizeof row, "\n| `%s` | ", setting_info((enum setting_id)i)->name);
        if (strstr(page, row) == NULL)
            CU_FAIL(row);
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(page, "\n## Rate limits\n"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(page, "| `WORKERS` | `4` | a whole number from 1 to 256 | no | no | "));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(page, "| `JWT_KEYSET` | none | base64, at most 65536 bytes | always | "));
}

int
main(void)
{
    static const struct unit_case cases[] = {
        {"defaults before anything is loaded", test_defaults},
        {"the table", test_table},
        {"nothing given", test_empty_environment},
        {"well-formed values", test_well_formed},
        {"malformed values", test_malformed},
        {"messages", test_messages},
        {"config file", test_config_file},
        {"config file: faults", test_config_file_faults},
        {"config file: a long name", test_long_name},
        {"NAME_FILE", test_value_files},
        {"production: all faults at once", test_production},
        {"mail", test_mail},
        {"mail: passwords", test_mail_passwords},
        {"production: secrets", test_production_secrets},
        {"production: metrics", test_production_metrics},
        {"production: database URL", test_production_database},
        {"production: DB_HOST", test_production_db_host},
        {"reload", test_reload},
        {"show", test_show},
        {"markdown", test_markdown},
        {NULL, NULL},
    };
    static const char *const files[] = {"lectern.env", "s", "w"};
    char path[128];
    int status;

    if (mkdtemp(directory) == NULL)
        return EXIT_FAILURE;
    status = unit_main("base settings", cases);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, files[i]);
        unlink(path);
    }
    rmdir(directory);
    return status;
}
