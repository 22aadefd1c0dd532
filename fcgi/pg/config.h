/* Connections as the settings describe them. */
#ifndef LECTERN_PG_CONFIG_H
#define LECTERN_PG_CONFIG_H

#include "pg/conn.h"

enum pg_who { PG_AS_APP, PG_AS_JOBS };

/* DATABASE_URL or DB_* for the workers' role, JOBS_DATABASE_URL for the daemon's; time-outs and TLS
 * mode as set. Not connected yet. */
struct pg *pg_from_settings(enum pg_who who, const char *application,
                            const struct pg_observer *observer);

#endif
