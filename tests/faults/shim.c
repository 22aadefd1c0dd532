/* Preloaded into a pool under test: moves its wall clock, and makes every Nth allocation fail in
 * the workers that are there when it is told to. Both are told by a file that the test maps too,
 * and may change at any time. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct control {
    int64_t clock_seconds; /* added to the wall clock */
    uint64_t every;        /* 0: no allocation fails */
    uint64_t generation;   /* a new one begins to count anew */
};

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

static const volatile struct control none;
static const volatile struct control *control = &none;
static pid_t self, first; /* the master is the first: its allocations do not fail */
static uint64_t count, generation, born;

__attribute__((constructor)) static void
shim_start(void)
{
    const char *path = getenv("FAULTS_CONTROL");
    int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);

    self = first = getpid();
    if (fd < 0)
        return;
    void *mapped = mmap(NULL, sizeof *control, PROT_READ, MAP_SHARED, fd, 0);
    if (mapped != MAP_FAILED)
        control = mapped;
    close(fd);
}

/* Workers have one thread. */
static bool
refused(void)
{
    uint64_t every = control->every, now = control->generation;

    if (getpid() != self) {
        self = getpid();
        born = now;
    }
    if (every == 0 || self == first || born == now)
        return false;
    if (generation != now) {
        generation = now;
        count = 0;
    }
    if (++count % every != 0)
        return false;
    errno = ENOMEM;
    return true;
}

void *
malloc(size_t size)
{
    return refused() ? NULL : __libc_malloc(size);
}

void *
calloc(size_t n, size_t size)
{
    return refused() ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t size)
{
    return refused() ? NULL : __libc_realloc(p, size);
}

int
clock_gettime(clockid_t clock, struct timespec *ret_time)
{
    int status = (int)syscall(SYS_clock_gettime, clock, ret_time);

    if (status == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        ret_time->tv_sec += control->clock_seconds;
    return status;
}

int
gettimeofday(struct timeval *restrict ret_time, void *restrict zone)
{
    struct timespec now;

    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    *ret_time = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}

time_t
time(time_t *ret_time)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (ret_time != NULL)
        *ret_time = now.tv_sec;
    return now.tv_sec;
}
