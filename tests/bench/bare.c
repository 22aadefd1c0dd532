/* A plain FastCGI worker for the measured list: accept, hand the request to libfcgi, know the
 * token, send identity and list to PostgreSQL in one pipeline, write the rows as JSON by libfcgi,
 * close. No routes, validation, limits, sessions, logs or metrics; one person, one list. Not the
 * least that is possible: libfcgi writes every 8 KiB, and what takes work off the real workers is
 * not in it.
 *
 *   bare SOCKET WORKERS
 *
 * From the environment: libpq's PG…, and BENCH_TOKEN, BENCH_USER, BENCH_ORG, BENCH_ROLE,
 * BENCH_COURSE. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fcgiapp.h>
#include <libpq-fe.h>

#include "api/statements.h"
#include "app/statements.h"
#include "pg/codec.h"
#include "pg/list.h"

#define ROWS_MAX 65536
#define ROW_MAX 8192 /* the longest body of an announcement here is far shorter */
#define ARENA_MAX 65536
#define PAGE 20
#define BACKLOG 511

static _Noreturn void
die(const char *what, const char *why)
{
    fprintf(stderr, "bare: %s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

static const char *
given(const char *name)
{
    const char *value = getenv(name);

    if (value == NULL)
        die(name, "not given");
    return value;
}

static int
listener(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        chmod(path, 0666) != 0 || listen(fd, BACKLOG) != 0)
        die(path, strerror(errno));
    return fd;
}

static void
prepare(PGconn *c, const char *name, const char *text)
{
    PGresult *r = PQprepare(c, name, text, 0, NULL);

    if (PQresultStatus(r) != PGRES_COMMAND_OK)
        die(name, PQerrorMessage(c));
    PQclear(r);
}

static PGconn *
database(void)
{
    struct arena *a = arena_new(ARENA_MAX);
    const struct pg_list list = {.limit = PAGE + 1};
    struct pg_value own[1] = {pg_encode_null()};
    struct pg_query q;
    PGconn *c = PQconnectdb("");

    if (PQstatus(c) != CONNECTION_OK)
        die("database", PQerrorMessage(c));
    pg_list_query(a, &sql_announcement_of_course_list, &list, own, &q);
    prepare(c, "identity", api_identity_read.text);
    prepare(c, "list", q.text);
    if (PQenterPipelineMode(c) != 1 || PQsetnonblocking(c, 1) != 0)
        die("database", PQerrorMessage(c));
    arena_free(a);
    return c;
}

static char *
row_write(char *p, const PGresult *r, int row)
{
    for (int i = 0; i < PQnfields(r); i++) {
        *p++ = i == 0 ? '{' : ',';
        *p++ = '"';
        p = stpcpy(p, PQfname(r, i));
        p = stpcpy(p, "\":\"");
        p = mempcpy(p, PQgetvalue(r, row, i), (size_t)PQgetlength(r, row, i));
        *p++ = '"';
    }
    return stpcpy(p, "},");
}

static size_t
rows_write(char *out, const PGresult *r)
{
    char *p = stpcpy(out, "{\"data\":[");

    for (int row = 0; row < PQntuples(r) && row < PAGE; row++) {
        if (p - out > ROWS_MAX - ROW_MAX)
            die("rows", "they are longer than foreseen");
        p = row_write(p, r, row);
    }
    p -= p[-1] == ',';
    return (size_t)(stpcpy(p, "],\"page\":{\"limit\":20}}") - out);
}

/* Both statements and the end of the pipeline; the list's rows as JSON. */
static size_t
list_read(PGconn *c, char *out)
{
    const char *identity[] = {given("BENCH_USER"), given("BENCH_ORG"), given("BENCH_ROLE")};
    const char *list[] = {given("BENCH_COURSE"), "21"};
    size_t n = 0;
    bool end = false;

    if (PQsendQueryPrepared(c, "identity", 3, identity, NULL, NULL, 0) != 1 ||
        PQsendQueryPrepared(c, "list", 2, list, NULL, NULL, 0) != 1 || PQpipelineSync(c) != 1)
        die("database", PQerrorMessage(c));
    for (int done = 0; !end; done++) {
        PGresult *r = PQgetResult(c);
        ExecStatusType status = PQresultStatus(r);
        end = status == PGRES_PIPELINE_SYNC;
        if (r != NULL && status != PGRES_TUPLES_OK && !end)
            die("database", PQerrorMessage(c));
        if (status == PGRES_TUPLES_OK && PQnfields(r) > 4)
            n = rows_write(out, r);
        PQclear(r);
    }
    return n;
}

static void
answer(FCGX_Request *q, PGconn *c, const char *token)
{
    static char body[ROWS_MAX];
    const char *credential = FCGX_GetParam("HTTP_AUTHORIZATION", q->envp);

    if (credential == NULL || strncmp(credential, "Bearer ", 7) != 0 ||
        strcmp(credential + 7, token) != 0) {
        FCGX_PutS("Status: 401\r\n\r\n", q->out);
        return;
    }
    size_t n = list_read(c, body);
    FCGX_PutS("Status: 200\r\nContent-Type: application/json\r\n\r\n", q->out);
    FCGX_PutStr(body, (int)n, q->out);
}

static _Noreturn void
work(int listen_fd)
{
    const char *token = given("BENCH_TOKEN");
    PGconn *c = database();

    FCGX_Init();
    signal(SIGTERM, SIG_DFL); /* which the library takes */
    for (;;) {
        FCGX_Request q;
        int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        FCGX_InitRequest(&q, -1, 0);
        q.ipcFd = fd;
        q.keepConnection = 1;
        if (FCGX_Accept_r(&q) == 0) {
            answer(&q, c, token);
            FCGX_Finish_r(&q);
        }
        close(fd);
    }
}

int
main(int argc, char **argv)
{
    if (argc != 3)
        die("usage", "bare SOCKET WORKERS");
    int fd = listener(argv[1]);
    signal(SIGPIPE, SIG_IGN);
    for (long i = strtol(argv[2], NULL, 10); i > 0; i--) {
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGTERM);
            work(fd);
        }
    }
    while (wait(NULL) > 0)
        ;
    return EXIT_FAILURE;
}
