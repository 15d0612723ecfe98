/* Anthropic's messages, as a request comes. Marks for its prompt cache (cache_control) are about price only: they are left
 * out, as the other APIs keep prompts without being asked. */
#include "dialect/translate/talk.h"

/* Content blocks. `into`: the part that is being made. */

static void
take_citations(struct talk *talk, void *into, yyjson_val *value)
{
    (void)into;
    if (yyjson_arr_size(talk_list(talk, "citations", value)) > 0)
        talk_refuse(talk, "a text has citations, which have no place in another API");
}

static void
take_data(struct talk *talk, void *into, yyjson_val *value)
{
    ((struct talk_part *)into)->text = talk_text(talk, "data", value);
}

static void
take_media_type(struct talk *talk, void *into, yyjson_val *value)
{
    talk_set_media_type(talk, into, talk_text(talk, "media_type", value));
}

static void
take_url(struct talk *talk, void *into, yyjson_val *value)
{
    struct slice url = talk_text(talk, "url", value);

    ((struct talk_part *)into)->text = url;
    if (!slice_starts(url, "https://") && !slice_starts(url, "http://"))
        talk_refuse(talk, "an image's URL is of another kind than https");
}

static void
take_source(struct talk *talk, void *into, yyjson_val *value)
{
    static const struct talk_member base64[] = {
        {"type", NULL}, {"media_type", take_media_type}, {"data", take_data}, {NULL, NULL}};
    static const struct talk_member url[] = {{"type", NULL}, {"url", take_url}, {NULL, NULL}};
    yyjson_val *type = yyjson_obj_get(value, "type");

    if (yyjson_equals_str(type, "base64"))
        talk_walk(talk, "an image", value, base64, into);
    else if (yyjson_equals_str(type, "url"))
        talk_walk(talk, "an image", value, url, into);
    else
        talk_refuse(talk, "an image is kept at its provider");
    if (yyjson_equals_str(type, "base64") && ((struct talk_part *)into)->media_type.len == 0)
        talk_refuse(talk, "an image has no media type");
}

static void
take_input(struct talk *talk, void *into, yyjson_val *value)
{
    if (!yyjson_is_obj(value))
        talk_refuse(talk, "the input of a tool's call is no object");
    ((struct talk_part *)into)->text = talk_json(talk, value);
}

/* Who calls: the model itself, or a tool of its provider's. */
static void
take_caller(struct talk *talk, void *into, yyjson_val *value)
{
    static const struct talk_member members[] = {{"type", NULL}, {NULL, NULL}};

    talk_walk(talk, "'caller'", value, members, into);
    if (!yyjson_equals_str(yyjson_obj_get(value, "type"), "direct"))
        talk_refuse(talk, "a tool was called by a tool of its provider's own");
}

static void
take_failed(struct talk *talk, void *into, yyjson_val *value)
{
    ((struct talk_part *)into)->failed = talk_is_true(talk, "is_error", value);
}

static const struct talk_member text_members[] = {
    {"type", NULL}, {"text", talk_take_text}, {"cache_control", NULL}, {"citations", take_citations}, {NULL, NULL}};
static const struct talk_member image_members[] = {
    {"type", NULL}, {"source", take_source}, {"cache_control", NULL}, {NULL, NULL}};

/* A text or an image, in a turn or inside of a result. */
static void
read_shown(struct talk *talk, struct talk_part *result, yyjson_val *block)
{
    bool text = yyjson_equals_str(yyjson_obj_get(block, "type"), "text");
    enum talk_kind kind = text ? TALK_TEXT : TALK_IMAGE;

    if (!text && !yyjson_equals_str(yyjson_obj_get(block, "type"), "image"))
        talk_refuse(talk, "a turn has a block that is neither a text, an image nor a tool's");
    else
        talk_walk(talk, "a block", block, text ? text_members : image_members,
                  result != NULL ? talk_add_inside(talk, result, kind) : talk_add_part(talk, kind));
}

static void
take_result(struct talk *talk, void *into, yyjson_val *value)
{
    size_t i, most;
    yyjson_val *block;

    if (yyjson_is_str(value))
        talk_add_inside(talk, into, TALK_TEXT)->text = talk_text(talk, "content", value);
    else if (!yyjson_is_arr(value))
        talk_refuse(talk, "the content of a tool's result is neither a text nor a list");
    yyjson_arr_foreach(value, i, most, block) read_shown(talk, into, block);
}

static void
read_block(struct talk *talk, yyjson_val *block)
{
    static const struct talk_member calls[] = {{"type", NULL},        {"id", talk_take_id},    {"name", talk_take_name},
                                               {"input", take_input}, {"caller", take_caller}, {"cache_control", NULL},
                                               {NULL, NULL}};
    static const struct talk_member results[] = {{"type", NULL},           {"tool_use_id", talk_take_id},
                                                 {"content", take_result}, {"is_error", take_failed},
                                                 {"cache_control", NULL},  {NULL, NULL}};
    yyjson_val *type = yyjson_obj_get(block, "type");
    bool assistant = talk->last_turn->role == TALK_ASSISTANT;
    struct talk_part *part;

    if (yyjson_equals_str(type, "tool_use") && assistant) {
        part = talk_add_part(talk, TALK_CALL);
        part->text = SLICE_LITERAL("{}");
        talk_walk(talk, "a tool's call", block, calls, part);
        if (part->id.len == 0 || part->name.len == 0)
            talk_refuse(talk, "a tool's call has no id or no name");
    } else if (yyjson_equals_str(type, "tool_result") && !assistant) {
        part = talk_add_part(talk, TALK_RESULT);
        talk_walk(talk, "a tool's result", block, results, part);
        if (part->id.len == 0)
            talk_refuse(talk, "a tool's result does not say which call it is of");
    } else {
        read_shown(talk, NULL, block);
    }
}

static void
take_content(struct talk *talk, void *into, yyjson_val *value)
{
    size_t i, most;
    yyjson_val *block;

    (void)into;
    if (yyjson_is_str(value))
        talk_add_text(talk, talk_text(talk, "content", value));
    else if (!yyjson_is_arr(value))
        talk_refuse(talk, "the content of a turn is neither a text nor a list");
    yyjson_arr_foreach(value, i, most, block) read_block(talk, block);
}

static void
take_messages(struct talk *talk, void *into, yyjson_val *value)
{
    static const struct talk_member members[] = {{"role", NULL}, {"content", take_content}, {NULL, NULL}};
    size_t i, most;
    yyjson_val *message;

    value = talk_list(talk, "messages", value);
    yyjson_arr_foreach(value, i, most, message)
    {
        yyjson_val *role = yyjson_obj_get(message, "role");
        bool assistant = yyjson_equals_str(role, "assistant");

        if (!assistant && !yyjson_equals_str(role, "user"))
            talk_refuse(talk, "a message has no role that is known");
        talk_add_turn(talk, assistant ? TALK_ASSISTANT : TALK_USER);
        talk_walk(talk, "a message", message, members, into);
    }
}

/* Stands before all turns, wherever it came among the members. */
static void
read_system(struct talk *talk, yyjson_val *value)
{
    size_t i, most;
    yyjson_val *block;

    if (value == NULL || yyjson_is_null(value) || (yyjson_is_arr(value) && yyjson_arr_size(value) == 0))
        return;
    talk_add_turn(talk, TALK_SYSTEM);
    if (yyjson_is_str(value))
        talk_add_text(talk, talk_text(talk, "system", value));
    else if (!yyjson_is_arr(value))
        talk_refuse(talk, "'system' is neither a text nor a list");
    yyjson_arr_foreach(value, i, most, block) read_shown(talk, NULL, block);
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
        yyjson_val *type = yyjson_obj_get(tool, "type");

        if (type != NULL && !yyjson_is_null(type) && !yyjson_equals_str(type, "custom"))
            talk_refuse(talk, "a tool is one of its provider's own");
        else
            talk_take_function(talk, tool);
    }
}

static void
take_chosen(struct talk *talk, void *into, yyjson_val *value)
{
    (void)into;
    talk->named = talk_text(talk, "name", value);
}

static void
take_one_call(struct talk *talk, void *into, yyjson_val *value)
{
    (void)into;
    talk->one_call_at_most = talk_is_true(talk, "disable_parallel_tool_use", value);
}

static void
take_choice(struct talk *talk, void *into, yyjson_val *value)
{
    static const struct talk_member members[] = {
        {"type", NULL}, {"name", take_chosen}, {"disable_parallel_tool_use", take_one_call}, {NULL, NULL}};
    yyjson_val *type = yyjson_obj_get(value, "type");

    talk_walk(talk, "'tool_choice'", value, members, into);
    if (yyjson_equals_str(type, "none"))
        talk->choice = TALK_CALLS_NONE;
    else if (yyjson_equals_str(type, "any"))
        talk->choice = TALK_CALLS_SOME;
    else if (yyjson_equals_str(type, "tool"))
        talk->choice = TALK_CALLS_NAMED;
    else if (!yyjson_equals_str(type, "auto"))
        talk_refuse(talk, "'tool_choice' is of a kind that cannot be translated");
    if ((talk->choice == TALK_CALLS_NAMED) != (talk->named.len > 0))
        talk_refuse(talk, "'tool_choice' does not say whether it means one tool");
}

/* What an answer shall be */

static void
take_stops(struct talk *talk, void *into, yyjson_val *value)
{
    size_t i, most;
    yyjson_val *stop;

    (void)into;
    value = talk_list(talk, "stop_sequences", value);
    yyjson_arr_foreach(value, i, most, stop) talk_add_stop(talk, stop);
}

static void
take_metadata(struct talk *talk, void *into, yyjson_val *value)
{
    static const struct talk_member members[] = {{"user_id", talk_take_user}, {NULL, NULL}};

    talk_walk(talk, "'metadata'", value, members, into);
}

static void
take_thinking(struct talk *talk, void *into, yyjson_val *value)
{
    static const struct talk_member members[] = {{"type", NULL}, {NULL, NULL}};

    if (!yyjson_equals_str(yyjson_obj_get(value, "type"), "disabled"))
        talk_refuse(talk, "thinking is asked for, whose blocks have no place in another API");
    talk_walk(talk, "'thinking'", value, members, into);
}

/* A schema is kept to in any case, and has no name. */
static void
take_format(struct talk *talk, void *into, yyjson_val *value)
{
    static const struct talk_member members[] = {{"type", NULL}, {"schema", NULL}, {NULL, NULL}};

    talk_walk(talk, "'output_config.format'", value, members, into);
    if (!yyjson_equals_str(yyjson_obj_get(value, "type"), "json_schema") ||
        !yyjson_is_obj(yyjson_obj_get(value, "schema")))
        talk_refuse(talk, "'output_config.format' is of a kind that cannot be translated");
    talk->format = TALK_JSON_SCHEMA;
    talk->format_schema = yyjson_obj_get(value, "schema");
    talk->format_strict = true;
}

static void
take_output_config(struct talk *talk, void *into, yyjson_val *value)
{
    static const struct talk_member members[] = {{"format", take_format}, {NULL, NULL}};

    talk_walk(talk, "'output_config'", value, members, into);
}

static void
take_servers(struct talk *talk, void *into, yyjson_val *value)
{
    (void)into;
    if (yyjson_arr_size(talk_list(talk, "mcp_servers", value)) > 0)
        talk_refuse(talk, "'mcp_servers' of the body cannot be translated");
}

void
talk_read_messages(struct talk *talk, yyjson_val *root)
{
    static const struct talk_member members[] = {{"model", NULL},
                                                 {"system", NULL}, /* read before all others */
                                                 {"messages", take_messages},
                                                 {"max_tokens", talk_take_cap},
                                                 {"stream", talk_take_stream},
                                                 {"tools", take_tools},
                                                 {"tool_choice", take_choice},
                                                 {"stop_sequences", take_stops},
                                                 {"metadata", take_metadata},
                                                 {"thinking", take_thinking},
                                                 {"output_config", take_output_config},
                                                 {"mcp_servers", take_servers},
                                                 {"service_tier", talk_take_service_tier},
                                                 {"cache_control", NULL},
                                                 {NULL, NULL}};

    read_system(talk, yyjson_obj_get(root, "system"));
    talk_walk_body(talk, root, members);
    if (talk->last_turn != NULL && talk->last_turn->role == TALK_ASSISTANT)
        talk_refuse(talk, "the last turn is the assistant's, to be gone on with, which no other API does");
}
