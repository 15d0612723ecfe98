#include "gateway/flight/share_form.h"

#include <stdlib.h>

#include "gateway/attempt/attempt.h"
#include "gateway/flight/made_over.h"
#include "gateway/flight/share_parts.h"

/* A longer answer is made over off the loop: a fraction of a millisecond's work. */
enum { INLINE_BYTES = 64 * 1024 };

struct making_over {
    struct job job;
    struct exchange *exchange; /* held while the job runs */
    enum api api;
    bool is_stream, streams, tells_usage;
    struct kept_answer *brought; /* what the call brought; held */
    struct kept_answer *made;    /* NULL: it could not be */
};

/* An error is told in the same words to whoever streams and who does not; what a backend answers in a form that nobody
 * asked for is passed on as it is. */
static bool
wants_other_form(const struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;

    return exchange->follows && flight != NULL && flight->status == 200 &&
           flight->is_stream == exchange->share->streams && flight->is_stream != exchange->facts.stream;
}

static void
make_over(struct making_over *making)
{
    struct buffer whole = {0};
    struct chunk *content;

    if (made_over_join(making->brought, making->is_stream, making->api, &whole) == OK) {
        content = chunk_from(buffer_content(&whole));
        making->made = made_over_of(making->api, content, making->streams, making->tells_usage);
        chunk_release(content);
    }
    buffer_free(&whole);
}

static void
give(struct exchange *exchange, struct kept_answer *answer)
{
    struct gateway_worker *worker = exchange->worker;
    struct flight *flight;

    if (answer == NULL) {
        share_go_alone(exchange, "the answer that was shared is none that could be made over");
        return;
    }
    flight = flight_of_kept(worker_world(worker), &worker->flights, exchange->identity.api, answer);
    cursor_leave(&exchange->cursor);
    cursor_join(&exchange->cursor, flight, NULL);
    flight_release(flight); /* the cursor holds it */
    count(&worker->counters, COUNT_COALESCED_OVER, 1);
    exchange_move(exchange, FIRST_BYTE);
}

static void
end_making_over(struct making_over *making)
{
    if (making->exchange->state == EXCHANGE_SERVING) /* else the client has left */
        give(making->exchange, making->made);
    kept_release(making->made);
    kept_release(making->brought);
}

static void
run_making_over(struct job *job)
{
    make_over(CONTAINER_OF(job, struct making_over, job));
}

static void
making_over_done(struct job *job)
{
    struct making_over *making = CONTAINER_OF(job, struct making_over, job);
    struct exchange *exchange = making->exchange;

    end_making_over(making);
    free(making);
    exchange_drop(exchange);
}

static struct kept_answer *
gather(const struct flight *flight)
{
    struct kept_answer *all = kept_new(SIZE_MAX);

    all->complete = true;
    LIST_EACH(&flight->chunks, node, after)
    kept_add(all, (struct kept_chunk){.bytes = CONTAINER_OF(node, struct flight_chunk, link)->bytes});
    return all;
}

static void
begin_making_over(struct exchange *exchange)
{
    struct world *world = worker_world(exchange->worker);
    struct making_over making = {
        .exchange = exchange,
        .api = exchange->identity.api,
        .is_stream = exchange->cursor.flight->is_stream,
        .streams = exchange->facts.stream,
        .tells_usage = exchange->facts.usage_asked,
        .brought = gather(exchange->cursor.flight),
    };
    struct making_over *apart;

    exchange->made_over = true;
    if (making.brought->len <= INLINE_BYTES) {
        make_over(&making);
        end_making_over(&making);
        return;
    }
    apart = must_alloc(sizeof(*apart));
    *apart = making;
    exchange_hold(exchange);
    apart->job = (struct job){.run = run_making_over, .done = making_over_done};
    world->ops->work(world, &apart->job);
}

static bool
is_too_long(const struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;

    return flight->kept > exchange->request.config->limits.answer_max ||
           (flight->kept > FLIGHT_CROWDED_BYTES && flights_crowded(flight->all));
}

bool
share_form_progress(struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;

    if (!wants_other_form(exchange))
        return false;
    if (exchange->made_over)
        return true; /* it is under way */
    if (flight->state == FLIGHT_COMPLETE && !flight->meter.failed)
        begin_making_over(exchange);
    else if (flight_over(flight))
        share_go_alone(exchange, "the answer that was shared was cut");
    else if (is_too_long(exchange))
        share_go_alone(exchange, "the answer that was shared became too long to be made over (limits: answer)");
    return true;
}
