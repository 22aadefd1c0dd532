/* An HTTP/1.1 client that keeps its pace: requests are due at fixed times whatever the server
 * does, and a latency counts from when its request was due, so that a stall is not left out.
 * Without a rate each connection sends again as soon as it was answered.
 *
 *   pace PORT CONNECTIONS RATE SECONDS [FILE]
 *
 * On 127.0.0.1. The requests stand in FILE, or come on standard input: whole requests as they go
 * over the wire, each followed by a line with a single dot. They are sent in turn. Prints one JSON
 * object: seconds, answers, other (not 2xx), failed connections, requests never sent, latencies in
 * microseconds (mean, p50, p90, p99, max; p99_typical: of each tenth of a second the p99, and of
 * those the median, 0 when a tenth has less than 50 answers), answers of each connection. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define REQUESTS_MAX 512
#define CONNECTIONS_MAX 1024
#define ANSWER_MAX 65536
#define QUEUE_MAX (1 << 20)
#define LATENCIES_MAX (1 << 23)
#define SLICE_US 100000
#define SLICE_LEAST 50
#define SLICES_MAX 36000

struct request {
    char *p;
    size_t len;
};

struct connection {
    int fd;
    bool busy;
    int64_t due_us;
    uint64_t answers;
    size_t len;
    char answer[ANSWER_MAX];
};

static struct request requests[REQUESTS_MAX];
static size_t request_count, request_next;
static struct connection *connections;
static unsigned connection_count;
static unsigned port;
static int poller;
static struct latency {
    uint32_t us, slice; /* in which tenth of a second it was due */
} * latency;
static size_t latency_count;
static int64_t begin_us;
static uint64_t other, failed, unsent;
/* Due times that no connection was free for, oldest first. */
static int64_t *queue;
static size_t queue_first, queue_count;

static int64_t
now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void *
zeroed(size_t n, size_t size)
{
    void *p = calloc(n, size);

    if (p == NULL)
        abort();
    return p;
}

static void
die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

/* --- input ----------------------------------------------------------------------------------- */

static void
request_add(char *p, size_t len)
{
    if (request_count == REQUESTS_MAX) {
        fprintf(stderr, "pace: more than %d requests\n", REQUESTS_MAX);
        exit(EXIT_FAILURE);
    }
    requests[request_count++] = (struct request){p, len};
}

static void
requests_read(FILE *in)
{
    char *line = NULL, *text = NULL;
    size_t room = 0, len = 0;
    ssize_t n;

    while ((n = getline(&line, &room, in)) > 0) {
        if (strcmp(line, ".\n") == 0) {
            request_add(text, len);
            text = NULL;
            len = 0;
            continue;
        }
        text = realloc(text, len + (size_t)n);
        if (text == NULL)
            abort();
        memcpy(text + len, line, (size_t)n);
        len += (size_t)n;
    }
    free(line);
    if (text != NULL)
        request_add(text, len);
}

/* --- connections -------------------------------------------------------------------------------
 */

static void
connection_open(struct connection *c)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    int on = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)&a, sizeof a) != 0)
        die("pace: connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &e) != 0)
        die("pace: epoll");
    c->busy = false;
    c->len = 0;
}

static void
connection_again(struct connection *c)
{
    close(c->fd);
    connection_open(c);
}

static void
connection_send(struct connection *c, int64_t due_us)
{
    const struct request *r = &requests[request_next++ % request_count];

    c->due_us = due_us;
    c->busy = true;
    c->len = 0;
    if (send(c->fd, r->p, r->len, MSG_NOSIGNAL) != (ssize_t)r->len) {
        failed++;
        connection_again(c);
    }
}

/* Length of the whole answer, 0 while it cannot be known. */
static size_t
answer_length(const struct connection *c)
{
    const char *end = memmem(c->answer, c->len, "\r\n\r\n", 4), *length;
    size_t head;

    if (end == NULL)
        return 0;
    head = (size_t)(end - c->answer) + 4;
    length = memmem(c->answer, head, "ontent-", 7);
    while (length != NULL && strncasecmp(length + 7, "length:", 7) != 0)
        length = memmem(length + 7, head - (size_t)(length + 7 - c->answer), "ontent-", 7);
    if (length != NULL)
        return head + strtoul(length + 14, NULL, 10);
    /* Chunked: its last chunk ends the answer. */
    return c->len >= head + 5 && memcmp(c->answer + c->len - 5, "0\r\n\r\n", 5) == 0 ? c->len : 0;
}

/* A server may end a kept connection with an answer. */
static bool
answer_is_last(const struct connection *c)
{
    return memmem(c->answer, c->len, "onnection: close\r\n", 18) != NULL;
}

static void
answer_note(struct connection *c)
{
    int64_t us = now_us() - c->due_us;

    if (c->answer[9] != '2')
        other++;
    c->answers++;
    c->busy = false;
    if (latency_count < LATENCIES_MAX)
        latency[latency_count++] = (struct latency){
            .us = us < 0            ? 0
                  : us > UINT32_MAX ? UINT32_MAX
                                    : (uint32_t)us,
            .slice = (uint32_t)((c->due_us - begin_us) / SLICE_US),
        };
}

/* True when the connection has become free. */
static bool
connection_read(struct connection *c)
{
    ssize_t n = recv(c->fd, c->answer + c->len, sizeof c->answer - c->len, 0);

    if (n <= 0) {
        failed += c->busy;
        connection_again(c);
        return true;
    }
    c->len += (size_t)n;
    size_t want = answer_length(c);
    if (want == 0 || c->len < want)
        return false;
    answer_note(c);
    if (answer_is_last(c))
        connection_again(c);
    return true;
}

/* --- pace --------------------------------------------------------------------------------------
 */

static void
queue_add(int64_t due_us)
{
    if (queue_count == QUEUE_MAX)
        return;
    queue[(queue_first + queue_count++) % QUEUE_MAX] = due_us;
}

static void
connection_free(struct connection *c, bool closed_loop)
{
    if (closed_loop)
        connection_send(c, now_us());
    else if (queue_count > 0) {
        queue_count--;
        connection_send(c, queue[queue_first++ % QUEUE_MAX]);
    }
}

static void
queue_serve(void)
{
    for (unsigned i = 0; i < connection_count && queue_count > 0; i++) {
        if (!connections[i].busy)
            connection_free(&connections[i], false);
    }
}

static void
pace_wait(int timer, int64_t due_us)
{
    struct itimerspec at = {.it_value = {due_us / 1000000, due_us % 1000000 * 1000}};

    if (timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL) != 0)
        die("pace: timer");
}

static void
pace_events(int timer, bool closed_loop)
{
    struct epoll_event event[64];
    uint64_t expired;
    int n = epoll_wait(poller, event, 64, 100);

    for (int i = 0; i < n; i++) {
        if (event[i].data.ptr == NULL) {
            ssize_t ignored = read(timer, &expired, sizeof expired);
            (void)ignored;
        } else if (connection_read(event[i].data.ptr))
            connection_free(event[i].data.ptr, closed_loop);
    }
}

static void
pace_run(double rate, double seconds)
{
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
    int64_t begin = now_us(), end = begin + (int64_t)(seconds * 1e6);
    uint64_t made = 0;

    begin_us = begin;
    if (timer < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, timer, &e) != 0)
        die("pace: timer");
    for (unsigned i = 0; rate <= 0 && i < connection_count; i++)
        connection_send(&connections[i], now_us());
    while (now_us() < end) {
        int64_t due = begin + (int64_t)((double)made * 1e6 / (rate > 0 ? rate : 1));
        while (rate > 0 && due <= now_us()) {
            queue_add(due);
            due = begin + (int64_t)((double)++made * 1e6 / rate);
        }
        queue_serve();
        if (rate > 0)
            pace_wait(timer, due);
        pace_events(timer, rate <= 0);
    }
    unsent = queue_count;
    close(timer);
}

/* --- output --------------------------------------------------------------------------------------
 */

static int
by_size(const void *a, const void *b)
{
    uint32_t x = ((const struct latency *)a)->us, y = ((const struct latency *)b)->us;

    return (x > y) - (x < y);
}

static int
by_slice(const void *a, const void *b)
{
    uint32_t x = ((const struct latency *)a)->slice, y = ((const struct latency *)b)->slice;

    return x == y ? by_size(a, b) : (x > y) - (x < y);
}

static uint32_t
quantile(const struct latency *sorted, size_t n, double q)
{
    return n == 0 ? 0 : sorted[(size_t)((double)(n - 1) * q)].us;
}

/* A machine that stops for a moment spoils the tenths in which it does and no others. */
static uint32_t
p99_typical(void)
{
    static struct latency p99[SLICES_MAX];
    size_t n, slices = 0;

    qsort(latency, latency_count, sizeof *latency, by_slice);
    for (size_t first = 0; first < latency_count && slices < SLICES_MAX; first += n) {
        for (n = 1; first + n < latency_count && latency[first + n].slice == latency[first].slice;)
            n++;
        if (n >= SLICE_LEAST)
            p99[slices++].us = quantile(latency + first, n, 0.99);
    }
    qsort(p99, slices, sizeof *p99, by_size);
    return quantile(p99, slices, 0.5);
}

static void
report(double seconds)
{
    uint32_t typical = p99_typical();
    double sum = 0;

    for (size_t i = 0; i < latency_count; i++)
        sum += latency[i].us;
    qsort(latency, latency_count, sizeof *latency, by_size);
    printf("{\"seconds\":%.3f,\"answers\":%zu,\"other\":%" PRIu64 ",\"failed\":%" PRIu64
           ",\"unsent\":%" PRIu64 ",",
           seconds, latency_count, other, failed, unsent);
    printf("\"mean\":%.1f,\"p50\":%" PRIu32 ",\"p90\":%" PRIu32 ",\"p99\":%" PRIu32
           ",\"p99_typical\":%" PRIu32 ",\"max\":%" PRIu32 ",\"by_connection\":[",
           latency_count == 0 ? 0 : sum / (double)latency_count,
           quantile(latency, latency_count, 0.5), quantile(latency, latency_count, 0.9),
           quantile(latency, latency_count, 0.99), typical, quantile(latency, latency_count, 1));
    for (unsigned i = 0; i < connection_count; i++)
        printf("%s%" PRIu64, i == 0 ? "" : ",", connections[i].answers);
    printf("]}\n");
}

int
main(int argc, char **argv)
{
    FILE *in = argc == 6 ? fopen(argv[5], "re") : stdin;
    double rate, seconds;

    if (argc < 5 || argc > 6 || in == NULL) {
        fprintf(stderr, "Usage: pace PORT CONNECTIONS RATE SECONDS [FILE]\n");
        return EXIT_FAILURE;
    }
    port = (unsigned)strtoul(argv[1], NULL, 10);
    connection_count = (unsigned)strtoul(argv[2], NULL, 10);
    rate = strtod(argv[3], NULL);
    seconds = strtod(argv[4], NULL);
    requests_read(in);
    if (request_count == 0 || connection_count == 0 || connection_count > CONNECTIONS_MAX) {
        fprintf(stderr, "pace: no requests, or not 1 to %d connections\n", CONNECTIONS_MAX);
        return EXIT_FAILURE;
    }
    connections = zeroed(connection_count, sizeof *connections);
    latency = zeroed(LATENCIES_MAX, sizeof *latency);
    queue = zeroed(QUEUE_MAX, sizeof *queue);
    poller = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < connection_count; i++)
        connection_open(&connections[i]);
    pace_run(rate, seconds);
    report(seconds);
    return EXIT_SUCCESS;
}
