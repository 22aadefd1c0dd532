/* The master: life and death of workers, drain, reload, surroundings. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "toy.h"

/* --- life and death -------------------------------------------------------------------------- */

static void
test_serves_and_stops(void)
{
    struct master_config c = toy_config(2);
    struct stat st;
    char rest[64] = "";

    toy_reset();
    pid_t master = master_start(&c, NULL);
    CU_ASSERT_TRUE_FATAL(await_answer() > 0);
    CU_ASSERT_EQUAL(lstat(toy_path, &st), 0);
    CU_ASSERT_TRUE(S_ISSOCK(st.st_mode));
    CU_ASSERT_EQUAL(st.st_mode & 07777, 0660);
    CU_ASSERT_TRUE(toy_ask_full('p', rest) > 0);
    CU_ASSERT_TRUE(strstr(rest, " toy/0 ") != NULL || strstr(rest, " toy/1 ") != NULL);
    CU_ASSERT_TRUE(await_value(&shared->started, 2));
    CU_ASSERT_EQUAL(master_stop(master), 0);
    CU_ASSERT_EQUAL(lstat(toy_path, &st), -1);
    CU_ASSERT_EQUAL(shared->restarted, 0);
    CU_ASSERT_EQUAL(shared->signalled, 0);
}

static void
test_interrupt_stops(void)
{
    struct master_config c = toy_config(1);

    toy_reset();
    pid_t master = master_start(&c, NULL);
    CU_ASSERT_TRUE(await_answer() > 0);
    kill(master, SIGINT);
    CU_ASSERT_EQUAL(master_wait(master), 0);
}

static void
test_killed_worker_is_replaced(void)
{
    struct master_config c = toy_config(1);

    toy_reset();
    pid_t master = master_start(&c, NULL);
    pid_t first = await_answer();
    pause_ms(1100); /* no longer young */
    kill(first, SIGKILL);
    pid_t second = toy_ask();
    CU_ASSERT_TRUE(second > 0 && second != first);
    CU_ASSERT_TRUE(await_value(&shared->restarted, 1) && shared->restarted == 1);
    CU_ASSERT_TRUE(await_value(&shared->signalled, 1) && shared->signalled == 1);
    CU_ASSERT_EQUAL(master_stop(master), 0);
}

static void
test_worker_killed_young_backs_off(void)
{
    struct master_config c = toy_config(1);

    toy_reset();
    pid_t master = master_start(&c, NULL);
    pid_t first = await_answer();
    int64_t before = clock_ms();
    kill(first, SIGKILL);
    CU_ASSERT_TRUE(toy_ask() > 0);
    CU_ASSERT_TRUE(clock_ms() - before >= 90);
    CU_ASSERT_EQUAL(master_stop(master), 0);
}

static void
check_backoff(enum toy_mode mode)
{
    struct master_config c = toy_config(1);

    toy_reset();
    shared->mode = mode;
    pid_t master = master_start(&c, NULL);
    CU_ASSERT_TRUE(await_value(&shared->runs, 1));
    int64_t before = clock_ms();
    CU_ASSERT_TRUE(await_value(&shared->runs, 4));
    CU_ASSERT_TRUE(clock_ms() - before >= 600); /* 100 and 200 and 400, less one late look */
    shared->mode = TOY_NORMAL;
    CU_ASSERT_TRUE(await_answer() > 0); /* and it heals */
    CU_ASSERT_EQUAL(master_stop(master), 0);
}

static void
test_failing_worker_backs_off(void)
{
    check_backoff(TOY_FAIL);
}

static void
test_worker_that_leaves_unready_backs_off(void)
{
    check_backoff(TOY_LEAVE_AT_ONCE);
}

static void
test_recycling_is_at_once(void)
{
    struct master_config c = toy_config(1);
    pid_t last = 0;
    int changes = 0;

    toy_reset();
    shared->max_requests = 5;
    pid_t master = master_start(&c, NULL);
    CU_ASSERT_TRUE(await_answer() > 0);
    int64_t before = clock_ms();
    for (int i = 0; i < 49; i++) {
        pid_t pid = toy_ask();
        CU_ASSERT_TRUE(pid > 0);
        changes += pid != last;
        last = pid;
    }
    CU_ASSERT_EQUAL(changes, 10);
    CU_ASSERT_TRUE(clock_ms() - before < 15000); /* nine backoffs would be more */
    CU_ASSERT_EQUAL(shared->signalled, 0);
    CU_ASSERT_EQUAL(master_stop(master), 0);
}

/* --- draining
 * -------------------------------------------------------------------------------------- */

static void
test_request_under_way_finishes(void)
{
    struct master_config c = toy_config(1);
    char text[64] = "";

    toy_reset();
    pid_t master = master_start(&c, NULL);
    CU_ASSERT_TRUE(await_answer() > 0);
    int fd = toy_dial();
    CU_ASSERT_EQUAL(send(fd, "s", 1, MSG_NOSIGNAL), 1);
    CU_ASSERT_TRUE(await_value(&shared->slow, 1));
    kill(master, SIGTERM);
    kill(master, SIGTERM); /* an impatient operator changes nothing */
    CU_ASSERT_TRUE(read(fd, text, sizeof text - 1) > 0);
    CU_ASSERT_EQUAL(master_wait(master), 0);
    CU_ASSERT_EQUAL(shared->signalled, 0);
    CU_ASSERT_EQUAL(toy_dial(), -1);
    close(fd);
}

static void
test_deaf_worker_is_killed_after_grace(void)
{
    struct master_config c = toy_config(2);

    toy_reset();
    c.grace_seconds = 1;
    shared->mode = TOY_DEAF;
    pid_t master = master_start(&c, NULL);
    CU_ASSERT_TRUE(await_value(&shared->runs, 2));
    int64_t before = clock_ms();
    CU_ASSERT_EQUAL(master_stop(master), 0);
    int64_t took = clock_ms() - before;
    CU_ASSERT_TRUE(took >= 950 && took < GRACE_SECONDS * 1000);
    CU_ASSERT_TRUE(await_value(&shared->signalled, 2) && shared->signalled == 2);
}

static void
test_killed_master_takes_workers_along(void)
{
    struct master_config c = toy_config(2);

    toy_reset();
    pid_t master = master_start(&c, NULL);
    pid_t worker = await_answer();
    CU_ASSERT_TRUE(worker > 0);
    CU_ASSERT_TRUE(await_value(&shared->started, 2));
    kill(master, SIGKILL);
    waitpid(master, NULL, 0);
    CU_ASSERT_TRUE(await_gone(worker, PATIENCE_MS));
    int64_t end = clock_ms() + PATIENCE_MS;
    int fd;
    while ((fd = toy_dial()) >= 0 && clock_ms() < end) {
        close(fd);
        pause_ms(10);
    }
    CU_ASSERT_EQUAL(fd, -1); /* the other one is gone too: nobody holds the listener */
    unlink(toy_path);
}

/* --- reload
 * ---------------------------------------------------------------------------------------- */

/* A client that asks without a pause, in a process of its own. */
static pid_t
load_start(void)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (!shared->load_ends) {
        shared->asked++;
        if (toy_ask() <= 0)
            shared->failed++;
    }
    _exit(0);
}

static void
test_rolling_reload_under_load(void)
{
    struct master_config c = toy_config(3);
    pid_t clients[4];

    toy_reset();
    pid_t master = master_start(&c, NULL);
    pid_t first = await_answer();
    CU_ASSERT_TRUE_FATAL(first > 0);
    for (int i = 0; i < 4; i++)
        clients[i] = load_start();
    for (int round = 1; round <= 5; round++) {
        pause_ms(150);
        kill(master, SIGHUP);
        CU_ASSERT_TRUE(await_value(&shared->started, 3 + 3 * round));
    }
    CU_ASSERT_TRUE(
        await_gone(first, GRACE_SECONDS * 900)); /* left by itself: before it would be killed */
    pause_ms(100);
    shared->load_ends = true;
    for (int i = 0; i < 4; i++)
        waitpid(clients[i], NULL, 0);
    CU_ASSERT_TRUE(shared->asked > 50);
    CU_ASSERT_EQUAL(shared->failed, 0);
    CU_ASSERT_EQUAL(shared->reloads, 5);
    CU_ASSERT_TRUE(await_value(&shared->started, 18) && shared->started == 18);
    CU_ASSERT_EQUAL(shared->restarted, 0);
    CU_ASSERT_EQUAL(shared->signalled, 0);
    CU_ASSERT_EQUAL(master_stop(master), 0);
}

static void
test_hangups_in_a_row(void)
{
    struct master_config c = toy_config(2);

    toy_reset();
    pid_t master = master_start(&c, NULL);
    pid_t first = await_answer();
    for (int i = 0; i < 20; i++) {
        kill(master, SIGHUP);
        pause_ms(3);
    }
    CU_ASSERT_TRUE(await_value(&shared->started, 4));
    kill(master, SIGHUP);
    CU_ASSERT_TRUE(await_value(&shared->started, 6));
    CU_ASSERT_TRUE(toy_ask() > 0);
    CU_ASSERT_TRUE(await_gone(first, GRACE_SECONDS * 900));
    CU_ASSERT_EQUAL(shared->restarted, 0);
    CU_ASSERT_EQUAL(master_stop(master), 0);
}

static void
test_bad_reload_changes_nothing(void)
{
    struct master_config c = toy_config(1);

    toy_reset();
    shared->reload_good = false;
    pid_t master = master_start(&c, NULL);
    pid_t first = await_answer();
    kill(master, SIGHUP);
    CU_ASSERT_TRUE(await_value(&shared->reloads, 1));
    pause_ms(100);
    CU_ASSERT_EQUAL(toy_ask(), first);
    CU_ASSERT_TRUE(await_value(&shared->started, 1) && shared->started == 1);
    CU_ASSERT_EQUAL(master_stop(master), 0);
}

static void
check_failed_renewal(enum toy_mode mode)
{
    struct master_config c = toy_config(2);

    toy_reset();
    c.ready_seconds = mode == TOY_NEVER_READY ? 1 : GRACE_SECONDS;
    pid_t master = master_start(&c, NULL);
    CU_ASSERT_TRUE(await_answer() > 0);
    CU_ASSERT_TRUE(await_value(&shared->runs, 2));
    shared->mode = mode;
    kill(master, SIGHUP);
    CU_ASSERT_TRUE(await_value(&shared->started, 3));
    if (mode == TOY_NEVER_READY)
        CU_ASSERT_TRUE(await_value(&shared->signalled, 1));
    CU_ASSERT_TRUE(await_value(&shared->runs, 3));
    pause_ms(300);
    CU_ASSERT_TRUE(await_value(&shared->started, 3) &&
                   shared->started == 3); /* it stopped at the first slot */
    CU_ASSERT_EQUAL(shared->restarted, 0);
    CU_ASSERT_EQUAL(shared->signalled, mode == TOY_NEVER_READY);
    CU_ASSERT_TRUE(toy_ask() > 0);
    shared->mode = TOY_NORMAL;
    kill(master, SIGHUP);
    CU_ASSERT_TRUE(await_value(&shared->started, 4));
    CU_ASSERT_TRUE(toy_ask() > 0);
    CU_ASSERT_EQUAL(master_stop(master), 0);
}

static void
test_new_worker_not_ready(void)
{
    check_failed_renewal(TOY_NEVER_READY);
}

static void
test_new_worker_fails(void)
{
    check_failed_renewal(TOY_FAIL);
}

/* --- surroundings
 * --------------------------------------------------------------------------------------- */

static void
rough_surroundings(void)
{
    sigset_t all;

    /* What a careless parent leaves: a stray descriptor, ignored children, everything blocked, no
     * standard streams. */
    dup2(2, 77);
    signal(SIGCHLD, SIG_IGN);
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    close(0);
    close(1);
}

static void
test_surroundings_do_not_matter(void)
{
    struct master_config c = toy_config(1);
    char rest[64] = "";

    toy_reset();
    pid_t master = master_start(&c, rough_surroundings);
    CU_ASSERT_TRUE(await_answer() > 0);
    pid_t worker = toy_ask_full('f', rest);
    CU_ASSERT_TRUE(rest[0] != '\0' && rest[strlen(rest) - 1] == '1');
    pause_ms(1000);
    kill(worker, SIGKILL);
    CU_ASSERT_TRUE(toy_ask() > 0);
    CU_ASSERT_EQUAL(master_stop(master), 0);
}

/* A peer that hangs up before its answer must not end anything. */
static void
test_peers_may_vanish(void)
{
    struct master_config c = toy_config(1);

    toy_reset();
    pid_t master = master_start(&c, NULL);
    pid_t worker = await_answer();
    for (int i = 0; i < 50; i++) {
        int fd = toy_dial();
        if (i % 2 == 0)
            CU_ASSERT_EQUAL(send(fd, "p", 1, MSG_NOSIGNAL), 1);
        close(fd);
    }
    CU_ASSERT_EQUAL(toy_ask(), worker);
    CU_ASSERT_EQUAL(master_stop(master), 0);
}

/* --- service manager
 * --------------------------------------------------------------------------------- */

static char notify_path[96];

static void
under_service_manager(void)
{
    char pid[24];

    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    setenv("NOTIFY_SOCKET", notify_path, 1);
    setenv("WATCHDOG_PID", pid, 1);
    setenv("WATCHDOG_USEC", "200000", 1);
}

/* Reads messages until one holds `wanted`. */
static bool
await_message(int fd, const char *wanted, int64_t limit_ms)
{
    int64_t end = clock_ms() + limit_ms;
    char text[512];

    while (clock_ms() < end) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 50) <= 0)
            continue;
        ssize_t n = recv(fd, text, sizeof text - 1, 0);
        text[n > 0 ? n : 0] = '\0';
        if (strstr(text, wanted) != NULL)
            return true;
    }
    return false;
}

static void
test_service_manager_is_told(void)
{
    struct master_config c = toy_config(2);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    toy_reset();
    snprintf(notify_path, sizeof notify_path, "%s/notify", toy_directory);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", notify_path);
    CU_ASSERT_EQUAL_FATAL(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    c.grace_seconds = 1;
    shared->mode = TOY_NEVER_READY;
    pid_t master = master_start(&c, under_service_manager);
    CU_ASSERT_TRUE(await_message(fd, "WATCHDOG=1", PATIENCE_MS));
    CU_ASSERT_FALSE(await_message(fd, "READY=1", 300)); /* nobody can answer yet */
    shared->mode = TOY_NORMAL;
    kill(master, SIGTERM);
    CU_ASSERT_TRUE(await_message(fd, "STOPPING=1", PATIENCE_MS));
    CU_ASSERT_EQUAL(master_wait(master), 0);

    c.grace_seconds = GRACE_SECONDS;
    master = master_start(&c, under_service_manager);
    CU_ASSERT_TRUE(await_message(fd, "READY=1", PATIENCE_MS));
    for (int i = 0; i < 5; i++)
        CU_ASSERT_TRUE(await_message(fd, "WATCHDOG=1", PATIENCE_MS));
    kill(master, SIGHUP);
    CU_ASSERT_TRUE(await_message(fd, "RELOADING=1\nMONOTONIC_USEC=", PATIENCE_MS));
    CU_ASSERT_TRUE(await_message(fd, "READY=1\nSTATUS=Reloaded", PATIENCE_MS));
    shared->reload_good = false;
    kill(master, SIGHUP);
    CU_ASSERT_TRUE(await_message(fd, "READY=1\nSTATUS=Reload refused", PATIENCE_MS));
    kill(master, SIGTERM);
    CU_ASSERT_TRUE(await_message(fd, "STOPPING=1", PATIENCE_MS));
    CU_ASSERT_EQUAL(master_wait(master), 0);
    close(fd);
    unlink(notify_path);
}

static void
test_ready_outside_a_worker(void)
{
    master_worker_ready();
    CU_PASS("nothing happened");
}

int
main(void)
{
    static const struct unit_case cases[] = {
        {"serves and stops", test_serves_and_stops},
        {"an interrupt stops", test_interrupt_stops},
        {"a killed worker is replaced", test_killed_worker_is_replaced},
        {"a worker killed young backs off", test_worker_killed_young_backs_off},
        {"a failing worker backs off", test_failing_worker_backs_off},
        {"leaving unready backs off", test_worker_that_leaves_unready_backs_off},
        {"recycling is at once", test_recycling_is_at_once},
        {"a request under way finishes", test_request_under_way_finishes},
        {"a deaf worker is killed after grace", test_deaf_worker_is_killed_after_grace},
        {"a killed master takes its workers along", test_killed_master_takes_workers_along},
        {"rolling reload under load", test_rolling_reload_under_load},
        {"hangups in a row", test_hangups_in_a_row},
        {"a bad reload changes nothing", test_bad_reload_changes_nothing},
        {"a new worker that is not ready", test_new_worker_not_ready},
        {"a new worker that fails", test_new_worker_fails},
        {"surroundings do not matter", test_surroundings_do_not_matter},
        {"peers may vanish", test_peers_may_vanish},
        {"the service manager is told", test_service_manager_is_told},
        {"ready outside a worker", test_ready_outside_a_worker},
        {NULL, NULL},
    };

    return toy_main("master", cases);
}
