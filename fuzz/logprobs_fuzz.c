/* Answers from anybody, with logprobs that their client did not ask for: when those are taken out, what is left is the same
 * answer but for them, has none, and is not changed once more; whole, and as the frame of a stream. The first byte chooses
 * the API, the rest is the answer. */
#include <math.h>

#include "dialect/json/json.h"
#include "dialect/logprobs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
is_empty(yyjson_val *value)
{
    return yyjson_is_null(value) || (yyjson_is_arr(value) && yyjson_arr_size(value) == 0);
}

static bool
same_scalar(yyjson_val *a, yyjson_val *b)
{
    if (yyjson_is_real(a) && yyjson_is_real(b) && isnan(yyjson_get_real(a)))
        return isnan(yyjson_get_real(b));
    return yyjson_equals(a, b);
}

/* Side by side: what differs is called logprobs, and is empty afterwards. */
static void
check_same(yyjson_val *before, yyjson_val *after)
{
    yyjson_arr_iter elements = yyjson_arr_iter_with(after);
    yyjson_obj_iter members = yyjson_obj_iter_with(after);
    yyjson_val *key, *value, *other;
    size_t i, count;

    ENSURE(yyjson_get_type(before) == yyjson_get_type(after));
    if (yyjson_is_arr(before)) {
        ENSURE(yyjson_arr_size(before) == yyjson_arr_size(after));
        yyjson_arr_foreach(before, i, count, value) check_same(value, yyjson_arr_iter_next(&elements));
    } else if (yyjson_is_obj(before)) {
        ENSURE(yyjson_obj_size(before) == yyjson_obj_size(after));
        yyjson_obj_foreach(before, i, count, key, value)
        {
            yyjson_val *name = yyjson_obj_iter_next(&members);

            other = yyjson_obj_iter_get_val(name);
            ENSURE(yyjson_equals(key, name));
            if (!yyjson_equals_str(key, "logprobs") || !is_empty(other))
                check_same(value, other);
        }
    } else {
        ENSURE(same_scalar(before, after));
    }
}

static void
check_answers(struct slice before, struct slice after)
{
    struct json_scratch scratch, other;
    yyjson_doc *first = json_parse_lenient(before, false, &scratch), *second = json_parse_lenient(after, false, &other);

    ENSURE(first != NULL && second != NULL);
    check_same(yyjson_doc_get_root(first), yyjson_doc_get_root(second));
    yyjson_doc_free(first);
    yyjson_doc_free(second);
}

static void
check_read(enum api api, struct slice answer)
{
    struct logprobs_told told = {.wanted = true};
    struct json_scratch scratch;
    yyjson_doc *doc = json_parse_lenient(answer, false, &scratch);
    double sureness = 0.5;

    logprobs_of_event(&told, api, yyjson_doc_get_root(doc));
    if (logprobs_sureness(&told, &sureness))
        ENSURE(sureness > 0.0 && sureness <= 1.0);
    yyjson_doc_free(doc);
}

/* A frame of one line of data loses as much as its data does. */
static void
check_frame(enum api api, struct slice answer, struct slice after, enum status status)
{
    struct buffer frame = {0}, wanted = {0}, out = {0};

    if (slice_find_byte(answer, '\n') < answer.len || slice_find_byte(answer, '\r') < answer.len)
        return;
    buffer_printf(&frame, "event: e\ndata: %.*s\n\n", SLICE_ARGS(answer));
    buffer_printf(&wanted, "event: e\ndata: %.*s\n\n", SLICE_ARGS(after));
    if (slice_find_byte(answer, '\0') == answer.len && answer.len < INT32_MAX) {
        ENSURE(logprobs_take_out_of_frame(api, buffer_content(&frame), &out) == status);
        if (status == OK)
            ENSURE(slice_equal(buffer_content(&out), buffer_content(&wanted)));
    }
    buffer_free(&frame);
    buffer_free(&wanted);
    buffer_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer out = {0}, again = {0};
    struct slice answer;
    enum status status;
    enum api api;

    if (size < 2)
        return 0;
    api = (enum api)(data[0] % API_PASSTHROUGH);
    answer = slice_make((const char *)data + 1, size - 1);
    check_read(api, answer);
    status = logprobs_take_out(api, answer, &out);
    if (status == OK) {
        check_answers(answer, buffer_content(&out));
        ENSURE(logprobs_take_out(api, buffer_content(&out), &again) == ERR_NOT_FOUND);
    } else {
        ENSURE(buffer_len(&out) == 0);
    }
    check_frame(api, answer, buffer_content(&out), status);
    buffer_free(&out);
    buffer_free(&again);
    return 0;
}
