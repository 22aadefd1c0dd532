/* The operator's tool: settings, keys, passwords. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "bin/ctl.h"

static int run_help(int argc, char **argv);
static int run_version(int argc, char **argv);

static const struct ctl_command commands[] = {
    {"audit verify", "[--expect FILE] [--config FILE]",
     "Check the audit log's hash chains, and what was printed before, and print faults and heads.",
     ctl_audit_verify},
    {"config check", "[--config FILE]", "Check all settings and print every fault.",
     ctl_config_check},
    {"config show", "[--config FILE]", "Print the settings in force, secrets masked.",
     ctl_config_show},
    {"jwt list", "[--config FILE] [--keyset-file FILE]",
     "List the token keys: kid, algorithm, state.", ctl_jwt_list},
    {"jwt rotate", "[--next] [--kid ID] [--alg RS256|ES256] [--config FILE] [--keyset-file FILE]",
     "Print a keyset with a new active key; the active ones of before become legacy. With --next\n"
     "      the new key is accepted first and signs nothing; the next 'jwt rotate' makes it "
     "active.",
     ctl_jwt_rotate},
    {"jwt retire", "[--config FILE] [--keyset-file FILE] KID",
     "Print the keyset with that key retired: tokens signed by it are no longer valid.",
     ctl_jwt_retire},
    {"keys list", "[--config FILE]",
     "Count the sealed values by column and data key; the status is 1 when a key is unknown.",
     ctl_keys_list},
    {"keys reencrypt", "[--config FILE]",
     "Move all sealed values to the active data key while the service runs; may be run again.",
     ctl_keys_reencrypt},
    {"password hash", "[--config FILE]",
     "Read a password from standard input and print its Argon2id hash.", ctl_password_hash},
    {"seed", "--scale N [--database URL] [--script FILE] [--password-file FILE] [--config FILE]",
     "Make a school of N thousand students to measure with, through psql as a superuser; the\n"
     "      accounts' password is read from standard input or the file.",
     ctl_seed},
    {"version", "", "Print the version.", run_version},
    {"help", "", "Print this.", run_help},
};

#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

static int
run_help(int argc, char **argv)
{
    struct ctl_options o;

    if (ctl_parse(argc, argv, 0, 0, &o) != 0)
        return EX_USAGE;
    fputs("Usage: lecternctl COMMAND [OPTION]... [ARGUMENT]...\n\n", stdout);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        printf("  %s%s%s\n      %s\n", commands[i].name, commands[i].args[0] != '\0' ? " " : "",
               commands[i].args, commands[i].doc);
    fputs(
        "\nThe exit status is 0, 64 for bad usage, 65 or 66 for bad input, 69 for a database that\n"
        "cannot be reached, 75 to be run again, 78 for bad settings.\n",
        stdout);
    return EXIT_SUCCESS;
}

static int
run_version(int argc, char **argv)
{
    struct ctl_options o;

    if (ctl_parse(argc, argv, 0, 0, &o) != 0)
        return EX_USAGE;
    puts("lecternctl " PACKAGE_VERSION);
    return EXIT_SUCCESS;
}

/* How many words of argv the name covers; 0 when it is not what was typed. */
static int
words_matched(const char *name, int argc, char **argv)
{
    int words = 0;

    while (*name != '\0') {
        size_t len = strcspn(name, " ");
        if (words >= argc || strlen(argv[words]) != len || memcmp(name, argv[words], len) != 0)
            return 0;
        words++;
        name += len + (name[len] == ' ');
    }
    return words;
}

/* The customary spellings of two commands. */
static const char *
alias_of(const char *word)
{
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return "help";
    return strcmp(word, "--version") == 0 ? "version" : NULL;
}

int
main(int argc, char **argv)
{
    const char *alias = argc > 1 ? alias_of(argv[1]) : NULL;

    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        int words = words_matched(commands[i].name, argc - 1, argv + 1);
        if (alias != NULL && strcmp(alias, commands[i].name) == 0)
            words = 1;
        if (words > 0) {
            int status = commands[i].run(argc - words, argv + words);
            /* A full disk behind standard output must not pass for a printed keyset. */
            return fflush(stdout) == 0 ? status : ctl_fail(EX_IOERR, "cannot write the output");
        }
    }
    if (argc < 2)
        return ctl_fail(EX_USAGE, "which command? see 'lecternctl help'");
    return ctl_fail(EX_USAGE, "there is no command '%s%s%s'; see 'lecternctl help'", argv[1],
                    argc > 2 ? " " : "", argc > 2 ? argv[2] : "");
}
