#include "bin/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/log.h"

static int
system_fault(const char *step, const char *path)
{
    log_event(LOG_L_ERROR, "the listener cannot be made", LOG_Z("step", step), LOG_Z("path", path),
              LOG_Z("reason", strerrordesc_np(errno)));
    return EX_OSERR;
}

static int
refuse(const char *message)
{
    log_event(LOG_L_ERROR, message, LOG_END);
    return EX_CONFIG;
}

static bool
is_listening(int fd)
{
    int listening = 0;
    socklen_t len = sizeof listening;

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 && listening != 0;
}

static int
check_inherited(int fd)
{
    int domain = 0, type = 0;
    socklen_t len = sizeof domain;

    if (!is_listening(fd))
        return refuse("the inherited descriptor is not a listening socket");
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) != 0)
        return system_fault("getsockopt", NULL);
    len = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0)
        return system_fault("getsockopt", NULL);
    if (domain == AF_INET || domain == AF_INET6)
        return refuse("a TCP listener is refused: FastCGI is served on a unix socket only");
    if (domain != AF_UNIX || type != SOCK_STREAM)
        return refuse("the inherited listener is not a unix stream socket");
    return 0;
}

static int
make_own(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    /* Several workers wake for one connection: the ones that come late must not block in accept,
     * where they would not hear the signal to leave. */
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        return system_fault("fcntl", NULL);
    return 0;
}

/* Take the listener off descriptor 0, so that nothing mistakes it for input. */
static int
move_from_stdin(int *ret_fd)
{
    int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (fd < 0)
        return system_fault("dup", NULL);
    *ret_fd = fd;

    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0)
        return system_fault("/dev/null", NULL);
    close(null);
    return 0;
}

/* *ret_fd stays -1 when nothing was handed over. */
static int
inherit(int *ret_fd)
{
    int count = sd_listen_fds(1);
    int fd = count > 0 ? SD_LISTEN_FDS_START : STDIN_FILENO;

    if (count < 0)
        return refuse("LISTEN_FDS is not valid");
    if (count > 1)
        return refuse("more than one listener was handed over");
    if (count == 0 && !is_listening(STDIN_FILENO))
        return 0;
    int status = check_inherited(fd);
    if (status == 0 && count == 0)
        status = move_from_stdin(&fd);
    if (status == 0)
        status = make_own(fd);
    if (status == 0)
        *ret_fd = fd;
    return status;
}

static int
bind_and_listen(int fd, const struct sockaddr_un *address, mode_t mode)
{
    mode_t previous = umask((mode_t)(~mode & 0777));
    int bound = bind(fd, (const struct sockaddr *)address, sizeof *address);

    umask(previous);
    return bound == 0 ? listen(fd, LISTENER_BACKLOG) : -1;
}

static int
bind_path(const char *path, mode_t mode, struct listener *ret_listener)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat st;
    int n = snprintf(address.sun_path, sizeof address.sun_path, "%s.%ld", path, (long)getpid());

    if (n < 0 || (size_t)n >= sizeof address.sun_path)
        return refuse("the path of the socket is too long");
    if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
        return refuse("the path of the socket names something that is not a socket");
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return system_fault("socket", path);
    unlink(address.sun_path); /* left by a process of the same number that was killed here */
    if (bind_and_listen(fd, &address, mode) != 0 || lstat(address.sun_path, &st) != 0 ||
        rename(address.sun_path, path) != 0) {
        int status = system_fault("bind", path);
        unlink(address.sun_path);
        close(fd);
        return status;
    }
    *ret_listener =
        (struct listener){.fd = fd, .path = path, .device = st.st_dev, .inode = st.st_ino};
    return 0;
}

int
listener_open(const char *socket_path, mode_t mode, struct listener *ret_listener)
{
    bool has_path = socket_path != NULL && socket_path[0] != '\0';
    int fd = -1;
    int status = inherit(&fd);

    *ret_listener = (struct listener){.fd = fd};
    if (status != 0)
        return status;
    if (fd >= 0) {
        if (has_path)
            log_event(LOG_L_INFO, "a listener was inherited: the socket path is not used",
                      LOG_Z("path", socket_path));
        return 0;
    }
    if (has_path)
        return bind_path(socket_path, mode, ret_listener);
    log_event(LOG_L_ERROR,
              "nothing to listen on: give --socket, or a listening unix socket as LISTEN_FDS or "
              "descriptor 0",
              LOG_END);
    return EX_USAGE;
}

void
listener_close(struct listener *l)
{
    struct stat st;

    if (l->path != NULL && lstat(l->path, &st) == 0 && st.st_dev == l->device &&
        st.st_ino == l->inode)
        unlink(l->path);
    l->path = NULL;
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}
