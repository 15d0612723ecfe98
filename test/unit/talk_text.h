/* What a request says, as one text that does not depend on the API it came in: two bodies of different APIs that say the
 * same have the same one. Left out is what translations may leave out (doc/translation.md). For tests and fuzzing. */
#ifndef TEST_TALK_TEXT_H
#define TEST_TALK_TEXT_H

#include "dialect/translate/talk.h"
#include "dialect/translate/translate.h"

static inline void
talk_text_part(const struct talk_part *part, struct buffer *out)
{
    static const char *const kinds[] = {"text", "refusal", "image", "call", "result"};

    if (part->kind == TALK_TEXT && part->text.len == 0)
        return; /* says nothing */
    buffer_printf(out, " %s<%.*s|%.*s|%.*s|%.*s|%.*s>", kinds[part->kind], SLICE_ARGS(part->text),
                  SLICE_ARGS(part->media_type), SLICE_ARGS(part->detail), SLICE_ARGS(part->id), SLICE_ARGS(part->name));
    buffer_add_text(out, part->failed ? "!" : "");
    for (const struct talk_part *inside = part->inside; inside != NULL; inside = inside->next)
        talk_text_part(inside, out);
}

/* *role: the heading under which the last part stands. */
static inline void
talk_text_one(enum talk_role of, const struct talk_part *part, const char **role, struct buffer *out)
{
    static const char *const roles[] = {"\nsystem:", "\nsystem:", "\nuser:", "\nassistant:"};
    size_t before = buffer_len(out);

    if (strcmp(*role, roles[of]) != 0)
        buffer_add_text(out, roles[of]);
    *role = roles[of];
    talk_text_part(part, out);
    if (part->kind == TALK_TEXT && part->text.len == 0)
        out->end = out->start + before, *role = "";
}

/* Where one turn ends and the next of the same role begins says nothing. Not `ordered`: nor does it say anything whether a
 * turn's texts stand before its calls or behind, as in chat. */
static inline void
talk_text_turns(const struct talk *talk, bool ordered, struct buffer *out)
{
    const char *role = "";

    for (const struct talk_turn *turn = talk->turns; turn != NULL; turn = turn->next)
        for (int pass = ordered ? 1 : 0; pass < 2; pass++)
            for (const struct talk_part *part = turn->parts; part != NULL; part = part->next)
                if (ordered || (part->kind == TALK_CALL) == (pass == 1))
                    talk_text_one(turn->role, part, &role, out);
}

static inline void
talk_text_schema(yyjson_val *schema, struct buffer *out)
{
    size_t len = buffer_len(out);

    talk_put_json(out, schema);
    /* A function that takes nothing is written so where a schema is wanted. */
    if (slice_is(slice_from(buffer_content(out), len), "{\"type\":\"object\",\"properties\":{}}"))
        out->end = out->start + len;
}

static inline void
talk_text_wishes(const struct talk *talk, struct buffer *out)
{
    for (const struct talk_tool *tool = talk->tools; tool != NULL; tool = tool->next) {
        buffer_printf(out, "\ntool %.*s|%.*s|%d ", SLICE_ARGS(tool->name), SLICE_ARGS(tool->description), tool->strict);
        if (tool->schema != NULL)
            talk_text_schema(tool->schema, out);
    }
    if (talk->tools != NULL)
        buffer_printf(out, "\nchoice %d %.*s %d", (int)talk->choice, SLICE_ARGS(talk->named),
                      talk->one_call_at_most && talk->choice != TALK_CALLS_NONE);
    for (size_t i = 0; i < talk->stop_count; i++)
        buffer_printf(out, "\nstop %.*s", SLICE_ARGS(talk->stops[i]));
    buffer_printf(out, "\nformat %d %.*s|%d ", (int)talk->format, SLICE_ARGS(talk->format_description),
                  talk->format_strict);
    if (talk->format_schema != NULL)
        talk_put_json(out, talk->format_schema);
    buffer_printf(out, "\nstream %d", talk->stream);
    for (unsigned id = 0; id < TALK_VALUE_COUNT; id++)
        if (talk->values[id] != NULL && !talk_value_may_go((enum talk_value)id)) {
            buffer_printf(out, "\nvalue %u ", id);
            talk_put_json(out, talk->values[id]);
        }
}

/* False: it cannot be read; *cap is what it says of the answer's length. `ordered`: see talk_text_turns. */
static inline bool
talk_say(enum api api, struct slice body, bool ordered, struct buffer *out, int64_t *cap)
{
    struct arena arena;
    struct talk talk = {.arena = &arena, .from = api, .cap = -1};
    yyjson_doc *doc = yyjson_read(body.data, body.len, YYJSON_READ_NUMBER_AS_RAW);
    bool read;

    arena_init(&arena);
    if (!yyjson_is_obj(yyjson_doc_get_root(doc)))
        talk_refuse(&talk, "no object");
    else if (api == API_MESSAGES)
        talk_read_messages(&talk, yyjson_doc_get_root(doc));
    else if (api == API_RESPONSES)
        talk_read_responses(&talk, yyjson_doc_get_root(doc));
    else
        talk_read_chat(&talk, yyjson_doc_get_root(doc));
    *cap = talk.cap;
    read = talk.why == NULL;
    if (read) {
        talk_text_turns(&talk, ordered, out);
        talk_text_wishes(&talk, out);
    }
    yyjson_doc_free(doc);
    arena_reset(&arena);
    return read;
}

/* The body that a translation amounts to. */
static inline void
talk_text_body(const struct translated *translated, struct buffer *out)
{
    static const char *const caps[API_COUNT] = {
        [API_CHAT] = "max_tokens", [API_RESPONSES] = "max_output_tokens", [API_MESSAGES] = "max_tokens"};

    buffer_add_text(out, "{\"model\":\"m\"");
    if (translated->cap >= 0)
        buffer_printf(out, ",\"%s\":%lld", caps[translated->api], (long long)translated->cap);
    buffer_add_byte(out, ',');
    buffer_add(out, slice_from(chunk_bytes(translated->rest), 1));
}

#endif
