/* lecternctl: one row a command. */
#ifndef LECTERN_BIN_CTL_H
#define LECTERN_BIN_CTL_H

#include <stdbool.h>
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
    CTL_CONFIG = 1,         /* --config FILE */
    CTL_KID = 2,            /* --kid ID */
    CTL_KEYSET = 4,         /* --keyset-file FILE */
    CTL_SCALE = 8,          /* --scale N */
    CTL_DATABASE = 16,      /* --database URL */
    CTL_SCRIPT = 32,        /* --script FILE */
    CTL_PASSWORD_FILE = 64, /* --password-file FILE */
    CTL_ALG = 128,          /* --alg NAME */
    CTL_NEXT = 256,         /* --next */
    CTL_EXPECT = 512,       /* --expect FILE */
};

struct ctl_options {
    const char *config_file;
    const char *kid;
    const char *keyset_file;
    const char *scale;
    const char *database;
    const char *script;
    const char *password_file;
    const char *alg;
    const char *expect;
    bool next;
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

#define CTL_PHC_MAX 256 /* an Argon2id hash as text */

/* One line from `fd`, on a terminal asked for and not echoed, checked as a password and hashed.
 * Returns 0, or an exit status after a message on stderr. */
int ctl_password_phc(int fd, char ret_phc[CTL_PHC_MAX]);

int ctl_audit_verify(int argc, char **argv);
int ctl_config_check(int argc, char **argv);
int ctl_config_show(int argc, char **argv);
int ctl_jwt_rotate(int argc, char **argv);
int ctl_jwt_list(int argc, char **argv);
int ctl_jwt_retire(int argc, char **argv);
int ctl_keys_list(int argc, char **argv);
int ctl_keys_reencrypt(int argc, char **argv);
int ctl_password_hash(int argc, char **argv);
int ctl_seed(int argc, char **argv);

#endif
