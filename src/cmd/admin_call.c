#define _GNU_SOURCE /* SOCK_CLOEXEC */
#include "cmd/admin_call.h"

#include <errno.h>
#include <netdb.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/text.h"
#include "cmd/cmd.h"
#include "config/value.h"

enum { WAIT_S = 60, PIECE_BYTES = 16 * 1024, ANSWER_BYTES_MOST = 16 * 1024 * 1024 };

/* What getaddrinfo makes of other numbers is another port. */
static bool
is_port(const char *text)
{
    uint64_t port;

    return text_parse_u64(slice_of(text), &port) == OK && port >= 1 && port <= UINT16_MAX;
}

/* A listener's address may be written as a browser has it. */
static const char *
without_scheme(const char *address)
{
    static const char scheme[] = "http://";

    return slice_starts(slice_of(address), scheme) ? address + sizeof(scheme) - 1 : address;
}

/* "host:port", the host perhaps in brackets. */
static enum status
split_address(const char *address, char *host, size_t host_size, const char **port)
{
    const char *colon = strrchr(address, ':');
    size_t len = colon != NULL ? (size_t)(colon - address) : 0;

    if (colon == NULL || !is_port(colon + 1) || len >= host_size)
        return ERR_INVALID;
    if (len > 2 && address[0] == '[' && address[len - 1] == ']') {
        address++;
        len -= 2;
    }
    memcpy(host, address, len);
    host[len] = '\0';
    if (len == 0)
        memcpy(host, "127.0.0.1", sizeof("127.0.0.1"));
    *port = colon + 1;
    return OK;
}

static int
connect_to(const char *host, const char *port)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    const struct timeval patience = {.tv_sec = WAIT_S};
    struct addrinfo *found = NULL;
    int fd = -1;

    if (getaddrinfo(host, port, &hints, &found) != 0) {
        errno = EHOSTUNREACH; /* it says why in its own way */
        return -1;
    }
    for (const struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
            continue;
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        if (connect(fd, at->ai_addr, at->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    return fd;
}

static enum status
exchange_bytes(int fd, struct slice request, struct buffer *answer)
{
    while (request.len > 0) {
        ssize_t sent = send(fd, request.data, request.len, MSG_NOSIGNAL);

        if (sent <= 0)
            return ERR_IO;
        request = slice_from(request, (size_t)sent);
    }
    for (;;) {
        ssize_t got = recv(fd, buffer_reserve(answer, PIECE_BYTES), PIECE_BYTES, 0);

        if (got <= 0)
            return got == 0 ? OK : ERR_IO;
        answer->end += (size_t)got;
        if (buffer_len(answer) > ANSWER_BYTES_MOST)
            return ERR_LIMIT;
    }
}

static int
read_answer(struct slice whole, struct buffer *answer)
{
    size_t head = slice_find(whole, SLICE_LITERAL("\r\n\r\n"));
    struct slice body = slice_from(whole, head + 4);

    if (head < whole.len && slice_starts(whole, "HTTP/1.1 200")) {
        buffer_add(answer, body);
        return CMD_FINE;
    }
    if (head < whole.len && slice_starts(whole, "HTTP/1.1 422")) {
        buffer_add(answer, body);
        return CMD_CONFIG;
    }
    cmd_complain("the gateway answered: %.*s", SLICE_ARGS(slice_trim(head < whole.len ? body : whole)));
    return CMD_FAILED;
}

/* Who asks, for the log of changes: told, not proved. */
static void
put_user(struct buffer *request)
{
    const struct passwd *user = getpwuid(geteuid());

    if (user != NULL && value_is_name(slice_of(user->pw_name)))
        buffer_printf(request, "X-Equipoise-Who: %s\r\n", user->pw_name);
    else
        buffer_printf(request, "X-Equipoise-Who: user %lu\r\n", (unsigned long)geteuid());
}

static bool
somebody_listens(const char *address)
{
    char host[256];
    const char *port;
    int fd;

    if (split_address(without_scheme(address), host, sizeof(host), &port) != OK)
        return true; /* admin_call says what is wrong with it */
    fd = connect_to(host, port);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

bool
admin_answers(const char *address)
{
    struct arena arena = {0};
    bool answers = somebody_listens(address != NULL ? address : usual_admin(&arena));

    arena_wipe(&arena); /* the configuration was in it */
    return answers;
}

static int
call(const char *address, const char *method, const char *path, struct slice json, struct buffer *answer)
{
    struct buffer request = {0}, whole = {0};
    char host[256];
    const char *port;
    int fd, exit_status = CMD_FAILED;

    address = without_scheme(address);
    if (split_address(address, host, sizeof(host), &port) != OK) {
        cmd_complain("'%s' is not an address; expected HOST:PORT, the port from 1 to 65535, as %s", address,
                     USUAL_ADMIN);
        return CMD_USAGE;
    }
    buffer_printf(&request, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", method, path, address);
    put_user(&request);
    if (json.len > 0)
        buffer_printf(&request, "Content-Type: application/json\r\nContent-Length: %zu\r\n", json.len);
    buffer_add_text(&request, "\r\n");
    buffer_add(&request, json);
    fd = connect_to(host, port);
    if (fd < 0)
        cmd_complain("no gateway answers on %s: %s. Is it running, and is this the `admin` address "
                     "that it was started with (--admin)?",
                     address, strerror(errno));
    else if (exchange_bytes(fd, buffer_content(&request), &whole) != OK)
        cmd_complain("the gateway on %s broke off: %s", address, strerror(errno));
    else
        exit_status = read_answer(buffer_content(&whole), answer);
    if (fd >= 0)
        close(fd);
    buffer_free(&request);
    buffer_free(&whole);
    return exit_status;
}

int
admin_call(const char *address, const char *method, const char *path, struct slice json, struct buffer *answer)
{
    struct arena arena = {0};
    int exit_status = call(address != NULL ? address : usual_admin(&arena), method, path, json, answer);

    arena_wipe(&arena); /* the configuration was in it */
    return exit_status;
}

void
admin_say_recorded(struct slice answer)
{
    if (slice_find(answer, SLICE_LITERAL("\"recorded\":false")) < answer.len)
        cmd_complain("it holds, but the log of changes (changes.log in the data folder) could not be written; the "
                     "gateway's own log says why");
}
