/* Streams from anybody, cut anywhere: the frames put together are the stream, and what is metered does not depend on the
 * cuts, and a stream that we end early ends in whole events. The first byte chooses the API, the second how the stream is cut; the rest is the stream. */
#include <stdlib.h>

#include "base/rng.h"
#include "dialect/meter.h"
#include "dialect/sse.h"

enum { LONG_ENOUGH = 1 << 20, SHORT = 48, TEXT_MOST = 300 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct heard {
    struct meter meter;
    struct buffer all;
    uint64_t kinds; /* of all events, in order */
};

/* In pieces of 1 to `most` bytes. */
static void
hear(struct heard *heard, enum api api, struct slice bytes, size_t most, struct rng *rng, size_t frame_most)
{
    struct sse_framer framer;

    *heard = (struct heard){.kinds = 1};
    meter_init(&heard->meter, api, api_dialect(api));
    heard->meter.text.wanted = heard->meter.so_far.wanted = true;
    heard->meter.text.most = TEXT_MOST;
    sse_init(&framer, frame_most);
    while (bytes.len > 0) {
        size_t len = 1 + rng_below(rng, most);
        char *copy = slice_strdup(slice_first(bytes, len)); /* so that ASan sees a reach over the end */
        struct slice input = slice_make(copy, len < bytes.len ? len : bytes.len), frame;
        enum sse_piece piece;

        bytes = slice_from(bytes, len);
        while ((piece = sse_next(&framer, &input, &frame)) != SSE_NOTHING) {
            ENSURE(frame.len > 0);
            buffer_add(&heard->all, frame);
            ENSURE(piece == SSE_OVERSIZED || frame.len <= frame_most + 2);
            if (piece == SSE_FRAME)
                heard->kinds = heard->kinds * 31 + meter_frame(&heard->meter, frame) + 1;
        }
        ENSURE(input.len == 0);
        free(copy);
    }
    buffer_add(&heard->all, sse_rest(&framer));
    sse_free(&framer);
}

static void
forget(struct heard *heard)
{
    meter_free(&heard->meter);
    buffer_free(&heard->all);
}

static void
check_same(const struct heard *a, const struct heard *b)
{
    ENSURE(a->kinds == b->kinds);
    /* Both were zeroed whole: NOLINTNEXTLINE(*-exp42-c,*-flp37-c,bugprone-suspicious-memory-comparison) */
    ENSURE(memcmp(&a->meter.usage, &b->meter.usage, sizeof(a->meter.usage)) == 0);
    ENSURE(a->meter.usage_seen == b->meter.usage_seen && a->meter.usage_partial == b->meter.usage_partial);
    ENSURE(a->meter.finished == b->meter.finished && a->meter.failed == b->meter.failed);
    ENSURE(slice_equal(buffer_content(&a->meter.text.text), buffer_content(&b->meter.text.text)));
    ENSURE(a->meter.text.cut == b->meter.text.cut && a->meter.text.called == b->meter.text.called);
    ENSURE(buffer_len(&a->meter.text.text) <= TEXT_MOST);
    ENSURE(a->meter.text_bytes == b->meter.text_bytes && strcmp(a->meter.model, b->meter.model) == 0);
}

/* Our own end of what was heard. */
static void
check_end(const struct heard *heard, enum api api, struct rng *rng)
{
    struct buffer end = {0};
    struct heard again;

    stream_end(&heard->meter.so_far, api, &heard->meter.usage, true, &end);
    hear(&again, api, buffer_content(&end), 1 << 20, rng, LONG_ENOUGH);
    ENSURE(slice_ends(buffer_content(&end), "\n\n"));
    ENSURE(!again.meter.failed || heard->meter.failed); /* what it repeats may be the error */
    forget(&again);
    buffer_free(&end);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct heard whole, cut, small;
    struct slice bytes;
    struct rng rng;
    enum api api;

    if (size < 3)
        return 0;
    api = (enum api)(data[0] % API_COUNT);
    rng_seed(&rng, data[1]);
    bytes = slice_make((const char *)data + 2, size - 2);
    hear(&whole, api, bytes, 1 << 20, &rng, LONG_ENOUGH);
    hear(&cut, api, bytes, 1 + data[1] % 40, &rng, LONG_ENOUGH);
    hear(&small, api, bytes, 1 + data[1] % 40, &rng, SHORT);
    ENSURE(slice_equal(buffer_content(&whole.all), bytes));
    ENSURE(slice_equal(buffer_content(&cut.all), bytes));
    ENSURE(slice_equal(buffer_content(&small.all), bytes));
    ENSURE(whole.meter.text_bytes <= whole.meter.answer_bytes);
    check_same(&whole, &cut);
    if (api != API_EMBEDDINGS && api != API_PASSTHROUGH)
        check_end(&whole, api, &rng);
    forget(&whole);
    forget(&cut);
    forget(&small);
    return 0;
}
