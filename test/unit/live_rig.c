#include "live_rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/list.h"

struct rig_worker {
    struct application application;
    struct rig *rig;
};

enum work {
    WORK_ECHO,
    WORK_CHUNKS,
    WORK_HEAD,
    WORK_SILENT,
    WORK_BEGIN,
    WORK_CUT,
    WORK_LARGE,
    WORK_ENDLESS,
    WORK_PIECES,
    WORK_PAUSES,
    WORK_UPLOAD,
    WORK_CALL
};

/* One request in hand. */
struct visit {
    struct rig *rig;
    struct client *client;
    enum work work;
    const struct http_head *head;
    struct buffer described;
    struct call call;
    size_t left;
    char target[256], method[16];
};

static void
check(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "rig: %s: %s\n", what, strerror(errno));
        abort();
    }
}

/* With one header of its own, one that the world writes itself, and one whose value tries to be two lines. */
static void
answer(struct visit *visit, unsigned status, int64_t len)
{
    static const struct http_header headers[] = {{SLICE_LITERAL("X-Own"), SLICE_LITERAL("yes")},
                                                 {SLICE_LITERAL("transfer-encoding"), SLICE_LITERAL("gzip")},
                                                 {SLICE_LITERAL("X-Sly"), SLICE_LITERAL("a\r\nX-Forged: b")}};

    client_answer(visit->client,
                  &(struct http_answer){.status = status, .headers = headers, .header_count = 3, .body_len = len});
}

static void
visit_free(struct visit *visit)
{
    buffer_free(&visit->described);
    free(visit);
}

static void
finish(struct visit *visit)
{
    client_finish(visit->client);
    visit_free(visit);
}

static void
pour(struct visit *visit)
{
    static const char bytes[16 * 1024];
    size_t taken;

    do {
        size_t offered = visit->left < sizeof(bytes) ? visit->left : sizeof(bytes);

        taken = client_write(visit->client, slice_make(bytes, offered));
        atomic_fetch_add(&visit->rig->written, taken);
        if (visit->work != WORK_ENDLESS)
            visit->left -= taken;
    } while (taken == sizeof(bytes));
    if (visit->left == 0)
        finish(visit);
}

static enum work
work_of(struct slice target)
{
    static const struct {
        const char *prefix;
        enum work work;
    } all[] = {{"/echo", WORK_ECHO},       {"/small", WORK_ECHO},    {"/chunks", WORK_CHUNKS}, {"/head", WORK_HEAD},
               {"/silent", WORK_SILENT},   {"/begin", WORK_BEGIN},   {"/cut", WORK_CUT},       {"/large", WORK_LARGE},
               {"/endless", WORK_ENDLESS}, {"/pieces", WORK_PIECES}, {"/pauses", WORK_PAUSES}, {"/call", WORK_CALL},
               {"/upload", WORK_UPLOAD}};

    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        if (slice_starts(target, all[i].prefix))
            return all[i].work;
    return WORK_HEAD;
}

/* A rig may be another one's backend: then what follows "/call" is for it. */
static bool
is_backend(const struct http_head *head)
{
    return slice_is(http_head_get(head, "host"), "backend.test");
}

static void
describe(struct visit *visit, const struct http_head *head)
{
    buffer_printf(&visit->described, "%.*s %.*s %lld\n", SLICE_ARGS(head->method), SLICE_ARGS(head->target),
                  (long long)head->body_len);
    for (size_t i = 0; i < head->header_count; i++)
        buffer_printf(&visit->described, "%.*s=%.*s\n", SLICE_ARGS(head->headers[i].name),
                      SLICE_ARGS(head->headers[i].value));
}

/* Holds up the whole loop. */
static void
stand_at_gate(struct rig *rig)
{
    unsigned number = atomic_fetch_add(&rig->at_gate, 1);
    struct timespec moment = {.tv_nsec = 1000000};

    while (atomic_load(&rig->let_through) <= number)
        nanosleep(&moment, NULL);
}

static enum body_mode
on_head(struct application *application, struct client *client, const struct http_head *head, size_t *body_most)
{
    struct rig *rig = CONTAINER_OF(application, struct rig_worker, application)->rig;
    struct visit *visit = calloc(1, sizeof(*visit));

    check(visit != NULL, "calloc");
    visit->rig = rig;
    visit->client = client;
    visit->work = work_of(is_backend(head) ? slice_from(head->target, strlen("/call")) : head->target);
    client->user = visit;
    snprintf(visit->target, sizeof(visit->target), "%.*s", SLICE_ARGS(head->target));
    snprintf(visit->method, sizeof(visit->method), "%.*s", SLICE_ARGS(head->method));
    describe(visit, head);
    atomic_fetch_add(&rig->heads, 1);
    if (slice_starts(head->target, "/gate"))
        stand_at_gate(rig);
    if (slice_starts(head->target, "/early") || slice_starts(head->target, "/gate")) {
        answer(visit, 401, 2);
        client_write(client, SLICE_LITERAL("no"));
        finish(visit);
        return BODY_REFUSED;
    }
    if (slice_starts(head->target, "/small"))
        *body_most = SMALL_MOST;
    if (visit->work == WORK_CHUNKS) {
        answer(visit, 200, -1);
        return BODY_STREAM;
    }
    return visit->work == WORK_PAUSES || visit->work == WORK_UPLOAD ? BODY_STREAM : BODY_COLLECT;
}

static void
call_head(struct call *call, const struct http_head *head)
{
    struct visit *visit = CONTAINER_OF(call, struct visit, call);

    atomic_store(&visit->rig->reused, call->reused);
    client_answer(visit->client, &(struct http_answer){.status = head->status, .body_len = head->body_len});
    if (atomic_load(&visit->rig->pause) != 0)
        visit->client->world->ops->call_pause(visit->client->world, call, true);
}

static void
call_body(struct call *call, struct slice piece)
{
    struct visit *visit = CONTAINER_OF(call, struct visit, call);

    atomic_fetch_add(&visit->rig->body_bytes, piece.len);
    buffer_add(&visit->described, piece);
    buffer_consume(&visit->described, client_write(visit->client, buffer_content(&visit->described)));
    if (buffer_len(&visit->described) > 0)
        visit->client->world->ops->call_pause(visit->client->world, call, true);
}

static void
call_end(struct call *call)
{
    struct visit *visit = CONTAINER_OF(call, struct visit, call);

    atomic_fetch_add(&visit->rig->ends, 1);
    visit->left = 0;
    if (buffer_len(&visit->described) == 0)
        finish(visit);
}

static void
call_failed(struct call *call, enum call_failure failure, const char *text)
{
    struct visit *visit = CONTAINER_OF(call, struct visit, call);
    struct rig *rig = visit->rig;

    snprintf(rig->failure_text, sizeof(rig->failure_text), "%s", text);
    atomic_store(&rig->failure, failure);
    atomic_store(&rig->request_byte_out, call->request_byte_out);
    atomic_store(&rig->answer_byte_in, call->answer_byte_in);
    atomic_store(&rig->reused, call->reused);
    atomic_fetch_add(&rig->failures, 1);
    if (call->head_us == 0) {
        answer(visit, 502, -1);
        client_write(visit->client, slice_of(text));
        finish(visit);
    } else {
        client_abort(visit->client);
        visit_free(visit);
    }
}

static const struct call_events call_events = {
    .head = call_head, .body = call_body, .end = call_end, .failed = call_failed};

static void
upload(struct visit *visit, struct slice piece, bool last)
{
    struct world *world = visit->client->world;
    struct call_request request = {.endpoint = &visit->rig->backend,
                                   .method = slice_of(visit->method),
                                   .target = slice_of(visit->target),
                                   .streamed = true,
                                   .stream_len = -1};

    if (visit->left == 0) { /* the first piece */
        buffer_clear(&visit->described);
        visit->left = 1;
        visit->call.events = &call_events;
        world->ops->call_open(world, &visit->call, &request);
    }
    check(world->ops->call_write(world, &visit->call, piece, last) == piece.len, "an upload beyond the buffer");
}

static void
make_call(struct visit *visit, struct chunk *body)
{
    struct body_part parts[] = {{SLICE_LITERAL("["), NULL}, {chunk_bytes(body), body}, {SLICE_LITERAL("]"), NULL}};
    bool bare = body->len == 0;
    struct call_request request = {.endpoint = &visit->rig->backend,
                                   .method = slice_of(visit->method),
                                   .target = slice_of(visit->target),
                                   .parts = bare ? NULL : parts,
                                   .part_count = bare ? 0 : 3};

    buffer_clear(&visit->described);
    visit->left = 1;
    visit->call.events = &call_events;
    visit->client->world->ops->call_open(visit->client->world, &visit->call, &request);
}

static void
cut(struct visit *visit)
{
    answer(visit, 200, -1);
    client_write(visit->client, SLICE_LITERAL("half"));
    client_abort(visit->client);
    visit_free(visit);
}

static void
on_request(struct application *application, struct client *client, struct chunk *body)
{
    struct visit *visit = client->user;

    (void)application;
    atomic_fetch_add(&visit->rig->body_bytes, body->len);
    switch (visit->work) {
    case WORK_ECHO:
        answer(visit, 200, (int64_t)body->len);
        check(client_write(client, chunk_bytes(body)) == body->len, "echo of a body beyond the buffer");
        finish(visit);
        break;
    case WORK_HEAD:
        answer(visit, 200, (int64_t)buffer_len(&visit->described));
        client_write(client, buffer_content(&visit->described));
        finish(visit);
        break;
    case WORK_BEGIN:
        answer(visit, 200, 10);
        client_write(client, SLICE_LITERAL("x"));
        break;
    case WORK_CUT:
        cut(visit);
        break;
    case WORK_LARGE:
        visit->left = LARGE_BYTES;
        answer(visit, 200, LARGE_BYTES);
        pour(visit);
        break;
    case WORK_ENDLESS:
        visit->left = SIZE_MAX;
        answer(visit, 200, -1);
        pour(visit);
        break;
    case WORK_PIECES:
        answer(visit, 200, -1);
        for (size_t i = 0; i < body->len; i++)
            client_write(client, slice_make(body->data + i, 1));
        finish(visit);
        break;
    case WORK_CALL:
        make_call(visit, body);
        break;
    case WORK_SILENT:
    case WORK_CHUNKS:
    case WORK_PAUSES:
    case WORK_UPLOAD:
        break;
    }
}

static void
on_body(struct application *application, struct client *client, struct slice piece, bool last)
{
    struct visit *visit = client->user;

    (void)application;
    atomic_fetch_add(&visit->rig->body_bytes, piece.len);
    if (visit->work == WORK_UPLOAD) {
        upload(visit, piece, last);
        return;
    }
    if (visit->work == WORK_PAUSES) {
        client->world->ops->client_pause(client->world, client, true);
        answer(visit, 200, 0);
        finish(visit);
        return;
    }
    if (piece.len > 0)
        client_write(client, piece);
    if (last)
        finish(visit);
}

static void
on_bad_body(struct application *application, struct client *client, unsigned status)
{
    struct visit *visit = client->user;

    (void)application;
    atomic_store(&visit->rig->last_bad_status, status);
    atomic_fetch_add(&visit->rig->bad_bodies, 1);
    if (visit->work == WORK_CHUNKS) {
        client_abort(client);
        visit_free(visit);
        return;
    }
    answer(visit, status, 3);
    client_write(client, SLICE_LITERAL("bad"));
    finish(visit);
}

static void
on_drained(struct application *application, struct client *client)
{
    struct visit *visit = client->user;

    (void)application;
    atomic_fetch_add(&visit->rig->drained, 1);
    if (visit->work != WORK_CALL && visit->work != WORK_UPLOAD) {
        pour(visit);
        return;
    }
    buffer_consume(&visit->described, client_write(client, buffer_content(&visit->described)));
    if (buffer_len(&visit->described) > 0)
        return;
    if (visit->left == 0)
        finish(visit);
    else
        client->world->ops->call_pause(client->world, &visit->call, false);
}

static void
on_gone(struct application *application, struct client *client)
{
    struct visit *visit = client->user;

    (void)application;
    client->world->ops->call_close(client->world, &visit->call);
    atomic_fetch_add(&visit->rig->gone, 1);
    visit_free(visit);
}

static const struct application_ops ops = {.head = on_head,
                                           .request = on_request,
                                           .body = on_body,
                                           .bad_body = on_bad_body,
                                           .drained = on_drained,
                                           .gone = on_gone};

static struct application *
application_of(void *context, struct world *world, size_t listener)
{
    struct rig *rig = context;
    struct rig_worker *worker = &rig->workers[world->worker];

    (void)listener;
    worker->application.ops = &ops;
    worker->application.world = world;
    worker->rig = rig;
    return &worker->application;
}

struct rig *
rig_new(struct live_options options)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    char problem[LIVE_PROBLEM_SIZE];
    enum status status;

    check(rig != NULL, "calloc");
    rig->workers = calloc(options.workers, sizeof(*rig->workers));
    rig->backend = (struct endpoint){.id = 1,
                                     .host = "127.0.0.1",
                                     .authority = "backend.test",
                                     .private_allowed = true,
                                     .connect_timeout_us = 10 * USEC_PER_S,
                                     .first_byte_timeout_us = 10 * USEC_PER_S,
                                     .idle_timeout_us = 10 * USEC_PER_S};
    options.context = rig;
    options.application = application_of;
    status = live_new(&options, &rig->live, problem);
    if (status != OK)
        fprintf(stderr, "%s\n", problem);
    check(status == OK, "live_new");
    live_start(rig->live);
    rig->port = live_port(rig->live, 0);
    return rig;
}

struct rig *
rig_plain(void)
{
    static const struct live_listener listener = {.address = "127.0.0.1"};

    return rig_new((struct live_options){.workers = 1, .listeners = &listener, .listener_count = 1});
}

void
rig_free(struct rig *rig)
{
    live_stop(rig->live, false);
    live_join(rig->live);
    live_free(rig->live);
    free(rig->workers);
    free(rig);
}

void
rig_wait(atomic_uint *counter, unsigned least)
{
    for (unsigned tries = 0; tries < 100000 && atomic_load(counter) < least; tries++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    check(atomic_load(counter) >= least, "a counter did not get there in time");
}

/* The sockets here have no timeouts: a call on one that has is not taken up again after an interruption, and newer libuv
 * interrupts the thread that made a loop (io_uring). What hangs is CTest's to end. */
static struct sockaddr_in
loopback(unsigned port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

int
rig_connect(unsigned port)
{
    struct sockaddr_in to = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    check(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0, "connect");
    return fd;
}

/* The peer may close before it has read all: that is no concern of the sender's. */
void
rig_send_bytes(int fd, const void *bytes, size_t len)
{
    const char *from = bytes;

    while (len > 0) {
        ssize_t sent = send(fd, from, len, MSG_NOSIGNAL);

        if (sent < 0)
            return;
        from += sent;
        len -= (size_t)sent;
    }
}

void
rig_send(int fd, const char *text)
{
    rig_send_bytes(fd, text, strlen(text));
}

struct buffer
rig_read_all(int fd)
{
    struct buffer all = {0};
    ssize_t got;

    while ((got = recv(fd, buffer_reserve(&all, 4096), 4096, 0)) > 0)
        all.end += (size_t)got;
    check(got == 0 || errno == ECONNRESET, "the peer does not close");
    close(fd);
    return all;
}

static bool
is_whole(struct slice text)
{
    size_t head = slice_find(text, SLICE_LITERAL("\r\n\r\n"));
    size_t at = slice_find(text, SLICE_LITERAL("Content-Length: "));

    if (head == text.len)
        return false;
    if (at >= head)
        return slice_ends(text, "0\r\n\r\n");
    return text.len >= head + 4 + strtoul(text.data + at + 16, NULL, 10);
}

struct buffer
rig_read_answer(int fd)
{
    struct buffer all = {0};

    while (buffer_len(&all) == 0 || !is_whole(buffer_content(&all))) {
        ssize_t got = recv(fd, buffer_reserve(&all, 1), 1, 0);

        check(got == 1, "the answer is not whole");
        all.end += (size_t)got;
    }
    buffer_add_byte(&all, '\0');
    all.end--;
    return all;
}

char *
rig_ask(unsigned port, const char *request)
{
    int fd = rig_connect(port);
    struct buffer all;

    rig_send(fd, request);
    all = rig_read_all(fd);
    buffer_add_byte(&all, '\0');
    return all.data;
}

int
rig_listen(unsigned *port)
{
    struct sockaddr_in at = loopback(0);
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    check(bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(fd, 16) == 0, "listen");
    check(getsockname(fd, (struct sockaddr *)&at, &len) == 0, "getsockname");
    *port = ntohs(at.sin_port);
    return fd;
}

int
rig_accept(int listener)
{
    int fd = accept(listener, NULL, NULL);

    check(fd >= 0, "accept");
    return fd;
}

void
rig_read_head(int fd)
{
    char last[4] = {0};

    while (memcmp(last, "\r\n\r\n", 4) != 0) {
        memmove(last, last + 1, 3);
        check(recv(fd, last + 3, 1, 0) == 1, "no whole head came");
    }
}
