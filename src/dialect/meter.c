#include "dialect/meter.h"

#include <stdlib.h>
#include <yyjson.h>

#include "dialect/json/json.h"
#include "dialect/sse.h"

enum { TAIL_BYTES = 64 * 1024 };

void
meter_init(struct meter *meter, enum api api, enum dialect dialect)
{
    *meter = (struct meter){.api = api, .dialect = dialect};
    usage_init(&meter->usage);
}

void
meter_free(struct meter *meter)
{
    buffer_free(&meter->head);
    buffer_free(&meter->tail);
    buffer_free(&meter->joined);
    buffer_free(&meter->text.text);
    stream_so_far_free(&meter->so_far);
}

/* True if this told the usage. What it tells wrongly is as if it had not been told: then it is estimated. */
static bool
read_usage(struct meter *meter, yyjson_val *root)
{
    if (usage_read_answer(meter->api, root, &meter->usage) != OK)
        return false;
    meter->usage_seen = true;
    meter->usage_partial = yyjson_is_obj(yyjson_obj_get(root, "message")); /* message_start knows the input only */
    return true;
}

static int64_t
text_len(yyjson_val *value)
{
    return yyjson_is_str(value) ? (int64_t)yyjson_get_len(value) : 0;
}

static int64_t
tool_calls_len(yyjson_val *calls)
{
    int64_t len = 0;
    size_t i, most;
    yyjson_val *call;

    yyjson_arr_foreach(calls, i, most, call)
    {
        yyjson_val *function = yyjson_obj_get(call, "function");

        len += text_len(yyjson_obj_get(function, "name")) + text_len(yyjson_obj_get(function, "arguments"));
    }
    return len;
}

/* A choice's place among several, as a bit; 0: it has no place that a bit stands for. */
static uint64_t
choice_bit(yyjson_val *choice)
{
    int64_t index = yyjson_get_sint(yyjson_obj_get(choice, "index"));

    return index >= 0 && index < 64 ? (uint64_t)1 << index : 0;
}

/* Chat and completions: choices[] with delta, message or text. */
static void
read_choices(struct meter *meter, yyjson_val *choices)
{
    size_t i, most;
    yyjson_val *choice;

    yyjson_arr_foreach(choices, i, most, choice)
    {
        yyjson_val *message = yyjson_obj_get(choice, "delta");

        if (message == NULL)
            message = yyjson_obj_get(choice, "message");
        meter->text_bytes +=
            text_len(yyjson_obj_get(choice, "text")) + text_len(yyjson_obj_get(message, "content")) +
            text_len(yyjson_obj_get(message, "reasoning_content")) + text_len(yyjson_obj_get(message, "reasoning")) +
            text_len(yyjson_obj_get(message, "refusal")) + tool_calls_len(yyjson_obj_get(message, "tool_calls"));
        meter->begun |= choice_bit(choice);
        if (!yyjson_is_str(yyjson_obj_get(choice, "finish_reason")))
            continue;
        meter->ended |= choice_bit(choice);
        meter->finished = true;
    }
    if (meter->ended != meter->begun)
        meter->finished = false;
}

/* What a tool is called with, which a stream spells out and a buffered answer of messages holds as an object. */
static int64_t
written_len(yyjson_val *value)
{
    size_t len = 0;

    if (yyjson_is_str(value))
        return text_len(value);
    if (value != NULL)
        free(yyjson_val_write(value, YYJSON_WRITE_ALLOW_INVALID_UNICODE | YYJSON_WRITE_ALLOW_INF_AND_NAN, &len));
    return (int64_t)len;
}

/* Text within a buffered answer of responses (output[].content[], output[].summary[]) or messages (content[], and that of
 * their tools' results): so deep, and what is nested deeper is no answer of theirs. */
enum { PARTS_DEEP = 8 };

static void
read_parts(struct meter *meter, yyjson_val *parts, unsigned depth)
{
    size_t i, most;
    yyjson_val *part;

    if (depth == PARTS_DEEP)
        return;
    yyjson_arr_foreach(parts, i, most, part)
    {
        meter->text_bytes += text_len(yyjson_obj_get(part, "text")) + text_len(yyjson_obj_get(part, "thinking")) +
                             text_len(yyjson_obj_get(part, "arguments")) + written_len(yyjson_obj_get(part, "input"));
        read_parts(meter, yyjson_obj_get(part, "content"), depth + 1);
        read_parts(meter, yyjson_obj_get(part, "summary"), depth + 1);
    }
}

/* A streamed piece of responses (`delta` is the text) or messages (`delta` holds it under one of three names). */
static void
read_delta(struct meter *meter, yyjson_val *delta)
{
    meter->text_bytes += text_len(delta);
    if (!yyjson_is_obj(delta))
        return;
    meter->text_bytes += text_len(yyjson_obj_get(delta, "text")) + text_len(yyjson_obj_get(delta, "thinking")) +
                         text_len(yyjson_obj_get(delta, "partial_json"));
}

static void
read_model(struct meter *meter, yyjson_val *root)
{
    static const char *const outer[] = {NULL, "response", "message"};

    for (size_t i = 0; i < 3 && meter->model[0] == '\0'; i++) {
        yyjson_val *holder = outer[i] != NULL ? yyjson_obj_get(root, outer[i]) : root;
        const char *model = yyjson_get_str(yyjson_obj_get(holder, "model"));

        if (model == NULL)
            model = yyjson_get_str(yyjson_obj_get(holder, "modelVersion")); /* Gemini */
        if (model != NULL && strlen(model) < METER_MODEL_SIZE)
            memcpy(meter->model, model, strlen(model) + 1);
    }
}

/* {"error": {...}}, {"error": "text"}, {"type": "error"}, {"object": "error"} (older vLLM), or an event of that name. */
static bool
tells_error(struct slice event, yyjson_val *root)
{
    yyjson_val *error = yyjson_obj_get(root, "error"), *type = yyjson_obj_get(root, "type");

    return slice_is(event, "error") || yyjson_is_obj(error) || yyjson_is_str(error) ||
           yyjson_equals_str(type, "error") || yyjson_equals_str(yyjson_obj_get(root, "object"), "error") ||
           yyjson_equals_str(type, "response.failed");
}

static enum meter_event
kind_of(struct meter *meter, struct slice event, yyjson_val *root, bool told_usage)
{
    static const char *const last[] = {"message_stop", "response.completed", "response.incomplete"};
    yyjson_val *choices = yyjson_obj_get(root, "choices");
    const char *type = yyjson_get_str(yyjson_obj_get(root, "type"));

    for (size_t i = 0; type != NULL && i < sizeof(last) / sizeof(last[0]); i++) {
        if (strcmp(type, last[i]) == 0) {
            meter->finished = true;
            return METER_LAST;
        }
    }
    if (tells_error(event, root)) {
        meter->failed = true;
        return METER_ERROR;
    }
    if (told_usage && (meter->api == API_CHAT || meter->api == API_COMPLETIONS) && yyjson_arr_size(choices) == 0)
        return METER_USAGE_ONLY;
    return METER_PLAIN;
}

static enum meter_event
read_event(struct meter *meter, struct slice event, yyjson_val *root)
{
    bool told_usage = read_usage(meter, root);

    read_model(meter, root);
    read_choices(meter, yyjson_obj_get(root, "choices"));
    read_delta(meter, yyjson_obj_get(root, "delta"));
    if (meter->text.wanted)
        text_of_event(&meter->text, meter->api, root);
    if (meter->logprobs.wanted)
        logprobs_of_event(&meter->logprobs, meter->api, root);
    if (meter->stop.wanted)
        stop_of_event(&meter->stop, meter->api, root);
    if (meter->so_far.wanted && !meter->so_far_is_told)
        stream_so_far_event(&meter->so_far, meter->api, root);
    return kind_of(meter, event, root, told_usage);
}

enum meter_event
meter_frame(struct meter *meter, struct slice frame)
{
    struct slice event, data;
    struct json_scratch scratch;
    enum meter_event kind;
    yyjson_doc *doc;

    meter->answer_bytes += (int64_t)frame.len;
    if (!sse_parse(frame, &meter->joined, &event, &data))
        return METER_PLAIN;
    if (slice_is(slice_trim(data), "[DONE]")) {
        meter->finished = true;
        return METER_LAST;
    }
    doc = data.len > 0 ? json_parse_lenient(data, false, &scratch) : NULL;
    kind = read_event(meter, event, yyjson_doc_get_root(doc)); /* no JSON: not ours to judge, it goes on as it is */
    yyjson_doc_free(doc);
    return kind;
}

void
meter_told(struct meter *meter, enum api told, struct slice frame)
{
    struct slice event, data;
    struct json_scratch scratch;
    yyjson_doc *doc = NULL;

    if (sse_parse(frame, &meter->joined, &event, &data) && data.len > 0)
        doc = json_parse_lenient(data, false, &scratch);
    stream_so_far_event(&meter->so_far, told, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
}

static void
keep_tail(struct meter *meter, struct slice piece)
{
    if (piece.len > TAIL_BYTES)
        piece = slice_from(piece, piece.len - TAIL_BYTES);
    buffer_add(&meter->tail, piece);
    if (buffer_len(&meter->tail) > 2 * TAIL_BYTES)
        buffer_consume(&meter->tail, buffer_len(&meter->tail) - TAIL_BYTES);
}

void
meter_piece(struct meter *meter, struct slice piece)
{
    size_t room = METER_WHOLE_MOST - buffer_len(&meter->head);

    meter->answer_bytes += (int64_t)piece.len;
    buffer_add(&meter->head, slice_first(piece, room));
    if (piece.len > room)
        keep_tail(meter, slice_from(piece, room));
}

/* What stands behind the last `"name":` in the text. */
static struct slice
last_member(struct slice text, struct slice name)
{
    struct slice found = SLICE_NONE, rest = text;
    size_t at;

    while ((at = slice_find(rest, name)) < rest.len) {
        struct slice behind;

        rest = slice_from(rest, at + name.len);
        behind = slice_trim(rest);
        if (behind.len > 0 && behind.data[0] == ':')
            found = slice_from(behind, 1);
    }
    return found;
}

/* The member's value under its name in an object of its own: what is left of the answer need not be JSON. */
static void
add_last_member(struct slice text, struct slice name, struct buffer *out)
{
    struct slice behind = last_member(text, name);
    struct json_scratch scratch;
    yyjson_doc *doc = behind.len > 0 ? json_parse_lenient(behind, true, &scratch) : NULL;

    if (doc != NULL) {
        buffer_add_byte(out, buffer_len(out) == 0 ? '{' : ',');
        buffer_add(out, name);
        buffer_add_byte(out, ':');
        buffer_add(out, slice_first(behind, yyjson_doc_get_read_size(doc)));
    }
    yyjson_doc_free(doc);
}

/* Too large to be read whole: the usage is taken from the end, the text counted as all of it. */
static void
read_large(struct meter *meter)
{
    struct buffer ending = {0}, report = {0};
    struct json_scratch scratch;
    yyjson_doc *doc;

    /* What is looked for may stand across the border of the two. */
    buffer_add(&ending, slice_from(buffer_content(&meter->head), METER_WHOLE_MOST - TAIL_BYTES));
    buffer_add(&ending, buffer_content(&meter->tail));
    add_last_member(buffer_content(&ending), SLICE_LITERAL("\"usage\""), &report);
    add_last_member(buffer_content(&ending), SLICE_LITERAL("\"model\""), &report);
    buffer_add_byte(&report, '}');
    doc = json_parse_lenient(buffer_content(&report), false, &scratch);
    if (doc != NULL) {
        read_usage(meter, yyjson_doc_get_root(doc));
        read_model(meter, yyjson_doc_get_root(doc));
        meter->usage_partial = false;
    }
    meter->text_bytes = meter->answer_bytes;
    meter->text.cut = true;
    meter->finished = true;
    yyjson_doc_free(doc);
    buffer_free(&ending);
    buffer_free(&report);
}

static void
read_whole(struct meter *meter, struct slice whole)
{
    struct json_scratch scratch;
    yyjson_doc *doc = whole.len > 0 ? json_parse_lenient(whole, false, &scratch) : NULL;
    yyjson_val *root = yyjson_doc_get_root(doc);

    if (root != NULL) {
        read_event(meter, SLICE_NONE, root);
        read_parts(meter, yyjson_obj_get(root, "content"), 0);
        read_parts(meter, yyjson_obj_get(root, "output"), 0);
        meter->finished = true;
        meter->usage_partial = false;
    }
    yyjson_doc_free(doc);
}

void
meter_end(struct meter *meter)
{
    if (buffer_len(&meter->tail) > 0)
        read_large(meter);
    else
        read_whole(meter, buffer_content(&meter->head));
}

void
meter_cut(struct meter *meter, size_t bytes, size_t text_bytes)
{
    meter->answer_bytes += (int64_t)bytes;
    meter->text_bytes = (int64_t)text_bytes;
    meter->text.cut = true;
}

void
meter_whole(struct meter *meter, struct slice answer)
{
    if (answer.len > METER_WHOLE_MOST) {
        meter_piece(meter, answer);
        meter_end(meter);
        return;
    }
    meter->answer_bytes += (int64_t)answer.len;
    read_whole(meter, answer);
}
