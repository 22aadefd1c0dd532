#include "unit.h"

#include <string.h>
#include <time.h>

#include "base/timestamp.h"
#include "base/uuid.h"

static int64_t
parsed(const char *z)
{
    struct timestamp t = {-1};

    return timestamp_parse(text_of(z), &t) ? t.us : -1;
}

static void
test_parse(void)
{
    CU_ASSERT_EQUAL(parsed("1970-01-01T00:00:00Z"), 0);
    CU_ASSERT_EQUAL(parsed("2001-09-09T01:46:40Z"), INT64_C(1000000000) * 1000000);
    CU_ASSERT_EQUAL(parsed("2024-02-29T12:00:00Z"), INT64_C(1709208000) * 1000000);
    CU_ASSERT_EQUAL(parsed("2000-02-29T00:00:00z"), INT64_C(951782400) * 1000000);
    CU_ASSERT_EQUAL(parsed("9999-12-31T23:59:59.999999999Z"), INT64_C(253402300799999999));
    CU_ASSERT_EQUAL(parsed("1970-01-01t00:00:00.5Z"), 500000);
    CU_ASSERT_EQUAL(parsed("1970-01-01T00:00:00.000001Z"), 1);
    CU_ASSERT_EQUAL(parsed("1970-01-01T00:00:00.0000019Z"), 1);
    CU_ASSERT_EQUAL(parsed("1970-01-01T05:30:00+05:30"), 0);
    CU_ASSERT_EQUAL(parsed("1970-01-01T00:00:00-23:59"), INT64_C(86340) * 1000000);
    CU_ASSERT_EQUAL(parsed("1970-01-01T00:00:01-00:00"), 1000000);
    CU_ASSERT_EQUAL(parsed("2026-03-01T00:30:00+01:00"), parsed("2026-02-28T23:30:00Z"));
}

static void
test_parse_bad(void)
{
    static const char *const bad[] = {
        "",
        "2024",
        "2024-01-01",
        "2024-01-01T00:00Z",
        "2024-01-01T00:00:00",
        "2024-01-01 00:00:00Z",
        "2024-01-01T00:00:00 Z",
        " 2024-01-01T00:00:00Z",
        "2024-01-01T00:00:00Z ",
        "2024-01-01T00:00:00ZZ",
        "2024-1-01T00:00:00Z",
        "24-01-01T00:00:00Z",
        "+2024-01-01T00:00:00Z",
        "20240101T000000Z",
        "2023-02-29T00:00:00Z", /* no leap year */
        "2100-02-29T00:00:00Z", /* nor this one */
        "2024-02-30T00:00:00Z",
        "2024-04-31T00:00:00Z",
        "2024-13-01T00:00:00Z",
        "2024-00-01T00:00:00Z",
        "2024-01-00T00:00:00Z",
        "2024-01-32T00:00:00Z",
        "2024-01-01T24:00:00Z",
        "2024-01-01T00:60:00Z",
        "2016-12-31T23:59:60Z", /* a real leap second */
        "2024-01-01T00:00:00.Z",
        "2024-01-01T00:00:00,5Z",
        "2024-01-01T00:00:00.1234567890Z",
        "2024-01-01T00:00:00+24:00",
        "2024-01-01T00:00:00+01:60",
        "2024-01-01T00:00:00+0100",
        "2024-01-01T00:00:00+1:00",
        "2024-01-01T00:00:00+",
        "2024-01-01T00:00:00+01:00x",
        "1969-12-31T23:59:59Z",
        "0000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "1970-01-01T00:00:00+00:01", /* in UTC it is 1969 */
        "9999-12-31T23:59:59-00:01", /* in UTC it is 10000 */
        "2024-01-01T-1:00:00Z",
        "2024-01-01T00:00:-1Z",
        "2O24-01-01T00:00:00Z",
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct timestamp t;
        if (timestamp_parse(text_of(bad[i]), &t))
            CU_FAIL(bad[i]);
    }
    CU_ASSERT_EQUAL(parsed(NULL), -1);
    CU_ASSERT_EQUAL(parsed("2024-01-01T00:00:00\0Z"), -1);
}

static const char *
formatted(int64_t us)
{
    static char z[TIMESTAMP_TEXT_LEN + 1];

    timestamp_format((struct timestamp){us}, z);
    return z;
}

static void
test_format(void)
{
    CU_ASSERT_STRING_EQUAL(formatted(0), "1970-01-01T00:00:00.000Z");
    CU_ASSERT_STRING_EQUAL(formatted(1999), "1970-01-01T00:00:00.001Z");
    CU_ASSERT_STRING_EQUAL(formatted(-1), "1969-12-31T23:59:59.999Z");
    CU_ASSERT_STRING_EQUAL(formatted(INT64_C(951782399999999)), "2000-02-28T23:59:59.999Z");
    CU_ASSERT_STRING_EQUAL(formatted(INT64_C(951782400000000)), "2000-02-29T00:00:00.000Z");
    CU_ASSERT_STRING_EQUAL(formatted(INT64_MAX), "9999-12-31T23:59:59.999Z");
    CU_ASSERT_STRING_EQUAL(formatted(INT64_MIN), "0000-01-01T00:00:00.000Z");
}

/* Against the C library, a day and some at a time over all years that can be parsed. */
static void
test_calendar(void)
{
    for (int64_t s = 0; s < INT64_C(253402300799); s += 86400 * 29 + 12347) {
        time_t seconds = (time_t)s;
        struct tm tm;
        char expected[80];
        char http[30];
        gmtime_r(&seconds, &tm);
        strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S.000Z", &tm);
        CU_ASSERT_STRING_EQUAL_FATAL(formatted(s * 1000000), expected);
        CU_ASSERT_EQUAL_FATAL(parsed(expected), s * 1000000);
        strftime(expected, sizeof expected, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        timestamp_http((struct timestamp){s * 1000000}, http);
        CU_ASSERT_STRING_EQUAL_FATAL(http, expected);
    }
}

static void
test_clocks(void)
{
    int64_t ms = clock_ms();
    int64_t us = clock_us();

    CU_ASSERT_TRUE(ms > 0 && us > 0);
    CU_ASSERT_TRUE(clock_ms() >= ms && clock_us() >= us);
    CU_ASSERT_TRUE(timestamp_now().us / 1000000 - (int64_t)time(NULL) <= 1);
}

/* --- uuid ---------------------------------------------------------------------------------- */

static void
test_uuid_text(void)
{
    struct uuid u = {{0xaa}};
    char z[UUID_TEXT_LEN + 1];

    CU_ASSERT_TRUE_FATAL(uuid_parse(TEXT("01890A5D-ac96-774b-bcce-b302099a8057"), &u));
    uuid_format(&u, z);
    CU_ASSERT_STRING_EQUAL(z, "01890a5d-ac96-774b-bcce-b302099a8057");
    CU_ASSERT_FALSE(uuid_is_nil(&u));
    CU_ASSERT_TRUE_FATAL(uuid_parse(TEXT("00000000-0000-0000-0000-000000000000"), &u));
    CU_ASSERT_TRUE(uuid_is_nil(&u));
}

static void
test_uuid_bad(void)
{
    static const char *const bad[] = {
        "",
        "01890a5d-ac96-774b-bcce-b302099a805",
        "01890a5d-ac96-774b-bcce-b302099a80570",
        "01890a5dac96774bbcceb302099a8057",
        "{01890a5d-ac96-774b-bcce-b302099a805}",
        "01890a5d-ac96-774b-bcce-b302099a805g",
        "01890a5d-ac96-774b-bcce-b302099a805 ",
        "01890a5d-ac96-774b-bcceb-302099a8057",
        "01890a5d_ac96-774b-bcce-b302099a8057",
        "-1890a5d-ac96-774b-bcce-b302099a8057",
        "0x890a5d-ac96-774b-bcce-b302099a8057",
        "urn:uuid:01890a5d-ac96-774b-bcce-b30",
        "01890a5d-ac96-774b-bcce-b302099a80\xc3\xa9",
    };
    struct uuid u = {{0xaa}};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_FALSE(uuid_parse(text_of(bad[i]), &u));
    CU_ASSERT_FALSE(uuid_parse(TEXT_NULL, &u));
    CU_ASSERT_EQUAL(u.b[0], 0xaa);
}

static void
test_uuid_order(void)
{
    struct uuid last = uuid_v7();
    int64_t now_ms = timestamp_now().us / 1000;
    int64_t made_ms = 0;

    for (int i = 0; i < 6; i++)
        made_ms = made_ms << 8 | last.b[i];
    CU_ASSERT_TRUE(made_ms >= now_ms - 1000 && made_ms <= now_ms);
    /* Far more than fit into one millisecond's counter. */
    for (int i = 0; i < 200000; i++) {
        struct uuid next = uuid_v7();
        CU_ASSERT_TRUE_FATAL(memcmp(last.b, next.b, sizeof last.b) < 0);
        CU_ASSERT_EQUAL_FATAL(next.b[6] >> 4, 7);
        CU_ASSERT_EQUAL_FATAL(next.b[8] >> 6, 2);
        CU_ASSERT_FALSE_FATAL(uuid_eq(&last, &next));
        last = next;
    }
    CU_ASSERT_TRUE(uuid_eq(&last, &last));
}

int
main(void)
{
    static const struct unit_case cases[] = {
        {"timestamps: good", test_parse},
        {"timestamps: bad", test_parse_bad},
        {"timestamps: written", test_format},
        {"timestamps: calendar", test_calendar},
        {"clocks", test_clocks},
        {"uuid: text", test_uuid_text},
        {"uuid: bad", test_uuid_bad},
        {"uuid: order", test_uuid_order},
        {NULL, NULL},
    };

    return unit_main("base time and uuid", cases);
}
