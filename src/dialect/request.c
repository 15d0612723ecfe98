#include "dialect/request.h"

#include <yyjson.h>

#include "base/buffer.h"
#include "dialect/json/json.h"
#include "dialect/prompt.h"

/* Deeper than any request or schema. Many parsers take one frame of their stack for each level. */
enum { DEPTH_MOST = 256 };

static bool
is_true(yyjson_val *value)
{
    return value != NULL && yyjson_is_true(value);
}

/* The raw turns up to and including the first that is the user's: they stay the same while a conversation grows. */
static struct slice
first_turn_of(struct slice turns)
{
    struct slice rest = turns, turn, role;
    size_t len = 0;

    if (turns.len == 0 || turns.data[0] != '[')
        return turns; /* a plain text */
    while (json_next_element(&rest, &turn)) {
        len = (size_t)(turn.data + turn.len - turns.data);
        role = turn.data[0] == '{' ? json_member_value(turn, "role") : SLICE_NONE;
        if (slice_is(role, "\"user\""))
            break;
    }
    return slice_first(turns, len);
}

static const char *
turns_name(enum api api)
{
    switch (api) {
    case API_CHAT:
    case API_MESSAGES:
        return "messages";
    case API_COMPLETIONS:
        return "prompt";
    case API_RESPONSES:
    case API_EMBEDDINGS:
        return "input";
    case API_PASSTHROUGH:
    case API_COUNT:
        break;
    }
    return NULL;
}

/* Decoded; it may hold a zero byte. */
static struct slice
name_of(yyjson_val *key)
{
    return slice_make(yyjson_get_str(key), yyjson_get_len(key));
}

/* The raw value of the parsed object's member of that name, however its key is escaped. *twice: there are several, of
 * which the one that parsers take first is returned. */
static struct slice
raw_value(yyjson_val *object, struct slice raw, const char *name, bool *twice)
{
    yyjson_obj_iter members = yyjson_obj_iter_with(object);
    struct slice found = SLICE_NONE;
    struct json_member member;

    *twice = false;
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&members)) != NULL && json_next_member(&raw, &member);) {
        if (!slice_is(name_of(key), name))
            continue;
        *twice = found.data != NULL;
        if (!*twice)
            found = member.value;
    }
    return found;
}

/* Chat and completions tell the usage of a stream only when asked; the other APIs always do. Returns what is wrong with
 * the request's own options, or NULL. */
static const char *
plan_usage_splice(struct request_facts *out, struct slice body, yyjson_val *root, struct slice options)
{
    yyjson_val *parsed = yyjson_obj_get(root, "stream_options");
    struct splice *splice = &out->usage_splice;
    struct slice told = SLICE_NONE;
    bool twice = false;

    out->usage_asked = true;
    if (!out->stream || (out->api != API_CHAT && out->api != API_COMPLETIONS))
        return NULL;
    if (yyjson_is_obj(parsed))
        told = raw_value(parsed, options, "include_usage", &twice);
    if (twice)
        return "'stream_options' has two members named 'include_usage'; send it once";
    out->usage_asked = is_true(yyjson_obj_get(parsed, "include_usage"));
    out->needs_usage_splice = !out->usage_asked;
    if (parsed == NULL) {
        splice->at = slice_find_byte(body, '{') + 1;
        splice->with = SLICE_LITERAL("\"stream_options\":{\"include_usage\":true},");
    } else if (!yyjson_is_obj(parsed) || yyjson_obj_size(parsed) == 0) {
        splice->at = (size_t)(options.data - body.data);
        splice->len = options.len;
        splice->with = SLICE_LITERAL("{\"include_usage\":true}");
    } else {
        splice->at = (size_t)((told.data != NULL ? told.data : options.data + 1) - body.data);
        splice->len = told.len;
        splice->with = told.data != NULL ? SLICE_LITERAL("true") : SLICE_LITERAL("\"include_usage\":true,");
    }
    return NULL;
}

struct spans {
    struct slice model, options, tools, system, turns, logprobs;
};

static void
take_cap(struct request_facts *facts, struct slice key, struct slice raw)
{
    for (unsigned i = 0; i < REQUEST_CAPS_MOST; i++) {
        const char *name = request_cap_name(facts->api, i);

        if (name != NULL && slice_is(key, name))
            facts->bound.caps[i].raw = raw;
    }
}

/* Walks the parsed members (whose keys are decoded) and the raw ones side by side. Two members of one name are refused:
 * parsers differ in which one they take, and then we would price another model than the backend serves. */
static const char *
collect_spans(struct request_facts *facts, yyjson_val *root, struct slice body, struct arena *arena,
              struct spans *spans)
{
    const char *turns = turns_name(facts->api), *logprobs = logprobs_member(facts->api);
    struct slice rest = body;
    struct json_member raw;
    yyjson_obj_iter members = yyjson_obj_iter_with(root);
    struct slice keys[REQUEST_MEMBERS_MOST];
    size_t count = 0;

    if (yyjson_obj_size(root) > REQUEST_MEMBERS_MOST)
        return "the body has too many members; at most 256 are taken";
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&members)) != NULL;) {
        struct slice name = name_of(key);
        bool more = json_next_member(&rest, &raw);

        ENSURE(more);
        for (size_t i = 0; i < count; i++)
            if (slice_equal(keys[i], name))
                return arena_printf(arena, "the body has two members named '%.64s'; send it once", name.data);
        if (raw.depth > DEPTH_MOST)
            return "the body is nested too deeply; at most 256 brackets may stand within each other";
        keys[count++] = name;
        if (slice_is(name, "model"))
            spans->model = raw.value;
        else if (slice_is(name, "stream_options"))
            spans->options = raw.value;
        else if (turns != NULL && slice_is(name, turns))
            spans->turns = raw.value;
        else if (slice_is(name, "tools"))
            spans->tools = raw.value;
        else if (logprobs != NULL && slice_is(name, logprobs))
            spans->logprobs = raw.value;
        else if (slice_is(name, "system") || slice_is(name, "instructions"))
            spans->system = raw.value;
        take_cap(facts, name, raw.value);
    }
    return NULL;
}

static const char *
check_types(yyjson_val *root)
{
    yyjson_val *model = yyjson_obj_get(root, "model");
    yyjson_val *stream = yyjson_obj_get(root, "stream");

    if (model == NULL)
        return "'model' is missing; name the model or route that shall answer";
    if (!yyjson_is_str(model) || yyjson_get_len(model) == 0)
        return "'model' must be a text that is not empty";
    if (yyjson_get_len(model) > 256 || strlen(yyjson_get_str(model)) != yyjson_get_len(model))
        return "'model' is not the name of a model";
    if (stream != NULL && !yyjson_is_bool(stream) && !yyjson_is_null(stream))
        return "'stream' must be true or false";
    return NULL;
}

static int64_t
count_inputs(enum api api, yyjson_val *root)
{
    yyjson_val *input = api == API_EMBEDDINGS ? yyjson_obj_get(root, "input") : NULL;
    yyjson_val *first = yyjson_arr_get_first(input);

    /* An array of numbers is one text, as tokens. */
    return first != NULL && !yyjson_is_num(first) ? (int64_t)yyjson_arr_size(input) : 1;
}

static struct slice
read_text(yyjson_val *root, const char *name, struct arena *arena)
{
    yyjson_val *value = yyjson_obj_get(root, name);

    if (yyjson_is_obj(value))
        value = yyjson_obj_get(value, "id");
    return yyjson_is_str(value) ? arena_copy(arena, slice_make(yyjson_get_str(value), yyjson_get_len(value)))
                                : SLICE_NONE;
}

/* A tool that the API itself runs (web_search, file_search, mcp, ...): what it finds changes with time. Ours to run are
 * functions only. */
static bool
looks_elsewhere(yyjson_val *root)
{
    yyjson_arr_iter tools = yyjson_arr_iter_with(yyjson_obj_get(root, "tools"));
    yyjson_val *tool;

    while ((tool = yyjson_arr_iter_next(&tools)) != NULL) {
        yyjson_val *type = yyjson_obj_get(tool, "type");

        if (type != NULL && !yyjson_equals_str(type, "function") && !yyjson_equals_str(type, "custom"))
            return true;
    }
    return yyjson_obj_get(root, "web_search_options") != NULL ||
           yyjson_arr_size(yyjson_obj_get(root, "mcp_servers")) > 0;
}

static bool
is_deterministic(enum api api, yyjson_val *root)
{
    yyjson_val *temperature = yyjson_obj_get(root, "temperature"), *top_k = yyjson_obj_get(root, "top_k");

    if (api == API_EMBEDDINGS)
        return true;
    if (looks_elsewhere(root))
        return false;
    return (yyjson_is_num(temperature) && yyjson_get_num(temperature) == 0.0) ||
           (yyjson_is_num(top_k) && yyjson_get_num(top_k) == 1.0) || yyjson_is_int(yyjson_obj_get(root, "seed"));
}

static bool
does_act(enum api api, yyjson_val *root)
{
    yyjson_val *conversation = yyjson_obj_get(root, "conversation");

    return api == API_RESPONSES &&
           ((conversation != NULL && !yyjson_is_null(conversation)) || is_true(yyjson_obj_get(root, "background")));
}

static void
read_facts(struct request_facts *out, yyjson_val *root, struct arena *arena, const struct spans *spans)
{
    out->model = read_text(root, "model", arena);
    out->model_span = spans->model;
    out->stream = is_true(yyjson_obj_get(root, "stream"));
    out->output_cap = request_bound_cap(&out->bound);
    out->choices = request_bound_answers(out->api, root);
    out->inputs = count_inputs(out->api, root);
    out->has_tools = yyjson_arr_size(yyjson_obj_get(root, "tools")) > 0;
    out->deterministic = is_deterministic(out->api, root);
    out->acts = does_act(out->api, root);
    out->logprobs = logprobs_wish(out->api, root, spans->logprobs);
    out->prompt[0] = spans->tools;
    out->prompt[1] = spans->system;
    out->prompt[2] = spans->turns;
    out->first_turn = first_turn_of(spans->turns);
    if (out->api == API_RESPONSES)
        out->conversation = read_text(root, "conversation", arena);
}

enum status
request_parse(enum api api, struct slice body, struct arena *arena, struct request_facts *out, const char **why)
{
    yyjson_read_err error;
    struct json_scratch scratch;
    yyjson_doc *doc = json_parse(body, &scratch, &error);
    yyjson_val *root = yyjson_doc_get_root(doc);
    struct spans spans = {0};

    *out = (struct request_facts){.api = api, .output_cap = -1, .choices = 1, .inputs = 1};
    if (doc == NULL)
        *why = body.len == 0 ? "the body is empty; a JSON object was expected"
                             : arena_printf(arena, "the body is not valid JSON: %s at byte %zu", error.msg, error.pos);
    else if (!yyjson_is_obj(root))
        *why = "the body must be a JSON object";
    else
        *why = check_types(root);
    if (*why == NULL)
        request_bound_read(api, root, &out->bound);
    if (*why == NULL)
        *why = collect_spans(out, root, body, arena, &spans);
    if (*why == NULL) {
        read_facts(out, root, arena, &spans);
        *why = plan_usage_splice(out, body, root, spans.options);
    }
    yyjson_doc_free(doc);
    return *why == NULL ? OK : ERR_INVALID;
}

static struct slice
quoted(const char *text, struct arena *arena)
{
    struct buffer buffer;
    struct slice copy;

    buffer_init(&buffer);
    buffer_add_byte(&buffer, '"');
    buffer_add_json(&buffer, slice_of(text));
    buffer_add_byte(&buffer, '"');
    copy = arena_copy(arena, buffer_content(&buffer));
    buffer_free(&buffer);
    return copy;
}

static struct slice
cap_text(int64_t tokens, struct arena *arena)
{
    return slice_of(arena_printf(arena, "%lld", (long long)tokens));
}

/* Lowers every cap that is greater or says nothing; where there is none, puts one first. */
static size_t
cap_splices(const struct request_facts *facts, struct slice body, const struct request_change *change,
            struct arena *arena, struct splice *out)
{
    size_t count = 0;
    bool capped = false;

    for (unsigned i = 0; change->cap >= 0 && i < REQUEST_CAPS_MOST; i++) {
        const struct request_cap *cap = &facts->bound.caps[i];

        if (cap->raw.len == 0)
            continue;
        capped = true;
        if (cap->tokens < 0 || cap->tokens > change->cap)
            out[count++] = (struct splice){
                .at = (size_t)(cap->raw.data - body.data), .len = cap->raw.len, .with = cap_text(change->cap, arena)};
    }
    if (change->cap >= 0 && !capped && change->cap_name != NULL)
        out[count++] = (struct splice){
            .at = slice_find_byte(body, '{') + 1,
            .with = slice_of(arena_printf(arena, "\"%s\":%lld,", change->cap_name, (long long)change->cap))};
    return count;
}

static struct splice
logprobs_splice(const struct logprobs_wish *wish, struct slice body)
{
    if (wish->place.data == NULL)
        return (struct splice){.at = slice_find_byte(body, '{') + 1, .with = slice_of(wish->with)};
    return (struct splice){
        .at = (size_t)(wish->place.data - body.data), .len = wish->place.len, .with = slice_of(wish->with)};
}

void
splices_sort(struct splice *splices, size_t count)
{
    for (size_t i = 1; i < count; i++)
        for (size_t j = i; j > 0 && splices[j - 1].at > splices[j].at; j--) {
            struct splice later = splices[j - 1];

            splices[j - 1] = splices[j];
            splices[j] = later;
        }
}

size_t
request_splices(const struct request_facts *facts, struct slice body, const struct request_change *change,
                struct arena *arena, struct splice *out)
{
    size_t count = 0;

    if (change->model != NULL && !slice_is(facts->model, change->model))
        out[count++] = (struct splice){.at = (size_t)(facts->model_span.data - body.data),
                                       .len = facts->model_span.len,
                                       .with = quoted(change->model, arena)};
    if (facts->needs_usage_splice)
        out[count++] = facts->usage_splice;
    if (change->logprobs && !facts->logprobs.asked && facts->logprobs.why == NULL)
        out[count++] = logprobs_splice(&facts->logprobs, body);
    count += cap_splices(facts, body, change, arena, &out[count]);
    if (change->prompt != NULL)
        count += prompt_splices(change->prompt, change->marks, change->hour_marks, change->cache_key, body, arena,
                                &out[count]);
    splices_sort(out, count);
    ENSURE(count <= REQUEST_SPLICES_MOST);
    return count;
}
