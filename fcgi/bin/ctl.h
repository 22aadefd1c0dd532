/* lecternctl: one row a command. */
#ifndef LECTERN_BIN_CTL_H
#define LECTERN_BIN_CTL_H

#include <stddef.h>

struct ctl_command {
    const char *name; /* its words: "config check" */
    const char *args; /* as shown by help, or "" */
    const char *doc;  /* one sentence */
    /* argv[0] is the command's last word. Returns the exit status of <sysexits.h>. */
    int (*run)(int argc, char **argv);
};

/* What options a command takes, as a set. */
enum ctl_option {
    CTL_CONFIG = 1, /* --config FILE */
    CTL_KID = 2,    /* --kid ID */
    CTL_KEYSET = 4, /* --keyset-file FILE */
};

struct ctl_options {
    const char *config_file;
    const char *kid;
    const char *keyset_file;
    char **args; /* what follows the options */
};

/* Reads options of the set `allowed` and wants exactly `arg_count` arguments after them. Returns 0,
 * or EX_USAGE after a message on stderr. */
int ctl_parse(int argc, char **argv, unsigned allowed, int arg_count,
              struct ctl_options *ret_options);

/* Settings into force and the log set up: 0, or EX_CONFIG with every fault on stderr. */
int ctl_settings(const char *config_file);

/* A message on stderr; returns `status`. */
int ctl_fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

int ctl_config_check(int argc, char **argv);
int ctl_config_show(int argc, char **argv);
int ctl_jwt_rotate(int argc, char **argv);
int ctl_jwt_list(int argc, char **argv);
int ctl_jwt_retire(int argc, char **argv);
int ctl_password_hash(int argc, char **argv);

#endif
