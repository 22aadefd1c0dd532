/* The end of a process that cannot get what it needs. */
#ifndef LECTERN_BASE_OOM_H
#define LECTERN_BASE_OOM_H

#include <stdbool.h>
#include <stddef.h>

#define EXIT_NO_MEMORY 71 /* sysexits' EX_OSERR: the master replaces the worker */

/* Logs one line (no allocation) and ends the process at once with EXIT_NO_MEMORY. */
_Noreturn void out_of_memory(const char *what, size_t wanted);
/* Likewise for a service of the system that must not fail: random numbers, digests. */
_Noreturn void system_failed(const char *what);
/* To be called before anything of OpenSSL: running out of memory in it ends the process too, so
 * that a good token is never called a bad one. False when OpenSSL was used before. */
bool oom_guard_crypto(void);

#endif
