/* Any bytes from a peer, through a real socket, the head's check and the library. The first byte
 * chooses how the worker behaves. Whatever comes, the worker must come back in time, see only
 * checked values, and serve on. */
#include "fuzz.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "wire/request.h"

enum { STALL_MS = 2000, INPUT_MAX = 100 * 1024, BODY_MAX = 4096, FRAME = 8, TYPE_PARAMS = 4 };

static struct wire *wire;
static struct sockaddr_un address;
static socklen_t address_len = sizeof(address);

static void
start(void)
{
    struct sockaddr_un any = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    fuzz_require(listener >= 0);
    fuzz_require(bind(listener, (struct sockaddr *)&any, sizeof(sa_family_t)) == 0);
    fuzz_require(listen(listener, 4) == 0);
    fuzz_require(getsockname(listener, (struct sockaddr *)&address, &address_len) == 0);
    wire = wire_open(listener, STALL_MS, (size_t)1024 * 1024);
    fuzz_require(wire != NULL);
}

/* The library's own handling of management records behind the parameters is known to be unsafe
 * and is out of reach from here: input ends before the first of them. */
static size_t
without_management(const uint8_t *p, size_t size)
{
    size_t at = 0;
    int params_ended = 0;

    while (size - at >= FRAME) {
        size_t content = ((size_t)p[at + 4] << 8) | p[at + 5];
        size_t whole = FRAME + content + p[at + 6];
        if (params_ended && p[at + 2] == 0 && p[at + 3] == 0)
            return at;
        params_ended = params_ended || (p[at + 1] == TYPE_PARAMS && content == 0);
        if (whole > size - at)
            break;
        at += whole;
    }
    return size;
}

static void
check_request(const struct wire_request *r)
{
    fuzz_require(r->method != METHOD_NONE && r->method <= METHOD_OTHER);
    fuzz_require(r->path.len > 0 && r->path.p[0] == '/' && text_utf8_valid(r->path));
    fuzz_require(r->request_id.len >= 1 && r->request_id.len <= 128);
    fuzz_require(r->query.p != NULL && r->address.p != NULL);
    for (int h = 0; h < HDR_COUNT; h++) {
        if (r->header[h].p != NULL)
            fuzz_require(strlen(r->header[h].p) == r->header[h].len);
    }
}

static void
serve(unsigned behaviour)
{
    struct wire_request *r;
    struct text body = TEXT_NULL;
    enum wire_event event = wire_accept(wire, 1000, NULL, &r);

    fuzz_require(event == WIRE_REQUEST || event == WIRE_REFUSED);
    fuzz_require((event == WIRE_REQUEST) == (r != NULL));
    if (r == NULL)
        return;
    check_request(r);
    if (behaviour & 1) {
        err e = wire_read_body(wire, BODY_MAX, &body);
        fuzz_require((e == E_OK) == (body.p != NULL));
        fuzz_require(e != E_OK || body.len == r->content_length);
    }
    if (behaviour & 2)
        wire_answer(wire, 200, NULL, body);
    wire_finish(wire);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (wire == NULL)
        start();
    if (size == 0 || size > INPUT_MAX)
        return 0;
    unsigned behaviour = data[0];
    size = without_management(data + 1, size - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    fuzz_require(fd >= 0 && connect(fd, (struct sockaddr *)&address, address_len) == 0);
    if (size > 0)
        fuzz_require(send(fd, data + 1, size, MSG_NOSIGNAL) == (ssize_t)size);
    shutdown(fd, SHUT_WR); /* an end instead of a silence, or each run would take a stall time */
    serve(behaviour);
    close(fd);
    return 0;
}
