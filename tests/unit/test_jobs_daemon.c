/* The daemon as its service manager sees it, with a database that is not there or never answers. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/settings.h"
#include "base/timestamp.h"
#include "jobs/daemon.h"
#include "unit.h"

static char directory[] = "/tmp/lectern-jobs-XXXXXX";
static char config_path[128], log_path[128], notify_path[128], server_path[128];
static int notify_fd = -1;

static int
bind_unix(const char *path, int type)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    unlink(path);
    return bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 ? fd : -1;
}

static void
write_config(const char *more)
{
    FILE *f = fopen(config_path, "w");

    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    fprintf(f,
            "JWT_KEYSET=e30=\n"
            "JWT_REFRESH_SECRET=refresh-secret-refresh-secret-01\n"
            "SIGNING_SECRET=signing-secret-signing-secret-01\n"
            "SHUTDOWN_GRACE_SECONDS=1\n%s\n",
            more);
    fclose(f);
}

static void
write_config_with_url(const char *more)
{
    char text[512];

    snprintf(text, sizeof text, "JOBS_DATABASE_URL=postgresql://u@/d?host=%s&port=5432\n%s",
             directory, more);
    write_config(text);
}

static _Noreturn void
child(bool watched)
{
    int fd = open(log_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    sigset_t all;

    dup2(fd, STDERR_FILENO);
    setenv("NOTIFY_SOCKET", notify_path, 1);
    if (watched)
        setenv("WATCHDOG_USEC", "200000", 1);
    /* A parent that has blocked signals must not make it deaf. */
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    if (settings_load(config_path, stderr) > 0)
        _exit(EX_DATAERR);
    log_configure(true);
    exit(jobs_daemon());
}

static pid_t
start(bool watched)
{
    char rest[256];

    while (recv(notify_fd, rest, sizeof rest, MSG_DONTWAIT) >= 0)
        ;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        child(watched);
    return pid;
}

/* Is the service manager told `text` within `ms`? */
static bool
notified(const char *text, int64_t ms)
{
    int64_t until = clock_ms() + ms;
    char message[256];

    for (int64_t left = ms; left > 0; left = until - clock_ms()) {
        struct pollfd p = {.fd = notify_fd, .events = POLLIN};
        if (poll(&p, 1, (int)left) <= 0)
            continue;
        ssize_t n = recv(notify_fd, message, sizeof message - 1, 0);
        message[n > 0 ? n : 0] = '\0';
        if (strstr(message, text) != NULL)
            return true;
    }
    return false;
}

/* The exit status within `ms`; -1: it had to be killed, or died of a signal. */
static int
ended(pid_t pid, int64_t ms)
{
    int64_t until = clock_ms() + ms;
    int status = -1;

    while (clock_ms() < until) {
        if (waitpid(pid, &status, WNOHANG) == pid)
            return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        poll(NULL, 0, 5);
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return -1;
}

static bool
logged(const char *text)
{
    static char content[65536];
    FILE *f = fopen(log_path, "r");

    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    size_t n = fread(content, 1, sizeof content - 1, f);
    content[n] = '\0';
    fclose(f);
    return strstr(content, text) != NULL;
}

static void
test_without_a_url_it_does_not_start(void)
{
    /* What libpq would take from the environment is not what was configured. */
    setenv("PGHOST", directory, 1);
    write_config("");
    CU_ASSERT_EQUAL(ended(start(false), 2000), EX_CONFIG);
    CU_ASSERT_TRUE(logged("JOBS_DATABASE_URL"));
    unsetenv("PGHOST");
}

static void
test_it_waits_for_a_database_and_stops_at_once(void)
{
    static const int signals[] = {SIGTERM, SIGINT};

    write_config_with_url("");
    for (size_t i = 0; i < 2; i++) {
        pid_t pid = start(false);
        CU_ASSERT_TRUE(notified("READY=1", 2000));
        CU_ASSERT_TRUE(notified("STATUS=Waiting for the database", 2000));
        int64_t asked = clock_ms();
        kill(pid, signals[i]);
        CU_ASSERT_TRUE(notified("STOPPING=1", 2000));
        CU_ASSERT_EQUAL(ended(pid, 2000), 0);
        CU_ASSERT_TRUE(clock_ms() - asked < 500);
        CU_ASSERT_TRUE(logged("\"stopped\""));
        CU_ASSERT_FALSE(logged("\"leading\",")); /* as a message */
    }
}

static void
test_the_watchdog_is_fed(void)
{
    write_config_with_url("");
    pid_t pid = start(true);
    for (int i = 0; i < 4; i++)
        CU_ASSERT_TRUE(notified("WATCHDOG=1", 200));
    kill(pid, SIGTERM);
    CU_ASSERT_EQUAL(ended(pid, 2000), 0);
}

static void
test_reload(void)
{
    write_config_with_url("LOG_LEVEL=error");
    pid_t pid = start(false);
    CU_ASSERT_TRUE(notified("READY=1", 2000));

    write_config_with_url("LOG_LEVEL=loud");
    kill(pid, SIGHUP);
    CU_ASSERT_TRUE(notified("RELOADING=1", 2000));
    CU_ASSERT_TRUE(notified("READY=1", 2000));
    CU_ASSERT_TRUE(logged("nothing is changed"));
    CU_ASSERT_FALSE(logged("\"reloaded\""));

    write_config_with_url("LOG_LEVEL=info");
    kill(pid, SIGHUP);
    CU_ASSERT_TRUE(notified("RELOADING=1", 2000));
    CU_ASSERT_TRUE(notified("READY=1", 2000));
    CU_ASSERT_TRUE(logged("\"reloaded\"")); /* would not show at the level of before */
    kill(pid, SIGTERM);
    CU_ASSERT_EQUAL(ended(pid, 2000), 0);
}

/* A server that takes the connection and says nothing: the grace is kept all the same, and a second
 * SIGTERM does not make it longer. */
static void
test_a_mute_server_does_not_outlast_the_grace(void)
{
    write_config_with_url("DB_CONNECT_TIMEOUT_SECONDS=60");
    int server = bind_unix(server_path, SOCK_STREAM);
    CU_ASSERT_TRUE_FATAL(server >= 0 && listen(server, 4) == 0);
    pid_t pid = start(false);
    CU_ASSERT_TRUE(notified("READY=1", 2000));
    int peer = accept4(server, NULL, NULL, SOCK_CLOEXEC);
    int64_t asked = clock_ms();
    kill(pid, SIGTERM);
    poll(NULL, 0, 600);
    kill(pid, SIGTERM);
    CU_ASSERT_EQUAL(ended(pid, 3000), EX_TEMPFAIL);
    CU_ASSERT_TRUE(clock_ms() - asked >= 800 && clock_ms() - asked < 1500);
    close(peer);
    close(server);
    unlink(server_path);
}

int
main(void)
{
    static const struct unit_case cases[] = {
        {"without a URL it does not start", test_without_a_url_it_does_not_start},
        {"it waits for a database and stops at once",
         test_it_waits_for_a_database_and_stops_at_once},
        {"the watchdog is fed", test_the_watchdog_is_fed},
        {"reload", test_reload},
        {"a mute server does not outlast the grace", test_a_mute_server_does_not_outlast_the_grace},
        {NULL, NULL},
    };

    if (mkdtemp(directory) == NULL)
        return EXIT_FAILURE;
    snprintf(config_path, sizeof config_path, "%s/config", directory);
    snprintf(log_path, sizeof log_path, "%s/log", directory);
    snprintf(notify_path, sizeof notify_path, "%s/notify", directory);
    snprintf(server_path, sizeof server_path, "%s/.s.PGSQL.5432", directory);
    notify_fd = bind_unix(notify_path, SOCK_DGRAM);
    int status = notify_fd < 0 ? EXIT_FAILURE : unit_main("jobs daemon", cases);
    unlink(config_path);
    unlink(log_path);
    unlink(notify_path);
    rmdir(directory);
    return status;
}
