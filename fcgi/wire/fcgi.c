/* The only file that knows libfcgi. Accepting and closing are done here, because the library's own
 * wait without bound for a silent peer, linger when closing and take signals away. */
#include "wire/request.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include <fcgiapp.h>

#include "base/json.h"
#include "base/log.h"
#include "base/oom.h"
#include "base/timestamp.h"
#include "wire/head.h"
#include "wire/params.h"

enum {
    PEEK_FIRST = 16 * 1024,    /* holds nearly every head, and does not copy a whole body */
    REFUSAL_MAX = 2048,        /* bytes of the answer to a refused head */
    WRITE_SLICE = 1024 * 1024, /* libfcgi counts in int */
    BODY_PATIENCE = 4,         /* a body or the rest of one may take so many stall times */
    DISCARD_MAX = 1024 * 1024, /* of a refused connection's bytes, so that closing resets nobody */
};

struct wire {
    int listen_fd;
    int fd; /* the connection at hand, -1 for none */
    int stall_ms;
    bool answered;
    bool ended; /* the answer went out whole, past the library */
    bool body_read;
    struct text body;
    FCGX_Request fcgx;
    struct arena *arena;
    struct buf refusal;
    unsigned char *scratch; /* WIRE_HEAD_MAX bytes */
    struct wire_request request;
};

/* libfcgi installs handlers for three signals while it starts. SIGPIPE stays ignored, the other
 * two belong to the worker's loop. */
static bool
library_start(void)
{
    struct sigaction term, usr1;

    setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "0", 1);
    setenv("LIBFCGI_IS_AF_UNIX_KEEPER_POLL_TIMEOUT", "0", 1);
    sigaction(SIGTERM, NULL, &term);
    sigaction(SIGUSR1, NULL, &usr1);
    bool started = FCGX_Init() == 0;
    sigaction(SIGTERM, &term, NULL);
    sigaction(SIGUSR1, &usr1, NULL);
    signal(SIGPIPE, SIG_IGN);
    return started;
}

/* Several workers wake for one connection: the late ones must not block in accept4. */
static bool
listener_prepare(int fd)
{
    int domain = 0, listening = 0;
    socklen_t len = sizeof(int);

    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) != 0 || domain != AF_UNIX)
        return false;
    len = sizeof(int);
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) != 0 || listening == 0)
        return false;
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

struct wire *
wire_open(int listen_fd, int stall_timeout_ms, size_t arena_max)
{
    if (stall_timeout_ms <= 0 || !listener_prepare(listen_fd) || !library_start())
        return NULL;
    struct wire *w = calloc(1, sizeof(*w));
    if (w == NULL)
        out_of_memory("wire", sizeof(*w));
    w->scratch = malloc(WIRE_HEAD_MAX);
    if (w->scratch == NULL)
        out_of_memory("wire", WIRE_HEAD_MAX);
    w->listen_fd = listen_fd;
    w->fd = -1;
    w->stall_ms = stall_timeout_ms;
    w->arena = arena_new(arena_max);
    buf_init(&w->refusal, REFUSAL_MAX, REFUSAL_MAX);
    return w;
}

void
wire_close(struct wire *w)
{
    if (w == NULL)
        return;
    wire_finish(w);
    arena_free(w->arena);
    buf_free(&w->refusal);
    free(w->scratch);
    free(w);
}

/* ---- the connection ---- */

static bool
timeout_set(int fd, int option, int64_t ms)
{
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};

    return setsockopt(fd, SOL_SOCKET, option, &tv, sizeof(tv)) == 0;
}

static bool
accept_error_passes(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == ECONNABORTED || error == EINTR ||
           error == EPROTO;
}

/* WIRE_REQUEST here means: there is a connection. */
static enum wire_event
connection_wait(struct wire *w, int idle_ms, const sigset_t *sigmask)
{
    int64_t end = clock_ms() + idle_ms;

    /* Under load there is one already; signals are pending no longer than until its end. */
    w->fd = accept4(w->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (w->fd >= 0)
        return WIRE_REQUEST;
    log_flush();
    for (;;) {
        int64_t left = idle_ms < 0 ? 0 : end - clock_ms();
        left = left < 0 ? 0 : left;
        struct timespec ts = {.tv_sec = left / 1000, .tv_nsec = (left % 1000) * 1000000};
        struct pollfd pfd = {.fd = w->listen_fd, .events = POLLIN};
        int n = ppoll(&pfd, 1, idle_ms < 0 ? NULL : &ts, sigmask);
        if (n == 0)
            return WIRE_IDLE;
        if (n < 0)
            return errno == EINTR ? WIRE_SIGNAL : WIRE_FATAL;
        if ((pfd.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0)
            return WIRE_FATAL;
        w->fd = accept4(w->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (w->fd >= 0)
            return WIRE_REQUEST;
        if (!accept_error_passes(errno))
            return WIRE_FATAL;
    }
}

/* What a peer sent and nobody will read: closing over it would reset the peer before it read
 * our answer. Takes only what is there. */
static void
connection_discard(struct wire *w)
{
    size_t taken = 0;
    ssize_t n;

    do {
        n = recv(w->fd, w->scratch, WIRE_HEAD_MAX, MSG_DONTWAIT);
        taken += n > 0 ? (size_t)n : 0;
    } while (n > 0 && taken < DISCARD_MAX);
}

static void
connection_close(struct wire *w)
{
    close(w->fd);
    w->fd = -1;
    arena_reset(w->arena);
}

/* ---- the head ---- */

/* nginx sends a request without a body at once, and then nothing is to be waited for: no timeout
 * needs to be set. Peeked at, because libfcgi will read the same bytes. */
static enum wire_head_state
head_peek_ready(struct wire *w, struct wire_head *ret_head)
{
    ssize_t n = recv(w->fd, w->scratch, PEEK_FIRST, MSG_PEEK | MSG_DONTWAIT);

    *ret_head = (struct wire_head){0};
    if (n <= 0)
        return WIRE_HEAD_MORE;
    enum wire_head_state state = wire_head_check(w->scratch, (size_t)n, ret_head);
    return state == WIRE_HEAD_COMPLETE && !ret_head->whole ? WIRE_HEAD_MORE : state;
}

/* Fills scratch with what the socket holds. The whole head must come within one stall time, however
 * it trickles. */
static enum wire_head_state
head_peek(struct wire *w, struct wire_head *ret_head)
{
    int64_t end = clock_ms() + w->stall_ms;
    size_t have = 0, want = PEEK_FIRST;
    int64_t left = w->stall_ms;

    *ret_head = (struct wire_head){0};
    while (left > 0) {
        ssize_t n = recv(w->fd, w->scratch + have, want - have, MSG_PEEK);
        if (n <= 0)
            break;
        have += (size_t)n;
        enum wire_head_state state = wire_head_check(w->scratch, have, ret_head);
        if (state != WIRE_HEAD_MORE) {
            if (left != w->stall_ms)
                timeout_set(w->fd, SO_RCVTIMEO, w->stall_ms);
            return state;
        }
        int offset = (int)have;
        want = WIRE_HEAD_MAX;
        left = end - clock_ms();
        /* From here on each peek begins where the last one ended, and waits for more. */
        if (have == WIRE_HEAD_MAX ||
            setsockopt(w->fd, SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof(offset)) != 0 ||
            (left > 0 && !timeout_set(w->fd, SO_RCVTIMEO, left)))
            break;
    }
    ret_head->fault = "the head did not come whole in time";
    return WIRE_HEAD_REFUSED;
}

static void
refusal_body(struct buf *b, struct text request_id)
{
    const struct err_info *info = err_info(E_BAD_REQUEST);

    json_open(b, '{');
    json_key(b, "type");
    buf_printf(b, "\"urn:lectern:error:%s\"", info->code);
    json_kv_z(b, "title", info->title);
    json_kv_int(b, "status", info->status);
    json_kv_z(b, "detail", info->doc);
    json_kv_z(b, "code", info->code);
    if (request_id.p != NULL)
        json_kv_text(b, "request_id", request_id);
    json_close(b, '}');
}

static const char refusal_headers[] = "Content-Type: application/problem+json\r\n"
                                      "Cache-Control: no-store\r\n";

/* The library has not read this request and cannot answer it; what the socket takes now must do. */
static void
refuse_head(struct wire *w, const struct wire_head *head)
{
    unsigned char records[REFUSAL_MAX];

    log_event(LOG_L_WARN, "connection refused", LOG_Z("reason", head->fault));
    connection_discard(w);
    if (head->request_id != 0) {
        buf_reset(&w->refusal);
        buf_z(&w->refusal, "Status: 400\r\n");
        buf_z(&w->refusal, refusal_headers);
        buf_z(&w->refusal, "\r\n");
        refusal_body(&w->refusal, TEXT_NULL);
        size_t n = wire_head_answer(head->request_id, w->refusal.p, w->refusal.len, records,
                                    sizeof(records));
        /* A peer that is gone or does not read has no use for it. */
        if (n > 0 && send(w->fd, records, n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
            log_event(LOG_L_DEBUG, "refusal not delivered", LOG_INT("errno", errno));
    }
    connection_close(w);
}

static void
refuse_request(struct wire *w, const char *fault)
{
    log_event(LOG_L_WARN, "request refused", LOG_TEXT("request_id", w->request.request_id),
              LOG_Z("reason", fault));
    struct buf headers = {.p = NULL};
    buf_init(&headers, sizeof(refusal_headers), sizeof(refusal_headers));
    buf_z(&headers, refusal_headers);
    buf_reset(&w->refusal);
    refusal_body(&w->refusal, w->request.request_id);
    wire_answer(w, err_info(E_BAD_REQUEST)->status, &headers, buf_as_text(&w->refusal));
    buf_free(&headers);
    wire_finish(w);
}

/* ---- the request ---- */

/* With keepConnection set the library neither accepts nor closes by itself. */
static bool
library_accept(struct wire *w)
{
    FCGX_InitRequest(&w->fcgx, -1, 0);
    w->fcgx.ipcFd = w->fd;
    w->fcgx.keepConnection = 1;
    if (FCGX_Accept_r(&w->fcgx) != 0) {
        /* It closes a connection that it gives up, and says so with a negative descriptor. */
        if (w->fcgx.ipcFd < 0)
            w->fd = -1;
        return false;
    }
    return true;
}

static enum wire_event
request_begin(struct wire *w)
{
    struct wire_head head;
    enum wire_head_state state = head_peek_ready(w, &head);

    if (state == WIRE_HEAD_MORE) {
        if (!timeout_set(w->fd, SO_RCVTIMEO, w->stall_ms)) {
            connection_close(w);
            return WIRE_REFUSED;
        }
        state = head_peek(w, &head);
    }
    if (state != WIRE_HEAD_COMPLETE) {
        refuse_head(w, &head);
        return WIRE_REFUSED;
    }
    if (!library_accept(w)) {
        log_event(LOG_L_WARN, "connection refused", LOG_Z("reason", "the library gave it up"));
        if (w->fd >= 0)
            connection_close(w);
        return WIRE_REFUSED;
    }
    w->request = (struct wire_request){.arena = w->arena};
    const char *fault = FCGX_GetError(w->fcgx.in) != 0
                            ? "parameters are cut off"
                            : wire_params_read(w->fcgx.envp, &w->request);
    if (fault != NULL) {
        refuse_request(w, fault);
        return WIRE_REFUSED;
    }
    return WIRE_REQUEST;
}

enum wire_event
wire_accept(struct wire *w, int idle_ms, const void *sigmask, struct wire_request **ret_request)
{
    *ret_request = NULL;
    if (w->fd >= 0)
        wire_finish(w);
    w->answered = w->ended = false;
    w->body_read = false;
    w->body = TEXT_NULL;
    enum wire_event event = connection_wait(w, idle_ms, sigmask);
    if (event == WIRE_REQUEST)
        event = request_begin(w);
    if (event == WIRE_REQUEST)
        *ret_request = &w->request;
    return event;
}

/* ---- the body ---- */

/* One byte or more, up to `room`, with at most one wait for the peer; 0 at the end or on failure.
 * FCGX_GetStr alone would wait once for each record until `room` is filled. */
static size_t
input_some(FCGX_Stream *in, char *p, size_t room)
{
    int first = FCGX_GetChar(in);

    if (first == EOF)
        return 0;
    p[0] = (char)first;
    size_t there = (size_t)(in->stop - in->rdNext);
    size_t rest = there < room - 1 ? there : room - 1;
    return 1 + (size_t)FCGX_GetStr(p + 1, (int)rest, in);
}

/* Counts what comes and throws it away, until the end, `max` bytes or `deadline`. */
static uint64_t
input_skip(struct wire *w, uint64_t max, int64_t deadline)
{
    uint64_t skipped = 0;
    size_t n = 1;

    while (n > 0 && skipped < max && clock_ms() < deadline) {
        n = input_some(w->fcgx.in, (char *)w->scratch, WIRE_HEAD_MAX);
        skipped += n;
    }
    return skipped;
}

static err
body_fill(struct wire *w, size_t max, char *p)
{
    FCGX_Stream *in = w->fcgx.in;
    int64_t deadline = clock_ms() + (int64_t)w->stall_ms * BODY_PATIENCE;
    size_t announced = (size_t)w->request.content_length;
    size_t have = 0, n = 1;

    while (have < announced && n > 0 && clock_ms() < deadline) {
        n = input_some(in, p + have, announced - have);
        have += n;
    }
    if (have < announced)
        return E_BAD_REQUEST;
    uint64_t surplus = input_skip(w, (uint64_t)(max - have) + (max < SIZE_MAX), deadline);
    if (surplus > max - have)
        return E_PAYLOAD_TOO_LARGE;
    bool whole = surplus == 0 && FCGX_HasSeenEOF(in) != 0 && FCGX_GetError(in) == 0;
    return whole ? E_OK : E_BAD_REQUEST;
}

err
wire_read_body(struct wire *w, size_t max, struct text *ret_body)
{
    *ret_body = w->body;
    if (w->body_read)
        return w->body.p == NULL ? E_BAD_REQUEST : E_OK;
    if (w->request.content_length > max)
        return E_PAYLOAD_TOO_LARGE;
    w->body_read = true;
    size_t len = (size_t)w->request.content_length;
    char *p = arena_alloc(w->arena, len + 1);
    TRY(body_fill(w, max, p));
    w->body = (struct text){p, len};
    *ret_body = w->body;
    return E_OK;
}

bool
wire_abandoned(const struct wire *w)
{
    struct pollfd peer = {.fd = w->fd};

    return w->fd >= 0 && poll(&peer, 1, 0) > 0 && (peer.revents & POLLHUP) != 0;
}

/* ---- the answer ---- */

static bool
output(FCGX_Stream *out, const char *p, size_t n)
{
    while (n > 0) {
        int slice = n > WRITE_SLICE ? WRITE_SLICE : (int)n;
        if (FCGX_PutStr(p, slice, out) != slice)
            return false;
        p += slice;
        n -= (size_t)slice;
    }
    return true;
}

/* Ends both output streams; the order makes END_REQUEST ride in the last write of `out`. */
static bool
output_end(struct wire *w)
{
    if (w->ended)
        return true;
    bool err_closed = FCGX_FClose(w->fcgx.err) == 0;

    return FCGX_FClose(w->fcgx.out) == 0 && err_closed;
}

/* All of it, or false. Only a peer that does not take it at once is waited for, each time no longer
 * than the stall time. */
static bool
parts_send(const struct wire *w, struct iovec *parts, size_t count)
{
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = count};
    int flags = MSG_NOSIGNAL | MSG_DONTWAIT;

    while (m.msg_iovlen > 0) {
        ssize_t n = sendmsg(w->fd, &m, flags);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN && (flags & MSG_DONTWAIT) != 0 &&
            timeout_set(w->fd, SO_SNDTIMEO, w->stall_ms)) {
            flags = MSG_NOSIGNAL;
            continue;
        }
        if (n <= 0)
            return false;
        size_t sent = (size_t)n;
        for (; m.msg_iovlen > 0 && sent >= m.msg_iov->iov_len; m.msg_iov++, m.msg_iovlen--)
            sent -= m.msg_iov->iov_len;
        if (m.msg_iovlen > 0) {
            m.msg_iov->iov_base = (char *)m.msg_iov->iov_base + sent;
            m.msg_iov->iov_len -= sent;
        }
    }
    return true;
}

static struct iovec
part(const void *p, size_t n)
{
    /* writev's structure lacks const; nobody writes to it. */
    return (struct iovec){.iov_base = (void *)(uintptr_t)p, .iov_len = n};
}

/* An answer that fits into one record goes out in one write: the library writes every 8 KiB, and
 * each of its writes wakes nginx. */
static bool
answer_at_once(struct wire *w, struct text line, struct text headers, struct text body)
{
    unsigned char open[WIRE_FRAME_LEN], end[WIRE_END_LEN];
    unsigned id = (unsigned)w->fcgx.requestId;
    struct iovec parts[] = {
        part(open, sizeof(open)), part(line.p, line.len), part(headers.p, headers.len),
        part("\r\n", 2),          part(body.p, body.len), part(end, sizeof(end)),
    };

    wire_head_open(id, line.len + headers.len + 2 + body.len, open);
    wire_head_end(id, end);
    w->ended = true;
    return parts_send(w, parts, sizeof(parts) / sizeof(parts[0]));
}

bool
wire_answer(struct wire *w, int status, const struct buf *headers, struct text body)
{
    char line[sizeof("Status: -2147483648\r\n")];

    if (w->fd < 0 || w->answered)
        return false;
    w->answered = true;
    /* nginx that is told the end while it still sends waits for us to close; what nobody reads is
     * taken first. */
    if (!w->body_read && w->request.content_length > 0)
        input_skip(w, UINT64_MAX, clock_ms() + w->stall_ms);
    int n = snprintf(line, sizeof(line), "Status: %d\r\n", status);
    struct text head = headers == NULL ? TEXT("") : buf_as_text(headers);
    if ((size_t)n + head.len + 2 + body.len <= UINT16_MAX)
        return answer_at_once(w, (struct text){line, (size_t)n}, head, body);
    if (!timeout_set(w->fd, SO_SNDTIMEO, w->stall_ms))
        return false;
    FCGX_Stream *out = w->fcgx.out;
    bool sent = output(out, line, (size_t)n) && output(out, head.p, head.len) &&
                output(out, "\r\n", 2) && output(out, body.p, body.len);
    return output_end(w) && sent;
}

void
wire_finish(struct wire *w)
{
    if (w->fd < 0)
        return;
    output_end(w);
    /* nginx sends no more of a body once it has the answer's head, and holds the answer's end until
     * it sees ours: two that wait for each other. */
    if (w->request.content_length > 0 && w->body.p == NULL)
        shutdown(w->fd, SHUT_WR);
    input_skip(w, UINT64_MAX, clock_ms() + (int64_t)w->stall_ms * BODY_PATIENCE);
    if (FCGX_GetError(w->fcgx.in) != 0)
        connection_discard(w);
    FCGX_Free(&w->fcgx, 0);
    connection_close(w);
}
