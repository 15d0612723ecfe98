#define _GNU_SOURCE /* SOCK_CLOEXEC */
#include "cmd/probe/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

enum { WAIT_MS = 1000, PIECE_BYTES = 16 * 1024, HEAD_BYTES_MOST = 16 * 1024 };

static struct sockaddr_in
local_address(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/* False when `until` has passed first. */
static bool
wait_for(int fd, short events, usec until)
{
    for (;;) {
        usec left_us = until - clock_now_us();
        struct pollfd poll_fd = {.fd = fd, .events = events};
        int ready;

        if (left_us <= 0)
            return false;
        ready = poll(&poll_fd, 1, (int)(left_us / USEC_PER_MS) + 1);
        if (ready > 0)
            return true;
        if (ready < 0 && errno != EINTR)
            return false;
    }
}

static enum status
connect_to(int fd, unsigned port, usec until)
{
    struct sockaddr_in address = local_address(port);
    int error = 0;
    socklen_t len = sizeof error;

    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return OK;
    if (errno != EINPROGRESS || !wait_for(fd, POLLOUT, until) ||
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0)
        return ERR_NOT_FOUND;
    return OK;
}

/* HTTP/1.0: the answer is neither chunked nor kept alive, so that it ends with the connection. */
static enum status
send_request(int fd, unsigned port, const char *path)
{
    char request[512];
    int len = snprintf(request, sizeof request,
                       "GET %s HTTP/1.0\r\nHost: 127.0.0.1:%u\r\nAccept: application/json\r\n\r\n", path, port);

    ENSURE(len > 0 && (size_t)len < sizeof request);
    return send(fd, request, (size_t)len, MSG_NOSIGNAL) == len ? OK : ERR_NOT_FOUND;
}

static enum status
receive_all(int fd, size_t most, usec until, struct buffer *answer)
{
    for (;;) {
        ssize_t got;

        if (!wait_for(fd, POLLIN, until))
            return ERR_NOT_FOUND;
        got = recv(fd, buffer_reserve(answer, PIECE_BYTES), PIECE_BYTES, 0);
        if (got == 0)
            return OK;
        if (got < 0 && errno != EINTR && errno != EAGAIN)
            return ERR_NOT_FOUND;
        answer->end += got > 0 ? (size_t)got : 0;
        if (buffer_len(answer) > most)
            return ERR_NOT_FOUND;
    }
}

static enum status
take_body(struct slice answer, struct buffer *body)
{
    size_t head = slice_find(answer, SLICE_LITERAL("\r\n\r\n"));

    if (head == answer.len || (!slice_starts(answer, "HTTP/1.0 200") && !slice_starts(answer, "HTTP/1.1 200")))
        return ERR_NOT_FOUND;
    buffer_add(body, slice_from(answer, head + 4));
    return OK;
}

enum status
probe_local(unsigned port, const char *path, size_t most, struct buffer *body)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    usec until = clock_now_us() + WAIT_MS * USEC_PER_MS;
    struct buffer answer;
    enum status status;

    if (fd < 0)
        return ERR_NOT_FOUND;
    buffer_init(&answer);
    status = connect_to(fd, port, until);
    if (status == OK)
        status = send_request(fd, port, path);
    if (status == OK)
        status = receive_all(fd, most + HEAD_BYTES_MOST, until, &answer);
    if (status == OK)
        status = take_body(buffer_content(&answer), body);
    buffer_free(&answer);
    close(fd);
    return status;
}

bool
probe_port_is_free(unsigned port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = local_address(port);
    int on = 1;
    bool is_free;

    if (fd < 0)
        return false;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    is_free = bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 1) == 0;
    close(fd);
    return is_free;
}
