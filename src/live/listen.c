#include "live/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4096 }; /* the kernel cuts it to net.core.somaxconn */

static enum status
look_up(const struct live_listener *listener, struct addrinfo **found, char *problem)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    char port[16];
    int failed;

    snprintf(port, sizeof(port), "%u", listener->port);
    failed = getaddrinfo(listener->address, port, &hints, found);
    if (failed == 0)
        return OK;
    snprintf(problem, LIVE_PROBLEM_SIZE,
             "'%s' is not an address of this machine to listen on (%s). Use an address such as 127.0.0.1 or 0.0.0.0.",
             listener->address, gai_strerror(failed));
    return ERR_INVALID;
}

static void
set_flag(int fd, int level, int name, int value)
{
    int failed = setsockopt(fd, level, name, &value, sizeof(value));

    ENSURE(!failed);
}

/* `shared`: others of ours listen on the same port. -1: errno says why. */
static int
bind_one(const struct addrinfo *at, unsigned port, bool shared)
{
    struct sockaddr_storage address = {0};
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    memcpy(&address, at->ai_addr, at->ai_addrlen);
    if (at->ai_family == AF_INET6) {
        ((struct sockaddr_in6 *)&address)->sin6_port = htons((uint16_t)port);
        set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    } else {
        ((struct sockaddr_in *)&address)->sin_port = htons((uint16_t)port);
    }
    set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (shared)
        set_flag(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    set_flag(fd, IPPROTO_TCP, TCP_NODELAY, 1); /* accepted sockets inherit it */
    if (bind(fd, (struct sockaddr *)&address, at->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    close(fd);
    return -1;
}

static unsigned
port_of(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof(address);
    int failed = getsockname(fd, (struct sockaddr *)&address, &len);

    ENSURE(!failed);
    /* The kernel has filled it in: NOLINTBEGIN(clang-analyzer-core.CallAndMessage) */
    return address.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&address)->sin6_port)
                                         : ntohs(((struct sockaddr_in *)&address)->sin_port);
    /* NOLINTEND(clang-analyzer-core.CallAndMessage) */
}

/* With SO_REUSEPORT a second program of the same user would share our port unnoticed; without, it is refused. */
static bool
is_free(const struct addrinfo *at, unsigned port)
{
    int fd;

    if (port == 0)
        return true;
    fd = bind_one(at, port, false);
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

static enum status
bind_all(const struct addrinfo *at, unsigned count, int *fds, unsigned *port)
{
    if (!is_free(at, *port))
        return ERR_IO;
    for (unsigned i = 0; i < count; i++) {
        fds[i] = bind_one(at, *port, true);
        if (fds[i] < 0) {
            int error = errno;

            while (i-- > 0)
                close(fds[i]);
            errno = error;
            return ERR_IO;
        }
        *port = port_of(fds[i]);
    }
    return OK;
}

enum status
listen_open(const struct live_listener *listener, unsigned count, int *fds, unsigned *port, char *problem)
{
    struct addrinfo *found = NULL;
    enum status status = look_up(listener, &found, problem);

    if (status != OK)
        return status;
    *port = listener->port;
    status = bind_all(found, count, fds, port);
    if (status != OK)
        snprintf(problem, LIVE_PROBLEM_SIZE, "cannot listen on %s port %u: %s. %s", listener->address, listener->port,
                 strerror(errno),
                 errno == EADDRINUSE ? "Stop the program that has the port, or choose another port."
                                     : "Choose another address or port.");
    freeaddrinfo(found);
    return status;
}
