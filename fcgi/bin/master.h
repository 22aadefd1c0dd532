/* The master of a pool: owns the listener, preforks workers, replaces those that end, drains on
 * SIGTERM, renews them one by one on SIGHUP. It knows nothing of requests. */
#ifndef LECTERN_BIN_MASTER_H
#define LECTERN_BIN_MASTER_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#define MASTER_WORKERS_MAX 1024

enum master_event {
    MASTER_WORKER_STARTED,   /* first worker of a slot, or one started by a reload */
    MASTER_WORKER_RESTARTED, /* in place of one that ended by itself */
    MASTER_WORKER_SIGNALLED, /* a worker was killed by a signal, ours included */
};

struct master_config {
    const char *name;        /* of the pool: in log lines and in the workers' process names */
    const char *socket_path; /* used when no listener was inherited; may be NULL */
    mode_t socket_mode;
    unsigned workers;       /* 1 to MASTER_WORKERS_MAX */
    unsigned grace_seconds; /* from SIGTERM to SIGKILL */
    unsigned ready_seconds; /* a worker of a reload must be ready within it; 0 means 30 */

    /* Runs in the child; what it returns is the exit status. `listen_fd` does not block. SIGTERM
     * means: finish the request at hand and return. It is blocked, and `wait_mask` is the mask for
     * ppoll that lets it through: EINTR says that it came. ppoll prefers a ready descriptor to a
     * pending signal, so a busy worker must also ask sigpending(2) before each wait, or it never
     * leaves. Returning 0 after having been ready is recycling: the slot is filled at once. */
    int (*worker)(int listen_fd, unsigned slot, const sigset_t *wait_mask, void *ctx);
    /* Runs in the master at SIGHUP, before new workers. False: the configuration is bad, the
     * workers of today stay. NULL: nothing to read. */
    bool (*reload)(void *ctx);
    void (*on_event)(enum master_event event, void *ctx); /* in the master; may be NULL */
    void *ctx;
};

/* Serve until SIGTERM or SIGINT. Returns the exit status: 0 after an orderly end, EX_USAGE,
 * EX_CONFIG or EX_OSERR when it could not begin (see listener_open). Speaks sd_notify(3): READY
 * once every slot has had a ready worker, RELOADING, STOPPING, STATUS, WATCHDOG.
 *
 * A worker that was ready and returned 0 is replaced at once. One that ended otherwise within a
 * second of its start, or without ever having been ready, is replaced after 100 ms, doubling to
 * 5 s; any other at once. On SIGHUP each slot's new worker
 * must be ready before the old one is told to leave; if one fails to, the renewal stops there and
 * the old workers stay. Workers get SIGTERM when the master is killed. */
int master_run(const struct master_config *c);

/* To be called by a worker once it can answer requests. Does nothing outside a worker. */
void master_worker_ready(void);

#endif
