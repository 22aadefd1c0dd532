#include "jobs/daemon.h"

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/settings.h"
#include "base/timestamp.h"
#include "jobs/kind.h"
#include "jobs/schedule.h"
#include "jobs/statements.h"

#define ARENA_MAX ((size_t)4 << 20)
/* How often to ask whether the daemon that leads still does, and for a database that is away. */
#define LEAD_PERIOD_MS 10000
#define AWAY_PERIOD_MS 1000
#define WAIT_MAX_MS 60000

struct daemon {
    struct jobs jobs;
    struct schedule schedule; /* while leading */
    bool leading;
    int64_t lead_ms;     /* not leading: when to try next */
    int64_t watchdog_ms; /* 0: nobody watches */
    int64_t ping_ms;
};

/* --- signals ------------------------------------------------------------------------------ */

static volatile sig_atomic_t stop_wanted;
static volatile sig_atomic_t reload_wanted;
static unsigned grace_seconds;

/* The statement at hand may be waited for no longer than that: libpq waits without a limit. */
static void
on_stop(int signo)
{
    (void)signo;
    if (!stop_wanted)
        alarm(grace_seconds);
    stop_wanted = 1;
}

static void
on_overdue(int signo)
{
    (void)signo;
    _exit(EX_TEMPFAIL);
}

static void
on_reload(int signo)
{
    (void)signo;
    reload_wanted = 1;
}

static sigset_t
our_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    return set;
}

static void
take_signals(void)
{
    struct sigaction act = {.sa_handler = on_stop, .sa_flags = SA_RESTART};
    sigset_t set = our_signals();

    grace_seconds = (unsigned)setting_int(S_SHUTDOWN_GRACE_SECONDS);
    sigaction(SIGTERM, &act, NULL);
    sigaction(SIGINT, &act, NULL);
    act.sa_handler = on_reload;
    sigaction(SIGHUP, &act, NULL);
    act.sa_handler = on_overdue;
    sigaction(SIGALRM, &act, NULL);
    act.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &act, NULL);
    sigaddset(&set, SIGALRM);
    sigprocmask(SIG_UNBLOCK, &set, NULL); /* the parent may have blocked them */
}

/* Sleeps, unless a signal has come since the flags were last looked at. */
static void
wait_ms(int64_t ms)
{
    struct timespec limit = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    sigset_t set = our_signals(), before;

    sigprocmask(SIG_BLOCK, &set, &before);
    if (!stop_wanted && !reload_wanted)
        ppoll(NULL, 0, &limit, &before);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

static void
reload(void)
{
    reload_wanted = 0;
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_us());
    size_t faults = settings_reload(stderr);
    if (faults == 0) {
        log_configure(true);
        log_event(LOG_L_INFO, "reloaded", LOG_INT("faults", 0));
    } else {
        log_event(LOG_L_ERROR, "the new configuration is bad: nothing is changed",
                  LOG_INT("faults", faults));
    }
    sd_notify(0, "READY=1");
}

/* --- leading ------------------------------------------------------------------------------- */

static void
lead(struct daemon *d)
{
    struct job_lead_row row = {.leader = false};
    err e = jobs_end(&d->jobs, job_lead_run(&d->jobs, &row));
    int64_t now = clock_ms();

    d->lead_ms = now + (pg_is_up(d->jobs.pg) ? LEAD_PERIOD_MS : AWAY_PERIOD_MS);
    if (e != E_OK && e != E_UNAVAILABLE)
        log_event(LOG_L_ERROR, "leadership cannot be asked for", LOG_Z("code", err_info(e)->code));
    if (e != E_OK || !row.leader) {
        sd_notify(0, e == E_OK ? "STATUS=Standing by: another daemon leads"
                               : "STATUS=Waiting for the database");
        return;
    }
    d->leading = true;
    schedule_start(&d->schedule, job_kinds, job_kind_count, now);
    log_event(LOG_L_INFO, "leading", LOG_INT("kinds", job_kind_count));
    sd_notify(0, "STATUS=Leading");
}

static void
run_kind(struct daemon *d, size_t index)
{
    const struct job_kind *kind = &job_kinds[index];
    int64_t started = clock_us(), rows = 0;
    err e = kind->run(&d->jobs, &rows);

    e = jobs_end(&d->jobs, e);
    schedule_ran(&d->schedule, index, e, rows, clock_ms());
    if (e == E_OK && kind->often && rows == 0)
        return;
    if (e == E_OK)
        log_event(LOG_L_INFO, "job done", LOG_Z("kind", kind->name), LOG_INT("rows", rows),
                  LOG_INT("us", clock_us() - started));
    else
        log_event(LOG_L_WARN, "job failed", LOG_Z("kind", kind->name),
                  LOG_Z("code", err_info(e)->code), LOG_INT("us", clock_us() - started));
}

/* The lock went with its connection: nothing may run before it is ours again. */
static void
lead_no_more(struct daemon *d)
{
    d->leading = false;
    d->lead_ms = clock_ms() + AWAY_PERIOD_MS;
    log_event(LOG_L_WARN, "no longer leading: the database connection was lost",
              LOG_BOOL("leading", false));
    sd_notify(0, "STATUS=Waiting for the database");
}

static void
step(struct daemon *d, int64_t now)
{
    size_t due;

    if (!d->leading) {
        if (now >= d->lead_ms)
            lead(d);
        return;
    }
    due = schedule_due(&d->schedule, now);
    if (due != SCHEDULE_NONE)
        run_kind(d, due);
    if (!pg_is_up(d->jobs.pg))
        lead_no_more(d);
}

/* --- the loop ------------------------------------------------------------------------------ */

static void
watchdog_start(struct daemon *d)
{
    uint64_t us = 0;

    if (sd_watchdog_enabled(0, &us) > 0)
        d->watchdog_ms = us / 2000 > 0 ? (int64_t)(us / 2000) : 1;
}

static void
watchdog_ping(struct daemon *d, int64_t now)
{
    if (d->watchdog_ms == 0 || now < d->ping_ms)
        return;
    sd_notify(0, "WATCHDOG=1");
    d->ping_ms = now + d->watchdog_ms;
}

static int64_t
wait_length(const struct daemon *d, int64_t now)
{
    int64_t wait = WAIT_MAX_MS;
    int64_t next = d->leading ? schedule_wait_ms(&d->schedule, now) : d->lead_ms - now;

    if (next < wait)
        wait = next;
    if (d->watchdog_ms > 0 && d->ping_ms - now < wait)
        wait = d->ping_ms - now;
    return wait > 0 ? wait : 0;
}

int
jobs_daemon(void)
{
    struct daemon d = {.leading = false};

    if (!jobs_open(&d.jobs, "lectern-jobs", ARENA_MAX)) {
        log_event(LOG_L_ERROR, "a setting is missing", LOG_Z("setting", "JOBS_DATABASE_URL"));
        return EX_CONFIG;
    }
    take_signals();
    watchdog_start(&d);
    sd_notify(0, "READY=1");
    while (!stop_wanted) {
        if (reload_wanted)
            reload();
        watchdog_ping(&d, clock_ms());
        step(&d, clock_ms());
        int64_t wait = wait_length(&d, clock_ms());
        if (wait > 0)
            wait_ms(wait);
    }
    sd_notify(0, "STOPPING=1");
    jobs_close(&d.jobs);
    log_event(LOG_L_INFO, "stopped", LOG_BOOL("leading", d.leading));
    return EXIT_SUCCESS;
}
