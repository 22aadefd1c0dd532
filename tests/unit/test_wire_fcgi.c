/* lint-allow: file-length: one peer and the many ways it misbehaves */
/* A worker's end against a peer that behaves, and against many that do not. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/timestamp.h"
#include "wire/request.h"

/* Two workers on one listener: one gives up soon, for peers that stall; the other waits so long
 * that an answer within its time was not waited for, on a busy machine too. */
enum {
    STALL_MS = 150,
    LATE_MS = 100,
    PATIENT_MS = 10000,
    SLACK_MS = 15000,
    BODY_MAX = 4 * 1024 * 1024,
    PARAMS = 4,
    STDIN_TYPE = 5,
    ABORT = 2,
    GET_VALUES = 9
};

static struct wire *hasty;
static struct wire *patient;
static struct wire *wire; /* the one under test now */
static int listener = -1;
static struct sockaddr_un address;
static socklen_t address_len = sizeof(address);
static struct buf sent; /* what a test composes before it sends */

/* ---- the peer ---- */

static void
record(unsigned type, unsigned id, const void *content, size_t len)
{
    const unsigned char h[8] = {1,
                                (unsigned char)type,
                                (unsigned char)(id >> 8),
                                (unsigned char)id,
                                (unsigned char)(len >> 8),
                                (unsigned char)len,
                                0,
                                0};
    buf_add(&sent, h, sizeof(h));
    buf_add(&sent, content, len);
}

static void
begin(void)
{
    record(1, 1, "\0\1\0\0\0\0\0\0", 8);
}

static void
length_put(struct buf *b, size_t n)
{
    if (n < 128) {
        buf_char(b, (char)n);
        return;
    }
    buf_char(b, (char)(0x80 | n >> 24));
    buf_char(b, (char)(n >> 16));
    buf_char(b, (char)(n >> 8));
    buf_char(b, (char)n);
}

/* NAME=value strings as one PARAMS record or more, without the empty one. */
static void
params(const char *const *list)
{
    struct buf b;
    buf_init(&b, 1024, (size_t)256 * 1024);
    for (; *list != NULL; list++) {
        const char *equals = strchr(*list, '=');
        length_put(&b, (size_t)(equals - *list));
        length_put(&b, strlen(equals + 1));
        buf_add(&b, *list, (size_t)(equals - *list));
        buf_z(&b, equals + 1);
    }
    for (size_t at = 0; at < b.len; at += 65535)
        record(PARAMS, 1, b.p + at, b.len - at < 65535 ? b.len - at : 65535);
    buf_free(&b);
}

static void
usual_params(const char *content_length)
{
    char z[64];
    snprintf(z, sizeof(z), "CONTENT_LENGTH=%s", content_length);
    params((const char *const[]){"REQUEST_METHOD=POST", "DOCUMENT_URI=/x", z, "REQUEST_ID=r1",
                                 "REMOTE_ADDR=192.0.2.7", "HTTP_COOKIE=s=1", "QUERY_STRING=a=1",
                                 NULL});
}

static void
start(const char *content_length)
{
    buf_reset(&sent);
    begin();
    usual_params(content_length);
    record(PARAMS, 1, "", 0);
}

static int
peer_connect(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, address_len) != 0)
        abort();
    struct timeval tv = {.tv_sec = 60};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
    return fd;
}

/* Connects and sends what was composed; it must fit the socket's buffer. */
static int
peer_send(void)
{
    int fd = peer_connect();
    if (send(fd, sent.p, sent.len, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)sent.len)
        abort();
    return fd;
}

struct reply {
    char text[256 * 1024]; /* STDOUT joined */
    size_t len;
    bool ended; /* END_REQUEST came */
    int error;  /* errno of the last read */
};

static struct reply reply;

/* Reads to the end of the connection. */
static void
peer_read(int fd)
{
    static unsigned char raw[512 * 1024];
    size_t have = 0;
    ssize_t n;

    reply = (struct reply){.len = 0};
    while ((n = read(fd, raw + have, sizeof(raw) - have)) > 0)
        have += (size_t)n;
    reply.error = n < 0 ? errno : 0;
    for (size_t at = 0; have - at >= 8;) {
        size_t content = ((size_t)raw[at + 4] << 8) | raw[at + 5];
        if (content + raw[at + 6] > have - at - 8)
            break; /* cut off */
        if (raw[at + 1] == 6 && reply.len + content < sizeof(reply.text)) {
            memcpy(reply.text + reply.len, raw + at + 8, content);
            reply.len += content;
        }
        reply.ended = reply.ended || raw[at + 1] == 3;
        at += 8 + content + raw[at + 6];
    }
    reply.text[reply.len < sizeof(reply.text) ? reply.len : 0] = '\0';
    close(fd);
}

static bool
reply_has(const char *z)
{
    return strstr(reply.text, z) != NULL;
}

/* ---- the worker ---- */

static int64_t took;

static enum wire_event
timed_accept(struct wire_request **ret_request)
{
    int64_t from = clock_ms();
    enum wire_event event = wire_accept(wire, 20000, NULL, ret_request);
    took = clock_ms() - from;
    return event;
}

static err
timed_body(size_t max, struct text *ret_body)
{
    int64_t from = clock_ms();
    err e = wire_read_body(wire, max, ret_body);
    took = clock_ms() - from;
    return e;
}

static void
timed_finish(void)
{
    int64_t from = clock_ms();
    wire_finish(wire);
    took = clock_ms() - from;
}

/* After anything at all the next request must be served. */
static void
still_serves(void)
{
    wire = patient;
    struct wire_request *r;
    struct text body;
    start("2");
    record(STDIN_TYPE, 1, "ok", 2);
    record(STDIN_TYPE, 1, "", 0);
    int fd = peer_send();
    CU_ASSERT_EQUAL_FATAL(timed_accept(&r), WIRE_REQUEST);
    CU_ASSERT_EQUAL(timed_body(BODY_MAX, &body), E_OK);
    CU_ASSERT_TRUE(wire_answer(wire, 200, NULL, body));
    wire_finish(wire);
    peer_read(fd);
    CU_ASSERT_STRING_EQUAL(reply.text, "Status: 200\r\n\r\nok");
    CU_ASSERT_TRUE(reply.ended && reply.error == 0);
}

static void
refused_with_400(int fd)
{
    struct wire_request *r = (void *)-1;
    CU_ASSERT_EQUAL(timed_accept(&r), WIRE_REFUSED);
    CU_ASSERT_PTR_NULL(r);
    CU_ASSERT_TRUE(took < PATIENT_MS);
    peer_read(fd);
    CU_ASSERT_TRUE(reply_has("Status: 400\r\n"));
    CU_ASSERT_TRUE(reply_has("Content-Type: application/problem+json\r\n"));
    CU_ASSERT_TRUE(
        reply_has("\r\n\r\n{\"type\":\"urn:lectern:error:bad_request\","
                  "\"title\":\"The request is malformed.\",\"status\":400,\"detail\":\""));
    CU_ASSERT_TRUE(reply_has("\"code\":\"bad_request\""));
    CU_ASSERT_TRUE(reply.ended);
    CU_ASSERT_EQUAL(reply.error, 0);
}

static void
dropped(int fd)
{
    struct wire_request *r;
    CU_ASSERT_EQUAL(timed_accept(&r), WIRE_REFUSED);
    CU_ASSERT_TRUE(took < PATIENT_MS);
    peer_read(fd);
    CU_ASSERT_EQUAL(reply.len, 0);
}

/* ---- cases ---- */

static void
whole_request(void)
{
    struct wire_request *r;
    struct text body;
    struct buf headers;

    start("5");
    record(STDIN_TYPE, 1, "he", 2);
    record(STDIN_TYPE, 1, "llo", 3);
    record(STDIN_TYPE, 1, "", 0);
    int fd = peer_send();
    CU_ASSERT_EQUAL_FATAL(timed_accept(&r), WIRE_REQUEST);
    CU_ASSERT_EQUAL(r->method, METHOD_POST);
    CU_ASSERT_TRUE(text_eq(r->path, TEXT("/x")));
    CU_ASSERT_TRUE(text_eq(r->query, TEXT("a=1")));
    CU_ASSERT_TRUE(text_eq(r->address, TEXT("192.0.2.7")));
    CU_ASSERT_TRUE(text_eq(r->request_id, TEXT("r1")));
    CU_ASSERT_TRUE(text_eq(r->header[HDR_COOKIE], TEXT("s=1")));
    CU_ASSERT_EQUAL(r->header[HDR_COOKIE].p[r->header[HDR_COOKIE].len], '\0');
    CU_ASSERT_PTR_NOT_NULL(r->arena);
    CU_ASSERT_EQUAL(timed_body(5, &body), E_OK);
    CU_ASSERT_TRUE(text_eq(body, TEXT("hello")));
    CU_ASSERT_EQUAL(timed_body(5, &body), E_OK); /* a second call gives the same */
    CU_ASSERT_TRUE(text_eq(body, TEXT("hello")));
    buf_init(&headers, 64, 64);
    buf_z(&headers, "ETag: \"1\"\r\n");
    CU_ASSERT_TRUE(wire_answer(wire, 201, &headers, TEXT("{}")));
    CU_ASSERT_FALSE(wire_answer(wire, 500, &headers, TEXT("again")));
    buf_free(&headers);
    timed_finish();
    CU_ASSERT_TRUE(took < PATIENT_MS);
    peer_read(fd);
    CU_ASSERT_STRING_EQUAL(reply.text, "Status: 201\r\nETag: \"1\"\r\n\r\n{}");
    CU_ASSERT_TRUE(reply.ended && reply.error == 0);
}

static void
idle_and_signals(void)
{
    struct wire_request *r;
    sigset_t none, old, block;
    int64_t from = clock_ms();
    CU_ASSERT_EQUAL(wire_accept(wire, 60, NULL, &r), WIRE_IDLE);
    CU_ASSERT_TRUE(clock_ms() - from >= 50 && clock_ms() - from < 60 + SLACK_MS);
    CU_ASSERT_EQUAL(wire_accept(wire, 0, NULL, &r), WIRE_IDLE);
    /* A signal that arrived while blocked ends the wait at once. */
    sigemptyset(&block);
    sigaddset(&block, SIGUSR2);
    sigprocmask(SIG_BLOCK, &block, &old);
    raise(SIGUSR2);
    sigemptyset(&none);
    from = clock_ms();
    CU_ASSERT_EQUAL(wire_accept(wire, 20000, &none, &r), WIRE_SIGNAL);
    CU_ASSERT_TRUE(clock_ms() - from < SLACK_MS);
    CU_ASSERT_PTR_NULL(r);
    sigprocmask(SIG_SETMASK, &old, NULL);
}

static void
on_signal(int number)
{
    (void)number;
}

static void
signals_stay_ours(void)
{
    struct sigaction sa;
    sigaction(SIGTERM, NULL, &sa);
    CU_ASSERT_TRUE(sa.sa_handler == SIG_DFL);
    sigaction(SIGUSR1, NULL, &sa);
    CU_ASSERT_TRUE(sa.sa_handler == SIG_DFL);
    sigaction(SIGPIPE, NULL, &sa);
    CU_ASSERT_TRUE(sa.sa_handler == SIG_IGN);
}

static void
mute_peer(void)
{
    wire = hasty;
    int fd = peer_connect();
    dropped(fd);
    CU_ASSERT_TRUE(took >= STALL_MS - 20);
    wire = patient;
    fd = peer_connect();
    close(fd); /* gone before it was accepted */
    struct wire_request *r;
    CU_ASSERT_EQUAL(timed_accept(&r), WIRE_REFUSED);
    CU_ASSERT_TRUE(took < PATIENT_MS);
    still_serves();
}

static void
stalls_at_every_byte(void)
{
    wire = hasty;
    start("0");
    record(STDIN_TYPE, 1, "", 0);
    size_t whole = sent.len - 8;
    /* The places that matter: first byte, inside headers, lengths, names, before the last byte. */
    const size_t at[] = {1, 7, 8, 15, 16, 20, 24, 25, 26, 30, 60, whole - 9, whole - 1};
    for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        start("0");
        sent.len = at[i];
        int fd = peer_send();
        if (at[i] >= 16)
            refused_with_400(fd);
        else
            dropped(fd);
        CU_ASSERT_TRUE(took >= STALL_MS - 20);
    }
    still_serves();
}

static void
closes_at_every_byte(void)
{
    struct wire_request *r;
    start("0");
    size_t whole = sent.len;
    for (size_t at = 0; at < whole; at++) {
        start("0");
        sent.len = at;
        int fd = peer_send();
        shutdown(fd, SHUT_WR);
        CU_ASSERT_EQUAL(timed_accept(&r), WIRE_REFUSED);
        CU_ASSERT_TRUE(took < PATIENT_MS);
        peer_read(fd);
        CU_ASSERT_EQUAL(reply.len > 0, at >= 16);
    }
    still_serves();
}

/* Sends `sent` in pieces, each after a pause. */
struct drip {
    int fd;
    size_t piece;
    unsigned pause_ms;
    bool failed; /* the worker closed before it had read all */
};

static void *
drip_run(void *argument)
{
    struct drip *d = argument;
    for (size_t at = 0; at < sent.len; at += d->piece) {
        size_t n = sent.len - at < d->piece ? sent.len - at : d->piece;
        if (send(d->fd, sent.p + at, n, MSG_NOSIGNAL) != (ssize_t)n) {
            d->failed = true;
            break;
        }
        if (d->pause_ms > 0)
            usleep(d->pause_ms * 1000);
    }
    return NULL;
}

static void
trickling_head(void)
{
    struct wire_request *r;
    pthread_t thread;
    /* Slow but in time: in five pieces. */
    start("0");
    record(STDIN_TYPE, 1, "", 0);
    struct drip d = {.fd = peer_connect(), .piece = sent.len / 5, .pause_ms = 10};
    pthread_create(&thread, NULL, drip_run, &d);
    CU_ASSERT_EQUAL_FATAL(timed_accept(&r), WIRE_REQUEST);
    CU_ASSERT_TRUE(text_eq(r->path, TEXT("/x")));
    CU_ASSERT_TRUE(wire_answer(wire, 204, NULL, TEXT("")));
    wire_finish(wire);
    pthread_join(thread, NULL);
    peer_read(d.fd);
    CU_ASSERT_TRUE(reply.ended);
    /* Never silent for a stall time, and yet not for ever. */
    wire = hasty;
    start("0");
    d = (struct drip){.fd = peer_connect(), .piece = 1, .pause_ms = 20};
    pthread_create(&thread, NULL, drip_run, &d);
    CU_ASSERT_EQUAL(timed_accept(&r), WIRE_REFUSED);
    CU_ASSERT_TRUE(took < STALL_MS + SLACK_MS);
    pthread_join(thread, NULL);
    close(d.fd);
    still_serves();
}

static void
malformed_heads(void)
{
    start("0");
    buf_reset(&sent);
    buf_z(&sent, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    dropped(peer_send());

    buf_reset(&sent); /* management before any request */
    record(GET_VALUES, 0, "\17\0FCGI_MPXS_CONNS", 17);
    dropped(peer_send());

    buf_reset(&sent); /* more answers than the library has room for */
    begin();
    struct buf values;
    buf_init(&values, 1024, 1024);
    for (int i = 0; i < 20; i++)
        buf_add(&values, "\16\0FCGI_MAX_CONNS", 16);
    record(GET_VALUES, 0, values.p, values.len);
    buf_free(&values);
    refused_with_400(peer_send());

    buf_reset(&sent); /* unknown type, request 0 and request 1 */
    begin();
    record(77, 0, "x", 1);
    refused_with_400(peer_send());
    buf_reset(&sent);
    begin();
    record(77, 1, "x", 1);
    refused_with_400(peer_send());

    buf_reset(&sent);
    begin();
    usual_params("0");
    record(ABORT, 1, "", 0);
    refused_with_400(peer_send());

    buf_reset(&sent); /* parameters whose last pair is cut though the stream ends */
    begin();
    usual_params("0");
    record(PARAMS, 1, "\17\4HTTP_AUTH", 11);
    record(PARAMS, 1, "", 0);
    refused_with_400(peer_send());

    buf_reset(&sent); /* a name of two gigabytes */
    begin();
    record(PARAMS, 1, "\377\377\377\376\377\377\377\376", 8);
    record(PARAMS, 1, "", 0);
    refused_with_400(peer_send());
    still_serves();
}

static void
refused_params(void)
{
    static const char *const sets[][7] = {
        {"DOCUMENT_URI=/x", "CONTENT_LENGTH=", "REQUEST_ID=r", NULL},
        {"REQUEST_METHOD=GET", "CONTENT_LENGTH=", "REQUEST_ID=r", NULL},
        {"REQUEST_METHOD=GET", "DOCUMENT_URI=/x", "REQUEST_ID=r", NULL},
        {"REQUEST_METHOD=GET", "DOCUMENT_URI=/x", "CONTENT_LENGTH=", NULL},
        {"REQUEST_METHOD=GET", "DOCUMENT_URI=/x", "CONTENT_LENGTH=-5", "REQUEST_ID=r", NULL},
        {"REQUEST_METHOD=GET", "DOCUMENT_URI=/\xff", "CONTENT_LENGTH=", "REQUEST_ID=r", NULL},
        {"REQUEST_METHOD=GET", "DOCUMENT_URI=/x", "CONTENT_LENGTH=", "REQUEST_ID=r",
         "HTTP_AUTHORIZATION=a", "HTTP_AUTHORIZATION=b", NULL},
        {"REQUEST_METHOD=GET", "DOCUMENT_URI=/x", "CONTENT_LENGTH=", "REQUEST_ID=r", "HTTP_HOST=a",
         "HTTP_HOST=a", NULL},
        {NULL},
    };
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        buf_reset(&sent);
        begin();
        params(sets[i]);
        record(PARAMS, 1, "", 0);
        record(STDIN_TYPE, 1, "unread body", 11);
        record(STDIN_TYPE, 1, "", 0);
        refused_with_400(peer_send());
        CU_ASSERT_TRUE(took < PATIENT_MS); /* no waiting for anything */
    }
    still_serves();
}

/* A cookie of n bytes makes a head of that size and a little more. */
static int
head_with_cookie(size_t n)
{
    char *cookie = malloc(n + 32);
    memcpy(cookie, "HTTP_COOKIE=", 12);
    memset(cookie + 12, 'c', n);
    cookie[12 + n] = '\0';
    buf_reset(&sent);
    begin();
    params((const char *const[]){"REQUEST_METHOD=GET", "DOCUMENT_URI=/x",
                                 "CONTENT_LENGTH=", "REQUEST_ID=r", cookie, NULL});
    record(PARAMS, 1, "", 0);
    record(STDIN_TYPE, 1, "", 0);
    free(cookie);
    return peer_send();
}

static void
large_heads(void)
{
    struct wire_request *r;
    const size_t sizes[] = {100, 8000, 8192, 16300, 16384, 20000, 70000, 120000};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        int fd = head_with_cookie(sizes[i]);
        CU_ASSERT_EQUAL_FATAL(timed_accept(&r), WIRE_REQUEST);
        CU_ASSERT_EQUAL(r->header[HDR_COOKIE].len, sizes[i]);
        CU_ASSERT_TRUE(wire_answer(wire, 200, NULL, TEXT("x")));
        wire_finish(wire);
        peer_read(fd);
        CU_ASSERT_TRUE(reply.ended && reply.error == 0);
    }
    refused_with_400(head_with_cookie(135000));
    CU_ASSERT_TRUE(took < PATIENT_MS);
    still_serves();
}

static void
bodies_of_wrong_length(void)
{
    static const struct {
        const char *announced, *first, *second;
        size_t max;
        err wanted;
    } cases[] = {
        {"5", "abc", "", 100, E_BAD_REQUEST},
        {"5", "", "", 100, E_BAD_REQUEST},
        {"2", "abc", "", 100, E_BAD_REQUEST},
        {"0", "abc", "", 100, E_BAD_REQUEST},
        {"", "a", "", 100, E_BAD_REQUEST},
        {"3", "abc", "d", 3, E_PAYLOAD_TOO_LARGE},
        {"101", "abc", "", 100, E_PAYLOAD_TOO_LARGE},
        {"0", "abc", "", 2, E_PAYLOAD_TOO_LARGE},
        {"99999999999999999", "abc", "", 100, E_PAYLOAD_TOO_LARGE},
        {"3", "abc", "", 3, E_OK},
        {"4", "abc", "d", 4, E_OK},
        {"", "", "", 0, E_OK},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct wire_request *r;
        struct text body;
        start(cases[i].announced);
        if (cases[i].first[0] != '\0')
            record(STDIN_TYPE, 1, cases[i].first, strlen(cases[i].first));
        if (cases[i].second[0] != '\0')
            record(STDIN_TYPE, 1, cases[i].second, strlen(cases[i].second));
        record(STDIN_TYPE, 1, "", 0);
        int fd = peer_send();
        CU_ASSERT_EQUAL_FATAL(timed_accept(&r), WIRE_REQUEST);
        err e = timed_body(cases[i].max, &body);
        if (e != cases[i].wanted)
            printf("\n  case %zu gave %s", i, err_info(e)->code);
        CU_ASSERT_EQUAL(e, cases[i].wanted);
        CU_ASSERT_TRUE(took < PATIENT_MS);
        CU_ASSERT_EQUAL(body.p != NULL, e == E_OK);
        CU_ASSERT_TRUE(wire_answer(wire, 400, NULL, TEXT("no")));
        timed_finish();
        CU_ASSERT_TRUE(took < PATIENT_MS);
        peer_read(fd);
        CU_ASSERT_TRUE(reply.ended && reply.error == 0);
    }
    still_serves();
}

/* The body stops after `bytes` of sent; `closing` tells whether by silence or by closing. */
static void
broken_body(size_t bytes, bool closing)
{
    struct wire_request *r;
    struct text body;
    wire = closing ? patient : hasty;
    sent.len = bytes;
    int fd = peer_send();
    if (closing)
        shutdown(fd, SHUT_WR);
    CU_ASSERT_EQUAL_FATAL(timed_accept(&r), WIRE_REQUEST);
    CU_ASSERT_EQUAL(timed_body(BODY_MAX, &body), E_BAD_REQUEST);
    CU_ASSERT_TRUE(took < (closing ? PATIENT_MS : STALL_MS + SLACK_MS));
    CU_ASSERT_EQUAL(timed_body(BODY_MAX, &body), E_BAD_REQUEST);
    CU_ASSERT_PTR_NULL(body.p);
    CU_ASSERT_TRUE(wire_answer(wire, 400, NULL, TEXT("cut")));
    timed_finish();
    CU_ASSERT_TRUE(took < STALL_MS + SLACK_MS);
    peer_read(fd);
    CU_ASSERT_TRUE(reply_has("Status: 400") && reply.ended);
}

static void
bodies_cut(void)
{
    start("5");
    size_t head = sent.len;
    for (size_t more = 0; more < 8 + 5 + 8; more += 4) {
        for (int closing = 0; closing < 2; closing++) {
            start("5");
            record(STDIN_TYPE, 1, "hello", 5);
            record(STDIN_TYPE, 1, "", 0);
            broken_body(head + more, closing == 1);
        }
    }
    still_serves();
}

static void
bodies_malformed(void)
{
    static const unsigned types[] = {ABORT, PARAMS, 6, 77};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        start("5");
        record(STDIN_TYPE, 1, "he", 2);
        record(types[i], 1, "", 0);
        record(STDIN_TYPE, 1, "llo", 3);
        record(STDIN_TYPE, 1, "", 0);
        broken_body(sent.len, false);
        CU_ASSERT_EQUAL(reply.error, 0);
    }
    start("5"); /* another version */
    record(STDIN_TYPE, 1, "he", 2);
    sent.p[sent.len - 10] = 2;
    broken_body(sent.len, false);
    still_serves();
}

/* Records that are not of this request are passed over, and a question about limits is answered. */
static void
bodies_with_strange_records(void)
{
    struct wire_request *r;
    struct text body;
    start("5");
    record(STDIN_TYPE, 1, "he", 2);
    record(STDIN_TYPE, 9, "XX", 2);
    record(GET_VALUES, 0, "\17\0FCGI_MPXS_CONNS", 17);
    record(STDIN_TYPE, 1, "llo", 3);
    record(STDIN_TYPE, 1, "", 0);
    int fd = peer_send();
    CU_ASSERT_EQUAL_FATAL(timed_accept(&r), WIRE_REQUEST);
    CU_ASSERT_EQUAL(timed_body(BODY_MAX, &body), E_OK);
    CU_ASSERT_TRUE(text_eq(body, TEXT("hello")));
    wire_finish(wire);
    peer_read(fd);
    CU_ASSERT_TRUE(reply.ended && reply.len == 0);
    still_serves();
}

/* One byte a record, and never a stall time between two. */
static void
trickling_body(void)
{
    struct wire_request *r;
    struct text body;
    pthread_t thread;
    start("200");
    for (int i = 0; i < 200; i++)
        record(STDIN_TYPE, 1, "x", 1);
    size_t head = sent.len - (size_t)200 * 9;
    record(STDIN_TYPE, 1, "", 0);
    wire = hasty;
    int fd = peer_connect();
    send(fd, sent.p, head, MSG_NOSIGNAL);
    memmove(sent.p, sent.p + head, sent.len - head);
    sent.len -= head;
    struct drip d = {.fd = fd, .piece = 9, .pause_ms = 20};
    CU_ASSERT_EQUAL_FATAL(timed_accept(&r), WIRE_REQUEST);
    pthread_create(&thread, NULL, drip_run, &d);
    CU_ASSERT_EQUAL(timed_body(BODY_MAX, &body), E_BAD_REQUEST);
    CU_ASSERT_TRUE(took < 4 * STALL_MS + SLACK_MS);
    CU_ASSERT_TRUE(wire_answer(wire, 400, NULL, TEXT("slow")));
    timed_finish();
    CU_ASSERT_TRUE(took < 4 * STALL_MS + SLACK_MS);
    pthread_join(thread, NULL);
    close(fd);
    still_serves();
}

static void
large_body(size_t size, bool read_it)
{
    struct wire_request *r;
    struct text body = TEXT_NULL;
    pthread_t thread;
    char *bytes = malloc(size), z[32];
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 31);
    snprintf(z, sizeof(z), "%zu", size);
    start(z);
    for (size_t at = 0; at < size; at += 32768)
        record(STDIN_TYPE, 1, bytes + at, size - at < 32768 ? size - at : 32768);
    record(STDIN_TYPE, 1, "", 0);
    struct drip d = {.fd = peer_connect(), .piece = sent.len};
    pthread_create(&thread, NULL, drip_run, &d);
    CU_ASSERT_EQUAL_FATAL(timed_accept(&r), WIRE_REQUEST);
    if (read_it) {
        CU_ASSERT_EQUAL(timed_body(size, &body), E_OK);
        CU_ASSERT_TRUE(body.len == size && memcmp(body.p, bytes, size) == 0);
    } else {
        CU_ASSERT_EQUAL(timed_body(size - 1, &body), E_PAYLOAD_TOO_LARGE);
    }
    CU_ASSERT_TRUE(wire_answer(wire, read_it ? 200 : 413, NULL, TEXT("done")));
    timed_finish();
    CU_ASSERT_TRUE(took < PATIENT_MS);
    pthread_join(thread, NULL);
    CU_ASSERT_FALSE(d.failed);
    peer_read(d.fd);
    CU_ASSERT_TRUE(reply_has("done") && reply.ended && reply.error == 0);
    free(bytes);
}

static void
large_bodies(void)
{
    large_body((size_t)1024 * 1024, true);
    large_body((size_t)1024 * 1024, false); /* refused, and yet nobody is reset */
    still_serves();
}

static void
peers_that_do_not_read(void)
{
    struct wire_request *r;
    size_t size = (size_t)2 * 1024 * 1024;
    char *big = calloc(1, size);
    wire = hasty;
    for (int gone = 0; gone < 2; gone++) {
        start("0");
        record(STDIN_TYPE, 1, "", 0);
        int fd = peer_send();
        CU_ASSERT_EQUAL_FATAL(timed_accept(&r), WIRE_REQUEST);
        if (gone == 1)
            close(fd);
        int64_t from = clock_ms();
        CU_ASSERT_FALSE(wire_answer(wire, 200, NULL, (struct text){big, size}));
        wire_finish(wire);
        CU_ASSERT_TRUE(clock_ms() - from < 2 * STALL_MS + SLACK_MS);
        if (gone == 0)
            close(fd);
    }
    free(big);
    still_serves();
}

static void
large_answer(void)
{
    struct wire_request *r;
    size_t size = 150000;
    char *big = malloc(size);
    memset(big, 'b', size);
    start("0");
    record(STDIN_TYPE, 1, "", 0);
    int fd = peer_send();
    CU_ASSERT_EQUAL_FATAL(timed_accept(&r), WIRE_REQUEST);
    CU_ASSERT_TRUE(wire_answer(wire, 200, NULL, (struct text){big, size}));
    wire_finish(wire);
    peer_read(fd);
    CU_ASSERT_EQUAL(reply.len, size + strlen("Status: 200\r\n\r\n"));
    CU_ASSERT_TRUE(reply.ended && reply.error == 0);
    free(big);
}

/* The worker's end of the one connection there is. */
static int
accepted_descriptor(void)
{
    int found = -1;
    for (int fd = 0; fd < 256; fd++) {
        struct sockaddr_un own = {.sun_family = AF_UNSPEC};
        struct sockaddr_un peer;
        socklen_t own_len = sizeof(own), peer_len = sizeof(peer);
        if (getsockname(fd, (struct sockaddr *)&own, &own_len) == 0 && own_len == address_len &&
            memcmp(&own, &address, address_len) == 0 &&
            getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0)
            found = fd;
    }
    return found;
}

static void *
late_reader(void *fd)
{
    poll(NULL, 0, LATE_MS);
    peer_read(*(int *)fd);
    return NULL;
}

/* An answer of one record that the socket does not take at once: its rest is waited with, for a
 * peer that reads slowly, and given up for one that does not read at all. */
static void
answer_in_pieces(void)
{
    enum { SIZE = 60000 };
    static char body[SIZE];
    const int least = 1;
    const size_t head = strlen("Status: 200\r\n\r\n");
    struct wire_request *r;
    for (size_t i = 0; i < SIZE; i++)
        body[i] = (char)('a' + i % 23);
    for (int reads = 1; reads >= 0; reads--) {
        pthread_t thread;
        start("0");
        record(STDIN_TYPE, 1, "", 0);
        wire = reads ? patient : hasty;
        int fd = peer_send();
        CU_ASSERT_EQUAL_FATAL(timed_accept(&r), WIRE_REQUEST);
        int own = accepted_descriptor();
        CU_ASSERT_EQUAL_FATAL(setsockopt(own, SOL_SOCKET, SO_SNDBUF, &least, sizeof(least)), 0);
        int64_t from = clock_ms();
        if (reads)
            pthread_create(&thread, NULL, late_reader, &fd);
        CU_ASSERT_EQUAL(wire_answer(wire, 200, NULL, (struct text){body, SIZE}), reads);
        CU_ASSERT_TRUE(clock_ms() - from >= (reads ? LATE_MS : STALL_MS) / 2);
        CU_ASSERT_TRUE(clock_ms() - from < STALL_MS + SLACK_MS);
        wire_finish(wire);
        if (!reads) {
            close(fd);
            continue;
        }
        pthread_join(thread, NULL);
        CU_ASSERT_TRUE(reply.ended && reply.error == 0);
        CU_ASSERT_EQUAL(reply.len, head + SIZE);
        CU_ASSERT_EQUAL(memcmp(reply.text + head, body, SIZE), 0);
    }
    still_serves();
}

static int
open_descriptors(void)
{
    int n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) != -1;
    return n;
}

static void
nothing_leaks(void)
{
    struct wire_request *r;
    int before = open_descriptors();
    still_serves();
    start("0"); /* accept again without finish: the request before is ended first */
    record(STDIN_TYPE, 1, "", 0);
    int fd = peer_send();
    CU_ASSERT_EQUAL_FATAL(timed_accept(&r), WIRE_REQUEST);
    CU_ASSERT_EQUAL(wire_accept(wire, 0, NULL, &r), WIRE_IDLE);
    wire_finish(wire); /* and finishing twice is harmless */
    CU_ASSERT_FALSE(wire_answer(wire, 200, NULL, TEXT("late")));
    peer_read(fd);
    CU_ASSERT_TRUE(reply.ended && reply.len == 0);
    CU_ASSERT_EQUAL(open_descriptors(), before);
}

static void
peer_that_has_gone(void)
{
    struct wire_request *r;

    CU_ASSERT_FALSE(wire_abandoned(wire));
    start("");
    record(STDIN_TYPE, 1, "", 0);
    int fd = peer_send();
    CU_ASSERT_EQUAL_FATAL(timed_accept(&r), WIRE_REQUEST);
    CU_ASSERT_FALSE(wire_abandoned(wire));
    close(fd);
    CU_ASSERT_TRUE(wire_abandoned(wire));
    wire_finish(wire);
}

static void
bad_listeners(void)
{
    int pair[2];
    CU_ASSERT_PTR_NULL(wire_open(-1, 100, 4096));
    CU_ASSERT_PTR_NULL(wire_open(listener, 0, 4096));
    CU_ASSERT_EQUAL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    CU_ASSERT_PTR_NULL(wire_open(pair[0], 100, 4096));
    close(pair[0]);
    close(pair[1]);
    int tcp = socket(AF_INET, SOCK_STREAM, 0);
    CU_ASSERT_EQUAL(listen(tcp, 1), 0);
    CU_ASSERT_PTR_NULL(wire_open(tcp, 100, 4096));
    close(tcp);
    wire_close(NULL);
}

/* Last: it takes the listener away. */
static void
listener_gone(void)
{
    struct wire_request *r;
    shutdown(listener, SHUT_RDWR);
    CU_ASSERT_EQUAL(timed_accept(&r), WIRE_FATAL);
    CU_ASSERT_TRUE(took < PATIENT_MS);
}

static void
worker_start(void)
{
    struct sigaction sa = {.sa_handler = on_signal};
    sigaction(SIGUSR2, &sa, NULL);
    /* An address of the kernel's choice, without a file. */
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un any = {.sun_family = AF_UNIX};
    if (listener < 0 || bind(listener, (struct sockaddr *)&any, sizeof(sa_family_t)) != 0 ||
        listen(listener, 16) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &address_len) != 0)
        abort();
    hasty = wire_open(listener, STALL_MS, (size_t)8 * 1024 * 1024);
    patient = wire_open(listener, PATIENT_MS, (size_t)8 * 1024 * 1024);
    wire = patient;
    if (hasty == NULL || patient == NULL)
        abort();
    buf_init(&sent, 4096, (size_t)4 * 1024 * 1024);
}

int
main(void)
{
    static const struct unit_case cases[] = {
        {"a whole request", whole_request},
        {"idle and signals", idle_and_signals},
        {"signals stay ours", signals_stay_ours},
        {"mute peer", mute_peer},
        {"stalls inside the head", stalls_at_every_byte},
        {"closes at every byte of the head", closes_at_every_byte},
        {"trickling head", trickling_head},
        {"malformed heads", malformed_heads},
        {"refused parameters", refused_params},
        {"large heads", large_heads},
        {"bodies of wrong length", bodies_of_wrong_length},
        {"bodies cut", bodies_cut},
        {"bodies malformed", bodies_malformed},
        {"bodies with strange records", bodies_with_strange_records},
        {"trickling body", trickling_body},
        {"large bodies", large_bodies},
        {"peers that do not read", peers_that_do_not_read},
        {"large answer", large_answer},
        {"answer in pieces", answer_in_pieces},
        {"peer that has gone", peer_that_has_gone},
        {"nothing leaks", nothing_leaks},
        {"bad listeners", bad_listeners},
        {"listener gone", listener_gone},
        {NULL, NULL},
    };
    worker_start();
    int status = unit_main("wire: fcgi", cases);
    wire_close(hasty);
    wire_close(patient);
    buf_free(&sent);
    close(listener);
    return status;
}
