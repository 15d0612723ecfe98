#include "toy.h"

#include <stdlib.h>

#include "base/buffer.h"

static const size_t body_most_usual = 1 << 20;

struct echo {
    struct list node;
    struct client *client;
    struct buffer rest; /* of the answer */
    bool body_over;     /* nothing is added to it any more */
};

static struct toy *
toy_of(struct application *application)
{
    return CONTAINER_OF(application, struct toy, application);
}

static void
echo_free(struct echo *echo)
{
    list_remove(&echo->node);
    buffer_free(&echo->rest);
    free(echo);
}

/* Writes what there is room for; finishes when all is out. */
static void
echo_on(struct echo *echo)
{
    buffer_consume(&echo->rest, client_write(echo->client, buffer_content(&echo->rest)));
    if (!echo->body_over || buffer_len(&echo->rest) != 0)
        return;
    client_finish(echo->client);
    echo_free(echo);
}

static void
answer(struct client *client, unsigned status, int64_t body_len)
{
    struct http_header type = {SLICE_LITERAL("content-type"), SLICE_LITERAL("text/plain")};

    client_answer(client, &(struct http_answer){status, &type, 1, body_len});
}

static enum body_mode
echo_head(struct application *application, struct client *client, const struct http_head *head, size_t *body_most)
{
    struct toy *toy = toy_of(application);
    struct echo *echo;

    if (slice_is(head->target, "/refuse")) {
        answer(client, 403, 0);
        client_finish(client);
        return BODY_REFUSED;
    }
    echo = must_calloc(1, sizeof(*echo));
    echo->client = client;
    client->user = echo;
    list_append(&toy->exchanges, &echo->node);
    *body_most = toy->body_most != 0 ? toy->body_most : body_most_usual;
    if (toy->mode == BODY_STREAM)
        answer(client, 200, -1);
    return toy->mode;
}

static void
give_vice(struct toy *toy, struct client *client, struct slice body)
{
    struct http_header framing = {SLICE_LITERAL("Content-Length"), SLICE_LITERAL("1")};
    struct http_header broken = {SLICE_LITERAL("x-a"), SLICE_LITERAL("1\r\nx-b: 2")};

    if (toy->vice == VICE_WRITES_FIRST)
        (void)client_write(client, body);
    if (toy->vice == VICE_SENDS_FRAMING)
        client_answer(client, &(struct http_answer){200, &framing, 1, -1});
    if (toy->vice == VICE_BREAKS_HEADER)
        client_answer(client, &(struct http_answer){200, &broken, 1, -1});
    answer(client, 200, (int64_t)body.len);
    if (toy->vice == VICE_ANSWERS_TWICE)
        answer(client, 200, (int64_t)body.len);
    if (toy->vice == VICE_FINISHES_SHORT)
        client_finish(client);
    (void)client_write(client, body);
    if (toy->vice == VICE_WRITES_TOO_MUCH)
        (void)client_write(client, body);
    client_finish(client);
    if (toy->vice == VICE_WRITES_AFTER_FINISH)
        (void)client_write(client, body);
    if (toy->vice == VICE_FINISHES_TWICE)
        client_finish(client);
}

static void
echo_request(struct application *application, struct client *client, struct chunk *body)
{
    struct toy *toy = toy_of(application);
    struct echo *echo = client->user;

    if (toy->vice == VICE_FORGETS)
        return;
    if (toy->vice != VICE_NONE) {
        give_vice(toy, client, chunk_bytes(body));
        return;
    }
    echo->body_over = true;
    buffer_add(&echo->rest, chunk_bytes(body));
    answer(client, 200, (int64_t)body->len);
    echo_on(echo);
}

static void
go_on(struct timer *timer)
{
    struct toy *toy = CONTAINER_OF(timer, struct toy, pause);

    LIST_EACH(&toy->exchanges, node, after)
    {
        struct client *client = CONTAINER_OF(node, struct echo, node)->client;

        client->world->ops->client_pause(client->world, client, false);
    }
}

static void
echo_body(struct application *application, struct client *client, struct slice piece, bool last)
{
    struct toy *toy = toy_of(application);
    struct echo *echo = client->user;

    buffer_add(&echo->rest, piece);
    echo->body_over = last;
    if (!last && toy->pauses_left > 0) {
        toy->pauses_left--;
        client->world->ops->client_pause(client->world, client, true);
        world_timer_start(client->world, &toy->pause, 20 * USEC_PER_MS);
    }
    echo_on(echo);
}

static void
echo_bad_body(struct application *application, struct client *client, unsigned status)
{
    struct toy *toy = toy_of(application);

    toy->bad_bodies++;
    echo_free(client->user);
    if (toy->mode == BODY_STREAM) {
        client_abort(client); /* it is answered already */
        return;
    }
    answer(client, status, 0);
    client_finish(client);
}

static void
echo_drained(struct application *application, struct client *client)
{
    toy_of(application)->drains++;
    echo_on(client->user);
}

static void
echo_gone(struct application *application, struct client *client)
{
    toy_of(application)->gone++;
    echo_free(client->user);
}

static const struct application_ops echo_ops = {.head = echo_head,
                                                .request = echo_request,
                                                .body = echo_body,
                                                .bad_body = echo_bad_body,
                                                .drained = echo_drained,
                                                .gone = echo_gone};

void
toy_echo_init(struct toy *toy, struct world *world)
{
    *toy = (struct toy){.application = {.ops = &echo_ops, .world = world}, .mode = BODY_COLLECT};
    toy->pause.fire = go_on;
    list_init(&toy->exchanges);
}

/* The proxy */

struct forward {
    struct list node;
    struct toy_proxy *proxy;
    struct client *client;
    struct call call;
    struct buffer rest; /* of the answer, not yet written */
    const struct http_head *head;
    bool answered, ended;
};

static struct forward *
forward_of(struct call *call)
{
    return CONTAINER_OF(call, struct forward, call);
}

static void
forward_free(struct forward *forward)
{
    list_remove(&forward->node);
    buffer_free(&forward->rest);
    free(forward);
}

/* Pauses the call while the client is slower. */
static void
forward_on(struct forward *forward)
{
    struct world *world = forward->proxy->application.world;

    buffer_consume(&forward->rest, client_write(forward->client, buffer_content(&forward->rest)));
    if (forward->ended && buffer_len(&forward->rest) == 0) {
        client_finish(forward->client);
        forward_free(forward);
        return;
    }
    if (forward->ended)
        return;
    if (buffer_len(&forward->rest) != 0)
        forward->proxy->pauses++;
    world->ops->call_pause(world, &forward->call, buffer_len(&forward->rest) != 0);
}

static void
call_head(struct call *call, const struct http_head *head)
{
    struct forward *forward = forward_of(call);
    struct http_header type = {SLICE_LITERAL("content-type"), http_head_get(head, "content-type")};

    forward->answered = true;
    client_answer(forward->client, &(struct http_answer){head->status, &type, 1, head->body_len});
}

static void
call_body(struct call *call, struct slice piece)
{
    struct forward *forward = forward_of(call);

    buffer_add(&forward->rest, piece);
    forward_on(forward);
}

static void
call_end(struct call *call)
{
    struct forward *forward = forward_of(call);

    forward->ended = true;
    forward_on(forward);
}

static void
call_failed(struct call *call, enum call_failure failure, const char *text)
{
    struct forward *forward = forward_of(call);

    (void)failure;
    (void)text;
    forward->proxy->failures++;
    if (forward->answered) {
        client_abort(forward->client);
    } else {
        answer(forward->client, 502, 0);
        client_finish(forward->client);
    }
    forward_free(forward);
}

static const struct call_events call_events = {
    .head = call_head, .body = call_body, .end = call_end, .failed = call_failed};

static enum body_mode
proxy_head(struct application *application, struct client *client, const struct http_head *head, size_t *body_most)
{
    struct toy_proxy *proxy = CONTAINER_OF(application, struct toy_proxy, application);
    struct forward *forward = must_calloc(1, sizeof(*forward));

    forward->proxy = proxy;
    forward->client = client;
    forward->head = head;
    forward->call.events = &call_events;
    client->user = forward;
    list_append(&proxy->exchanges, &forward->node);
    *body_most = body_most_usual;
    return BODY_COLLECT;
}

static void
proxy_request(struct application *application, struct client *client, struct chunk *body)
{
    struct toy_proxy *proxy = CONTAINER_OF(application, struct toy_proxy, application);
    struct forward *forward = client->user;
    struct body_part part = {chunk_bytes(body), body};
    struct call_request request = {.endpoint = proxy->endpoint,
                                   .method = forward->head->method,
                                   .target = forward->head->target,
                                   .parts = &part,
                                   .part_count = 1};

    application->world->ops->call_open(application->world, &forward->call, &request);
}

static void
proxy_bad_body(struct application *application, struct client *client, unsigned status)
{
    (void)application;
    answer(client, status, 0);
    forward_free(client->user);
    client_finish(client);
}

static void
proxy_drained(struct application *application, struct client *client)
{
    (void)application;
    forward_on(client->user);
}

static void
proxy_gone(struct application *application, struct client *client)
{
    struct forward *forward = client->user;

    application->world->ops->call_close(application->world, &forward->call);
    forward_free(forward);
}

static const struct application_ops proxy_ops = {.head = proxy_head,
                                                 .request = proxy_request,
                                                 .bad_body = proxy_bad_body,
                                                 .drained = proxy_drained,
                                                 .gone = proxy_gone};

void
toy_proxy_init(struct toy_proxy *proxy, struct world *world, const struct endpoint *endpoint)
{
    *proxy = (struct toy_proxy){.application = {.ops = &proxy_ops, .world = world}, .endpoint = endpoint};
    list_init(&proxy->exchanges);
}
