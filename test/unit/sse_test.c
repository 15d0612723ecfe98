/* Streams cut at every byte position, with every kind of line end: the frames are always the same, and all put together
 * are the stream. */
#include "dialect/sse.h"

#include "cmocka_ready.h"

enum { EVENTS_MOST = 64 };

struct heard {
    struct buffer all;
    char data[EVENTS_MOST][128];
    size_t count;
};

static void
hear(struct heard *heard, struct slice frame)
{
    struct buffer joined = {0};
    struct slice event, data;

    buffer_add(&heard->all, frame);
    if (sse_parse(frame, &joined, &event, &data)) {
        assert_true(heard->count < EVENTS_MOST && data.len < 127);
        snprintf(heard->data[heard->count++], 128, "%.*s", SLICE_ARGS(data));
    }
    buffer_free(&joined);
}

static void
feed(struct sse_framer *framer, struct heard *heard, struct slice bytes)
{
    struct slice frame;

    while (sse_next(framer, &bytes, &frame) != SSE_NOTHING)
        hear(heard, frame);
}

static struct heard
hear_in_two(struct slice stream, size_t cut, size_t frame_most)
{
    struct heard heard = {0};
    struct sse_framer framer;

    sse_init(&framer, frame_most);
    feed(&framer, &heard, slice_first(stream, cut));
    feed(&framer, &heard, slice_from(stream, cut));
    hear(&heard, sse_rest(&framer));
    sse_free(&framer);
    return heard;
}

static const char *const streams[] = {
    "data: one\n\ndata: two\n\ndata: [DONE]\n\n",
    "data: one\r\n\r\ndata: two\r\n\r\ndata: [DONE]\r\n\r\n",
    "data: one\r\rdata: two\r\rdata: [DONE]\r\r",
    ": hello\n\ndata: one\n\n: ping\n\ndata:two\n\nretry: 5\n\ndata: [DONE]\n\n",
    "\n\n\ndata: one\n\n\n\ndata: two\n\r\n\rdata: [DONE]\n\n",
    "data: one\n\nid: 7\nevent: x\ndata: two\n\ndata: [DONE]\n", /* the last event is not ended */
};

static void
cut_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
        struct slice stream = slice_of(streams[i]);

        for (size_t cut = 0; cut <= stream.len; cut++) {
            struct heard heard = hear_in_two(stream, cut, 1024);

            assert_true(slice_equal(buffer_content(&heard.all), stream));
            assert_int_equal(heard.count, 3);
            assert_string_equal(heard.data[0], "one");
            assert_string_equal(heard.data[1], "two");
            assert_string_equal(heard.data[2], "[DONE]");
            buffer_free(&heard.all);
        }
    }
}

static void
byte_by_byte(void **state)
{
    struct slice stream = slice_of(streams[1]);
    struct heard heard = {0};
    struct sse_framer framer;

    (void)state;
    sse_init(&framer, 1024);
    for (size_t at = 0; at < stream.len; at++)
        feed(&framer, &heard, slice_make(stream.data + at, 1));
    hear(&heard, sse_rest(&framer)); /* the LF behind the last CR */
    assert_int_equal(heard.count, 3);
    assert_true(slice_equal(buffer_content(&heard.all), stream));
    sse_free(&framer);
    buffer_free(&heard.all);
}

static void
lines_of_data_are_joined(void **state)
{
    struct heard heard = hear_in_two(SLICE_LITERAL("data: a\ndata:\ndata: b\nevent: e\n\n"), 9, 1024);

    (void)state;
    assert_int_equal(heard.count, 1);
    assert_string_equal(heard.data[0], "a\n\nb");
    buffer_free(&heard.all);
}

/* A line far beyond what is kept goes through unread, and the events after it are whole again. */
static void
a_huge_line_passes(void **state)
{
    enum { HUGE = 1 << 20 };
    struct buffer stream = {0};
    struct slice whole;

    (void)state;
    buffer_add_text(&stream, "data: one\n\ndata: ");
    memset(buffer_reserve(&stream, HUGE), 'x', HUGE);
    stream.end += HUGE;
    buffer_add_text(&stream, "\n\ndata: two\n\n");
    whole = buffer_content(&stream);
    for (size_t piece = 1000; piece < 200000; piece += 49999) {
        struct heard heard = {0};
        struct sse_framer framer;
        size_t oversized = 0, frames = 0;

        sse_init(&framer, 4096);
        for (size_t at = 0; at < whole.len; at += piece) {
            struct slice input = slice_first(slice_from(whole, at), piece), frame;
            enum sse_piece found;

            while ((found = sse_next(&framer, &input, &frame)) != SSE_NOTHING) {
                buffer_add(&heard.all, frame);
                oversized += found == SSE_OVERSIZED;
                frames += found == SSE_FRAME;
                assert_true(framer.kept.size <= 16384 + 2 * piece);
            }
        }
        assert_int_equal(frames, 2);
        assert_true(oversized > 1);
        assert_true(slice_equal(buffer_content(&heard.all), whole));
        sse_free(&framer);
        buffer_free(&heard.all);
    }
    buffer_free(&stream);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(byte_by_byte),
        cmocka_unit_test(lines_of_data_are_joined),
        cmocka_unit_test(a_huge_line_passes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
