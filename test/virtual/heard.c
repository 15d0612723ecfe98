#include "heard.h"

#include "dialect/sse.h"
#include "scene.h"

void
hear(struct heard *heard, enum api api, const struct vclient *client)
{
    struct slice body = vclient_body(client), frame;
    struct sse_framer framer;

    *heard = (struct heard){.frames = 0};
    meter_init(&heard->meter, api, api_dialect(api));
    heard->meter.text.wanted = heard->meter.stop.wanted = true;
    heard->meter.text.most = SIZE_MAX;
    if (!slice_is(slice_first(vclient_header(client, "content-type"), 17), "text/event-stream")) {
        meter_whole(&heard->meter, body);
    } else {
        sse_init(&framer, SIZE_MAX);
        for (; sse_next(&framer, &body, &frame) == SSE_FRAME; heard->frames++)
            meter_frame(&heard->meter, frame);
        assert_int_equal(sse_rest(&framer).len, 0);
        sse_free(&framer);
    }
}

void
assert_heard_same(enum api api, const struct vclient *a, const struct vclient *b)
{
    struct heard first, second;

    hear(&first, api, a);
    hear(&second, api, b);
    assert_true(first.meter.finished && second.meter.finished);
    assert_true(api == API_EMBEDDINGS || buffer_len(&first.meter.text.text) > 0);
    assert_true(second.frames == 0 || second.frames > 2); /* events, not one blob */
    assert_true(slice_equal(buffer_content(&first.meter.text.text), buffer_content(&second.meter.text.text)));
    assert_string_equal(first.meter.model, second.meter.model);
    if (first.meter.usage_seen && second.meter.usage_seen) {
        assert_int_equal(first.meter.usage.input_tokens, second.meter.usage.input_tokens);
        assert_int_equal(first.meter.usage.output_tokens, second.meter.usage.output_tokens);
        assert_int_equal(first.meter.usage.cache_read_tokens, second.meter.usage.cache_read_tokens);
    }
    meter_free(&first.meter);
    meter_free(&second.meter);
}
