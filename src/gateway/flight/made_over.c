#include "gateway/flight/made_over.h"

#include "dialect/frames_of.h"
#include "dialect/whole_of.h"

static const struct http_header json_type = {SLICE_CONSTANT("content-type"), SLICE_CONSTANT("application/json")};
static const struct http_header stream_type = {SLICE_CONSTANT("content-type"), SLICE_CONSTANT("text/event-stream")};

static void
add_piece(struct kept_answer *answer, struct slice bytes, bool last)
{
    struct chunk *chunk = chunk_from(bytes);

    kept_add(answer, (struct kept_chunk){.bytes = chunk, .last_event = last});
    chunk_release(chunk);
}

struct events {
    struct buffer all;
    size_t last_at;
};

static void
take_event(void *context, struct slice frame)
{
    struct events *events = context;

    events->last_at = events->all.end;
    buffer_add(&events->all, frame);
}

/* In two pieces: what we may have to say of the cost goes before the last event. */
static enum status
put_events(enum api api, struct slice content, bool tells_usage, struct kept_answer *answer)
{
    struct events events = {.last_at = 0};
    enum status status = frames_of(api, content, tells_usage, take_event, &events);
    struct slice all = buffer_content(&events.all);

    if (status == OK) {
        add_piece(answer, slice_first(all, events.last_at), false);
        add_piece(answer, slice_from(all, events.last_at), true);
    }
    buffer_free(&events.all);
    return status;
}

struct kept_answer *
made_over_of(enum api api, struct chunk *content, bool streams, bool tells_usage)
{
    struct kept_answer *answer = kept_new(SIZE_MAX);

    answer->status = 200;
    answer->is_stream = streams;
    answer->headers = streams ? &stream_type : &json_type;
    answer->header_count = 1;
    if (!streams) {
        kept_add(answer, (struct kept_chunk){.bytes = content});
    } else if (put_events(api, chunk_bytes(content), tells_usage, answer) != OK) {
        kept_release(answer);
        return NULL;
    }
    return answer;
}

enum status
made_over_join(const struct kept_answer *pieces, bool is_stream, enum api api, struct buffer *out)
{
    struct whole_of *whole;
    enum status status;

    for (size_t i = 0; i < pieces->count && !is_stream; i++)
        buffer_add(out, chunk_bytes(pieces->chunks[i].bytes));
    if (!is_stream)
        return OK;
    whole = whole_of_new(api);
    for (size_t i = 0; i < pieces->count; i++)
        whole_of_frame(whole, chunk_bytes(pieces->chunks[i].bytes));
    if (pieces->complete)
        whole_of_complete(whole);
    status = whole_of_end(whole, out);
    whole_of_free(whole);
    return status;
}
