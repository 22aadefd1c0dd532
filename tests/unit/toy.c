#include "toy.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Longer than any test; not for ever, should a test be killed itself. */
#define FOREVER_MS 60000

struct shared *shared;
char toy_directory[64];
char toy_path[96];

/* --- the toy worker ------------------------------------------------------------------------ */

static bool
told_to_leave(void)
{
    sigset_t pending;

    sigpending(&pending);
    return sigismember(&pending, SIGTERM) == 1;
}

static bool
descriptors_clean(void)
{
    for (int fd = 3; fd < 256; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (flags >= 0 && (flags & FD_CLOEXEC) == 0)
            return false;
    }
    return true;
}

static void
answer(int fd, unsigned slot)
{
    char letter = 0, text[64], title[17] = "";

    if (read(fd, &letter, 1) != 1)
        return;
    if (letter == 's') {
        shared->slow++;
        pause_ms(SLOW_MS);
    }
    prctl(PR_GET_NAME, title);
    int n = snprintf(text, sizeof text, "%ld %u %s %d", (long)getpid(), slot, title,
                     letter == 'f' ? descriptors_clean() : 1);
    ssize_t sent = send(fd, text, (size_t)n, MSG_NOSIGNAL);
    (void)sent;
}

static int
toy_serve(int listen_fd, unsigned slot, const sigset_t *wait_mask)
{
    int limit = shared->max_requests;

    for (int served = 0; (limit == 0 || served < limit) && !told_to_leave();) {
        struct pollfd p = {.fd = listen_fd, .events = POLLIN};
        if (ppoll(&p, 1, NULL, wait_mask) < 0)
            return 0;
        int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        answer(fd, slot);
        close(fd);
        served++;
    }
    return 0;
}

static int
toy_worker(int listen_fd, unsigned slot, const sigset_t *wait_mask, void *ctx)
{
    (void)ctx;
    shared->runs++;
    switch (shared->mode) {
    case TOY_FAIL:
        return 3;
    case TOY_LEAVE_AT_ONCE:
        return 0;
    case TOY_NEVER_READY:
        pause_ms(FOREVER_MS);
        return 0;
    case TOY_DEAF:
        master_worker_ready();
        pause_ms(FOREVER_MS);
        return 0;
    default:
        master_worker_ready();
        master_worker_ready(); /* twice is harmless */
        return toy_serve(listen_fd, slot, wait_mask);
    }
}

static bool
toy_reload(void *ctx)
{
    (void)ctx;
    shared->reloads++;
    return shared->reload_good;
}

static void
toy_event(enum master_event event, void *ctx)
{
    (void)ctx;
    shared->started += event == MASTER_WORKER_STARTED;
    shared->restarted += event == MASTER_WORKER_RESTARTED;
    shared->signalled += event == MASTER_WORKER_SIGNALLED;
}

/* --- running a master ------------------------------------------------------------------------ */

void
pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

struct master_config
toy_config(unsigned workers)
{
    return (struct master_config){
        .name = "toy",
        .socket_path = toy_path,
        .socket_mode = 0660,
        .workers = workers,
        .grace_seconds = GRACE_SECONDS,
        .ready_seconds = GRACE_SECONDS,
        .worker = toy_worker,
        .reload = toy_reload,
        .on_event = toy_event,
    };
}

static void
quiet(void)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    if (getenv("TEST_MASTER_LOUD") == NULL && null >= 0)
        dup2(null, STDERR_FILENO);
}

pid_t
master_start(const struct master_config *c, void (*before)(void))
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    quiet();
    if (before != NULL)
        before();
    exit(master_run(c));
}

void
toy_reset(void)
{
    memset(shared, 0, sizeof *shared);
    shared->reload_good = true;
}

int
master_wait(pid_t pid)
{
    int64_t end = clock_ms() + PATIENCE_MS;
    int status;

    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (clock_ms() > end) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            return -1;
        }
        pause_ms(5);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int
master_stop(pid_t pid)
{
    kill(pid, SIGTERM);
    return master_wait(pid);
}

int
toy_dial(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", toy_path);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

pid_t
toy_ask_full(char letter, char *ret_rest)
{
    char text[64] = "";
    long pid = 0;
    int fd = toy_dial();

    if (fd < 0)
        return 0;
    struct timeval limit = {.tv_sec = PATIENCE_MS / 1000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (send(fd, &letter, 1, MSG_NOSIGNAL) == 1 && read(fd, text, sizeof text - 1) > 0) {
        char *rest = text;
        pid = strtol(text, &rest, 10);
        if (ret_rest != NULL)
            snprintf(ret_rest, 64, "%s", rest);
    }
    close(fd);
    return (pid_t)pid;
}

pid_t
toy_ask(void)
{
    return toy_ask_full('p', NULL);
}

pid_t
await_answer(void)
{
    int64_t end = clock_ms() + PATIENCE_MS;
    pid_t pid = 0;

    while (pid == 0 && clock_ms() < end) {
        pid = toy_ask();
        if (pid == 0)
            pause_ms(5);
    }
    return pid;
}

bool
await_value(const _Atomic int *value, int wanted)
{
    int64_t end = clock_ms() + PATIENCE_MS;

    while (*value < wanted && clock_ms() < end)
        pause_ms(5);
    return *value >= wanted;
}

bool
await_gone(pid_t pid, int64_t limit_ms)
{
    int64_t end = clock_ms() + limit_ms;

    while (kill(pid, 0) == 0 && clock_ms() < end) {
        waitpid(pid, NULL, WNOHANG); /* orphans come to us, see main */
        pause_ms(5);
    }
    return kill(pid, 0) != 0;
}

int
toy_main(const char *suite, const struct unit_case *cases)
{
    snprintf(toy_directory, sizeof toy_directory, "/tmp/test_master.XXXXXX");
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    /* Or the worker of a killed master stays a zombie where the first process reaps nothing. */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (shared == MAP_FAILED || mkdtemp(toy_directory) == NULL)
        return EXIT_FAILURE;
    snprintf(toy_path, sizeof toy_path, "%s/socket", toy_directory);
    int status = unit_main(suite, cases);
    unlink(toy_path);
    rmdir(toy_directory);
    return status;
}
