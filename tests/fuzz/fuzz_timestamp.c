/* Any bytes as an RFC 3339 date and time. */
#include "fuzz.h"

#include <string.h>
#include <time.h>

#include "base/timestamp.h"

#define SECOND INT64_C(1000000)
#define LAST INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

/* The same day and clock by the C library. */
static void
check_calendar(struct timestamp t, const char *text)
{
    time_t seconds = (time_t)(t.us / SECOND);
    struct tm tm;
    char other[32];

    fuzz_require(gmtime_r(&seconds, &tm) != NULL);
    fuzz_require(strftime(other, sizeof other, "%Y-%m-%dT%H:%M:%S", &tm) == 19);
    fuzz_require(memcmp(other, text, 19) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text t = {(const char *)data, size};
    char text[TIMESTAMP_TEXT_LEN + 1], http[30];
    struct timestamp at, back;

    if (!timestamp_parse(t, &at))
        return 0;
    fuzz_require(size >= 20 && size <= 35 && data[4] == '-' && data[13] == ':');
    fuzz_require(at.us >= 0 && at.us < (LAST + 1) * SECOND);
    timestamp_format(at, text);
    fuzz_require(strlen(text) == TIMESTAMP_TEXT_LEN && text[10] == 'T' && text[23] == 'Z');
    check_calendar(at, text);
    fuzz_require(timestamp_parse(text_of(text), &back));
    fuzz_require(back.us == at.us - at.us % 1000);
    timestamp_http(at, http);
    fuzz_require(strlen(http) == 29 && memcmp(http + 12, text, 4) == 0);
    return 0;
}
