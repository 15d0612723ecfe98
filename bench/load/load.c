#include "load/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "load/answer.h"

#define NS_PER_SECOND UINT64_C(1000000000)

enum { EVENTS_MOST = 256, READ_SIZE = 64 * 1024, NUMBER_DIGITS = 16, FAILURES_MOST = 1000 };

/* After the last request is sent, answers may take this long. */
static const uint64_t grace_ns = 20 * NS_PER_SECOND;

struct load;

/* Connected, unless fd is -1; busy from a request's sending to its answer's end. */
struct connection {
    struct load *load;
    int fd;
    bool busy, waits_to_write;
    char *request; /* its own copy, as the number differs */
    size_t written;
    uint64_t due_ns;
    struct answer answer;
    size_t body_len;
    bool body_differs;
    struct stream stream;
};

struct load {
    const struct load_options *options;
    struct load_result *result;
    int epoll;
    struct connection *connections;
    unsigned *idle; /* stack of connections to send on, open loop only */
    unsigned idle_count, busy_count;
    uint64_t now_ns, start_ns, record_from_ns, end_ns, last_answer_ns;
    uint64_t sent;
    size_t number_at; /* in the request; its length if there is no place for a number */
    char read_buffer[READ_SIZE];
};

static const char *const failure_names[FAILURE_KINDS] = {
    [FAILED_CONNECT] = "connect", [FAILED_CLOSED] = "closed", [FAILED_STATUS] = "status",
    [FAILED_FRAMING] = "framing", [FAILED_BODY] = "body",     [FAILED_LATE] = "late",
};

const char *
failure_name(enum failure failure)
{
    return failure_names[failure];
}

static uint64_t
clock_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * NS_PER_SECOND + (uint64_t)time.tv_nsec;
}

static uint64_t
failures_of(const struct load *load)
{
    uint64_t sum = 0;

    for (int i = 0; i < FAILURE_KINDS; i++)
        sum += load->result->failures[i];
    return sum;
}

__attribute__((format(printf, 3, 4))) static void
note_failure(struct load *load, enum failure failure, const char *format, ...)
{
    struct load_result *result = load->result;
    va_list args;

    result->failures[failure]++;
    if (result->first_failure[0] != '\0')
        return;
    va_start(args, format);
    vsnprintf(result->first_failure, sizeof(result->first_failure), format, args);
    va_end(args);
}

/* Connecting on a loopback takes microseconds, so it may block. */
static void
connection_open(struct connection *connection)
{
    struct load *load = connection->load;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(load->options->port)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    int on = 1;

    inet_pton(AF_INET, load->options->address, &address.sin_addr);
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0 || connect(connection->fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        note_failure(load, FAILED_CONNECT, "cannot connect: %s", strerror(errno));
        if (connection->fd >= 0)
            close(connection->fd);
        connection->fd = -1;
        return;
    }
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    epoll_ctl(load->epoll, EPOLL_CTL_ADD, connection->fd, &event);
    connection->waits_to_write = false;
}

static void
connection_close(struct connection *connection)
{
    close(connection->fd);
    connection->fd = -1;
}

static void
connection_set_waits_to_write(struct connection *connection, bool waits)
{
    struct epoll_event event = {.events = EPOLLIN | (waits ? EPOLLOUT : 0), .data.ptr = connection};

    if (connection->waits_to_write == waits)
        return;
    connection->waits_to_write = waits;
    epoll_ctl(connection->load->epoll, EPOLL_CTL_MOD, connection->fd, &event);
}

static void
connection_write(struct connection *connection)
{
    size_t len = connection->load->options->request.len;

    while (connection->written < len) {
        ssize_t written = send(connection->fd, connection->request + connection->written, len - connection->written,
                               MSG_DONTWAIT | MSG_NOSIGNAL);
        if (written < 0)
            break; /* a broken connection is noticed by reading */
        connection->written += (size_t)written;
    }
    connection_set_waits_to_write(connection, connection->written < len);
}

static void
write_number(char *at, uint64_t number)
{
    for (int i = NUMBER_DIGITS - 1; i >= 0; i--, number >>= 4)
        at[i] = "0123456789abcdef"[number & 15];
}

/* Sends the next request. False: there is no connection to send it on. */
static bool
connection_send(struct connection *connection, uint64_t due_ns)
{
    struct load *load = connection->load;

    if (connection->fd < 0)
        connection_open(connection);
    if (connection->fd < 0)
        return false;
    load->sent++;
    if (load->number_at < load->options->request.len)
        write_number(connection->request + load->number_at, load->sent);
    answer_reset(&connection->answer);
    connection->busy = true;
    connection->due_ns = due_ns;
    connection->written = connection->body_len = 0;
    connection->body_differs = false;
    connection->stream = (struct stream){0};
    load->busy_count++;
    connection_write(connection);
    return true;
}

/* When the next request of the open loop is due. */
static uint64_t
next_due_ns(const struct load *load)
{
    return load->start_ns + (uint64_t)((double)load->sent * (double)NS_PER_SECOND / load->options->rate);
}

/* Whether another request is to be sent, now or later. In the open loop what is due before the end counts, even if it
 * can only leave after it. */
static bool
may_send(const struct load *load)
{
    const struct load_options *options = load->options;
    uint64_t next_ns = options->rate > 0 ? next_due_ns(load) : load->now_ns;

    return next_ns < load->end_ns && (options->requests_most == 0 || load->sent < options->requests_most) &&
           failures_of(load) < FAILURES_MOST;
}

/* The connection has nothing to do any more: closed loop, on with the next request. */
static void
connection_rest(struct connection *connection)
{
    struct load *load = connection->load;

    connection->busy = false;
    load->busy_count--;
    if (load->options->rate > 0)
        load->idle[load->idle_count++] = (unsigned)(connection - load->connections);
    else if (may_send(load))
        connection_send(connection, load->now_ns);
}

static void
connection_fail(struct connection *connection)
{
    connection_close(connection);
    connection_rest(connection);
}

static void
take_body(void *user, const char *data, size_t len)
{
    struct connection *connection = user;
    struct load *load = connection->load;
    struct bytes expected = load->options->expected;

    if (load->options->stream_tokens > 0)
        stream_feed(&connection->stream, &load->result->streams, data, len, load->now_ns);
    else if (expected.data != NULL && (connection->body_len + len > expected.len ||
                                       memcmp(expected.data + connection->body_len, data, len) != 0))
        connection->body_differs = true;
    connection->body_len += len;
}

/* Whether the whole answer is what was asked for; if not, says why. */
static bool
check_answer(struct connection *connection)
{
    struct load *load = connection->load;
    const struct load_options *options = load->options;
    const struct stream *stream = &connection->stream;

    if (connection->answer.status != 200) {
        note_failure(load, FAILED_STATUS, "status %u", connection->answer.status);
        return false;
    }
    if (options->stream_tokens > 0 && (stream->tokens != options->stream_tokens || !stream->done)) {
        note_failure(load, FAILED_BODY, "a stream of %u tokens instead of %u%s", stream->tokens, options->stream_tokens,
                     stream->done ? "" : ", without its end");
        return false;
    }
    if (options->expected.data != NULL && (connection->body_differs || connection->body_len != options->expected.len)) {
        note_failure(load, FAILED_BODY, "a body of %zu bytes that differs from what was expected (%zu bytes)",
                     connection->body_len, options->expected.len);
        return false;
    }
    return true;
}

static void
book_answer(struct connection *connection)
{
    struct load *load = connection->load;
    struct load_result *result = load->result;
    bool streamed = load->options->stream_tokens > 0;

    result->answers_all++;
    load->last_answer_ns = load->now_ns;
    if (streamed)
        stream_end(&connection->stream, &result->streams);
    if (connection->due_ns < load->record_from_ns)
        return;
    result->answers++;
    histogram_add(&result->latency, (streamed ? connection->stream.first_ns : load->now_ns) - connection->due_ns);
}

static void
end_answer(struct connection *connection)
{
    bool closes = connection->answer.closes;

    if (check_answer(connection))
        book_answer(connection);
    if (closes)
        connection_close(connection);
    connection_rest(connection);
}

static void
take_in(struct connection *connection, const char *data, size_t len)
{
    struct load *load = connection->load;
    size_t taken = connection->busy ? answer_feed(&connection->answer, data, len, take_body, connection) : 0;

    if (!connection->busy || connection->answer.state == ANSWER_MALFORMED ||
        (taken < len && connection->answer.state == ANSWER_COMPLETE)) {
        note_failure(load, FAILED_FRAMING, "an answer that does not read as HTTP/1.1: %.*s",
                     (int)(len < 200 ? len : 200), data);
        if (connection->busy)
            connection_fail(connection);
    } else if (connection->answer.state == ANSWER_COMPLETE) {
        end_answer(connection);
    }
}

/* An idle connection that the server closes is no failure: it may, and the next request opens another. */
static void
connection_lost(struct connection *connection)
{
    if (!connection->busy) {
        connection_close(connection);
        return;
    }
    note_failure(connection->load, FAILED_CLOSED, "the connection was closed before the answer was complete");
    connection_fail(connection);
}

static void
on_event(struct connection *connection, uint32_t events)
{
    struct load *load = connection->load;
    ssize_t got;

    if (connection->fd < 0)
        return;
    if ((events & EPOLLOUT) && connection->busy)
        connection_write(connection);
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return;
    got = recv(connection->fd, load->read_buffer, sizeof(load->read_buffer), MSG_DONTWAIT);
    if (got > 0) {
        load->now_ns = clock_ns();
        take_in(connection, load->read_buffer, (size_t)got);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        connection_lost(connection);
    }
}

/* Open loop: sends what is due, as far as there are connections to send it on. */
static void
send_what_is_due(struct load *load)
{
    while (load->idle_count > 0 && may_send(load) && next_due_ns(load) <= load->now_ns) {
        struct connection *connection = &load->connections[load->idle[--load->idle_count]];
        if (!connection_send(connection, next_due_ns(load))) {
            load->idle[load->idle_count++] = (unsigned)(connection - load->connections);
            return;
        }
    }
}

static void
wait_for_events(struct load *load)
{
    struct epoll_event events[EVENTS_MOST];
    uint64_t until_ns = load->now_ns < load->end_ns ? load->end_ns : load->end_ns + grace_ns, wait_ns;
    struct timespec timeout;
    int count;

    if (load->options->rate > 0 && load->idle_count > 0 && may_send(load) && next_due_ns(load) < until_ns)
        until_ns = next_due_ns(load);
    load->now_ns = clock_ns();
    wait_ns = until_ns > load->now_ns ? until_ns - load->now_ns : 0;
    timeout.tv_sec = (time_t)(wait_ns / NS_PER_SECOND);
    timeout.tv_nsec = (long)(wait_ns % NS_PER_SECOND);
    count = epoll_pwait2(load->epoll, events, EVENTS_MOST, &timeout, NULL);
    for (int i = 0; i < count; i++)
        on_event(events[i].data.ptr, events[i].events);
    load->now_ns = clock_ns();
}

static void
open_connections(struct load *load)
{
    const struct load_options *options = load->options;

    for (unsigned i = 0; i < options->connections; i++) {
        struct connection *connection = &load->connections[i];
        connection->load = load;
        connection->fd = -1;
        connection->request = malloc(options->request.len);
        memcpy(connection->request, options->request.data, options->request.len);
        connection_open(connection);
        load->idle[load->idle_count++] = i;
    }
}

static void
close_connections(struct load *load)
{
    for (unsigned i = 0; i < load->options->connections; i++) {
        if (load->connections[i].fd >= 0)
            close(load->connections[i].fd);
        free(load->connections[i].request);
    }
}

static size_t
find_number(struct bytes request)
{
    static const char zeros[] = "0000000000000000";
    const char *at = memmem(request.data, request.len, zeros, NUMBER_DIGITS);

    return at == NULL ? request.len : (size_t)(at - request.data);
}

static void
start(struct load *load)
{
    const struct load_options *options = load->options;

    load->now_ns = load->start_ns = clock_ns();
    load->record_from_ns = load->start_ns + (uint64_t)(options->warm_up_seconds * (double)NS_PER_SECOND);
    load->end_ns = load->record_from_ns + (uint64_t)(options->seconds * (double)NS_PER_SECOND);
    if (options->rate > 0)
        return;
    load->idle_count = 0;
    for (unsigned i = 0; i < options->connections && may_send(load); i++)
        connection_send(&load->connections[i], load->now_ns);
}

/* Open loop: requests that were due and found no connection until the end count as failed too. */
static void
note_late(struct load *load)
{
    uint64_t due = 0;

    if (load->options->rate > 0 && load->options->requests_most == 0)
        due = (uint64_t)((load->options->seconds + load->options->warm_up_seconds) * load->options->rate);
    due = due > load->sent ? due - load->sent : 0;
    if (load->busy_count + due == 0)
        return;
    note_failure(load, FAILED_LATE, "%u requests were not answered in time, %llu found no connection", load->busy_count,
                 (unsigned long long)due);
    load->result->failures[FAILED_LATE] += load->busy_count + due - 1;
}

void
load_run(const struct load_options *options, struct load_result *result)
{
    struct load *load = calloc(1, sizeof(*load));

    load->options = options;
    load->result = result;
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    load->connections = calloc(options->connections, sizeof(*load->connections));
    load->idle = calloc(options->connections, sizeof(*load->idle));
    load->number_at = find_number(options->request);
    prctl(PR_SET_TIMERSLACK, 1UL); /* ns: requests leave when they are due, not when it suits the kernel */
    open_connections(load);
    if (result->failures[FAILED_CONNECT] == 0) {
        start(load);
        while (load->now_ns < load->end_ns + grace_ns && (load->busy_count > 0 || may_send(load))) {
            wait_for_events(load);
            if (options->rate > 0)
                send_what_is_due(load);
        }
        note_late(load);
        if (load->last_answer_ns > load->record_from_ns)
            result->elapsed_seconds = (double)(load->last_answer_ns - load->record_from_ns) / (double)NS_PER_SECOND;
    }
    close_connections(load);
    close(load->epoll);
    free(load->connections);
    free(load->idle);
    free(load);
}
