#include "dialect/whole_of.h"

#include <stdlib.h>
#include <yyjson.h>

#include "base/arena.h"
#include "base/list.h"
#include "dialect/sse.h"

/* A value that grows: a node of the answer's tree. */
enum part_kind {
    PART_PLAIN,  /* `bytes` is JSON */
    PART_TEXT,   /* `bytes` is the inside of a string, not escaped */
    PART_PIECES, /* `bytes` is JSON that comes in pieces (Anthropic's partial_json) */
    PART_OBJECT,
    PART_LIST
};

struct part {
    struct list link; /* in its owner's `parts` */
    struct slice name;
    int64_t index; /* of an entry that names its own; -1: none */
    enum part_kind kind;
    struct buffer bytes;
    struct list parts; /* members, entries */
    size_t count;      /* of those */
};

struct whole_of {
    enum api api;
    struct arena arena; /* parts and names; their bytes are freed apart */
    struct part *root;  /* NULL: nothing came yet */
    struct buffer joined;
    bool finished, broken;
};

static const yyjson_write_flag WRITE_FLAGS = YYJSON_WRITE_ALLOW_INVALID_UNICODE | YYJSON_WRITE_ALLOW_INF_AND_NAN;

/* Members of an object, entries that name their index: no answer comes near, and each is looked for among the others. */
enum { DEPTH_MOST = 64, PARTS_MOST = 512 };

/* The tree */

static struct part *
part_new(struct whole_of *whole, struct slice name, enum part_kind kind)
{
    struct part *part = arena_alloc(&whole->arena, sizeof(*part));

    *part = (struct part){.name = arena_copy(&whole->arena, name), .index = -1, .kind = kind};
    list_init(&part->parts);
    return part;
}

static void
adopt(struct whole_of *whole, struct part *owner, struct list *before, struct part *part)
{
    list_append(before, &part->link);
    whole->broken |= ++owner->count > PARTS_MOST;
}

static void
part_clear(struct part *part)
{
    LIST_EACH(&part->parts, node, after)
    part_clear(CONTAINER_OF(node, struct part, link));
    list_init(&part->parts);
    part->count = 0;
    buffer_free(&part->bytes);
}

static struct part *
member(const struct part *object, struct slice name)
{
    LIST_EACH(&object->parts, node, after)
    {
        struct part *part = CONTAINER_OF(node, struct part, link);

        if (slice_equal(part->name, name))
            return part;
    }
    return NULL;
}

/* The member of that name, made if it is not there. */
static struct part *
member_of(struct whole_of *whole, struct part *object, struct slice name, enum part_kind kind)
{
    struct part *part = member(object, name);

    if (part == NULL) {
        part = part_new(whole, name, kind);
        adopt(whole, object, &object->parts, part);
    }
    if (part->kind != kind) { /* null before, or nothing that can be joined */
        part_clear(part);
        part->kind = kind;
    }
    return part;
}

/* Entries stand in the order of their indices, wherever they came. */
static struct part *
entry_of(struct whole_of *whole, struct part *list, int64_t index)
{
    struct part *entry;

    LIST_EACH(&list->parts, node, after)
    {
        entry = CONTAINER_OF(node, struct part, link);
        if (entry->index == index)
            return entry;
        if (entry->index > index) {
            struct part *before = part_new(whole, SLICE_NONE, PART_OBJECT);

            before->index = index;
            adopt(whole, list, node, before);
            return before;
        }
    }
    entry = part_new(whole, SLICE_NONE, PART_OBJECT);
    entry->index = index;
    adopt(whole, list, &list->parts, entry);
    return entry;
}

static void
set_plain(struct whole_of *whole, struct part *part, yyjson_val *value)
{
    size_t len = 0;
    char *text = yyjson_val_write(value, WRITE_FLAGS, &len);

    part_clear(part);
    part->kind = PART_PLAIN;
    if (text != NULL)
        buffer_add(&part->bytes, slice_make(text, len));
    else
        whole->broken = true;
    free(text);
}

static struct slice
text_of_value(yyjson_val *value)
{
    return slice_make(yyjson_get_str(value), yyjson_get_len(value));
}

/* What names a thing comes whole, and may be repeated. */
static bool
is_name(struct slice member)
{
    static const char *const names[] = {"id", "type", "role", "object", "model", "finish_reason", "stop_reason"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (slice_is(member, names[i]))
            return true;
    return false;
}

static void merge_object(struct whole_of *whole, struct part *into, yyjson_val *from, unsigned depth);

static void
add_entry(struct whole_of *whole, struct part *list, yyjson_val *value)
{
    struct part *entry = part_new(whole, SLICE_NONE, PART_PLAIN);

    list_append(&list->parts, &entry->link);
    set_plain(whole, entry, value);
}

static void
merge_list(struct whole_of *whole, struct part *into, yyjson_val *from, unsigned depth)
{
    size_t i, most;
    yyjson_val *value;

    yyjson_arr_foreach(from, i, most, value)
    {
        yyjson_val *index = yyjson_obj_get(value, "index");

        if (whole->broken)
            return;
        if (yyjson_is_uint(index))
            merge_object(whole, entry_of(whole, into, yyjson_get_sint(index)), value, depth);
        else
            add_entry(whole, into, value);
    }
}

/* A member of a delta joins what was said under that name before. */
static void
merge_member(struct whole_of *whole, struct part *into, struct slice name, yyjson_val *value, unsigned depth)
{
    if (depth == 0) {
        whole->broken = true;
    } else if (yyjson_is_obj(value)) {
        merge_object(whole, member_of(whole, into, name, PART_OBJECT), value, depth - 1);
    } else if (yyjson_is_arr(value)) {
        merge_list(whole, member_of(whole, into, name, PART_LIST), value, depth - 1);
    } else if (yyjson_is_str(value) && !is_name(name)) {
        buffer_add(&member_of(whole, into, name, PART_TEXT)->bytes, text_of_value(value));
    } else if (!yyjson_is_null(value) || member(into, name) == NULL) {
        set_plain(whole, member_of(whole, into, name, PART_PLAIN), value);
    }
}

/* An entry's own `index` only says where it belongs. */
static void
merge_object(struct whole_of *whole, struct part *into, yyjson_val *from, unsigned depth)
{
    size_t i, most;
    yyjson_val *key, *value;

    yyjson_obj_foreach(from, i, most, key,
                       value) if (!whole->broken && (into->index < 0 || !yyjson_equals_str(key, "index")))
        merge_member(whole, into, text_of_value(key), value, depth);
}

/* A member that comes whole replaces what was said under that name before. */
static void
put_member(struct whole_of *whole, struct part *object, struct slice name, yyjson_val *value)
{
    if (!yyjson_is_null(value) || member(object, name) == NULL)
        set_plain(whole, member_of(whole, object, name, PART_PLAIN), value);
}

static void
put_text(struct whole_of *whole, struct part *object, const char *name, const char *text)
{
    struct part *part = member_of(whole, object, slice_of(name), PART_TEXT);

    buffer_clear(&part->bytes);
    buffer_add_text(&part->bytes, text);
}

static struct part *
root_of(struct whole_of *whole)
{
    if (whole->root == NULL)
        whole->root = part_new(whole, SLICE_NONE, PART_OBJECT);
    return whole->root;
}

/* Chat and completions: chunks with choices */

static void
take_choice(struct whole_of *whole, yyjson_val *choice)
{
    struct part *choices = member_of(whole, root_of(whole), SLICE_LITERAL("choices"), PART_LIST), *into;
    yyjson_val *index = yyjson_obj_get(choice, "index"), *key, *value;
    size_t i, most;

    into = entry_of(whole, choices, yyjson_is_uint(index) ? yyjson_get_sint(index) : 0);
    if (index != NULL)
        put_member(whole, into, SLICE_LITERAL("index"), index);
    yyjson_obj_foreach(choice, i, most, key, value)
    {
        if (yyjson_equals_str(key, "delta"))
            merge_object(whole, member_of(whole, into, SLICE_LITERAL("message"), PART_OBJECT), value, DEPTH_MOST);
        else if (yyjson_equals_str(key, "text") || yyjson_equals_str(key, "logprobs"))
            merge_member(whole, into, text_of_value(key), value, DEPTH_MOST);
        else if (!yyjson_equals_str(key, "index"))
            put_member(whole, into, text_of_value(key), value);
    }
}

static void
take_choices(struct whole_of *whole, yyjson_val *choices)
{
    size_t i, most;
    yyjson_val *choice;

    yyjson_arr_foreach(choices, i, most, choice)
    {
        if (!whole->broken)
            take_choice(whole, choice);
    }
}

static void
take_chunk(struct whole_of *whole, yyjson_val *root)
{
    size_t i, most;
    yyjson_val *key, *value;

    yyjson_obj_foreach(root, i, most, key, value)
    {
        if (whole->broken)
            return;
        if (yyjson_equals_str(key, "choices"))
            take_choices(whole, value);
        else if (yyjson_equals_str(key, "object"))
            put_text(whole, root_of(whole), "object", whole->api == API_CHAT ? "chat.completion" : "text_completion");
        else
            put_member(whole, root_of(whole), text_of_value(key), value);
    }
}

/* Messages: content blocks that open, grow and close */

static void
take_block(struct whole_of *whole, yyjson_val *root, bool opens)
{
    struct part *content = member_of(whole, root_of(whole), SLICE_LITERAL("content"), PART_LIST), *block;
    yyjson_val *delta = yyjson_obj_get(root, "delta"), *key, *value;
    size_t i, most;

    block = entry_of(whole, content, yyjson_get_sint(yyjson_obj_get(root, "index")));
    if (opens) {
        merge_object(whole, block, yyjson_obj_get(root, "content_block"), DEPTH_MOST);
        return;
    }
    yyjson_obj_foreach(delta, i, most, key, value)
    {
        if (yyjson_equals_str(key, "partial_json"))
            buffer_add(&member_of(whole, block, SLICE_LITERAL("input"), PART_PIECES)->bytes, text_of_value(value));
        else if (yyjson_equals_str(key, "citation"))
            add_entry(whole, member_of(whole, block, SLICE_LITERAL("citations"), PART_LIST), value);
        else if (!yyjson_equals_str(key, "type"))
            merge_member(whole, block, text_of_value(key), value, DEPTH_MOST);
    }
}

static void
take_end(struct whole_of *whole, yyjson_val *root)
{
    struct part *usage = member_of(whole, root_of(whole), SLICE_LITERAL("usage"), PART_OBJECT);
    yyjson_val *key, *value;
    size_t i, most;

    yyjson_obj_foreach(yyjson_obj_get(root, "delta"), i, most, key, value)
        put_member(whole, root_of(whole), text_of_value(key), value);
    yyjson_obj_foreach(yyjson_obj_get(root, "usage"), i, most, key, value)
        put_member(whole, usage, text_of_value(key), value);
}

static void
take_message_event(struct whole_of *whole, yyjson_val *root)
{
    yyjson_val *type = yyjson_obj_get(root, "type");

    if (yyjson_equals_str(type, "message_start"))
        merge_object(whole, root_of(whole), yyjson_obj_get(root, "message"), DEPTH_MOST);
    else if (yyjson_equals_str(type, "content_block_start"))
        take_block(whole, root, true);
    else if (yyjson_equals_str(type, "content_block_delta"))
        take_block(whole, root, false);
    else if (yyjson_equals_str(type, "message_delta"))
        take_end(whole, root);
    else if (yyjson_equals_str(type, "message_stop"))
        whole->finished = true;
    else if (yyjson_equals_str(type, "error"))
        whole->broken = true;
}

/* Responses: the last event repeats the whole */

static void
take_response_event(struct whole_of *whole, yyjson_val *root)
{
    yyjson_val *type = yyjson_obj_get(root, "type"), *response = yyjson_obj_get(root, "response");

    if (yyjson_equals_str(type, "error") || yyjson_equals_str(type, "response.failed"))
        whole->broken = true;
    if (!yyjson_equals_str(type, "response.completed") && !yyjson_equals_str(type, "response.incomplete"))
        return;
    if (yyjson_is_obj(response))
        set_plain(whole, root_of(whole), response);
    whole->finished = true;
}

/* From outside */

struct whole_of *
whole_of_new(enum api api)
{
    struct whole_of *whole = must_calloc(1, sizeof(*whole));

    ENSURE(api != API_EMBEDDINGS && api != API_PASSTHROUGH);
    whole->api = api;
    arena_init(&whole->arena);
    return whole;
}

void
whole_of_free(struct whole_of *whole)
{
    if (whole == NULL)
        return;
    if (whole->root != NULL)
        part_clear(whole->root);
    buffer_free(&whole->joined);
    arena_reset(&whole->arena);
    free(whole);
}

void
whole_of_frame(struct whole_of *whole, struct slice frame)
{
    struct slice event, data;
    yyjson_doc *doc;
    yyjson_val *root;

    if (whole->broken || !sse_parse(frame, &whole->joined, &event, &data))
        return;
    if (slice_is(data, "[DONE]")) {
        whole->finished = true;
        return;
    }
    doc = yyjson_read(data.data, data.len, YYJSON_READ_BIGNUM_AS_RAW | YYJSON_READ_ALLOW_INF_AND_NAN);
    root = yyjson_doc_get_root(doc);
    if (!yyjson_is_obj(root) || (whole->api != API_MESSAGES && yyjson_obj_get(root, "error") != NULL &&
                                 yyjson_is_obj(yyjson_obj_get(root, "error"))))
        whole->broken = true;
    else if (whole->api == API_MESSAGES)
        take_message_event(whole, root);
    else if (whole->api == API_RESPONSES)
        take_response_event(whole, root);
    else
        take_chunk(whole, root);
    yyjson_doc_free(doc);
}

/* Writing */

static void write_part(const struct part *part, struct buffer *out);

static void
write_parts(const struct part *part, struct buffer *out)
{
    bool object = part->kind == PART_OBJECT, first = true;

    buffer_add_byte(out, object ? '{' : '[');
    LIST_EACH(&part->parts, node, after)
    {
        const struct part *one = CONTAINER_OF(node, struct part, link);

        if (!first)
            buffer_add_byte(out, ',');
        first = false;
        if (object) {
            buffer_add_byte(out, '"');
            buffer_add_json(out, one->name);
            buffer_add_text(out, "\":");
        }
        write_part(one, out);
    }
    buffer_add_byte(out, object ? '}' : ']');
}

static void
write_part(const struct part *part, struct buffer *out)
{
    if (part->kind == PART_OBJECT || part->kind == PART_LIST) {
        write_parts(part, out);
    } else if (part->kind == PART_TEXT) {
        buffer_add_byte(out, '"');
        buffer_add_json(out, buffer_content(&part->bytes));
        buffer_add_byte(out, '"');
    } else if (part->kind == PART_PIECES && buffer_len(&part->bytes) == 0) {
        buffer_add_text(out, "{}"); /* a tool without arguments */
    } else {
        buffer_add(out, buffer_content(&part->bytes));
    }
}

/* Pieces of JSON that came one by one need not add up to any. */
void
whole_of_complete(struct whole_of *whole)
{
    whole->finished |= whole->api == API_CHAT || whole->api == API_COMPLETIONS;
}

enum status
whole_of_end(struct whole_of *whole, struct buffer *out)
{
    size_t before = out->end;
    yyjson_doc *doc;

    if (whole->broken || !whole->finished || whole->root == NULL)
        return ERR_INVALID;
    write_part(whole->root, out);
    doc = yyjson_read(out->data + before, out->end - before, YYJSON_READ_ALLOW_INF_AND_NAN);
    if (doc == NULL)
        out->end = before;
    yyjson_doc_free(doc);
    return out->end > before ? OK : ERR_INVALID;
}
