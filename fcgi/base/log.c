#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/settings.h"
#include "base/timestamp.h"
#include "base/uuid.h"

#define LINE_MAX_BYTES 4096
#define VALUE_MAX_BYTES 1024
/* `,"truncated":true}` and the newline always fit behind the fields. */
#define TAIL_BYTES 24
#define PATIENCE_MS 100
#define PENDING_MAX 8192
#define SEEN_SLOTS 64
#define SEEN_NAME_MAX 24

static const char *const level_names[] = {"debug", "info", "warn", "error"};

/* Never shown, whoever logs them: the name itself, or the last word of the name. */
#define WORD(literal)                  \
    {                                  \
        (literal), sizeof(literal) - 1 \
    }
static const struct text secret_words[] = {
    WORD("password"), WORD("token"), WORD("secret"), WORD("cookie"), WORD("authorization"),
    WORD("email"),    WORD("body"),  WORD("dsn"),    WORD("passwd"), WORD("jwt"),
    WORD("csrf"),     WORD("otp"),   WORD("pem"),    WORD("keyset"),
};
/* The name alone, because as a last word it is harmless ("route_name"). */
static const struct text secret_names[] = {
    WORD("name"),       WORD("query"),        WORD("message_text"),      WORD("object_key"),
    WORD("user_agent"), WORD("database_url"), WORD("jobs_database_url"),
};

static struct {
    enum log_level level;
    char service[64];
    char redacted[2048]; /* comma-separated, besides the words above */
} config = {LOG_L_INFO, "lectern", ""};

struct log_pending {
    size_t len;
    char bytes[PENDING_MAX + LINE_MAX_BYTES];
};

static struct log_pending *pending; /* NULL: each line is written at once */
static bool stuck;                  /* the last line could not be written */
static int64_t lost;                /* lines since the last one that was */
static bool lost_told;              /* by a line that waits */
static pid_t own_pid;

/* Where lines go. Not to wait is a property of an opened pipe, which others share with us and
 * expect to wait for: it is opened a second time. */
static struct {
    int fd;
    enum { SINK_WAITS, SINK_FILE, SINK_PIPE, SINK_SOCKET } kind;
} sink = {STDERR_FILENO, SINK_WAITS};

/* Which names are redacted, as found out before. By the name's text: its address alone could come
 * again with another text. */
static struct {
    char name[SEEN_NAME_MAX];
    bool redacted;
} seen[SEEN_SLOTS];

static void
copy_bounded(char *to, size_t size, struct text from)
{
    size_t n = from.len < size ? from.len : size - 1;

    if (n > 0)
        memcpy(to, from.p, n);
    to[n] = '\0';
}

/* A pipe of another user, as a service gets it that has changed its own, cannot be opened again. A
 * service then makes the one it has not wait. */
static void
sink_open_pipe(bool service)
{
    int own = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    int flags = fcntl(STDERR_FILENO, F_GETFL);

    if (own >= 0)
        sink.fd = own;
    else if (!service || flags < 0 || fcntl(STDERR_FILENO, F_SETFL, flags | O_NONBLOCK) != 0)
        return;
    sink.kind = SINK_PIPE;
}

static void
sink_open(bool service)
{
    struct stat target;

    if (sink.fd != STDERR_FILENO)
        close(sink.fd);
    sink.fd = STDERR_FILENO;
    sink.kind = SINK_WAITS;
    if (fstat(STDERR_FILENO, &target) != 0)
        return;
    if (S_ISREG(target.st_mode))
        sink.kind = SINK_FILE;
    if (S_ISSOCK(target.st_mode))
        sink.kind = SINK_SOCKET;
    if (S_ISFIFO(target.st_mode))
        sink_open_pipe(service);
}

void
log_configure(bool service)
{
    struct text level = setting_text(S_LOG_LEVEL);

    memset(seen, 0, sizeof seen);
    own_pid = getpid();
    sink_open(service);
    for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++) {
        if (text_eq(level, text_of(level_names[i])))
            config.level = (enum log_level)i;
    }
    copy_bounded(config.service, sizeof config.service, setting_text(S_LOG_SERVICE_NAME));
    copy_bounded(config.redacted, sizeof config.redacted, setting_text(S_LOG_REDACTED_FIELDS));
}

bool
log_enabled(enum log_level level)
{
    return level >= config.level;
}

static bool
is_last_word(struct text name, struct text word)
{
    struct text tail;

    /* All letters of the words are small; most names end before the rest is looked at. */
    if (name.len == 0 || (name.p[name.len - 1] | 0x20) != word.p[word.len - 1])
        return false;
    if (name.len <= word.len)
        return text_eq_nocase(name, word);
    tail = (struct text){name.p + name.len - word.len, word.len};
    return name.p[name.len - word.len - 1] == '_' && text_eq_nocase(tail, word);
}

static bool
is_redacted_name(const char *field)
{
    struct text name = text_of(field);
    struct text rest = text_of(config.redacted);

    for (size_t i = 0; i < sizeof secret_words / sizeof secret_words[0]; i++) {
        if (is_last_word(name, secret_words[i]))
            return true;
    }
    for (size_t i = 0; i < sizeof secret_names / sizeof secret_names[0]; i++) {
        if (text_eq_nocase(name, secret_names[i]))
            return true;
    }
    while (rest.len > 0) {
        if (text_eq_nocase(name, text_trim(text_cut(&rest, ','))))
            return true;
    }
    return false;
}

static bool
is_redacted(const char *field)
{
    size_t len = strlen(field), i = ((unsigned char)field[0] + 7 * len) % SEEN_SLOTS;

    if (len == 0 || len >= SEEN_NAME_MAX)
        return is_redacted_name(field);
    if (memcmp(seen[i].name, field, len + 1) != 0) {
        memcpy(seen[i].name, field, len + 1);
        seen[i].redacted = is_redacted_name(field);
    }
    return seen[i].redacted;
}

/* At most VALUE_MAX_BYTES, cut between characters; with '?' for every byte that is not ASCII
 * where the text is not UTF-8, so that the line is JSON whatever comes. */
static void
write_text(struct buf *b, struct text t)
{
    char copy[VALUE_MAX_BYTES];

    if (t.len > VALUE_MAX_BYTES) {
        t.len = VALUE_MAX_BYTES;
        while (t.len > 0 && ((unsigned char)t.p[t.len] & 0xc0) == 0x80)
            t.len--;
    }
    if (t.p != NULL && !text_utf8_valid(t)) {
        for (size_t i = 0; i < t.len; i++)
            copy[i] = (char)((unsigned char)t.p[i] < 0x80 ? t.p[i] : '?');
        t.p = copy;
    }
    json_text(b, t);
}

static void
write_field(struct buf *b, const struct log_field *f)
{
    json_key(b, f->name);
    if (is_redacted(f->name)) {
        json_z(b, "[redacted]");
        return;
    }
    switch (f->kind) {
    case LOG_INT_:
        json_int(b, f->i);
        break;
    case LOG_BOOL_:
        json_bool(b, f->i != 0);
        break;
    case LOG_UUID_:
        json_uuid(b, f->u);
        break;
    case LOG_TEXT_:
        write_text(b, f->t);
        break;
    case LOG_END_:
        break;
    }
}

static bool
is_absent(const struct log_field *f)
{
    return (f->kind == LOG_TEXT_ && f->t.p == NULL) || (f->kind == LOG_UUID_ && f->u == NULL);
}

/* Whether all fitted. A field that does not fit is left out whole. */
static bool
write_fields(struct buf *b, const struct log_field *fields)
{
    bool whole = true;

    for (const struct log_field *f = fields; f != NULL && f->kind != LOG_END_; f++) {
        size_t before = b->len;
        if (is_absent(f))
            continue;
        write_field(b, f);
        if (b->overflow) {
            b->len = before;
            b->overflow = false;
            whole = false;
        }
    }
    return whole;
}

static void
write_head(struct buf *b, enum log_level level, const char *message)
{
    json_open(b, '{');
    json_key(b, "time");
    json_time(b, timestamp_now());
    json_kv_z(b, "level", level_names[level]);
    json_key(b, "service");
    write_text(b, text_of(config.service));
    json_kv_int(b, "pid", own_pid == 0 ? getpid() : own_pid);
    json_key(b, "message");
    write_text(b, text_of(message));
    if (lost > 0 && !lost_told)
        json_kv_int(b, "lines_lost", lost);
    lost_told = true;
}

/* Whole lines, as many as a pipe takes together or not at all (POSIX.1-2017, write). */
static size_t
piece_len(const char *p, size_t len)
{
    const char *end;

    if (len <= PIPE_BUF || sink.kind == SINK_FILE)
        return len;
    end = memrchr(p, '\n', PIPE_BUF);
    return end == NULL ? PIPE_BUF : (size_t)(end - p) + 1;
}

static bool
sink_ready(int ms)
{
    struct pollfd reader = {.fd = sink.fd, .events = POLLOUT};

    return poll(&reader, 1, ms) > 0;
}

static ssize_t
sink_write(const char *p, size_t len)
{
    ssize_t n;

    if (sink.kind == SINK_WAITS && !sink_ready(0)) {
        errno = EAGAIN;
        return -1;
    }
    do {
        n = sink.kind == SINK_SOCKET ? send(sink.fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL)
                                     : write(sink.fd, p, len);
    } while (n < 0 && errno == EINTR);
    return n;
}

/* A reader that has stopped must not stop the service: it is waited for once, a little, and then
 * not again until it reads. */
static ssize_t
sink_put(const char *p, size_t len)
{
    ssize_t n = sink_write(p, len);

    if (n < 0 && errno == EAGAIN && !stuck && sink_ready(PATIENCE_MS))
        n = sink_write(p, len);
    stuck = n < 0 && errno == EAGAIN;
    return n;
}

static void
write_lines(const char *p, size_t len)
{
    int saved_errno = errno;
    ssize_t n = 0;

    lost_told = false;
    while (len > 0 && (n = sink_put(p, piece_len(p, len))) > 0) {
        lost = 0;
        p += n;
        len -= (size_t)n;
    }
    for (const char *end = p + len; (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++)
        lost++;
    errno = saved_errno;
}

static void
pending_write(struct log_pending *p)
{
    if (p->len > 0)
        write_lines(p->bytes, p->len);
    p->len = 0;
}

void
log_flush(void)
{
    if (pending != NULL)
        pending_write(pending);
}

struct log_pending *
log_pending_new(void)
{
    void *p = mmap(NULL, sizeof(struct log_pending), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

void
log_pending_use(struct log_pending *p)
{
    own_pid = getpid();
    pending = p;
    if (p != NULL)
        (void)atexit(log_flush);
}

void
log_pending_free(struct log_pending *p)
{
    if (p == NULL)
        return;
    if (p->len <= sizeof p->bytes)
        pending_write(p);
    munmap(p, sizeof *p);
}

void
log_write(enum log_level level, const char *message, const struct log_field *fields)
{
    char line[LINE_MAX_BYTES + 1];
    char *to = pending == NULL ? line : pending->bytes + pending->len;
    /* A buffer that is at its maximum never asks for memory. */
    struct buf b = {
        .p = to, .cap = LINE_MAX_BYTES - TAIL_BYTES, .max = LINE_MAX_BYTES - TAIL_BYTES};
    bool whole;

    if (!log_enabled(level))
        return;
    write_head(&b, level, message);
    whole = write_fields(&b, fields);
    b.cap = b.max = LINE_MAX_BYTES;
    if (!whole)
        json_kv_bool(&b, "truncated", true);
    json_close(&b, '}');
    buf_char(&b, '\n');
    if (pending == NULL) {
        write_lines(line, b.len);
        return;
    }
    /* Counted last: what is counted is whole, whenever the process ends. */
    atomic_signal_fence(memory_order_release);
    pending->len += b.len;
    if (level >= LOG_L_WARN || pending->len > PENDING_MAX)
        pending_write(pending);
}
