/* A request as nginx sent it and the answer to it: FastCGI underneath, nothing of it above. */
#ifndef LECTERN_WIRE_REQUEST_H
#define LECTERN_WIRE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"

enum wire_method {
    METHOD_NONE,
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_PUT,
    METHOD_PATCH,
    METHOD_DELETE,
    METHOD_OPTIONS,
    METHOD_OTHER,
};

/* "GET"; "OTHER" for what is none of ours. */
const char *wire_method_name(enum wire_method m);

/* The request headers that some gate reads. Everything else a client sends is never looked at. */
enum wire_header {
#define HEADER(symbol, name, single) HDR_##symbol,
#include "wire/headers.def"
#undef HEADER
    HDR_COUNT
};

struct wire_request {
    enum wire_method method;
    struct text path;       /* DOCUMENT_URI: decoded, merged and resolved by nginx */
    struct text query;      /* QUERY_STRING, raw */
    struct text request_id; /* checked: 1 to 128 of [A-Za-z0-9._-] */
    struct text address;    /* REMOTE_ADDR after nginx's realip, never a header: an IP address,
                             * "" for a client of a Unix socket or when nginx sends none */
    struct text header[HDR_COUNT]; /* TEXT_NULL when absent; last byte followed by NUL */
    uint64_t content_length;
    struct arena *arena; /* of this request */
};

struct wire; /* one worker's end: the listening socket and the request at hand */

/* Timeouts are in milliseconds: `stall` bounds each read from and write to nginx, and the whole of
 * a request's parameters; a body, and what is left unread at the end, may take four times that.
 * The listener becomes non-blocking. NULL when it is not a listening Unix stream socket or the
 * timeout is not positive. SIGPIPE is ignored from here on; SIGTERM and SIGUSR1 keep the
 * dispositions they had. Call it in the worker, after the fork. */
struct wire *wire_open(int listen_fd, int stall_timeout_ms, size_t arena_max);
void wire_close(struct wire *w);

enum wire_event {
    WIRE_REQUEST, /* *ret_request is ready; answer it, then wire_finish */
    WIRE_IDLE,    /* the time ran out without a connection */
    WIRE_SIGNAL,  /* a signal arrived while waiting */
    WIRE_REFUSED, /* a peer stalled, closed or sent rubbish; already answered or dropped */
    WIRE_FATAL,   /* the listener is gone */
};

/* Wait at most `idle_ms` (negative: without bound) for a connection and read its parameters.
 * Signals of the set that ppoll unblocks (`sigmask`) end the wait; outside the wait they stay
 * blocked. Truncated parameters and parameters without REQUEST_METHOD, DOCUMENT_URI, CONTENT_LENGTH
 * (may be empty) or REQUEST_ID are refused with 400 here. A header of which `single` says one, sent
 * twice, likewise. What is not FastCGI up to a request's id is dropped. A request not yet finished
 * is finished first. `sigmask` points to a sigset_t, or is NULL. */
enum wire_event wire_accept(struct wire *w, int idle_ms, const void *sigmask,
                            struct wire_request **ret_request);

/* The body, whole, into the request's arena. E_PAYLOAD_TOO_LARGE when more than `max` bytes are
 * announced or come, E_BAD_REQUEST when fewer or more than announced come or the peer stalls. `max`
 * must leave room in the arena. A second call gives the same answer. */
err wire_read_body(struct wire *w, size_t max, struct text *ret_body) MUST_CHECK;

/* Send "Status: …" and the given header lines (each ended by CRLF), an empty line and the body.
 * `headers` may be NULL. All is sent before it returns. False when the peer is gone or an answer
 * was sent before; nothing needs doing about it. */
bool wire_answer(struct wire *w, int status, const struct buf *headers, struct text body);

/* Whether the peer has closed the connection: nobody waits for the answer. Costs a system call. */
bool wire_abandoned(const struct wire *w);

/* Read what input is left, close, reset the arena. Harmless without a request. An unanswered
 * request ends with an empty answer, which nginx turns into 502. */
void wire_finish(struct wire *w);

#endif
