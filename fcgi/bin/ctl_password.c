#include "bin/ctl.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#include "auth/password.h"
#include "base/arena.h"
#include "base/text.h"

#define PASSWORD_MIN 8 /* code points: the bounds of registration */
#define PASSWORD_MAX 128
#define LINE_MAX_BYTES (PASSWORD_MAX * 4 + 2)

/* One line, without its end; on a terminal asked for and not echoed. -1 when nothing can be read
 * or it is longer than any password. */
static ssize_t
read_password(int fd, char *ret_line, size_t size)
{
    struct termios before, quiet;
    bool terminal = tcgetattr(fd, &before) == 0;
    size_t len = 0;
    ssize_t n = 1;

    if (terminal) {
        quiet = before;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        fputs("Password: ", stderr);
        tcsetattr(fd, TCSAFLUSH, &quiet);
    }
    while (n > 0 && len < size && memchr(ret_line, '\n', len) == NULL) {
        n = read(fd, ret_line + len, size - len);
        len += n > 0 ? (size_t)n : 0;
    }
    if (terminal) {
        tcsetattr(fd, TCSAFLUSH, &before);
        fputc('\n', stderr);
    }
    const char *end = memchr(ret_line, '\n', len);
    if (n < 0 || (end == NULL && len == size))
        return -1;
    return end != NULL ? end - ret_line : (ssize_t)len;
}

static const char *
password_fault(struct text password)
{
    if (!text_utf8_valid(password) || !text_is_nfc(password))
        return "the password is not UTF-8 in normal form C";
    for (size_t i = 0; i < password.len; i++) {
        if ((unsigned char)password.p[i] < 0x20 || password.p[i] == 0x7f)
            return "the password holds a control character";
    }
    size_t length = text_utf8_length(password);
    if (length < PASSWORD_MIN || length > PASSWORD_MAX)
        return "the password must have 8 to 128 characters";
    return NULL;
}

static int
hash_password(struct text password, char ret_phc[CTL_PHC_MAX])
{
    struct arena *a = arena_new((size_t)1 << 20);
    struct text phc;
    int status = EXIT_SUCCESS;

    if (password_is_weak(password, TEXT_NULL))
        ctl_fail(0, "warning: this is a common password");
    if (password_hash(a, password, &phc) == E_OK && phc.len < CTL_PHC_MAX)
        snprintf(ret_phc, CTL_PHC_MAX, "%.*s", TEXT_ARG(phc));
    else
        status = ctl_fail(EX_SOFTWARE, "the password could not be hashed");
    arena_free(a);
    return status;
}

int
ctl_password_phc(int fd, char ret_phc[CTL_PHC_MAX])
{
    char line[LINE_MAX_BYTES];
    ssize_t len = read_password(fd, line, sizeof line);

    if (len < 0)
        return ctl_fail(EX_DATAERR, "no password of at most 128 characters can be read");
    struct text password = {.p = line, .len = (size_t)len};
    const char *fault = password_fault(password);
    int status =
        fault != NULL ? ctl_fail(EX_DATAERR, "%s", fault) : hash_password(password, ret_phc);
    explicit_bzero(line, sizeof line);
    return status;
}

int
ctl_password_hash(int argc, char **argv)
{
    struct ctl_options o;
    char phc[CTL_PHC_MAX];
    int status = ctl_parse(argc, argv, CTL_CONFIG, 0, &o);

    if (status == 0)
        status = ctl_settings(o.config_file);
    if (status == 0)
        status = ctl_password_phc(STDIN_FILENO, phc);
    if (status == 0)
        puts(phc);
    return status;
}
