/* The listening socket of a pool: handed over by whoever started us, or bound here. Always a unix
 * socket: on TCP any neighbour could speak FastCGI to a worker and name itself any client. */
#ifndef LECTERN_BIN_LISTENER_H
#define LECTERN_BIN_LISTENER_H

#include <stdbool.h>
#include <sys/types.h>

#define LISTENER_BACKLOG 511

struct listener {
    int fd;           /* non-blocking, close-on-exec */
    const char *path; /* bound by us, to be removed at exit; NULL when inherited */
    dev_t device;     /* of the bound socket file */
    ino_t inode;
};

/* Tried in this order: LISTEN_FDS (sd_listen_fds(3), exactly one), file descriptor 0 when it is a
 * listening socket (spawn-fcgi; then 0 becomes /dev/null), `socket_path`. An inherited listener
 * wins over the path, which may be NULL or "". The path is bound under a temporary name with
 * `mode`, listens, and is then renamed over what socket was there, so that no client ever meets a
 * path that does not answer; anything there that is not a socket is left alone and refused. The
 * path must outlive the listener. Returns 0, or after a log line EX_USAGE (nothing to listen on),
 * EX_CONFIG (refused: TCP, not listening, several, not a socket, too long) or EX_OSERR. */
int listener_open(const char *socket_path, mode_t mode, struct listener *ret_listener);

/* Close it; remove the path if it still is the socket bound here. Twice is harmless. */
void listener_close(struct listener *l);

#endif
