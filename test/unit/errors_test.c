/* Errors in the caller's dialect are JSON, whatever the message says. */
#include "dialect/errors.h"

#include <yyjson.h>

#include "cmocka_ready.h"
#include "dialect/sse.h"

static const struct slice hostile[] = {
    SLICE_LITERAL("plain"),
    SLICE_LITERAL(""),
    SLICE_LITERAL("\"},{\"type\":\"other\"}"),
    SLICE_LITERAL("two\n\nlines\r\n\r\ndata: x"),
    SLICE_LITERAL("\0\x01\x1f\x7f\\"),
    SLICE_LITERAL("cut \xe2\x82"),
    SLICE_LITERAL("\xff\xc0\x80\xed\xa0\x80"),
    SLICE_LITERAL("%s%n{}"),
};

enum { HOSTILE = sizeof(hostile) / sizeof(hostile[0]) };

static const char *
text_of(yyjson_val *object, const char *name)
{
    const char *text = yyjson_get_str(yyjson_obj_get(object, name));

    assert_non_null(text);
    return text;
}

/* Reads a body and checks it; `message` is compared where it is well-formed. */
static void
check_body(enum dialect dialect, struct slice body, enum error_kind kind, struct slice message)
{
    yyjson_doc *doc = yyjson_read(body.data, body.len, YYJSON_READ_NOFLAG);
    yyjson_val *root = yyjson_doc_get_root(doc), *error = yyjson_obj_get(root, "error");
    yyjson_val *told = yyjson_obj_get(error, "message");

    assert_non_null(doc);
    assert_true(yyjson_is_str(told));
    if (slice_find_byte(message, '\xff') == message.len && slice_find_byte(message, '\xe2') == message.len)
        assert_true(slice_equal(slice_make(yyjson_get_str(told), yyjson_get_len(told)), message));
    assert_true(strlen(text_of(error, "type")) > 0);
    if (dialect == DIALECT_ANTHROPIC) {
        assert_string_equal(text_of(root, "type"), "error");
    } else {
        assert_int_equal(yyjson_obj_size(root), 1);
        assert_true(yyjson_is_null(yyjson_obj_get(error, "param")));
        assert_non_null(yyjson_obj_get(error, "code"));
    }
    if (kind == ERROR_OVERLOADED)
        assert_string_equal(text_of(error, "type"), "rate_limit_error");
    yyjson_doc_free(doc);
}

static void
bodies_are_json(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind <= ERROR_UPSTREAM_TIMEOUT; kind++)
        for (size_t i = 0; i < HOSTILE; i++)
            for (unsigned dialect = 0; dialect <= DIALECT_ANTHROPIC; dialect++) {
                struct buffer body = {0};

                error_body((enum dialect)dialect, (enum error_kind)kind, hostile[i], hostile[HOSTILE - 1 - i], &body);
                check_body((enum dialect)dialect, buffer_content(&body), (enum error_kind)kind, hostile[i]);
                buffer_free(&body);
            }
}

/* Exactly one event, which no line end in the message can break up. */
static void
events_are_one_event(void **state)
{
    (void)state;
    for (unsigned api = 0; api < API_PASSTHROUGH; api++)
        for (size_t i = 0; i < HOSTILE; i++) {
            struct buffer out = {0}, joined = {0};
            struct slice input, frame, event, data;
            struct sse_framer framer;
            yyjson_doc *doc;

            error_event((enum api)api, ERROR_UPSTREAM, hostile[i], SLICE_NONE, &out);
            input = buffer_content(&out);
            sse_init(&framer, 4096);
            assert_int_equal(sse_next(&framer, &input, &frame), SSE_FRAME);
            assert_int_equal(input.len, 0);
            assert_true(sse_parse(frame, &joined, &event, &data));
            doc = yyjson_read(data.data, data.len, YYJSON_READ_NOFLAG);
            assert_true(yyjson_is_obj(yyjson_doc_get_root(doc)));
            assert_int_equal(slice_is(event, "error"), api == API_RESPONSES || api == API_MESSAGES);
            yyjson_doc_free(doc);
            sse_free(&framer);
            buffer_free(&joined);
            buffer_free(&out);
        }
}

static void
statuses(void **state)
{
    (void)state;
    assert_int_equal(error_status(ERROR_BAD_REQUEST), 400);
    assert_int_equal(error_status(ERROR_UNKNOWN_KEY), 401);
    assert_int_equal(error_status(ERROR_NO_SUCH_MODEL), 404);
    assert_int_equal(error_status(ERROR_TOO_LARGE), 413);
    assert_int_equal(error_status(ERROR_UPSTREAM), 502);
    assert_int_equal(error_status(ERROR_UPSTREAM_TIMEOUT), 504);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_are_json),
        cmocka_unit_test(events_are_one_event),
        cmocka_unit_test(statuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
