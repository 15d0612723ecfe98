/* OpenAI responses: every part is an output item; reasoning is an item without a summary. */
#include "twin/render.h"

enum item_state { ITEM_STARTED, ITEM_DONE };

static const char *
item_prefix(enum part_kind kind)
{
    return kind == PART_REASONING ? "rs" : kind == PART_TEXT ? "msg" : "fc";
}

static void
add_item_id(const struct render *render, const struct part *part, unsigned at, struct buffer *out)
{
    buffer_printf(out, "\"%s_%s%u\"", item_prefix(part->kind), render->id, at);
}

static const char *
item_status(const struct render *render, unsigned at, enum item_state state)
{
    const struct reply_choice *choice = &render->reply->choices[0];

    if (state == ITEM_STARTED)
        return "in_progress";
    return choice->finish == FINISH_LENGTH && at + 1 == choice->part_count ? "incomplete" : "completed";
}

static void
add_text_content(struct slice text, struct buffer *out)
{
    buffer_add_text(out, "{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[],\"text\":");
    render_string(out, text);
    buffer_add_byte(out, '}');
}

static void
add_item(const struct render *render, unsigned at, enum item_state state, struct buffer *out)
{
    const struct part *part = render_part(render, 0, at);
    const char *status = item_status(render, at, state);

    buffer_add_text(out, "{\"id\":");
    add_item_id(render, part, at, out);
    switch (part->kind) {
    case PART_REASONING:
        buffer_add_text(out, ",\"type\":\"reasoning\",\"summary\":[]}");
        break;
    case PART_TEXT:
        buffer_printf(out, ",\"type\":\"message\",\"status\":\"%s\",\"role\":\"assistant\",\"content\":[", status);
        if (state == ITEM_DONE)
            add_text_content(part->text, out);
        buffer_add_text(out, "]}");
        break;
    case PART_CALL:
        buffer_printf(out, ",\"type\":\"function_call\",\"status\":\"%s\",\"call_id\":\"call_%s\",\"name\":", status,
                      part->id);
        render_string(out, part->name);
        buffer_add_text(out, ",\"arguments\":");
        render_string(out, state == ITEM_DONE ? part->text : SLICE_LITERAL(""));
        buffer_add_byte(out, '}');
        break;
    }
}

static void
add_usage(const struct render *render, struct buffer *out)
{
    const struct reply_usage *usage = &render->reply->usage;

    buffer_printf(out,
                  "{\"input_tokens\":%lld,\"input_tokens_details\":{\"cached_tokens\":%lld},\"output_tokens\":%lld,"
                  "\"output_tokens_details\":{\"reasoning_tokens\":%lld},\"total_tokens\":%lld}",
                  (long long)usage->input, (long long)usage->cache_read, (long long)usage->output,
                  (long long)usage->reasoning, (long long)(usage->input + usage->output));
}

/* A member of the request as it came, or `otherwise`. */
static void
add_echo(const struct render *render, const char *key, const char *otherwise, struct buffer *out)
{
    yyjson_val *value = yyjson_obj_get(yyjson_doc_get_root(render->ask->doc), key);
    size_t len = 0;
    char *text = value != NULL ? yyjson_val_write(value, 0, &len) : NULL;

    buffer_printf(out, ",\"%s\":", key);
    buffer_add(out, text != NULL ? slice_make(text, len) : slice_of(otherwise));
    free(text);
}

static void
add_echoes(const struct render *render, struct buffer *out)
{
    static const char *const echoes[][2] = {
        {"instructions", "null"},
        {"max_output_tokens", "null"},
        {"metadata", "{}"},
        {"parallel_tool_calls", "true"},
        {"previous_response_id", "null"},
        {"reasoning", "{\"effort\":null,\"summary\":null}"},
        {"store", "true"},
        {"temperature", "1.0"},
        {"text", "{\"format\":{\"type\":\"text\"}}"},
        {"tool_choice", "\"auto\""},
        {"tools", "[]"},
        {"top_p", "1.0"},
        {"truncation", "\"disabled\""},
        {"user", "null"},
    };

    for (size_t i = 0; i < sizeof echoes / sizeof echoes[0]; i++)
        add_echo(render, echoes[i][0], echoes[i][1], out);
}

static const char *
response_status(const struct render *render, bool done)
{
    if (!done)
        return "in_progress";
    return render->reply->choices[0].finish == FINISH_LENGTH ? "incomplete" : "completed";
}

/* The response object; before it is done without output and usage. */
static void
add_response(const struct render *render, bool done, struct buffer *out)
{
    bool cut = done && render->reply->choices[0].finish == FINISH_LENGTH;

    buffer_printf(out, "{\"id\":\"resp_%s\",\"object\":\"response\",\"created_at\":%lld,\"status\":\"%s\"", render->id,
                  (long long)render->created_s, response_status(render, done));
    buffer_printf(out, ",\"background\":false,\"error\":null,\"incomplete_details\":%s,\"model\":",
                  cut ? "{\"reason\":\"max_output_tokens\"}" : "null");
    render_string(out, render->ask->model);
    buffer_add_text(out, ",\"output\":[");
    for (unsigned i = 0; done && i < render->reply->choices[0].part_count; i++) {
        buffer_add_text(out, i == 0 ? "" : ",");
        add_item(render, i, ITEM_DONE, out);
    }
    buffer_add_text(out, "],\"service_tier\":\"default\"");
    add_echoes(render, out);
    buffer_add_text(out, ",\"usage\":");
    if (done && !render->no_usage)
        add_usage(render, out);
    else
        buffer_add_text(out, "null");
    buffer_add_byte(out, '}');
}

static void
responses_whole(struct render *render, struct buffer *out)
{
    add_response(render, true, out);
}

static void
event_open(struct render *render, const char *type, struct buffer *out)
{
    buffer_printf(out, "event: %s\ndata: {\"type\":\"%s\",\"sequence_number\":%u", type, type, render->sequence++);
}

static void
event_close(struct buffer *out)
{
    buffer_add_text(out, "}\n\n");
}

static void
response_event(struct render *render, const char *type, bool done, struct buffer *out)
{
    event_open(render, type, out);
    buffer_add_text(out, ",\"response\":");
    add_response(render, done, out);
    event_close(out);
}

static void
responses_begin(struct render *render, struct buffer *out)
{
    response_event(render, "response.created", false, out);
    response_event(render, "response.in_progress", false, out);
}

static void
item_event(struct render *render, const char *type, unsigned at, enum item_state state, struct buffer *out)
{
    event_open(render, type, out);
    buffer_printf(out, ",\"output_index\":%u,\"item\":", at);
    add_item(render, at, state, out);
    event_close(out);
}

/* An event about an item, up to what it says of it. */
static void
about_item(struct render *render, const char *type, unsigned at, struct buffer *out)
{
    const struct part *part = render_part(render, 0, at);

    event_open(render, type, out);
    buffer_add_text(out, ",\"item_id\":");
    add_item_id(render, part, at, out);
    buffer_printf(out, ",\"output_index\":%u%s", at, part->kind == PART_TEXT ? ",\"content_index\":0" : "");
}

static void
content_event(struct render *render, const char *type, unsigned at, struct slice text, struct buffer *out)
{
    about_item(render, type, at, out);
    buffer_add_text(out, ",\"part\":");
    add_text_content(text, out);
    event_close(out);
}

static void
text_event(struct render *render, const char *type, const char *member, unsigned at, struct slice text,
           struct buffer *out)
{
    about_item(render, type, at, out);
    buffer_printf(out, ",\"%s\":", member);
    render_string(out, text);
    if (render_part(render, 0, at)->kind == PART_TEXT)
        buffer_add_text(out, ",\"logprobs\":[]");
    event_close(out);
}

static void
responses_part_open(struct render *render, unsigned choice, unsigned at, struct buffer *out)
{
    ENSURE(choice == 0);
    item_event(render, "response.output_item.added", at, ITEM_STARTED, out);
    if (render_part(render, 0, at)->kind == PART_TEXT)
        content_event(render, "response.content_part.added", at, SLICE_LITERAL(""), out);
}

static void
responses_piece(struct render *render, unsigned choice, unsigned at, struct slice text, struct buffer *out)
{
    ENSURE(choice == 0);
    if (render_part(render, 0, at)->kind == PART_TEXT)
        text_event(render, "response.output_text.delta", "delta", at, text, out);
    else if (render_part(render, 0, at)->kind == PART_CALL)
        text_event(render, "response.function_call_arguments.delta", "delta", at, text, out);
}

static void
responses_part_close(struct render *render, unsigned choice, unsigned at, struct buffer *out)
{
    const struct part *part = render_part(render, choice, at);

    if (part->kind == PART_TEXT) {
        text_event(render, "response.output_text.done", "text", at, part->text, out);
        content_event(render, "response.content_part.done", at, part->text, out);
    } else if (part->kind == PART_CALL) {
        text_event(render, "response.function_call_arguments.done", "arguments", at, part->text, out);
    }
    item_event(render, "response.output_item.done", at, ITEM_DONE, out);
}

static void
responses_choice_end(struct render *render, unsigned choice, struct buffer *out)
{
    (void)render, (void)choice, (void)out;
}

static void
responses_end(struct render *render, struct buffer *out)
{
    bool cut = render->reply->choices[0].finish == FINISH_LENGTH;

    response_event(render, cut ? "response.incomplete" : "response.completed", true, out);
}

const struct render_ops render_responses = {
    .whole = responses_whole,
    .begin = responses_begin,
    .part_open = responses_part_open,
    .piece = responses_piece,
    .part_close = responses_part_close,
    .choice_end = responses_choice_end,
    .end = responses_end,
};
