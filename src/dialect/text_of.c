#include "dialect/text_of.h"

#include "dialect/calls_of.h"

static void
add(struct text_of *out, yyjson_val *text)
{
    struct slice bytes = slice_make(yyjson_get_str(text), yyjson_get_len(text));

    if (!yyjson_is_str(text) || bytes.len == 0)
        return;
    if (bytes.len > out->most - buffer_len(&out->text))
        out->cut = true;
    if (!out->cut)
        buffer_add(&out->text, bytes);
}

static bool
is_type(yyjson_val *value, const char *type)
{
    return yyjson_equals_str(yyjson_obj_get(value, "type"), type);
}

/* A content that is a text, or a list of parts of which some are. */
static void
add_content(struct text_of *out, yyjson_val *content, const char *part_type)
{
    size_t i, most;
    yyjson_val *part;

    add(out, content);
    yyjson_arr_foreach(content, i, most, part) if (is_type(part, part_type)) add(out, yyjson_obj_get(part, "text"));
}

/* choices[] with `delta`, `message` or `text` */
static void
add_choices(struct text_of *out, yyjson_val *choices)
{
    size_t i, most;
    yyjson_val *choice;

    yyjson_arr_foreach(choices, i, most, choice)
    {
        yyjson_val *message = yyjson_obj_get(choice, "delta");

        if (yyjson_get_int(yyjson_obj_get(choice, "index")) != 0)
            continue;
        if (message == NULL)
            message = yyjson_obj_get(choice, "message");
        add(out, yyjson_obj_get(choice, "text"));
        add_content(out, yyjson_obj_get(message, "content"), "text");
        out->called |= yyjson_arr_size(yyjson_obj_get(message, "tool_calls")) > 0 ||
                       yyjson_is_obj(yyjson_obj_get(message, "function_call"));
    }
}

static void
add_responses(struct text_of *out, yyjson_val *root)
{
    size_t i, most;
    yyjson_val *item;

    if (is_type(root, "response.output_text.delta"))
        add(out, yyjson_obj_get(root, "delta"));
    out->called |= is_type(root, "response.output_item.added") && calls_of_is_item(yyjson_obj_get(root, "item"));
    yyjson_arr_foreach(yyjson_obj_get(root, "output"), i, most, item)
    {
        out->called |= calls_of_is_item(item);
        if (is_type(item, "message"))
            add_content(out, yyjson_obj_get(item, "content"), "output_text");
    }
}

static void
add_block(struct text_of *out, yyjson_val *block)
{
    out->called |= is_type(block, "tool_use");
    if (is_type(block, "text"))
        add(out, yyjson_obj_get(block, "text"));
}

static void
add_messages(struct text_of *out, yyjson_val *root)
{
    yyjson_val *delta = yyjson_obj_get(root, "delta"), *block;
    size_t i, most;

    if (is_type(root, "content_block_delta") && is_type(delta, "text_delta"))
        add(out, yyjson_obj_get(delta, "text"));
    if (is_type(root, "content_block_start"))
        add_block(out, yyjson_obj_get(root, "content_block"));
    if (is_type(root, "message"))
        yyjson_arr_foreach(yyjson_obj_get(root, "content"), i, most, block) add_block(out, block);
}

void
text_of_event(struct text_of *out, enum api api, yyjson_val *root)
{
    if (api == API_CHAT || api == API_COMPLETIONS)
        add_choices(out, yyjson_obj_get(root, "choices"));
    else if (api == API_RESPONSES)
        add_responses(out, root);
    else if (api == API_MESSAGES)
        add_messages(out, root);
}
