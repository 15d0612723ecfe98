/* OpenAI's responses, as a request comes. What is kept at the provider (conversations, earlier responses, references, files)
 * nobody else has; what a reasoning item holds nobody else can read. */
#include "dialect/translate/talk.h"

/* Parts of a message */

static void
take_image_url(struct talk *talk, void *into, yyjson_val *value)
{
    talk_add_image_url(talk, into, talk_text(talk, "image_url", value));
}

static void
take_annotations(struct talk *talk, void *into, yyjson_val *value)
{
    (void)into;
    if (yyjson_arr_size(talk_list(talk, "annotations", value)) > 0)
        talk_refuse(talk, "a text has annotations, which have no place in another API");
}

static void
read_part(struct talk *talk, struct talk_part *result, yyjson_val *value)
{
    static const struct talk_member texts[] = {{"type", NULL},
                                               {"text", talk_take_text},
                                               {"annotations", take_annotations},
                                               {"logprobs", NULL}, /* of an earlier answer */
                                               {NULL, NULL}};
    static const struct talk_member refusals[] = {{"type", NULL}, {"refusal", talk_take_refusal}, {NULL, NULL}};
    static const struct talk_member images[] = {
        {"type", NULL}, {"image_url", take_image_url}, {"detail", talk_take_detail}, {NULL, NULL}};
    yyjson_val *type = yyjson_obj_get(value, "type");
    bool text = yyjson_equals_str(type, "input_text") || yyjson_equals_str(type, "output_text");
    bool refusal = yyjson_equals_str(type, "refusal"), image = yyjson_equals_str(type, "input_image");
    enum talk_kind kind = text ? TALK_TEXT : refusal ? TALK_REFUSAL : TALK_IMAGE;
    struct talk_part *part;

    if (!text && !image && !(refusal && talk->last_turn->role == TALK_ASSISTANT)) {
        talk_refuse(talk, "a message has a part that is neither a text nor an image");
        return;
    }
    part = result != NULL ? talk_add_inside(talk, result, kind) : talk_add_part(talk, kind);
    talk_walk(talk, "a part of a message", value, text ? texts : refusal ? refusals : images, part);
    if (image && part->text.len == 0)
        talk_refuse(talk, "an image is kept at its provider");
}

static void
take_parts(struct talk *talk, void *into, yyjson_val *value)
{
    size_t i, most;
    yyjson_val *part;

    if (yyjson_is_str(value)) {
        struct slice text = talk_text(talk, "content", value);

        if (into != NULL)
            talk_add_inside(talk, into, TALK_TEXT)->text = text;
        else
            talk_add_text(talk, text);
        return;
    }
    if (!yyjson_is_arr(value))
        talk_refuse(talk, "the content of a message is neither a text nor a list");
    yyjson_arr_foreach(value, i, most, part) read_part(talk, into, part);
}

/* Items. In the other APIs a call is a part of the assistant's turn that it follows, and results stand together. */

static void
ensure_turn(struct talk *talk, enum talk_role role)
{
    bool results = talk->last_part != NULL && talk->last_part->kind == TALK_RESULT;

    if (talk->last_turn == NULL || talk->last_turn->role != role || (role == TALK_USER && !results))
        talk_add_turn(talk, role);
}

static void
read_message(struct talk *talk, yyjson_val *item)
{
    static const struct talk_member members[] = {{"type", NULL}, {"role", NULL},   {"content", take_parts},
                                                 {"id", NULL},   {"status", NULL}, {NULL, NULL}};
    static const struct {
        const char *name;
        enum talk_role role;
    } roles[] = {
        {"user", TALK_USER}, {"assistant", TALK_ASSISTANT}, {"system", TALK_SYSTEM}, {"developer", TALK_DEVELOPER}};
    yyjson_val *role = yyjson_obj_get(item, "role");
    size_t i = 0, count = sizeof(roles) / sizeof(roles[0]);

    while (i < count && !yyjson_equals_str(role, roles[i].name))
        i++;
    if (i == count) {
        talk_refuse(talk, "a message has no role that is known");
        return;
    }
    talk_add_turn(talk, roles[i].role);
    talk_walk(talk, "a message", item, members, NULL);
}

static void
take_call_id(struct talk *talk, void *into, yyjson_val *value)
{
    ((struct talk_part *)into)->id = talk_text(talk, "call_id", value);
}

static void
read_call(struct talk *talk, yyjson_val *item)
{
    static const struct talk_member members[] = {{"type", NULL},
                                                 {"id", NULL},
                                                 {"status", NULL},
                                                 {"call_id", take_call_id},
                                                 {"name", talk_take_name},
                                                 {"arguments", talk_take_arguments},
                                                 {NULL, NULL}};
    struct talk_part *call;

    ensure_turn(talk, TALK_ASSISTANT);
    call = talk_add_part(talk, TALK_CALL);
    call->text = SLICE_LITERAL("{}");
    talk_walk(talk, "a tool's call", item, members, call);
    if (call->id.len == 0 || call->name.len == 0)
        talk_refuse(talk, "a tool's call has no id or no name");
}

static void
read_result(struct talk *talk, yyjson_val *item)
{
    static const struct talk_member members[] = {{"type", NULL},         {"id", NULL},
                                                 {"status", NULL},       {"call_id", take_call_id},
                                                 {"output", take_parts}, {NULL, NULL}};
    struct talk_part *result;

    ensure_turn(talk, TALK_USER);
    result = talk_add_part(talk, TALK_RESULT);
    talk_walk(talk, "a tool's output", item, members, result);
    if (result->id.len == 0)
        talk_refuse(talk, "a tool's output does not say which call it is of");
}

static void
read_item(struct talk *talk, yyjson_val *item)
{
    yyjson_val *type = yyjson_obj_get(item, "type");

    if (type == NULL || yyjson_equals_str(type, "message"))
        read_message(talk, item);
    else if (yyjson_equals_str(type, "function_call"))
        read_call(talk, item);
    else if (yyjson_equals_str(type, "function_call_output"))
        read_result(talk, item);
    else if (yyjson_equals_str(type, "reasoning"))
        talk_refuse(talk, "an item of reasoning is among the input, which only its provider can read");
    else
        talk_refuse(talk, "the input has an item that is neither a message nor a function's");
}

static void
take_input(struct talk *talk, void *into, yyjson_val *value)
{
    size_t i, most;
    yyjson_val *item;

    (void)into;
    if (yyjson_is_str(value)) {
        talk_add_turn(talk, TALK_USER);
        talk_add_text(talk, talk_text(talk, "input", value));
    } else if (!yyjson_is_arr(value)) {
        talk_refuse(talk, "'input' is neither a text nor a list");
    }
    yyjson_arr_foreach(value, i, most, item) read_item(talk, item);
}

static void
read_instructions(struct talk *talk, yyjson_val *value)
{
    if (value == NULL || yyjson_is_null(value))
        return;
    talk_add_turn(talk, TALK_SYSTEM);
    talk_add_text(talk, talk_text(talk, "instructions", value));
}

/* Tools */

/* A function is strict unless it says otherwise. */
static void
take_tools(struct talk *talk, void *into, yyjson_val *value)
{
    size_t i, most;
    yyjson_val *tool;

    (void)into;
    value = talk_list(talk, "tools", value);
    yyjson_arr_foreach(value, i, most, tool)
    {
        yyjson_val *strict = yyjson_obj_get(tool, "strict");

        if (!yyjson_equals_str(yyjson_obj_get(tool, "type"), "function")) {
            talk_refuse(talk, "a tool is no function");
            return;
        }
        talk_take_function(talk, tool);
        talk->last_tool->strict |= strict == NULL || yyjson_is_null(strict);
    }
}

static void
take_chosen(struct talk *talk, void *into, yyjson_val *value)
{
    (void)into;
    talk->choice = TALK_CALLS_NAMED;
    talk->named = talk_text(talk, "name", value);
}

static void
take_choice(struct talk *talk, void *into, yyjson_val *value)
{
    static const struct talk_member members[] = {{"type", NULL}, {"name", take_chosen}, {NULL, NULL}};

    if (yyjson_equals_str(value, "none"))
        talk->choice = TALK_CALLS_NONE;
    else if (yyjson_equals_str(value, "required"))
        talk->choice = TALK_CALLS_SOME;
    else if (!yyjson_equals_str(value, "auto"))
        talk_walk(talk, "'tool_choice'", value, members, into);
    if (yyjson_is_obj(value) &&
        (talk->choice != TALK_CALLS_NAMED || !yyjson_equals_str(yyjson_obj_get(value, "type"), "function")))
        talk_refuse(talk, "'tool_choice' is of a kind that cannot be translated");
}

/* What an answer shall be */

static void
take_format(struct talk *talk, void *into, yyjson_val *value)
{
    static const struct talk_member members[] = {{"type", NULL},
                                                 {"name", talk_take_schema_name},
                                                 {"description", talk_take_schema_description},
                                                 {"schema", talk_take_schema},
                                                 {"strict", talk_take_schema_strict},
                                                 {NULL, NULL}};

    (void)into;
    talk_take_format(talk, "'text.format'", value, members);
}

static void
take_verbosity(struct talk *talk, void *into, yyjson_val *value)
{
    (void)into;
    talk_take_value(talk, TALK_VERBOSITY, value);
}

static void
take_text_wishes(struct talk *talk, void *into, yyjson_val *value)
{
    static const struct talk_member members[] = {{"format", take_format}, {"verbosity", take_verbosity}, {NULL, NULL}};

    talk_walk(talk, "'text'", value, members, into);
}

static void
take_effort(struct talk *talk, void *into, yyjson_val *value)
{
    (void)into;
    talk_take_value(talk, TALK_REASONING_EFFORT, value);
}

static void
take_reasoning(struct talk *talk, void *into, yyjson_val *value)
{
    static const struct talk_member members[] = {{"effort", take_effort}, {NULL, NULL}};

    talk_walk(talk, "'reasoning'", value, members, into);
}

static void
take_include(struct talk *talk, void *into, yyjson_val *value)
{
    (void)into;
    if (yyjson_arr_size(talk_list(talk, "include", value)) > 0)
        talk_refuse(talk, "'include' asks for what only its provider has");
}

static void
take_truncation(struct talk *talk, void *into, yyjson_val *value)
{
    (void)into;
    if (!yyjson_equals_str(value, "disabled"))
        talk_refuse(talk, "'truncation' of the body cannot be translated");
}

static void
take_background(struct talk *talk, void *into, yyjson_val *value)
{
    (void)into;
    if (talk_is_true(talk, "background", value))
        talk_refuse(talk, "the answer shall be made in the background");
}

void
talk_read_responses(struct talk *talk, yyjson_val *root)
{
    static const struct talk_member members[] = {{"model", NULL},
                                                 {"instructions", NULL}, /* read before all others */
                                                 {"input", take_input},
                                                 {"max_output_tokens", talk_take_cap},
                                                 {"stream", talk_take_stream},
                                                 {"stream_options", talk_take_stream_options},
                                                 {"tools", take_tools},
                                                 {"tool_choice", take_choice},
                                                 {"parallel_tool_calls", talk_take_parallel},
                                                 {"text", take_text_wishes},
                                                 {"reasoning", take_reasoning},
                                                 {"include", take_include},
                                                 {"truncation", take_truncation},
                                                 {"background", take_background},
                                                 {"top_logprobs", talk_take_top_logprobs},
                                                 {"user", talk_take_user},
                                                 {"metadata", NULL}, /* labels for stored answers */
                                                 {"store", talk_take_store},
                                                 {"service_tier", talk_take_service_tier},
                                                 {NULL, NULL}};

    read_instructions(talk, yyjson_obj_get(root, "instructions"));
    talk_walk_body(talk, root, members);
}

/* Its answers repeat what was asked for, and say what holds where nothing was. */
void
talk_echo_responses(yyjson_val *root, struct buffer *out)
{
    static const struct {
        const char *name, *otherwise;
    } members[] = {{"instructions", "null"},
                   {"max_output_tokens", "null"},
                   {"metadata", "{}"},
                   {"parallel_tool_calls", "true"},
                   {"reasoning", "{\"effort\":null,\"summary\":null}"},
                   {"temperature", "null"},
                   {"text", "{\"format\":{\"type\":\"text\"}}"},
                   {"tool_choice", "\"auto\""},
                   {"tools", "[]"},
                   {"top_p", "null"},
                   {"truncation", "\"disabled\""},
                   {"user", "null"}};

    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        yyjson_val *value = yyjson_obj_get(root, members[i].name);

        talk_put_name(out, members[i].name);
        if (value != NULL && !yyjson_is_null(value))
            talk_put_json(out, value);
        else
            buffer_add_text(out, members[i].otherwise);
    }
}
