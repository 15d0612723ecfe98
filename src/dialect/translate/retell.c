/* What answers' translations have in common, whatever the APIs. */
#include "dialect/translate/retell.h"

#include <stdlib.h>

#include "dialect/json/json.h"
#include "dialect/sse.h"

/* Of an error's message. */
enum { MESSAGE_MOST = 2048 };

static const yyjson_read_flag LENIENT = YYJSON_READ_ALLOW_INVALID_UNICODE | YYJSON_READ_ALLOW_INF_AND_NAN;

static const struct retell_ops *
ops_of(enum api to)
{
    return to == API_MESSAGES ? &retell_messages : to == API_RESPONSES ? &retell_responses : &retell_chat;
}

struct translation *
translation_new(enum api from, enum api to, int64_t now_s, size_t most)
{
    struct translation *translation = must_calloc(1, sizeof(*translation));

    ENSURE(translate_knows(from, to));
    translation->from = from;
    translation->to = to;
    translation->now_s = now_s;
    translation->most = most;
    translation->live = CALLS_MOST;
    translation->gathers = to == API_RESPONSES; /* whose last event repeats all */
    usage_init(&translation->usage);
    arena_init(&translation->arena);
    return translation;
}

void
translation_echoes(struct translation *translation, struct slice echo)
{
    translation->echo = arena_copy(&translation->arena, echo);
}

void
translation_called(struct translation *translation, struct slice id)
{
    translation->own_id = arena_copy(&translation->arena, id);
}

void
translation_free(struct translation *translation)
{
    if (translation == NULL)
        return;
    for (size_t i = 0; i < translation->part_count; i++)
        buffer_free(&translation->parts[i].text);
    for (size_t i = 0; i < translation->call_count; i++)
        buffer_free(&translation->calls[i].waiting);
    free(translation->parts);
    buffer_free(&translation->input);
    buffer_free(&translation->joined);
    buffer_free(&translation->frame);
    arena_reset(&translation->arena);
    free(translation);
}

struct slice
retell_slice(yyjson_val *text)
{
    return yyjson_is_str(text) ? slice_make(yyjson_get_str(text), yyjson_get_len(text)) : SLICE_LITERAL("");
}

/* Gathering */

static struct said_part *
add_part(struct translation *translation, const struct said *said)
{
    struct said_part *part;

    if (translation->part_count == translation->part_room) {
        translation->part_room = translation->part_room * 2 + 4;
        translation->parts = must_realloc(translation->parts, translation->part_room * sizeof(*translation->parts));
    }
    part = &translation->parts[translation->part_count++];
    *part = (struct said_part){.kind = said->kind,
                               .id = arena_copy(&translation->arena, said->id),
                               .name = arena_copy(&translation->arena, said->name)};
    return part;
}

const struct said_part *
retell_newest(const struct translation *translation)
{
    ENSURE(translation->part_count > 0);
    return &translation->parts[translation->part_count - 1];
}

static void
gather(struct translation *translation, const struct said *said)
{
    struct said_part *newest = translation->part_count > 0 ? &translation->parts[translation->part_count - 1] : NULL;

    translation->gathered += said->text.len + said->id.len + said->name.len;
    if (translation->gathered > translation->most) {
        translation->broken = true;
    } else if (said->kind == SAID_CALL) {
        add_part(translation, said);
    } else if (said->kind == SAID_TEXT || said->kind == SAID_REFUSAL) {
        if (newest == NULL || newest->kind != said->kind)
            newest = add_part(translation, said);
        buffer_add(&newest->text, said->text);
    } else if (said->kind == SAID_ARGUMENTS) {
        ENSURE(newest != NULL && newest->kind == SAID_CALL);
        buffer_add(&newest->text, said->text);
    }
}

/* Does this go on with what was said last? */
static bool
goes_on(const struct translation *translation, const struct said *said)
{
    return said->kind == SAID_ARGUMENTS || (said->kind != SAID_CALL && said->kind == translation->kind);
}

static void
say(struct translation *translation, const struct said *said)
{
    const struct retell_ops *ops = ops_of(translation->to);

    if (said->kind != SAID_ERROR)
        retell_begin(translation, NULL, NULL); /* where the backend did not */
    translation->any_call |= said->kind == SAID_CALL;
    translation->refused |= said->kind == SAID_REFUSAL;
    translation->any_said |= said->kind != SAID_BEGIN;
    if (translation->streams && ops->close != NULL && said->kind != SAID_ERROR && !goes_on(translation, said))
        ops->close(translation);
    if (translation->gathers)
        gather(translation, said);
    if (translation->streams && !translation->broken)
        ops->say(translation, said);
}

/* Hearing */

void
retell_begin(struct translation *translation, yyjson_val *id, yyjson_val *model)
{
    if (translation->begun)
        return;
    translation->begun = true;
    translation->id =
        retell_slice(id).len > 0 ? arena_copy(&translation->arena, retell_slice(id)) : translation->own_id;
    translation->model = arena_copy(&translation->arena, retell_slice(model));
    say(translation, &(struct said){.kind = SAID_BEGIN, .id = translation->id, .name = translation->model});
}

/* What comes in the middle of a call ends it. */
static void
end_live(struct translation *translation)
{
    if (translation->live != CALLS_MOST)
        translation->calls[translation->live].over = true;
    translation->live = CALLS_MOST;
}

void
retell_text(struct translation *translation, enum said_kind kind, yyjson_val *text)
{
    struct slice piece = retell_slice(text);

    if (piece.len == 0)
        return;
    end_live(translation);
    say(translation, &(struct said){.kind = kind, .text = piece});
}

static struct heard_call *
call_at(struct translation *translation, size_t call)
{
    if (call >= CALLS_MOST) {
        translation->broken = true;
        return NULL;
    }
    if (translation->calls == NULL)
        translation->calls = arena_alloc(&translation->arena, CALLS_MOST * sizeof(*translation->calls));
    if (call >= translation->call_count)
        translation->call_count = call + 1;
    return &translation->calls[call];
}

static void
begin_call(struct translation *translation, size_t at)
{
    struct heard_call *call = &translation->calls[at];

    if (call->id.len == 0)
        call->id = slice_of(arena_printf(&translation->arena, "call_%zu", at));
    call->begun = true;
    say(translation, &(struct said){.kind = SAID_CALL, .id = call->id, .name = call->name});
    if (buffer_len(&call->waiting) > 0)
        say(translation, &(struct said){.kind = SAID_ARGUMENTS, .text = buffer_content(&call->waiting)});
}

/* Its id and name may come in several events, and again in each. */
void
retell_call(struct translation *translation, size_t at, yyjson_val *id, yyjson_val *name)
{
    struct heard_call *call = call_at(translation, at);

    if (call == NULL || call->begun)
        return;
    if (call->id.len == 0 && yyjson_get_len(id) > 0)
        call->id = arena_copy(&translation->arena, retell_slice(id));
    if (call->name.len == 0 && yyjson_get_len(name) > 0)
        call->name = arena_copy(&translation->arena, retell_slice(name));
    if (call->name.len == 0 || translation->live != CALLS_MOST)
        return;
    translation->live = at;
    begin_call(translation, at);
}

/* Clients are told one call after another; those that a backend goes on with beside the first wait for the end. */
void
retell_arguments(struct translation *translation, size_t at, struct slice text)
{
    struct heard_call *call = call_at(translation, at);

    if (call == NULL || text.len == 0)
        return;
    call->spoke = true;
    if (at == translation->live) {
        say(translation, &(struct said){.kind = SAID_ARGUMENTS, .text = text});
        return;
    }
    translation->waiting_bytes += text.len;
    if (call->over || translation->waiting_bytes > WAITING_BYTES_MOST)
        translation->broken = true; /* it was told as done */
    else
        buffer_add(&call->waiting, text);
}

void
retell_call_over(struct translation *translation, size_t at)
{
    if (at == translation->live)
        end_live(translation);
}

void
retell_stop(struct translation *translation, enum said_stop stop, yyjson_val *sequence)
{
    translation->stopped = true;
    translation->stop = stop;
    translation->sequence = arena_copy(&translation->arena, retell_slice(sequence));
}

static void
tell_waiting(struct translation *translation)
{
    end_live(translation);
    for (size_t i = 0; i < translation->call_count && !translation->broken; i++) {
        struct heard_call *call = &translation->calls[i];

        if (call->begun)
            continue;
        if (call->name.len == 0) {
            translation->broken |= buffer_len(&call->waiting) > 0; /* of what function? */
            continue;
        }
        begin_call(translation, i);
    }
}

void
retell_end(struct translation *translation)
{
    if (translation->ended || !translation->begun)
        return;
    tell_waiting(translation);
    if (translation->broken)
        return;
    translation->ended = true;
    if (translation->stop == STOP_BY_ITSELF && translation->any_call) /* a call that was demanded */
        translation->stop = STOP_BY_CALLS;
    else if (translation->stop == STOP_BY_ITSELF && translation->refused && translation->to == API_MESSAGES)
        translation->stop = STOP_BY_FILTER; /* there a refusal in words is a text that stops as one */
    say(translation, &(struct said){.kind = SAID_END, .text = translation->sequence, .stop = translation->stop});
}

/* {message, type, code}, or just a text. */
void
retell_error(struct translation *translation, yyjson_val *error)
{
    yyjson_val *message = yyjson_is_obj(error) ? yyjson_obj_get(error, "message") : error;
    struct said said = {
        .kind = SAID_ERROR, .text = retell_slice(message), .name = retell_slice(yyjson_obj_get(error, "type"))};

    if (translation->ended)
        return;
    translation->ended = true;
    translation->broken |= !translation->streams; /* it is no whole answer */
    if (said.text.len == 0)
        said.text = SLICE_LITERAL("the backend told of an error without saying which");
    say(translation, &said);
}

/* From outside */

static bool
take(struct translation *translation, yyjson_val *root)
{
    if (usage_read_answer(translation->from, root, &translation->usage) == OK)
        translation->told_usage = true;
    return yyjson_is_obj(root);
}

enum status
translation_frame(struct translation *translation, struct slice frame, translate_put *put, void *context)
{
    struct slice event, data;
    struct json_scratch scratch;
    yyjson_doc *doc;

    translation->streams = true;
    translation->put = put;
    translation->context = context;
    if (translation->broken)
        return ERR_INVALID;
    if (!sse_parse(frame, &translation->joined, &event, &data))
        return OK;
    if (slice_is(slice_trim(data), "[DONE]")) {
        translation->broken |= !translation->ended && !translation->stopped; /* why it stops was not said: cut off? */
        retell_end(translation);
        return translation->broken ? ERR_INVALID : OK;
    }
    doc = json_parse_lenient(data, false, &scratch);
    if (!take(translation, yyjson_doc_get_root(doc)))
        translation->broken = true;
    else if (!translation->ended)
        retell_hear_event(translation, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    return translation->broken ? ERR_INVALID : OK;
}

void
translation_end(struct translation *translation, translate_put *put, void *context)
{
    translation->streams = true;
    translation->put = put;
    translation->context = context;
    if (!translation->broken && translation->stopped)
        retell_end(translation);
}

enum status
translation_whole(struct translation *translation, struct slice answer, struct buffer *out)
{
    size_t before = buffer_len(out);
    yyjson_doc *doc = yyjson_read(answer.data, answer.len, LENIENT);
    /* The numbers of a call's input go on as they are written. */
    yyjson_doc *raw = yyjson_read(answer.data, answer.len, LENIENT | YYJSON_READ_NUMBER_AS_RAW);

    translation->gathers = true;
    if (take(translation, yyjson_doc_get_root(doc)) && raw != NULL)
        retell_hear_whole(translation, yyjson_doc_get_root(raw));
    if (translation->ended && !translation->broken)
        ops_of(translation->to)->whole(translation, out);
    yyjson_doc_free(raw);
    yyjson_doc_free(doc);
    if (translation->broken)
        out->end = out->start + before;
    return translation->ended && !translation->broken ? OK : ERR_INVALID;
}

/* Telling */

void
retell_put_error(struct translation *translation, const struct said *said)
{
    struct translated_event event = {.last = false};

    error_event(translation->to, translate_error_kind(said->name), slice_first(said->text, MESSAGE_MOST), SLICE_NONE,
                &translation->frame);
    event.frame = buffer_content(&translation->frame);
    translation->put(translation->context, &event);
    buffer_clear(&translation->frame);
}

bool
retell_call_spoke(const struct translation *translation, size_t call)
{
    return call < translation->call_count && translation->calls[call].spoke;
}

void
retell_put(struct translation *translation, bool usage_only, bool last)
{
    struct translated_event event = {.usage_only = usage_only, .last = last};

    buffer_add_text(&translation->frame, "\n\n");
    event.frame = buffer_content(&translation->frame);
    translation->put(translation->context, &event);
    buffer_clear(&translation->frame);
}
