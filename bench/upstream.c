/* bench_upstream: what stands behind the contenders where nginx cannot. It reads every request's body to its end; a request
 * with "stream":true gets a stream of server-sent events, "max_tokens" of them, at an exact pace; any other the answer of
 * --answer. Every event carries the time of its sending (see load/stream.h). One thread.
 *
 * All streams have the same pace, so the queue of what is due next is first in, first out. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_SECOND UINT64_C(1000000000)

enum { EVENTS_MOST = 256, HEAD_MOST = 16 * 1024, BODY_MOST = 64 * 1024 * 1024, STAMP_DIGITS = 16, PIECE_MOST = 2048 };

/* One connection, with what of its request has come and what of its answer could not be written yet. */
struct connection {
    struct connection *next_due; /* in the queue of streams */
    int fd;
    bool gone, queued;
    unsigned tokens_left;
    uint64_t due_ns;
    size_t in_len, in_size;
    size_t out_len, out_size;
    char *in, *out;
};

struct upstream {
    int epoll, listener;
    struct connection *first_due, *last_due;
    uint64_t interval_ns;
    char *answer; /* head and body */
    size_t answer_len;
    char token[PIECE_MOST]; /* one event as a chunk */
    size_t token_len, stamp_at;
    char end[PIECE_MOST]; /* the last events and the end of the body */
    size_t end_len;
};

static const char stream_head[] = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n"
                                  "transfer-encoding: chunked\r\n\r\n";
static const char event_before[] = "{\"id\":\"chatcmpl-bench0000000000000001\",\"object\":\"chat.completion.chunk\","
                                   "\"created\":1767225600,\"model\":\"bench-1\",\"service_tier\":\"default\",";
static const char event_token[] = "\"system_fingerprint\":\"0000000000000000\",\"choices\":[{\"index\":0,"
                                  "\"delta\":{\"content\":\" balance\"},\"logprobs\":null,\"finish_reason\":null}]}";
static const char event_stop[] =
    "\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}]}";
static const char event_usage[] = "\"choices\":[],\"usage\":{\"prompt_tokens\":212,\"completion_tokens\":250,"
                                  "\"total_tokens\":462,\"prompt_tokens_details\":{\"cached_tokens\":128}}}";

static void
die(const char *what)
{
    fprintf(stderr, "bench_upstream: %s%s%s\n", what, errno != 0 ? ": " : "", errno != 0 ? strerror(errno) : "");
    exit(1);
}

static uint64_t
clock_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * NS_PER_SECOND + (uint64_t)time.tv_nsec;
}

static void
grow(char **data, size_t *size, size_t needed)
{
    if (needed <= *size)
        return;
    while (*size < needed)
        *size = *size == 0 ? 4096 : 2 * *size;
    *data = realloc(*data, *size);
    if (*data == NULL)
        die("no memory");
}

/* A connection still in the queue is freed when its turn comes. */
static void
connection_close(struct connection *connection)
{
    if (!connection->gone)
        close(connection->fd);
    connection->gone = true;
    if (connection->queued)
        return;
    free(connection->in);
    free(connection->out);
    free(connection);
}

static void
watch(struct upstream *upstream, struct connection *connection, int operation)
{
    struct epoll_event event = {.events = EPOLLIN | (connection->out_len > 0 ? EPOLLOUT : 0), .data.ptr = connection};

    epoll_ctl(upstream->epoll, operation, connection->fd, &event);
}

static void
connection_write(struct upstream *upstream, struct connection *connection, const char *data, size_t len)
{
    ssize_t written = 0;

    if (connection->out_len == 0)
        written = send(connection->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (written < 0)
        written = 0; /* if it is broken, reading will say so */
    if ((size_t)written == len)
        return;
    grow(&connection->out, &connection->out_size, connection->out_len + len - (size_t)written);
    memcpy(connection->out + connection->out_len, data + written, len - (size_t)written);
    connection->out_len += len - (size_t)written;
    watch(upstream, connection, EPOLL_CTL_MOD);
}

static void
connection_flush(struct upstream *upstream, struct connection *connection)
{
    ssize_t written = send(connection->fd, connection->out, connection->out_len, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (written <= 0)
        return;
    connection->out_len -= (size_t)written;
    memmove(connection->out, connection->out + written, connection->out_len);
    if (connection->out_len == 0)
        watch(upstream, connection, EPOLL_CTL_MOD);
}

static void
queue_stream(struct upstream *upstream, struct connection *connection)
{
    connection->next_due = NULL;
    connection->queued = true;
    if (upstream->first_due == NULL)
        upstream->first_due = connection;
    else
        upstream->last_due->next_due = connection;
    upstream->last_due = connection;
}

static void
send_token(struct upstream *upstream, struct connection *connection)
{
    uint64_t stamp_ns = clock_ns();

    for (int i = STAMP_DIGITS - 1; i >= 0; i--, stamp_ns >>= 4)
        upstream->token[upstream->stamp_at + (size_t)i] = "0123456789abcdef"[stamp_ns & 15];
    connection_write(upstream, connection, upstream->token, upstream->token_len);
    if (--connection->tokens_left == 0) {
        connection_write(upstream, connection, upstream->end, upstream->end_len);
    } else {
        connection->due_ns += upstream->interval_ns;
        queue_stream(upstream, connection);
    }
}

static void
send_what_is_due(struct upstream *upstream)
{
    while (upstream->first_due != NULL && upstream->first_due->due_ns <= clock_ns()) {
        struct connection *connection = upstream->first_due;
        upstream->first_due = connection->next_due;
        connection->queued = false;
        if (connection->gone)
            connection_close(connection);
        else
            send_token(upstream, connection);
    }
}

static unsigned
number_after(const char *body, const char *name)
{
    const char *at = strstr(body, name);

    return at == NULL ? 0 : (unsigned)strtoul(at + strlen(name), NULL, 10);
}

/* A whole request is there, its body NUL-terminated. */
static void
answer(struct upstream *upstream, struct connection *connection, const char *body)
{
    if (strstr(body, "\"stream\":true") == NULL) {
        connection_write(upstream, connection, upstream->answer, upstream->answer_len);
        return;
    }
    connection->tokens_left = number_after(body, "\"max_tokens\":");
    if (connection->tokens_left == 0)
        connection->tokens_left = 1;
    connection_write(upstream, connection, stream_head, sizeof(stream_head) - 1);
    connection->due_ns = clock_ns() + upstream->interval_ns;
    queue_stream(upstream, connection);
}

/* The body's length, -1 if the head does not say it. */
static long
content_length(const char *head)
{
    for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n"))
        if (strncasecmp(line + 2, "content-length:", 15) == 0)
            return strtol(line + 17, NULL, 10);
    return -1;
}

/* Answers what is complete. False: the request cannot be understood. */
static bool
take_requests(struct upstream *upstream, struct connection *connection)
{
    while (connection->in_len > 0) {
        char *head_end, *body, after;
        long body_len;

        connection->in[connection->in_len] = '\0';
        head_end = strstr(connection->in, "\r\n\r\n");
        if (head_end == NULL)
            return connection->in_len < HEAD_MOST;
        *head_end = '\0';
        body_len = content_length(connection->in);
        *head_end = '\r';
        if (body_len < 0 || body_len > BODY_MOST)
            return false;
        body = head_end + 4;
        if ((size_t)(body - connection->in) + (size_t)body_len > connection->in_len) {
            grow(&connection->in, &connection->in_size, (size_t)(body - connection->in) + (size_t)body_len + 1);
            return true;
        }
        after = body[body_len];
        body[body_len] = '\0';
        answer(upstream, connection, body);
        body[body_len] = after;
        connection->in_len -= (size_t)(body - connection->in) + (size_t)body_len;
        memmove(connection->in, body + body_len, connection->in_len);
    }
    return true;
}

static void
connection_read(struct upstream *upstream, struct connection *connection)
{
    ssize_t got;

    grow(&connection->in, &connection->in_size, connection->in_len + 4096);
    got = recv(connection->fd, connection->in + connection->in_len, connection->in_size - connection->in_len - 1,
               MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got > 0)
        connection->in_len += (size_t)got;
    if (got <= 0 || !take_requests(upstream, connection))
        connection_close(connection);
}

static void
accept_connections(struct upstream *upstream)
{
    int fd, on = 1;

    /* The kernel keeps each connection: NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    while ((fd = accept4(upstream->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct connection *connection = calloc(1, sizeof(*connection));
        if (connection == NULL)
            die("no memory");
        connection->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        watch(upstream, connection, EPOLL_CTL_ADD);
    }
}

static void
start_to_listen(struct upstream *upstream, const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    int on = 1;

    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    upstream->epoll = epoll_create1(EPOLL_CLOEXEC);
    upstream->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(upstream->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(upstream->listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(upstream->listener, 1024) != 0)
        die("cannot listen");
    epoll_ctl(upstream->epoll, EPOLL_CTL_ADD, upstream->listener, &event);
}

static void
read_answer(struct upstream *upstream, const char *name)
{
    FILE *file = fopen(name, "rb");
    char body[64 * 1024];
    size_t len;

    if (file == NULL)
        die(name);
    len = fread(body, 1, sizeof(body), file);
    fclose(file);
    upstream->answer = malloc(len + 256);
    if (upstream->answer == NULL)
        die("no memory");
    upstream->answer_len = (size_t)sprintf(
        upstream->answer, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n", len);
    memcpy(upstream->answer + upstream->answer_len, body, len);
    upstream->answer_len += len;
}

/* Writes an event as a chunk of its own, as model servers do. */
static size_t
write_event(char *out, const char *fields)
{
    size_t len = sizeof("data: \n\n") - 1 + sizeof(event_before) - 1 + strlen(fields);

    return (size_t)sprintf(out, "%zx\r\ndata: %s%s\n\n\r\n", len, event_before, fields);
}

static void
prepare_events(struct upstream *upstream)
{
    upstream->token_len = write_event(upstream->token, event_token);
    upstream->stamp_at = (size_t)(strstr(upstream->token, "\"0000000000000000\"") + 1 - upstream->token);
    upstream->end_len = write_event(upstream->end, event_stop);
    upstream->end_len += write_event(upstream->end + upstream->end_len, event_usage);
    upstream->end_len += (size_t)sprintf(upstream->end + upstream->end_len, "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n");
}

static void
wait_for_events(struct upstream *upstream)
{
    struct epoll_event events[EVENTS_MOST];
    struct timespec timeout = {0};
    uint64_t now_ns = clock_ns();
    int count;

    if (upstream->first_due != NULL && upstream->first_due->due_ns > now_ns) {
        timeout.tv_sec = (time_t)((upstream->first_due->due_ns - now_ns) / NS_PER_SECOND);
        timeout.tv_nsec = (long)((upstream->first_due->due_ns - now_ns) % NS_PER_SECOND);
    }
    count = epoll_pwait2(upstream->epoll, events, EVENTS_MOST, upstream->first_due == NULL ? NULL : &timeout, NULL);
    for (int i = 0; i < count; i++) {
        struct connection *connection = events[i].data.ptr;
        if (connection == NULL) {
            accept_connections(upstream);
            continue;
        }
        if (events[i].events & EPOLLOUT)
            connection_flush(upstream, connection);
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            connection_read(upstream, connection);
    }
}

int
main(int argc, char **argv)
{
    static struct upstream upstream;

    errno = 0;
    if (argc != 4 || strtod(argv[3], NULL) <= 0)
        die("usage: bench_upstream PORT ANSWER-FILE TOKENS-PER-SECOND");
    upstream.interval_ns = (uint64_t)((double)NS_PER_SECOND / strtod(argv[3], NULL));
    read_answer(&upstream, argv[2]);
    prepare_events(&upstream);
    start_to_listen(&upstream, argv[1]);
    prctl(PR_SET_TIMERSLACK, 1UL);
    for (;;) {
        wait_for_events(&upstream);
        send_what_is_due(&upstream);
    }
}
