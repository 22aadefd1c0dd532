#include "bin/ctl.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sysexits.h>

#include "base/log.h"
#include "base/settings.h"

static const struct option option_table[] = {
    {"config", required_argument, NULL, CTL_CONFIG},
    {"kid", required_argument, NULL, CTL_KID},
    {"keyset-file", required_argument, NULL, CTL_KEYSET},
    {"scale", required_argument, NULL, CTL_SCALE},
    {"database", required_argument, NULL, CTL_DATABASE},
    {"script", required_argument, NULL, CTL_SCRIPT},
    {"password-file", required_argument, NULL, CTL_PASSWORD_FILE},
    {"expect", required_argument, NULL, CTL_EXPECT},
    {"alg", required_argument, NULL, CTL_ALG},
    {"next", no_argument, NULL, CTL_NEXT},
    {NULL, 0, NULL, 0},
};

int
ctl_fail(int status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("lecternctl: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return status;
}

static const char **
option_slot(int option, struct ctl_options *o)
{
    switch (option) {
    case CTL_CONFIG:
        return &o->config_file;
    case CTL_KID:
        return &o->kid;
    case CTL_KEYSET:
        return &o->keyset_file;
    case CTL_SCALE:
        return &o->scale;
    case CTL_DATABASE:
        return &o->database;
    case CTL_SCRIPT:
        return &o->script;
    case CTL_EXPECT:
        return &o->expect;
    case CTL_ALG:
        return &o->alg;
    default:
        return &o->password_file;
    }
}

static bool
take_option(int option, unsigned allowed, struct ctl_options *o)
{
    if (option == '?' || ((unsigned)option & allowed) == 0)
        return false;
    if (option == CTL_NEXT)
        o->next = true;
    else
        *option_slot(option, o) = optarg;
    return true;
}

int
ctl_parse(int argc, char **argv, unsigned allowed, int arg_count, struct ctl_options *ret_options)
{
    int option;

    *ret_options = (struct ctl_options){0};
    optind = 0; /* the command line has been looked at before */
    opterr = 0;
    while ((option = getopt_long(argc, argv, "", option_table, NULL)) != -1) {
        if (!take_option(option, allowed, ret_options))
            return ctl_fail(EX_USAGE,
                            "%s: an option is unknown or lacks its value; see "
                            "'lecternctl help'",
                            argv[0]);
    }
    if (argc - optind != arg_count)
        return ctl_fail(EX_USAGE, "%s: %d arguments, not %d; see 'lecternctl help'", argv[0],
                        argc - optind, arg_count);
    ret_options->args = argv + optind;
    return 0;
}

int
ctl_settings(const char *config_file)
{
    if (settings_load(config_file, stderr) > 0)
        return EX_CONFIG;
    log_configure(false);
    return 0;
}
