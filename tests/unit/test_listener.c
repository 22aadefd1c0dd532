/* The listener of a master: inherited, bound, refused. */
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "toy.h"

/* --- the listener
 * ------------------------------------------------------------------------------------- */

static int
listen_unix(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", toy_path);
    unlink(toy_path);
    return bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 8) == 0
               ? fd
               : -1;
}

static int
listen_tcp(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    return bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 8) == 0
               ? fd
               : -1;
}

static void
hand_over(int fd, const char *count)
{
    char pid[24];

    dup2(fd, 3);
    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", count, 1);
}

static void
unix_at_stdin(void)
{
    dup2(listen_unix(), 0);
}

static void
unix_by_listen_fds(void)
{
    hand_over(listen_unix(), "1");
}

static void
tcp_at_stdin(void)
{
    dup2(listen_tcp(), 0);
}

static void
tcp_by_listen_fds(void)
{
    hand_over(listen_tcp(), "1");
}

static void
file_by_listen_fds(void)
{
    hand_over(open("/dev/null", O_RDONLY), "1");
}

static void
two_by_listen_fds(void)
{
    dup2(listen_unix(), 4);
    hand_over(4, "2");
}

static void
datagram_by_listen_fds(void)
{
    hand_over(socket(AF_UNIX, SOCK_DGRAM, 0), "1");
}

static void
check_inherited(void (*before)(void))
{
    struct master_config c = toy_config(2);
    struct stat st;

    toy_reset();
    c.socket_path = NULL;
    pid_t master = master_start(&c, before);
    CU_ASSERT_TRUE(await_answer() > 0);
    CU_ASSERT_EQUAL(master_stop(master), 0);
    CU_ASSERT_EQUAL(lstat(toy_path, &st), 0); /* not ours to remove */
    unlink(toy_path);
}

static void
test_listener_at_stdin(void)
{
    check_inherited(unix_at_stdin);
}

static void
test_listener_by_listen_fds(void)
{
    check_inherited(unix_by_listen_fds);
}

static int
status_of(void (*before)(void), const char *socket_path)
{
    struct master_config c = toy_config(1);

    toy_reset();
    c.socket_path = socket_path;
    int status = master_wait(master_start(&c, before));
    CU_ASSERT_EQUAL(shared->runs, 0);
    unlink(toy_path);
    return status;
}

static void
test_bad_listeners_are_refused(void)
{
    CU_ASSERT_EQUAL(status_of(tcp_at_stdin, NULL), EX_CONFIG);
    CU_ASSERT_EQUAL(status_of(tcp_by_listen_fds, NULL), EX_CONFIG);
    CU_ASSERT_EQUAL(status_of(tcp_by_listen_fds, toy_path), EX_CONFIG); /* no falling back */
    CU_ASSERT_EQUAL(status_of(file_by_listen_fds, NULL), EX_CONFIG);
    CU_ASSERT_EQUAL(status_of(two_by_listen_fds, NULL), EX_CONFIG);
    CU_ASSERT_EQUAL(status_of(datagram_by_listen_fds, NULL), EX_CONFIG);
    CU_ASSERT_EQUAL(status_of(NULL, NULL), EX_USAGE);
    CU_ASSERT_EQUAL(status_of(NULL, ""), EX_USAGE);
    CU_ASSERT_EQUAL(status_of(NULL, "/nowhere/at/all/socket"), EX_OSERR);
}

static void
test_bad_paths_are_refused(void)
{
    char long_path[128];
    struct stat st;

    memset(long_path, 'a', sizeof long_path);
    memcpy(long_path, "/tmp/", 5);
    long_path[sizeof long_path - 1] = '\0';
    CU_ASSERT_EQUAL(status_of(NULL, long_path), EX_CONFIG);

    int fd = open(toy_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    close(fd);
    struct master_config c = toy_config(1);
    CU_ASSERT_EQUAL(master_wait(master_start(&c, NULL)), EX_CONFIG);
    CU_ASSERT_EQUAL(lstat(toy_path, &st), 0); /* what is not a socket is left alone */
    unlink(toy_path);
}

static void
test_worker_numbers_are_bounded(void)
{
    struct master_config c = toy_config(0);

    CU_ASSERT_EQUAL(master_wait(master_start(&c, NULL)), EX_CONFIG);
    c.workers = MASTER_WORKERS_MAX + 1;
    CU_ASSERT_EQUAL(master_wait(master_start(&c, NULL)), EX_CONFIG);
}

/* A stale socket is taken over; one that a successor has taken from us is left alone. */
static void
test_path_changes_hands(void)
{
    struct master_config c = toy_config(1);
    struct stat st;

    toy_reset();
    close(listen_unix());
    CU_ASSERT_EQUAL(toy_dial(), -1);
    pid_t first = master_start(&c, NULL);
    pid_t worker = await_answer();
    CU_ASSERT_TRUE(worker > 0);
    pid_t second = master_start(&c, NULL);
    int64_t end = clock_ms() + PATIENCE_MS;
    while (toy_ask() == worker && clock_ms() < end)
        pause_ms(5);
    CU_ASSERT_EQUAL(master_stop(first), 0);
    CU_ASSERT_EQUAL(lstat(toy_path, &st), 0);
    CU_ASSERT_TRUE(toy_ask() > 0);
    CU_ASSERT_EQUAL(master_stop(second), 0);
    CU_ASSERT_EQUAL(lstat(toy_path, &st), -1);
}

int
main(void)
{
    static const struct unit_case cases[] = {
        {"listener at descriptor 0", test_listener_at_stdin},
        {"listener by LISTEN_FDS", test_listener_by_listen_fds},
        {"bad listeners are refused", test_bad_listeners_are_refused},
        {"bad paths are refused", test_bad_paths_are_refused},
        {"worker numbers are bounded", test_worker_numbers_are_bounded},
        {"a path changes hands", test_path_changes_hands},
        {NULL, NULL},
    };

    return toy_main("listener", cases);
}
