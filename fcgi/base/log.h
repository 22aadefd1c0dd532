/* JSON lines on standard error. Typed fields only: there is no way to log a body,
 * a header or a free text of a request. No line is spread over two writes, and none waits for a
 * reader longer than a moment. */
#ifndef LECTERN_BASE_LOG_H
#define LECTERN_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

enum log_level { LOG_L_DEBUG, LOG_L_INFO, LOG_L_WARN, LOG_L_ERROR };

enum log_kind { LOG_END_, LOG_INT_, LOG_TEXT_, LOG_UUID_, LOG_BOOL_ };

struct uuid;

struct log_field {
    enum log_kind kind;
    const char *name;
    int64_t i;
    struct text t;
    const struct uuid *u;
};

#define LOG_INT(n, v) ((struct log_field){.kind = LOG_INT_, .name = (n), .i = (int64_t)(v)})
#define LOG_BOOL(n, v) ((struct log_field){.kind = LOG_BOOL_, .name = (n), .i = (v)})
/* A text from a closed set or of our own making: a route template, a statement's name. */
#define LOG_Z(n, v) ((struct log_field){.kind = LOG_TEXT_, .name = (n), .t = text_of(v)})
#define LOG_TEXT(n, v) ((struct log_field){.kind = LOG_TEXT_, .name = (n), .t = (v)})
#define LOG_UUID(n, v) ((struct log_field){.kind = LOG_UUID_, .name = (n), .u = (v)})
#define LOG_END ((struct log_field){.kind = LOG_END_})

/* `message` is a constant sentence. The line has time, level, service, pid, message, then the
 * fields. A field whose name is in the redaction list is written as "[redacted]". A NULL text or
 * UUID is left out, and so is a field for which the line (4 KiB) has no room: then `truncated` is
 * true. When whoever reads standard error has stopped reading, lines are lost after a short wait,
 * and `lines_lost` of the next one says how many. Texts are cut at 1 KiB. `fields` may be NULL;
 * log_event needs at least one field. */
void log_write(enum log_level level, const char *message, const struct log_field *fields);
#define log_event(level, message, ...) \
    log_write((level), (message), (const struct log_field[]){__VA_ARGS__, LOG_END})

/* From LOG_LEVEL, LOG_SERVICE_NAME, LOG_REDACTED_FIELDS; call again after a reload, and when
 * standard error is another than before. `service`: nobody else needs standard error to wait for
 * its reader; a pipe that cannot be opened a second time is then made not to. */
void log_configure(bool service);
bool log_enabled(enum log_level level);

/* Lines of one process that wait to be written together: a busy worker saves a system call for each
 * request. They lie in memory that the parent shares, so that nothing is lost with the process. */
struct log_pending;
struct log_pending *log_pending_new(void); /* before fork; NULL when there is no memory */
/* From now on this process's lines below "warn" wait until log_flush, a graver line, its orderly
 * end, or until 8 KiB are there. Whoever is about to wait for work flushes first. */
void log_pending_use(struct log_pending *p);
void log_flush(void);
/* By the parent, when the process has ended: writes what it left. NULL is allowed. */
void log_pending_free(struct log_pending *p);

#endif
