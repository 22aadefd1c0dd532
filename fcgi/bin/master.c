#include "bin/master.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/log.h"
#include "base/timestamp.h"
#include "bin/listener.h"

#define YOUNG_MS 1000
#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS 5000
#define READY_SECONDS_DEFAULT 30
#define NEVER INT64_MAX

struct proc {
    pid_t pid;    /* 0: there is none */
    int ready_fd; /* a byte comes when it is ready; -1 afterwards */
    bool ready;
    int64_t started_ms;
    int64_t deadline_ms; /* when SIGKILL is due; NEVER while it may live */
    struct log_pending *lines;
};

enum role { CURRENT, INCOMING, LEAVING, ROLES };

struct slot {
    struct proc proc[ROLES];
    int64_t retry_ms; /* not to be filled before */
    int64_t backoff_ms;
    bool used; /* had a worker before */
};

struct master {
    const struct master_config *c;
    struct listener listener;
    struct slot *slots;
    struct pollfd *polls; /* the signal descriptor, then two of each slot */
    pid_t pid;
    int signal_fd;
    bool stopping;
    bool announced; /* READY=1 has been sent */
    bool reload_wanted;
    bool rolling; /* a reload is renewing workers, at slot roll_next */
    unsigned roll_next;
    int64_t watchdog_ms; /* 0: nobody watches */
    int64_t ping_ms;
};

static int worker_ready_fd = -1;

static int64_t
earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void
tell(const struct master *m, enum master_event event)
{
    if (m->c->on_event != NULL)
        m->c->on_event(event, m->c->ctx);
}

static void
close_ready(struct proc *p)
{
    if (p->ready_fd >= 0)
        close(p->ready_fd);
    p->ready_fd = -1;
}

static void
proc_clear(struct proc *p)
{
    close_ready(p);
    *p = (struct proc){.ready_fd = -1, .deadline_ms = NEVER};
}

/* --- the child ------------------------------------------------------------------------ */

static void
on_sigterm(int signo)
{
    (void)signo; /* its arrival ends the wait; that is all it is for */
}

void
master_worker_ready(void)
{
    if (worker_ready_fd < 0)
        return;
    ssize_t sent = write(worker_ready_fd, "", 1);
    (void)sent; /* a master that does not listen any more has sent SIGTERM */
    close(worker_ready_fd);
    worker_ready_fd = -1;
}

static void
child_signals(void)
{
    struct sigaction act = {.sa_handler = on_sigterm};
    sigset_t blocked;

    sigaction(SIGTERM, &act, NULL);
    /* A terminal sends these to the whole group; the master says what they mean. */
    act.sa_handler = SIG_IGN;
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGHUP, &act, NULL);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigprocmask(SIG_SETMASK, &blocked, NULL);
}

static _Noreturn void
child_run(struct master *m, unsigned slot, int ready_fd, struct log_pending *lines)
{
    char title[16];
    sigset_t wait_mask;

    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != m->pid)
        _exit(EXIT_SUCCESS); /* the master was killed before prctl took hold */
    child_signals();
    snprintf(title, sizeof title, "%.10s/%u", m->c->name, slot);
    prctl(PR_SET_NAME, title);
    close(m->signal_fd);
    log_pending_use(lines);
    for (unsigned i = 0; i < m->c->workers; i++) {
        for (int role = 0; role < ROLES; role++)
            close_ready(&m->slots[i].proc[role]);
    }
    worker_ready_fd = ready_fd;
    sigemptyset(&wait_mask);
    exit(m->c->worker(m->listener.fd, slot, &wait_mask, m->c->ctx));
}

/* --- starting and ending workers -------------------------------------------------------- */

static void
back_off(struct slot *s, int64_t now)
{
    s->backoff_ms =
        s->backoff_ms == 0 ? BACKOFF_FIRST_MS : earlier(s->backoff_ms * 2, BACKOFF_MAX_MS);
    s->retry_ms = now + s->backoff_ms;
}

static bool
worker_start(struct master *m, unsigned index, enum role role, int64_t now)
{
    struct slot *s = &m->slots[index];
    int ready[2];

    if (pipe2(ready, O_CLOEXEC | O_NONBLOCK) != 0)
        return false;
    fflush(NULL); /* or the child would write the same again */
    struct log_pending *lines = log_pending_new();
    pid_t pid = fork();
    if (pid == 0) {
        close(ready[0]);
        child_run(m, index, ready[1], lines);
    }
    close(ready[1]);
    if (pid < 0) {
        close(ready[0]);
        log_pending_free(lines);
        return false;
    }
    s->proc[role] = (struct proc){
        .pid = pid, .ready_fd = ready[0], .started_ms = now, .deadline_ms = NEVER, .lines = lines};
    tell(m, s->used && role == CURRENT ? MASTER_WORKER_RESTARTED : MASTER_WORKER_STARTED);
    s->used = true;
    log_event(LOG_L_INFO, "worker started", LOG_Z("pool", m->c->name), LOG_INT("slot", index),
              LOG_INT("worker", pid));
    return true;
}

static void
start_due(struct master *m, int64_t now)
{
    for (unsigned i = 0; i < m->c->workers; i++) {
        struct slot *s = &m->slots[i];
        if (s->proc[CURRENT].pid != 0 || s->proc[INCOMING].pid != 0 || s->retry_ms > now)
            continue;
        if (!worker_start(m, i, CURRENT, now)) {
            log_event(LOG_L_ERROR, "worker not started", LOG_Z("pool", m->c->name),
                      LOG_INT("slot", i), LOG_Z("reason", strerrordesc_np(errno)));
            back_off(s, now);
        }
    }
}

static void
worker_dismiss(const struct master *m, struct proc *p, int64_t now)
{
    if (p->pid == 0)
        return;
    kill(p->pid, SIGTERM);
    p->deadline_ms = earlier(p->deadline_ms, now + (int64_t)m->c->grace_seconds * 1000);
}

static void
kill_overdue(struct master *m, int64_t now)
{
    for (unsigned i = 0; i < m->c->workers; i++) {
        for (int role = 0; role < ROLES; role++) {
            struct proc *p = &m->slots[i].proc[role];
            if (p->pid == 0 || p->deadline_ms > now)
                continue;
            log_event(LOG_L_WARN, "worker did not leave or get ready in time: killed",
                      LOG_Z("pool", m->c->name), LOG_INT("slot", i), LOG_INT("worker", p->pid));
            kill(p->pid, SIGKILL);
            p->deadline_ms = NEVER;
        }
    }
}

static void
roll_stop(struct master *m, const char *status)
{
    m->rolling = false;
    if (m->announced)
        sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

static void
log_end_of(const struct master *m, unsigned index, const struct proc *p, int status)
{
    bool orderly = WIFEXITED(status) && WEXITSTATUS(status) == 0;

    log_event(orderly ? LOG_L_INFO : LOG_L_WARN, "worker ended", LOG_Z("pool", m->c->name),
              LOG_INT("slot", index), LOG_INT("worker", p->pid),
              LOG_INT("exit_status", WIFEXITED(status) ? WEXITSTATUS(status) : -1),
              LOG_INT("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0));
}

static void
worker_ended(struct master *m, unsigned index, enum role role, int status)
{
    struct slot *s = &m->slots[index];
    struct proc *p = &s->proc[role];
    int64_t now = clock_ms();
    bool recycled = p->ready && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    bool young = now - p->started_ms < YOUNG_MS;

    log_pending_free(p->lines);
    log_end_of(m, index, p, status);
    if (WIFSIGNALED(status))
        tell(m, MASTER_WORKER_SIGNALLED);
    if (role == CURRENT && !recycled && (young || !p->ready)) {
        back_off(s, now);
    } else if (role == CURRENT) {
        s->backoff_ms = 0;
        s->retry_ms = now;
    }
    proc_clear(p);
    if (role == INCOMING && !m->stopping) {
        log_event(LOG_L_ERROR, "a new worker failed: the reload stops, workers of before stay",
                  LOG_Z("pool", m->c->name), LOG_INT("slot", index));
        roll_stop(m, "Reload failed: a new worker did not get ready");
    }
}

/* --- readiness and signals ------------------------------------------------------------------ */

static void
read_ready(struct proc *p)
{
    char byte;

    if (p->ready_fd < 0)
        return;
    ssize_t n = read(p->ready_fd, &byte, 1);
    if (n < 0)
        return; /* nothing yet */
    p->ready = n == 1;
    close_ready(p);
}

static bool
find_worker(struct master *m, pid_t pid, unsigned *ret_index, enum role *ret_role)
{
    for (unsigned i = 0; i < m->c->workers; i++) {
        for (int role = 0; role < ROLES; role++) {
            if (m->slots[i].proc[role].pid == pid) {
                *ret_index = i;
                *ret_role = (enum role)role;
                return true;
            }
        }
    }
    return false;
}

static void
reap(struct master *m)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        unsigned index;
        enum role role;
        /* As the first process of a container we are also handed strangers. */
        if (!find_worker(m, pid, &index, &role))
            continue;
        read_ready(&m->slots[index].proc[role]); /* it may have been ready and gone at once */
        worker_ended(m, index, role, status);
    }
}

static void
stop(struct master *m, int64_t now)
{
    if (m->stopping)
        return;
    m->stopping = true;
    m->rolling = false;
    log_event(LOG_L_INFO, "stopping: workers finish what they have", LOG_Z("pool", m->c->name));
    sd_notify(0, "STOPPING=1\nSTATUS=Draining");
    listener_close(&m->listener);
    for (unsigned i = 0; i < m->c->workers; i++) {
        for (int role = 0; role < ROLES; role++)
            worker_dismiss(m, &m->slots[i].proc[role], now);
    }
}

static void
take_signals(struct master *m)
{
    struct signalfd_siginfo info;

    while (read(m->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        switch (info.ssi_signo) {
        case SIGCHLD:
            reap(m);
            break;
        case SIGHUP:
            m->reload_wanted = true;
            break;
        default:
            stop(m, clock_ms());
            break;
        }
    }
}

/* --- reload ---------------------------------------------------------------------------------- */

static void
reload_begin(struct master *m)
{
    if (!m->reload_wanted || m->rolling || m->stopping)
        return;
    m->reload_wanted = false;
    if (m->announced)
        sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_us());
    m->rolling = m->c->reload == NULL || m->c->reload(m->c->ctx);
    m->roll_next = 0;
    if (m->rolling) {
        log_event(LOG_L_INFO, "reloading: workers are renewed", LOG_Z("pool", m->c->name));
        return;
    }
    log_event(LOG_L_ERROR, "the new configuration is bad: nothing is changed",
              LOG_Z("pool", m->c->name));
    roll_stop(m, "Reload refused: the configuration is bad");
}

/* One slot at a time: never more than one extra worker, and an old one goes only when the new one
 * takes requests. */
static void
roll_step(struct master *m, int64_t now)
{
    if (!m->rolling)
        return;
    struct slot *s = &m->slots[m->roll_next];
    struct proc *incoming = &s->proc[INCOMING];

    if (incoming->pid == 0) {
        unsigned limit = m->c->ready_seconds > 0 ? m->c->ready_seconds : READY_SECONDS_DEFAULT;
        if (s->proc[LEAVING].pid != 0)
            return; /* of the reload before; its end comes with SIGCHLD */
        if (worker_start(m, m->roll_next, INCOMING, now))
            incoming->deadline_ms = now + (int64_t)limit * 1000;
        else
            roll_stop(m, "Reload failed: no process could be started");
        return;
    }
    if (!incoming->ready)
        return;
    worker_dismiss(m, &s->proc[CURRENT], now);
    s->proc[LEAVING] = s->proc[CURRENT];
    s->proc[CURRENT] = *incoming;
    s->proc[CURRENT].deadline_ms = NEVER;
    *incoming = (struct proc){.ready_fd = -1, .deadline_ms = NEVER};
    s->backoff_ms = 0;
    s->retry_ms = 0;
    if (++m->roll_next == m->c->workers) {
        log_event(LOG_L_INFO, "reloaded", LOG_Z("pool", m->c->name));
        roll_stop(m, "Reloaded");
    }
}

static void
announce(struct master *m)
{
    for (unsigned i = 0; i < m->c->workers && !m->announced; i++) {
        if (!m->slots[i].proc[CURRENT].ready)
            return;
    }
    if (m->announced)
        return;
    m->announced = true;
    sd_notifyf(0, "READY=1\nSTATUS=%u workers of pool %s", m->c->workers, m->c->name);
    log_event(LOG_L_INFO, "ready", LOG_Z("pool", m->c->name), LOG_INT("workers", m->c->workers));
}

/* --- the loop --------------------------------------------------------------------------------- */

static void
ping_watchdog(struct master *m, int64_t now)
{
    if (m->watchdog_ms == 0 || now < m->ping_ms)
        return;
    sd_notify(0, "WATCHDOG=1");
    m->ping_ms = now + m->watchdog_ms;
}

static int
wait_length(const struct master *m, int64_t now)
{
    int64_t due = m->watchdog_ms > 0 ? m->ping_ms : NEVER;

    for (unsigned i = 0; i < m->c->workers; i++) {
        const struct slot *s = &m->slots[i];
        for (int role = 0; role < ROLES; role++) {
            if (s->proc[role].pid != 0)
                due = earlier(due, s->proc[role].deadline_ms);
        }
        if (!m->stopping && s->proc[CURRENT].pid == 0 && s->proc[INCOMING].pid == 0)
            due = earlier(due, s->retry_ms);
    }
    if (due == NEVER)
        return -1;
    return due <= now ? 0 : (int)earlier(due - now, 60000);
}

static void
wait_events(struct master *m, int timeout_ms)
{
    nfds_t count = 0;

    m->polls[count++] = (struct pollfd){.fd = m->signal_fd, .events = POLLIN};
    for (unsigned i = 0; i < m->c->workers; i++) {
        for (int role = CURRENT; role <= INCOMING; role++)
            m->polls[count++] =
                (struct pollfd){.fd = m->slots[i].proc[role].ready_fd, .events = POLLIN};
    }
    if (poll(m->polls, count, timeout_ms) <= 0)
        return;
    for (unsigned i = 0; i < m->c->workers; i++) {
        read_ready(&m->slots[i].proc[CURRENT]);
        read_ready(&m->slots[i].proc[INCOMING]);
    }
    take_signals(m);
}

static bool
is_empty(const struct master *m)
{
    for (unsigned i = 0; i < m->c->workers; i++) {
        for (int role = 0; role < ROLES; role++) {
            if (m->slots[i].proc[role].pid != 0)
                return false;
        }
    }
    return true;
}

static void
serve(struct master *m)
{
    while (!m->stopping || !is_empty(m)) {
        int64_t now = clock_ms();
        if (!m->stopping) {
            start_due(m, now);
            reload_begin(m);
            roll_step(m, now);
            announce(m);
        }
        kill_overdue(m, now);
        ping_watchdog(m, now);
        /* A step of the roll that just finished lets the next one begin without an event. */
        bool step_due = m->rolling ? m->slots[m->roll_next].proc[INCOMING].pid == 0 &&
                                         m->slots[m->roll_next].proc[LEAVING].pid == 0
                                   : m->reload_wanted && !m->stopping;
        wait_events(m, step_due ? 0 : wait_length(m, now));
    }
}

/* --- beginning and end ----------------------------------------------------------------------- */

/* Descriptors 0 to 2 are open, so that none of ours takes their place; all others that were
 * inherited stay out of what is ever executed. */
static bool
tidy_descriptors(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd < 0)
        return false;
    close(fd);
    return close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) == 0;
}

static int
open_signals(void)
{
    struct sigaction act = {.sa_handler = SIG_IGN};
    sigset_t set;

    sigaction(SIGPIPE, &act, NULL);
    act.sa_handler = SIG_DFL; /* whoever started us may have ignored it */
    sigaction(SIGCHLD, &act, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    if (sigprocmask(SIG_SETMASK, &set, NULL) != 0)
        return -1;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static bool
prepare(struct master *m)
{
    uint64_t watchdog_us = 0;

    m->slots = calloc(m->c->workers, sizeof *m->slots);
    m->polls = calloc((size_t)m->c->workers * 2 + 1, sizeof *m->polls);
    if (m->slots == NULL || m->polls == NULL)
        return false;
    for (unsigned i = 0; i < m->c->workers; i++) {
        for (int role = 0; role < ROLES; role++)
            m->slots[i].proc[role] = (struct proc){.ready_fd = -1, .deadline_ms = NEVER};
    }
    /* Twice as often as asked, so that one late turn of the loop is no alarm. */
    if (sd_watchdog_enabled(0, &watchdog_us) > 0)
        m->watchdog_ms = (int64_t)(watchdog_us / 2000) + 1;
    m->signal_fd = open_signals();
    return m->signal_fd >= 0;
}

int
master_run(const struct master_config *c)
{
    struct master m = {.c = c, .signal_fd = -1, .pid = getpid()};
    int status = EX_OSERR;

    if (c->workers < 1 || c->workers > MASTER_WORKERS_MAX) {
        log_event(LOG_L_ERROR, "the number of workers is out of range",
                  LOG_INT("workers", c->workers));
        return EX_CONFIG;
    }
    if (!tidy_descriptors()) {
        log_event(LOG_L_ERROR, "descriptors cannot be set up",
                  LOG_Z("reason", strerrordesc_np(errno)));
        return status;
    }
    status = listener_open(c->socket_path, c->socket_mode, &m.listener);
    if (status == 0 && !prepare(&m))
        status = EX_OSERR;
    if (status == 0) {
        serve(&m);
        log_event(LOG_L_INFO, "stopped", LOG_Z("pool", c->name));
    }
    listener_close(&m.listener);
    if (m.signal_fd >= 0)
        close(m.signal_fd);
    free(m.polls);
    free(m.slots);
    return status;
}
