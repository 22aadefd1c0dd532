#include "wire/head.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* FastCGI 1.0, sections 3.3, 5 and 8. */
enum {
    FRAME_VERSION = 1,
    FRAME_BEGIN = 1,
    FRAME_END = 3,
    FRAME_PARAMS = 4,
    FRAME_STDIN = 5,
    FRAME_STDOUT = 6,
    ROLE_RESPONDER = 1,
    BEGIN_LEN = 8,
    END_LEN = 8,
};

_Static_assert(WIRE_END_LEN == 2 * WIRE_FRAME_LEN + END_LEN, "two records, one of them empty");

struct frame {
    unsigned version;
    unsigned type;
    unsigned request_id;
    size_t content;
    size_t padding;
};

static struct frame
frame_read(const unsigned char *p)
{
    return (struct frame){
        .version = p[0],
        .type = p[1],
        .request_id = ((unsigned)p[2] << 8) | p[3],
        .content = ((size_t)p[4] << 8) | p[5],
        .padding = p[6],
    };
}

static void
frame_write(unsigned char *p, unsigned type, unsigned request_id, size_t content)
{
    p[0] = FRAME_VERSION;
    p[1] = (unsigned char)type;
    p[2] = (unsigned char)(request_id >> 8);
    p[3] = (unsigned char)request_id;
    p[4] = (unsigned char)(content >> 8);
    p[5] = (unsigned char)content;
    p[6] = 0;
    p[7] = 0;
}

static enum wire_head_state
refuse(struct wire_head *head, const char *fault)
{
    head->fault = fault;
    return WIRE_HEAD_REFUSED;
}

/* One or four bytes of length, big-endian; false at the end of the stream. */
static bool
pair_length(const unsigned char **p, const unsigned char *end, size_t *ret_len)
{
    const unsigned char *at = *p;

    if (at == end)
        return false;
    if ((at[0] & 0x80) == 0) {
        *ret_len = at[0];
        *p = at + 1;
        return true;
    }
    if (end - at < 4)
        return false;
    *ret_len =
        ((size_t)(at[0] & 0x7f) << 24) | ((size_t)at[1] << 16) | ((size_t)at[2] << 8) | at[3];
    *p = at + 4;
    return true;
}

/* NULL, or what is wrong with the joined parameters. */
static const char *
pairs_fault(const unsigned char *p, size_t len)
{
    const unsigned char *end = p + len;
    size_t name, value;

    for (unsigned count = 0; p < end; count++) {
        if (count == WIRE_PARAMS_MAX)
            return "too many parameters";
        if (!pair_length(&p, end, &name) || !pair_length(&p, end, &value))
            return "a parameter is cut off";
        if (name > (size_t)(end - p) || value > (size_t)(end - p) - name)
            return "a parameter is cut off";
        if (name == 0 || memchr(p, '=', name) != NULL)
            return "a parameter has no proper name";
        if (memchr(p, '\0', name + value) != NULL)
            return "a parameter holds NUL";
        p += name + value;
    }
    return NULL;
}

static const char *
begin_fault(const struct frame *f, const unsigned char *content)
{
    if (f->version != FRAME_VERSION || f->type != FRAME_BEGIN || f->request_id == 0 ||
        f->content != BEGIN_LEN)
        return "the connection does not begin with a request";
    if (content[0] != 0 || content[1] != ROLE_RESPONDER)
        return "the role is not responder";
    /* libfcgi forgets padding where it changes streams, and would read it as a record. */
    return f->padding == 0 ? NULL : "the first record is padded";
}

/* Joins the parameters at the front of the buffer once their end is known to be there. */
static size_t
params_join(unsigned char *bytes, size_t at)
{
    size_t joined = 0;

    for (;;) {
        struct frame f = frame_read(bytes + at);
        if (f.content == 0)
            return joined;
        memmove(bytes + joined, bytes + at + WIRE_FRAME_LEN, f.content);
        joined += f.content;
        at += WIRE_FRAME_LEN + f.content + f.padding;
    }
}

/* The end of an empty body and nothing else. */
static bool
is_input_end(const unsigned char *bytes, size_t len, unsigned request_id)
{
    struct frame f;

    if (len != WIRE_FRAME_LEN)
        return false;
    f = frame_read(bytes);
    return f.version == FRAME_VERSION && f.type == FRAME_STDIN && f.request_id == request_id &&
           f.content == 0 && f.padding == 0;
}

/* Walks the PARAMS records from `start` on. */
static enum wire_head_state
params_check(unsigned char *bytes, size_t len, size_t start, struct wire_head *head)
{
    for (size_t at = start; len - at >= WIRE_FRAME_LEN;) {
        struct frame f = frame_read(bytes + at);
        if (f.version != FRAME_VERSION || f.request_id != head->request_id)
            return refuse(head, "a record is not of this request");
        if (f.type != FRAME_PARAMS)
            return refuse(head, "a record other than parameters");
        if (f.content == 0) {
            size_t behind = at + WIRE_FRAME_LEN;
            head->whole = is_input_end(bytes + behind, len - behind, head->request_id);
            const char *fault = f.padding == 0 ? pairs_fault(bytes, params_join(bytes, start))
                                               : "the end of the parameters is padded";
            return fault == NULL ? WIRE_HEAD_COMPLETE : refuse(head, fault);
        }
        if (f.content + f.padding > len - at - WIRE_FRAME_LEN)
            break;
        at += WIRE_FRAME_LEN + f.content + f.padding;
    }
    return WIRE_HEAD_MORE;
}

enum wire_head_state
wire_head_check(unsigned char *bytes, size_t len, struct wire_head *ret_head)
{
    *ret_head = (struct wire_head){0};
    /* Rubbish is told from the first byte, without waiting for sixteen. */
    if (len > 0 && bytes[0] != FRAME_VERSION)
        return refuse(ret_head, "not FastCGI version 1");
    if (len > 1 && bytes[1] != FRAME_BEGIN)
        return refuse(ret_head, "the connection does not begin with a request");
    if (len < WIRE_FRAME_LEN + BEGIN_LEN)
        return WIRE_HEAD_MORE;

    struct frame f = frame_read(bytes);
    const char *fault = begin_fault(&f, bytes + WIRE_FRAME_LEN);
    if (fault != NULL)
        return refuse(ret_head, fault);
    ret_head->request_id = f.request_id;
    return params_check(bytes, len, WIRE_FRAME_LEN + BEGIN_LEN, ret_head);
}

void
wire_head_open(unsigned request_id, size_t len, unsigned char ret_bytes[WIRE_FRAME_LEN])
{
    frame_write(ret_bytes, FRAME_STDOUT, request_id, len);
}

void
wire_head_end(unsigned request_id, unsigned char ret_bytes[WIRE_END_LEN])
{
    frame_write(ret_bytes, FRAME_STDOUT, request_id, 0);
    frame_write(ret_bytes + WIRE_FRAME_LEN, FRAME_END, request_id, END_LEN);
    memset(ret_bytes + (size_t)2 * WIRE_FRAME_LEN, 0, END_LEN); /* status 0, request complete */
}

size_t
wire_head_answer(unsigned request_id, const char *text, size_t len, unsigned char *ret_bytes,
                 size_t room)
{
    size_t total = WIRE_FRAME_LEN + len + WIRE_END_LEN;

    if (len == 0 || len > UINT16_MAX || total > room)
        return 0;
    wire_head_open(request_id, len, ret_bytes);
    memcpy(ret_bytes + WIRE_FRAME_LEN, text, len);
    wire_head_end(request_id, ret_bytes + WIRE_FRAME_LEN + len);
    return total;
}
