#include "base/timestamp.h"

#include <string.h>
#include <time.h>

#define SECOND INT64_C(1000000)
#define DAY (86400 * SECOND)
/* 0000-01-01T00:00:00Z and the last microsecond of 9999: what four digits of year can say. */
#define FIRST_US (-719528 * DAY)
#define LAST_US (2932897 * DAY - 1)

struct civil {
    int year, month, day; /* month and day from 1 */
};

/* Days since 1970-01-01 in the proleptic Gregorian calendar. The year is counted from March, so
 * that the leap day is the last of it. */
static int64_t
days_from_civil(struct civil c)
{
    int64_t year = c.month <= 2 ? c.year - 1 : c.year;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (c.month > 2 ? c.month - 3 : c.month + 9) + 2) / 5 + c.day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static struct civil
civil_from_days(int64_t days)
{
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t day_of_era = shifted - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    struct civil c;

    c.day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
    c.month = (int)(month < 10 ? month + 3 : month - 9);
    c.year = (int)(year_of_era + era * 400 + (c.month <= 2 ? 1 : 0));
    return c;
}

static int
days_in_month(int year, int month)
{
    static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

/* Takes exactly n digits off the front, a number within the bounds. */
static bool
take_number(struct text *t, size_t n, int min, int max, int *ret_value)
{
    int value = 0;

    if (t->len < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (t->p[i] < '0' || t->p[i] > '9')
            return false;
        value = value * 10 + (t->p[i] - '0');
    }
    t->p += n;
    t->len -= n;
    *ret_value = value;
    return value >= min && value <= max;
}

static bool
take_char(struct text *t, char c)
{
    if (t->len == 0 || t->p[0] != c)
        return false;
    t->p++;
    t->len--;
    return true;
}

static bool
take_date(struct text *t, struct civil *ret_date)
{
    struct civil *c = ret_date;

    return take_number(t, 4, 1970, 9999, &c->year) && take_char(t, '-') &&
           take_number(t, 2, 1, 12, &c->month) && take_char(t, '-') &&
           take_number(t, 2, 1, days_in_month(c->year, c->month), &c->day);
}

/* An optional '.' and one to nine digits; what is finer than a microsecond is cut. */
static bool
take_fraction(struct text *t, int64_t *ret_us)
{
    int64_t us = 0;
    int64_t unit = SECOND / 10;
    size_t digits = 0;

    *ret_us = 0;
    if (!take_char(t, '.'))
        return true;
    for (; t->len > 0 && t->p[0] >= '0' && t->p[0] <= '9'; t->p++, t->len--) {
        us += (t->p[0] - '0') * unit;
        unit /= 10;
        digits++;
    }
    *ret_us = us;
    return digits >= 1 && digits <= 9;
}

static bool
take_time(struct text *t, int64_t *ret_us)
{
    int hour, minute, second;
    int64_t fraction;

    if (!take_number(t, 2, 0, 23, &hour) || !take_char(t, ':') ||
        !take_number(t, 2, 0, 59, &minute) || !take_char(t, ':') ||
        !take_number(t, 2, 0, 59, &second) || !take_fraction(t, &fraction))
        return false;
    *ret_us = (hour * 3600 + minute * 60 + second) * SECOND + fraction;
    return true;
}

/* "Z" or "+hh:mm"; how far the local time is ahead of UTC. */
static bool
take_offset(struct text *t, int64_t *ret_us)
{
    int hour, minute;
    bool behind = t->len > 0 && t->p[0] == '-';

    *ret_us = 0;
    if (take_char(t, 'Z') || take_char(t, 'z'))
        return true;
    if (!take_char(t, '+') && !take_char(t, '-'))
        return false;
    if (!take_number(t, 2, 0, 23, &hour) || !take_char(t, ':') ||
        !take_number(t, 2, 0, 59, &minute))
        return false;
    *ret_us = (behind ? -SECOND : SECOND) * (hour * 3600 + minute * 60);
    return true;
}

bool
timestamp_parse(struct text t, struct timestamp *ret_time)
{
    struct civil date;
    int64_t time_of_day, offset, us;

    if (!take_date(&t, &date) || !(take_char(&t, 'T') || take_char(&t, 't')) ||
        !take_time(&t, &time_of_day) || !take_offset(&t, &offset) || t.len != 0)
        return false;
    us = days_from_civil(date) * DAY + time_of_day - offset;
    /* An offset can lead out of the years that are served. */
    if (us < 0 || us > LAST_US)
        return false;
    ret_time->us = us;
    return true;
}

static void
put_number(char *to, size_t n, int value)
{
    while (n-- > 0) {
        to[n] = (char)('0' + value % 10);
        value /= 10;
    }
}

static const char two_digits[] = "00010203040506070809101112131415161718192021222324"
                                 "25262728293031323334353637383940414243444546474849"
                                 "50515253545556575859606162636465666768697071727374"
                                 "75767778798081828384858687888990919293949596979899";

static void
put_two(char *to, int value)
{
    memcpy(to, two_digits + (size_t)2 * (size_t)value, 2);
}

/* The calendar day, and microseconds into it. */
static void
split(struct timestamp t, int64_t *ret_days, int64_t *ret_us)
{
    int64_t us = t.us < FIRST_US ? FIRST_US : t.us > LAST_US ? LAST_US : t.us;
    int64_t days = us / DAY;

    if (us % DAY < 0)
        days--;
    *ret_days = days;
    *ret_us = us - days * DAY;
}

static void
put_clock(char *to, int64_t us)
{
    int second = (int)(us / SECOND);

    put_two(to, second / 3600);
    to[2] = ':';
    put_two(to + 3, second / 60 % 60);
    to[5] = ':';
    put_two(to + 6, second % 60);
}

/* Rows of one answer mostly share a few days: the date that was written last is kept. */
static void
put_date(char *to, int64_t days)
{
    static int64_t last_days = INT64_MIN;
    static char last[10];

    if (days != last_days) {
        struct civil c = civil_from_days(days);
        put_number(last, 4, c.year);
        last[4] = last[7] = '-';
        put_number(last + 5, 2, c.month);
        put_number(last + 8, 2, c.day);
        last_days = days;
    }
    memcpy(to, last, sizeof last);
}

void
timestamp_format(struct timestamp t, char ret_text[TIMESTAMP_TEXT_LEN + 1])
{
    int64_t days, us;

    split(t, &days, &us);
    put_date(ret_text, days);
    ret_text[10] = 'T';
    put_clock(ret_text + 11, us);
    ret_text[19] = '.';
    put_number(ret_text + 20, 3, (int)(us % SECOND / 1000));
    ret_text[23] = 'Z';
    ret_text[24] = '\0';
}

void
timestamp_http(struct timestamp t, char ret_text[30])
{
    static const char weekdays[] = "ThuFriSatSunMonTueWed"; /* 1970-01-01 was a Thursday */
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t days, us;

    split(t, &days, &us);
    struct civil c = civil_from_days(days);
    memcpy(ret_text, "Www, 00 Mmm 0000 00:00:00 GMT", 30);
    memcpy(ret_text, weekdays + 3 * ((days % 7 + 7) % 7), 3);
    put_number(ret_text + 5, 2, c.day);
    memcpy(ret_text + 8, months + (size_t)3 * (size_t)(c.month - 1), 3);
    put_number(ret_text + 12, 4, c.year);
    put_clock(ret_text + 17, us);
}

static int64_t
clock_read_us(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * SECOND + now.tv_nsec / 1000;
}

struct timestamp
timestamp_now(void)
{
    return (struct timestamp){clock_read_us(CLOCK_REALTIME)};
}

int64_t
clock_ms(void)
{
    return clock_read_us(CLOCK_BOOTTIME) / 1000;
}

int64_t
clock_us(void)
{
    return clock_read_us(CLOCK_MONOTONIC);
}
