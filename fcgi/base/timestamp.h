/* Points in time: RFC 3339 in UTC with milliseconds on the wire. */
#ifndef LECTERN_BASE_TIMESTAMP_H
#define LECTERN_BASE_TIMESTAMP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

/* Microseconds since 1970-01-01T00:00:00Z. */
struct timestamp {
    int64_t us;
};

#define TIMESTAMP_TEXT_LEN 24 /* 2026-01-31T12:34:56.789Z */

/* RFC 3339 date-time with any offset and 0 to 9 fraction digits, years 1970 to 9999,
 * real calendar days only; 60 as seconds is refused. */
bool timestamp_parse(struct text t, struct timestamp *ret_time);
void timestamp_format(struct timestamp t, char ret_text[TIMESTAMP_TEXT_LEN + 1]);
/* IMF-fixdate of RFC 9110 ("Sun, 06 Nov 1994 08:49:37 GMT"), 29 bytes and NUL. */
void timestamp_http(struct timestamp t, char ret_text[30]);

struct timestamp timestamp_now(void); /* CLOCK_REALTIME */
int64_t clock_ms(void); /* CLOCK_BOOTTIME, milliseconds: the same for all processes of a host */
int64_t clock_us(void); /* CLOCK_MONOTONIC, microseconds: for durations */

#endif
