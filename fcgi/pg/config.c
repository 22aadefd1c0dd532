#include "pg/config.h"

#include <stdio.h>

#include "base/settings.h"

#define OPTIONS_MAX 20
#define NUMBER_TEXT 24

/* What a server may take beyond the time of the statement itself, such as flushing a commit. */
#define SILENCE_MS 5000
/* Jobs lift the statement's timeout where they must. */
#define JOB_PATIENCE_MS (24 * INT64_C(3600000))

struct options {
    const char *keyword[OPTIONS_MAX];
    const char *value[OPTIONS_MAX];
    size_t count;
};

static void
option_add(struct options *o, const char *keyword, const char *value)
{
    if (value[0] == '\0')
        return;
    o->keyword[o->count] = keyword;
    o->value[o->count] = value;
    o->count++;
}

static const char *
option_number(char text[NUMBER_TEXT], enum setting_id id)
{
    snprintf(text, NUMBER_TEXT, "%lld", (long long)setting_int(id));
    return text;
}

static void
option_server(struct options *o, enum pg_who who, char port[NUMBER_TEXT])
{
    const char *url = setting_z(who == PG_AS_APP ? S_DATABASE_URL : S_JOBS_DATABASE_URL);

    option_add(o, "dbname", url);
    if (url[0] != '\0' || who == PG_AS_JOBS)
        return;
    option_add(o, "host", setting_z(S_DB_HOST));
    option_add(o, "port", option_number(port, S_DB_PORT));
    option_add(o, "user", setting_z(S_DB_USER));
    option_add(o, "password", setting_z(S_DB_PASSWORD));
    option_add(o, "dbname", setting_z(S_DB_NAME));
}

struct pg *
pg_from_settings(enum pg_who who, const char *application, const struct pg_observer *observer)
{
    struct options o = {.count = 0};
    char port[NUMBER_TEXT], timeout[NUMBER_TEXT], server[256];

    snprintf(server, sizeof server,
             "-c statement_timeout=%lld -c lock_timeout=%lld"
             " -c idle_in_transaction_session_timeout=%lld -c timezone=UTC -c search_path=",
             (long long)setting_int(S_DB_STATEMENT_TIMEOUT_MS),
             (long long)setting_int(S_DB_LOCK_TIMEOUT_MS),
             (long long)setting_int(S_DB_IDLE_TX_TIMEOUT_MS));
    option_server(&o, who, port);
    if (setting_is_set(S_DB_SSL_MODE))
        option_add(&o, "sslmode", setting_z(S_DB_SSL_MODE));
    option_add(&o, "application_name", application);
    option_add(&o, "client_encoding", "UTF8");
    option_add(&o, "connect_timeout", option_number(timeout, S_DB_CONNECT_TIMEOUT_SECONDS));
    option_add(&o, "keepalives_idle", "30");
    option_add(&o, "keepalives_interval", "10");
    option_add(&o, "keepalives_count", "3");
    option_add(&o, "tcp_user_timeout", "20000");
    option_add(&o, "options", server);
    struct pg *p = pg_new(o.keyword, o.value, o.count, observer);
    pg_set_patience(p, who == PG_AS_APP ? setting_int(S_DB_STATEMENT_TIMEOUT_MS) + SILENCE_MS
                                        : JOB_PATIENCE_MS);
    return p;
}
