#include "virtual/served.h"

#include <stdlib.h>

#include "virtual/inside.h"

static struct served *
served_of(struct client *client)
{
    return CONTAINER_OF(client, struct served, client);
}

static void pump(struct timer *timer);

struct served *
served_new(struct history *history, struct application *application, const struct http_head *head,
           const struct reader_ops *ops, void *reader, unsigned number, size_t window)
{
    struct served *served = must_calloc(1, sizeof(*served));

    ENSURE(application != NULL && window > 0);
    served->client.world = application->world;
    served->history = history;
    served->application = application;
    served->ops = ops;
    served->reader = reader;
    served->number = number;
    served->window = window;
    served->pump.fire = pump;
    served->bodyless = slice_is(head->method, "HEAD");
    snprintf(served->address.text, sizeof(served->address.text), "127.0.0.1:%u", 40000 + number % 20000);
    served->address.loopback = true;
    vhead_copy(&served->head, head);
    buffer_init(&served->body);
    buffer_init(&served->out);
    history->handles_open++;
    return served;
}

/* The application is done with it: no callback from now on, and the head's bytes are gone. */
static void
die(struct served *served)
{
    REFEREE(served->history, served->state != SERVED_DEAD, "client %u dies twice", served->number);
    served->state = SERVED_DEAD;
    served->client.user = NULL;
    served->history->handles_open--;
    vhead_free(&served->head);
    buffer_free(&served->body);
}

void
served_open(struct served *served)
{
    struct application *application = served->application;
    size_t most = 0;
    enum body_mode mode;

    history_log(served->history, "client %u: head %.*s %.*s", served->number, SLICE_ARGS(served->head.head.method),
                SLICE_ARGS(served->head.head.target));
    mode = application->ops->head(application, &served->client, &served->head.head, &most);
    if (served->state == SERVED_DEAD) {
        REFEREE(served->history, mode == BODY_REFUSED, "client %u was ended within `head`, but its body is wanted",
                served->number);
        return;
    }
    REFEREE(served->history, mode != BODY_COLLECT || application->ops->request != NULL, "nothing takes the request");
    REFEREE(served->history, mode != BODY_STREAM || application->ops->body != NULL, "nothing takes the body");
    served->mode = mode;
    served->body_most = most;
    served->state = mode == BODY_REFUSED ? SERVED_WHOLE : SERVED_BODY;
}

void
served_free(struct served *served)
{
    if (served->state != SERVED_DEAD)
        die(served);
    history_cancel(served->history, &served->pump);
    vhead_free(&served->answer);
    buffer_free(&served->out);
    free(served);
}

bool
served_wants(const struct served *served)
{
    return served->state == SERVED_BODY && !served->paused;
}

static void
collect(struct served *served, struct slice piece, bool last)
{
    struct application *application = served->application;
    struct chunk *chunk;

    if (served->head.head.body_len > (int64_t)served->body_most ||
        buffer_len(&served->body) + piece.len > served->body_most) {
        served_bad_body(served, 413);
        return;
    }
    buffer_add(&served->body, piece);
    if (!last)
        return;
    served->state = SERVED_WHOLE;
    history_log(served->history, "client %u: request with %zu bytes", served->number, buffer_len(&served->body));
    chunk = chunk_from(buffer_content(&served->body));
    buffer_free(&served->body);
    application->ops->request(application, &served->client, chunk);
    chunk_release(chunk);
}

/* A copy of its exact size; NULL for nothing. */
static char *
copy_of(struct slice bytes)
{
    char *copy = bytes.len != 0 ? must_alloc(bytes.len) : NULL;

    if (copy != NULL)
        memcpy(copy, bytes.data, bytes.len);
    return copy;
}

void
served_body(struct served *served, struct slice piece, bool last)
{
    struct application *application = served->application;
    char *copy;

    ENSURE(served_wants(served));
    if (served->mode == BODY_COLLECT) {
        collect(served, piece, last);
        return;
    }
    history_log(served->history, "client %u: %zu bytes of body%s", served->number, piece.len, last ? ", last" : "");
    if (last)
        served->state = SERVED_WHOLE;
    copy = copy_of(piece);
    application->ops->body(application, &served->client, (struct slice){copy, piece.len}, last);
    free(copy);
}

void
served_bad_body(struct served *served, unsigned status)
{
    struct application *application = served->application;

    if (served->state != SERVED_BODY)
        return;
    history_log(served->history, "client %u: bad body, %u", served->number, status);
    served->state = SERVED_WHOLE;
    REFEREE(served->history, application->ops->bad_body != NULL, "nothing takes a bad body");
    application->ops->bad_body(application, &served->client, status);
}

/* The reader's side */

static void
pump_soon(struct served *served)
{
    if (served->reader != NULL && !timer_running(&served->pump))
        history_schedule(served->history, &served->pump, history_hop_us(served->history));
}

static void
give_head(struct served *served)
{
    struct vhead answer = served->answer;
    struct http_answer given = {.status = answer.head.status,
                                .headers = answer.head.headers,
                                .header_count = answer.head.header_count,
                                .body_len = answer.head.body_len};

    served->answer = (struct vhead){0};
    served->answer_waits = false;
    served->ops->head(served->reader, &given);
    vhead_free(&answer);
}

static void
give_bytes(struct served *served)
{
    size_t room = served->ops->room(served->reader);
    struct slice bytes = slice_first(buffer_content(&served->out), room);
    char *copy = copy_of(bytes);

    buffer_consume(&served->out, bytes.len);
    if (bytes.len != 0)
        served->ops->bytes(served->reader, (struct slice){copy, bytes.len});
    free(copy);
}

/* An answer that ends, or is cut: what was unsent at an abort got lost, from a random place on. */
static void
give_end(struct served *served)
{
    void *reader = served->reader;

    served->reader = NULL;
    if (served->aborted)
        served->ops->cut(reader);
    else
        served->ops->end(reader);
}

static void
pump(struct timer *timer)
{
    struct served *served = CONTAINER_OF(timer, struct served, pump);
    struct application *application = served->application;

    if (served->answer_waits)
        give_head(served);
    else if (buffer_len(&served->out) != 0)
        give_bytes(served);
    if (served->reader == NULL)
        return;
    if (!served->answer_waits && buffer_len(&served->out) == 0 && served->ended) {
        give_end(served);
        return;
    }
    if (buffer_len(&served->out) != 0 && served->ops->room(served->reader) != 0)
        pump_soon(served);
    if (served->state != SERVED_DEAD && served->drain_owed && buffer_len(&served->out) < served->window) {
        served->drain_owed = false;
        history_log(served->history, "client %u: drained", served->number);
        application->ops->drained(application, &served->client);
    }
}

void
served_poke(struct served *served)
{
    if (buffer_len(&served->out) != 0)
        pump_soon(served);
}

void
served_leave(struct served *served)
{
    struct application *application = served->application;

    served->reader = NULL;
    history_cancel(served->history, &served->pump);
    buffer_clear(&served->out);
    if (served->state == SERVED_DEAD)
        return;
    history_log(served->history, "client %u: gone", served->number);
    application->ops->gone(application, &served->client);
    REFEREE(served->history, served->state != SERVED_DEAD, "client %u was ended within `gone`", served->number);
    die(served);
}

/* The operations of world.h */

static struct served *
checked(struct world *world, struct client *client, const char *what)
{
    struct served *served = served_of(client);
    struct history *history = virtual_world_of(world)->history;

    REFEREE(history, served->state != SERVED_DEAD, "client %u: %s after it ended", served->number, what);
    REFEREE(history, client->world == world, "client %u: %s from another worker's world", served->number, what);
    return served;
}

static void
check_answer(const struct served *served, const struct http_answer *answer)
{
    const char *fault = vhead_fault(answer->headers, answer->header_count);

    REFEREE(served->history, !served->answered, "client %u is answered twice", served->number);
    REFEREE(served->history, answer->status >= 200 && answer->status <= 599, "client %u: status %u", served->number,
            answer->status);
    REFEREE(served->history, answer->body_len >= -1, "client %u: body_len %lld", served->number,
            (long long)answer->body_len);
    REFEREE(served->history, fault == NULL, "client %u: headers of the answer: %s", served->number, fault);
}

void
served_answer(struct world *world, struct client *client, const struct http_answer *answer)
{
    struct served *served = checked(world, client, "client_answer");
    struct http_head head = {.status = answer->status,
                             .headers = answer->headers,
                             .header_count = answer->header_count,
                             .body_len = answer->body_len};

    check_answer(served, answer);
    history_log(served->history, "client %u: answered %u", served->number, answer->status);
    served->answered = true;
    served->promised = answer->body_len;
    if (answer->status == 204 || answer->status == 304)
        served->bodyless = true;
    vhead_copy(&served->answer, &head);
    served->answer_waits = true;
    pump_soon(served);
}

size_t
served_write(struct world *world, struct client *client, struct slice bytes)
{
    struct served *served = checked(world, client, "client_write");
    struct slice taken = slice_first(bytes, served->window - buffer_len(&served->out));

    REFEREE(served->history, served->answered, "client %u: client_write before client_answer", served->number);
    if (served->bodyless)
        return bytes.len; /* dropped, as on a socket: nobody may see it */
    REFEREE(served->history, served->promised < 0 || served->written + (int64_t)bytes.len <= served->promised,
            "client %u: more than the %lld bytes that were promised", served->number, (long long)served->promised);
    served->drain_owed = taken.len < bytes.len;
    served->written += (int64_t)taken.len;
    buffer_add(&served->out, taken);
    history_log(served->history, "client %u: written %zu of %zu", served->number, taken.len, bytes.len);
    pump_soon(served);
    return taken.len;
}

void
served_finish(struct world *world, struct client *client)
{
    struct served *served = checked(world, client, "client_finish");

    REFEREE(served->history, served->answered, "client %u: client_finish before client_answer", served->number);
    REFEREE(served->history, served->bodyless || served->promised < 0 || served->written == served->promised,
            "client %u: finished after %lld of %lld promised bytes", served->number, (long long)served->written,
            (long long)served->promised);
    history_log(served->history, "client %u: finished", served->number);
    served->ended = true;
    pump_soon(served);
    die(served);
}

void
served_abort(struct world *world, struct client *client)
{
    struct served *served = checked(world, client, "client_abort");
    size_t unsent = buffer_len(&served->out);

    history_log(served->history, "client %u: aborted", served->number);
    served->ended = served->aborted = true;
    served->out.end -= (size_t)rng_below(&served->history->rng, unsent + 1);
    pump_soon(served);
    die(served);
}

void
served_pause(struct world *world, struct client *client, bool paused)
{
    struct served *served = checked(world, client, "client_pause");

    REFEREE(served->history, served->state == SERVED_ASKING || served->mode == BODY_STREAM,
            "client %u: client_pause, but its body is not streamed", served->number);
    served->paused = paused;
    if (!paused && served->reader != NULL && served->ops->resume != NULL)
        served->ops->resume(served->reader);
}

const struct client_address *
served_address(struct world *world, struct client *client)
{
    return &checked(world, client, "client_address")->address;
}
