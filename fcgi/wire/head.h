/* The first records of a FastCGI connection, checked before the library reads a byte of them. */
#ifndef LECTERN_WIRE_HEAD_H
#define LECTERN_WIRE_HEAD_H

#include <stdbool.h>
#include <stddef.h>

#define WIRE_HEAD_MAX ((size_t)128 * 1024) /* all that may come before the body, in bytes */
#define WIRE_PARAMS_MAX 512                /* name-value pairs */
#define WIRE_FRAME_LEN 8                   /* of a record's header */
#define WIRE_END_LEN 24                    /* of the records that end an answer */

enum wire_head_state {
    WIRE_HEAD_MORE,     /* good so far, not complete */
    WIRE_HEAD_COMPLETE, /* one responder request with whole, plain parameters */
    WIRE_HEAD_REFUSED,
};

struct wire_head {
    unsigned request_id; /* 0 until BEGIN_REQUEST was understood: nobody to answer */
    const char *fault;   /* why it was refused, a constant sentence; else NULL */
    bool whole;          /* COMPLETE, without a body, and its end is there: nothing to wait for */
};

/* One BEGIN_REQUEST for a responder, then PARAMS records of the same request up to the empty one.
 * Everything else is refused: other versions, other request ids, management records (which can
 * end the process inside the library), a second BEGIN, ABORT, early STDIN. Pairs must fill the
 * stream exactly; a NUL in them, an empty name or '=' in a name is refused, because the library
 * hands them over as C strings; so is padding of BEGIN and of the empty record, which the library
 * would take for a record. On COMPLETE the buffer has been overwritten with the joined
 * parameters. What follows the parameters is not checked. */
enum wire_head_state wire_head_check(unsigned char *bytes, size_t len, struct wire_head *ret_head);

/* What surrounds the only STDOUT record of an answer: its header, for `len` bytes (at most
 * 65,535), and what comes behind them, the end of STDOUT and END_REQUEST. */
void wire_head_open(unsigned request_id, size_t len, unsigned char ret_bytes[WIRE_FRAME_LEN]);
void wire_head_end(unsigned request_id, unsigned char ret_bytes[WIRE_END_LEN]);

/* A whole answer as records: STDOUT with `text`, its end, END_REQUEST. Returns the bytes written,
 * 0 when `room` is too small. `len` is at most 65,535. */
size_t wire_head_answer(unsigned request_id, const char *text, size_t len, unsigned char *ret_bytes,
                        size_t room);

#endif
