#include "base/oom.h"

#include <unistd.h>

#include "base/log.h"

_Noreturn void
out_of_memory(const char *what, size_t wanted)
{
    log_event(LOG_L_ERROR, "out of memory", LOG_Z("what", what), LOG_INT("wanted_bytes", wanted));
    _exit(EXIT_NO_MEMORY);
}

_Noreturn void
system_failed(const char *what)
{
    log_event(LOG_L_ERROR, "the system refused a service that must not fail", LOG_Z("what", what));
    _exit(EXIT_NO_MEMORY);
}
