/* OpenAI responses: each item of the output is added, its parts grow, and it is done; the last event repeats the whole. */
#include "dialect/frames_of_inside.h"

static void
begin(struct frames *frames, const char *type)
{
    buffer_printf(&frames->frame, "event: %s\ndata: {\"type\":\"%s\",\"sequence_number\":%lld", type, type,
                  (long long)frames->sequence++);
}

static void
end(struct frames *frames)
{
    frame_text(frames, "}");
    frame_put(frames);
}

/* An object with another status, and what only its end has left out. */
static void
put_unfinished(struct frames *frames, yyjson_val *object)
{
    size_t i, most;
    yyjson_val *key, *value;
    const char *comma = "";

    frame_text(frames, "{");
    yyjson_obj_foreach(object, i, most, key, value)
    {
        frame_text(frames, comma);
        comma = ",";
        frame_string(frames, frame_slice(key));
        frame_text(frames, ":");
        if (yyjson_equals_str(key, "status"))
            frame_text(frames, "\"in_progress\"");
        else if (yyjson_equals_str(key, "output") || yyjson_equals_str(key, "content") ||
                 yyjson_equals_str(key, "summary") || yyjson_equals_str(key, "annotations"))
            frame_text(frames, yyjson_is_null(value) ? "null" : "[]");
        else if (yyjson_equals_str(key, "arguments") || yyjson_equals_str(key, "text"))
            frame_text(frames, yyjson_is_str(value) ? "\"\"" : "null");
        else if (yyjson_equals_str(key, "usage") || yyjson_equals_str(key, "completed_at"))
            frame_text(frames, "null");
        else
            frame_value(frames, value);
    }
    frame_text(frames, "}");
}

static void
put_whole(struct frames *frames, const char *type, bool finished)
{
    begin(frames, type);
    frame_text(frames, ",\"response\":");
    if (finished)
        frame_value(frames, frames->root);
    else
        put_unfinished(frames, frames->root);
    end(frames);
}

/* Where an event belongs. */
struct place {
    yyjson_val *item;
    size_t at;
    const char *part_name; /* "content_index", "summary_index"; NULL: the item itself */
    size_t part;
};

static void
put_place(struct frames *frames, const struct place *place)
{
    frame_text(frames, ",\"item_id\":");
    frame_value(frames, yyjson_obj_get(place->item, "id"));
    buffer_printf(&frames->frame, ",\"output_index\":%zu", place->at);
    if (place->part_name != NULL)
        buffer_printf(&frames->frame, ",\"%s\":%zu", place->part_name, place->part);
}

static void
put_text(struct frames *frames, const struct place *place, const char *type, const char *member, struct slice text)
{
    const char *logprobs = strcmp(type, "output_text") == 0 ? ",\"logprobs\":[]" : "";
    char name[96];
    struct slice rest = text;

    snprintf(name, sizeof(name), "response.%s.delta", type);
    while (rest.len > 0) {
        begin(frames, name);
        put_place(frames, place);
        frame_text(frames, ",\"delta\":");
        frame_string(frames, frame_piece(&rest));
        frame_text(frames, logprobs);
        end(frames);
    }
    snprintf(name, sizeof(name), "response.%s.done", type);
    begin(frames, name);
    put_place(frames, place);
    buffer_printf(&frames->frame, ",\"%s\":", member);
    frame_string(frames, text);
    frame_text(frames, logprobs);
    end(frames);
}

static void
put_part_event(struct frames *frames, const struct place *place, const char *type, yyjson_val *part, bool finished)
{
    begin(frames, type);
    put_place(frames, place);
    frame_text(frames, ",\"part\":");
    if (finished)
        frame_value(frames, part);
    else
        put_unfinished(frames, part);
    end(frames);
}

static void
put_content(struct frames *frames, struct place *place)
{
    size_t i, most;
    yyjson_val *part;

    place->part_name = "content_index";
    yyjson_arr_foreach(yyjson_obj_get(place->item, "content"), i, most, part)
    {
        yyjson_val *type = yyjson_obj_get(part, "type");

        place->part = i;
        put_part_event(frames, place, "response.content_part.added", part, false);
        if (yyjson_equals_str(type, "output_text"))
            put_text(frames, place, "output_text", "text", frame_slice(yyjson_obj_get(part, "text")));
        else if (yyjson_equals_str(type, "refusal"))
            put_text(frames, place, "refusal", "refusal", frame_slice(yyjson_obj_get(part, "refusal")));
        else if (yyjson_equals_str(type, "reasoning_text"))
            put_text(frames, place, "reasoning_text", "text", frame_slice(yyjson_obj_get(part, "text")));
        put_part_event(frames, place, "response.content_part.done", part, true);
    }
}

static void
put_summary(struct frames *frames, struct place *place)
{
    size_t i, most;
    yyjson_val *part;

    place->part_name = "summary_index";
    yyjson_arr_foreach(yyjson_obj_get(place->item, "summary"), i, most, part)
    {
        place->part = i;
        put_part_event(frames, place, "response.reasoning_summary_part.added", part, false);
        put_text(frames, place, "reasoning_summary_text", "text", frame_slice(yyjson_obj_get(part, "text")));
        put_part_event(frames, place, "response.reasoning_summary_part.done", part, true);
    }
}

static void
put_item_event(struct frames *frames, const struct place *place, const char *type, bool finished)
{
    begin(frames, type);
    buffer_printf(&frames->frame, ",\"output_index\":%zu,\"item\":", place->at);
    if (finished)
        frame_value(frames, place->item);
    else
        put_unfinished(frames, place->item);
    end(frames);
}

static void
put_item(struct frames *frames, size_t at, yyjson_val *item)
{
    struct place place = {.item = item, .at = at};
    yyjson_val *type = yyjson_obj_get(item, "type");

    put_item_event(frames, &place, "response.output_item.added", false);
    if (yyjson_equals_str(type, "function_call"))
        put_text(frames, &place, "function_call_arguments", "arguments",
                 frame_slice(yyjson_obj_get(item, "arguments")));
    if (yyjson_equals_str(type, "reasoning"))
        put_summary(frames, &place);
    if (yyjson_equals_str(type, "reasoning") || yyjson_equals_str(type, "message"))
        put_content(frames, &place);
    put_item_event(frames, &place, "response.output_item.done", true);
}

void
frames_of_response(struct frames *frames)
{
    size_t i, most;
    yyjson_val *item;
    bool incomplete = yyjson_equals_str(yyjson_obj_get(frames->root, "status"), "incomplete");

    put_whole(frames, "response.created", false);
    put_whole(frames, "response.in_progress", false);
    yyjson_arr_foreach(yyjson_obj_get(frames->root, "output"), i, most, item) put_item(frames, i, item);
    put_whole(frames, incomplete ? "response.incomplete" : "response.completed", true);
}
