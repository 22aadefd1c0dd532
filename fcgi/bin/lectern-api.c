/* A pool of request workers: `lectern-api --pool api` behind nginx. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sysexits.h>

#include "api/worker.h"
#include "base/err.h"
#include "base/log.h"
#include "base/oom.h"
#include "base/settings.h"
#include "base/text.h"
#include "bin/master.h"

#define POOL_NAME_MAX 16

struct options {
    const char *socket_path;
    const char *config_file;
    const char *pool;
    int64_t workers; /* 0: as WORKERS says */
};

static const char usage_text[] =
    "Usage: lectern-api [OPTION]...\n"
    "Serve FastCGI requests of one pool on a unix socket.\n"
    "\n"
    "  --pool NAME     the pool: label of logs and metrics (api)\n"
    "  --socket PATH   bind this unix socket, when none was handed over\n"
    "  --config FILE   NAME=value lines beside the environment, which wins\n"
    "  --workers N     instead of the setting WORKERS\n"
    "  --version       print the version and exit\n"
    "  --help          print this and exit\n"
    "\n"
    "The listener is taken from LISTEN_FDS, from descriptor 0 when that is a listening unix\n"
    "socket, or bound at PATH. SIGTERM drains, SIGHUP reads the settings again and renews the\n"
    "workers one by one.\n";

static bool
pool_name_valid(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

    return len > 0 && len <= POOL_NAME_MAX && name[len] == '\0';
}

static int
usage_fault(const char *what)
{
    fprintf(stderr, "lectern-api: %s\nTry 'lectern-api --help'.\n", what);
    return EX_USAGE;
}

/* -1 to go on, else the exit status. */
static int
take_option(int option, struct options *o)
{
    switch (option) {
    case 's':
        o->socket_path = optarg;
        return -1;
    case 'c':
        o->config_file = optarg;
        return -1;
    case 'p':
        o->pool = optarg;
        return pool_name_valid(optarg) ? -1
                                       : usage_fault("--pool takes 1 to 16 of a-z, 0-9 and '-'");
    case 'w':
        return text_to_int(text_of(optarg), &o->workers) && o->workers >= 1 &&
                       o->workers <= MASTER_WORKERS_MAX
                   ? -1
                   : usage_fault("--workers takes a number from 1 to 1024");
    case 'v':
        puts("lectern-api " PACKAGE_VERSION);
        return EXIT_SUCCESS;
    case 'h':
        fputs(usage_text, stdout);
        return EXIT_SUCCESS;
    default:
        return usage_fault("the options are not understood");
    }
}

static int
parse_options(int argc, char **argv, struct options *o)
{
    static const struct option table[] = {
        {"socket", required_argument, NULL, 's'},
        {"config", required_argument, NULL, 'c'},
        {"pool", required_argument, NULL, 'p'},
        {"workers", required_argument, NULL, 'w'},
        {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
        int status = take_option(option, o);
        if (status >= 0)
            return status;
    }
    return optind == argc ? -1 : usage_fault("no arguments are taken besides options");
}

/* What is wrong with the settings, one line each, as log lines. */
static void
faults_log(char *faults)
{
    char *rest = faults;

    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        if (*line != '\0')
            log_event(LOG_L_ERROR, "setting refused", LOG_Z("fault", line));
    }
}

static bool
reload_settings(void)
{
    char *text = NULL;
    size_t len = 0;
    FILE *faults = open_memstream(&text, &len);

    if (faults == NULL)
        return false;
    bool good = settings_reload(faults) == 0;
    fclose(faults);
    faults_log(text);
    free(text);
    return good;
}

/* Settings first: what they say of logging and limits holds for what the layer below re-reads. */
static bool
reload(void *ctx)
{
    if (!reload_settings())
        return false;
    log_configure(true);
    return api_reload(ctx);
}

static void
on_event(enum master_event event, void *ctx)
{
    (void)ctx;
    switch (event) {
    case MASTER_WORKER_STARTED:
        api_worker_event(1, 0);
        break;
    case MASTER_WORKER_RESTARTED:
        api_worker_event(2, 0);
        break;
    case MASTER_WORKER_SIGNALLED:
        api_worker_event(0, 1);
        break;
    }
}

static int
serve(const struct options *o)
{
    struct master_config config = {
        .name = o->pool,
        .socket_path = o->socket_path,
        .socket_mode = (mode_t)strtoul(setting_z(S_LISTEN_SOCKET_MODE), NULL, 8),
        .workers = (unsigned)(o->workers > 0 ? o->workers : setting_int(S_WORKERS)),
        .grace_seconds = (unsigned)setting_int(S_SHUTDOWN_GRACE_SECONDS),
        .worker = api_worker,
        .reload = reload,
        .on_event = on_event,
    };
    err fault = api_open(o->pool);

    if (fault != E_OK) {
        log_event(LOG_L_ERROR, "the pool cannot be opened", LOG_Z("pool", o->pool),
                  LOG_Z("code", err_info(fault)->code));
        return fault == E_UNAVAILABLE ? EX_TEMPFAIL : EX_CONFIG;
    }
    api_on_ready(master_worker_ready);
    return master_run(&config);
}

int
main(int argc, char **argv)
{
    struct options o = {.pool = "api"};
    bool guarded = oom_guard_crypto();
    int status = parse_options(argc, argv, &o);

    if (status >= 0)
        return status;
    if (settings_load(o.config_file, stderr) > 0)
        return EX_CONFIG;
    log_configure(true);
    if (!guarded)
        system_failed("oom_guard_crypto");
    return serve(&o);
}
