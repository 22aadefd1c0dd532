/* Which sessions this worker has lately seen alive in the database. */
#ifndef LECTERN_API_SESSION_H
#define LECTERN_API_SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "api/req.h"

/* Must the session be looked up again? True when SESSION_VALIDATION_CACHE_TTL_MS has passed since
 * the last time, or never was. */
bool session_check_due(const struct uuid *session);
/* It was looked up just now and lives. */
void session_checked(const struct uuid *session);

/* These have ended: every worker of the host refuses their access tokens from now on. */
void session_forget(struct req *r, const struct uuid *sessions, size_t count);

/* The same for a second factor that the session has proven. */
bool session_factor_due(const struct uuid *session);
void session_factor_checked(const struct uuid *session);

#endif
