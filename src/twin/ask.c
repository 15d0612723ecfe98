#include "twin/ask.h"

#include "twin/tokens.h"

/* A run of bytes in the context while it still grows. */
struct span {
    size_t at, len;
    bool set;
};

struct reading {
    struct ask *ask;
    struct arena *arena;
    struct buffer context;
    struct span question, result;
};

struct slice
ask_text(yyjson_val *value)
{
    return yyjson_is_str(value) ? slice_make(yyjson_get_str(value), yyjson_get_len(value)) : SLICE_NONE;
}

static struct slice
member_text(yyjson_val *object, const char *key)
{
    return ask_text(yyjson_obj_get(object, key));
}

static void
add_line(struct reading *reading, struct slice text)
{
    buffer_add(&reading->context, text);
    buffer_add_byte(&reading->context, '\n');
}

/* A value as it would be shown to the model: its JSON text. */
static void
add_json(struct reading *reading, yyjson_val *value)
{
    size_t len = 0;
    char *text = value != NULL ? yyjson_val_write(value, 0, &len) : NULL;

    if (text != NULL)
        add_line(reading, slice_make(text, len));
    free(text);
}

static void
note_cache_mark(struct reading *reading, yyjson_val *block)
{
    yyjson_val *control = yyjson_obj_get(block, "cache_control");

    if (control == NULL || reading->ask->api != API_MESSAGES)
        return;
    if (slice_is(member_text(control, "ttl"), "1h")) {
        reading->ask->cache_marks_mixed |= reading->ask->cache_mark > reading->ask->cache_mark_hour;
        reading->ask->cache_mark_hour = buffer_len(&reading->context);
    }
    reading->ask->cache_mark = buffer_len(&reading->context);
}

static struct span
span_since(const struct reading *reading, size_t start)
{
    size_t len = buffer_len(&reading->context) - start;

    return (struct span){start, len != 0 ? len - 1 : 0, true}; /* without the line's end */
}

static void add_content(struct reading *reading, yyjson_val *content, unsigned depth);

static void
add_part(struct reading *reading, yyjson_val *part, unsigned depth)
{
    struct slice type = member_text(part, "type");
    size_t start = buffer_len(&reading->context);

    if (slice_is(type, "image_url") || slice_is(type, "input_image") || slice_is(type, "image")) {
        reading->ask->images++;
    } else if (slice_is(type, "tool_result")) {
        add_content(reading, yyjson_obj_get(part, "content"), depth + 1);
        reading->result = span_since(reading, start);
    } else if (slice_is(type, "tool_use")) {
        add_json(reading, yyjson_obj_get(part, "input"));
    } else if (yyjson_obj_get(part, "text") != NULL) {
        add_line(reading, member_text(part, "text"));
    } else if (yyjson_obj_get(part, "thinking") != NULL) {
        add_line(reading, member_text(part, "thinking"));
    }
    note_cache_mark(reading, part);
}

/* A text or an array of parts. */
static void
add_content(struct reading *reading, yyjson_val *content, unsigned depth)
{
    size_t index = 0, count = 0;
    yyjson_val *part = NULL;

    if (yyjson_is_str(content))
        add_line(reading, ask_text(content));
    if (depth > 2)
        return;
    yyjson_arr_foreach(content, index, count, part)
    {
        add_part(reading, part, depth);
    }
}

static bool
is_tool_turn(struct slice role, yyjson_val *message)
{
    return slice_is(role, "tool") || slice_is(role, "function") ||
           slice_is(member_text(message, "type"), "function_call_output");
}

/* One message, or one item of a Responses input. */
static void
add_message(struct reading *reading, yyjson_val *message)
{
    struct slice role = member_text(message, "role");
    size_t start;

    reading->result.set = false;
    add_line(reading, role);
    start = buffer_len(&reading->context);
    add_content(reading, yyjson_obj_get(message, "content"), 0);
    add_content(reading, yyjson_obj_get(message, "output"), 0);
    add_json(reading, yyjson_obj_get(message, "tool_calls"));
    if (yyjson_obj_get(message, "arguments") != NULL)
        add_line(reading, member_text(message, "arguments"));
    if (is_tool_turn(role, message))
        reading->result = span_since(reading, start);
    else if (slice_is(role, "user") && !reading->result.set)
        reading->question = span_since(reading, start);
}

static enum status
add_messages(struct reading *reading, yyjson_val *messages, const char *name, const char **why)
{
    size_t index = 0, count = 0;
    yyjson_val *message = NULL;

    if (!yyjson_is_arr(messages) || yyjson_arr_size(messages) == 0) {
        *why = arena_printf(reading->arena, "'%s' must be an array with at least one element", name);
        return ERR_INVALID;
    }
    yyjson_arr_foreach(messages, index, count, message)
    {
        if (!yyjson_is_obj(message)) {
            *why = arena_printf(reading->arena, "'%s[%zu]' must be an object", name, index);
            return ERR_INVALID;
        }
        add_message(reading, message);
    }
    return OK;
}

/* Completions: one text, an array of texts, tokens, or arrays of tokens (which this model cannot read but counts). */
static enum status
read_prompts(struct reading *reading, yyjson_val *prompt, const char **why)
{
    struct ask *ask = reading->ask;
    size_t index = 0, count = 0;
    yyjson_val *one = NULL;
    bool texts = yyjson_is_arr(prompt) && yyjson_is_str(yyjson_arr_get_first(prompt));

    if (prompt == NULL || (yyjson_is_arr(prompt) && yyjson_arr_size(prompt) > ASK_CHOICES_MOST && texts)) {
        *why = "'prompt' must be a text or an array of at most 128 texts";
        return ERR_INVALID;
    }
    ask->question_count = texts ? (unsigned)yyjson_arr_size(prompt) : 1;
    ask->questions = arena_alloc(reading->arena, ask->question_count * sizeof *ask->questions);
    if (!texts) {
        ask->questions[0] = yyjson_is_str(prompt) ? ask_text(prompt) : SLICE_LITERAL("tokens");
        add_content(reading, yyjson_is_str(prompt) ? prompt : NULL, 0);
        if (!yyjson_is_str(prompt))
            add_json(reading, prompt);
        return OK;
    }
    yyjson_arr_foreach(prompt, index, count, one)
    {
        ask->questions[index] = ask_text(one);
        add_line(reading, ask_text(one));
    }
    return OK;
}

static void
read_tools(struct reading *reading, yyjson_val *root)
{
    struct ask *ask = reading->ask;
    size_t index = 0, count = 0;
    yyjson_val *tool = NULL, *tools = yyjson_obj_get(root, "tools");

    ask->tools = arena_alloc(reading->arena, ASK_TOOLS_MOST * sizeof *ask->tools);
    yyjson_arr_foreach(tools, index, count, tool)
    {
        yyjson_val *inner = yyjson_obj_get(tool, "function");
        yyjson_val *from = inner != NULL ? inner : tool;
        yyjson_val *schema = yyjson_obj_get(from, ask->api == API_MESSAGES ? "input_schema" : "parameters");

        add_json(reading, tool);
        note_cache_mark(reading, tool);
        if (member_text(from, "name").len != 0 && ask->tool_count < ASK_TOOLS_MOST)
            ask->tools[ask->tool_count++] = (struct ask_tool){member_text(from, "name"), schema};
    }
}

static void
read_tool_choice(struct ask *ask, yyjson_val *root)
{
    yyjson_val *choice = yyjson_obj_get(root, "tool_choice");
    yyjson_val *inner = yyjson_obj_get(choice, "function");
    struct slice word = yyjson_is_str(choice) ? ask_text(choice) : member_text(choice, "type");

    ask->one_call_only = yyjson_is_false(yyjson_obj_get(root, "parallel_tool_calls")) ||
                         yyjson_is_true(yyjson_obj_get(choice, "disable_parallel_tool_use"));
    ask->tool_named = member_text(inner != NULL ? inner : choice, "name");
    if (ask->tool_named.len != 0)
        ask->tool_wish = TOOL_NAMED;
    else if (slice_is(word, "none"))
        ask->tool_wish = TOOL_NEVER;
    else if (slice_is(word, "required") || slice_is(word, "any"))
        ask->tool_wish = TOOL_SOME;
}

static void
read_format(struct ask *ask, yyjson_val *root)
{
    const char *holder = ask->api == API_RESPONSES ? "text" : ask->api == API_MESSAGES ? "output_config" : NULL;
    yyjson_val *format = holder != NULL ? yyjson_obj_get(yyjson_obj_get(root, holder), "format")
                                        : yyjson_obj_get(root, "response_format");
    yyjson_val *inner = yyjson_obj_get(format, "json_schema");
    struct slice type = member_text(format, "type");

    ask->json = slice_is(type, "json_object") || slice_is(type, "json_schema");
    ask->json_schema = yyjson_obj_get(inner != NULL ? inner : format, "schema");
}

static void
read_stops(struct ask *ask, yyjson_val *root)
{
    yyjson_val *stops = yyjson_obj_get(root, ask->api == API_MESSAGES ? "stop_sequences" : "stop");
    size_t index = 0, count = 0;
    yyjson_val *stop = NULL;

    if (yyjson_is_str(stops))
        ask->stops[ask->stop_count++] = ask_text(stops);
    yyjson_arr_foreach(stops, index, count, stop)
    {
        if (ask_text(stop).len != 0 && ask->stop_count < ASK_STOPS_MOST)
            ask->stops[ask->stop_count++] = ask_text(stop);
    }
}

static enum status
read_limits(struct ask *ask, yyjson_val *root, const char **why)
{
    static const char *const limits[] = {"max_completion_tokens", "max_output_tokens", "max_tokens"};
    yyjson_val *n = yyjson_obj_get(root, "n");

    ask->output_most = -1;
    for (size_t i = 0; i < sizeof limits / sizeof limits[0] && ask->output_most < 0; i++)
        if (yyjson_is_int(yyjson_obj_get(root, limits[i])))
            ask->output_most = yyjson_get_sint(yyjson_obj_get(root, limits[i]));
    ask->choices =
        n != NULL && ask->api != API_MESSAGES && ask->api != API_RESPONSES ? (unsigned)yyjson_get_uint(n) : 1;
    if (ask->choices < 1 || ask->choices > ASK_CHOICES_MOST)
        *why = "'n' must be from 1 to 128";
    else if (ask->api == API_MESSAGES && ask->output_most < 1)
        *why = "max_tokens: Field required";
    else if (ask->output_most == 0)
        *why = "the limit of tokens must be at least 1";
    return *why == NULL ? OK : ERR_INVALID;
}

static void
read_options(struct ask *ask, yyjson_val *root)
{
    yyjson_val *seed = yyjson_obj_get(root, "seed");
    yyjson_val *thinking = yyjson_obj_get(root, "thinking");

    ask->stream = yyjson_is_true(yyjson_obj_get(root, "stream"));
    ask->usage_in_stream = yyjson_is_true(yyjson_obj_get(yyjson_obj_get(root, "stream_options"), "include_usage"));
    ask->to_the_limit = yyjson_is_true(yyjson_obj_get(root, "ignore_eos"));
    ask->varies = yyjson_get_num(yyjson_obj_get(root, "temperature")) > 0 && seed == NULL;
    ask->seed = (uint64_t)yyjson_get_sint(seed);
    ask->thinking_shown =
        slice_is(member_text(thinking, "type"), "enabled") || slice_is(member_text(thinking, "type"), "adaptive");
}

static enum status
read_embedding(struct ask *ask, yyjson_val *root, const char **why)
{
    ask->inputs = yyjson_obj_get(root, "input");
    ask->dimensions = yyjson_get_sint(yyjson_obj_get(root, "dimensions"));
    ask->base64 = slice_is(member_text(root, "encoding_format"), "base64");
    if (!yyjson_is_str(ask->inputs) && (!yyjson_is_arr(ask->inputs) || yyjson_arr_size(ask->inputs) == 0))
        *why = "'input' must be a text or an array with at least one element";
    return *why == NULL ? OK : ERR_INVALID;
}

/* What the model reads, in the order in which providers put it together: tools, system, turns. */
static enum status
read_context(struct reading *reading, yyjson_val *root, const char **why)
{
    struct ask *ask = reading->ask;
    yyjson_val *input = yyjson_obj_get(root, "input");

    read_tools(reading, root);
    switch (ask->api) {
    case API_EMBEDDINGS:
        return read_embedding(ask, root, why);
    case API_COMPLETIONS:
        return read_prompts(reading, yyjson_obj_get(root, "prompt"), why);
    case API_MESSAGES:
        add_content(reading, yyjson_obj_get(root, "system"), 0);
        return add_messages(reading, yyjson_obj_get(root, "messages"), "messages", why);
    case API_RESPONSES:
        add_content(reading, yyjson_obj_get(root, "instructions"), 0);
        if (!yyjson_is_str(input))
            return add_messages(reading, input, "input", why);
        add_line(reading, ask_text(input));
        reading->question = span_since(reading, buffer_len(&reading->context) - yyjson_get_len(input) - 1);
        return OK;
    default:
        return add_messages(reading, yyjson_obj_get(root, "messages"), "messages", why);
    }
}

static void
settle_spans(struct reading *reading)
{
    struct ask *ask = reading->ask;
    struct slice context;

    if (buffer_len(&reading->context) == 0)
        buffer_add_byte(&reading->context, '\n');
    context = arena_copy(reading->arena, buffer_content(&reading->context));
    ask->context = context;
    if (ask->questions == NULL) {
        ask->questions = arena_alloc(reading->arena, sizeof *ask->questions);
        ask->question_count = 1;
        ask->questions[0] = slice_first(slice_from(context, reading->question.at), reading->question.len);
    }
    if (reading->result.set)
        ask->tool_result = slice_first(slice_from(context, reading->result.at), reading->result.len);
}

static enum status
read_root(struct reading *reading, yyjson_val *root, const char **why)
{
    struct ask *ask = reading->ask;

    ask->model = member_text(root, "model");
    if (!yyjson_is_obj(root))
        *why = "the body must be a JSON object";
    else if (ask->model.len == 0)
        *why = "you must provide a model parameter";
    if (*why != NULL || read_limits(ask, root, why) != OK || read_context(reading, root, why) != OK)
        return ERR_INVALID;
    if (ask->cache_marks_mixed) {
        *why = "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block";
        return ERR_INVALID;
    }
    read_tool_choice(ask, root);
    read_format(ask, root);
    read_stops(ask, root);
    read_options(ask, root);
    settle_spans(reading);
    return OK;
}

enum status
ask_read(struct ask *ask, enum api api, struct slice body, struct arena *arena, const char **why)
{
    struct reading reading = {.ask = ask, .arena = arena};
    yyjson_read_err error;
    enum status status;

    *ask = (struct ask){.api = api};
    *why = NULL;
    /* yyjson does not write into the text without YYJSON_READ_INSITU */
    ask->doc = yyjson_read_opts((char *)(uintptr_t)body.data, body.len, 0, NULL, &error);
    if (ask->doc == NULL) {
        *why = arena_printf(arena, "the body is not valid JSON: %s at byte %zu", error.msg, error.pos);
        return ERR_INVALID;
    }
    buffer_init(&reading.context);
    status = read_root(&reading, yyjson_doc_get_root(ask->doc), why);
    buffer_free(&reading.context);
    return status;
}

void
ask_free(struct ask *ask)
{
    yyjson_doc_free(ask->doc);
    ask->doc = NULL;
}

int64_t
ask_input_tokens(const struct ask *ask)
{
    if (ask->input_said != 0)
        return ask->input_said;
    return token_count(ask->context) + (int64_t)ask->images * ASK_IMAGE_TOKENS;
}
