/* What readers take in the same way, whatever the API. */
#include "dialect/translate/talk.h"

/* Of a part of a turn */

void
talk_take_text(struct talk *talk, void *into, yyjson_val *value)
{
    ((struct talk_part *)into)->text = talk_text(talk, "text", value);
}

void
talk_take_refusal(struct talk *talk, void *into, yyjson_val *value)
{
    ((struct talk_part *)into)->text = talk_text(talk, "refusal", value);
}

void
talk_take_id(struct talk *talk, void *into, yyjson_val *value)
{
    ((struct talk_part *)into)->id = talk_text(talk, "id", value);
}

void
talk_take_name(struct talk *talk, void *into, yyjson_val *value)
{
    ((struct talk_part *)into)->name = talk_text(talk, "name", value);
}

void
talk_take_arguments(struct talk *talk, void *into, yyjson_val *value)
{
    ((struct talk_part *)into)->text = talk_arguments(talk, talk_text(talk, "arguments", value));
}

void
talk_take_detail(struct talk *talk, void *into, yyjson_val *value)
{
    struct slice detail = talk_text(talk, "detail", value);

    if (!slice_is(detail, "auto"))
        ((struct talk_part *)into)->detail = detail;
}

/* Of the body */

void
talk_take_user(struct talk *talk, void *into, yyjson_val *value)
{
    (void)into;
    talk->user = talk_text(talk, "user", value);
}

/* What most requests are served by, unless they say otherwise. */
void
talk_take_service_tier(struct talk *talk, void *into, yyjson_val *value)
{
    static const char *const plain[] = {"auto", "default", "standard_only", "standard"};

    (void)into;
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        if (yyjson_equals_str(value, plain[i]))
            return;
    talk_refuse(talk, "the service tier that is asked for is one of its own provider");
}

static void
take_tool_name(struct talk *talk, void *into, yyjson_val *value)
{
    ((struct talk_tool *)into)->name = talk_text(talk, "name", value);
}

static void
take_tool_description(struct talk *talk, void *into, yyjson_val *value)
{
    ((struct talk_tool *)into)->description = talk_text(talk, "description", value);
}

static void
take_tool_schema(struct talk *talk, void *into, yyjson_val *value)
{
    ((struct talk_tool *)into)->schema = value;
    if (!yyjson_is_obj(value))
        talk_refuse(talk, "the schema of a tool's arguments is no object");
}

static void
take_tool_strict(struct talk *talk, void *into, yyjson_val *value)
{
    ((struct talk_tool *)into)->strict = talk_is_true(talk, "strict", value);
}

void
talk_take_function(struct talk *talk, yyjson_val *function)
{
    const struct talk_member members[] = {
        {"type", NULL}, /* looked at by the caller */
        {"name", take_tool_name},
        {"description", take_tool_description},
        {talk->from == API_MESSAGES ? "input_schema" : "parameters", take_tool_schema},
        {"strict", take_tool_strict},
        {"cache_control", NULL}, /* about price only */
        {NULL, NULL}};
    struct talk_tool *tool = talk_add_tool(talk);

    talk_walk(talk, "a tool", function, members, tool);
    if (tool->name.len == 0)
        talk_refuse(talk, "a tool has no name");
}

void
talk_take_store(struct talk *talk, void *into, yyjson_val *value)
{
    (void)into;
    if (talk_is_true(talk, "store", value))
        talk_refuse(talk, "the answer shall be stored at the provider");
}

void
talk_take_parallel(struct talk *talk, void *into, yyjson_val *value)
{
    (void)into;
    talk->many_calls = talk_is_true(talk, "parallel_tool_calls", value);
    talk->one_call_at_most = !talk->many_calls;
}

/* The usage is told by ourselves; what hides the length of events from onlookers is not the answer's. */
void
talk_take_stream_options(struct talk *talk, void *into, yyjson_val *value)
{
    static const struct talk_member members[] = {{"include_usage", NULL}, {"include_obfuscation", NULL}, {NULL, NULL}};

    talk_walk(talk, "'stream_options'", value, members, into);
}

void
talk_take_stream(struct talk *talk, void *into, yyjson_val *value)
{
    (void)into;
    talk->stream = yyjson_is_true(value);
}

void
talk_take_top_logprobs(struct talk *talk, void *into, yyjson_val *value)
{
    (void)into;
    if (!talk_is_number(value, 0.0))
        talk_refuse(talk, "'top_logprobs' of the body cannot be translated");
}

/* Of the form that OpenAI's APIs want an answer in */

void
talk_take_schema_name(struct talk *talk, void *into, yyjson_val *value)
{
    (void)into;
    talk->format_name = talk_text(talk, "name", value);
}

void
talk_take_schema_description(struct talk *talk, void *into, yyjson_val *value)
{
    (void)into;
    talk->format_description = talk_text(talk, "description", value);
}

void
talk_take_schema(struct talk *talk, void *into, yyjson_val *value)
{
    (void)into;
    talk->format_schema = value;
}

void
talk_take_schema_strict(struct talk *talk, void *into, yyjson_val *value)
{
    (void)into;
    talk->format_strict = talk_is_true(talk, "strict", value);
}

void
talk_take_format(struct talk *talk, const char *name, yyjson_val *value, const struct talk_member *members)
{
    yyjson_val *type = yyjson_obj_get(value, "type");

    talk_walk(talk, name, value, members, NULL);
    if (yyjson_equals_str(type, "json_object"))
        talk->format = TALK_ANY_JSON;
    else if (yyjson_equals_str(type, "json_schema"))
        talk->format = TALK_JSON_SCHEMA;
    else if (!yyjson_equals_str(type, "text"))
        talk_refuse(talk, "%s is of a kind that cannot be translated", name);
    if (talk->format != TALK_JSON_SCHEMA && (talk->format_name.len > 0 || talk->format_description.len > 0 ||
                                             talk->format_schema != NULL || talk->format_strict))
        talk_refuse(talk, "%s says what only a schema does, and is none", name);
}
