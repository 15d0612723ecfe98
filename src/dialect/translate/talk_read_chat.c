/* OpenAI's chat completions, as a request comes. */
#include "dialect/translate/talk.h"

/* Parts of a turn */

static void
take_url(struct talk *talk, void *into, yyjson_val *value)
{
    talk_add_image_url(talk, into, talk_text(talk, "url", value));
}

static void
take_image(struct talk *talk, void *into, yyjson_val *value)
{
    static const struct talk_member members[] = {{"url", take_url}, {"detail", talk_take_detail}, {NULL, NULL}};

    talk_walk(talk, "an image", value, members, into);
}

static void
take_part(struct talk *talk, struct talk_part *result, yyjson_val *value)
{
    static const struct talk_member texts[] = {
        {"type", NULL}, {"text", talk_take_text}, {"cache_control", NULL}, {NULL, NULL}};
    static const struct talk_member refusals[] = {{"type", NULL}, {"refusal", talk_take_refusal}, {NULL, NULL}};
    static const struct talk_member images[] = {
        {"type", NULL}, {"image_url", take_image}, {"cache_control", NULL}, {NULL, NULL}};
    yyjson_val *type = yyjson_obj_get(value, "type");
    bool text = yyjson_equals_str(type, "text"), refusal = yyjson_equals_str(type, "refusal");
    enum talk_kind kind = text ? TALK_TEXT : refusal ? TALK_REFUSAL : TALK_IMAGE;

    if (!text && !yyjson_equals_str(type, "image_url") && !(refusal && talk->last_turn->role == TALK_ASSISTANT))
        talk_refuse(talk, "a turn has a part that is neither a text nor an image");
    else
        talk_walk(talk, "a part of a turn", value,
                  text      ? texts
                  : refusal ? refusals
                            : images,
                  result != NULL ? talk_add_inside(talk, result, kind) : talk_add_part(talk, kind));
}

static void
take_content_of(struct talk *talk, struct talk_part *result, yyjson_val *value)
{
    size_t i, most;
    yyjson_val *part;

    if (yyjson_is_str(value)) {
        struct slice text = talk_text(talk, "content", value);

        if (result != NULL)
            talk_add_inside(talk, result, TALK_TEXT)->text = text;
        else if (text.len > 0 || talk->last_turn->role != TALK_ASSISTANT)
            talk_add_text(talk, text);
        return;
    }
    if (!yyjson_is_arr(value))
        talk_refuse(talk, "the content of a turn is neither a text nor a list");
    yyjson_arr_foreach(value, i, most, part) take_part(talk, result, part);
}

static void
take_content(struct talk *talk, void *into, yyjson_val *value)
{
    take_content_of(talk, into, value);
}

/* Calls of tools, and what they brought */

static void
take_call_function(struct talk *talk, void *into, yyjson_val *value)
{
    static const struct talk_member members[] = {
        {"name", talk_take_name}, {"arguments", talk_take_arguments}, {NULL, NULL}};

    talk_walk(talk, "a tool's call", value, members, into);
}

static void
take_call(struct talk *talk, yyjson_val *value)
{
    static const struct talk_member members[] = {
        {"id", talk_take_id}, {"type", NULL}, {"index", NULL}, {"function", take_call_function}, {NULL, NULL}};
    yyjson_val *type = yyjson_obj_get(value, "type");
    struct talk_part *call = talk_add_part(talk, TALK_CALL);

    call->text = SLICE_LITERAL("{}");
    if (type != NULL && !yyjson_equals_str(type, "function"))
        talk_refuse(talk, "a call is of a tool that is no function");
    talk_walk(talk, "a tool's call", value, members, call);
    if (call->id.len == 0 || call->name.len == 0)
        talk_refuse(talk, "a tool's call has no id or no name");
}

static void
take_calls(struct talk *talk, void *into, yyjson_val *value)
{
    size_t i, most;
    yyjson_val *call;

    (void)into;
    value = talk_list(talk, "tool_calls", value);
    yyjson_arr_foreach(value, i, most, call) take_call(talk, call);
}

static void
take_message_refusal(struct talk *talk, void *into, yyjson_val *value)
{
    struct slice text = talk_text(talk, "refusal", value);

    (void)into;
    if (text.len > 0)
        talk_add_part(talk, TALK_REFUSAL)->text = text;
}

static void
read_assistant(struct talk *talk, yyjson_val *message)
{
    /* Texts stand before calls, however the members are ordered. */
    static const struct talk_member texts[] = {
        {"role", NULL},       {"content", take_content}, {"refusal", take_message_refusal},
        {"tool_calls", NULL}, {"annotations", NULL}, /* of an earlier answer; models do not read them */
        {NULL, NULL}};
    yyjson_val *calls = yyjson_obj_get(message, "tool_calls");

    talk_add_turn(talk, TALK_ASSISTANT);
    talk_walk(talk, "a message", message, texts, NULL);
    if (calls != NULL && !yyjson_is_null(calls))
        take_calls(talk, NULL, calls);
    if (talk->last_turn->parts == NULL && yyjson_is_str(yyjson_obj_get(message, "content")))
        talk_add_text(talk, SLICE_LITERAL("")); /* beside calls it says nothing; alone it is what was said */
}

static void
read_tool(struct talk *talk, yyjson_val *message)
{
    static const struct talk_member members[] = {
        {"role", NULL}, {"tool_call_id", talk_take_id}, {"content", take_content}, {NULL, NULL}};

    talk_add_turn(talk, TALK_USER);
    talk_walk(talk, "a tool's message", message, members, talk_add_part(talk, TALK_RESULT));
    if (talk->last_part->id.len == 0)
        talk_refuse(talk, "a tool's message does not say which call it is of");
}

static void
read_message(struct talk *talk, yyjson_val *message)
{
    static const struct talk_member members[] = {{"role", NULL}, {"content", take_content}, {NULL, NULL}};
    yyjson_val *role = yyjson_obj_get(message, "role");

    if (yyjson_equals_str(role, "assistant")) {
        read_assistant(talk, message);
    } else if (yyjson_equals_str(role, "tool")) {
        read_tool(talk, message);
    } else if (yyjson_equals_str(role, "user") || yyjson_equals_str(role, "system") ||
               yyjson_equals_str(role, "developer")) {
        talk_add_turn(talk, yyjson_equals_str(role, "user")     ? TALK_USER
                            : yyjson_equals_str(role, "system") ? TALK_SYSTEM
                                                                : TALK_DEVELOPER);
        talk_walk(talk, "a message", message, members, NULL);
    } else {
        talk_refuse(talk, "a message has no role that is known");
    }
}

static void
take_messages(struct talk *talk, void *into, yyjson_val *value)
{
    size_t i, most;
    yyjson_val *message;

    (void)into;
    value = talk_list(talk, "messages", value);
    yyjson_arr_foreach(value, i, most, message) read_message(talk, message);
}

/* Tools */

static void
take_tools(struct talk *talk, void *into, yyjson_val *value)
{
    size_t i, most;
    yyjson_val *tool;

    (void)into;
    value = talk_list(talk, "tools", value);
    yyjson_arr_foreach(value, i, most, tool)
    {
        static const struct talk_member members[] = {
            {"type", NULL}, {"function", NULL}, {"cache_control", NULL}, {NULL, NULL}};

        talk_walk(talk, "a tool", tool, members, NULL);
        if (yyjson_equals_str(yyjson_obj_get(tool, "type"), "function"))
            talk_take_function(talk, yyjson_obj_get(tool, "function"));
        else
            talk_refuse(talk, "a tool is no function");
    }
}

static void
take_chosen(struct talk *talk, void *into, yyjson_val *value)
{
    static const struct talk_member members[] = {{"name", NULL}, {NULL, NULL}};

    (void)into;
    talk_walk(talk, "'tool_choice'", value, members, NULL);
    talk->choice = TALK_CALLS_NAMED;
    talk->named = talk_text(talk, "name", yyjson_obj_get(value, "name"));
}

static void
take_choice(struct talk *talk, void *into, yyjson_val *value)
{
    static const struct talk_member members[] = {{"type", NULL}, {"function", take_chosen}, {NULL, NULL}};

    if (yyjson_equals_str(value, "none"))
        talk->choice = TALK_CALLS_NONE;
    else if (yyjson_equals_str(value, "required"))
        talk->choice = TALK_CALLS_SOME;
    else if (!yyjson_equals_str(value, "auto"))
        talk_walk(talk, "'tool_choice'", value, members, into);
    if (yyjson_is_obj(value) && talk->choice != TALK_CALLS_NAMED)
        talk_refuse(talk, "'tool_choice' is of a kind that cannot be translated");
}

/* What an answer shall be */

static void
take_stop(struct talk *talk, void *into, yyjson_val *value)
{
    size_t i, most;
    yyjson_val *stop;

    (void)into;
    if (!yyjson_is_arr(value))
        talk_add_stop(talk, value);
    yyjson_arr_foreach(value, i, most, stop) talk_add_stop(talk, stop);
}

static void
take_json_schema(struct talk *talk, void *into, yyjson_val *value)
{
    static const struct talk_member members[] = {{"name", talk_take_schema_name},
                                                 {"description", talk_take_schema_description},
                                                 {"schema", talk_take_schema},
                                                 {"strict", talk_take_schema_strict},
                                                 {NULL, NULL}};

    talk_walk(talk, "'json_schema'", value, members, into);
}

static void
take_format(struct talk *talk, void *into, yyjson_val *value)
{
    static const struct talk_member members[] = {{"type", NULL}, {"json_schema", take_json_schema}, {NULL, NULL}};

    (void)into;
    talk_take_format(talk, "'response_format'", value, members);
}

static void
take_count(struct talk *talk, void *into, yyjson_val *value)
{
    (void)into;
    if (!talk_is_number(value, 1.0))
        talk_refuse(talk, "several answers ('n') are asked for, and the other API makes one");
}

static void
take_modalities(struct talk *talk, void *into, yyjson_val *value)
{
    (void)into;
    if (yyjson_arr_size(value) != 1 || !yyjson_equals_str(yyjson_arr_get_first(value), "text"))
        talk_refuse(talk, "more than text is asked for ('modalities')");
}

void
talk_read_chat(struct talk *talk, yyjson_val *root)
{
    static const struct talk_member members[] = {{"model", NULL},
                                                 {"messages", take_messages},
                                                 {"stream", talk_take_stream},
                                                 {"stream_options", talk_take_stream_options},
                                                 {"max_tokens", talk_take_cap},
                                                 {"max_completion_tokens", talk_take_cap},
                                                 {"tools", take_tools},
                                                 {"tool_choice", take_choice},
                                                 {"parallel_tool_calls", talk_take_parallel},
                                                 {"stop", take_stop},
                                                 {"response_format", take_format},
                                                 {"n", take_count},
                                                 {"top_logprobs", talk_take_top_logprobs},
                                                 {"modalities", take_modalities},
                                                 {"user", talk_take_user},
                                                 {"metadata", NULL}, /* labels for stored answers */
                                                 {"store", talk_take_store},
                                                 {"service_tier", talk_take_service_tier},
                                                 {NULL, NULL}};

    talk_walk_body(talk, root, members);
}
