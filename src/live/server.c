#include "live/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "live/connection.h"

enum { ACCEPTS_AT_ONCE = 64 };
#define AGAIN_US (100 * USEC_PER_MS) /* after the process ran out of files */

static void on_poll(uv_poll_t *handle, int status, int events);

static void
set_accepting(struct live_server *server, bool accepting)
{
    int failed;

    if (server->fd < 0 || server->accepting == accepting)
        return;
    server->accepting = accepting;
    failed = accepting ? uv_poll_start(&server->poll, UV_READABLE, on_poll) : uv_poll_stop(&server->poll);
    ENSURE(!failed);
}

static bool
has_room(const struct live_server *server)
{
    return server->world->connections < server->settings->connections_most;
}

static struct client_address
describe(const struct sockaddr_storage *from)
{
    struct client_address address = {.loopback = false};
    char host[INET6_ADDRSTRLEN] = "?";

    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)from;

        inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
        snprintf(address.text, sizeof(address.text), "%s:%u", host, ntohs(in->sin_port));
        address.loopback = (ntohl(in->sin_addr.s_addr) >> 24) == 127;
    } else {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)from;

        inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof(host));
        /* The kernel has filled it in: NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage) */
        snprintf(address.text, sizeof(address.text), "[%s]:%u", host, ntohs(in->sin6_port));
        address.loopback = IN6_IS_ADDR_LOOPBACK(&in->sin6_addr) ||
                           (IN6_IS_ADDR_V4MAPPED(&in->sin6_addr) && in->sin6_addr.s6_addr[12] == 127);
    }
    return address;
}

/* False when there is nobody more to accept for now. */
static bool
accept_one(struct live_server *server)
{
    struct sockaddr_storage from = {0};
    socklen_t len = sizeof(from);
    struct client_address address;
    int fd = accept4(server->fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            set_accepting(server, false);
            timers_start(&server->world->timers, &server->again, loop_now_us(server->world) + AGAIN_US);
        }
        /* A client that left while it waited concerns nobody. */
        return errno == ECONNABORTED || errno == EINTR;
    }
    address = describe(&from);
    connection_new(server, fd, &address);
    return true;
}

static void
on_poll(uv_poll_t *handle, int status, int events)
{
    struct live_server *server = handle->data;

    (void)status, (void)events;
    loop_enter(server->world);
    for (unsigned i = 0; i < ACCEPTS_AT_ONCE && has_room(server) && accept_one(server); i++)
        ;
    if (!has_room(server))
        set_accepting(server, false);
    loop_leave(server->world);
}

static void
accept_again(struct timer *timer)
{
    struct live_server *server = CONTAINER_OF(timer, struct live_server, again);

    if (has_room(server))
        set_accepting(server, true);
}

void
server_start(struct live_server *server)
{
    list_init(&server->connections);
    server->again.fire = accept_again;
    if (server->fd >= 0) {
        int failed = uv_poll_init(&server->world->loop, &server->poll, server->fd);

        ENSURE(!failed);
        server->poll.data = server;
        set_accepting(server, true);
    }
}

void
server_connection_gone(struct live_server *server)
{
    struct live_world *world = server->world;

    world->connections--;
    if (world->stopping || world->connections + 1 != server->settings->connections_most)
        return;
    for (size_t i = 0; i < world->server_count; i++)
        set_accepting(&world->servers[i], true);
}

void
server_drain(struct live_server *server)
{
    timers_stop(&server->world->timers, &server->again);
    if (server->fd >= 0) {
        uv_close((uv_handle_t *)&server->poll, NULL);
        close(server->fd);
        server->fd = -1;
        server->accepting = false;
    }
    LIST_EACH(&server->connections, node, after)
    connection_close_if_idle(CONTAINER_OF(node, struct connection, node));
}

void
server_cut(struct live_server *server)
{
    struct list *node;

    while ((node = list_first(&server->connections)) != NULL)
        connection_cut(CONTAINER_OF(node, struct connection, node));
}
