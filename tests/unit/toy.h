/* A master with a toy worker, for tests: a request is one letter, the answer the worker's pid, its
 * slot, its name and what else the letter asks for. */
#ifndef LECTERN_TESTS_TOY_H
#define LECTERN_TESTS_TOY_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/timestamp.h"
#include "bin/master.h"
#include "unit.h"

enum toy_mode { TOY_NORMAL, TOY_FAIL, TOY_LEAVE_AT_ONCE, TOY_NEVER_READY, TOY_DEAF };

/* Seen by the test, the master and its workers alike. */
struct shared {
    _Atomic int mode;
    _Atomic int max_requests; /* 0: no end */
    _Atomic bool reload_good;
    _Atomic int reloads;
    _Atomic int started, restarted, signalled;
    _Atomic int runs; /* of the worker function */
    _Atomic int slow; /* requests that a worker has begun to answer slowly */
    _Atomic long asked, failed;
    _Atomic bool load_ends;
};

extern struct shared *shared;
extern char toy_directory[64];
extern char toy_path[96]; /* of the socket */

/* Makes the directory and the shared memory, runs the cases, cleans up. */
int toy_main(const char *suite, const struct unit_case *cases);

void pause_ms(long ms);

/* How long a test waits for what must come: long, so that a busy machine is no failure. */
#define PATIENCE_MS 20000
#define SLOW_MS 1500
#define GRACE_SECONDS 10 /* of toy_config, also for being ready */

struct master_config toy_config(unsigned workers);
void toy_reset(void);
/* `before`: what the child does before it becomes the master; may be NULL. */
pid_t master_start(const struct master_config *c, void (*before)(void));
/* The exit status of a master; -1 when it does not end: then it is killed. */
int master_wait(pid_t pid);
int master_stop(pid_t pid);

/* A connection, or -1. */
int toy_dial(void);
/* The answering worker's pid, or 0. 'p' is answered at once, 's' slowly, 'f' after a look at the
 * descriptors; `ret_rest` (may be NULL) has room for 64. */
pid_t toy_ask_full(char letter, char *ret_rest);
pid_t toy_ask(void);
/* Until the first answer. */
pid_t await_answer(void);
bool await_value(const _Atomic int *value, int wanted);
bool await_gone(pid_t pid, int64_t limit_ms);

#endif
