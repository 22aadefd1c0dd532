#include "bin/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/text.h"

#ifndef PKGDATADIR
#error "PKGDATADIR must name the directory of the installed data"
#endif

#define SCALE_MAX 999 /* the accounts' names have six digits */
#define SCRIPT_INSTALLED PKGDATADIR "/db/seeds/scale.sql"
#define HASH_VARIABLE "LECTERN_PASSWORD_HASH"
#define PSQL_NO_CONNECTION 2
#define NOT_FOUND 127 /* how posix_spawnp may tell it from the child */

/* `scale` is "scale=N". The hash goes by the environment: others can read a command line. */
static pid_t
spawn_psql(const char *scale, const char *script, const char *database)
{
    static const char take_hash[] = "\\getenv password_hash " HASH_VARIABLE;
    const char *const args[] = {"psql",
                                "-X",
                                "-q",
                                "-v",
                                "ON_ERROR_STOP=1",
                                "-v",
                                scale,
                                "-c",
                                take_hash,
                                "-f",
                                script,
                                database == NULL ? NULL : "-d",
                                database,
                                NULL};
    char *argv[sizeof args / sizeof args[0]];
    pid_t pid;

    memcpy(argv, args, sizeof args); /* exec's prototype lacks const; nobody writes to them */
    errno = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
    return errno == 0 ? pid : -1;
}

static int
run_psql(const char *scale, const char *script, const char *database)
{
    pid_t pid = spawn_psql(scale, script, database);
    int status;

    if (pid < 0)
        return ctl_fail(EX_OSERR, "psql cannot be started: %s", strerrordesc_np(errno));
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return ctl_fail(EX_OSERR, "psql is lost");
    }
    if (!WIFEXITED(status))
        return ctl_fail(EX_SOFTWARE, "psql was ended by signal %d", WTERMSIG(status));
    if (WEXITSTATUS(status) == 0)
        return EXIT_SUCCESS;
    if (WEXITSTATUS(status) == NOT_FOUND)
        return ctl_fail(EX_OSERR, "psql cannot be started");
    if (WEXITSTATUS(status) == PSQL_NO_CONNECTION)
        return ctl_fail(EX_UNAVAILABLE, "the database cannot be reached");
    return ctl_fail(EX_SOFTWARE, "the school was not made");
}

static int
read_phc(const char *password_file, char ret_phc[CTL_PHC_MAX])
{
    int fd = STDIN_FILENO;

    if (password_file != NULL)
        fd = open(password_file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return ctl_fail(EX_NOINPUT, "%s: %s", password_file, strerrordesc_np(errno));
    int status = ctl_password_phc(fd, ret_phc);
    if (fd != STDIN_FILENO)
        close(fd);
    return status;
}

static int
seed(int64_t thousands, const struct ctl_options *o)
{
    const char *script = o->script != NULL ? o->script : SCRIPT_INSTALLED;
    char phc[CTL_PHC_MAX];
    char scale[sizeof "scale=999"];

    if (access(script, R_OK) != 0)
        return ctl_fail(EX_NOINPUT, "%s: %s", script, strerrordesc_np(errno));
    int status = read_phc(o->password_file, phc);
    if (status != 0)
        return status;
    if (setenv(HASH_VARIABLE, phc, 1) != 0)
        return ctl_fail(EX_OSERR, "no memory");
    snprintf(scale, sizeof scale, "scale=%d", (int)thousands);
    status = run_psql(scale, script, o->database);
    if (status == 0)
        printf("The school scale-%d is there: admin@scale-%d.lectern.example and its kind.\n",
               (int)thousands, (int)thousands);
    return status;
}

int
ctl_seed(int argc, char **argv)
{
    struct ctl_options o;
    int64_t thousands;
    int status = ctl_parse(
        argc, argv, CTL_SCALE | CTL_DATABASE | CTL_SCRIPT | CTL_PASSWORD_FILE | CTL_CONFIG, 0, &o);

    if (status != 0)
        return status;
    if (o.scale == NULL || !text_to_int(text_of(o.scale), &thousands) || thousands < 1 ||
        thousands > SCALE_MAX)
        return ctl_fail(EX_USAGE, "seed: --scale wants thousands of students, from 1 to %d",
                        SCALE_MAX);
    status = ctl_settings(o.config_file);
    return status != 0 ? status : seed(thousands, &o);
}
