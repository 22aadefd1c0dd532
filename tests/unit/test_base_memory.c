#include "unit.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/oom.h"

static char order[16];

static void
note(void *object)
{
    size_t n = strlen(order);

    order[n] = *(char *)object;
    order[n + 1] = '\0';
}

static void
test_arena(void)
{
    struct arena *a = arena_new(1024 * 1024);
    unsigned char *p = arena_alloc(a, 3);
    unsigned char *q = arena_alloc(a, 70000);
    unsigned char *large = arena_alloc(a, 300000);
    unsigned char *again;

    CU_ASSERT_EQUAL((uintptr_t)p % 16, 0);
    CU_ASSERT_EQUAL((uintptr_t)q % 16, 0);
    CU_ASSERT_EQUAL((uintptr_t)large % 16, 0);
    CU_ASSERT_PTR_NOT_NULL(arena_alloc(a, 0));
    for (size_t i = 0; i < 300000; i++)
        CU_ASSERT_EQUAL_FATAL(large[i], 0);
    memset(p, 0xff, 3);
    memset(q, 0xff, 70000);
    memset(large, 0xff, 300000);
    CU_ASSERT_TRUE(arena_used(a) >= 370003);
    arena_reset(a);
    CU_ASSERT_EQUAL(arena_used(a), 0);
    again = arena_alloc(a, 4096);
    CU_ASSERT_PTR_EQUAL(again, p); /* the first chunk is kept */
    for (size_t i = 0; i < 4096; i++)
        CU_ASSERT_EQUAL_FATAL(again[i], 0);
    arena_free(a);
    arena_free(NULL);
}

static void
test_arena_texts(void)
{
    struct arena *a = arena_new(100000);
    struct text t = arena_text(a, TEXT("a\0b"));

    CU_ASSERT_TRUE(text_eq(t, TEXT("a\0b")));
    CU_ASSERT_EQUAL(t.p[3], '\0');
    CU_ASSERT_PTR_NULL(arena_text(a, TEXT_NULL).p);
    CU_ASSERT_PTR_NOT_NULL(arena_text(a, TEXT("")).p);
    t = arena_printf(a, "%s-%d", "x", 42);
    CU_ASSERT_TRUE(text_eq(t, TEXT("x-42")));
    CU_ASSERT_EQUAL(t.p[t.len], '\0');
    arena_free(a);
}

static void
test_arena_deferred(void)
{
    struct arena *a = arena_new(100000);
    char one = '1', two = '2', three = '3';

    arena_defer(a, note, &one);
    arena_defer(a, note, &two);
    arena_reset(a);
    CU_ASSERT_STRING_EQUAL(order, "21");
    arena_reset(a);
    CU_ASSERT_STRING_EQUAL(order, "21");
    arena_defer(a, note, &three);
    arena_free(a);
    CU_ASSERT_STRING_EQUAL(order, "213");
}

static void
take_too_much(void)
{
    struct arena *a = arena_new(10000);

    (void)arena_alloc(a, 6000);
    (void)arena_alloc(a, 6000);
}

static void
take_too_much_at_once(void)
{
    (void)arena_alloc(arena_new(10000), SIZE_MAX - 8);
}

static void
take_an_overflowing_array(void)
{
    (void)arena_array(arena_new(10000), SIZE_MAX / 4 + 2, 4);
}

/* The exit status of a child that does something. */
static int
status_of(void (*act)(void))
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        close(STDERR_FILENO);
        act();
        _exit(0);
    }
    CU_ASSERT_EQUAL_FATAL(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
test_arena_bounds(void)
{
    CU_ASSERT_EQUAL(status_of(take_too_much), EXIT_NO_MEMORY);
    CU_ASSERT_EQUAL(status_of(take_too_much_at_once), EXIT_NO_MEMORY);
    CU_ASSERT_EQUAL(status_of(take_an_overflowing_array), EXIT_NO_MEMORY);
}

static void
test_buf(void)
{
    struct buf b;

    buf_init(&b, 2, 100);
    buf_z(&b, "ab");
    buf_char(&b, 'c');
    buf_text(&b, TEXT_NULL);
    buf_z(&b, NULL);
    buf_printf(&b, "%03d", 7);
    buf_int(&b, INT64_MIN);
    buf_char(&b, ' ');
    buf_uint(&b, UINT64_MAX);
    buf_int(&b, 0);
    CU_ASSERT_TRUE(
        text_eq(buf_as_text(&b), TEXT("abc007-9223372036854775808 184467440737095516150")));
    CU_ASSERT_FALSE(b.overflow);
    buf_free(&b);
    CU_ASSERT_EQUAL(buf_as_text(&b).len, 0);
}

static void
test_buf_bounds(void)
{
    struct buf b;
    char ten[10] = "0123456789";

    buf_init(&b, 1000, 25);
    CU_ASSERT_EQUAL(b.cap, 25);
    buf_add(&b, ten, 10);
    buf_add(&b, ten, 10);
    CU_ASSERT_PTR_NOT_NULL(buf_reserve(&b, 5));
    CU_ASSERT_PTR_NULL(buf_reserve(&b, 6));
    CU_ASSERT_TRUE(b.overflow);
    buf_char(&b, 'x'); /* would fit, but something is missing already */
    buf_printf(&b, "%d", 1);
    CU_ASSERT_EQUAL(b.len, 20);
    CU_ASSERT_PTR_NULL(buf_reserve(&b, 1));
    buf_reset(&b);
    CU_ASSERT_FALSE(b.overflow);
    buf_printf(&b, "%s", "0123456789012345678901234");
    CU_ASSERT_EQUAL(b.len, 25);
    buf_printf(&b, "%s", "x");
    CU_ASSERT_TRUE(b.overflow);
    buf_reset(&b);
    CU_ASSERT_PTR_NULL(buf_reserve(&b, SIZE_MAX));
    buf_free(&b);
}

static void
test_buf_growth(void)
{
    struct buf b;

    buf_init(&b, 16, 1000000);
    for (int i = 0; i < 100000; i++)
        buf_add(&b, "0123456789", 10);
    CU_ASSERT_FALSE(b.overflow);
    CU_ASSERT_EQUAL(b.len, 1000000);
    CU_ASSERT_EQUAL(b.cap, 1000000);
    CU_ASSERT_EQUAL(b.p[999999], '9');
    buf_char(&b, 'x');
    CU_ASSERT_TRUE(b.overflow);
    buf_reset(&b);
    CU_ASSERT_EQUAL(b.cap, 65536);
    buf_free(&b);
}

int
main(void)
{
    static const struct unit_case cases[] = {
        {"arena", test_arena},
        {"arena: texts", test_arena_texts},
        {"arena: deferred releases", test_arena_deferred},
        {"arena: bounds end the process", test_arena_bounds},
        {"buffer", test_buf},
        {"buffer: bounds", test_buf_bounds},
        {"buffer: growth", test_buf_growth},
        {NULL, NULL},
    };

    return unit_main("base memory", cases);
}
