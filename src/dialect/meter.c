#include "dialect/meter.h"

#include <yyjson.h>

#include "dialect/json.h"
#include "dialect/sse.h"

/* Answers up to this size are read whole; of larger ones (batches of embeddings) the usage is looked for at the end. */
enum { WHOLE_BYTES_MOST = 1024 * 1024, TAIL_BYTES = 64 * 1024 };

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
        if (yyjson_is_str(yyjson_obj_get(choice, "finish_reason")))
            meter->finished = true;
    }
}

/* Text within a buffered answer of responses (output[].content[]) or messages (content[]). */
static void
read_parts(struct meter *meter, yyjson_val *parts)
{
    size_t i, most;
    yyjson_val *part;

    yyjson_arr_foreach(parts, i, most, part)
    {
        meter->text_bytes += text_len(yyjson_obj_get(part, "text")) + text_len(yyjson_obj_get(part, "thinking")) +
                             text_len(yyjson_obj_get(part, "arguments"));
        if (yyjson_is_arr(yyjson_obj_get(part, "content")))
            read_parts(meter, yyjson_obj_get(part, "content"));
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
            strcpy(meter->model, model);
    }
}

static enum meter_event
kind_of(struct meter *meter, yyjson_val *root, bool told_usage)
{
    static const char *const last[] = {"message_stop", "response.completed", "response.incomplete"};
    static const char *const failed[] = {"error", "response.failed"};
    yyjson_val *choices = yyjson_obj_get(root, "choices");
    const char *type = yyjson_get_str(yyjson_obj_get(root, "type"));

    for (size_t i = 0; type != NULL && i < sizeof(last) / sizeof(last[0]); i++) {
        if (strcmp(type, last[i]) == 0) {
            meter->finished = true;
            return METER_LAST;
        }
    }
    for (size_t i = 0; type != NULL && i < sizeof(failed) / sizeof(failed[0]); i++)
        meter->failed |= strcmp(type, failed[i]) == 0;
    meter->failed |= yyjson_is_obj(yyjson_obj_get(root, "error"));
    if (meter->failed)
        return METER_ERROR;
    if (told_usage && (meter->api == API_CHAT || meter->api == API_COMPLETIONS) && yyjson_arr_size(choices) == 0)
        return METER_USAGE_ONLY;
    return METER_PLAIN;
}

static enum meter_event
read_event(struct meter *meter, yyjson_val *root)
{
    bool told_usage = read_usage(meter, root);

    read_model(meter, root);
    read_choices(meter, yyjson_obj_get(root, "choices"));
    read_delta(meter, yyjson_obj_get(root, "delta"));
    if (meter->text.wanted)
        text_of_event(&meter->text, meter->api, root);
    return kind_of(meter, root, told_usage);
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
    doc = data.len > 0 ? json_parse(data, &scratch, NULL) : NULL;
    if (doc == NULL)
        return slice_is(event, "error") ? METER_ERROR : METER_PLAIN; /* not ours to judge: it goes on as it is */
    kind = read_event(meter, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    return kind;
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
    size_t room = WHOLE_BYTES_MOST - buffer_len(&meter->head);

    meter->answer_bytes += (int64_t)piece.len;
    buffer_add(&meter->head, slice_first(piece, room));
    if (piece.len > room)
        keep_tail(meter, slice_from(piece, room));
}

/* The object behind the last `"usage":` in the text. */
static struct slice
last_usage(struct slice text)
{
    static const struct slice name = {"\"usage\"", 7};
    struct slice found = SLICE_NONE, rest = text;
    size_t at;

    while ((at = slice_find(rest, name)) < rest.len)
        found = rest = slice_from(rest, at + name.len);
    found = slice_trim(found);
    return found.len > 0 && found.data[0] == ':' ? slice_from(found, 1) : SLICE_NONE;
}

/* Too large to be read whole: the usage is taken from the end, the text counted as all of it. */
static void
read_large(struct meter *meter)
{
    struct buffer ending = {0}, report = {0};
    struct slice usage;
    yyjson_doc *doc;

    /* The usage may stand across the border of the two. */
    buffer_add(&ending, slice_from(buffer_content(&meter->head), WHOLE_BYTES_MOST - TAIL_BYTES));
    buffer_add(&ending, buffer_content(&meter->tail));
    usage = last_usage(buffer_content(&ending));
    buffer_add_text(&report, "{\"usage\":");
    buffer_add(&report, usage);
    doc = yyjson_read(report.data, buffer_len(&report), YYJSON_READ_STOP_WHEN_DONE);
    if (doc == NULL && usage.len > 0) {
        /* The rest of the answer closes the outer object; where it does not, ours is closed here. */
        buffer_add_byte(&report, '}');
        doc = yyjson_read(report.data, buffer_len(&report), YYJSON_READ_STOP_WHEN_DONE);
    }
    if (doc != NULL)
        read_usage(meter, yyjson_doc_get_root(doc));
    meter->text_bytes = meter->answer_bytes;
    meter->text.cut = true;
    yyjson_doc_free(doc);
    buffer_free(&ending);
    buffer_free(&report);
}

static void
read_whole(struct meter *meter, struct slice whole)
{
    struct json_scratch scratch;
    yyjson_doc *doc = whole.len > 0 ? json_parse(whole, &scratch, NULL) : NULL;
    yyjson_val *root = yyjson_doc_get_root(doc);

    if (root != NULL) {
        read_event(meter, root);
        read_parts(meter, yyjson_obj_get(root, "content"));
        read_parts(meter, yyjson_obj_get(root, "output"));
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
meter_whole(struct meter *meter, struct slice answer)
{
    if (answer.len > WHOLE_BYTES_MOST) {
        meter_piece(meter, answer);
        meter_end(meter);
        return;
    }
    meter->answer_bytes += (int64_t)answer.len;
    read_whole(meter, answer);
}
