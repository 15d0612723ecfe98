/* How the reports of the known APIs are read into struct usage. */
#include "dialect/usage.h"

#include "dialect/json/json.h"

/* Reads one count of `object` into the report: absent or null is fine. */
static enum status
take(yyjson_val *object, const char *name, enum usage_kind kind, struct usage *usage)
{
    int64_t count;
    enum status status = usage_read_count(yyjson_obj_get(object, name), 1, &count);

    if (status == OK)
        usage_set(usage, kind, count);
    return status == ERR_NOT_FOUND ? OK : status;
}

/* The same, added to what is there. */
static enum status
take_more(yyjson_val *object, const char *name, enum usage_kind kind, struct usage *usage)
{
    int64_t count;
    enum status status = usage_read_count(yyjson_obj_get(object, name), 1, &count);

    if (status != OK)
        return status == ERR_NOT_FOUND ? OK : status;
    if (usage->counts[kind] + count > USAGE_COUNT_MOST)
        return ERR_LIMIT;
    usage_set(usage, kind, usage->counts[kind] + count);
    return OK;
}

/* The first of several names for the same thing that is there. */
static enum status
take_first(yyjson_val *object, const char *const *some_names, enum usage_kind kind, struct usage *usage)
{
    for (; *some_names != NULL && !usage_reports(usage, kind); some_names++) {
        enum status status = take(object, *some_names, kind, usage);

        if (status != OK)
            return status;
    }
    return OK;
}

struct field {
    const char *object; /* within the report; NULL: the report itself */
    const char *name;
    enum usage_kind kind;
};

static enum status
take_fields(yyjson_val *report, const struct field *fields, size_t count, struct usage *usage)
{
    for (size_t i = 0; i < count; i++) {
        yyjson_val *object = fields[i].object != NULL ? yyjson_obj_get(report, fields[i].object) : report;
        enum status status = take(object, fields[i].name, fields[i].kind, usage);

        if (status != OK)
            return status;
    }
    return OK;
}

#define TAKE_FIELDS(report, fields, usage) take_fields(report, fields, sizeof(fields) / sizeof((fields)[0]), usage)

static void
take_word(yyjson_val *object, const char *name, char *out)
{
    json_copy_word(yyjson_obj_get(object, name), out, USAGE_WORD_SIZE);
}

static enum status
money_of(yyjson_val *value, usd *out)
{
    usd amount;
    enum status status = ERR_INVALID;

    if (yyjson_is_real(value))
        status = usd_from_double(yyjson_get_real(value), &amount);
    else if (yyjson_is_uint(value))
        status = usd_mul(USD_ONE, yyjson_get_sint(value), &amount);
    else if (yyjson_is_raw(value))
        status = usd_parse_rounded(slice_make(yyjson_get_raw(value), yyjson_get_len(value)), &amount);
    if (status == OK && amount < 0)
        status = ERR_INVALID;
    if (status == OK)
        *out = amount;
    return status;
}

/* usage.cost is what the provider charges. With the caller's own key at another provider that is only its fee, and what
 * the other provider charges comes on top; if that is not said, the cost is not known. */
static void
take_cost(yyjson_val *report, struct usage *usage)
{
    yyjson_val *upstream = yyjson_obj_get(yyjson_obj_get(report, "cost_details"), "upstream_inference_cost");
    usd cost, on_top = 0;

    if (money_of(yyjson_obj_get(report, "cost"), &cost) != OK)
        return;
    if (yyjson_get_bool(yyjson_obj_get(report, "is_byok")) && money_of(upstream, &on_top) != OK)
        return;
    if (usd_add(cost, on_top, &cost) == OK)
        usage->provider_cost = cost;
}

/* xAI counts reasoning beside completion_tokens; total_tokens gives it away. */
static enum status
add_reasoning_on_top(yyjson_val *report, struct usage *usage)
{
    int64_t total, reasoning = usage->output_reasoning_tokens;

    if (reasoning == 0 || usage_read_count(yyjson_obj_get(report, "total_tokens"), 1, &total) != OK)
        return OK;
    if (total != usage->input_tokens + usage->output_tokens + reasoning)
        return OK;
    if (usage->output_tokens + reasoning > USAGE_COUNT_MOST)
        return ERR_LIMIT;
    usage_set(usage, USAGE_output_tokens, usage->output_tokens + reasoning);
    return OK;
}

/* Ends a reading: `usage` goes to *out if it went well and says what went in. */
static enum status
finish(enum status status, struct usage *usage, struct usage *out)
{
    usage_init(out);
    if (status == OK && !usage_reports(usage, USAGE_input_tokens))
        status = ERR_NOT_FOUND;
    if (status != OK)
        return status;
    usage->exactness = USAGE_EXACT;
    *out = *usage;
    return OK;
}

static enum status
read_chat_counts(yyjson_val *report, struct usage *usage)
{
    static const struct field fields[] = {
        {NULL, "prompt_tokens", USAGE_input_tokens},
        {NULL, "completion_tokens", USAGE_output_tokens},
        {"prompt_tokens_details", "cached_tokens", USAGE_cache_read_tokens},
        {"prompt_tokens_details", "cache_write_tokens", USAGE_cache_write_tokens},
        {"prompt_tokens_details", "audio_tokens", USAGE_input_audio_tokens},
        {"completion_tokens_details", "audio_tokens", USAGE_output_audio_tokens},
        {"completion_tokens_details", "reasoning_tokens", USAGE_output_reasoning_tokens},
    };
    static const char *const cached[] = {"prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens", NULL};
    static const char *const reasoning[] = {"reasoning_tokens", NULL};
    enum status status = TAKE_FIELDS(report, fields, usage);

    if (status == OK)
        status = take_first(report, cached, USAGE_cache_read_tokens, usage);
    if (status == OK)
        status = take_first(report, reasoning, USAGE_output_reasoning_tokens, usage);
    return status;
}

enum status
usage_read_openai_chat(yyjson_val *report, struct usage *out)
{
    struct usage usage;
    enum status status;

    usage_init(&usage);
    status = read_chat_counts(report, &usage);
    if (status == OK)
        status = add_reasoning_on_top(report, &usage);
    take_cost(report, &usage);
    take_word(report, "service_tier", usage.service_tier);
    return finish(status, &usage, out);
}

enum status
usage_read_openai_responses(yyjson_val *report, struct usage *out)
{
    static const struct field fields[] = {
        {NULL, "input_tokens", USAGE_input_tokens},
        {NULL, "output_tokens", USAGE_output_tokens},
        {"input_tokens_details", "cached_tokens", USAGE_cache_read_tokens},
        {"input_tokens_details", "cache_write_tokens", USAGE_cache_write_tokens},
        {"output_tokens_details", "reasoning_tokens", USAGE_output_reasoning_tokens},
    };
    struct usage usage;
    enum status status;

    usage_init(&usage);
    status = TAKE_FIELDS(report, fields, &usage);
    take_cost(report, &usage);
    return finish(status, &usage, out);
}

/* A cumulative count: one that is 0 after it was not is a server that does not repeat it. */
static enum status
merge_count(yyjson_val *object, const char *name, int64_t *count)
{
    int64_t later;
    enum status status = usage_read_count(yyjson_obj_get(object, name), 1, &later);

    if (status != OK)
        return status == ERR_NOT_FOUND ? OK : status;
    if (later != 0 || *count < 0)
        *count = later;
    return OK;
}

/* Some iterations are billed that the totals leave out, as a compaction or another model's advice: then the totals are
 * less than what is paid. */
static bool
bills_more_than_totals(yyjson_val *report, const struct usage *usage)
{
    yyjson_val *iteration;
    size_t index, count;
    int64_t output = 0, one;

    yyjson_arr_foreach(yyjson_obj_get(report, "iterations"), index, count, iteration)
    {
        if (usage_read_count(yyjson_obj_get(iteration, "output_tokens"), 1, &one) == OK &&
            one <= USAGE_COUNT_MOST - output)
            output += one;
    }
    return output > usage->output_tokens;
}

static enum usage_exactness
merged_exactness(yyjson_val *report, const struct usage *usage)
{
    if (!usage_reports(usage, USAGE_input_tokens) || !usage_reports(usage, USAGE_output_tokens))
        return USAGE_UNKNOWN;
    return bills_more_than_totals(report, usage) ? USAGE_ESTIMATED : USAGE_EXACT;
}

static enum status
merge_anthropic_counts(yyjson_val *report, struct usage *usage)
{
    static const struct field fields[] = {
        {NULL, "cache_read_input_tokens", USAGE_cache_read_tokens},
        {NULL, "cache_creation_input_tokens", USAGE_cache_write_tokens},
        {"cache_creation", "ephemeral_5m_input_tokens", USAGE_cache_write_5m_tokens},
        {"cache_creation", "ephemeral_1h_input_tokens", USAGE_cache_write_1h_tokens},
        {NULL, "output_tokens", USAGE_output_tokens},
        {"output_tokens_details", "thinking_tokens", USAGE_output_reasoning_tokens},
        {"server_tool_use", "web_search_requests", USAGE_web_searches},
    };

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        yyjson_val *object = fields[i].object != NULL ? yyjson_obj_get(report, fields[i].object) : report;
        int64_t count = usage_reports(usage, fields[i].kind) ? usage->counts[fields[i].kind] : -1;
        enum status status = merge_count(object, fields[i].name, &count);

        if (status != OK)
            return status;
        if (count >= 0)
            usage_set(usage, fields[i].kind, count);
    }
    return OK;
}

enum status
usage_merge_anthropic(yyjson_val *report, struct usage *io)
{
    struct usage usage = *io;
    int64_t uncached =
        usage_reports(io, USAGE_input_tokens) ? io->input_tokens - io->cache_read_tokens - io->cache_write_tokens : -1;
    enum status status = yyjson_is_obj(report) ? merge_count(report, "input_tokens", &uncached) : ERR_NOT_FOUND;

    if (status == OK)
        status = merge_anthropic_counts(report, &usage);
    if (status != OK)
        return status;
    if (uncached >= 0) {
        int64_t input = uncached + usage.cache_read_tokens + usage.cache_write_tokens;

        if (input > USAGE_COUNT_MOST)
            return ERR_LIMIT;
        usage_set(&usage, USAGE_input_tokens, input);
    }
    take_word(report, "service_tier", usage.service_tier);
    take_word(report, "speed", usage.speed);
    take_word(report, "inference_geo", usage.inference_geo);
    if (usage.reported == 0)
        return ERR_NOT_FOUND;
    usage.exactness = merged_exactness(report, &usage);
    *io = usage;
    return OK;
}

enum status
usage_read_anthropic(yyjson_val *report, struct usage *out)
{
    usage_init(out);
    return usage_merge_anthropic(report, out);
}

struct modality_kind {
    const char *modality;
    enum usage_kind kind;
};

/* One of Gemini's lists [{"modality": "AUDIO", "tokenCount": 5}, ...]; pages of documents are read as images. */
static enum status
take_modalities(yyjson_val *list, const struct modality_kind *kinds, size_t count, struct usage *usage)
{
    for (size_t i = 0; i < count; i++) {
        yyjson_val *item;
        size_t index, items;

        yyjson_arr_foreach(list, index, items, item)
        {
            enum status status;

            if (!yyjson_equals_str(yyjson_obj_get(item, "modality"), kinds[i].modality))
                continue;
            status = take_more(item, "tokenCount", kinds[i].kind, usage);
            if (status != OK)
                return status;
            break;
        }
    }
    return OK;
}

#define TAKE_MODALITIES(report, name, kinds, usage)                                                                    \
    take_modalities(yyjson_obj_get(report, name), kinds, sizeof(kinds) / sizeof((kinds)[0]), usage)

static enum status
read_gemini_modalities(yyjson_val *report, struct usage *usage)
{
    static const struct modality_kind cached[] = {
        {"TEXT", USAGE_cache_text_read_tokens},   {"AUDIO", USAGE_cache_audio_read_tokens},
        {"IMAGE", USAGE_cache_image_read_tokens}, {"DOCUMENT", USAGE_cache_image_read_tokens},
        {"VIDEO", USAGE_cache_video_read_tokens},
    };
    static const struct modality_kind input[] = {
        {"TEXT", USAGE_input_text_tokens},   {"AUDIO", USAGE_input_audio_tokens},
        {"IMAGE", USAGE_input_image_tokens}, {"DOCUMENT", USAGE_input_image_tokens},
        {"VIDEO", USAGE_input_video_tokens},
    };
    static const struct modality_kind tools[] = {
        {"TEXT", USAGE_input_text_tool_tokens},   {"AUDIO", USAGE_input_audio_tool_tokens},
        {"IMAGE", USAGE_input_image_tool_tokens}, {"DOCUMENT", USAGE_input_image_tool_tokens},
        {"VIDEO", USAGE_input_video_tool_tokens},
    };
    static const struct modality_kind output[] = {
        {"TEXT", USAGE_output_text_tokens},   {"AUDIO", USAGE_output_audio_tokens},
        {"IMAGE", USAGE_output_image_tokens}, {"DOCUMENT", USAGE_output_image_tokens},
        {"VIDEO", USAGE_output_video_tokens},
    };
    enum status status = TAKE_MODALITIES(report, "cacheTokensDetails", cached, usage);

    if (status == OK)
        status = TAKE_MODALITIES(report, "promptTokensDetails", input, usage);
    if (status == OK)
        status = TAKE_MODALITIES(report, "toolUsePromptTokensDetails", input, usage);
    if (status == OK)
        status = TAKE_MODALITIES(report, "toolUsePromptTokensDetails", tools, usage);
    if (status == OK)
        status = TAKE_MODALITIES(report, "candidatesTokensDetails", output, usage);
    return status;
}

enum status
usage_read_gemini(yyjson_val *report, struct usage *out)
{
    static const struct field fields[] = {
        {NULL, "promptTokenCount", USAGE_input_tokens},
        {NULL, "cachedContentTokenCount", USAGE_cache_read_tokens},
        {NULL, "candidatesTokenCount", USAGE_output_tokens},
        {NULL, "thoughtsTokenCount", USAGE_output_reasoning_tokens},
        {NULL, "toolUsePromptTokenCount", USAGE_input_tool_tokens},
    };
    struct usage usage;
    enum status status;

    usage_init(&usage);
    status = TAKE_FIELDS(report, fields, &usage);
    if (status == OK)
        status = take_more(report, "thoughtsTokenCount", USAGE_output_tokens, &usage);
    if (status == OK)
        status = take_more(report, "toolUsePromptTokenCount", USAGE_input_tokens, &usage);
    if (status == OK)
        status = read_gemini_modalities(report, &usage);
    take_word(report, "serviceTier", usage.service_tier);
    return finish(status, &usage, out);
}

/* What pass-through brings is told apart by the names it uses. */
static enum status
read_any(yyjson_val *root, struct usage *usage)
{
    yyjson_val *report = yyjson_obj_get(root, "usage");

    if (yyjson_is_obj(yyjson_obj_get(root, "usageMetadata")))
        return usage_read_gemini(yyjson_obj_get(root, "usageMetadata"), usage);
    if (report == NULL)
        report = yyjson_obj_get(yyjson_obj_get(root, "response"), "usage");
    if (yyjson_obj_get(report, "prompt_tokens") != NULL)
        return usage_read_openai_chat(report, usage);
    if (yyjson_obj_get(report, "input_tokens_details") != NULL || yyjson_obj_get(report, "total_tokens") != NULL)
        return usage_read_openai_responses(report, usage);
    if (report == NULL)
        report = yyjson_obj_get(yyjson_obj_get(root, "message"), "usage");
    return usage_merge_anthropic(report, usage);
}

static enum status
read_by_api(enum api api, yyjson_val *root, struct usage *usage)
{
    yyjson_val *report = yyjson_obj_get(root, "usage");

    switch (api) {
    case API_CHAT:
    case API_COMPLETIONS:
    case API_EMBEDDINGS:
        return usage_read_openai_chat(report, usage);
    case API_RESPONSES:
        return usage_read_openai_responses(
            report != NULL ? report : yyjson_obj_get(yyjson_obj_get(root, "response"), "usage"), usage);
    case API_MESSAGES:
        return usage_merge_anthropic(report != NULL ? report : yyjson_obj_get(yyjson_obj_get(root, "message"), "usage"),
                                     usage);
    case API_PASSTHROUGH:
    case API_COUNT:
        break;
    }
    return read_any(root, usage);
}

enum status
usage_read_answer(enum api api, yyjson_val *root, struct usage *io)
{
    struct usage usage = *io;
    enum status status = read_by_api(api, root, &usage);

    if (status != OK)
        return status;
    take_word(root, "service_tier", usage.service_tier);
    take_word(yyjson_obj_get(root, "response"), "service_tier", usage.service_tier);
    *io = usage;
    return OK;
}
