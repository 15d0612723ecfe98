/* Answers in another API than the backend's, for all who read the flight. The call is metered as its backend speaks; what
 * is added to the flight is what its client is told. Streams are told event by event; other answers, and errors, when they
 * are whole. */
#include "dialect/translate/translate.h"

#include <stdlib.h>

#include "gateway/flight/flight_inside.h"

/* As for requests: beyond it, a millisecond's work and more. */
enum { TELL_INLINE_BYTES = 1024 * 1024 };

void
flight_translate(struct flight *flight, enum api told, size_t whole_most, struct slice echo, struct slice id)
{
    int64_t now_s = world_wall_us(flight->world) / USEC_PER_S;

    flight->told = told;
    flight->whole_most = whole_most;
    flight->translation = translation_new(flight->meter.api, told, now_s, whole_most);
    translation_echoes(flight->translation, echo);
    translation_called(flight->translation, id);
    flight->meter.so_far_is_told = true;
}

void
flight_drop_untold(struct flight *flight)
{
    flight->all->kept -= buffer_len(&flight->untold);
    buffer_free(&flight->untold);
}

void
flight_translate_free(struct flight *flight)
{
    flight_drop_untold(flight);
    translation_free(flight->translation);
}

static bool
describes_body(struct slice name)
{
    static const struct slice names[] = {SLICE_CONSTANT("content-length"), SLICE_CONSTANT("content-encoding"),
                                         SLICE_CONSTANT("content-digest"), SLICE_CONSTANT("etag")};

    return slice_is_among_nocase(name, names, sizeof(names) / sizeof(*names));
}

/* What describes the body, or speaks of the provider's limits as its own API does. */
static bool
is_untold(struct slice name)
{
    return describes_body(name) || slice_starts_nocase(name, "anthropic-") || slice_starts_nocase(name, "openai-") ||
           slice_starts_nocase(name, "x-ratelimit-");
}

/* The same head, but for what describes the body's bytes. */
static void
tell_other_body(struct flight *flight)
{
    struct http_header *headers = arena_alloc(&flight->arena, flight->header_count * sizeof(*headers));
    size_t count = 0;

    for (size_t i = 0; i < flight->header_count; i++)
        if (!describes_body(flight->headers[i].name))
            headers[count++] = flight->headers[i];
    flight->body_len = -1;
    flight->told_headers = headers;
    flight->told_header_count = count;
}

/* The number under which the provider knows the request, as the client's SDK looks for it. */
static struct slice
told_name(const struct flight *flight, struct slice name)
{
    if (slice_is_nocase(name, "request-id") || slice_is_nocase(name, "x-request-id"))
        return api_dialect(flight->told) == DIALECT_ANTHROPIC ? SLICE_LITERAL("request-id")
                                                              : SLICE_LITERAL("x-request-id");
    return name;
}

void
flight_tell_head(struct flight *flight)
{
    struct http_header *headers;
    size_t count = 0;

    flight->told_status = flight->status;
    flight->told_headers = flight->headers;
    flight->told_header_count = flight->header_count;
    if (flight->hides_logprobs && flight->status < 300)
        tell_other_body(flight);
    if (flight->translation == NULL)
        return;
    flight->is_stream &= flight->status < 300;
    flight->body_len = -1;
    flight->told_status = translate_status(flight->told, flight->status);
    headers = arena_alloc(&flight->arena, (flight->header_count + 1) * sizeof(*headers));
    for (size_t i = 0; i < flight->header_count; i++) {
        struct slice name = flight->headers[i].name;

        if (is_untold(name) || slice_is_nocase(name, "content-type"))
            continue;
        headers[count++] = (struct http_header){told_name(flight, name), flight->headers[i].value};
    }
    headers[count++] = (struct http_header){SLICE_LITERAL("content-type"),
                                            flight->is_stream ? SLICE_LITERAL("text/event-stream; charset=utf-8")
                                                              : SLICE_LITERAL("application/json")};
    flight->told_headers = headers;
    flight->told_header_count = count;
}

/* It brings nothing that could be told. */
static void
give_up(struct flight *flight, const char *why)
{
    if (flight->call.inside != NULL)
        flight->world->ops->call_close(flight->world, &flight->call);
    flight->call.inside = NULL;
    flight->failure = CALL_BROKEN;
    flight->why = why;
    flight_move(flight, FLIGHT_FAILED);
}

/* Streams */

static void
take_event(void *context, const struct translated_event *event)
{
    struct flight *flight = context;

    flight_append(flight, event->frame,
                  event->last         ? METER_LAST
                  : event->usage_only ? METER_USAGE_ONLY
                                      : METER_PLAIN,
                  false);
    if (flight->meter.so_far.wanted)
        meter_told(&flight->meter, flight->told, event->frame);
}

void
flight_translate_frame(struct flight *flight, struct slice frame)
{
    if (translation_frame(flight->translation, frame, take_event, flight) != OK)
        give_up(
            flight,
            "the backend sent an event that cannot be put in the client's API, gave its answer up, or sent more than "
            "is gathered for one (limits: answer)");
}

void
flight_translate_unread(struct flight *flight)
{
    give_up(flight, "the backend sent an event that is too long to be put in the client's API");
}

/* Whole answers */

/* A token's entry among logprobs ({"token":"...","logprob":-0.01,"bytes":[...],"top_logprobs":[]}) beside the few bytes of
 * its text: an answer with them is text to no more than one part in so many. */
enum { LOGPROBS_BYTES_EACH = 16 };

void
flight_translate_piece(struct flight *flight, struct slice piece)
{
    size_t bytes = buffer_len(&flight->untold) + piece.len;

    if (bytes > flight->whole_most) {
        /* Its provider bills it all the same. */
        meter_cut(&flight->meter, bytes, flight->translation != NULL ? bytes : bytes / LOGPROBS_BYTES_EACH);
        flight_drop_untold(flight);
        if (flight->translation != NULL)
            give_up(flight, "the answer is longer than those that are put in another API (limits: answer)");
        else
            give_up(flight,
                    "the answer is longer, with its logprobs, than those that are held back (1 MiB, limits: answer)");
        if (flight->translation == NULL)
            flight->failure = CALL_FULL; /* which says nothing of the place that it came from */
        return;
    }
    buffer_add(&flight->untold, piece);
    flight->all->kept += piece.len;
}

/* A whole answer on its way to what its client is told: nobody else has what is here meanwhile. */
struct telling {
    struct job job;
    struct flight *flight; /* held */
    struct translation *translation;
    enum api told;
    unsigned status;
    struct buffer untold; /* counted among what its worker keeps */
    struct buffer out;
    bool good;
};

static void
tell(struct telling *telling)
{
    struct slice whole = buffer_content(&telling->untold);

    telling->good = true;
    if (telling->status >= 300)
        translate_error(telling->told, telling->status, whole, &telling->out);
    else
        telling->good = translation_whole(telling->translation, whole, &telling->out) == OK;
}

/* For whom it still concerns. */
static void
told(struct flight *flight, struct telling *telling)
{
    if (flight_over(flight))
        return;
    if (telling->good)
        flight_append(flight, buffer_content(&telling->out), METER_PLAIN, true);
    else
        give_up(flight, "the backend's answer cannot be put in the client's API");
}

static void
telling_free(struct telling *telling)
{
    telling->flight->all->kept -= buffer_len(&telling->untold);
    buffer_free(&telling->untold);
    buffer_free(&telling->out);
    translation_free(telling->translation);
}

static void
run_telling(struct job *job)
{
    tell(CONTAINER_OF(job, struct telling, job));
}

static void
telling_done(struct job *job)
{
    struct telling *telling = CONTAINER_OF(job, struct telling, job);
    struct flight *flight = telling->flight;

    flight->telling = NULL;
    told(flight, telling);
    if (!flight_over(flight))
        flight_move(flight, FLIGHT_COMPLETE);
    telling_free(telling);
    free(telling);
    flight_wake_all(flight);
    flight_release(flight);
}

/* Long ones not on the loop: they are read twice and written, at some four milliseconds per MiB. What they cost is read
 * before, and little of them for it. */
static void
tell_whole(struct flight *flight)
{
    struct telling telling = {
        .flight = flight, .told = flight->told, .status = flight->status, .translation = flight->translation};
    struct slice whole = buffer_content(&flight->untold);

    meter_whole(&flight->meter, whole);
    /* Before a message is shortened: what is left of a key would not be known for one. */
    if (whole.len > 0)
        flight_hide_secret(flight, flight->untold.data + flight->untold.start, whole.len);
    telling.untold = flight->untold;
    flight->untold = (struct buffer){0};
    flight->translation = NULL;
    if (whole.len < TELL_INLINE_BYTES) {
        tell(&telling);
        told(flight, &telling);
        telling_free(&telling);
        return;
    }
    flight->telling = must_calloc(1, sizeof(telling));
    *flight->telling = telling;
    flight->telling->job.run = run_telling;
    flight->telling->job.done = telling_done;
    flight_hold(flight);
    flight->world->ops->work(flight->world, &flight->telling->job);
}

void
flight_translate_end(struct flight *flight)
{
    if (flight->is_stream)
        translation_end(flight->translation, take_event, flight);
    else
        tell_whole(flight);
}

void
flight_translate_head(struct flight *flight)
{
    if (flight->opaque)
        give_up(flight, "the backend's answer came compressed, though none was asked for: it cannot be put in the "
                        "client's API");
}
