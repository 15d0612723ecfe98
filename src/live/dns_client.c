#define _GNU_SOURCE /* SOCK_CLOEXEC */
#include "live/dns_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/text.h"

/* One server may be asked so often, and may take so long each time: a datagram may be lost. */
enum { TRIES = 2, TCP_BYTES_MOST = 65535, USUAL_PORT = 53 };
static const usec PATIENCE_US = 2 * USEC_PER_S;

/* Servers */

static bool
add_server(struct dns_servers *servers, struct slice host, unsigned port)
{
    char text[64];
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};

    if (host.len >= sizeof(text) || servers->count == DNS_SERVERS_MOST)
        return false;
    memcpy(text, host.data, host.len);
    text[host.len] = '\0';
    if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
        memcpy(&servers->all[servers->count], &in, sizeof(in));
        servers->lens[servers->count++] = sizeof(in);
        return true;
    }
    if (inet_pton(AF_INET6, text, &in6.sin6_addr) != 1)
        return false;
    memcpy(&servers->all[servers->count], &in6, sizeof(in6));
    servers->lens[servers->count++] = sizeof(in6);
    return true;
}

enum status
dns_servers_of(struct dns_servers *servers, const char *text)
{
    struct slice host = slice_of(text), port = SLICE_NONE;
    bool bracketed = slice_starts(host, "[");
    size_t end = slice_find_byte(host, bracketed ? ']' : ':');
    uint64_t number = USUAL_PORT;

    *servers = (struct dns_servers){.count = 0};
    if (bracketed && end < host.len) {
        port = slice_from(host, end + 1);
        host = slice_first(slice_from(host, 1), end - 1);
    } else if (!bracketed && end < host.len &&
               slice_find_byte(slice_from(host, end + 1), ':') == slice_from(host, end + 1).len) {
        port = slice_from(host, end); /* with two colons it is an IPv6 address by itself */
        host = slice_first(host, end);
    }
    if (port.len > 0 && (port.data[0] != ':' || text_parse_u64(slice_from(port, 1), &number) != OK))
        return ERR_INVALID;
    if (number < 1 || number > 65535 || !add_server(servers, host, (unsigned)number))
        return ERR_INVALID;
    return OK;
}

void
dns_servers_of_system(struct dns_servers *servers, struct slice text)
{
    *servers = (struct dns_servers){.count = 0};
    while (text.data != NULL) {
        struct slice line = slice_trim(slice_split(&text, '\n'));

        if (slice_starts(line, "nameserver ") || slice_starts(line, "nameserver\t"))
            add_server(servers, slice_trim(slice_from(line, strlen("nameserver"))), USUAL_PORT);
    }
    if (servers->count == 0)
        add_server(servers, SLICE_LITERAL("127.0.0.1"), USUAL_PORT);
}

/* Sockets, each for one question */

static bool
is_ready(int fd, short events, usec until_us)
{
    for (;;) {
        usec left_us = until_us - clock_now_us();
        struct pollfd poll_fd = {.fd = fd, .events = events};
        int ready = left_us > 0 ? poll(&poll_fd, 1, (int)(left_us / USEC_PER_MS) + 1) : 0;

        if (ready == 0 || (ready < 0 && errno != EINTR))
            return false;
        if (ready > 0)
            return true;
    }
}

/* Connected, so that nobody else's datagrams come. */
static int
open_to(const struct dns_servers *servers, size_t at, int kind, usec until_us)
{
    int fd = socket(servers->all[at].ss_family, kind | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error = 0;
    socklen_t len = sizeof(error);

    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)&servers->all[at], servers->lens[at]) == 0)
        return fd;
    if (errno == EINPROGRESS && is_ready(fd, POLLOUT, until_us) &&
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0)
        return fd;
    close(fd);
    return -1;
}

struct question {
    const char *name;
    enum dns_type type;
    unsigned id;
    unsigned char bytes[2 + DNS_QUESTION_MOST]; /* behind their length, as TCP wants it */
    size_t len;
};

/* What is no answer to this question is passed over: it may be a late one to another. */
static enum status
ask_by_udp(const struct dns_servers *servers, size_t at, const struct question *question, struct buffer *message,
           struct dns_answer *answer)
{
    usec until_us = clock_now_us() + PATIENCE_US;
    int fd = open_to(servers, at, SOCK_DGRAM, until_us);
    enum status status = ERR_IO;

    if (fd >= 0 && send(fd, question->bytes + 2, question->len, MSG_NOSIGNAL) == (ssize_t)question->len) {
        while (status != OK && is_ready(fd, POLLIN, until_us)) {
            char *room = buffer_reserve(message, TCP_BYTES_MOST);
            ssize_t got = recv(fd, room, TCP_BYTES_MOST, 0);

            if (got < 0 && errno != EINTR && errno != EAGAIN)
                break; /* nobody listens there */
            if (got <= 0)
                continue;
            status =
                dns_answer_open(answer, slice_make(room, (size_t)got), question->id, question->name, question->type);
        }
    }
    if (fd >= 0)
        close(fd);
    return status;
}

static bool
receive(int fd, size_t len, usec until_us, struct buffer *out)
{
    while (buffer_len(out) < len) {
        ssize_t got;

        if (!is_ready(fd, POLLIN, until_us))
            return false;
        got = recv(fd, buffer_reserve(out, len), len - buffer_len(out), 0);
        if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN))
            return false;
        out->end += got > 0 ? (size_t)got : 0;
    }
    return true;
}

static enum status
ask_by_tcp(const struct dns_servers *servers, size_t at, const struct question *question, struct buffer *message,
           struct dns_answer *answer)
{
    usec until_us = clock_now_us() + PATIENCE_US;
    int fd = open_to(servers, at, SOCK_STREAM, until_us);
    enum status status = ERR_IO;
    struct slice got;
    size_t len;

    buffer_clear(message);
    if (fd >= 0 && send(fd, question->bytes, 2 + question->len, MSG_NOSIGNAL) == (ssize_t)(2 + question->len) &&
        receive(fd, 2, until_us, message)) {
        got = buffer_content(message);
        len = (size_t)(unsigned char)got.data[0] << 8 | (unsigned char)got.data[1];
        if (receive(fd, 2 + len, until_us, message))
            status = dns_answer_open(answer, slice_from(buffer_content(message), 2), question->id, question->name,
                                     question->type);
    }
    if (fd >= 0)
        close(fd);
    return status;
}

static enum status
ask_one(const struct dns_servers *servers, size_t at, const struct question *question, struct buffer *message,
        struct dns_answer *answer)
{
    enum status status = ERR_IO;

    for (unsigned i = 0; i < TRIES && status != OK; i++)
        status = ask_by_udp(servers, at, question, message, answer);
    if (status == OK && answer->truncated)
        status = ask_by_tcp(servers, at, question, message, answer);
    return status;
}

/* An error of a server's own (SERVFAIL, REFUSED) is no answer: another may know. */
enum { NO_SUCH_NAME = 3 };

static enum status
read_records(struct dns_answer *answer, enum dns_type type, struct arena *arena, struct dns_records *out)
{
    struct dns_answer counting = *answer;
    struct dns_record record;
    size_t count = 0, wanted = 0;
    enum status status;

    while (dns_answer_next(&counting, &record) == OK)
        count++;
    out->all = arena_alloc(arena, (count + 1) * sizeof(out->all[0]));
    out->count = 0;
    while ((status = dns_answer_next(answer, &record)) == OK) {
        wanted += record.type == (unsigned)type;
        out->all[out->count++] = record;
    }
    return status != ERR_NOT_FOUND ? status : wanted > 0 ? OK : ERR_NOT_FOUND;
}

enum status
dns_ask(const struct dns_servers *servers, const char *name, enum dns_type type, struct arena *arena,
        struct dns_records *out, const char **why)
{
    struct question question = {.name = name, .type = type};
    struct dns_answer answer = {.code = 0};
    struct buffer message = {0};
    enum status status = ERR_IO;
    uint16_t id = 0;

    if (getrandom(&id, sizeof(id), 0) != sizeof(id))
        return ERR_IO;
    question.id = id;
    question.len = dns_put_question(question.bytes + 2, id, name, type);
    question.bytes[0] = (unsigned char)(question.len >> 8);
    question.bytes[1] = (unsigned char)question.len;
    *why = arena_printf(arena, "'%s' is no name", name);
    if (question.len == 0)
        return ERR_INVALID;
    *why = arena_printf(arena, "no server of the DNS that was asked for '%s' answers", name);
    for (size_t i = 0; i < servers->count && (status != OK || (answer.code != 0 && answer.code != NO_SUCH_NAME)); i++)
        status = ask_one(servers, i, &question, &message, &answer);
    if (status == OK && answer.code == 0)
        status = read_records(&answer, type, arena, out);
    else if (status == OK)
        status = ERR_NOT_FOUND;
    if (answer.code != 0 && answer.code != NO_SUCH_NAME)
        *why = arena_printf(arena, "the server of the DNS cannot tell where '%s' leads (code %u)", name, answer.code);
    else if (status == ERR_NOT_FOUND)
        *why = arena_printf(arena, answer.code == NO_SUCH_NAME ? "there is no name '%s'" : "'%s' has no such records",
                            name);
    else if (status == ERR_INVALID)
        *why = arena_printf(arena, "what was answered for '%s' is no message of the DNS", name);
    buffer_free(&message);
    return status;
}
