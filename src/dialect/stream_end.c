#include "dialect/stream_end.h"

#include <stdlib.h>

void
stream_so_far_free(struct stream_so_far *so_far)
{
    buffer_free(&so_far->first);
    buffer_free(&so_far->items);
    buffer_free(&so_far->item);
    buffer_free(&so_far->text);
}

/* Gathering */

static void
add_json(struct buffer *out, yyjson_val *value)
{
    size_t len = 0;
    char *text = yyjson_val_write(value, YYJSON_WRITE_ALLOW_INVALID_UNICODE | YYJSON_WRITE_ALLOW_INF_AND_NAN, &len);

    if (text != NULL)
        buffer_add(out, slice_make(text, len));
    free(text);
}

static bool
is_type(yyjson_val *root, const char *type)
{
    return yyjson_equals_str(yyjson_obj_get(root, "type"), type);
}

static int64_t
number(yyjson_val *root, const char *name)
{
    int64_t value = yyjson_get_sint(yyjson_obj_get(root, name));

    return value > 0 ? value : 0;
}

/* No provider makes so many answers in one. */
enum { CHOICES_MOST = 1024 };

static void
take_choices(struct stream_so_far *so_far, yyjson_val *root)
{
    size_t i, most;
    yyjson_val *choice;

    if (buffer_len(&so_far->first) == 0)
        add_json(&so_far->first, root);
    yyjson_arr_foreach(yyjson_obj_get(root, "choices"), i, most, choice)
    {
        int64_t index = number(choice, "index");

        if (index >= CHOICES_MOST)
            continue;
        if (index >= so_far->choices)
            so_far->choices = index + 1;
        if (yyjson_is_str(yyjson_obj_get(choice, "finish_reason")) && index < 64)
            so_far->ended |= (uint64_t)1 << index;
    }
}

static void
take_block(struct stream_so_far *so_far, yyjson_val *root)
{
    if (is_type(root, "content_block_start")) {
        so_far->block = number(root, "index");
        so_far->block_open = true;
    } else if (is_type(root, "content_block_stop")) {
        so_far->block_open = false;
    }
}

/* What a tool is called with comes in pieces, outside of any part. */
struct item_text {
    const char *delta, *done, *member; /* events, and where the item has it */
};

static const struct item_text item_texts[] = {
    {"response.function_call_arguments.delta", "response.function_call_arguments.done", "arguments"},
    {"response.mcp_call_arguments.delta", "response.mcp_call_arguments.done", "arguments"},
    {"response.custom_tool_call_input.delta", "response.custom_tool_call_input.done", "input"},
};

static void
take_written(struct stream_so_far *so_far, yyjson_val *root)
{
    yyjson_val *delta = yyjson_obj_get(root, "delta");

    for (size_t i = 0; i < sizeof(item_texts) / sizeof(item_texts[0]); i++) {
        if (is_type(root, item_texts[i].done))
            so_far->written_told = true;
        if (!is_type(root, item_texts[i].delta) || !yyjson_is_str(delta))
            continue;
        so_far->written = &item_texts[i];
        buffer_add(&so_far->text, slice_make(yyjson_get_str(delta), yyjson_get_len(delta)));
    }
}

static void
begin_item(struct stream_so_far *so_far, yyjson_val *root)
{
    buffer_clear(&so_far->item);
    add_json(&so_far->item, yyjson_obj_get(root, "item"));
    so_far->item_index = number(root, "output_index");
    so_far->part_open = false;
    so_far->written = NULL;
    so_far->written_told = false;
    buffer_clear(&so_far->text);
}

static void
end_item(struct stream_so_far *so_far, yyjson_val *root)
{
    if (buffer_len(&so_far->items) > 0)
        buffer_add_byte(&so_far->items, ',');
    add_json(&so_far->items, yyjson_obj_get(root, "item"));
    buffer_clear(&so_far->item);
    so_far->part_open = false;
    so_far->written = NULL;
}

/* What clients read exactly (RFC 8259, section 6). Beyond is no number of an event; behind each that is, there is one. */
static const int64_t SEQUENCE_MOST = INT64_C(1) << 53;

static void
take_item(struct stream_so_far *so_far, yyjson_val *root)
{
    yyjson_val *delta = yyjson_obj_get(root, "delta");
    int64_t sequence = number(root, "sequence_number");

    if (sequence > so_far->sequence && sequence <= SEQUENCE_MOST)
        so_far->sequence = sequence;
    if (is_type(root, "response.created")) {
        buffer_clear(&so_far->first);
        add_json(&so_far->first, yyjson_obj_get(root, "response"));
    } else if (is_type(root, "response.output_item.added")) {
        begin_item(so_far, root);
    } else if (is_type(root, "response.output_item.done")) {
        end_item(so_far, root);
    } else if (is_type(root, "response.content_part.added")) {
        so_far->part_index = number(root, "content_index");
        so_far->part_open = is_type(yyjson_obj_get(root, "part"), "output_text");
        buffer_clear(&so_far->text);
    } else if (is_type(root, "response.output_text.delta") && yyjson_is_str(delta)) {
        buffer_add(&so_far->text, slice_make(yyjson_get_str(delta), yyjson_get_len(delta)));
    } else {
        take_written(so_far, root);
    }
}

void
stream_so_far_event(struct stream_so_far *so_far, enum api api, yyjson_val *root)
{
    if (!yyjson_is_obj(root))
        return;
    if (api == API_MESSAGES)
        take_block(so_far, root);
    else if (api == API_RESPONSES)
        take_item(so_far, root);
    else if (api == API_CHAT || api == API_COMPLETIONS)
        take_choices(so_far, root);
}

bool
stream_so_far_over(const struct stream_so_far *so_far, int64_t choices)
{
    ENSURE(choices >= 1);
    return choices <= 64 && so_far->ended == ~(uint64_t)0 >> (64 - choices);
}

/* Ending: chat and completions */

static void
put_event(struct buffer *out, const char *name, yyjson_mut_doc *doc)
{
    size_t len = 0;
    char *text = yyjson_mut_write(doc, YYJSON_WRITE_ALLOW_INVALID_UNICODE | YYJSON_WRITE_ALLOW_INF_AND_NAN, &len);

    if (text != NULL) {
        if (name != NULL)
            buffer_printf(out, "event: %s\n", name);
        buffer_add_text(out, "data: ");
        buffer_add(out, slice_make(text, len));
        buffer_add_text(out, "\n\n");
    }
    free(text);
}

/* The object that was gathered, to be changed; an empty one if there is none. */
static yyjson_mut_doc *
copy_of(const struct buffer *json)
{
    struct slice text = buffer_content(json);
    yyjson_doc *read = yyjson_read(text.data != NULL ? text.data : "", text.len,
                                   YYJSON_READ_ALLOW_INVALID_UNICODE | YYJSON_READ_ALLOW_INF_AND_NAN);
    yyjson_mut_doc *doc = read != NULL ? yyjson_doc_mut_copy(read, NULL) : yyjson_mut_doc_new(NULL);

    ENSURE(doc != NULL);
    if (!yyjson_mut_is_obj(yyjson_mut_doc_get_root(doc)))
        yyjson_mut_doc_set_root(doc, yyjson_mut_obj(doc));
    yyjson_doc_free(read);
    return doc;
}

static void
set(yyjson_mut_doc *doc, yyjson_mut_val *object, const char *name, yyjson_mut_val *value)
{
    yyjson_mut_obj_put(object, yyjson_mut_str(doc, name), value);
}

static yyjson_mut_val *
choice_ended(yyjson_mut_doc *doc, enum api api, int64_t index)
{
    yyjson_mut_val *choice = yyjson_mut_obj(doc);

    yyjson_mut_obj_add_sint(doc, choice, "index", index);
    if (api == API_CHAT)
        set(doc, choice, "delta", yyjson_mut_obj(doc));
    else
        set(doc, choice, "text", yyjson_mut_str(doc, ""));
    set(doc, choice, "logprobs", yyjson_mut_null(doc));
    set(doc, choice, "finish_reason", yyjson_mut_str(doc, "length"));
    return choice;
}

static void
end_choices(const struct stream_so_far *so_far, enum api api, const struct usage *usage, bool tell_usage,
            struct buffer *out)
{
    yyjson_mut_doc *doc = copy_of(&so_far->first);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc), *told;

    for (int64_t i = 0; i < so_far->choices || i == 0; i++) {
        if (i < 64 && (so_far->ended >> i & 1) != 0)
            continue;
        set(doc, root, "choices", yyjson_mut_arr(doc));
        yyjson_mut_arr_append(yyjson_mut_obj_get(root, "choices"), choice_ended(doc, api, i));
        put_event(out, NULL, doc);
    }
    if (tell_usage) {
        set(doc, root, "choices", yyjson_mut_arr(doc));
        told = yyjson_mut_obj(doc);
        yyjson_mut_obj_add_sint(doc, told, "prompt_tokens", usage->input_tokens);
        yyjson_mut_obj_add_sint(doc, told, "completion_tokens", usage->output_tokens);
        yyjson_mut_obj_add_sint(doc, told, "total_tokens", usage->input_tokens + usage->output_tokens);
        set(doc, root, "usage", told);
        put_event(out, NULL, doc);
    }
    buffer_add_text(out, "data: [DONE]\n\n");
    yyjson_mut_doc_free(doc);
}

/* Messages */

static void
end_message(const struct stream_so_far *so_far, const struct usage *usage, struct buffer *out)
{
    if (so_far->block_open)
        buffer_printf(out, "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":%lld}\n\n",
                      (long long)so_far->block);
    buffer_printf(out,
                  "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"max_tokens\","
                  "\"stop_sequence\":null},\"usage\":{\"output_tokens\":%lld}}\n\n"
                  "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
                  (long long)usage->output_tokens);
}

/* Responses */

/* An event in the making: its type, its number, and where in the output it stands (item_index -1: nowhere). */
static yyjson_mut_doc *
response_event(const char *type, int64_t *sequence)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root;

    ENSURE(doc != NULL);
    root = yyjson_mut_obj(doc);
    yyjson_mut_doc_set_root(doc, root);
    yyjson_mut_obj_add_str(doc, root, "type", type);
    yyjson_mut_obj_add_sint(doc, root, "sequence_number", ++*sequence);
    return doc;
}

static void
send(struct buffer *out, const char *type, yyjson_mut_doc *doc)
{
    put_event(out, type, doc);
    yyjson_mut_doc_free(doc);
}

static yyjson_mut_val *
text_part(yyjson_mut_doc *doc, struct slice text)
{
    yyjson_mut_val *part = yyjson_mut_obj(doc);

    yyjson_mut_obj_add_str(doc, part, "type", "output_text");
    set(doc, part, "annotations", yyjson_mut_arr(doc));
    set(doc, part, "text", yyjson_mut_strncpy(doc, text.data != NULL ? text.data : "", text.len));
    return part;
}

static yyjson_mut_val *
text_so_far(const struct stream_so_far *so_far, yyjson_mut_doc *doc)
{
    struct slice text = buffer_content(&so_far->text);

    return yyjson_mut_strncpy(doc, text.data != NULL ? text.data : "", text.len);
}

/* The open item with the text that it has, as a value of `doc`. */
static yyjson_mut_val *
open_item(const struct stream_so_far *so_far, yyjson_mut_doc *doc)
{
    yyjson_mut_doc *copy = copy_of(&so_far->item);
    yyjson_mut_val *item = yyjson_mut_val_mut_copy(doc, yyjson_mut_doc_get_root(copy)), *content;

    if (so_far->part_open) {
        content = yyjson_mut_arr(doc);
        yyjson_mut_arr_append(content, text_part(doc, buffer_content(&so_far->text)));
        set(doc, item, "content", content);
    } else if (so_far->written != NULL) {
        set(doc, item, so_far->written->member, text_so_far(so_far, doc));
    }
    set(doc, item, "status", yyjson_mut_str(doc, "incomplete"));
    yyjson_mut_doc_free(copy);
    return item;
}

static void
put_place(const struct stream_so_far *so_far, yyjson_mut_doc *doc)
{
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    yyjson_mut_doc *item = copy_of(&so_far->item);
    const char *id = yyjson_mut_get_str(yyjson_mut_obj_get(yyjson_mut_doc_get_root(item), "id"));

    set(doc, root, "item_id", yyjson_mut_strcpy(doc, id != NULL ? id : ""));
    yyjson_mut_obj_add_sint(doc, root, "output_index", so_far->item_index);
    if (so_far->part_open)
        yyjson_mut_obj_add_sint(doc, root, "content_index", so_far->part_index);
    yyjson_mut_doc_free(item);
}

static void
close_part(const struct stream_so_far *so_far, int64_t *sequence, struct buffer *out)
{
    struct slice text = buffer_content(&so_far->text);
    yyjson_mut_doc *doc = response_event("response.output_text.done", sequence);

    put_place(so_far, doc);
    set(doc, yyjson_mut_doc_get_root(doc), "text", text_so_far(so_far, doc));
    set(doc, yyjson_mut_doc_get_root(doc), "logprobs", yyjson_mut_arr(doc));
    send(out, "response.output_text.done", doc);
    doc = response_event("response.content_part.done", sequence);
    put_place(so_far, doc);
    set(doc, yyjson_mut_doc_get_root(doc), "part", text_part(doc, text));
    send(out, "response.content_part.done", doc);
}

static void
close_written(const struct stream_so_far *so_far, int64_t *sequence, struct buffer *out)
{
    yyjson_mut_doc *doc = response_event(so_far->written->done, sequence);

    put_place(so_far, doc);
    set(doc, yyjson_mut_doc_get_root(doc), so_far->written->member, text_so_far(so_far, doc));
    send(out, so_far->written->done, doc);
}

static void
close_item(const struct stream_so_far *so_far, int64_t *sequence, struct buffer *out)
{
    yyjson_mut_doc *doc;

    if (so_far->part_open)
        close_part(so_far, sequence, out);
    else if (so_far->written != NULL && !so_far->written_told)
        close_written(so_far, sequence, out);
    doc = response_event("response.output_item.done", sequence);
    yyjson_mut_obj_add_sint(doc, yyjson_mut_doc_get_root(doc), "output_index", so_far->item_index);
    set(doc, yyjson_mut_doc_get_root(doc), "item", open_item(so_far, doc));
    send(out, "response.output_item.done", doc);
}

/* All that was said, the open item at its end. */
static yyjson_mut_val *
output_of(const struct stream_so_far *so_far, yyjson_mut_doc *doc)
{
    struct buffer list = {0};
    yyjson_doc *read;
    yyjson_mut_val *output;

    buffer_add_byte(&list, '[');
    buffer_add(&list, buffer_content(&so_far->items));
    buffer_add_byte(&list, ']');
    read = yyjson_read(list.data, buffer_len(&list), YYJSON_READ_ALLOW_INVALID_UNICODE | YYJSON_READ_ALLOW_INF_AND_NAN);
    output = read != NULL ? yyjson_val_mut_copy(doc, yyjson_doc_get_root(read)) : yyjson_mut_arr(doc);
    if (buffer_len(&so_far->item) > 0)
        yyjson_mut_arr_append(output, open_item(so_far, doc));
    yyjson_doc_free(read);
    buffer_free(&list);
    return output;
}

static yyjson_mut_val *
response_usage(yyjson_mut_doc *doc, const struct usage *usage)
{
    yyjson_mut_val *told = yyjson_mut_obj(doc), *input = yyjson_mut_obj(doc), *output = yyjson_mut_obj(doc);

    yyjson_mut_obj_add_sint(doc, input, "cached_tokens", usage->cache_read_tokens);
    yyjson_mut_obj_add_sint(doc, output, "reasoning_tokens", usage->output_reasoning_tokens);
    yyjson_mut_obj_add_sint(doc, told, "input_tokens", usage->input_tokens);
    set(doc, told, "input_tokens_details", input);
    yyjson_mut_obj_add_sint(doc, told, "output_tokens", usage->output_tokens);
    set(doc, told, "output_tokens_details", output);
    yyjson_mut_obj_add_sint(doc, told, "total_tokens", usage->input_tokens + usage->output_tokens);
    return told;
}

static void
end_response(const struct stream_so_far *so_far, const struct usage *usage, struct buffer *out)
{
    int64_t sequence = so_far->sequence;
    yyjson_mut_doc *doc, *first = copy_of(&so_far->first);
    yyjson_mut_val *response, *details;

    if (buffer_len(&so_far->item) > 0)
        close_item(so_far, &sequence, out);
    doc = response_event("response.incomplete", &sequence);
    response = yyjson_mut_val_mut_copy(doc, yyjson_mut_doc_get_root(first));
    details = yyjson_mut_obj(doc);
    yyjson_mut_obj_add_str(doc, details, "reason", "max_output_tokens");
    set(doc, response, "status", yyjson_mut_str(doc, "incomplete"));
    set(doc, response, "incomplete_details", details);
    set(doc, response, "output", output_of(so_far, doc));
    set(doc, response, "usage", response_usage(doc, usage));
    set(doc, yyjson_mut_doc_get_root(doc), "response", response);
    send(out, "response.incomplete", doc);
    yyjson_mut_doc_free(first);
}

void
stream_end(const struct stream_so_far *so_far, enum api api, const struct usage *usage, bool tell_usage,
           struct buffer *out)
{
    if (api == API_MESSAGES)
        end_message(so_far, usage, out);
    else if (api == API_RESPONSES)
        end_response(so_far, usage, out);
    else
        end_choices(so_far, api, usage, tell_usage, out);
}
