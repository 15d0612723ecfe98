#include "virtual/vcall.h"

#include <stdlib.h>

#include "virtual/vbackend.h"
#include "virtual/vbackend_inside.h"

static const size_t window = 64 * 1024; /* of either direction */

struct piece {
    struct list node;
    size_t len;
    char bytes[];
};

static struct vcall *
vcall_of(struct call *call)
{
    return call->inside;
}

static void
turn_soon(struct vcall *call)
{
    if (call->call != NULL && !timer_running(&call->turn))
        history_schedule(call->history, &call->turn, history_hop_us(call->history));
}

static void
limit_start(struct vcall *call, usec limit_us)
{
    history_cancel(call->history, &call->limit);
    if (limit_us > 0 && limit_us != USEC_NEVER && !(call->paused && call->head_given))
        history_schedule(call->history, &call->limit, limit_us);
}

/* The end of a call */

static void
bury(struct corpse *corpse)
{
    struct vcall *call = CONTAINER_OF(corpse, struct vcall, corpse);

    LIST_EACH(&call->pieces, node, after)
    free(CONTAINER_OF(node, struct piece, node));
    vhead_free(&call->head);
    vhead_free(&call->answer);
    buffer_free(&call->body);
    free(call);
}

/* The application hears no more of it. Returns the application's handle. */
static struct call *
detach(struct vcall *call)
{
    struct call *handle = call->call;

    handle->inside = NULL;
    call->call = NULL;
    history_cancel(call->history, &call->turn);
    history_cancel(call->history, &call->upload);
    history_cancel(call->history, &call->limit);
    list_remove(&call->node);
    if (call->phase == VCALL_ARRIVED)
        call->backend->ops->over(call);
    history_bury_later(call->history, &call->corpse, bury);
    return handle;
}

static void
fail(struct vcall *call, enum call_failure failure, const char *text)
{
    struct call *handle = detach(call);

    history_log(call->history, "call %u failed: %s", call->number, text);
    handle->events->failed(handle, failure, text);
}

/* Those open now; the application may close some and open others meanwhile. */
void
vcall_cut_all(struct history *history)
{
    unsigned last = history->call_count;

    while (!list_empty(&history->calls)) {
        struct vcall *call = CONTAINER_OF(list_first(&history->calls), struct vcall, node);

        if (call->number > last)
            break;
        fail(call, CALL_BROKEN, "the connection was cut");
    }
}

/* What is still open when the history ends. The application, and its handle, may be gone. */
void
vcall_free_all(struct history *history)
{
    LIST_EACH(&history->calls, node, after)
    {
        struct vcall *call = CONTAINER_OF(node, struct vcall, node);

        history_cancel(history, &call->turn);
        history_cancel(history, &call->upload);
        history_cancel(history, &call->limit);
        list_remove(node);
        bury(&call->corpse);
    }
}

static void
time_is_over(struct timer *timer)
{
    struct vcall *call = CONTAINER_OF(timer, struct vcall, limit);

    if (call->phase == VCALL_CONNECTING)
        fail(call, CALL_TIMEOUT, "connect timeout");
    else if (!call->head_given)
        fail(call, CALL_TIMEOUT, "first byte timeout");
    else
        fail(call, CALL_TIMEOUT, "idle timeout");
}

/* The way there */

static unsigned
open_to_same(const struct vcall *call)
{
    unsigned count = 0;

    LIST_EACH(&call->history->calls, node, after)
    {
        const struct vcall *other = CONTAINER_OF(node, struct vcall, node);

        if (other->world == call->world && other->endpoint_id == call->endpoint_id)
            count++;
    }
    return count;
}

static void
connect_now(struct vcall *call)
{
    struct call *handle = call->call;
    unsigned most = call->endpoint->connections_most;

    if (most != 0 && open_to_same(call) > most) {
        fail(call, CALL_FULL, "all connections to this backend are in use");
        return;
    }
    if (call->backend == NULL || vbackend_refuses(call->backend)) {
        fail(call, CALL_UNREACHABLE, call->backend == NULL ? "no such host" : "connection refused");
        return;
    }
    if (vbackend_silent(call->backend))
        return; /* until the connect timeout */
    handle->reused = !call->fresh && vbackend_take_idle(call->backend, call->world);
    handle->connected_us = call->history->now_us;
    handle->request_byte_out = true;
    call->phase = VCALL_SENDING;
    history_log(call->history, "call %u %s", call->number, handle->reused ? "reuses a connection" : "is connected");
    limit_start(call, call->endpoint->first_byte_timeout_us);
    turn_soon(call);
}

static void
arrive(struct vcall *call)
{
    call->phase = VCALL_ARRIVED;
    history_log(call->history, "call %u arrives at %s, %zu bytes", call->number, vbackend_name(call->backend),
                buffer_len(&call->body));
    call->backend->ops->arrive(call);
}

/* The way back: one thing at a time */

static void
deliver_head(struct vcall *call)
{
    struct call *handle = call->call;
    struct vhead answer = call->answer;

    call->answer = (struct vhead){0};
    call->head_waits = false;
    call->head_given = true;
    handle->head_us = call->history->now_us;
    limit_start(call, call->endpoint->idle_timeout_us);
    history_log(call->history, "call %u: head %u", call->number, answer.head.status);
    turn_soon(call);
    handle->events->head(handle, &answer.head);
    vhead_free(&answer);
}

static void
deliver_piece(struct vcall *call)
{
    struct call *handle = call->call;
    struct piece *piece = CONTAINER_OF(list_first(&call->pieces), struct piece, node);

    list_remove(&piece->node);
    call->waiting_len -= piece->len;
    limit_start(call, call->endpoint->idle_timeout_us);
    history_log(call->history, "call %u: %zu bytes", call->number, piece->len);
    turn_soon(call);
    call->backend->ops->room(call);
    handle->events->body(handle, (struct slice){piece->bytes, piece->len});
    free(piece);
}

static void
deliver_end(struct vcall *call)
{
    struct call *handle;

    if (call->cut_waits) {
        fail(call, call->failure, call->failure_text);
        return;
    }
    history_log(call->history, "call %u: end", call->number);
    vbackend_put_idle(call->backend, call->world);
    call->end_given = true;
    handle = detach(call);
    handle->events->end(handle);
}

static void
turn(struct timer *timer)
{
    struct vcall *call = CONTAINER_OF(timer, struct vcall, turn);

    if (call->phase == VCALL_CONNECTING)
        connect_now(call);
    else if (call->phase == VCALL_SENDING)
        arrive(call);
    else if (call->paused)
        return;
    else if (call->head_waits)
        deliver_head(call);
    else if (!list_empty(&call->pieces))
        deliver_piece(call);
    else if (call->end_waits || call->cut_waits)
        deliver_end(call);
}

/* A hop after call_write, the backend learns of it. */
static void
upload(struct timer *timer)
{
    struct vcall *call = CONTAINER_OF(timer, struct vcall, upload);

    if (call->phase == VCALL_ARRIVED)
        call->backend->ops->more(call);
}

/* The backend's side */

void
vcall_give_head(struct vcall *call, const struct http_head *answer)
{
    if (call->call == NULL)
        return;
    ENSURE(!call->head_waits && !call->head_given);
    vhead_copy(&call->answer, answer);
    call->head_waits = true;
    turn_soon(call);
}

static void
give_piece(struct vcall *call, struct slice bytes)
{
    struct piece *piece = must_alloc(sizeof(*piece) + bytes.len);

    piece->node = (struct list){NULL, NULL};
    piece->len = bytes.len;
    memcpy(piece->bytes, bytes.data, bytes.len);
    list_append(&call->pieces, &piece->node);
    call->waiting_len += bytes.len;
    call->given_len += bytes.len;
}

void
vcall_give(struct vcall *call, struct slice bytes)
{
    if (call->call == NULL)
        return;
    while (call->history->options.split_answers && bytes.len > 1) {
        size_t len = 1 + (size_t)rng_below(&call->history->rng, bytes.len);

        if (len == bytes.len)
            break;
        give_piece(call, slice_first(bytes, len));
        bytes = slice_from(bytes, len);
    }
    if (bytes.len != 0)
        give_piece(call, bytes);
    turn_soon(call);
}

size_t
vcall_room(const struct vcall *call)
{
    return call->waiting_len < window ? window - call->waiting_len : 0;
}

void
vcall_give_end(struct vcall *call)
{
    call->end_waits = true;
    turn_soon(call);
}

void
vcall_give_failure(struct vcall *call, enum call_failure failure, const char *static_text)
{
    call->cut_waits = true;
    call->failure = failure;
    call->failure_text = static_text;
    turn_soon(call);
}

void
vcall_took(struct vcall *call)
{
    struct call *handle = call->call;

    call->unread = 0;
    if (handle == NULL || !call->write_short)
        return;
    call->write_short = false;
    history_log(call->history, "call %u: writable", call->number);
    REFEREE(call->history, handle->events->writable != NULL, "call %u: a streamed body without `writable`",
            call->number);
    handle->events->writable(handle);
}

/* The operations of world.h */

/* A slow upload is not a slow answer; but a connection is not made sooner for it. */
static void
written_to(struct vcall *call)
{
    const struct endpoint *endpoint = call->endpoint;

    if (call->phase != VCALL_CONNECTING)
        limit_start(call, call->head_given ? endpoint->idle_timeout_us : endpoint->first_byte_timeout_us);
}

static void
check_request(struct history *history, const struct call *call, const struct call_request *request)
{
    const char *fault = vhead_fault(request->headers, request->header_count);
    const struct call_events *events = call->events;

    REFEREE(history, call->inside == NULL, "a call is opened that is open");
    REFEREE(history, events->head != NULL && events->body != NULL && events->end != NULL && events->failed != NULL,
            "a call without head, body, end or failed");
    REFEREE(history, fault == NULL, "headers of a call: %s", fault);
    REFEREE(history, request->target.len != 0 && request->target.data[0] == '/', "a call's target lacks its /");
    REFEREE(history, request->method.len != 0, "a call without a method");
    REFEREE(history, !request->streamed || request->part_count == 0, "a call with a body and a streamed one");
}

static void
take_request(struct vcall *call, const struct call_request *request)
{
    struct http_head head = {.method = request->method,
                             .target = request->target,
                             .headers = request->headers,
                             .header_count = request->header_count};

    for (size_t i = 0; i < request->part_count; i++) {
        const struct body_part *part = &request->parts[i];
        const struct chunk *owner = part->owner;

        REFEREE(call->history,
                owner == NULL || part->bytes.len == 0 ||
                    (part->bytes.data >= owner->data && part->bytes.data + part->bytes.len <= owner->data + owner->len),
                "a part of a call's body lies outside its owner");
        buffer_add(&call->body, part->bytes);
    }
    call->streamed = request->streamed;
    call->body_whole = !request->streamed;
    call->stream_len = request->stream_len;
    head.body_len = request->streamed ? request->stream_len : (int64_t)buffer_len(&call->body);
    vhead_copy(&call->head, &head);
}

void
vcall_open(struct world *world, struct call *handle, const struct call_request *request)
{
    struct virtual_world *own = virtual_world_of(world);
    struct history *history = own->history;
    struct vcall *call = must_calloc(1, sizeof(*call));

    check_request(history, handle, request);
    call->history = history;
    call->world = own;
    call->call = handle;
    call->endpoint = request->endpoint;
    call->endpoint_id = request->endpoint->id;
    call->backend = vbackend_at(history, request->endpoint->id);
    if (call->backend != NULL)
        call->backend->opened++;
    call->number = ++history->call_count;
    call->turn.fire = turn;
    call->upload.fire = upload;
    call->limit.fire = time_is_over;
    list_init(&call->pieces);
    call->fresh = request->fresh;
    take_request(call, request);
    handle->inside = call;
    handle->opened_us = history->now_us;
    handle->request_byte_out = handle->answer_byte_in = handle->reused = false;
    handle->connected_us = handle->head_us = 0;
    list_append(&history->calls, &call->node);
    history_log(history, "call %u of worker %u opens: %.*s", call->number, world->worker, SLICE_ARGS(request->target));
    limit_start(call, call->endpoint->connect_timeout_us);
    turn_soon(call);
}

size_t
vcall_write(struct world *world, struct call *handle, struct slice bytes, bool last)
{
    struct vcall *call = vcall_of(handle);
    struct slice taken;

    REFEREE(virtual_world_of(world)->history, call != NULL, "call_write on a call that is not open");
    REFEREE(call->history, call->streamed && !call->body_whole, "call %u: call_write after the body's end",
            call->number);
    taken = slice_first(bytes, window - call->unread);
    REFEREE(call->history, call->stream_len < 0 || buffer_len(&call->body) + bytes.len <= (size_t)call->stream_len,
            "call %u: more than the %lld bytes that were promised", call->number, (long long)call->stream_len);
    buffer_add(&call->body, taken);
    call->unread += taken.len;
    if (taken.len > 0)
        written_to(call);
    call->write_short = taken.len < bytes.len;
    call->body_whole = last && !call->write_short;
    REFEREE(call->history,
            !call->body_whole || call->stream_len < 0 || buffer_len(&call->body) == (size_t)call->stream_len,
            "call %u: less than the %lld bytes that were promised", call->number, (long long)call->stream_len);
    if (!timer_running(&call->upload))
        history_schedule(call->history, &call->upload, history_hop_us(call->history));
    return taken.len;
}

void
vcall_pause(struct world *world, struct call *handle, bool paused)
{
    struct vcall *call = vcall_of(handle);

    REFEREE(virtual_world_of(world)->history, call != NULL, "call_pause on a call that is not open");
    if (call->paused != paused)
        history_log(call->history, "call %u: %s", call->number, paused ? "paused" : "goes on");
    call->paused = paused;
    if (paused && call->head_given)
        history_cancel(call->history, &call->limit);
    if (!paused && call->head_given)
        limit_start(call, call->endpoint->idle_timeout_us);
    if (!paused)
        turn_soon(call);
}

void
vcall_close(struct world *world, struct call *handle)
{
    struct vcall *call = vcall_of(handle);

    if (call == NULL)
        return;
    REFEREE(call->history, call->world == virtual_world_of(world), "call %u: closed from another worker's world",
            call->number);
    history_log(call->history, "call %u: closed", call->number);
    detach(call);
}
