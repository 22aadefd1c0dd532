/* The head of a connection and its parameters, without any socket. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "wire/head.h"
#include "wire/params.h"

#define BEGIN "\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0"
#define END "\1\4\0\1\0\0\0\0"

static enum wire_head_state
check(const char *bytes, size_t len, struct wire_head *ret_head)
{
    unsigned char *copy = malloc(len + (len == 0));
    memcpy(copy, bytes, len);
    enum wire_head_state state = wire_head_check(copy, len, ret_head);
    free(copy);
    return state;
}

#define CHECK(z, head) check((z), sizeof(z) - 1, (head))

#define BYTES(z)           \
    {                      \
        (z), sizeof(z) - 1 \
    }

static void
head_complete(void)
{
    struct wire_head h;
    CU_ASSERT_EQUAL(CHECK(BEGIN END, &h), WIRE_HEAD_COMPLETE);
    CU_ASSERT_EQUAL(h.request_id, 1);
    CU_ASSERT_PTR_NULL(h.fault);
    CU_ASSERT_EQUAL(CHECK(BEGIN "\1\4\0\1\0\4\0\0\1\1AB" END, &h), WIRE_HEAD_COMPLETE);
    CU_ASSERT_EQUAL(CHECK(BEGIN "\1\4\0\1\0\4\3\0\1\1AB\0\0\0" END, &h), WIRE_HEAD_COMPLETE);
    /* one pair over three records, lengths in four bytes, cut inside the length */
    CU_ASSERT_EQUAL(CHECK(BEGIN "\1\4\0\1\0\2\0\0\200\0"
                                "\1\4\0\1\0\5\1\0\0\1\200\0\0\0"
                                "\1\4\0\1\0\3\0\0\1XY" END,
                          &h),
                    WIRE_HEAD_COMPLETE);
    CU_ASSERT_EQUAL(CHECK(BEGIN END "anything may follow", &h), WIRE_HEAD_COMPLETE);
    /* the keep-connection flag changes nothing; an empty value */
    CU_ASSERT_EQUAL(CHECK("\1\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0" END, &h), WIRE_HEAD_COMPLETE);
    CU_ASSERT_EQUAL(CHECK(BEGIN "\1\4\0\1\0\3\0\0\1\0A" END, &h), WIRE_HEAD_COMPLETE);
}

/* Only the plain end of an empty body, and nothing behind it, leaves nothing to wait for. */
static void
head_whole(void)
{
#define PAIR "\1\4\0\1\0\4\3\0\1\1AB\0\0\0"
    static const struct {
        struct text bytes;
        bool whole;
    } cases[] = {
        {BYTES(BEGIN END "\1\5\0\1\0\0\0\0"), true},
        {BYTES(BEGIN PAIR END "\1\5\0\1\0\0\0\0"), true},
        {BYTES("\1\1\1\2\0\10\0\0\0\1\0\0\0\0\0\0"
               "\1\4\1\2\0\0\0\0"
               "\1\5\1\2\0\0\0\0"),
         true},
        {BYTES(BEGIN END), false},
        {BYTES(BEGIN END "\1\5\0\1\0\0\0"), false},                   /* cut off */
        {BYTES(BEGIN END "\1\5\0\1\0\0\0\0\1"), false},               /* more */
        {BYTES(BEGIN END "\1\5\0\1\0\1\0\0{"), false},                /* a body */
        {BYTES(BEGIN END "\1\5\0\1\0\1\0\0"), false},                 /* it is to come */
        {BYTES(BEGIN END "\1\5\0\1\1\0\0\0"), false},                 /* of 256 bytes */
        {BYTES(BEGIN END "\1\5\0\1\0\0\1\0"), false},                 /* padded */
        {BYTES(BEGIN END "\1\5\0\2\0\0\0\0"), false},                 /* of another */
        {BYTES(BEGIN END "\1\5\1\1\0\0\0\0"), false},                 /* of another */
        {BYTES(BEGIN END "\2\5\0\1\0\0\0\0"), false},                 /* version */
        {BYTES(BEGIN END "\1\2\0\1\0\0\0\0"), false},                 /* ABORT */
        {BYTES(BEGIN END "\1\4\0\1\0\0\0\0"), false},                 /* PARAMS again */
        {BYTES(BEGIN END "\1\5\0\1\0\0\0\0\1\5\0\1\0\0\0\0"), false}, /* ends twice */
    };
#undef PAIR
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct wire_head h;
        CU_ASSERT_EQUAL(check(cases[i].bytes.p, cases[i].bytes.len, &h), WIRE_HEAD_COMPLETE);
        if (h.whole != cases[i].whole)
            printf("\n  case %zu: whole %d", i, h.whole);
        CU_ASSERT_EQUAL(h.whole, cases[i].whole);
    }
}

static void
head_grows(void)
{
    static const char whole[] = BEGIN "\1\4\0\1\0\4\3\0\1\1AB\0\0\0" END;
    struct wire_head h;
    for (size_t n = 0; n < sizeof(whole) - 1; n++)
        CU_ASSERT_EQUAL(check(whole, n, &h), WIRE_HEAD_MORE);
    CU_ASSERT_EQUAL(check(whole, sizeof(whole) - 1, &h), WIRE_HEAD_COMPLETE);
}

struct refused {
    struct text bytes;
    unsigned request_id; /* whether it can be answered */
};

static void
head_refused(void)
{
    static const struct refused cases[] = {
        {BYTES("G"), 0},
        {BYTES("GET / HTTP/1.1\r\n\r\n"), 0},
        {BYTES("\0"), 0},
        {BYTES("\2\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0"), 0},
        {BYTES("\1\4\0\1\0\0\0\0"), 0},                      /* no BEGIN */
        {BYTES("\1\11\0\0\0\0\0\0"), 0},                     /* GET_VALUES first */
        {BYTES("\1\1\0\0\0\10\0\0\0\1\0\0\0\0\0\0" END), 0}, /* request id 0 */
        {BYTES("\1\1\0\1\0\7\0\0\0\1\0\0\0\0\0\0" END), 0},  /* short BEGIN */
        {BYTES("\1\1\0\1\0\11\0\0\0\1\0\0\0\0\0\0\0" END), 0},
        {BYTES("\1\1\0\1\0\10\0\0\0\2\0\0\0\0\0\0" END), 0},       /* authorizer */
        {BYTES("\1\1\0\1\0\10\0\0\0\3\0\0\0\0\0\0" END), 0},       /* filter */
        {BYTES("\1\1\0\1\0\10\0\0\1\1\0\0\0\0\0\0" END), 0},       /* role 257 */
        {BYTES("\1\1\0\1\0\10\2\0\0\1\0\0\0\0\0\0\0\0" END), 0},   /* padded BEGIN */
        {BYTES(BEGIN "\1\4\0\1\0\0\1\0\0"), 1},                    /* padded end */
        {BYTES(BEGIN BEGIN END), 1},                               /* BEGIN twice */
        {BYTES(BEGIN "\1\1\0\2\0\10\0\0\0\1\0\0\0\0\0\0" END), 1}, /* multiplexing */
        {BYTES(BEGIN "\1\4\0\2\0\4\0\0\1\1AB" END), 1},            /* of another request */
        {BYTES(BEGIN "\1\11\0\0\0\0\0\0" END), 1},                 /* GET_VALUES */
        {BYTES(BEGIN "\1\143\0\1\0\0\0\0" END), 1},                /* unknown type */
        {BYTES(BEGIN "\1\2\0\1\0\0\0\0"), 1},                      /* ABORT */
        {BYTES(BEGIN "\1\5\0\1\0\0\0\0"), 1},                      /* STDIN too early */
        {BYTES(BEGIN "\2\4\0\1\0\0\0\0"), 1},                      /* version changes */
        /* pairs that do not fill the stream */
        {BYTES(BEGIN "\1\4\0\1\0\1\0\0\1" END), 1},
        {BYTES(BEGIN "\1\4\0\1\0\3\0\0\1\1A" END), 1},
        {BYTES(BEGIN "\1\4\0\1\0\4\0\0\2\1AB" END), 1},
        {BYTES(BEGIN "\1\4\0\1\0\3\0\0\200\0\0" END), 1},
        {BYTES(BEGIN "\1\4\0\1\0\12\0\0\377\377\377\376\377\377\377\376AB" END),
         1}, /* wraps as int */
        {BYTES(BEGIN "\1\4\0\1\0\7\0\0\1\377\377\377\376AB" END), 1},
        {BYTES(BEGIN "\1\4\0\1\0\12\0\0\1\1AB\1\1CD\1\1" END), 1},
        /* names and values that a C string cannot carry */
        {BYTES(BEGIN "\1\4\0\1\0\3\0\0\0\1A" END), 1},
        {BYTES(BEGIN "\1\4\0\1\0\4\0\0\1\1=B" END), 1},
        {BYTES(BEGIN "\1\4\0\1\0\5\0\0\1\2A\0B" END), 1},
        {BYTES(BEGIN "\1\4\0\1\0\5\0\0\2\1A\0B" END), 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct wire_head h;
        enum wire_head_state state = check(cases[i].bytes.p, cases[i].bytes.len, &h);
        if (state != WIRE_HEAD_REFUSED || h.request_id != cases[i].request_id)
            printf("\n  case %zu: state %d", i, (int)state);
        CU_ASSERT_EQUAL(state, WIRE_HEAD_REFUSED);
        CU_ASSERT_EQUAL(h.request_id, cases[i].request_id);
        CU_ASSERT_PTR_NOT_NULL(h.fault);
    }
}

static void
head_pair_limit(void)
{
    for (size_t pairs = WIRE_PARAMS_MAX; pairs <= WIRE_PARAMS_MAX + 1; pairs++) {
        size_t content = pairs * 3, at = 16;
        unsigned char *p = calloc(1, 16 + 8 + content + 8);
        struct wire_head h;
        memcpy(p, BEGIN, 16);
        memcpy(p + at, "\1\4\0\1\0\0\0\0", 8);
        p[at + 4] = (unsigned char)(content >> 8);
        p[at + 5] = (unsigned char)content;
        at += 8;
        for (size_t i = 0; i < pairs; i++, at += 3)
            memcpy(p + at, "\1\0A", 3);
        memcpy(p + at, END, 8);
        CU_ASSERT_EQUAL(wire_head_check(p, at + 8, &h),
                        pairs > WIRE_PARAMS_MAX ? WIRE_HEAD_REFUSED : WIRE_HEAD_COMPLETE);
        free(p);
    }
}

static void
head_answers(void)
{
    unsigned char out[64];
    CU_ASSERT_EQUAL(wire_head_answer(0x102, "hi", 2, out, sizeof(out)), 34);
    CU_ASSERT_EQUAL(
        memcmp(out, "\1\6\1\2\0\2\0\0hi\1\6\1\2\0\0\0\0\1\3\1\2\0\10\0\0\0\0\0\0\0\0\0\0", 34), 0);
    CU_ASSERT_EQUAL(wire_head_answer(1, "hi", 2, out, 33), 0);
    CU_ASSERT_EQUAL(wire_head_answer(1, "hi", 70000, out, sizeof(out)), 0);
}

/* ---- parameters ---- */

#define PARAMS_MAX 32

/* The least that passes; each may be replaced (by name) or followed by more. */
static const char *const least[] = {"REQUEST_METHOD=GET", "DOCUMENT_URI=/api/v1/courses",
                                    "CONTENT_LENGTH=", "REQUEST_ID=abc-1.2_3", NULL};

static const char *
read_with(const char *const *extra, struct wire_request *ret_request)
{
    static char room[PARAMS_MAX][512];
    char *params[PARAMS_MAX + 1];
    size_t n = 0;

    for (const char *const *l = least; *l != NULL; l++) {
        size_t name = (size_t)(strchr(*l, '=') - *l) + 1;
        bool replaced = false;
        for (const char *const *e = extra; *e != NULL; e++)
            replaced = replaced || strncmp(*e, *l, name) == 0;
        if (!replaced)
            snprintf(room[n++], sizeof(room[0]), "%s", *l);
    }
    for (const char *const *e = extra; *e != NULL; e++)
        snprintf(room[n++], sizeof(room[0]), "%s", *e);
    for (size_t i = 0; i < n; i++)
        params[i] = room[i];
    params[n] = NULL;
    *ret_request = (struct wire_request){0};
    return wire_params_read(params, ret_request);
}

#define READ(r, ...) read_with((const char *const[]){__VA_ARGS__, NULL}, (r))

static void
params_taken(void)
{
    struct wire_request r;
    CU_ASSERT_PTR_NULL(READ(&r, "QUERY_STRING=a=1&b=%20", "REMOTE_ADDR=2001:db8::1",
                            "HTTP_COOKIE=a=b", "CONTENT_LENGTH=17", "CONTENT_TYPE=application/json",
                            "HTTP_ACCEPT=", "HTTP_UNKNOWN=x", "HTTP_X_REMOTE_ADDR=9.9.9.9"));
    CU_ASSERT_EQUAL(r.method, METHOD_GET);
    CU_ASSERT_TRUE(text_eq(r.path, TEXT("/api/v1/courses")));
    CU_ASSERT_TRUE(text_eq(r.query, TEXT("a=1&b=%20")));
    CU_ASSERT_TRUE(text_eq(r.request_id, TEXT("abc-1.2_3")));
    CU_ASSERT_TRUE(text_eq(r.address, TEXT("2001:db8::1")));
    CU_ASSERT_EQUAL(r.content_length, 17);
    CU_ASSERT_TRUE(text_eq(r.header[HDR_COOKIE], TEXT("a=b")));
    CU_ASSERT_TRUE(text_eq(r.header[HDR_CONTENT_TYPE], TEXT("application/json")));
    CU_ASSERT_TRUE(text_eq(r.header[HDR_ACCEPT], TEXT("")));
    CU_ASSERT_PTR_NULL(r.header[HDR_AUTHORIZATION].p);
    CU_ASSERT_PTR_NULL(READ(&r, "X=1"));
    CU_ASSERT_EQUAL(r.content_length, 0);
    CU_ASSERT_TRUE(text_eq(r.query, TEXT("")));
    CU_ASSERT_TRUE(text_eq(r.address, TEXT("")));
    CU_ASSERT_PTR_NULL(READ(&r, "DOCUMENT_URI=/\xc3\xa4/\xe2\x82\xac", "REMOTE_ADDR=127.0.0.1"));
    CU_ASSERT_PTR_NULL(READ(&r, "REMOTE_ADDR=unix:"));
    CU_ASSERT_PTR_NULL(READ(&r, "HTTP_USER_AGENT=caf\xe9\tx")); /* obs-text is nobody's fault */
}

static void
params_methods(void)
{
    struct wire_request r;
    CU_ASSERT_PTR_NULL(READ(&r, "REQUEST_METHOD=DELETE"));
    CU_ASSERT_EQUAL(r.method, METHOD_DELETE);
    CU_ASSERT_PTR_NULL(READ(&r, "REQUEST_METHOD=get"));
    CU_ASSERT_EQUAL(r.method, METHOD_OTHER);
    CU_ASSERT_PTR_NULL(READ(&r, "REQUEST_METHOD=OTHER"));
    CU_ASSERT_EQUAL(r.method, METHOD_OTHER);
    CU_ASSERT_PTR_NULL(READ(&r, "REQUEST_METHOD=NONE"));
    CU_ASSERT_EQUAL(r.method, METHOD_OTHER);
    CU_ASSERT_STRING_EQUAL(wire_method_name(METHOD_PATCH), "PATCH");
    CU_ASSERT_STRING_EQUAL(wire_method_name(METHOD_OTHER), "OTHER");
}

static void
params_repeated(void)
{
    struct wire_request r;
    CU_ASSERT_PTR_NULL(READ(&r, "REMOTE_ADDR=10.0.0.1", "REMOTE_ADDR=10.0.0.2"));
    CU_ASSERT_TRUE(text_eq(r.address, TEXT("10.0.0.1")));
    CU_ASSERT_PTR_NULL(READ(&r, "HTTP_ACCEPT=a", "HTTP_ACCEPT=b"));
    CU_ASSERT_TRUE(text_eq(r.header[HDR_ACCEPT], TEXT("a")));
    static const char *const single[] = {
        "HTTP_AUTHORIZATION", "CONTENT_TYPE",         "HTTP_COOKIE",         "HTTP_X_CSRF_TOKEN",
        "HTTP_HOST",          "HTTP_IDEMPOTENCY_KEY", "HTTP_IF_MATCH",       "HTTP_IF_NONE_MATCH",
        "HTTP_ORIGIN",        "HTTP_REFERER",         "HTTP_SEC_FETCH_SITE", "HTTP_X_SERVICE_TOKEN",
        "HTTP_CONTENT_TYPE"};
    for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++) {
        char a[64], b[64];
        snprintf(a, sizeof(a), "%s=x", single[i]);
        snprintf(b, sizeof(b), "%s=", single[i]);
        CU_ASSERT_PTR_NULL(READ(&r, a));
        CU_ASSERT_PTR_NOT_NULL(READ(&r, a, a));
        CU_ASSERT_PTR_NOT_NULL(READ(&r, b, a));
        CU_ASSERT_PTR_NOT_NULL(READ(&r, a, "HTTP_ACCEPT=y", b));
    }
}

static void
params_refused(void)
{
    static const char *const bad[] = {
        "REQUEST_METHOD=",
        "DOCUMENT_URI=",
        "DOCUMENT_URI=api",
        "DOCUMENT_URI=/a\nb",
        "DOCUMENT_URI=/\x7f",
        "DOCUMENT_URI=/\x1f",
        "DOCUMENT_URI=/\xff",
        "DOCUMENT_URI=/\xc0\xaf",
        "DOCUMENT_URI=/\xc2\x85",
        "DOCUMENT_URI=/\xed\xa0\x80",
        "DOCUMENT_URI=/\xc3",
        "CONTENT_LENGTH=-1",
        "CONTENT_LENGTH=+1",
        "CONTENT_LENGTH= 1",
        "CONTENT_LENGTH=1 ",
        "CONTENT_LENGTH=0x10",
        "CONTENT_LENGTH=1.5",
        "CONTENT_LENGTH=1e3",
        "CONTENT_LENGTH=99999999999999999999",
        "CONTENT_LENGTH=18446744073709551616",
        "CONTENT_LENGTH=1,1",
        "REQUEST_ID=",
        "REQUEST_ID=a b",
        "REQUEST_ID=a/b",
        "REQUEST_ID=\xc3\xa4",
        "REQUEST_ID=a\n",
        "REMOTE_ADDR=",
        "REMOTE_ADDR=localhost",
        "REMOTE_ADDR=1.2.3",
        "REMOTE_ADDR=1.2.3.4, 5.6.7.8",
        "REMOTE_ADDR=::g",
        "REMOTE_ADDR=1.2.3.4:80",
        "HTTP_COOKIE=a\x01",
        "HTTP_AUTHORIZATION=a\r\nb",
        "HTTP_USER_AGENT=\x7f",
        "NOVALUE",
    };
    struct wire_request r;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *fault = READ(&r, bad[i]);
        if (fault == NULL)
            printf("\n  passed: %s", bad[i]);
        CU_ASSERT_PTR_NOT_NULL(fault);
    }
    char id[200] = "REQUEST_ID=";
    memset(id + 11, 'a', 128);
    CU_ASSERT_PTR_NULL(READ(&r, id));
    id[11 + 128] = 'a';
    CU_ASSERT_PTR_NOT_NULL(READ(&r, id));
}

static void
params_missing(void)
{
    for (size_t gone = 0; gone < 4; gone++) {
        char room[4][64];
        char *params[5] = {NULL};
        size_t n = 0;
        struct wire_request r = {0};
        for (size_t i = 0; i < 4; i++) {
            if (i == gone)
                continue;
            snprintf(room[n], sizeof(room[n]), "%s", least[i]);
            params[n] = room[n];
            n++;
        }
        CU_ASSERT_PTR_NOT_NULL(wire_params_read(params, &r));
    }
}

int
main(void)
{
    static const struct unit_case cases[] = {
        {"head: complete", head_complete},          {"head: whole", head_whole},
        {"head: grows byte by byte", head_grows},   {"head: refused", head_refused},
        {"head: number of pairs", head_pair_limit}, {"head: answer records", head_answers},
        {"parameters: taken", params_taken},        {"parameters: methods", params_methods},
        {"parameters: repeated", params_repeated},  {"parameters: refused", params_refused},
        {"parameters: missing", params_missing},    {NULL, NULL},
    };
    return unit_main("wire: head and parameters", cases);
}
