/* The model that the gateway has itself: embeddings without any backend, one row for each request. */
#include "scene.h"

#include <math.h>
#include <yyjson.h>

static struct vclient *
asks(struct scene *s, const char *body)
{
    struct vclient *client = scene_asks(s, (struct ask){.api = API_EMBEDDINGS, .body = body});

    scene_rest(s);
    return client;
}

static double
square_of(yyjson_val *vector)
{
    double square = 0.0;
    yyjson_val *number;
    size_t i, most;

    yyjson_arr_foreach(vector, i, most, number)
    {
        square += yyjson_get_num(number) * yyjson_get_num(number);
    }
    return square;
}

static void
texts_get_vectors(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 1});
    struct vclient *client =
        asks(s, "{\"model\":\"equipoise/embed\",\"input\":[\"a red apple\",\"The moon.\",\"a red apple\"]}");
    yyjson_doc *doc;
    yyjson_val *data, *usage;

    assert_int_equal(vclient_status(client), 200);
    doc = yyjson_read(vclient_body(client).data, vclient_body(client).len, 0);
    data = yyjson_obj_get(yyjson_doc_get_root(doc), "data");
    usage = yyjson_obj_get(yyjson_doc_get_root(doc), "usage");
    assert_int_equal(yyjson_arr_size(data), 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(yyjson_get_uint(yyjson_obj_get(yyjson_arr_get(data, i), "index")), i);
        assert_true(fabs(square_of(yyjson_obj_get(yyjson_arr_get(data, i), "embedding")) - 1.0) < 1e-5);
    }
    assert_true(yyjson_equals(yyjson_obj_get(yyjson_arr_get(data, 0), "embedding"),
                              yyjson_obj_get(yyjson_arr_get(data, 2), "embedding")));
    assert_false(yyjson_equals(yyjson_obj_get(yyjson_arr_get(data, 0), "embedding"),
                               yyjson_obj_get(yyjson_arr_get(data, 1), "embedding")));
    assert_int_equal(yyjson_get_uint(yyjson_obj_get(usage, "prompt_tokens")), scene_row(s, 0)->input_tokens);
    assert_true(scene_row(s, 0)->input_tokens >= 9);
    assert_row_is(s, 0, state, "ok");
    assert_row_is(s, 0, source, "built-in");
    assert_row_is(s, 0, model_served, "equipoise/embed");
    assert_row_is(s, 0, exactness, "exact");
    assert_true(scene_row(s, 0)->cost == 0 && scene_row(s, 0)->baseline == 0);
    assert_int_equal(scene_row(s, 0)->attempts, 0);
    assert_int_equal(vbackend_seen_count(scene_backend(s, "alpha")), 0);
    yyjson_doc_free(doc);
    scene_passed(s);
}

/* What the official SDKs ask for unless told otherwise. */
static void
base64_is_the_same_numbers(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 1});
    struct vclient *client = asks(s, "{\"model\":\"equipoise/embed\",\"input\":\"a red apple\",\"dimensions\":3,"
                                     "\"encoding_format\":\"base64\"}");
    struct vclient *plain = asks(s, "{\"model\":\"equipoise/embed\",\"input\":\"a red apple\",\"dimensions\":3}");
    yyjson_doc *doc = yyjson_read(vclient_body(plain).data, vclient_body(plain).len, 0);
    yyjson_val *vector =
        yyjson_obj_get(yyjson_arr_get(yyjson_obj_get(yyjson_doc_get_root(doc), "data"), 0), "embedding");
    struct slice body = vclient_body(client), marker = SLICE_LITERAL("\"embedding\":\"");
    struct slice text = slice_from(body, slice_find(body, marker) + marker.len);
    unsigned char bytes[12];

    assert_int_equal(yyjson_arr_size(vector), 3);
    assert_true(fabs(square_of(vector) - 1.0) < 1e-5);
    text = slice_first(text, slice_find_byte(text, '"'));
    assert_int_equal(text.len, 16);
    for (size_t i = 0; i < 16; i++) {
        const char *digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        unsigned digit = (unsigned)(strchr(digits, text.data[i]) - digits);
        size_t bit = 6 * i;

        for (unsigned j = 0; j < 6; j++, bit++) {
            if (bit % 8 == 0)
                bytes[bit / 8] = 0;
            bytes[bit / 8] = (unsigned char)(bytes[bit / 8] | ((digit >> (5 - j) & 1) << (7 - bit % 8)));
        }
    }
    for (size_t i = 0; i < 3; i++) {
        float number;

        memcpy(&number, bytes + 4 * i, sizeof(number));
        assert_true(fabs((double)number - yyjson_get_num(yyjson_arr_get(vector, i))) < 1e-6);
    }
    yyjson_doc_free(doc);
    scene_passed(s);
}

static void
what_it_cannot_do_it_says(void **state)
{
    static const char *const bodies[] = {
        "{\"model\":\"equipoise/embed\",\"input\":[]}",
        "{\"model\":\"equipoise/embed\",\"input\":\"\"}",
        "{\"model\":\"equipoise/embed\",\"input\":[1,2,3]}",
        "{\"model\":\"equipoise/embed\",\"input\":\"x\",\"dimensions\":5000}",
        "{\"model\":\"equipoise/embed\",\"input\":\"x\",\"dimensions\":0}",
        "{\"model\":\"equipoise/embed\",\"input\":\"x\",\"encoding_format\":\"int4\"}",
    };
    struct scene *s = scene_new(state, (struct scene_options){.seed = 1});

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        assert_int_equal(vclient_status(asks(s, bodies[i])), 400);
        assert_row_is(s, i, state, "invalid");
    }
    assert_int_equal(vclient_status(scene_asks(s, (struct ask){.model = "equipoise/embed"})), 0);
    scene_rest(s);
    assert_row_is(s, s->row_count - 1, state, "invalid"); /* it holds no conversations */
    scene_passed(s);
}

/* Long lists are answered off the loop; a client that leaves meanwhile has its row. */
static void
long_lists_are_answered_apart(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 1});
    struct buffer body = {0};
    struct vclient *stays, *leaves;

    buffer_add_text(&body, "{\"model\":\"equipoise/embed\",\"input\":[\"one\"");
    for (unsigned i = 0; i < 1999; i++)
        buffer_printf(&body, ",\"text number %u\"", i);
    buffer_add_text(&body, "]}");
    buffer_add_byte(&body, '\0');
    stays = scene_asks(s, (struct ask){.api = API_EMBEDDINGS, .body = body.data + body.start});
    leaves = scene_asks(s, (struct ask){.api = API_EMBEDDINGS, .body = body.data + body.start});
    for (unsigned i = 0; i < 4; i++)
        history_step(s->history);
    vclient_leave(leaves);
    scene_rest(s);
    assert_int_equal(vclient_status(stays), 200);
    assert_int_equal(s->row_count, 2);
    buffer_free(&body);
    scene_passed(s);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(texts_get_vectors, scene_teardown),
        cmocka_unit_test_teardown(base64_is_the_same_numbers, scene_teardown),
        cmocka_unit_test_teardown(what_it_cannot_do_it_says, scene_teardown),
        cmocka_unit_test_teardown(long_lists_are_answered_apart, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
