/* What backends say, in each of their APIs. Reasoning that nobody asked for is not told: the client's API would not have
 * any; what it cost is in the usage. */
#include <stdlib.h>

#include "dialect/translate/retell.h"

static bool
is(yyjson_val *value, const char *text)
{
    return yyjson_equals_str(value, text);
}

/* -1: it is not there */
static int64_t
number(yyjson_val *object, const char *name)
{
    yyjson_val *value = yyjson_obj_get(object, name);

    return yyjson_is_int(value) ? yyjson_get_sint(value) : -1;
}

static bool
is_left_out(yyjson_val *type)
{
    return is(type, "thinking") || is(type, "reasoning") || is(type, "redacted_thinking");
}

/* Chat */

/* An answer that its server gave up: aborted (vLLM, SGLang), out of resources (DeepSeek), failed (Mistral, OpenRouter),
 * with a call that it could not read (Google). */
static bool
is_given_up(yyjson_val *reason)
{
    return is(reason, "error") || is(reason, "abort") || is(reason, "insufficient_system_resource") ||
           slice_starts(retell_slice(reason), "function_call_filter");
}

/* Reasons that are not known are an end like any other: servers have names of their own for it. */
static void
hear_finish(struct translation *translation, yyjson_val *choice)
{
    yyjson_val *reason = yyjson_obj_get(choice, "finish_reason"), *met = yyjson_obj_get(choice, "stop_reason");

    if (!yyjson_is_str(reason) || yyjson_get_len(reason) == 0) /* null; some say "" until it ends */
        return;
    if (is_given_up(reason))
        translation->broken = true;
    else if (is(reason, "length") || is(reason, "model_length")) /* Mistral: of what the model holds */
        retell_stop(translation, STOP_BY_LENGTH, NULL);
    else if (is(reason, "tool_calls"))
        retell_stop(translation, STOP_BY_CALLS, NULL);
    else if (slice_starts(retell_slice(reason), "content_filter")) /* Google says of which kind */
        retell_stop(translation, STOP_BY_FILTER, NULL);
    else if (yyjson_is_str(met)) /* vLLM tells which sequence it was */
        retell_stop(translation, STOP_BY_SEQUENCE, met);
    else
        retell_stop(translation, STOP_BY_ITSELF, NULL);
}

static void
hear_chat_call(struct translation *translation, yyjson_val *call, size_t place)
{
    yyjson_val *function = yyjson_obj_get(call, "function");
    int64_t index = number(call, "index");
    size_t at = index >= 0 ? (size_t)index : place;

    retell_call(translation, at, yyjson_obj_get(call, "id"), yyjson_obj_get(function, "name"));
    retell_arguments(translation, at, retell_slice(yyjson_obj_get(function, "arguments")));
}

/* A text; or null, which is none. */
static void
hear_words(struct translation *translation, enum said_kind kind, yyjson_val *words)
{
    if (words != NULL && !yyjson_is_null(words) && !yyjson_is_str(words))
        translation->broken = true;
    retell_text(translation, kind, words);
}

/* Mistral's models that reason answer in a list of thoughts and texts. */
static void
hear_chat_part(struct translation *translation, yyjson_val *part)
{
    yyjson_val *type = yyjson_obj_get(part, "type");

    if (is(type, "text"))
        hear_words(translation, SAID_TEXT, yyjson_obj_get(part, "text"));
    else if (is(type, "refusal"))
        hear_words(translation, SAID_REFUSAL, yyjson_obj_get(part, "refusal"));
    else if (!is_left_out(type))
        translation->broken = true;
}

static void
hear_content(struct translation *translation, yyjson_val *content)
{
    yyjson_val *part;
    size_t i, most;

    if (!yyjson_is_arr(content))
        hear_words(translation, SAID_TEXT, content);
    yyjson_arr_foreach(content, i, most, part) hear_chat_part(translation, part);
}

/* A delta of a stream, or the message of a whole answer. */
static void
hear_chat_message(struct translation *translation, yyjson_val *message, bool whole)
{
    yyjson_val *calls = yyjson_obj_get(message, "tool_calls"), *call, *old = yyjson_obj_get(message, "function_call");
    size_t i, most;

    hear_content(translation, yyjson_obj_get(message, "content"));
    hear_words(translation, SAID_REFUSAL, yyjson_obj_get(message, "refusal"));
    if (old != NULL && !yyjson_is_null(old))
        translation->broken = true; /* nobody asked for the older kind of call */
    yyjson_arr_foreach(calls, i, most, call)
    {
        hear_chat_call(translation, call, i);
        if (whole)
            retell_call_over(translation, i);
    }
}

static void
hear_chat(struct translation *translation, yyjson_val *root, bool whole)
{
    yyjson_val *choices = yyjson_obj_get(root, "choices"), *choice = yyjson_arr_get_first(choices);
    yyjson_val *error = yyjson_obj_get(root, "error");

    if (is(yyjson_obj_get(root, "object"), "error")) /* older vLLM */
        error = root;
    if (error != NULL && !yyjson_is_null(error)) {
        retell_error(translation, error);
        return;
    }
    if (yyjson_arr_size(choices) > 1 || number(choice, "index") > 0)
        translation->broken = true; /* one answer was asked for */
    if (choice == NULL && (whole || yyjson_get_len(yyjson_obj_get(root, "id")) == 0))
        return; /* Azure tells first what its filters said, with names that are empty */
    retell_begin(translation, yyjson_obj_get(root, "id"), yyjson_obj_get(root, "model"));
    hear_chat_message(translation, yyjson_obj_get(choice, whole ? "message" : "delta"), whole);
    hear_finish(translation, choice);
    if (whole)
        retell_end(translation);
}

/* Messages */

static void
hear_stop_reason(struct translation *translation, yyjson_val *holder)
{
    yyjson_val *reason = yyjson_obj_get(holder, "stop_reason");

    if (!yyjson_is_str(reason))
        return;
    if (is(reason, "max_tokens") || is(reason, "model_context_window_exceeded"))
        retell_stop(translation, STOP_BY_LENGTH, NULL);
    else if (is(reason, "tool_use"))
        retell_stop(translation, STOP_BY_CALLS, NULL);
    else if (is(reason, "stop_sequence"))
        retell_stop(translation, STOP_BY_SEQUENCE, yyjson_obj_get(holder, "stop_sequence"));
    else if (is(reason, "refusal"))
        retell_stop(translation, STOP_BY_FILTER, NULL);
    else if (is(reason, "pause_turn"))
        translation->broken = true; /* it is to be gone on with, after a tool of the provider's own */
    else
        retell_stop(translation, STOP_BY_ITSELF, NULL);
}

static void
put_input(struct translation *translation, yyjson_val *input, struct buffer *out)
{
    size_t len = 0;
    char *text = yyjson_val_write(input, YYJSON_WRITE_ALLOW_INVALID_UNICODE | YYJSON_WRITE_ALLOW_INF_AND_NAN, &len);

    if (text != NULL)
        buffer_add(out, slice_make(text, len));
    else
        translation->broken = true;
    free(text);
}

/* Some servers tell a call's input at once, when it begins. Others tell it in pieces, and nothing here. */
static void
keep_input(struct translation *translation, yyjson_val *input)
{
    buffer_clear(&translation->input);
    if (yyjson_obj_size(input) > 0)
        put_input(translation, input, &translation->input);
}

static void
hear_block_start(struct translation *translation, yyjson_val *root)
{
    yyjson_val *block = yyjson_obj_get(root, "content_block"), *type = yyjson_obj_get(block, "type");

    if (is(type, "tool_use")) {
        translation->broken |= translation->live != CALLS_MOST; /* the call before it did not end */
        translation->block = number(root, "index");
        retell_call(translation, translation->call_count, yyjson_obj_get(block, "id"), yyjson_obj_get(block, "name"));
        keep_input(translation, yyjson_obj_get(block, "input"));
    } else if (is(type, "text")) {
        retell_text(translation, SAID_TEXT, yyjson_obj_get(block, "text"));
    } else if (!is_left_out(type)) {
        translation->broken = true; /* of a tool of the provider's own, which nobody asked for */
    }
}

static void
hear_block_delta(struct translation *translation, yyjson_val *root)
{
    yyjson_val *delta = yyjson_obj_get(root, "delta"), *type = yyjson_obj_get(delta, "type");
    struct slice piece = retell_slice(yyjson_obj_get(delta, "partial_json"));

    if (is(type, "text_delta")) {
        retell_text(translation, SAID_TEXT, yyjson_obj_get(delta, "text"));
    } else if (is(type, "input_json_delta") && translation->live == CALLS_MOST) {
        translation->broken = true; /* of no call */
    } else if (is(type, "input_json_delta")) {
        retell_arguments(translation, translation->live, piece);
    }
}

/* A call without arguments has had none by its end; or they came with its begin. */
static void
hear_block_stop(struct translation *translation, yyjson_val *root)
{
    struct slice input = buffer_content(&translation->input);
    size_t live = translation->live;

    if (live == CALLS_MOST || number(root, "index") != translation->block)
        return;
    if (!retell_call_spoke(translation, live))
        retell_arguments(translation, live, input.len > 0 ? input : SLICE_LITERAL("{}"));
    buffer_clear(&translation->input);
    retell_call_over(translation, live);
}

static void
hear_message_stop(struct translation *translation)
{
    translation->broken |= buffer_len(&translation->input) > 0; /* its call did not end: it was not told */
    retell_end(translation);
}

static void
hear_message_event(struct translation *translation, yyjson_val *root)
{
    yyjson_val *type = yyjson_obj_get(root, "type"), *message = yyjson_obj_get(root, "message");

    if (is(type, "message_start"))
        retell_begin(translation, yyjson_obj_get(message, "id"), yyjson_obj_get(message, "model"));
    else if (is(type, "content_block_start"))
        hear_block_start(translation, root);
    else if (is(type, "content_block_delta"))
        hear_block_delta(translation, root);
    else if (is(type, "content_block_stop"))
        hear_block_stop(translation, root);
    else if (is(type, "message_delta"))
        hear_stop_reason(translation, yyjson_obj_get(root, "delta"));
    else if (is(type, "message_stop"))
        hear_message_stop(translation);
    else if (is(type, "error"))
        retell_error(translation, yyjson_obj_get(root, "error"));
}

static void
hear_message(struct translation *translation, yyjson_val *root)
{
    yyjson_val *content = yyjson_obj_get(root, "content"), *block;
    size_t i, most;

    if (!yyjson_is_arr(content))
        return;
    retell_begin(translation, yyjson_obj_get(root, "id"), yyjson_obj_get(root, "model"));
    yyjson_arr_foreach(content, i, most, block)
    {
        yyjson_val *type = yyjson_obj_get(block, "type");
        size_t at = translation->call_count;

        if (is(type, "text")) {
            retell_text(translation, SAID_TEXT, yyjson_obj_get(block, "text"));
        } else if (is(type, "tool_use")) {
            retell_call(translation, at, yyjson_obj_get(block, "id"), yyjson_obj_get(block, "name"));
            buffer_clear(&translation->input);
            put_input(translation, yyjson_obj_get(block, "input"), &translation->input);
            retell_arguments(translation, at, buffer_content(&translation->input));
            retell_call_over(translation, at);
        } else if (!is_left_out(type)) {
            translation->broken = true;
        }
    }
    hear_stop_reason(translation, root);
    retell_end(translation);
}

/* Responses */

static void
hear_status(struct translation *translation, yyjson_val *response)
{
    yyjson_val *reason = yyjson_obj_get(yyjson_obj_get(response, "incomplete_details"), "reason");
    yyjson_val *status = yyjson_obj_get(response, "status");

    if (is(status, "cancelled") || is(status, "failed"))
        translation->broken = true;
    else if (is(status, "completed"))
        retell_stop(translation, STOP_BY_ITSELF, NULL);
    else if (is(reason, "content_filter"))
        retell_stop(translation, STOP_BY_FILTER, NULL);
    else
        retell_stop(translation, STOP_BY_LENGTH, NULL);
}

static void
hear_item(struct translation *translation, yyjson_val *root)
{
    yyjson_val *item = yyjson_obj_get(root, "item"), *type = yyjson_obj_get(item, "type");
    int64_t index = number(root, "output_index");

    if (is(type, "function_call"))
        retell_call(translation, index >= 0 ? (size_t)index : CALLS_MOST, yyjson_obj_get(item, "call_id"),
                    yyjson_obj_get(item, "name"));
    else if (!is(type, "message") && !is(type, "reasoning"))
        translation->broken = true; /* of a tool of the provider's own, which nobody asked for */
}

static void
hear_parts(struct translation *translation, yyjson_val *parts)
{
    size_t i, most;
    yyjson_val *part;

    yyjson_arr_foreach(parts, i, most, part)
    {
        retell_text(translation, SAID_TEXT, yyjson_obj_get(part, "text"));
        retell_text(translation, SAID_REFUSAL, yyjson_obj_get(part, "refusal"));
    }
}

/* An item that is whole. */
static void
hear_whole_item(struct translation *translation, size_t at, yyjson_val *item)
{
    yyjson_val *type = yyjson_obj_get(item, "type");

    if (is(type, "message")) {
        hear_parts(translation, yyjson_obj_get(item, "content"));
    } else if (is(type, "function_call")) {
        retell_call(translation, at, yyjson_obj_get(item, "call_id"), yyjson_obj_get(item, "name"));
        if (!retell_call_spoke(translation, at))
            retell_arguments(translation, at, retell_slice(yyjson_obj_get(item, "arguments")));
        retell_call_over(translation, at);
    } else if (!is(type, "reasoning")) {
        translation->broken = true; /* of a tool of the provider's own, which nobody asked for */
    }
}

static void
hear_output(struct translation *translation, yyjson_val *output)
{
    yyjson_val *item;
    size_t i, most;

    yyjson_arr_foreach(output, i, most, item) hear_whole_item(translation, i, item);
}

/* A piece of a message's text. */
static void
hear_item_text(struct translation *translation, size_t at, enum said_kind kind, yyjson_val *delta)
{
    translation->text_came = true;
    if (at < CALLS_MOST)
        translation->text_came_of[at] = true;
    retell_text(translation, kind, delta);
}

/* Its text, its arguments may come only now. Not all servers number their items well: text that came since the last one
 * was done is this one's, too. */
static void
hear_item_done(struct translation *translation, size_t at, yyjson_val *item)
{
    bool is_message = is(yyjson_obj_get(item, "type"), "message");

    if (!is_message || !(translation->text_came || (at < CALLS_MOST && translation->text_came_of[at])))
        hear_whole_item(translation, at, item);
    if (is_message)
        translation->text_came = false;
}

/* All that the answer says may stand only there. */
static void
hear_response_end(struct translation *translation, yyjson_val *response)
{
    retell_begin(translation, yyjson_obj_get(response, "id"), yyjson_obj_get(response, "model"));
    if (!translation->any_said && translation->call_count == 0)
        hear_output(translation, yyjson_obj_get(response, "output"));
    hear_status(translation, response);
    retell_end(translation);
}

static void
hear_response_event(struct translation *translation, yyjson_val *root)
{
    yyjson_val *type = yyjson_obj_get(root, "type"), *response = yyjson_obj_get(root, "response");
    yyjson_val *delta = yyjson_obj_get(root, "delta");
    int64_t index = number(root, "output_index");
    size_t at = index >= 0 ? (size_t)index : CALLS_MOST;

    if (is(type, "response.created")) {
        retell_begin(translation, yyjson_obj_get(response, "id"), yyjson_obj_get(response, "model"));
    } else if (is(type, "response.output_item.added")) {
        hear_item(translation, root);
    } else if (is(type, "response.output_text.delta")) {
        hear_item_text(translation, at, SAID_TEXT, delta);
    } else if (is(type, "response.refusal.delta")) {
        hear_item_text(translation, at, SAID_REFUSAL, delta);
    } else if (is(type, "response.function_call_arguments.delta")) {
        retell_arguments(translation, at, retell_slice(delta));
    } else if (is(type, "response.output_item.done")) {
        hear_item_done(translation, at, yyjson_obj_get(root, "item"));
    } else if (is(type, "response.completed") || is(type, "response.incomplete")) {
        hear_response_end(translation, response);
    } else if (is(type, "response.failed")) {
        retell_error(translation, yyjson_obj_get(response, "error"));
    } else if (is(type, "error")) {
        retell_error(translation, yyjson_obj_get(root, "message") != NULL ? root : yyjson_obj_get(root, "error"));
    }
}

static void
hear_response(struct translation *translation, yyjson_val *root)
{
    yyjson_val *output = yyjson_obj_get(root, "output"), *status = yyjson_obj_get(root, "status");

    if (!yyjson_is_arr(output) || (!is(status, "completed") && !is(status, "incomplete")))
        return;
    retell_begin(translation, yyjson_obj_get(root, "id"), yyjson_obj_get(root, "model"));
    hear_output(translation, output);
    hear_status(translation, root);
    retell_end(translation);
}

/* All */

void
retell_hear_event(struct translation *translation, yyjson_val *root)
{
    if (translation->from == API_MESSAGES)
        hear_message_event(translation, root);
    else if (translation->from == API_RESPONSES)
        hear_response_event(translation, root);
    else
        hear_chat(translation, root, false);
}

void
retell_hear_whole(struct translation *translation, yyjson_val *root)
{
    if (translation->from == API_MESSAGES)
        hear_message(translation, root);
    else if (translation->from == API_RESPONSES)
        hear_response(translation, root);
    else
        hear_chat(translation, root, true);
}
