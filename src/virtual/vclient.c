#include "virtual/vclient.h"

#include <stdlib.h>

#include "virtual/inside.h"
#include "virtual/served.h"

static const size_t window_usual = 64 * 1024;
static const usec stall_us = 30 * USEC_PER_S; /* how long the world waits for a body that does not come */

enum ending { WAITING, DONE, CUT, LEFT };

struct vclient {
    struct list node;
    struct history *history;
    unsigned number;
    struct vclient_script script; /* its texts belong to `head` and `request` */
    struct vhead head;
    struct buffer request;
    struct served *served; /* NULL before it has started */
    size_t sent;
    struct timer turn;    /* sends the head, then the next piece */
    struct timer leaving; /* leaves_after_us */
    struct timer reading; /* a new span to read in */
    char *leave_text;
    usec started_us, first_byte_us, ended_us;
    size_t read_now; /* of read_len in this span */
    struct vhead answer;
    struct buffer headers, body;
    enum ending ending;
};

static struct application *
application_of(struct vclient *client)
{
    struct virtual_world *world = virtual_world_of(history_world(client->history, client->script.worker));

    REFEREE(client->history, world->application != NULL, "no application serves worker %u", client->script.worker);
    return world->application;
}

static void
ended(struct vclient *client, enum ending ending)
{
    ENSURE(client->ending == WAITING);
    client->ending = ending;
    client->history->clients_waiting--;
    client->ended_us = client->history->now_us;
    history_cancel(client->history, &client->turn);
    history_cancel(client->history, &client->leaving);
    history_cancel(client->history, &client->reading);
}

/* Reading */

static void
read_head(void *reader, const struct http_answer *answer)
{
    struct vclient *client = reader;
    struct http_head head = {.status = answer->status,
                             .headers = answer->headers,
                             .header_count = answer->header_count,
                             .body_len = answer->body_len};

    history_log(client->history, "client %u got its head, %u", client->number, answer->status);
    vhead_copy(&client->answer, &head);
    vhead_print(&head, &client->headers);
}

static size_t
read_room(void *reader)
{
    struct vclient *client = reader;

    if (client->script.read_gap_us == 0)
        return SIZE_MAX;
    return client->script.read_len - client->read_now;
}

static bool
has_enough(const struct vclient *client)
{
    const struct vclient_script *script = &client->script;
    struct slice body = buffer_content(&client->body);

    if (script->leaves_at_byte != 0 && body.len >= script->leaves_at_byte)
        return true;
    return client->leave_text != NULL && slice_find(body, slice_of(client->leave_text)) < body.len;
}

static void
read_bytes(void *reader, struct slice bytes)
{
    struct vclient *client = reader;
    const struct vclient_script *script = &client->script;

    history_log(client->history, "client %u got %zu bytes", client->number, bytes.len);
    if (client->first_byte_us == 0)
        client->first_byte_us = client->history->now_us;
    if (script->leaves_at_byte != 0)
        bytes = slice_first(bytes, script->leaves_at_byte - buffer_len(&client->body));
    buffer_add(&client->body, bytes);
    client->read_now += bytes.len;
    if (has_enough(client))
        vclient_leave(client);
    else if (script->read_gap_us != 0 && !timer_running(&client->reading))
        history_schedule(client->history, &client->reading, script->read_gap_us);
}

static void
read_again(struct timer *timer)
{
    struct vclient *client = CONTAINER_OF(timer, struct vclient, reading);

    client->read_now = 0;
    served_poke(client->served);
}

static void
read_end(void *reader)
{
    struct vclient *client = reader;

    history_log(client->history, "client %u has its answer, %zu bytes", client->number, buffer_len(&client->body));
    ended(client, DONE);
}

static void
read_cut(void *reader)
{
    struct vclient *client = reader;

    history_log(client->history, "client %u is cut off after %zu bytes", client->number, buffer_len(&client->body));
    ended(client, CUT);
}

/* Sending */

static void
turn_soon(struct vclient *client)
{
    if (client->ending == WAITING && !timer_running(&client->turn))
        history_schedule(client->history, &client->turn, history_hop_us(client->history) + client->script.piece_gap_us);
}

static void
send_on(void *reader)
{
    turn_soon(reader);
}

static const struct reader_ops reader_ops = {
    .head = read_head, .room = read_room, .bytes = read_bytes, .end = read_end, .cut = read_cut, .resume = send_on};

static void
send_head(struct vclient *client)
{
    client->started_us = client->history->now_us;
    client->served = served_new(client->history, application_of(client), &client->head.head, &reader_ops, client,
                                client->number, client->script.window);
    if (client->script.leaves_after_us != 0)
        history_schedule(client->history, &client->leaving, client->script.leaves_after_us);
    served_open(client->served);
}

static void
send_piece(struct vclient *client)
{
    const struct vclient_script *script = &client->script;
    struct slice rest = slice_from(buffer_content(&client->request), client->sent);
    struct slice piece = script->piece_len != 0 ? slice_first(rest, script->piece_len) : rest;
    bool whole = piece.len == rest.len;

    if (whole && piece.len == 0 && script->body_breaks) {
        served_bad_body(client->served, 400);
        return;
    }
    if (whole && piece.len == 0 && script->body_stalls) {
        served_bad_body(client->served, 408);
        return;
    }
    client->sent += piece.len;
    served_body(client->served, piece, whole && !script->body_breaks && !script->body_stalls);
}

static void
turn(struct timer *timer)
{
    struct vclient *client = CONTAINER_OF(timer, struct vclient, turn);
    const struct vclient_script *script = &client->script;

    if (client->served == NULL)
        send_head(client);
    else if (served_wants(client->served))
        send_piece(client);
    if (!served_wants(client->served))
        return;
    if (script->body_stalls && client->sent == buffer_len(&client->request))
        history_schedule(client->history, &client->turn, stall_us);
    else
        turn_soon(client);
}

/* Leaving */

static void
time_to_leave(struct timer *timer)
{
    vclient_leave(CONTAINER_OF(timer, struct vclient, leaving));
}

void
vclient_leave(struct vclient *client)
{
    if (client->ending != WAITING)
        return;
    history_log(client->history, "client %u leaves", client->number);
    ended(client, LEFT);
    if (client->served != NULL)
        served_leave(client->served);
}

void
vclient_leave_all(struct history *history)
{
    LIST_EACH(&history->clients, node, after)
    vclient_leave(CONTAINER_OF(node, struct vclient, node));
}

/* Making and freeing */

static void
make_head(struct vclient *client)
{
    const struct vclient_script *script = &client->script;
    bool has_body = script->body.len != 0 || script->chunked;
    struct http_head start = {.method = slice_of(script->method), .target = slice_of(script->target)};

    if (script->method == NULL)
        start.method = has_body ? slice_of("POST") : slice_of("GET");
    start.body_len = script->chunked ? -1 : (int64_t)script->body.len;
    if (!script->chunked && (script->body_breaks || script->body_stalls))
        start.body_len++; /* the byte that does not come */
    vhead_parse(&client->head, &start, script->headers);
    buffer_add(&client->request, script->body);
}

struct vclient *
vclient_start(struct history *history, const struct vclient_script *script)
{
    struct vclient *client = must_calloc(1, sizeof(*client));

    ENSURE(script->target != NULL);
    ENSURE((script->read_gap_us == 0) == (script->read_len == 0));
    client->history = history;
    client->number = ++history->client_count;
    history->clients_waiting++;
    client->script = *script;
    if (client->script.window == 0)
        client->script.window = window_usual;
    if (script->leaves_at_text != NULL)
        client->leave_text = must_strdup(script->leaves_at_text);
    client->turn.fire = turn;
    client->leaving.fire = time_to_leave;
    client->reading.fire = read_again;
    make_head(client);
    list_append(&history->clients, &client->node);
    history_schedule(history, &client->turn, script->after_us + history_hop_us(history));
    return client;
}

static void
vclient_free(struct vclient *client)
{
    if (client->served != NULL)
        served_free(client->served);
    history_cancel(client->history, &client->turn);
    history_cancel(client->history, &client->leaving);
    history_cancel(client->history, &client->reading);
    vhead_free(&client->head);
    vhead_free(&client->answer);
    buffer_free(&client->request);
    buffer_free(&client->headers);
    buffer_free(&client->body);
    free(client->leave_text);
    free(client);
}

void
vclient_free_all(struct history *history)
{
    LIST_EACH(&history->clients, node, after)
    vclient_free(CONTAINER_OF(node, struct vclient, node));
}

/* What it has got */

unsigned
vclient_status(const struct vclient *client)
{
    return client->answer.head.status;
}

struct slice
vclient_header(const struct vclient *client, const char *name)
{
    return http_head_get(&client->answer.head, name);
}

struct slice
vclient_headers(const struct vclient *client)
{
    return buffer_content(&client->headers);
}

int64_t
vclient_body_len(const struct vclient *client)
{
    return client->answer.head.body_len;
}

struct slice
vclient_body(const struct vclient *client)
{
    return buffer_content(&client->body);
}

bool
vclient_done(const struct vclient *client)
{
    return client->ending == DONE;
}

bool
vclient_cut(const struct vclient *client)
{
    return client->ending == CUT;
}

bool
vclient_left(const struct vclient *client)
{
    return client->ending == LEFT;
}

bool
vclient_waits(const struct vclient *client)
{
    return client->ending == WAITING;
}

usec
vclient_started_us(const struct vclient *client)
{
    return client->started_us;
}

usec
vclient_first_byte_us(const struct vclient *client)
{
    return client->first_byte_us;
}

usec
vclient_ended_us(const struct vclient *client)
{
    return client->ended_us;
}
