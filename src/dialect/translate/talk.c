/* What reading and writing have in common, whatever the API. */
#include "dialect/translate/talk.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *chat, *responses, *messages;
    bool needed;
} values[TALK_VALUE_COUNT] = {
#define TALK_VALUE(id, chat, responses, messages, needed) {chat, responses, messages, needed},
#include "dialect/translate/talk_values.def"
#undef TALK_VALUE
};

const char *
talk_value_name(enum talk_value value, enum api api)
{
    return api == API_CHAT        ? values[value].chat
           : api == API_RESPONSES ? values[value].responses
           : api == API_MESSAGES  ? values[value].messages
                                  : NULL;
}

bool
talk_value_may_go(enum talk_value value)
{
    return !values[value].needed;
}

void
talk_refuse(struct talk *talk, const char *format, ...)
{
    char words[256];
    va_list args;

    if (talk->why != NULL)
        return;
    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    talk->why = arena_strdup(talk->arena, words);
}

static struct slice
slice_of_value(yyjson_val *value)
{
    return slice_make(yyjson_get_str(value), yyjson_get_len(value));
}

/* A name as it may be repeated to a person: the client's own words are no good in a ledger. */
static const char *
printable(struct slice name)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

    for (size_t i = 0; i < name.len; i++)
        if (name.data[i] == '\0' || strchr(plain, name.data[i]) == NULL)
            return NULL;
    return name.len > 0 && name.len <= 64 ? name.data : NULL;
}

static void
refuse_member(struct talk *talk, const char *where, struct slice name)
{
    const char *known = printable(name);

    if (known != NULL)
        talk_refuse(talk, "'%s' of %s cannot be translated", known, where);
    else
        talk_refuse(talk, "a member of %s cannot be translated", where);
}

/* Reading */

/* Which of the table it is; the table's end: none of them. */
static const struct talk_member *
find_member(const struct talk_member *members, yyjson_val *key)
{
    while (members->name != NULL && !yyjson_equals_str(key, members->name))
        members++;
    return members;
}

void
talk_walk(struct talk *talk, const char *where, yyjson_val *object, const struct talk_member *members, void *into)
{
    size_t i, most;
    uint64_t seen = 0;
    yyjson_val *key, *value;

    if (!yyjson_is_obj(object)) {
        talk_refuse(talk, "%s is no object", where);
        return;
    }
    yyjson_obj_foreach(object, i, most, key, value)
    {
        const struct talk_member *member = find_member(members, key);
        uint64_t bit = (uint64_t)1 << (member - members);

        if (member->name != NULL && (seen & bit) != 0)
            talk_refuse(talk, "'%s' of %s is there twice", member->name, where);
        seen |= bit;
        if (yyjson_is_null(value))
            continue;
        if (member->name == NULL)
            refuse_member(talk, where, slice_of_value(key));
        else if (member->take != NULL)
            member->take(talk, into, value);
        if (talk->why != NULL)
            return;
    }
}

static bool
takes_value(struct talk *talk, yyjson_val *key, yyjson_val *value)
{
    for (unsigned id = 0; id < TALK_VALUE_COUNT; id++) {
        const char *name = talk_value_name((enum talk_value)id, talk->from);

        if (name != NULL && yyjson_equals_str(key, name)) {
            talk_take_value(talk, (enum talk_value)id, value);
            return true;
        }
    }
    return false;
}

void
talk_walk_body(struct talk *talk, yyjson_val *root, const struct talk_member *members)
{
    size_t i, most;
    yyjson_val *key, *value;

    yyjson_obj_foreach(root, i, most, key, value)
    {
        const struct talk_member *member = find_member(members, key);

        if (yyjson_is_null(value) || takes_value(talk, key, value))
            continue;
        if (member->name == NULL)
            refuse_member(talk, "the body", slice_of_value(key));
        else if (member->take != NULL)
            member->take(talk, NULL, value);
        if (talk->why != NULL)
            return;
    }
}

/* Numbers are kept as they are written. */
bool
talk_is_number(yyjson_val *value, double number)
{
    char *end;
    double is;

    if (!yyjson_is_raw(value))
        return false;
    is = strtod(yyjson_get_raw(value), &end);
    return *end == '\0' && is == number;
}

/* What is as if it were not there, for every API: no penalty, no bias, no probabilities wanted. */
static bool
says_nothing(enum talk_value id, yyjson_val *value)
{
    switch (id) {
    case TALK_FREQUENCY_PENALTY:
    case TALK_PRESENCE_PENALTY:
        return talk_is_number(value, 0.0);
    case TALK_LOGIT_BIAS:
        return yyjson_is_obj(value) && yyjson_obj_size(value) == 0;
    case TALK_LOGPROBS:
        return yyjson_is_false(value);
    default:
        return false;
    }
}

void
talk_take_value(struct talk *talk, enum talk_value id, yyjson_val *value)
{
    if (!says_nothing(id, value))
        talk->values[id] = value;
}

struct slice
talk_text(struct talk *talk, const char *name, yyjson_val *value)
{
    if (yyjson_is_str(value))
        return slice_of_value(value);
    talk_refuse(talk, "'%s' is no text", name);
    return SLICE_LITERAL("");
}

bool
talk_is_true(struct talk *talk, const char *name, yyjson_val *value)
{
    if (!yyjson_is_bool(value))
        talk_refuse(talk, "'%s' is neither true nor false", name);
    return yyjson_is_true(value);
}

yyjson_val *
talk_list(struct talk *talk, const char *name, yyjson_val *value)
{
    if (yyjson_is_arr(value))
        return value;
    talk_refuse(talk, "'%s' is no list", name);
    return NULL;
}

void
talk_take_cap(struct talk *talk, void *into, yyjson_val *value)
{
    const char *text = yyjson_is_raw(value) ? yyjson_get_raw(value) : "";
    char *end = NULL;
    long long cap = strtoll(text, &end, 10);

    (void)into;
    if (*text == '\0' || *end != '\0' || cap < 1 || cap > INT32_MAX)
        talk_refuse(talk, "the cap on the answer's tokens is no number of them");
    else if (talk->cap >= 0 && talk->cap != cap)
        talk_refuse(talk, "there are two different caps on the answer's tokens");
    talk->cap = cap;
}

struct slice
talk_json(struct talk *talk, yyjson_val *value)
{
    size_t len = 0;
    char *text = yyjson_val_write(value, 0, &len);
    struct slice copy = SLICE_NONE;

    if (text != NULL)
        copy = arena_copy(talk->arena, slice_make(text, len));
    else
        talk_refuse(talk, "a value cannot be written");
    free(text);
    return copy;
}

/* A call's arguments come as a text that should be a JSON object; empty: there are none. */
struct slice
talk_arguments(struct talk *talk, struct slice text)
{
    yyjson_doc *doc;
    struct slice arguments = SLICE_LITERAL("{}");

    if (slice_trim(text).len == 0)
        return arguments;
    doc = yyjson_read(text.data, text.len, YYJSON_READ_NUMBER_AS_RAW);
    if (yyjson_is_obj(yyjson_doc_get_root(doc)))
        arguments = talk_json(talk, yyjson_doc_get_root(doc));
    else
        talk_refuse(talk, "the arguments of a tool's call are no JSON object");
    yyjson_doc_free(doc);
    return arguments;
}

/* Building */

struct talk_turn *
talk_add_turn(struct talk *talk, enum talk_role role)
{
    struct talk_turn *turn = talk->last_turn;

    if (role == TALK_ASSISTANT && turn != NULL && turn->role == role && turn->calls)
        return turn;
    turn = arena_alloc(talk->arena, sizeof(*turn));
    turn->role = role;
    if (talk->last_turn != NULL)
        talk->last_turn->next = turn;
    else
        talk->turns = turn;
    talk->last_turn = turn;
    talk->last_part = NULL;
    return turn;
}

static struct talk_part *
part_new(struct talk *talk, enum talk_kind kind)
{
    struct talk_part *part = arena_alloc(talk->arena, sizeof(*part));

    part->kind = kind;
    return part;
}

struct talk_part *
talk_add_part(struct talk *talk, enum talk_kind kind)
{
    struct talk_part *part = part_new(talk, kind);

    if (talk->last_part != NULL)
        talk->last_part->next = part;
    else
        talk->last_turn->parts = part;
    talk->last_part = part;
    talk->last_turn->calls |= kind == TALK_CALL;
    return part;
}

struct talk_part *
talk_add_inside(struct talk *talk, struct talk_part *result, enum talk_kind kind)
{
    struct talk_part *part = part_new(talk, kind);

    if (result->last_inside != NULL)
        result->last_inside->next = part;
    else
        result->inside = part;
    result->last_inside = part;
    return part;
}

void
talk_add_text(struct talk *talk, struct slice text)
{
    talk_add_part(talk, TALK_TEXT)->text = text;
}

struct talk_tool *
talk_add_tool(struct talk *talk)
{
    struct talk_tool *tool = arena_alloc(talk->arena, sizeof(*tool));

    if (talk->last_tool != NULL)
        talk->last_tool->next = tool;
    else
        talk->tools = tool;
    talk->last_tool = tool;
    return tool;
}

void
talk_add_stop(struct talk *talk, yyjson_val *text)
{
    struct slice stop = talk_text(talk, "stop", text);

    if (talk->stop_count == TALK_STOPS_MOST)
        talk_refuse(talk, "there are more than %d stop sequences", (int)TALK_STOPS_MOST);
    else
        talk->stops[talk->stop_count++] = stop;
}

/* type/subtype (RFC 6838, 4.2): with other characters it would end a data URL's head early. */
static bool
is_media_type(struct slice text)
{
    size_t slash = slice_find_byte(text, '/');

    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.data[i];

        if (i != slash && (byte == '\0' || (!isalnum(byte) && strchr("!#$&-^_.+", byte) == NULL)))
            return false;
    }
    return slash > 0 && slash + 1 < text.len;
}

void
talk_set_media_type(struct talk *talk, struct talk_part *image, struct slice type)
{
    image->media_type = type;
    if (slice_find_byte(type, ';') < type.len)
        talk_refuse(talk, "an image's media type has parameters");
    else if (type.len > 0 && !is_media_type(type))
        talk_refuse(talk, "an image's media type is none (RFC 6838)");
}

void
talk_needs_image(struct talk *talk, const struct talk_part *image)
{
    if (image->text.len == 0)
        talk_refuse(talk, "an image has neither data nor a URL");
}

/* data:image/png;base64,... (RFC 2397), or where the image lies. */
void
talk_add_image_url(struct talk *talk, struct talk_part *image, struct slice url)
{
    size_t comma = slice_find_byte(url, ',');
    struct slice head;

    image->text = url;
    if (!slice_starts(url, "data:")) {
        if (!slice_starts(url, "https://") && !slice_starts(url, "http://"))
            talk_refuse(talk, "an image's URL is of another kind than https and data");
        return;
    }
    head = slice_first(slice_from(url, 5), comma - 5);
    if (comma == url.len || !slice_ends(head, ";base64") || head.len <= 7)
        talk_refuse(talk, "an image's data is not in base64 under a media type");
    else
        talk_set_media_type(talk, image, slice_first(head, head.len - 7));
    image->text = slice_from(url, comma + 1);
}

/* Writing */

void
talk_put_name(struct buffer *out, const char *name)
{
    buffer_add_text(out, ",\"");
    buffer_add_text(out, name);
    buffer_add_text(out, "\":");
}

void
talk_put_member(struct buffer *out, const char *name, struct slice text)
{
    talk_put_name(out, name);
    buffer_add_json_string(out, text);
}

void
talk_put_json(struct buffer *out, yyjson_val *value)
{
    size_t len = 0;
    char *text = yyjson_val_write(value, 0, &len);

    if (text != NULL)
        buffer_add(out, slice_make(text, len));
    else
        buffer_add_text(out, "null");
    free(text);
}

struct slice
talk_format_name(const struct talk *talk)
{
    return talk->format_name.len > 0 ? talk->format_name : SLICE_LITERAL("answer");
}

void
talk_put_values(struct talk *talk, enum api to, struct buffer *out)
{
    for (unsigned i = 0; i < TALK_VALUE_COUNT; i++) {
        enum talk_value id = (enum talk_value)i;
        const char *name = talk_value_name(id, to);

        if (talk->values[id] == NULL || (name == NULL && talk_value_may_go(id)))
            continue;
        if (name == NULL) {
            talk_refuse(talk, "'%s' has no place in %s", talk_value_name(id, talk->from), api_name(to));
        } else if (strchr(name, '.') == NULL) {
            talk_put_name(out, name);
            talk_put_json(out, talk->values[id]);
        }
    }
}

void
talk_put_schema(const struct talk *talk, struct buffer *out)
{
    if (talk->format_description.data != NULL)
        talk_put_member(out, "description", talk->format_description);
    if (talk->format_schema != NULL) {
        talk_put_name(out, "schema");
        talk_put_json(out, talk->format_schema);
    }
    if (talk->format_strict)
        buffer_add_text(out, ",\"strict\":true");
}

void
talk_put_choice(const struct talk *talk, const char *before, const char *behind, struct buffer *out)
{
    static const char *const words[] = {[TALK_CALLS_NONE] = "\"none\"", [TALK_CALLS_SOME] = "\"required\""};

    if (talk->tools == NULL)
        return;
    if (talk->choice != TALK_CHOOSES)
        talk_put_name(out, "tool_choice");
    if (talk->choice == TALK_CALLS_NAMED) {
        buffer_add_text(out, before);
        buffer_add_json_string(out, talk->named);
        buffer_add_text(out, behind);
    } else if (talk->choice != TALK_CHOOSES) {
        buffer_add_text(out, words[talk->choice]);
    }
    if (talk->one_call_at_most)
        buffer_add_text(out, ",\"parallel_tool_calls\":false");
    else if (talk->many_calls)
        buffer_add_text(out, ",\"parallel_tool_calls\":true");
}
