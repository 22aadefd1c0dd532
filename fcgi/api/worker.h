/* A pool of workers: what the master opens before it forks, and what each child runs. */
#ifndef LECTERN_API_WORKER_H
#define LECTERN_API_WORKER_H

#include <signal.h>
#include <stdbool.h>

#include "base/err.h"

/* In the master: rows, shared tables, keyset. Faults are logged, all of them. E_INTERNAL when the
 * installation cannot run, E_UNAVAILABLE when trying again later may help. */
err api_open(const char *pool) MUST_CHECK;
/* Whom a worker tells that it can answer. */
void api_on_ready(void (*ready)(void));
/* In the child: serve until SIGTERM (through wait_mask) or WORKER_MAX_REQUESTS. */
int api_worker(int listen_fd, unsigned slot, const sigset_t *wait_mask, void *ctx);
/* After the settings were read again: the keyset of the next workers. */
bool api_reload(void *ctx);
/* `started`: 1 a new worker, 2 in place of one that ended; `signalled`: one was killed. */
void api_worker_event(int started, int signalled);

#endif
