/* Buffers against a plain array, and that what is put into JSON texts always is JSON. */
#include "base/buffer.h"

#include <yyjson.h>

#include "base/rng.h"
#include "base/text.h"
#include "cmocka_ready.h"

enum { MODEL_BYTES = 1 << 20, STEPS = 20000 };

/* What a buffer should hold. */
struct model {
    char bytes[MODEL_BYTES];
    size_t start, end;
};

static void
add_some(struct buffer *buffer, struct model *model, struct rng *rng)
{
    char some[64];
    size_t len = rng_below(rng, sizeof(some));

    for (size_t i = 0; i < len; i++)
        some[i] = (char)rng_next(rng);
    if (model->end + len > MODEL_BYTES)
        return;
    memcpy(model->bytes + model->end, some, len);
    model->end += len;
    if (len == 1)
        buffer_add_byte(buffer, some[0]);
    else
        buffer_add(buffer, slice_make(some, len));
}

static void
random_steps_as_a_plain_array(void **state)
{
    struct model *model = calloc(1, sizeof(*model));
    struct buffer buffer = {0};
    struct rng rng;

    (void)state;
    rng_seed(&rng, 2);
    for (int step = 0; step < STEPS; step++) {
        size_t most = model->end - model->start;

        if (rng_below(&rng, 3) > 0) {
            add_some(&buffer, model, &rng);
        } else {
            size_t len = rng_below(&rng, most + 1);

            buffer_consume(&buffer, len);
            model->start += len;
        }
        assert_int_equal(buffer_len(&buffer), model->end - model->start);
        assert_true(
            slice_equal(buffer_content(&buffer), slice_make(model->bytes + model->start, model->end - model->start)));
        assert_true(buffer.start <= buffer.end && buffer.end <= buffer.size);
    }
    assert_true(buffer.size < 64 * 1024); /* what was consumed is used again */
    buffer_free(&buffer);
    free(model);
}

static void
reserves_what_is_asked(void **state)
{
    struct buffer buffer = {0};

    (void)state;
    for (size_t len = 0; len < 5000; len += 37) {
        memset(buffer_reserve(&buffer, len), 'x', len);
        assert_true(buffer.size - buffer.end >= len);
        buffer.end += len;
    }
    buffer_trim(&buffer, 0);
    assert_non_null(buffer.data); /* not empty */
    buffer_consume(&buffer, buffer_len(&buffer));
    buffer_trim(&buffer, buffer.size);
    assert_non_null(buffer.data); /* small enough to be kept */
    buffer_trim(&buffer, 16);
    assert_null(buffer.data);
    assert_int_equal(buffer_content(&buffer).len, 0);
}

static void
prints_behind_what_is_there(void **state)
{
    struct buffer buffer = {0};

    (void)state;
    buffer_printf(&buffer, "%s", "");
    buffer_printf(&buffer, "%d,", 1);
    buffer_printf(&buffer, "%01000d", 2);
    assert_int_equal(buffer_len(&buffer), 1002);
    assert_true(slice_starts(buffer_content(&buffer), "1,000"));
    assert_true(slice_ends(buffer_content(&buffer), "0002"));
    buffer_free(&buffer);
}

static void
json_texts(void **state)
{
    static const struct {
        struct slice in;
        const char *out;
    } cases[] = {
        {SLICE_LITERAL("plain"), "plain"},
        {SLICE_LITERAL(""), ""},
        {SLICE_LITERAL("\"\\\n\r\t/"), "\\\"\\\\\\n\\r\\t/"},
        {SLICE_LITERAL("\0\x01\x1f\x7f"), "\\u0000\\u0001\\u001f\x7f"},
        {SLICE_LITERAL("h\xc3\xa9 \xf0\x9f\x98\x80"), "h\xc3\xa9 \xf0\x9f\x98\x80"},
        {SLICE_LITERAL("a\xff"
                       "b"),
         "a\xef\xbf\xbd"
         "b"},
        {SLICE_LITERAL("cut \xe2\x82"), "cut \xef\xbf\xbd\xef\xbf\xbd"},
        {SLICE_LITERAL("\xc0\xaf"), "\xef\xbf\xbd\xef\xbf\xbd"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buffer buffer = {0};

        buffer_add_json(&buffer, cases[i].in);
        assert_true(slice_is(buffer_content(&buffer), cases[i].out));
        buffer_free(&buffer);
    }
}

/* Whatever the bytes: a parser takes the text, and gets well-formed texts back as they were. */
static void
json_of_any_bytes(void **state)
{
    struct rng rng;

    (void)state;
    rng_seed(&rng, 3);
    for (int round = 0; round < 20000; round++) {
        static const char often[] = "\xe2\x82\xac\xed\xa0\xf0\x9f\x98\x80\"\\\n\x01 a";
        struct buffer json = {0};
        char bytes[12];
        size_t len = rng_below(&rng, sizeof(bytes) + 1);
        yyjson_doc *doc;
        yyjson_val *text;

        for (size_t i = 0; i < len; i++)
            bytes[i] = rng_below(&rng, 4) == 0 ? (char)rng_next(&rng) : often[rng_below(&rng, sizeof(often) - 1)];
        buffer_add_byte(&json, '"');
        buffer_add_json(&json, slice_make(bytes, len));
        buffer_add_byte(&json, '"');
        doc = yyjson_read(json.data, buffer_len(&json), YYJSON_READ_NOFLAG);
        text = yyjson_doc_get_root(doc);
        assert_non_null(text);
        if (text_is_utf8(slice_make(bytes, len)))
            assert_true(slice_equal(slice_make(yyjson_get_str(text), yyjson_get_len(text)), slice_make(bytes, len)));
        yyjson_doc_free(doc);
        buffer_free(&json);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_steps_as_a_plain_array),
        cmocka_unit_test(reserves_what_is_asked),
        cmocka_unit_test(prints_behind_what_is_there),
        cmocka_unit_test(json_texts),
        cmocka_unit_test(json_of_any_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
