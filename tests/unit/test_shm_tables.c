/* The file of the shared tables, its counters and its revoked sessions. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/shm.h"
#include "shm/tables.h"

static const struct shm_layout small = {
    .counters = 100, .rate_buckets = 64, .revoked_slots = 64, .tag = 1};

static char directory[64];

static void
directory_make(void)
{
    snprintf(directory, sizeof(directory), "/tmp/lectern-shm-test-XXXXXX");
    CU_ASSERT_FATAL(mkdtemp(directory) != NULL);
}

/* Calls `visit` with the path of every file; returns their number. */
static unsigned
directory_each(void (*visit)(const char *path))
{
    char path[512];
    unsigned n = 0;
    struct dirent *e;
    DIR *d = opendir(directory);

    CU_ASSERT_FATAL(d != NULL);
    while ((e = readdir(d)) != NULL) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", directory, e->d_name);
        n++;
        if (visit != NULL)
            visit(path);
    }
    closedir(d);
    return n;
}

static void
path_unlink(const char *path)
{
    unlink(path);
}

static void
directory_remove(void)
{
    directory_each(path_unlink);
    rmdir(directory);
}

static char found[512];

static void
path_remember(const char *path)
{
    memcpy(found, path, strlen(path) + 1);
}

static const char *
only_file(void)
{
    CU_ASSERT_EQUAL(directory_each(path_remember), 1);
    return found;
}

static void
test_open_shares(void)
{
    struct stat st;
    struct shm *a, *b;

    directory_make();
    a = shm_open_tables(directory, &small);
    b = shm_open_tables(directory, &small);
    CU_ASSERT_FATAL(a != NULL && b != NULL);
    CU_ASSERT_EQUAL(memcmp(shm_hash_key(a), shm_hash_key(b), 16), 0);
    shm_count(a, 7, 3);
    CU_ASSERT_EQUAL(shm_counter(b, 7), 3);
    CU_ASSERT_EQUAL(stat(only_file(), &st), 0);
    CU_ASSERT_EQUAL(st.st_mode & 0777, 0600);
    CU_ASSERT_EQUAL((size_t)st.st_size, a->bytes);
    /* Memory is taken now, not by a signal when the disk is full later. */
    CU_ASSERT((size_t)st.st_blocks * 512 >= a->bytes);
    shm_close_tables(a);
    shm_close_tables(b);
    shm_close_tables(NULL);
    directory_remove();
}

static void
test_open_layouts_apart(void)
{
    struct shm_layout other = small;
    struct shm *a, *b;

    directory_make();
    other.tag = 2;
    a = shm_open_tables(directory, &small);
    b = shm_open_tables(directory, &other);
    CU_ASSERT_FATAL(a != NULL && b != NULL);
    shm_count(a, 0, 1);
    CU_ASSERT_EQUAL(shm_counter(b, 0), 0);
    CU_ASSERT_EQUAL(directory_each(NULL), 2);
    CU_ASSERT_NOT_EQUAL(memcmp(shm_hash_key(a), shm_hash_key(b), 16), 0);
    shm_close_tables(a);
    shm_close_tables(b);
    directory_remove();
}

static void
layout_refused(struct shm_layout l)
{
    errno = 0;
    CU_ASSERT_PTR_NULL(shm_open_tables(directory, &l));
    CU_ASSERT_EQUAL(errno, EINVAL);
}

static void
test_open_bad_layout(void)
{
    directory_make();
    layout_refused((struct shm_layout){.rate_buckets = 0, .revoked_slots = 8});
    layout_refused((struct shm_layout){.rate_buckets = 3, .revoked_slots = 8});
    layout_refused((struct shm_layout){.rate_buckets = 1, .revoked_slots = 4});
    layout_refused((struct shm_layout){.rate_buckets = 1, .revoked_slots = 24});
    layout_refused((struct shm_layout){.rate_buckets = (size_t)1 << 40, .revoked_slots = 8});
    layout_refused((struct shm_layout){.rate_buckets = 1, .revoked_slots = (size_t)1 << 40});
    layout_refused(
        (struct shm_layout){.counters = SIZE_MAX, .rate_buckets = 1, .revoked_slots = 8});
    CU_ASSERT_EQUAL(directory_each(NULL), 0);
    errno = 0;
    CU_ASSERT_PTR_NULL(shm_open_tables("/nonexistent/place", &small));
    CU_ASSERT_EQUAL(errno, ENOENT);
    directory_remove();
}

/* The path under which the small tables live, which are then closed. */
static const char *
path_made(void)
{
    struct shm *s = shm_open_tables(directory, &small);

    CU_ASSERT_FATAL(s != NULL);
    shm_count(s, 1, 41);
    shm_close_tables(s);
    return only_file();
}

static void
opens_fresh(void)
{
    struct shm *s = shm_open_tables(directory, &small);

    CU_ASSERT_FATAL(s != NULL);
    CU_ASSERT_EQUAL(shm_counter(s, 1), 0);
    shm_close_tables(s);
}

static void
bytes_overwrite(const char *path, off_t at, const char *bytes, size_t n)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(pwrite(fd, bytes, n, at), (ssize_t)n);
    close(fd);
}

static void
test_open_replaces_broken(void)
{
    char name[600];
    FILE *f;

    directory_make();
    bytes_overwrite(path_made(), 0, "XX", 2); /* magic */
    opens_fresh();
    bytes_overwrite(path_made(), offsetof(struct shm_header, boot_id), "another", 7);
    opens_fresh();
    bytes_overwrite(path_made(), offsetof(struct shm_header, layout_hash), "12345678", 8);
    opens_fresh();
    CU_ASSERT_EQUAL(truncate(path_made(), 100), 0);
    opens_fresh();
    CU_ASSERT_EQUAL(truncate(path_made(), 0), 0);
    opens_fresh();
    /* What a maker that died half-way leaves behind. */
    snprintf(name, sizeof(name), "%s.new", path_made());
    unlink(found);
    f = fopen(name, "w");
    CU_ASSERT_FATAL(f != NULL);
    fputs("half", f);
    fclose(f);
    opens_fresh();
    CU_ASSERT_EQUAL(directory_each(NULL), 1);
    directory_remove();
}

static void
test_open_refuses_foreign(void)
{
    char path[512];

    directory_make();
    snprintf(path, sizeof(path), "%s", path_made());
    CU_ASSERT_EQUAL(chmod(path, 0644), 0);
    errno = 0;
    CU_ASSERT_PTR_NULL(shm_open_tables(directory, &small));
    CU_ASSERT_EQUAL(errno, EPERM);
    unlink(path);
    CU_ASSERT_EQUAL(symlink("/tmp/lectern-shm-elsewhere", path), 0);
    errno = 0;
    CU_ASSERT_PTR_NULL(shm_open_tables(directory, &small));
    CU_ASSERT_EQUAL(errno, ELOOP);
    CU_ASSERT_NOT_EQUAL(access("/tmp/lectern-shm-elsewhere", F_OK), 0);
    unlink(path);
    CU_ASSERT_EQUAL(mkfifo(path, 0600), 0);
    errno = 0;
    CU_ASSERT_PTR_NULL(shm_open_tables(directory, &small));
    CU_ASSERT_EQUAL(errno, EPERM);
    unlink(path);
    CU_ASSERT_EQUAL(mkdir(path, 0700), 0);
    CU_ASSERT_PTR_NULL(shm_open_tables(directory, &small));
    rmdir(path);
    directory_remove();
}

/* What cannot be made leaves nothing behind, and says why. */
static void
test_open_fails(void)
{
    struct rlimit before, few;
    char path[600];
    int fd;

    directory_make();
    snprintf(path, sizeof(path), "%s.new", path_made());
    unlink(found);
    CU_ASSERT_EQUAL(mkdir(path, 0700), 0);
    errno = 0;
    CU_ASSERT_PTR_NULL(shm_open_tables(directory, &small));
    CU_ASSERT_EQUAL(errno, EISDIR);
    rmdir(path);
    /* The disk is full: a limit of the process stands for it. */
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_FSIZE, &before), 0);
    few = (struct rlimit){1000, before.rlim_max};
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &few), 0);
    signal(SIGXFSZ, SIG_IGN);
    errno = 0;
    CU_ASSERT_PTR_NULL(shm_open_tables(directory, &small));
    CU_ASSERT_EQUAL(errno, EFBIG);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &before), 0);
    CU_ASSERT_EQUAL(directory_each(NULL), 0);
    /* No descriptor is left: for the directory, then for the file in it. */
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &before), 0);
    fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    CU_ASSERT_FATAL(fd >= 0);
    close(fd);
    for (rlim_t more = 0; more < 2; more++) {
        few = (struct rlimit){(rlim_t)fd + more, before.rlim_max};
        CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &few), 0);
        errno = 0;
        CU_ASSERT_PTR_NULL(shm_open_tables(directory, &small));
        CU_ASSERT_EQUAL(errno, EMFILE);
        CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &before), 0);
    }
    opens_fresh();
    directory_remove();
}

/* Many masters at once must end with one file: each adds one to the counter it found. */
static void
test_open_race(void)
{
    enum { MASTERS = 12, ROUNDS = 20 };

    directory_make();
    for (int round = 0; round < ROUNDS; round++) {
        struct shm_layout l = small;
        pid_t child[MASTERS];
        struct shm *s;

        l.tag = 100 + (uint64_t)round;
        for (int i = 0; i < MASTERS; i++) {
            child[i] = fork();
            if (child[i] == 0) {
                s = shm_open_tables(directory, &l);
                if (s != NULL)
                    shm_count(s, 5, 1);
                unit_child_exit(s == NULL);
            }
        }
        for (int i = 0; i < MASTERS; i++) {
            int status = -1;

            CU_ASSERT_EQUAL(waitpid(child[i], &status, 0), child[i]);
            CU_ASSERT_EQUAL(status, 0);
        }
        s = shm_open_tables(directory, &l);
        CU_ASSERT_FATAL(s != NULL);
        CU_ASSERT_EQUAL(shm_counter(s, 5), MASTERS);
        shm_close_tables(s);
    }
    CU_ASSERT_EQUAL(directory_each(NULL), ROUNDS);
    directory_remove();
}

static volatile sig_atomic_t alarms;

static void
on_alarm(int signo)
{
    (void)signo;
    alarms++;
}

/* A signal does not end the wait for another maker. */
static void
test_open_interrupted(void)
{
    const struct itimerval once = {.it_value = {.tv_usec = 50000}};
    struct sigaction before, action = {.sa_handler = on_alarm};
    struct shm *s;
    int status = -1, held[2];
    char byte;
    pid_t child;

    directory_make();
    CU_ASSERT_EQUAL_FATAL(pipe(held), 0);
    child = fork();
    if (child == 0) {
        int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        bool locked = flock(fd, LOCK_EX) == 0 && write(held[1], "", 1) == 1;

        usleep(300000);
        close(fd);
        unit_child_exit(!locked);
    }
    close(held[1]);
    CU_ASSERT_EQUAL(read(held[0], &byte, 1), 1);
    sigaction(SIGALRM, &action, &before);
    setitimer(ITIMER_REAL, &once, NULL);
    s = shm_open_tables(directory, &small);
    CU_ASSERT_PTR_NOT_NULL(s);
    CU_ASSERT_EQUAL(alarms, 1);
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT_EQUAL(status, 0);
    shm_close_tables(s);
    sigaction(SIGALRM, &before, NULL);
    close(held[0]);
    directory_remove();
}

/* Makers killed at any moment leave nothing that stops the next. */
static void
test_open_killed(void)
{
    directory_make();
    for (int round = 0; round < 60; round++) {
        struct shm_layout l = small;
        struct shm *s;
        pid_t child = fork();

        l.rate_buckets = 16384;
        if (child == 0) {
            for (uint64_t tag = 0;; tag++) {
                l.tag = tag;
                s = shm_open_tables(directory, &l);
                shm_close_tables(s);
                directory_each(path_unlink);
            }
        }
        usleep((useconds_t)(300 + round * 37));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        for (l.tag = 0; l.tag < 3; l.tag++) {
            s = shm_open_tables(directory, &l);
            CU_ASSERT_FATAL(s != NULL);
            shm_close_tables(s);
        }
        directory_each(path_unlink);
    }
    directory_remove();
}

static void
test_counters(void)
{
    enum { PROCESSES = 6, ADDS = 20000 };
    pid_t child[PROCESSES];
    struct shm *s;

    directory_make();
    s = shm_open_tables(directory, &small);
    CU_ASSERT_FATAL(s != NULL);
    for (int i = 0; i < PROCESSES; i++) {
        child[i] = fork();
        if (child[i] == 0) {
            for (int n = 0; n < ADDS; n++) {
                shm_count(s, 99, 2);
                shm_count(s, 98, 1);
                shm_count_down(s, 98, 1);
            }
            unit_child_exit(0);
        }
    }
    for (int i = 0; i < PROCESSES; i++)
        waitpid(child[i], NULL, 0);
    CU_ASSERT_EQUAL(shm_counter(s, 99), 2 * PROCESSES * ADDS);
    CU_ASSERT_EQUAL(shm_counter(s, 98), 0);
    CU_ASSERT_EQUAL(shm_counter(s, 97), 0);
    shm_count_down(s, 97, 5);
    CU_ASSERT_EQUAL(shm_counter(s, 97), 0);
    shm_count(s, 97, 6);
    CU_ASSERT_EQUAL(shm_counter(s, 97), 1);
    /* Out of the table: nothing happens, and no neighbour changes. */
    shm_count(s, 100, 9);
    shm_count(s, SIZE_MAX, 9);
    CU_ASSERT_EQUAL(shm_counter(s, 100), 0);
    CU_ASSERT_EQUAL(shm_counter(s, SIZE_MAX), 0);
    CU_ASSERT_EQUAL(shm_counter(s, 99), 2 * PROCESSES * ADDS);
    shm_close_tables(s);
    directory_remove();
}

static void
session_number(uint32_t n, uint8_t ret_session[16])
{
    memset(ret_session, 0x5a, 16);
    memcpy(ret_session, &n, sizeof(n));
}

static void
test_revoked(void)
{
    uint8_t a[16], b[16];
    struct shm *s, *other;

    directory_make();
    s = shm_open_tables(directory, &small);
    other = shm_open_tables(directory, &small);
    CU_ASSERT_FATAL(s != NULL && other != NULL);
    session_number(1, a);
    session_number(2, b);
    CU_ASSERT_FALSE(shm_is_revoked(s, a, 1000));
    shm_revoke(s, a, 5000, 1000);
    CU_ASSERT_TRUE(shm_is_revoked(other, a, 1000));
    CU_ASSERT_TRUE(shm_is_revoked(other, a, 4999));
    CU_ASSERT_FALSE(shm_is_revoked(other, a, 5000));
    CU_ASSERT_FALSE(shm_is_revoked(other, b, 1000));
    shm_revoke(s, a, 4000, 1000); /* never shortened */
    CU_ASSERT_TRUE(shm_is_revoked(other, a, 4999));
    shm_revoke(s, a, 9000, 1000);
    CU_ASSERT_TRUE(shm_is_revoked(other, a, 8999));
    shm_revoke(s, b, 1000, 1000); /* over already */
    CU_ASSERT_FALSE(shm_is_revoked(s, b, 999));
    shm_close_tables(other);
    shm_close_tables(s);
    directory_remove();
}

static void
test_revoked_full(void)
{
    struct shm_layout one = {.counters = 0, .rate_buckets = 1, .revoked_slots = 8, .tag = 3};
    uint8_t session[16];
    struct shm *s;

    directory_make();
    s = shm_open_tables(directory, &one);
    CU_ASSERT_FATAL(s != NULL);
    for (uint32_t i = 0; i < 8; i++) {
        session_number(i, session);
        shm_revoke(s, session, 10000 + i, 0);
    }
    for (uint32_t i = 0; i < 8; i++) {
        session_number(i, session);
        CU_ASSERT_TRUE(shm_is_revoked(s, session, 1));
    }
    session_number(8, session);
    shm_revoke(s, session, 20000, 1);
    CU_ASSERT_TRUE(shm_is_revoked(s, session, 1));
    session_number(0, session);
    CU_ASSERT_FALSE(shm_is_revoked(s, session, 1));
    session_number(1, session);
    CU_ASSERT_TRUE(shm_is_revoked(s, session, 1));
    shm_close_tables(s);
    directory_remove();
}

static void
test_revoked_contended(void)
{
    enum { PROCESSES = 4, EACH = 500 };
    struct shm_layout wide = {.counters = 0, .rate_buckets = 1, .revoked_slots = 16384, .tag = 4};
    pid_t child[PROCESSES];
    uint8_t session[16];
    struct shm *s;

    directory_make();
    s = shm_open_tables(directory, &wide);
    CU_ASSERT_FATAL(s != NULL);
    for (uint32_t p = 0; p < PROCESSES; p++) {
        child[p] = fork();
        if (child[p] == 0) {
            for (uint32_t i = 0; i < EACH; i++) {
                session_number(p * EACH + i, session);
                shm_revoke(s, session, 5000, 1000);
                session_number(i, session); /* the same ones, from all */
                shm_revoke(s, session, 6000 + p, 1000);
            }
            unit_child_exit(0);
        }
    }
    for (int p = 0; p < PROCESSES; p++)
        waitpid(child[p], NULL, 0);
    for (uint32_t i = 0; i < PROCESSES * EACH; i++) {
        session_number(i, session);
        CU_ASSERT_TRUE(shm_is_revoked(s, session, i < EACH ? 6002 : 4999));
        CU_ASSERT_FALSE(shm_is_revoked(s, session, 6003));
    }
    shm_close_tables(s);
    directory_remove();
}

int
main(void)
{
    static const struct unit_case cases[] = {
        {"open: two mappings are one", test_open_shares},
        {"open: layouts have files of their own", test_open_layouts_apart},
        {"open: bad layouts and directories", test_open_bad_layout},
        {"open: broken and left files are replaced", test_open_replaces_broken},
        {"open: files of others are refused", test_open_refuses_foreign},
        {"open: what cannot be made", test_open_fails},
        {"open: many masters at once", test_open_race},
        {"open: interrupted by a signal", test_open_interrupted},
        {"open: makers killed at any moment", test_open_killed},
        {"counters: exact over processes", test_counters},
        {"revoked: seen by all, until its time", test_revoked},
        {"revoked: full bucket forgets the soonest", test_revoked_full},
        {"revoked: many processes", test_revoked_contended},
        {NULL, NULL},
    };

    return unit_main("shm tables", cases);
}
