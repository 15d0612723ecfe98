#include "dialect/canonical.h"

#include <stdlib.h>

#include "base/buffer.h"
#include "dialect/json/json.h"

enum {
    DEPTH_MOST = 256,
    FLUSH_BYTES = 16 * 1024, /* of the form at a time */
    FORM_VERSION = 1         /* raised when equal requests get another form: what was stored is then not found */
};

/* 2^53: up to here each whole number is a double of its own. */
#define WHOLE_MOST 9007199254740992.0

/* Members of the body itself that cannot change what the answer says. `responses` repeats most of what it was asked in
 * its answer (metadata, user, safety_identifier, prompt_cache_key, store), so there they count: an answer must not tell
 * one user's identifier to another. `store` counts everywhere: who wants an answer stored does not want another's. */
enum {
    CHAT = 1 << API_CHAT,
    COMPLETIONS = 1 << API_COMPLETIONS,
    RESPONSES = 1 << API_RESPONSES,
    EMBEDDINGS = 1 << API_EMBEDDINGS,
    MESSAGES = 1 << API_MESSAGES
};

static const struct {
    const char *name;
    unsigned apis;
} silent[] = {
    /* In pieces or at once: an answer serves both ways. */
    {"stream", CHAT | COMPLETIONS | RESPONSES | MESSAGES},
    /* Whether the stream tells its usage and hides the lengths of its pieces. */
    {"stream_options", CHAT | COMPLETIONS | RESPONSES},
    /* On whose behalf, against abuse. */
    {"user", CHAT | COMPLETIONS | EMBEDDINGS},
    {"safety_identifier", CHAT},
    /* Labels for the provider's dashboard; messages: the user's id. */
    {"metadata", CHAT | MESSAGES},
    /* Where and for how long the provider caches the prompt: its price, not its answer. */
    {"prompt_cache_key", CHAT},
    {"prompt_cache_retention", CHAT | RESPONSES},
    {"cache_control", MESSAGES},
    /* How soon it is worked on, and at which price. */
    {"service_tier", CHAT | COMPLETIONS | RESPONSES | MESSAGES},
};

static bool
is_silent(enum api api, yyjson_val *key)
{
    for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++)
        if ((silent[i].apis >> api & 1) != 0 && yyjson_equals_strn(key, silent[i].name, strlen(silent[i].name)))
            return true;
    return false;
}

struct member {
    yyjson_val *key, *value;
};

/* One way through a body. Invariant: members[0..count) are those of the objects that we are within. */
struct form {
    enum api api;
    struct hasher *hasher;
    struct buffer out; /* what is not hashed yet */
    struct member *members;
    size_t count, size;
    yyjson_val *left_out; /* its content does not count; NULL: all does */
};

static void
flush(struct form *form)
{
    hasher_add(form->hasher, buffer_content(&form->out));
    buffer_clear(&form->out);
}

static void
put_bytes(struct form *form, char kind, struct slice bytes)
{
    uint64_t len = bytes.len;

    buffer_add_byte(&form->out, kind);
    buffer_add(&form->out, slice_make((const char *)&len, sizeof(len)));
    if (bytes.len >= FLUSH_BYTES) {
        flush(form);
        hasher_add(form->hasher, bytes);
        return;
    }
    buffer_add(&form->out, bytes);
    if (buffer_len(&form->out) >= FLUSH_BYTES)
        flush(form);
}

static void
put_word(struct form *form, char kind, uint64_t word)
{
    buffer_add_byte(&form->out, kind);
    buffer_add(&form->out, slice_make((const char *)&word, sizeof(word)));
}

static void
put_real(struct form *form, double real, bool as_number)
{
    uint64_t bits;

    if (as_number && real >= -WHOLE_MOST && real <= WHOLE_MOST && real == (double)(int64_t)real) {
        put_word(form, 'i', (uint64_t)(int64_t)real);
        return;
    }
    memcpy(&bits, &real, sizeof(bits));
    put_word(form, 'd', bits);
}

static void
put_scalar(struct form *form, yyjson_val *value, bool as_number)
{
    struct slice text = slice_make(yyjson_get_str(value), yyjson_get_len(value));

    if (yyjson_is_str(value))
        put_bytes(form, 's', text);
    else if (yyjson_is_raw(value))
        put_bytes(form, 'r', slice_make(yyjson_get_raw(value), yyjson_get_len(value)));
    else if (yyjson_is_real(value))
        put_real(form, yyjson_get_real(value), as_number);
    else if (yyjson_is_uint(value) && yyjson_get_uint(value) > INT64_MAX)
        put_word(form, 'u', yyjson_get_uint(value));
    else if (yyjson_is_int(value))
        put_word(form, 'i', (uint64_t)yyjson_get_sint(value));
    else
        buffer_add_byte(&form->out, yyjson_is_true(value) ? 't' : yyjson_is_false(value) ? 'f' : 'n');
}

/* By name; those of one name as they stand in the text, where the parser lays keys down one after the other. */
static int
by_key(const void *a, const void *b)
{
    yyjson_val *x = ((const struct member *)a)->key, *y = ((const struct member *)b)->key;
    size_t x_len = yyjson_get_len(x), y_len = yyjson_get_len(y);
    int order = memcmp(yyjson_get_str(x), yyjson_get_str(y), x_len < y_len ? x_len : y_len);

    if (order != 0)
        return order;
    return x_len != y_len ? (x_len < y_len ? -1 : 1) : (x > y) - (x < y);
}

static void
push_member(struct form *form, struct member member)
{
    if (form->count == form->size) {
        form->size = form->size != 0 ? 2 * form->size : 64;
        form->members = must_realloc(form->members, form->size * sizeof(struct member));
    }
    form->members[form->count++] = member;
}

static enum status put_value(struct form *form, yyjson_val *value, unsigned depth);

static enum status
put_object(struct form *form, yyjson_val *object, unsigned depth)
{
    size_t first = form->count, count;
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);
    enum status status = OK;
    yyjson_val *key;

    while ((key = yyjson_obj_iter_next(&iter)) != NULL)
        if (depth > 0 || !is_silent(form->api, key))
            push_member(form, (struct member){key, yyjson_obj_iter_get_val(key)});
    count = form->count - first;
    if (count > 1)
        qsort(&form->members[first], count, sizeof(struct member), by_key);
    put_word(form, '{', count);
    for (size_t i = 0; i < count && status == OK; i++) {
        struct member member = form->members[first + i];

        put_bytes(form, 'k', slice_make(yyjson_get_str(member.key), yyjson_get_len(member.key)));
        status = put_value(form, member.value, depth + 1);
    }
    form->count = first;
    return status;
}

static enum status
put_array(struct form *form, yyjson_val *array, unsigned depth)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(array);
    enum status status = OK;
    yyjson_val *value;

    put_word(form, '[', yyjson_arr_size(array));
    while (status == OK && (value = yyjson_arr_iter_next(&iter)) != NULL)
        status = put_value(form, value, depth + 1);
    return status;
}

static enum status
put_value(struct form *form, yyjson_val *value, unsigned depth)
{
    if (depth > DEPTH_MOST)
        return ERR_LIMIT;
    if (value == form->left_out)
        buffer_add_byte(&form->out, '?');
    else if (yyjson_is_obj(value))
        return put_object(form, value, depth);
    else if (yyjson_is_arr(value))
        return put_array(form, value, depth);
    else
        put_scalar(form, value, depth == 1);
    return OK;
}

static void
put_scope(struct form *form, const struct canonical_scope *scope, char purpose)
{
    put_word(form, purpose, FORM_VERSION);
    put_bytes(form, 'a', slice_of(api_name(form->api)));
    put_bytes(form, 'T', scope->tenant);
    put_bytes(form, 'R', scope->route);
    put_bytes(form, 'M', scope->target);
    put_bytes(form, 'H', scope->headers);
}

static void
begin_form(struct form *form, struct hasher *own)
{
    if (form->hasher != NULL)
        return;
    hasher_init(own);
    form->hasher = own;
}

static void
end_form(struct form *form, struct hasher *own)
{
    buffer_free(&form->out);
    free(form->members);
    if (form->hasher == own)
        hasher_free(own);
}

/* `left_out` counts as if it were not there but for its place. */
static enum status
hash_value(struct form *form, const struct canonical_scope *scope, char purpose, yyjson_val *value,
           yyjson_val *left_out, struct digest *out)
{
    enum status status;

    form->left_out = left_out;
    hasher_begin_keyed(form->hasher, scope->secret);
    put_scope(form, scope, purpose);
    status = put_value(form, value, 0);
    flush(form);
    *out = hasher_end_keyed(form->hasher, scope->secret);
    form->left_out = NULL;
    return status;
}

enum status
canonical_request(const struct canonical_scope *scope, enum api api, struct slice body, struct hasher *hasher,
                  struct digest *out)
{
    struct form form = {.api = api, .hasher = hasher};
    struct json_scratch scratch;
    yyjson_doc *doc = json_parse_exact(body, &scratch);
    yyjson_val *root = yyjson_doc_get_root(doc);
    enum status status = ERR_INVALID;
    struct hasher own;

    if (yyjson_is_obj(root)) {
        begin_form(&form, &own);
        status = hash_value(&form, scope, 'q', root, NULL, out);
        end_form(&form, &own);
    }
    yyjson_doc_free(doc);
    return status;
}

/* What stands behind the key of all the rest. */
static enum status
hash_element(struct form *form, const struct digest *secret, const struct digest *rest, yyjson_val *element,
             struct digest *out)
{
    enum status status;

    hasher_begin_keyed(form->hasher, secret);
    put_bytes(form, 'e', slice_make((const char *)rest->bytes, sizeof(rest->bytes)));
    status = put_value(form, element, 2);
    flush(form);
    *out = hasher_end_keyed(form->hasher, secret);
    return status;
}

/* One element: a text, or an array of tokens; else the elements of an array, of which there is at least one. */
static enum status
hash_elements(struct form *form, const struct canonical_scope *scope, yyjson_val *root, yyjson_val *input,
              struct arena *arena, struct digest **keys, size_t *count)
{
    bool one = !yyjson_is_arr(input) || yyjson_is_num(yyjson_arr_get_first(input));
    yyjson_arr_iter iter = yyjson_arr_iter_with(input);
    struct digest rest;
    enum status status = hash_value(form, scope, 'b', root, input, &rest);

    *count = one ? 1 : yyjson_arr_size(input);
    *keys = arena_alloc(arena, *count * sizeof(struct digest));
    for (size_t i = 0; i < *count && status == OK; i++)
        status = hash_element(form, scope->secret, &rest, one ? input : yyjson_arr_iter_next(&iter), &(*keys)[i]);
    return status;
}

enum status
canonical_elements(const struct canonical_scope *scope, struct slice body, size_t most, struct hasher *hasher,
                   struct arena *arena, struct digest **keys, size_t *count)
{
    struct form form = {.api = API_EMBEDDINGS, .hasher = hasher};
    struct json_scratch scratch;
    yyjson_doc *doc = json_parse_exact(body, &scratch);
    yyjson_val *root = yyjson_doc_get_root(doc), *input = yyjson_obj_get(root, "input");
    enum status status = yyjson_is_obj(root) ? ERR_NOT_FOUND : ERR_INVALID;
    struct hasher own;

    if (yyjson_is_arr(input) && !yyjson_is_num(yyjson_arr_get_first(input)) && yyjson_arr_size(input) > most) {
        status = ERR_LIMIT;
    } else if (yyjson_is_str(input) || yyjson_arr_size(input) > 0) {
        begin_form(&form, &own);
        status = hash_elements(&form, scope, root, input, arena, keys, count);
        end_form(&form, &own);
    }
    yyjson_doc_free(doc);
    return status;
}

/* The last part of a turn that is a text: {"type": "text" | "input_text", "text": "..."}. */
static yyjson_val *
last_text(yyjson_val *parts)
{
    yyjson_val *found = NULL, *part;
    yyjson_arr_iter iter = yyjson_arr_iter_with(parts);

    while ((part = yyjson_arr_iter_next(&iter)) != NULL) {
        yyjson_val *type = yyjson_obj_get(part, "type"), *text = yyjson_obj_get(part, "text");

        if (yyjson_is_str(text) && (yyjson_equals_str(type, "text") || yyjson_equals_str(type, "input_text")))
            found = text;
    }
    return found;
}

/* The text of the last turn that is the user's. A turn that holds only a tool's result (messages) has none, so the one
 * before it is not taken either: what was asked last is that result. */
static yyjson_val *
last_turn(yyjson_val *turns)
{
    yyjson_val *found = NULL, *turn, *content;
    yyjson_arr_iter iter = yyjson_arr_iter_with(turns);

    while ((turn = yyjson_arr_iter_next(&iter)) != NULL)
        if (yyjson_equals_str(yyjson_obj_get(turn, "role"), "user"))
            found = turn;
    content = yyjson_obj_get(found, "content");
    return yyjson_is_str(content) ? content : last_text(content);
}

static yyjson_val *
turn_of(enum api api, yyjson_val *root)
{
    yyjson_val *input;

    switch (api) {
    case API_CHAT:
    case API_MESSAGES:
        return last_turn(yyjson_obj_get(root, "messages"));
    case API_RESPONSES:
        input = yyjson_obj_get(root, "input");
        return yyjson_is_str(input) ? input : last_turn(input);
    case API_COMPLETIONS:
        input = yyjson_obj_get(root, "prompt");
        return yyjson_is_str(input) ? input : NULL;
    case API_EMBEDDINGS:
    case API_PASSTHROUGH:
    case API_COUNT:
        break;
    }
    return NULL;
}

enum status
canonical_conversation(const struct canonical_scope *scope, enum api api, struct slice body, struct hasher *hasher,
                       struct arena *arena, struct canonical_conversation *out)
{
    struct form form = {.api = api, .hasher = hasher};
    struct json_scratch scratch;
    yyjson_doc *doc = json_parse_exact(body, &scratch);
    yyjson_val *root = yyjson_doc_get_root(doc), *turn = turn_of(api, root);
    enum status status = yyjson_is_obj(root) ? ERR_NOT_FOUND : ERR_INVALID;
    struct hasher own;

    if (turn != NULL) {
        begin_form(&form, &own);
        status = hash_value(&form, scope, 'c', root, turn, &out->rest);
        end_form(&form, &own);
    }
    if (status == OK)
        out->turn = arena_copy(arena, slice_make(yyjson_get_str(turn), yyjson_get_len(turn)));
    yyjson_doc_free(doc);
    return status;
}
