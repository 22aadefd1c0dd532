/* The scheduler lets whoever becomes ready on a core wait for the end of the running process's
 * slice or even for its tick (4 ms at 250 Hz), also when that process has a lower priority. */
#include "auth/turns.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/timestamp.h"

#define TURN_US 1000
#define PATIENCE_US 50000 /* waited for the core in one computation */
#define PAUSE_US 2000000  /* without an offer after that */

static timer_t timer;
static int64_t begun_us, begun_cpu_us; /* of the computation at hand */
static volatile int64_t paused_until_us;

static int64_t
cpu_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void
timer_run(long each_us)
{
    struct itimerspec spec = {.it_value.tv_nsec = each_us * 1000,
                              .it_interval.tv_nsec = each_us * 1000};

    timer_settime(timer, 0, &spec, NULL);
}

static void
on_turn(int signal)
{
    int kept = errno;
    int64_t now = clock_us();
    int64_t waited = now - begun_us - (cpu_us() - begun_cpu_us);

    (void)signal;
    if (waited > PATIENCE_US) {
        paused_until_us = now + PAUSE_US;
        timer_run(0);
    } else {
        sched_yield();
    }
    errno = kept;
}

static bool
timer_made(void)
{
    static bool made;
    struct sigaction act = {.sa_handler = on_turn, .sa_flags = SA_RESTART};
    struct sigevent by = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};

    if (!made)
        made =
            sigaction(SIGRTMIN, &act, NULL) == 0 && timer_create(CLOCK_MONOTONIC, &by, &timer) == 0;
    return made;
}

void
turns_begin(void)
{
    begun_us = clock_us();
    begun_cpu_us = cpu_us();
    if (timer_made() && begun_us >= paused_until_us)
        timer_run(TURN_US);
}

void
turns_end(void)
{
    if (timer_made())
        timer_run(0);
}
