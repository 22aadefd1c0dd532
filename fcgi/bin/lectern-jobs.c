/* The background daemon: `lectern-jobs`, as many as one likes, of which one leads. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/log.h"
#include "base/settings.h"
#include "jobs/daemon.h"

static const char usage_text[] =
    "Usage: lectern-jobs [OPTION]...\n"
    "Do the background work of an installation.\n"
    "\n"
    "  --config FILE   NAME=value lines beside the environment, which wins\n"
    "  --version       print the version and exit\n"
    "  --help          print this and exit\n"
    "\n"
    "Several may run; one of them leads and works, the others stand by. SIGTERM lets the work at\n"
    "hand end, SIGHUP reads the settings again.\n";

static int
usage_fault(const char *what)
{
    fprintf(stderr, "lectern-jobs: %s\nTry 'lectern-jobs --help'.\n", what);
    return EX_USAGE;
}

/* -1 to go on, else the exit status. */
static int
parse_options(int argc, char **argv, const char **ret_config_file)
{
    static const struct option table[] = {
        {"config", required_argument, NULL, 'c'},
        {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
        switch (option) {
        case 'c':
            *ret_config_file = optarg;
            break;
        case 'v':
            puts("lectern-jobs " PACKAGE_VERSION);
            return EXIT_SUCCESS;
        case 'h':
            fputs(usage_text, stdout);
            return EXIT_SUCCESS;
        default:
            return usage_fault("the options are not understood");
        }
    }
    return optind == argc ? -1 : usage_fault("no arguments are taken besides options");
}

int
main(int argc, char **argv)
{
    const char *config_file = NULL;
    int status = parse_options(argc, argv, &config_file);

    if (status >= 0)
        return status;
    if (settings_load(config_file, stderr) > 0)
        return EX_CONFIG;
    log_configure(true);
    return jobs_daemon();
}
