/* A backend that is an application over the same history: a call becomes a client's request to it. */
#include <stdlib.h>

#include "virtual/served.h"
#include "virtual/vbackend_inside.h"

static const size_t window = 64 * 1024; /* of the answer in flight */

struct bridge {
    struct list node;
    struct vbackend *backend;
    struct vcall *call; /* NULL: over */
    struct served *served;
    struct memory *memory;
    size_t body_given;
    bool body_ended;
    struct timer turn;    /* hands the body over */
    struct timer leaving; /* after the call is over */
};

static void
turn_soon(struct bridge *bridge)
{
    if (bridge->call != NULL && !timer_running(&bridge->turn))
        history_schedule(bridge->backend->history, &bridge->turn, history_hop_us(bridge->backend->history));
}

/* The answer goes to the call, with the framing headers that a parsed answer has. */

static void
read_head(void *reader, const struct http_answer *answer)
{
    struct bridge *bridge = reader;
    struct http_head head = {.status = answer->status, .body_len = answer->body_len};
    struct buffer lines = {0};
    struct vhead framed;

    if (bridge->call == NULL)
        return;
    if (slice_is(bridge->call->head.head.method, "HEAD") || answer->status == 204 || answer->status == 304)
        head.body_len = 0;
    head.headers = answer->headers;
    head.header_count = answer->header_count;
    vhead_print(&head, &lines);
    if (answer->body_len >= 0)
        buffer_printf(&lines, "content-length: %lld\n", (long long)answer->body_len);
    else
        buffer_add_text(&lines, "transfer-encoding: chunked\n");
    buffer_add(&lines, SLICE_LITERAL("connection: keep-alive\n\0"));
    vhead_parse(&framed, &head, lines.data);
    vcall_give_head(bridge->call, &framed.head);
    vhead_free(&framed);
    buffer_free(&lines);
}

static size_t
read_room(void *reader)
{
    struct bridge *bridge = reader;

    return bridge->call != NULL ? vcall_room(bridge->call) : 0;
}

static void
read_bytes(void *reader, struct slice bytes)
{
    struct bridge *bridge = reader;

    vcall_give(bridge->call, bytes);
}

static void
read_end(void *reader)
{
    struct bridge *bridge = reader;

    if (bridge->call != NULL)
        vcall_give_end(bridge->call);
}

static void
read_cut(void *reader)
{
    struct bridge *bridge = reader;

    if (bridge->call != NULL)
        vcall_give_failure(bridge->call, CALL_BROKEN, "the peer closed the connection");
}

static void
read_on(void *reader)
{
    turn_soon(reader);
}

static const struct reader_ops reader_ops = {
    .head = read_head, .room = read_room, .bytes = read_bytes, .end = read_end, .cut = read_cut, .resume = read_on};

/* The request goes to the application. */

static void
turn(struct timer *timer)
{
    struct bridge *bridge = CONTAINER_OF(timer, struct bridge, turn);
    struct slice rest;

    if (bridge->body_ended || !served_wants(bridge->served))
        return;
    rest = slice_from(buffer_content(&bridge->call->body), bridge->body_given);
    if (rest.len == 0 && !bridge->call->body_whole)
        return;
    bridge->body_given += rest.len;
    bridge->body_ended = bridge->call->body_whole;
    served_body(bridge->served, rest, bridge->body_ended);
    vcall_took(bridge->call);
}

static void
leave(struct timer *timer)
{
    struct bridge *bridge = CONTAINER_OF(timer, struct bridge, leaving);

    served_leave(bridge->served);
    served_free(bridge->served);
    list_remove(&bridge->node);
    free(bridge);
}

/* The call's head as the application's server would parse it: with Host and framing. */
static void
open_request(struct bridge *bridge)
{
    const struct http_head *head = &bridge->call->head.head;
    struct buffer lines = {0};
    struct vhead framed;

    vhead_print(head, &lines);
    if (head->body_len >= 0)
        buffer_printf(&lines, "content-length: %lld\n", (long long)head->body_len);
    else
        buffer_add_text(&lines, "transfer-encoding: chunked\n");
    buffer_printf(&lines, "host: %s\n", bridge->backend->authority);
    buffer_add_byte(&lines, '\0');
    vhead_parse(&framed, head, lines.data);
    bridge->served = served_new(bridge->backend->history, bridge->backend->application, &framed.head, &reader_ops,
                                bridge, bridge->call->number + 1000000, window);
    vhead_free(&framed);
    buffer_free(&lines);
    served_open(bridge->served);
}

static void
arrive(struct vcall *call)
{
    struct bridge *bridge = must_calloc(1, sizeof(*bridge));

    bridge->backend = call->backend;
    bridge->call = call;
    bridge->turn.fire = turn;
    bridge->leaving.fire = leave;
    bridge->memory = memory_new(call->backend, call);
    list_append(&call->backend->runs, &bridge->node);
    call->run = bridge;
    open_request(bridge);
    turn_soon(bridge);
}

static void
more(struct vcall *call)
{
    struct bridge *bridge = call->run;

    memory_body(bridge->memory, call);
    turn_soon(bridge);
}

static void
room(struct vcall *call)
{
    struct bridge *bridge = call->run;

    served_poke(bridge->served);
}

static void
over(struct vcall *call)
{
    struct bridge *bridge = call->run;
    struct history *history = bridge->backend->history;

    memory_over(bridge->memory, call);
    bridge->call = NULL;
    history_cancel(history, &bridge->turn);
    history_schedule(history, &bridge->leaving, history_hop_us(history));
}

const struct answerer_ops bridge_ops = {.arrive = arrive, .more = more, .room = room, .over = over};

void
bridge_runs_free(struct vbackend *backend)
{
    LIST_EACH(&backend->runs, node, after)
    {
        struct bridge *bridge = CONTAINER_OF(node, struct bridge, node);

        history_cancel(backend->history, &bridge->turn);
        history_cancel(backend->history, &bridge->leaving);
        served_free(bridge->served);
        free(bridge);
    }
}
