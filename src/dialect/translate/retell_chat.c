/* Told as chat completions. */
#include <inttypes.h>

#include "dialect/translate/retell.h"

static const char *
finish_reason(enum said_stop stop)
{
    switch (stop) {
    case STOP_BY_LENGTH:
        return "length";
    case STOP_BY_CALLS:
        return "tool_calls";
    case STOP_BY_FILTER:
        return "content_filter";
    default:
        return "stop";
    }
}

static void
put_head(const struct translation *translation, const char *object, struct buffer *out)
{
    bool own = slice_starts(translation->id, "chatcmpl");

    buffer_add_text(out, own ? "{\"id\":\"" : "{\"id\":\"chatcmpl-");
    buffer_add_json(out, translation->id);
    buffer_printf(out, "\",\"object\":\"%s\",\"created\":%" PRId64 ",\"model\":", object, translation->now_s);
    buffer_add_json_string(out, translation->model);
    buffer_add_text(out, ",\"choices\":[");
}

static void
put_usage(const struct translation *translation, struct buffer *out)
{
    const struct usage *usage = &translation->usage;

    buffer_printf(out,
                  "\"usage\":{\"prompt_tokens\":%" PRId64 ",\"completion_tokens\":%" PRId64 ",\"total_tokens\":%" PRId64
                  ",\"prompt_tokens_details\":{\"cached_tokens\":%" PRId64
                  "},\"completion_tokens_details\":{\"reasoning_tokens\":%" PRId64 "}}",
                  usage->input_tokens, usage->output_tokens, usage->input_tokens + usage->output_tokens,
                  usage->cache_read_tokens, usage->output_reasoning_tokens);
}

/* Events */

static struct buffer *
begin_chunk(struct translation *translation)
{
    buffer_add_text(&translation->frame, "data: ");
    put_head(translation, "chat.completion.chunk", &translation->frame);
    return &translation->frame;
}

static struct buffer *
begin_delta(struct translation *translation)
{
    struct buffer *out = begin_chunk(translation);

    buffer_add_text(out, "{\"index\":0,\"delta\":{");
    return out;
}

static void
end_delta(struct translation *translation)
{
    buffer_add_text(&translation->frame, "},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}");
    retell_put(translation, false, false);
}

static void
tell_role(struct translation *translation, bool calls)
{
    if (translation->role_told)
        return;
    translation->role_told = true;
    buffer_add_text(begin_delta(translation), calls ? "\"role\":\"assistant\",\"content\":null,\"refusal\":null"
                                                    : "\"role\":\"assistant\",\"content\":\"\",\"refusal\":null");
    end_delta(translation);
}

static void
tell_piece(struct translation *translation, const struct said *said)
{
    struct buffer *out;

    tell_role(translation, false);
    out = begin_delta(translation);
    buffer_add_text(out, said->kind == SAID_TEXT ? "\"content\":" : "\"refusal\":");
    buffer_add_json_string(out, said->text);
    end_delta(translation);
}

static void
tell_call(struct translation *translation, const struct said *said)
{
    struct buffer *out;

    tell_role(translation, true);
    out = begin_delta(translation);
    buffer_printf(out, "\"tool_calls\":[{\"index\":%zu,\"id\":", translation->index++);
    buffer_add_json_string(out, said->id);
    buffer_add_text(out, ",\"type\":\"function\",\"function\":{\"name\":");
    buffer_add_json_string(out, said->name);
    buffer_add_text(out, ",\"arguments\":\"\"}}]");
    end_delta(translation);
}

static void
tell_arguments(struct translation *translation, const struct said *said)
{
    struct buffer *out = begin_delta(translation);

    buffer_printf(out, "\"tool_calls\":[{\"index\":%zu,\"function\":{\"arguments\":", translation->index - 1);
    buffer_add_json_string(out, said->text);
    buffer_add_text(out, "}}]");
    end_delta(translation);
}

static void
tell_end(struct translation *translation, const struct said *said)
{
    struct buffer *out;

    tell_role(translation, false);
    out = begin_chunk(translation);
    buffer_printf(out, "{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"%s\"}],\"usage\":null}",
                  finish_reason(said->stop));
    retell_put(translation, false, false);
    if (translation->told_usage) {
        out = begin_chunk(translation);
        buffer_add_text(out, "],");
        put_usage(translation, out);
        buffer_add_byte(out, '}');
        retell_put(translation, true, false);
    }
    buffer_add_text(&translation->frame, "data: [DONE]");
    retell_put(translation, false, true);
}

static void
tell(struct translation *translation, const struct said *said)
{
    switch (said->kind) {
    case SAID_BEGIN:
        break; /* the role is told with what is said first */
    case SAID_TEXT:
    case SAID_REFUSAL:
        tell_piece(translation, said);
        break;
    case SAID_CALL:
        tell_call(translation, said);
        break;
    case SAID_ARGUMENTS:
        tell_arguments(translation, said);
        break;
    case SAID_END:
        tell_end(translation, said);
        break;
    case SAID_ERROR:
        retell_put_error(translation, said);
        break;
    }
}

/* Whole */

static void
put_joined(const struct translation *translation, enum said_kind kind, const char *otherwise, struct buffer *out)
{
    bool any = false;

    for (size_t i = 0; i < translation->part_count; i++) {
        if (translation->parts[i].kind != kind)
            continue;
        if (!any)
            buffer_add_byte(out, '"');
        any = true;
        buffer_add_json(out, buffer_content(&translation->parts[i].text));
    }
    buffer_add_text(out, any ? "\"" : otherwise);
}

static void
put_calls(const struct translation *translation, struct buffer *out)
{
    const char *before = ",\"tool_calls\":[";

    for (size_t i = 0; i < translation->part_count; i++) {
        const struct said_part *part = &translation->parts[i];

        if (part->kind != SAID_CALL)
            continue;
        buffer_add_text(out, before);
        before = ",";
        buffer_add_text(out, "{\"id\":");
        buffer_add_json_string(out, part->id);
        buffer_add_text(out, ",\"type\":\"function\",\"function\":{\"name\":");
        buffer_add_json_string(out, part->name);
        buffer_add_text(out, ",\"arguments\":");
        buffer_add_json_string(out, buffer_content(&part->text));
        buffer_add_text(out, "}}");
    }
    if (translation->any_call)
        buffer_add_byte(out, ']');
}

static void
whole(struct translation *translation, struct buffer *out)
{
    put_head(translation, "chat.completion", out);
    buffer_add_text(out, "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":");
    put_joined(translation, SAID_TEXT, translation->any_call ? "null" : "\"\"", out);
    buffer_add_text(out, ",\"refusal\":");
    put_joined(translation, SAID_REFUSAL, "null", out);
    put_calls(translation, out);
    buffer_printf(out, "},\"logprobs\":null,\"finish_reason\":\"%s\"}]", finish_reason(translation->stop));
    if (translation->told_usage) {
        buffer_add_byte(out, ',');
        put_usage(translation, out);
    }
    buffer_add_byte(out, '}');
}

const struct retell_ops retell_chat = {.say = tell, .whole = whole};
