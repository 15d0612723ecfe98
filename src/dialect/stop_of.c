#include "dialect/stop_of.h"

#include <string.h>

/* OpenAI: finish_reason of a choice; Anthropic: stop_reason. content_filter, refusal, pause_turn, error,
 * model_context_window_exceeded and whatever else comes are none of these. */
static const char *const choice_reasons[] = {"stop", "length", "tool_calls", "function_call", NULL};
static const char *const message_reasons[] = {"end_turn", "max_tokens", "stop_sequence", "tool_use", NULL};

static bool
is_among(yyjson_val *reason, const char *const *names)
{
    for (; *names != NULL; names++)
        if (yyjson_equals_str(reason, *names))
            return true;
    return false;
}

/* True if there is one; a bad one spoils the answer. */
static bool
take_reason(struct stop_of *stop, yyjson_val *reason, const char *const *good)
{
    if (reason == NULL || yyjson_is_null(reason))
        return false;
    if (!is_among(reason, good))
        stop->spoilt = true;
    return true;
}

static void
read_choices(struct stop_of *stop, yyjson_val *choices)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(choices);
    yyjson_val *choice;

    while ((choice = yyjson_arr_iter_next(&iter)) != NULL) {
        int64_t index = yyjson_get_sint(yyjson_obj_get(choice, "index"));
        uint64_t bit = index >= 0 && index < 64 ? (uint64_t)1 << index : 0;

        if (bit == 0)
            stop->spoilt = true; /* cannot be followed */
        stop->begun |= bit;
        if (take_reason(stop, yyjson_obj_get(choice, "finish_reason"), choice_reasons))
            stop->stopped |= bit;
    }
}

/* Streamed, the reason comes with message_delta and the end with message_stop. */
static void
read_message(struct stop_of *stop, yyjson_val *root)
{
    yyjson_val *type = yyjson_obj_get(root, "type");

    if (yyjson_equals_str(type, "message_delta"))
        take_reason(stop, yyjson_obj_get(yyjson_obj_get(root, "delta"), "stop_reason"), message_reasons);
    else if (yyjson_equals_str(type, "message_stop"))
        stop->ended = true;
    else if (yyjson_equals_str(type, "message"))
        stop->ended = take_reason(stop, yyjson_obj_get(root, "stop_reason"), message_reasons);
}

/* A response that is over says so itself; streamed, in its last event. Those in the queue or in progress are not over. */
static void
read_response(struct stop_of *stop, yyjson_val *root)
{
    yyjson_val *type = yyjson_obj_get(root, "type"), *response = yyjson_obj_get(root, "response");
    bool last = yyjson_equals_str(type, "response.completed") || yyjson_equals_str(type, "response.incomplete") ||
                yyjson_equals_str(type, "response.failed") || yyjson_equals_str(type, "response.cancelled");

    if (type != NULL && !last)
        return;
    stop->ended = true;
    if (!yyjson_equals_str(yyjson_obj_get(type != NULL ? response : root, "status"), "completed"))
        stop->spoilt = true;
}

void
stop_of_event(struct stop_of *stop, enum api api, yyjson_val *root)
{
    yyjson_val *error = yyjson_obj_get(root, "error");

    if ((error != NULL && !yyjson_is_null(error)) || yyjson_equals_str(yyjson_obj_get(root, "type"), "error"))
        stop->spoilt = true;
    switch (api) {
    case API_CHAT:
    case API_COMPLETIONS:
        read_choices(stop, yyjson_obj_get(root, "choices"));
        break;
    case API_MESSAGES:
        read_message(stop, root);
        break;
    case API_RESPONSES:
        read_response(stop, root);
        break;
    case API_EMBEDDINGS:
        stop->ended = yyjson_arr_size(yyjson_obj_get(root, "data")) > 0;
        break;
    case API_PASSTHROUGH:
    case API_COUNT:
        break;
    }
}

bool
stop_of_itself(const struct stop_of *stop)
{
    bool choices = stop->begun != 0 && stop->begun == stop->stopped;

    return !stop->spoilt && (stop->ended || choices);
}
