/* The background daemon: one leader among all that run, which does what is due. */
#ifndef LECTERN_JOBS_DAEMON_H
#define LECTERN_JOBS_DAEMON_H

/* With settings in force; runs until SIGTERM or SIGINT, then finishes the run at hand. SIGHUP reads
 * the settings again. A lost database is waited for. Tells the service manager READY, STOPPING,
 * WATCHDOG. Returns the exit status: 0, or EX_CONFIG when JOBS_DATABASE_URL is not set. A run that
 * outlasts SHUTDOWN_GRACE_SECONDS after SIGTERM is left to the server and the process ends with
 * EX_TEMPFAIL. */
int jobs_daemon(void);

#endif
