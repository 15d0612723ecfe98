#include "dialect/calls_of.h"

#include <stdlib.h>

struct calls {
    yyjson_mut_doc *doc;
    yyjson_mut_val *list;
};

static yyjson_mut_val *
arguments_of(struct calls *calls, yyjson_val *arguments)
{
    yyjson_doc *read;
    yyjson_mut_val *copy;

    if (!yyjson_is_str(arguments))
        return yyjson_val_mut_copy(calls->doc, arguments);
    read = yyjson_read(yyjson_get_str(arguments), yyjson_get_len(arguments), 0);
    copy = yyjson_val_mut_copy(calls->doc, read != NULL ? yyjson_doc_get_root(read) : arguments);
    yyjson_doc_free(read);
    return copy;
}

static void
add(struct calls *calls, yyjson_val *name, yyjson_val *arguments)
{
    yyjson_mut_val *call;

    if (!yyjson_is_str(name))
        return;
    call = yyjson_mut_arr_add_obj(calls->doc, calls->list);
    yyjson_mut_obj_add_val(calls->doc, call, "name", yyjson_val_mut_copy(calls->doc, name));
    if (arguments != NULL)
        yyjson_mut_obj_add_val(calls->doc, call, "arguments", arguments_of(calls, arguments));
}

static void
add_function(struct calls *calls, yyjson_val *function)
{
    add(calls, yyjson_obj_get(function, "name"), yyjson_obj_get(function, "arguments"));
}

static void
add_message(struct calls *calls, yyjson_val *message)
{
    size_t i, most;
    yyjson_val *call;

    add_function(calls, yyjson_obj_get(message, "function_call"));
    yyjson_arr_foreach(yyjson_obj_get(message, "tool_calls"), i, most, call)
    {
        yyjson_val *function = yyjson_obj_get(call, "function");

        if (function != NULL)
            add_function(calls, function);
        else /* a tool whose input is free text */
            add(calls, yyjson_obj_get(yyjson_obj_get(call, "custom"), "name"),
                yyjson_obj_get(yyjson_obj_get(call, "custom"), "input"));
    }
}

/* Calls of one kind, each by the member that says what is called, and the one that says with what. */
static void
add_items(struct calls *calls, yyjson_val *list, const char *type, const char *name, const char *arguments)
{
    size_t i, most;
    yyjson_val *item;

    yyjson_arr_foreach(list, i, most, item) if (yyjson_equals_str(yyjson_obj_get(item, "type"), type))
        add(calls, yyjson_obj_get(item, name), yyjson_obj_get(item, arguments));
}

static const struct {
    const char *type, *name, *arguments;
} items[] = {
    {"function_call", "name", "arguments"},        {"custom_tool_call", "name", "input"},
    {"local_shell_call", "type", "action"},        {"shell_call", "type", "action"},
    {"computer_call", "type", "action"},           {"apply_patch_call", "type", "operation"},
    {"mcp_approval_request", "name", "arguments"},
};

enum { ITEM_COUNT = sizeof(items) / sizeof(items[0]) };

static void
add_output(struct calls *calls, yyjson_val *output)
{
    for (size_t i = 0; i < ITEM_COUNT; i++)
        add_items(calls, output, items[i].type, items[i].name, items[i].arguments);
}

bool
calls_of_is_item(yyjson_val *item)
{
    for (size_t i = 0; i < ITEM_COUNT; i++)
        if (yyjson_equals_str(yyjson_obj_get(item, "type"), items[i].type))
            return true;
    return false;
}

static void
add_first_choice(struct calls *calls, yyjson_val *choices)
{
    size_t i, most;
    yyjson_val *choice;

    yyjson_arr_foreach(choices, i, most, choice) if (yyjson_get_int(yyjson_obj_get(choice, "index")) == 0)
        add_message(calls, yyjson_obj_get(choice, "message"));
}

void
calls_of(enum api api, yyjson_val *root, struct buffer *out)
{
    struct calls calls = {.doc = yyjson_mut_doc_new(NULL)};
    size_t len;
    char *text;

    calls.list = yyjson_mut_arr(calls.doc);
    yyjson_mut_doc_set_root(calls.doc, calls.list);
    if (api == API_CHAT || api == API_COMPLETIONS)
        add_first_choice(&calls, yyjson_obj_get(root, "choices"));
    else if (api == API_RESPONSES)
        add_output(&calls, yyjson_obj_get(root, "output"));
    else if (api == API_MESSAGES)
        add_items(&calls, yyjson_obj_get(root, "content"), "tool_use", "name", "input");
    text = yyjson_mut_arr_size(calls.list) > 0 ? yyjson_mut_write(calls.doc, 0, &len) : NULL;
    if (text != NULL)
        buffer_add(out, slice_make(text, len));
    free(text);
    yyjson_mut_doc_free(calls.doc);
}
