/* OpenAI chat completions and completions. Reasoning is hidden: only its tokens are told. */
#include "twin/render.h"

static const char *
finish_word(enum finish finish)
{
    switch (finish) {
    case FINISH_LENGTH:
        return "length";
    case FINISH_CALLS:
        return "tool_calls";
    default:
        return "stop";
    }
}

static void
add_head(const struct render *render, const char *prefix, const char *object, struct buffer *out)
{
    /* Before every token: formatting by printf would be most of the work. */
    buffer_add_text(out, "{\"id\":\"");
    buffer_add_text(out, prefix);
    buffer_add_text(out, render->id);
    buffer_add_text(out, "\",\"object\":\"");
    buffer_add_text(out, object);
    buffer_add_text(out, "\",\"created\":");
    buffer_add_number(out, (uint64_t)render->created_s);
    buffer_add_text(out, ",\"model\":");
    render_string(out, render->ask->model);
    buffer_add_text(out, ",\"system_fingerprint\":\"fp_twin\"");
}

static void
add_usage(const struct render *render, struct buffer *out)
{
    const struct reply_usage *usage = &render->reply->usage;

    buffer_printf(out,
                  "\"usage\":{\"prompt_tokens\":%lld,\"completion_tokens\":%lld,\"total_tokens\":%lld,"
                  "\"prompt_tokens_details\":{\"cached_tokens\":%lld,\"audio_tokens\":0},"
                  "\"completion_tokens_details\":{\"reasoning_tokens\":%lld,\"audio_tokens\":0,"
                  "\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}}",
                  (long long)usage->input, (long long)usage->output, (long long)(usage->input + usage->output),
                  (long long)usage->cache_read, (long long)usage->reasoning);
}

/* The position among the choice's calls, as clients put streamed calls together by it. */
static unsigned
call_index(const struct render *render, unsigned choice, unsigned part)
{
    unsigned index = 0;

    for (unsigned i = 0; i < part; i++)
        index += render_part(render, choice, i)->kind == PART_CALL ? 1 : 0;
    return index;
}

static void
add_call(const struct part *part, struct slice arguments, struct buffer *out)
{
    buffer_printf(out, "\"id\":\"call_%s\",\"type\":\"function\",\"function\":{\"name\":", part->id);
    render_string(out, part->name);
    buffer_add_text(out, ",\"arguments\":");
    render_string(out, arguments);
    buffer_add_text(out, "}}");
}

static struct slice
choice_text(const struct reply_choice *choice)
{
    for (unsigned i = 0; i < choice->part_count; i++)
        if (choice->parts[i].kind == PART_TEXT)
            return choice->parts[i].text;
    return SLICE_NONE;
}

static void
add_message(const struct reply_choice *choice, struct buffer *out)
{
    struct slice text = choice_text(choice);
    unsigned calls = 0;

    buffer_add_text(out, "\"message\":{\"role\":\"assistant\",\"content\":");
    if (text.data != NULL)
        render_string(out, text);
    else
        buffer_add_text(out, "null");
    buffer_add_text(out, ",\"refusal\":null,\"annotations\":[]");
    for (unsigned i = 0; i < choice->part_count; i++) {
        if (choice->parts[i].kind != PART_CALL)
            continue;
        buffer_add_text(out, calls++ == 0 ? ",\"tool_calls\":[{" : ",{");
        add_call(&choice->parts[i], choice->parts[i].text, out);
    }
    buffer_add_text(out, calls != 0 ? "]}" : "}");
}

static void
chat_whole(struct render *render, struct buffer *out)
{
    add_head(render, "chatcmpl-", "chat.completion", out);
    buffer_add_text(out, ",\"service_tier\":\"default\",\"choices\":[");
    for (unsigned i = 0; i < render->reply->choice_count; i++) {
        buffer_printf(out, "%s{\"index\":%u,", i == 0 ? "" : ",", i);
        add_message(&render->reply->choices[i], out);
        buffer_printf(out, ",\"logprobs\":null,\"finish_reason\":\"%s\"}",
                      finish_word(render->reply->choices[i].finish));
    }
    buffer_add_byte(out, ']');
    if (!render->no_usage) {
        buffer_add_byte(out, ',');
        add_usage(render, out);
    }
    buffer_add_byte(out, '}');
}

static bool
usage_is_streamed(const struct render *render)
{
    return render->ask->usage_in_stream && !render->no_usage;
}

/* A chunk up to the opening of its delta. */
static void
chunk_open(const struct render *render, unsigned choice, struct buffer *out)
{
    buffer_add_text(out, "data: ");
    add_head(render, "chatcmpl-", "chat.completion.chunk", out);
    buffer_add_text(out, ",\"service_tier\":\"default\",\"choices\":[{\"index\":");
    buffer_add_number(out, choice);
    buffer_add_text(out, ",\"delta\":{");
}

static void
chunk_close(const struct render *render, const char *finish, struct buffer *out)
{
    buffer_add_text(out, "},\"logprobs\":null,\"finish_reason\":");
    if (finish != NULL)
        buffer_printf(out, "\"%s\"", finish);
    else
        buffer_add_text(out, "null");
    buffer_add_text(out, usage_is_streamed(render) ? "}],\"usage\":null}\n\n" : "}]}\n\n");
}

static void
chat_begin(struct render *render, struct buffer *out)
{
    for (unsigned i = 0; i < render->reply->choice_count; i++) {
        bool text = choice_text(&render->reply->choices[i]).data != NULL;

        chunk_open(render, i, out);
        buffer_printf(out, "\"role\":\"assistant\",\"content\":%s,\"refusal\":null", text ? "\"\"" : "null");
        chunk_close(render, NULL, out);
    }
}

static void
chat_part_open(struct render *render, unsigned choice, unsigned at, struct buffer *out)
{
    const struct part *part = render_part(render, choice, at);

    if (part->kind != PART_CALL)
        return;
    chunk_open(render, choice, out);
    buffer_printf(out, "\"tool_calls\":[{\"index\":%u,", call_index(render, choice, at));
    add_call(part, slice_of(""), out);
    buffer_add_byte(out, ']');
    chunk_close(render, NULL, out);
}

static void
chat_piece(struct render *render, unsigned choice, unsigned at, struct slice text, struct buffer *out)
{
    const struct part *part = render_part(render, choice, at);

    if (part->kind == PART_REASONING)
        return;
    chunk_open(render, choice, out);
    if (part->kind == PART_CALL) {
        buffer_printf(out,
                      "\"tool_calls\":[{\"index\":%u,\"function\":{\"arguments\":", call_index(render, choice, at));
        render_string(out, text);
        buffer_add_text(out, "}}]");
    } else {
        buffer_add_text(out, "\"content\":");
        render_string(out, text);
    }
    chunk_close(render, NULL, out);
}

static void
nothing_for_part(struct render *render, unsigned choice, unsigned part, struct buffer *out)
{
    (void)render, (void)choice, (void)part, (void)out;
}

static void
chat_choice_end(struct render *render, unsigned choice, struct buffer *out)
{
    chunk_open(render, choice, out);
    chunk_close(render, finish_word(render->reply->choices[choice].finish), out);
}

/* The rest of the extra chunk that tells the usage. */
static void
add_usage_chunk(const struct render *render, struct buffer *out)
{
    buffer_add_text(out, ",\"choices\":[],");
    add_usage(render, out);
    buffer_add_text(out, "}\n\n");
}

static void
chat_end(struct render *render, struct buffer *out)
{
    if (usage_is_streamed(render)) {
        buffer_add_text(out, "data: ");
        add_head(render, "chatcmpl-", "chat.completion.chunk", out);
        buffer_add_text(out, ",\"service_tier\":\"default\"");
        add_usage_chunk(render, out);
    }
    buffer_add_text(out, "data: [DONE]\n\n");
}

const struct render_ops render_chat = {
    .whole = chat_whole,
    .begin = chat_begin,
    .part_open = chat_part_open,
    .piece = chat_piece,
    .part_close = nothing_for_part,
    .choice_end = chat_choice_end,
    .end = chat_end,
};

/* Completions */

static void
add_text_choice(unsigned choice, struct slice text, const char *finish, struct buffer *out)
{
    buffer_add_text(out, "{\"text\":");
    render_string(out, text);
    buffer_printf(out, ",\"index\":%u,\"logprobs\":null,\"finish_reason\":", choice);
    if (finish != NULL)
        buffer_printf(out, "\"%s\"}", finish);
    else
        buffer_add_text(out, "null}");
}

static void
completions_whole(struct render *render, struct buffer *out)
{
    add_head(render, "cmpl-", "text_completion", out);
    buffer_add_text(out, ",\"choices\":[");
    for (unsigned i = 0; i < render->reply->choice_count; i++) {
        const struct reply_choice *choice = &render->reply->choices[i];

        buffer_add_text(out, i == 0 ? "" : ",");
        add_text_choice(i, choice_text(choice), finish_word(choice->finish), out);
    }
    buffer_add_byte(out, ']');
    if (!render->no_usage) {
        buffer_add_byte(out, ',');
        add_usage(render, out);
    }
    buffer_add_byte(out, '}');
}

static void
add_text_chunk(const struct render *render, unsigned choice, struct slice text, const char *finish, struct buffer *out)
{
    buffer_add_text(out, "data: ");
    add_head(render, "cmpl-", "text_completion", out);
    buffer_add_text(out, ",\"choices\":[");
    add_text_choice(choice, text, finish, out);
    buffer_add_text(out, usage_is_streamed(render) ? "],\"usage\":null}\n\n" : "]}\n\n");
}

static void
completions_begin(struct render *render, struct buffer *out)
{
    (void)render, (void)out;
}

static void
completions_piece(struct render *render, unsigned choice, unsigned at, struct slice text, struct buffer *out)
{
    if (render_part(render, choice, at)->kind == PART_TEXT)
        add_text_chunk(render, choice, text, NULL, out);
}

static void
completions_choice_end(struct render *render, unsigned choice, struct buffer *out)
{
    add_text_chunk(render, choice, SLICE_LITERAL(""), finish_word(render->reply->choices[choice].finish), out);
}

static void
completions_end(struct render *render, struct buffer *out)
{
    if (usage_is_streamed(render)) {
        buffer_add_text(out, "data: ");
        add_head(render, "cmpl-", "text_completion", out);
        add_usage_chunk(render, out);
    }
    buffer_add_text(out, "data: [DONE]\n\n");
}

const struct render_ops render_completions = {
    .whole = completions_whole,
    .begin = completions_begin,
    .part_open = nothing_for_part,
    .piece = completions_piece,
    .part_close = nothing_for_part,
    .choice_end = completions_choice_end,
    .end = completions_end,
};
