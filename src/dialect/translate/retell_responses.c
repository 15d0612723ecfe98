/* Told as responses: items that are added, grow and are done; the last event repeats the whole. */
#include <inttypes.h>

#include "dialect/translate/retell.h"

static struct slice
text_of(const struct said_part *part)
{
    return buffer_content(&part->text);
}

/* `at`: its number among the items. */
static void
put_item_id(const struct translation *translation, const struct said_part *part, size_t at, struct buffer *out)
{
    buffer_add_text(out, part->kind == SAID_CALL ? "\"fc_" : "\"msg_");
    buffer_add_json(out, translation->id);
    buffer_printf(out, "_%zu\"", at);
}

static void
put_content(const struct said_part *part, bool done, struct buffer *out)
{
    struct slice text = done ? text_of(part) : SLICE_NONE;

    buffer_add_text(out, part->kind == SAID_TEXT
                             ? "{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[],\"text\":"
                             : "{\"type\":\"refusal\",\"refusal\":");
    buffer_add_json_string(out, text);
    buffer_add_byte(out, '}');
}

static void
put_item(const struct translation *translation, size_t at, bool done, struct buffer *out)
{
    const struct said_part *part = &translation->parts[at];
    const char *status = done ? "completed" : "in_progress";

    buffer_add_text(out, part->kind == SAID_CALL ? "{\"type\":\"function_call\",\"id\":"
                                                 : "{\"type\":\"message\",\"role\":\"assistant\",\"id\":");
    put_item_id(translation, part, at, out);
    buffer_printf(out, ",\"status\":\"%s\",", status);
    if (part->kind != SAID_CALL) {
        buffer_add_text(out, "\"content\":[");
        if (done)
            put_content(part, true, out);
        buffer_add_text(out, "]}");
        return;
    }
    buffer_add_text(out, "\"call_id\":");
    buffer_add_json_string(out, part->id);
    buffer_add_text(out, ",\"name\":");
    buffer_add_json_string(out, part->name);
    buffer_add_text(out, ",\"arguments\":");
    buffer_add_json_string(out, done ? text_of(part) : SLICE_NONE);
    buffer_add_byte(out, '}');
}

static void
put_usage(const struct translation *translation, struct buffer *out)
{
    const struct usage *usage = &translation->usage;

    buffer_printf(out,
                  "{\"input_tokens\":%" PRId64 ",\"input_tokens_details\":{\"cached_tokens\":%" PRId64
                  "},\"output_tokens\":%" PRId64 ",\"output_tokens_details\":{\"reasoning_tokens\":%" PRId64
                  "},\"total_tokens\":%" PRId64 "}",
                  usage->input_tokens, usage->cache_read_tokens, usage->output_tokens, usage->output_reasoning_tokens,
                  usage->input_tokens + usage->output_tokens);
}

/* The response as it stands. */
static void
put_response(const struct translation *translation, bool done, struct buffer *out)
{
    bool cut = translation->stop == STOP_BY_LENGTH || translation->stop == STOP_BY_FILTER;

    buffer_add_text(out, slice_starts(translation->id, "resp_") ? "{\"id\":\"" : "{\"id\":\"resp_");
    buffer_add_json(out, translation->id);
    buffer_printf(out, "\",\"object\":\"response\",\"created_at\":%" PRId64 ",\"status\":\"%s\",\"error\":null",
                  translation->now_s,
                  !done ? "in_progress"
                  : cut ? "incomplete"
                        : "completed");
    buffer_add_text(out, ",\"incomplete_details\":");
    if (done && cut)
        buffer_printf(out, "{\"reason\":\"%s\"}",
                      translation->stop == STOP_BY_LENGTH ? "max_output_tokens" : "content_filter");
    else
        buffer_add_text(out, "null");
    buffer_add_text(out, ",\"model\":");
    buffer_add_json_string(out, translation->model);
    buffer_add_text(out, ",\"output\":[");
    for (size_t i = 0; done && i < translation->part_count; i++) {
        buffer_add_text(out, i > 0 ? "," : "");
        put_item(translation, i, true, out);
    }
    buffer_add_byte(out, ']');
    buffer_add(out, translation->echo);
    buffer_add_text(out, ",\"previous_response_id\":null,\"store\":false,\"usage\":");
    if (done && translation->told_usage)
        put_usage(translation, out);
    else
        buffer_add_text(out, "null");
    buffer_add_byte(out, '}');
}

/* Events */

static struct buffer *
begin(struct translation *translation, const char *type)
{
    buffer_printf(&translation->frame, "event: %s\ndata: {\"type\":\"%s\",\"sequence_number\":%" PRId64, type, type,
                  translation->number++);
    return &translation->frame;
}

static void
end(struct translation *translation, bool last)
{
    buffer_add_byte(&translation->frame, '}');
    retell_put(translation, false, last);
}

static size_t
newest_at(const struct translation *translation)
{
    return translation->part_count - 1;
}

/* Where an event belongs. */
static void
put_place(const struct translation *translation, bool in_content, struct buffer *out)
{
    buffer_add_text(out, ",\"item_id\":");
    put_item_id(translation, retell_newest(translation), newest_at(translation), out);
    buffer_printf(out, ",\"output_index\":%zu", newest_at(translation));
    if (in_content)
        buffer_add_text(out, ",\"content_index\":0");
}

static void
tell_response(struct translation *translation, const char *type, bool done)
{
    struct buffer *out = begin(translation, type);

    buffer_add_text(out, ",\"response\":");
    put_response(translation, done, out);
    end(translation, done);
}

static void
tell_item(struct translation *translation, const char *type, bool done)
{
    struct buffer *out = begin(translation, type);

    buffer_printf(out, ",\"output_index\":%zu,\"item\":", newest_at(translation));
    put_item(translation, newest_at(translation), done, out);
    end(translation, false);
}

static void
tell_part(struct translation *translation, const char *type, bool done)
{
    struct buffer *out = begin(translation, type);

    put_place(translation, true, out);
    buffer_add_text(out, ",\"part\":");
    put_content(retell_newest(translation), done, out);
    end(translation, false);
}

struct words {
    const char *delta, *done, *member;
};

static const struct words *
words_of(enum said_kind kind)
{
    static const struct words text = {"response.output_text.delta", "response.output_text.done", "text"};
    static const struct words refusal = {"response.refusal.delta", "response.refusal.done", "refusal"};
    static const struct words call = {"response.function_call_arguments.delta", "response.function_call_arguments.done",
                                      "arguments"};

    return kind == SAID_CALL ? &call : kind == SAID_TEXT ? &text : &refusal;
}

static void
tell_string(struct translation *translation, const char *type, const char *member, struct slice text)
{
    enum said_kind kind = retell_newest(translation)->kind;
    struct buffer *out = begin(translation, type);

    put_place(translation, kind != SAID_CALL, out);
    buffer_printf(out, ",\"%s\":", member);
    buffer_add_json_string(out, text);
    if (kind == SAID_TEXT)
        buffer_add_text(out, ",\"logprobs\":[]");
    else if (kind == SAID_CALL && member[0] == 'a') {
        buffer_add_text(out, ",\"name\":");
        buffer_add_json_string(out, retell_newest(translation)->name);
    }
    end(translation, false);
}

/* The item that is open when another begins is the one before it: this is told before that is gathered. */
static void
close_item(struct translation *translation)
{
    const struct said_part *part;

    if (!translation->open)
        return;
    part = retell_newest(translation);
    translation->open = false;
    tell_string(translation, words_of(part->kind)->done, words_of(part->kind)->member, text_of(part));
    if (part->kind != SAID_CALL)
        tell_part(translation, "response.content_part.done", true);
    tell_item(translation, "response.output_item.done", true);
}

static void
open_item(struct translation *translation, enum said_kind kind)
{
    translation->open = true;
    translation->kind = kind;
    tell_item(translation, "response.output_item.added", false);
    if (kind != SAID_CALL)
        tell_part(translation, "response.content_part.added", false);
}

static void
tell(struct translation *translation, const struct said *said)
{
    switch (said->kind) {
    case SAID_BEGIN:
        tell_response(translation, "response.created", false);
        tell_response(translation, "response.in_progress", false);
        break;
    case SAID_TEXT:
    case SAID_REFUSAL:
        if (!translation->open)
            open_item(translation, said->kind);
        tell_string(translation, words_of(said->kind)->delta, "delta", said->text);
        break;
    case SAID_CALL:
        open_item(translation, SAID_CALL);
        break;
    case SAID_ARGUMENTS:
        tell_string(translation, words_of(SAID_CALL)->delta, "delta", said->text);
        break;
    case SAID_END:
        tell_response(translation,
                      said->stop == STOP_BY_LENGTH || said->stop == STOP_BY_FILTER ? "response.incomplete"
                                                                                   : "response.completed",
                      true);
        break;
    case SAID_ERROR:
        retell_put_error(translation, said);
        break;
    }
}

static void
whole(struct translation *translation, struct buffer *out)
{
    put_response(translation, true, out);
}

const struct retell_ops retell_responses = {.say = tell, .close = close_item, .whole = whole};
