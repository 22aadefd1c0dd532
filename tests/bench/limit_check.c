/* What one shm_rate_take costs: alone, on ten thousand keys, and with eight processes on one key.
 */
#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shm/shm.h"

#define TAKES 1000000
#define PROCESSES 8

static double
seconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Nanoseconds of this process's processor time per take. The limit is never reached, so that
 * every take writes. */
static double
takes_time(struct shm *s, unsigned keys)
{
    double begin = seconds(CLOCK_PROCESS_CPUTIME_ID);
    char key[] = "user:0190d5a0-7e5c-7000-8000-00000000:read";

    for (unsigned i = 0; i < TAKES; i++) {
        unsigned n = i % keys;

        key[5] = (char)('0' + n % 10);
        key[6] = (char)('0' + n / 10 % 10);
        key[7] = (char)('0' + n / 100 % 10);
        key[8] = (char)('0' + n / 1000 % 10);
        if (!shm_rate_take(s, (struct text){key, sizeof(key) - 1}, 16777215, 3600000, 1000).allowed)
            return -1;
    }
    return (seconds(CLOCK_PROCESS_CPUTIME_ID) - begin) * 1e9 / TAKES;
}

static double
takes_refused_time(struct shm *s)
{
    struct text key = TEXT("user:refused");
    double begin;

    shm_rate_take(s, key, 1, 3600000, 1000);
    begin = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (unsigned i = 0; i < TAKES; i++) {
        if (shm_rate_take(s, key, 1, 3600000, 1000).allowed)
            return -1;
    }
    return (seconds(CLOCK_PROCESS_CPUTIME_ID) - begin) * 1e9 / TAKES;
}

/* Mean over the processes, which all start together. */
static double
takes_contended_time(struct shm *s)
{
    struct {
        unsigned arrived;
        double result[PROCESSES];
    } *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    double sum = 0;

    if (shared == MAP_FAILED)
        return -1;
    fflush(stdout);
    for (unsigned i = 0; i < PROCESSES; i++) {
        if (fork() == 0) {
            __atomic_fetch_add(&shared->arrived, 1, __ATOMIC_SEQ_CST);
            while (__atomic_load_n(&shared->arrived, __ATOMIC_SEQ_CST) < PROCESSES)
                sched_yield();
            shared->result[i] = takes_time(s, 1);
            _exit(0);
        }
    }
    while (wait(NULL) > 0)
        continue;
    for (unsigned i = 0; i < PROCESSES; i++)
        sum += shared->result[i];
    munmap(shared, sizeof(*shared));
    return sum / PROCESSES;
}

static void
directory_clear(const char *directory)
{
    char path[512];
    struct dirent *e;
    DIR *d = opendir(directory);

    while (d != NULL && (e = readdir(d)) != NULL) {
        snprintf(path, sizeof(path), "%s/%s", directory, e->d_name);
        unlink(path);
    }
    if (d != NULL)
        closedir(d);
    rmdir(directory);
}

int
main(void)
{
    const struct shm_layout layout = {
        .counters = 1, .rate_buckets = 16384, .revoked_slots = 8, .tag = 1};
    char directory[] = "/tmp/lectern-bench-XXXXXX";
    struct shm *s = mkdtemp(directory) == NULL ? NULL : shm_open_tables(directory, &layout);

    if (s == NULL) {
        perror("limit_check");
        return EXIT_FAILURE;
    }
    printf("shm_rate_take, one process, one key        %6.1f ns\n", takes_time(s, 1));
    printf("shm_rate_take, one process, 10,000 keys    %6.1f ns\n", takes_time(s, 10000));
    printf("shm_rate_take, one process, refused        %6.1f ns\n", takes_refused_time(s));
    printf("shm_rate_take, %d processes, one key        %6.1f ns of CPU each\n", PROCESSES,
           takes_contended_time(s));
    shm_close_tables(s);
    directory_clear(directory);
    return EXIT_SUCCESS;
}
