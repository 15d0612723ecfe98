#include "dialect/request_bound.h"

#include <math.h>

#include "dialect/json/json.h"
#include "dialect/usage.h"

const char *
request_cap_name(enum api api, unsigned which)
{
    static const char *const names[API_COUNT][REQUEST_CAPS_MOST] = {
        [API_CHAT] = {"max_tokens", "max_completion_tokens"},
        [API_COMPLETIONS] = {"max_tokens"},
        [API_RESPONSES] = {"max_output_tokens"},
        [API_MESSAGES] = {"max_tokens"},
    };

    ENSURE(which < REQUEST_CAPS_MOST);
    return names[api][which];
}

/* Inline, so that the length of what it is compared with is a constant. */
static inline bool
is_text(yyjson_val *value, const char *text)
{
    return yyjson_equals_strn(value, text, strlen(text));
}

static bool
starts(yyjson_val *value, const char *prefix)
{
    const char *text = yyjson_get_str(value);

    return text != NULL && strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool
is_given(yyjson_val *value)
{
    return value != NULL && !yyjson_is_null(value);
}

static void
refuse_to_bound(struct request_bound *out, const char *why)
{
    if (out->unbounded == NULL)
        out->unbounded = why;
}

/* Parsers differ in which of two they take. */
static bool
has_twice(yyjson_val *object)
{
    enum { MEMBERS_MOST = 64 }; /* more of them hide something */
    yyjson_val *keys[MEMBERS_MOST];
    size_t i, most, count = 0;
    yyjson_val *key, *value;

    if (!yyjson_is_obj(object))
        return false;
    if (yyjson_obj_size(object) > MEMBERS_MOST)
        return true;
    yyjson_obj_foreach(object, i, most, key, value)
    {
        for (size_t j = 0; j < count; j++)
            if (yyjson_equals(key, keys[j]))
                return true;
        keys[count++] = key;
    }
    return false;
}

/* Tools that run at the provider cost by the call, and what they find goes in as input. */
static bool
runs_at_client(enum api api, yyjson_val *tool)
{
    static const char *const of_anthropic[] = {"bash_", "text_editor_", "computer_", "memory_"};
    yyjson_val *type = yyjson_obj_get(tool, "type");

    if (type == NULL)
        return api != API_RESPONSES;
    if (is_text(type, "function") || is_text(type, "custom"))
        return true;
    for (size_t i = 0; api == API_MESSAGES && i < sizeof(of_anthropic) / sizeof(of_anthropic[0]); i++)
        if (starts(type, of_anthropic[i]))
            return true;
    return false;
}

static void
read_tools(enum api api, yyjson_val *tools, struct request_bound *out)
{
    size_t i, most;
    yyjson_val *tool;

    yyjson_arr_foreach(tools, i, most, tool)
    {
        if (!runs_at_client(api, tool))
            refuse_to_bound(out, "a tool that runs at the provider");
        if (has_twice(tool))
            refuse_to_bound(out, "a tool with two members of one name");
    }
}

static void
take_image(yyjson_val *data, bool is_inline, struct request_bound *out)
{
    if (!is_inline)
        refuse_to_bound(out, "an image that the provider fetches");
    out->images++;
    out->image_bytes += (int64_t)yyjson_get_len(data);
}

/* Parts whose bytes stand in the request, and bound what they come to. */
static bool
is_text_part(yyjson_val *type)
{
    static const char *const types[] = {"text",
                                        "refusal",
                                        "thinking",
                                        "redacted_thinking",
                                        "tool_use",
                                        "tool_result",
                                        "search_result",
                                        "server_tool_use",
                                        "web_search_tool_result",
                                        "tool_reference",
                                        "message",
                                        "input_text",
                                        "output_text",
                                        "summary_text",
                                        "reasoning_text",
                                        "function_call",
                                        "function_call_output",
                                        "custom_tool_call",
                                        "custom_tool_call_output",
                                        "computer_call",
                                        "computer_call_output",
                                        "local_shell_call",
                                        "local_shell_call_output",
                                        "shell_call",
                                        "shell_call_output",
                                        "apply_patch_call",
                                        "apply_patch_call_output",
                                        "compaction"};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (is_text(type, types[i]))
            return true;
    return false;
}

static void
read_image(yyjson_val *part, struct request_bound *out)
{
    yyjson_val *source = yyjson_obj_get(part, "source"), *url = yyjson_obj_get(part, "image_url");

    if (is_text(yyjson_obj_get(part, "type"), "image")) {
        take_image(yyjson_obj_get(source, "data"), is_text(yyjson_obj_get(source, "type"), "base64"), out);
        return;
    }
    if (yyjson_is_obj(url))
        url = yyjson_obj_get(url, "url");
    take_image(url, starts(url, "data:"), out);
}

/* A part of a turn: image, document, audio, and whatever is not text. */
static void
read_part(yyjson_val *part, struct request_bound *out)
{
    yyjson_val *type = yyjson_obj_get(part, "type");
    yyjson_val *source_type = yyjson_obj_get(yyjson_obj_get(part, "source"), "type");

    if (is_text(type, "image_url") || is_text(type, "input_image") || is_text(type, "image") ||
        is_text(type, "computer_screenshot"))
        read_image(part, out);
    else if (is_text(type, "input_audio"))
        out->has_audio = true;
    else if (is_text(type, "document") && !is_text(source_type, "text") && !is_text(source_type, "content"))
        refuse_to_bound(out, "a document, whose pages are counted at the provider");
    else if (is_text(type, "file") || is_text(type, "input_file") || is_text(type, "container_upload"))
        refuse_to_bound(out, "a file, whose content is counted at the provider");
    else if (is_text(type, "item_reference") ||
             (is_text(type, "reasoning") && !is_given(yyjson_obj_get(part, "encrypted_content")) &&
              !is_given(yyjson_obj_get(part, "content"))))
        refuse_to_bound(out, "a turn that is kept at the provider");
    else if (!is_text_part(type) && !is_text(type, "document") && !is_text(type, "reasoning"))
        refuse_to_bound(out, "a part of a kind whose size is not known here");
}

/* Chat and messages give turns a role and no type; responses take what has neither for a reference. */
static void
read_turn(yyjson_val *turn, struct request_bound *out)
{
    if (is_given(yyjson_obj_get(turn, "audio")))
        refuse_to_bound(out, "an answer that is kept at the provider");
    if (is_given(yyjson_obj_get(turn, "type")))
        read_part(turn, out);
    else if (!is_given(yyjson_obj_get(turn, "role")) && is_given(yyjson_obj_get(turn, "id")))
        refuse_to_bound(out, "a turn that is kept at the provider");
}

/* Turns hold parts, and what tools returned holds parts again. */
enum { PARTS_DEEP = 3 };

static void read_parts(yyjson_val *parts, unsigned depth, struct request_bound *out);

static void
read_object(yyjson_val *part, unsigned depth, struct request_bound *out)
{
    yyjson_val *source = yyjson_obj_get(part, "source");

    if (has_twice(part) || has_twice(source) || has_twice(yyjson_obj_get(part, "image_url")))
        refuse_to_bound(out, "a part with two members of one name");
    if (depth == 0)
        read_turn(part, out);
    else
        read_part(part, out);
    read_parts(yyjson_obj_get(part, "content"), depth + 1, out);
    read_parts(yyjson_obj_get(part, "output"), depth + 1, out);
    read_parts(yyjson_obj_get(part, "images"), depth + 1, out);
    read_parts(yyjson_obj_get(source, "content"), depth + 1, out);
}

/* A text, an object, or a list of both. */
static void
read_parts(yyjson_val *parts, unsigned depth, struct request_bound *out)
{
    size_t i, most;
    yyjson_val *part;

    if (yyjson_is_ctn(parts) && depth > PARTS_DEEP)
        refuse_to_bound(out, "parts that are nested deeply");
    else if (yyjson_is_obj(parts))
        read_object(parts, depth, out);
    else
        yyjson_arr_foreach(parts, i, most, part)
        {
            if (yyjson_is_obj(part))
                read_object(part, depth, out);
        }
}

/* Some embed images, which they may have to fetch. */
static void
read_inputs(yyjson_val *inputs, struct request_bound *out)
{
    size_t i, most;
    yyjson_val *input;

    if (yyjson_is_obj(inputs))
        refuse_to_bound(out, "an input that is not text");
    yyjson_arr_foreach(inputs, i, most, input)
    {
        if (yyjson_is_obj(input))
            refuse_to_bound(out, "an input that is not text");
    }
}

static bool
asks_for_audio(yyjson_val *root)
{
    size_t i, most;
    yyjson_val *modality;

    yyjson_arr_foreach(yyjson_obj_get(root, "modalities"), i, most, modality)
    {
        if (!is_text(modality, "text"))
            return true;
    }
    return false;
}

/* Compaction is a call of its own, billed beside the answer's. */
static bool
compacts(yyjson_val *edits)
{
    size_t i, most;
    yyjson_val *edit;

    yyjson_arr_foreach(edits, i, most, edit)
    {
        if (!starts(yyjson_obj_get(edit, "type"), "clear_"))
            return true;
    }
    return false;
}

static void
read_members(enum api api, yyjson_val *root, struct request_bound *out)
{
    static const struct {
        enum api api; /* API_COUNT: all */
        const char *name, *why;
    } members[] = {
        {API_CHAT, "web_search_options", "a search at the provider"},
        {API_CHAT, "search_parameters", "a search at the provider"},
        {API_CHAT, "search_settings", "a search at the provider"},
        {API_CHAT, "enable_search", "a search at the provider"},
        {API_COUNT, "plugins", "plugins that run at the provider"},
        {API_COUNT, "models", "further models that the request names"},
        {API_COUNT, "n_predict", "a cap of another kind, which some servers take before all others"},
        {API_CHAT, "prediction", "a predicted output, whose rejected part is billed on top"},
        {API_RESPONSES, "previous_response_id", "a conversation that is kept at the provider"},
        {API_RESPONSES, "conversation", "a conversation that is kept at the provider"},
        {API_RESPONSES, "prompt", "a prompt that is kept at the provider"},
        {API_RESPONSES, "context_management", "turns that the provider compacts"},
        {API_MESSAGES, "mcp_servers", "tools that run at the provider"},
        {API_MESSAGES, "container", "tools that run at the provider"},
    };

    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        if ((members[i].api == api || members[i].api == API_COUNT) && is_given(yyjson_obj_get(root, members[i].name)))
            refuse_to_bound(out, members[i].why);
    if (api == API_RESPONSES && yyjson_is_true(yyjson_obj_get(root, "background")))
        refuse_to_bound(out, "an answer that is made in the background");
    if (api == API_MESSAGES && compacts(yyjson_obj_get(yyjson_obj_get(root, "context_management"), "edits")))
        refuse_to_bound(out, "turns that the provider compacts");
    if (asks_for_audio(root))
        refuse_to_bound(out, "an answer that is not text");
}

/* Anthropic's output cap must exceed what thinking may use; OpenAI's Responses take no cap below 16. */
static void
read_thinking(enum api api, yyjson_val *root, struct request_bound *out)
{
    yyjson_val *thinking = yyjson_obj_get(root, "thinking"), *effort = yyjson_obj_get(root, "reasoning_effort");
    int64_t used;

    out->cap_least = api == API_RESPONSES ? 16 : 1;
    if (api == API_MESSAGES && yyjson_is_obj(thinking) && !is_text(yyjson_obj_get(thinking, "type"), "disabled")) {
        out->thinks = true;
        used = yyjson_get_sint(yyjson_obj_get(thinking, "budget_tokens"));
        if (used > 0 && used < USAGE_COUNT_MOST)
            out->cap_least = used + 1;
    }
    out->thinks |= yyjson_is_str(effort) && !is_text(effort, "none");
    effort = yyjson_obj_get(yyjson_obj_get(root, "reasoning"), "effort");
    out->thinks |= is_given(yyjson_obj_get(root, "reasoning")) && !is_text(effort, "none");
}

static bool
holds_marks(yyjson_val *key, unsigned depth)
{
    return is_text(key, "content") || is_text(key, "system") || is_text(key, "tools") || is_text(key, "messages") ||
           (depth == 0 && is_text(key, "input"));
}

/* Does any part of the request ask for being kept in the provider's cache? The marks may stand deep within. */
static bool
marks_cache(yyjson_val *value, unsigned depth)
{
    yyjson_val *inner;
    size_t i, most;
    yyjson_val *key;

    if (depth > 2 * PARTS_DEEP)
        return true; /* nobody nests so deep but to hide something */
    if (yyjson_is_arr(value)) {
        yyjson_arr_foreach(value, i, most, inner)
        {
            if (marks_cache(inner, depth + 1))
                return true;
        }
    } else if (yyjson_is_obj(value)) {
        yyjson_obj_foreach(value, i, most, key, inner)
        {
            if (is_text(key, "cache_control") ? is_given(inner)
                                              : holds_marks(key, depth) && marks_cache(inner, depth + 1))
                return true;
        }
    }
    return false;
}

/* Rounded up: nobody says how a backend rounds. */
static int64_t
whole_of(double number)
{
    return number < (double)USAGE_COUNT_MOST ? (int64_t)ceil(number) : USAGE_COUNT_MOST;
}

static void
read_caps(enum api api, yyjson_val *root, struct request_bound *out)
{
    for (unsigned i = 0; i < REQUEST_CAPS_MOST; i++) {
        const char *name = request_cap_name(api, i);
        yyjson_val *value = name != NULL ? yyjson_obj_get(root, name) : NULL;
        double tokens = yyjson_get_num(value);

        out->caps[i].tokens = -1;
        if (yyjson_is_num(value) && tokens >= 0.0)
            out->caps[i].tokens = whole_of(tokens);
        else if (value != NULL && !yyjson_is_null(value))
            refuse_to_bound(out, "a cap on output that is no number");
        if (out->caps[i].tokens == 0 && (api == API_CHAT || api == API_RESPONSES)) /* some take it for none */
            refuse_to_bound(out, "a cap on output of nothing");
    }
}

/* Many backends read "3" and 3.0 as 3. */
static void
check_counts(yyjson_val *root, struct request_bound *out)
{
    static const char *const names[] = {"n", "best_of"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (is_given(yyjson_obj_get(root, names[i])) && !yyjson_is_num(yyjson_obj_get(root, names[i])))
            refuse_to_bound(out, "no number where it says how many answers are made");
}

void
request_bound_read(enum api api, yyjson_val *root, struct request_bound *out)
{
    *out = (struct request_bound){0};
    json_copy_word(yyjson_obj_get(root, "service_tier"), out->service_tier, sizeof(out->service_tier));
    json_copy_word(yyjson_obj_get(root, "speed"), out->speed, sizeof(out->speed));
    json_copy_word(yyjson_obj_get(root, "inference_geo"), out->geo, sizeof(out->geo));
    read_caps(api, root, out);
    read_thinking(api, root, out);
    read_members(api, root, out);
    read_tools(api, yyjson_obj_get(root, "tools"), out);
    check_counts(root, out);
    read_parts(yyjson_obj_get(root, api == API_RESPONSES ? "input" : "messages"), 0, out);
    if (api == API_EMBEDDINGS)
        read_inputs(yyjson_obj_get(root, "input"), out);
    out->writes_cache = marks_cache(root, 0);
}

int64_t
request_bound_cap(const struct request_bound *bound)
{
    int64_t greatest = -1;

    for (unsigned i = 0; i < REQUEST_CAPS_MOST; i++)
        if (bound->caps[i].tokens > greatest)
            greatest = bound->caps[i].tokens;
    return greatest;
}

static int64_t
count_of(yyjson_val *root, const char *name)
{
    yyjson_val *value = yyjson_obj_get(root, name);

    return yyjson_get_num(value) > 1.0 ? whole_of(yyjson_get_num(value)) : 1;
}

int64_t
request_bound_answers(enum api api, yyjson_val *root)
{
    int64_t answers = count_of(root, "n"), drafts = api == API_COMPLETIONS ? count_of(root, "best_of") : 1;
    yyjson_val *prompt = api == API_COMPLETIONS ? yyjson_obj_get(root, "prompt") : NULL;
    yyjson_val *first = yyjson_arr_get_first(prompt);
    int64_t prompts = first != NULL && !yyjson_is_num(first) ? (int64_t)yyjson_arr_size(prompt) : 1;

    if (drafts > answers)
        answers = drafts;
    return answers <= USAGE_COUNT_MOST / prompts ? answers * prompts : USAGE_COUNT_MOST;
}

/* The dearest known: an image of 2048 by 768 pixels, eight tiles, at gpt-4o-mini's multiples; Anthropic's largest. */
enum { IMAGE_TOKENS_OPENAI = 49000, IMAGE_TOKENS_ANTHROPIC = 5000 };

/* What Anthropic's system prompt for tools takes, with the client-side tools that it defines itself, rounded up. */
enum { TOOLS_TOKENS = 3000 };

int64_t
request_bound_hidden_input(const struct request_bound *bound, enum api api, bool has_tools)
{
    int64_t each = api == API_MESSAGES ? IMAGE_TOKENS_ANTHROPIC : IMAGE_TOKENS_OPENAI;

    return bound->images * each + (has_tools ? TOOLS_TOKENS : 0);
}
