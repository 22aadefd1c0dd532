#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/settings.h"
#include "base/timestamp.h"
#include "base/uuid.h"

static char line[16384];
static int channel[2];
static int kept_stderr;

static void
begin(void)
{
    CU_ASSERT_EQUAL_FATAL(pipe(channel), 0);
    kept_stderr = dup(STDERR_FILENO);
    dup2(channel[1], STDERR_FILENO);
}

/* What was written since begin(), of one read. */
static size_t
end(void)
{
    ssize_t n;

    dup2(kept_stderr, STDERR_FILENO);
    close(kept_stderr);
    close(channel[1]);
    n = read(channel[0], line, sizeof line - 1);
    close(channel[0]);
    line[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

static bool
has(const char *part)
{
    return strstr(line, part) != NULL;
}

/* One object with whole strings, ended by the only newline: enough of JSON for what is written. */
static bool
is_one_json_line(size_t n)
{
    /* lint-allow: complexity: a scanner in a test, one decision a character */
    bool quoted = false;
    int depth = 0;

    if (n < 3 || n > 4096 || line[0] != '{' || line[n - 1] != '\n' || line[n - 2] != '}')
        return false;
    for (size_t i = 0; i < n - 1; i++) {
        unsigned char c = (unsigned char)line[i];
        if (c < 0x20)
            return false;
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '{' || c == '}'))
            depth += c == '{' ? 1 : -1;
    }
    return !quoted && depth == 0 && text_utf8_valid((struct text){line, n});
}

static void
test_fields(void)
{
    struct uuid u = {{0xab}};
    const struct uuid *none = NULL;

    begin();
    log_event(LOG_L_WARN, "request done", LOG_Z("route", "/api/v1/courses/{id}"),
              LOG_INT("status", 404), LOG_INT("least", INT64_MIN), LOG_BOOL("replayed", true),
              LOG_BOOL("cached", false), LOG_UUID("org_id", &u), LOG_UUID("user_id", none),
              LOG_TEXT("trace_id", TEXT_NULL), LOG_TEXT("class", TEXT("")));
    CU_ASSERT_TRUE(is_one_json_line(end()));
    CU_ASSERT_TRUE(has("{\"time\":\"20"));
    CU_ASSERT_TRUE(has("\"level\":\"warn\",\"service\":\"lectern\",\"pid\":"));
    CU_ASSERT_TRUE(has("\"message\":\"request done\",\"route\":\"/api/v1/courses/{id}\","
                       "\"status\":404,\"least\":-9223372036854775808,\"replayed\":true,"
                       "\"cached\":false,\"org_id\":\"ab000000-0000-0000-0000-000000000000\","
                       "\"class\":\"\"}"));
    begin();
    log_write(LOG_L_ERROR, "nothing else", NULL);
    CU_ASSERT_TRUE(is_one_json_line(end()));
    CU_ASSERT_TRUE(has("\"message\":\"nothing else\"}"));
}

static void
test_levels(void)
{
    begin();
    log_event(LOG_L_DEBUG, "not shown", LOG_INT("n", 1));
    CU_ASSERT_EQUAL(end(), 0);
    CU_ASSERT_FALSE(log_enabled(LOG_L_DEBUG));
    CU_ASSERT_TRUE(log_enabled(LOG_L_INFO));
}

static void
test_hostile_texts(void)
{
    begin();
    log_event(LOG_L_INFO, "hostile", LOG_TEXT("a", TEXT("x\"}\n{\"level\":\"error\"")),
              LOG_TEXT("b", TEXT("\xff\xfe\x80<\x01\0z")), LOG_TEXT("c", TEXT("caf\xc3\xa9")),
              LOG_TEXT("d", TEXT("\xed\xa0\x80")));
    CU_ASSERT_TRUE(is_one_json_line(end()));
    CU_ASSERT_TRUE(has("\"a\":\"x\\\"}\\n{\\\"level\\\":\\\"error\\\"\""));
    CU_ASSERT_TRUE(has("\"b\":\"???\\u003c\\u0001\\u0000z\""));
    CU_ASSERT_TRUE(has("\"c\":\"caf\xc3\xa9\""));
    CU_ASSERT_TRUE(has("\"d\":\"???\""));
}

static void
test_redaction(void)
{
    static const char *const secret[] = {
        "password",      "Password",   "old_password", "access_token", "TOKEN", "x_service_token",
        "authorization", "cookie",     "email",        "user_email",   "name",  "query",
        "client_secret", "jwt_keyset", "csrf",         "request_body",
    };
    static const char *const open[] = {"route_name", "statement", "tokens",
                                       "body_bytes", "class",     "token_count"};

    for (size_t i = 0; i < sizeof secret / sizeof secret[0]; i++) {
        begin();
        log_event(LOG_L_INFO, "x", LOG_Z(secret[i], "MARKED"), LOG_INT("n", 7));
        CU_ASSERT_TRUE(is_one_json_line(end()));
        if (has("MARKED") || !has("\":\"[redacted]\",\"n\":7}"))
            CU_FAIL(secret[i]);
        begin();
        log_event(LOG_L_INFO, "x", LOG_INT(secret[i], 424242));
        (void)end();
        CU_ASSERT_FALSE(has("424242"));
    }
    for (size_t i = 0; i < sizeof open / sizeof open[0]; i++) {
        begin();
        log_event(LOG_L_INFO, "x", LOG_Z(open[i], "MARKED"));
        (void)end();
        if (!has("MARKED"))
            CU_FAIL(open[i]);
    }
}

static void
test_length(void)
{
    static char longest[6000];
    struct log_field many[40];
    struct text t = {longest, sizeof longest};

    /* Cut between characters, after one byte to make the cut fall into one. */
    for (size_t i = 1; i + 1 < sizeof longest; i += 2)
        memcpy(longest + i, "\xc3\xa9", 2);
    longest[0] = 'a';
    longest[sizeof longest - 1] = 'z';
    begin();
    log_event(LOG_L_INFO, "long", LOG_TEXT("t", t), LOG_INT("after", 1));
    CU_ASSERT_TRUE(is_one_json_line(end()));
    CU_ASSERT_TRUE(has("\xc3\xa9\",\"after\":1}"));
    CU_ASSERT_FALSE(has("truncated"));
    /* Escapes make six bytes of one. */
    memset(longest, 1, sizeof longest);
    begin();
    log_event(LOG_L_INFO, "long", LOG_INT("before", 1), LOG_TEXT("t", t), LOG_INT("after", 1));
    CU_ASSERT_TRUE(is_one_json_line(end()));
    CU_ASSERT_TRUE(has("\"before\":1,\"after\":1,\"truncated\":true}"));
    for (int i = 0; i < 39; i++)
        many[i] = LOG_Z("field", "some text of a certain length that is repeated until it is too "
                                 "much for one line, which it will be after some forty of these");
    many[39] = LOG_END;
    begin();
    log_write(LOG_L_INFO, "many", many);
    CU_ASSERT_TRUE(is_one_json_line(end()));
    CU_ASSERT_TRUE(has(",\"truncated\":true}"));
}

/* All lengths around the end of the line. */
static void
test_length_edges(void)
{
    static char text[1024];

    memset(text, 'x', sizeof text);
    for (size_t n = 600; n < 1024; n++) {
        struct text t = {text, n};
        begin();
        log_event(LOG_L_INFO, "edge", LOG_TEXT("a", t), LOG_TEXT("b", t), LOG_TEXT("c", t),
                  LOG_TEXT("d", t), LOG_TEXT("e", t));
        CU_ASSERT_TRUE_FATAL(is_one_json_line(end()));
    }
}

/* What a process had not written when it was killed is written by its parent; a grave line takes
 * the waiting ones along. */
static void
test_pending(void)
{
    struct log_pending *p = log_pending_new();
    int status;

    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    begin();
    pid_t pid = fork();
    if (pid == 0) {
        log_pending_use(p);
        log_event(LOG_L_INFO, "first", LOG_INT("n", 1));
        log_event(LOG_L_WARN, "second", LOG_INT("n", 2));
        log_event(LOG_L_INFO, "left", LOG_INT("n", 3));
        kill(getpid(), SIGKILL);
    }
    CU_ASSERT_EQUAL_FATAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_TRUE(WIFSIGNALED(status));
    end();
    CU_ASSERT_TRUE(has("\"message\":\"first\""));
    CU_ASSERT_TRUE(has("\"message\":\"second\""));
    CU_ASSERT_FALSE(has("\"message\":\"left\""));
    begin();
    log_pending_free(p);
    CU_ASSERT_TRUE(is_one_json_line(end()));
    CU_ASSERT_TRUE(has("\"message\":\"left\",\"n\":3"));
    log_pending_free(NULL);
}

/* Nobody reads and the pipe is full: lines are lost, nothing waits for ever. */
static void
test_stuck_reader(void)
{
    int64_t started = clock_ms();

    begin();
    fcntl(channel[1], F_SETFL, O_NONBLOCK);
    memset(line, ' ', sizeof line);
    while (write(channel[1], line, sizeof line) > 0)
        ;
    fcntl(channel[1], F_SETFL, 0);
    for (int i = 0; i < 50; i++)
        log_event(LOG_L_ERROR, "lost", LOG_INT("i", i));
    CU_ASSERT_TRUE(clock_ms() - started < 2000);
    fcntl(channel[0], F_SETFL, O_NONBLOCK);
    for (ssize_t n; (n = read(channel[0], line, sizeof line - 1)) > 0;) {
        line[n] = '\0';
        CU_ASSERT_FALSE(has("lost"));
    }
    log_event(LOG_L_ERROR, "read again", LOG_INT("i", 1));
    CU_ASSERT_TRUE(is_one_json_line(end()));
    CU_ASSERT_TRUE(has("\"message\":\"read again\",\"lines_lost\":50,"));
    begin();
    log_event(LOG_L_ERROR, "and again", LOG_INT("i", 1));
    CU_ASSERT_TRUE(is_one_json_line(end()));
    CU_ASSERT_FALSE(has("lines_lost"));
}

/* As a process of another user than the one who made the pipe, where that is possible. */
static void
become_another(void)
{
    if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)
        _exit(EXIT_FAILURE);
}

static void
fill_but_one_page(void)
{
    static const char page[4096];

    for (int room = fcntl(channel[1], F_GETPIPE_SZ) - 4096; room > 0; room -= 4096)
        (void)!write(channel[1], page, sizeof page);
}

/* How many writes of ours are in the pipe. */
static int
drain(void)
{
    char page[4096];
    int ours = 0;

    fcntl(channel[0], F_SETFL, O_NONBLOCK);
    while (read(channel[0], page, sizeof page) > 0)
        ours += page[0] == '{';
    return ours;
}

/* The pipe has room for one page, the waiting lines need three: none of them waits for a reader,
 * none is torn, and the next line says how many are missing. */
static void
stuck_with_lines_waiting(bool foreign)
{
    struct log_pending *p = log_pending_new();
    int status;

    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    begin();
    pid_t pid = fork();
    if (pid == 0) {
        alarm(5);
        if (foreign)
            become_another();
        log_configure(foreign);
        log_pending_use(p);
        fill_but_one_page();
        for (int i = 0; i < 100; i++)
            log_event(LOG_L_INFO, "waiting", LOG_INT("i", i));
        log_flush();
        log_event(LOG_L_ERROR, "read again", LOG_INT("pieces", drain()));
        _exit(EXIT_SUCCESS);
    }
    CU_ASSERT_EQUAL_FATAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    log_pending_free(p);
    CU_ASSERT_TRUE(is_one_json_line(end()));
    CU_ASSERT_TRUE(has("\"message\":\"read again\",\"lines_lost\":"));
    CU_ASSERT_TRUE(has("\"pieces\":1}"));
}

static void
test_stuck_pipe(void)
{
    stuck_with_lines_waiting(false);
    stuck_with_lines_waiting(true);
}

/* As under systemd, whose journal reads a socket. */
static void
test_stuck_socket(void)
{
    int64_t started = clock_ms();

    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, channel), 0);
    kept_stderr = dup(STDERR_FILENO);
    dup2(channel[1], STDERR_FILENO);
    log_configure(true);
    for (int i = 0; i < 5000; i++)
        log_event(LOG_L_ERROR, "many", LOG_INT("i", i));
    CU_ASSERT_TRUE(clock_ms() - started < 4000);
    drain();
    log_event(LOG_L_ERROR, "read again", LOG_INT("i", 1));
    CU_ASSERT_TRUE(is_one_json_line(end()));
    CU_ASSERT_TRUE(has("\"lines_lost\":"));
    log_configure(false);
}

static void
test_configured(void)
{
    setenv("LOG_LEVEL", "debug", 1);
    setenv("LOG_SERVICE_NAME", "lectern-jobs", 1);
    setenv("LOG_REDACTED_FIELDS", "shoe_size, colour", 1);
    setenv("JWT_KEYSET", "e30=", 1);
    setenv("JWT_REFRESH_SECRET", "r", 1);
    setenv("SIGNING_SECRET", "s", 1);
    CU_ASSERT_EQUAL_FATAL(settings_load(NULL, stderr), 0);
    begin();
    log_configure(false);
    log_event(LOG_L_DEBUG, "x", LOG_Z("shoe_size", "MARKED"), LOG_Z("Colour", "MARKED"),
              LOG_Z("password", "MARKED"), LOG_INT("size", 44));
    CU_ASSERT_TRUE(is_one_json_line(end()));
    CU_ASSERT_FALSE(has("MARKED"));
    CU_ASSERT_TRUE(has("\"level\":\"debug\",\"service\":\"lectern-jobs\""));
    CU_ASSERT_TRUE(has("\"size\":44"));
}

int
main(void)
{
    static const struct unit_case cases[] = {
        {"fields", test_fields},
        {"levels", test_levels},
        {"hostile texts", test_hostile_texts},
        {"redaction", test_redaction},
        {"length of a line", test_length},
        {"length of a line: edges", test_length_edges},
        {"lines that wait", test_pending},
        {"stuck reader", test_stuck_reader},
        {"configured", test_configured},
        {"stuck pipe, lines waiting", test_stuck_pipe},
        {"stuck socket", test_stuck_socket},
        {NULL, NULL},
    };

    return unit_main("base log", cases);
}
