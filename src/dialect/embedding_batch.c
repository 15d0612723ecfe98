#include "dialect/embedding_batch.h"

#include <stdlib.h>

#include "base/text.h"
#include "dialect/json.h"

enum { USAGE_DEPTH = 4 }; /* of objects within `usage` whose counts are looked at */

__extension__ typedef unsigned __int128 wide_count;

static uint64_t
word_of(const struct digest *key)
{
    uint64_t word;

    memcpy(&word, key->bytes, sizeof(word));
    return word;
}

/* Sets same_as, by a table of 1 + index of each key's first element. */
static void
find_equals(struct embedding_batch *batch)
{
    size_t size = 2;
    uint32_t *table;

    while (size < 2 * batch->count)
        size *= 2;
    table = must_calloc(size, sizeof(*table));
    for (size_t i = 0; i < batch->count; i++) {
        size_t at = word_of(&batch->inputs[i].key) & (size - 1);

        while (table[at] != 0 && !digest_equal(&batch->inputs[table[at] - 1].key, &batch->inputs[i].key))
            at = (at + 1) & (size - 1);
        if (table[at] == 0)
            table[at] = (uint32_t)i + 1;
        batch->inputs[i].same_as = table[at] - 1;
    }
    free(table);
}

static bool
is_number(struct slice raw)
{
    return raw.data[0] == '-' || (raw.data[0] >= '0' && raw.data[0] <= '9');
}

static bool
is_member(yyjson_val *key, const char *name)
{
    return yyjson_equals_strn(key, name, strlen(name));
}

/* The raw `input`, however its key is escaped: walks the decoded members and the raw ones side by side. */
static struct slice
find_input(struct slice body)
{
    struct slice rest = body, found = SLICE_NONE;
    struct json_scratch scratch;
    struct json_member raw;
    yyjson_doc *doc = json_parse_exact(body, &scratch);
    yyjson_obj_iter members = yyjson_obj_iter_with(yyjson_doc_get_root(doc));
    yyjson_val *key;

    while (found.data == NULL && (key = yyjson_obj_iter_next(&members)) != NULL && json_next_member(&rest, &raw))
        if (is_member(key, "input"))
            found = raw.value;
    yyjson_doc_free(doc);
    return found;
}

/* A text, or an array of tokens; else an array of elements. */
static bool
is_one(struct slice input)
{
    struct slice first;

    return input.data[0] != '[' || !json_next_element(&input, &first) || is_number(first);
}

enum status
embedding_batch_read(const struct canonical_scope *scope, struct slice body, struct hasher *hasher, struct arena *arena,
                     struct embedding_batch *out)
{
    struct digest *keys;
    struct slice rest, element;
    size_t raw_count = 0;
    enum status status = canonical_elements(scope, body, EMBEDDING_INPUTS_MOST, hasher, arena, &keys, &out->count);

    if (status != OK)
        return status;
    out->span = rest = find_input(body);
    out->inputs = arena_alloc(arena, out->count * sizeof(struct embedding_input));
    for (size_t i = 0; i < out->count; i++)
        out->inputs[i].key = keys[i];
    if (is_one(out->span))
        out->inputs[raw_count++].raw = out->span;
    else
        while (json_next_element(&rest, &element))
            out->inputs[raw_count++].raw = element;
    ENSURE(raw_count == out->count);
    find_equals(out);
    return OK;
}

size_t
embedding_batch_wanted(const struct embedding_batch *batch, const bool *known, bool *wanted)
{
    size_t count = 0;

    for (size_t i = 0; i < batch->count; i++) {
        wanted[i] = !known[i] && batch->inputs[i].same_as == i;
        count += wanted[i];
    }
    return count;
}

struct splice
embedding_batch_splice(const struct embedding_batch *batch, const bool *wanted, struct slice body, struct arena *arena)
{
    struct splice splice = {.at = (size_t)(batch->span.data - body.data), .len = batch->span.len, .with = batch->span};
    struct buffer text = {0};
    size_t count = 0;

    for (size_t i = 0; i < batch->count; i++) {
        if (!wanted[i])
            continue;
        buffer_add_byte(&text, count++ == 0 ? '[' : ',');
        buffer_add(&text, batch->inputs[i].raw);
    }
    ENSURE(count > 0);
    buffer_add_byte(&text, ']');
    if (count < batch->count)
        splice.with = arena_copy(arena, buffer_content(&text));
    buffer_free(&text);
    return splice;
}

/* An answer as it stands in its bytes. */
struct answer {
    struct slice text;  /* from its opening bracket */
    struct slice data;  /* the raw array */
    struct slice usage; /* the raw object; SLICE_NONE: there is none */
    size_t count;
};

static bool
is_embedding(yyjson_val *element)
{
    return yyjson_is_uint(yyjson_obj_get(element, "index")) && yyjson_obj_get(element, "embedding") != NULL;
}

/* The text must be valid JSON before any raw span of it is looked at. */
static bool
read_answer(struct slice text, struct answer *out)
{
    struct json_scratch scratch;
    yyjson_doc *doc = json_parse(text, &scratch, NULL);
    yyjson_val *root = yyjson_doc_get_root(doc), *data = yyjson_obj_get(root, "data"), *element;
    yyjson_arr_iter iter = yyjson_arr_iter_with(data);
    bool good = yyjson_is_arr(data);

    while ((element = yyjson_arr_iter_next(&iter)) != NULL)
        good = good && is_embedding(element);
    out->count = yyjson_arr_size(data);
    yyjson_doc_free(doc);
    if (!good)
        return false;
    out->text = slice_trim(text);
    out->data = json_member_value(out->text, "data");
    out->usage = json_member_value(out->text, "usage");
    if (out->usage.len > 0 && out->usage.data[0] != '{')
        out->usage = SLICE_NONE;
    return out->data.data != NULL && out->data.data[0] == '[';
}

static bool
read_index(struct slice element, struct slice *span, uint64_t *index)
{
    *span = json_member_value(element, "index");
    return span->data != NULL && text_parse_u64(*span, index) == OK;
}

static void
put_element(struct buffer *out, struct slice element, struct slice index_span, uint64_t index)
{
    size_t at = (size_t)(index_span.data - element.data);

    buffer_add(out, slice_first(element, at));
    buffer_add_number(out, index);
    buffer_add(out, slice_from(element, at + index_span.len));
}

/* The answer with other data and another usage. */
static void
put_answer(struct buffer *out, const struct answer *answer, struct slice data, struct slice usage)
{
    bool data_first = answer->usage.data == NULL || answer->data.data < answer->usage.data;
    struct slice spans[2] = {data_first ? answer->data : answer->usage, data_first ? answer->usage : answer->data};
    struct slice texts[2] = {data_first ? data : usage, data_first ? usage : data};
    const char *at = answer->text.data, *end = at + answer->text.len;

    for (unsigned i = 0; i < 2 && spans[i].data != NULL; i++) {
        buffer_add(out, slice_make(at, (size_t)(spans[i].data - at)));
        buffer_add(out, texts[i]);
        at = spans[i].data + spans[i].len;
    }
    buffer_add(out, slice_make(at, (size_t)(end - at)));
}

static void
put_key(struct buffer *out, struct slice key, bool *first)
{
    buffer_add_text(out, *first ? "\"" : ",\"");
    buffer_add(out, key);
    buffer_add_text(out, "\":");
    *first = false;
}

/* From `before` to `after` of `total`: what of each count falls to one element. */
struct share {
    uint64_t before, after, total;
};

static uint64_t
share_of(uint64_t count, struct share share)
{
    return (uint64_t)((wide_count)count * share.after / share.total) -
           (uint64_t)((wide_count)count * share.before / share.total);
}

static void
share_usage(struct buffer *out, struct slice usage, struct share share, unsigned depth)
{
    struct json_member member;
    bool first = true;
    uint64_t count;

    buffer_add_byte(out, '{');
    while (json_next_member(&usage, &member)) {
        bool counted = text_parse_u64(member.value, &count) == OK;

        if (is_number(member.value) && !counted)
            continue;
        put_key(out, member.key, &first);
        if (counted)
            buffer_add_number(out, share_of(count, share));
        else if (member.value.data[0] == '{' && depth < USAGE_DEPTH)
            share_usage(out, member.value, share, depth + 1);
        else
            buffer_add(out, member.value);
    }
    buffer_add_byte(out, '}');
}

/* Where the answer's elements stand by their index: a permutation of 0 to count - 1. */
static bool
order_elements(const struct answer *answer, struct slice *elements)
{
    struct slice rest = answer->data, element, span;
    uint64_t index;

    while (json_next_element(&rest, &element)) {
        if (!read_index(element, &span, &index) || index >= answer->count || elements[index].data != NULL)
            return false;
        elements[index] = element;
    }
    return true;
}

static void
put_single(struct buffer *out, const struct answer *answer, struct slice element, struct share share)
{
    struct buffer data = {0}, usage = {0};
    struct slice span;
    uint64_t index;
    bool found = read_index(element, &span, &index);

    ENSURE(found);
    buffer_add_byte(&data, '[');
    put_element(&data, element, span, 0);
    buffer_add_byte(&data, ']');
    if (answer->usage.data != NULL && answer->count > 1)
        share_usage(&usage, answer->usage, share, 0);
    else
        buffer_add(&usage, answer->usage);
    put_answer(out, answer, buffer_content(&data), buffer_content(&usage));
    buffer_free(&data);
    buffer_free(&usage);
}

enum status
embedding_answer_split(const struct embedding_batch *batch, const bool *wanted, struct slice text,
                       struct buffer *singles)
{
    struct share share = {0};
    struct answer answer;
    struct slice *elements;
    size_t count = 0;
    bool ordered;

    for (size_t i = 0; i < batch->count; i++) {
        count += wanted[i];
        share.total += wanted[i] ? batch->inputs[i].raw.len : 0;
    }
    if (count == 0 || !read_answer(text, &answer) || answer.count != count)
        return ERR_INVALID;
    elements = must_calloc(count, sizeof(*elements));
    ordered = order_elements(&answer, elements);
    for (size_t i = 0, at = 0; i < batch->count && ordered; i++) {
        if (!wanted[i])
            continue;
        share.after = share.before + batch->inputs[i].raw.len;
        put_single(&singles[at], &answer, elements[at], share);
        share.before = share.after;
        at++;
    }
    free(elements);
    return ordered ? OK : ERR_INVALID;
}

static uint64_t
sum_member(const struct slice *objects, size_t count, struct slice key)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        struct slice rest = objects[i];
        struct json_member member;
        uint64_t one;

        while (rest.data != NULL && json_next_member(&rest, &member))
            if (slice_equal(member.key, key) && text_parse_u64(member.value, &one) == OK &&
                __builtin_add_overflow(sum, one, &sum))
                sum = UINT64_MAX;
    }
    return sum;
}

static void sum_usage(struct buffer *out, const struct slice *usages, size_t count, unsigned depth);

/* The objects that stand under the key in each. */
static void
sum_inside(struct buffer *out, const struct slice *objects, size_t count, struct slice key, unsigned depth)
{
    struct slice *inside = must_calloc(count, sizeof(*inside));

    for (size_t i = 0; i < count; i++) {
        struct slice rest = objects[i];
        struct json_member member;

        while (rest.data != NULL && json_next_member(&rest, &member))
            if (slice_equal(member.key, key) && member.value.data[0] == '{')
                inside[i] = member.value;
    }
    sum_usage(out, inside, count, depth + 1);
    free(inside);
}

/* As the first has it, counts being those of all. */
static void
sum_usage(struct buffer *out, const struct slice *usages, size_t count, unsigned depth)
{
    struct slice rest = usages[0];
    struct json_member member;
    bool first = true;
    uint64_t one;

    buffer_add_byte(out, '{');
    while (json_next_member(&rest, &member)) {
        bool counted = text_parse_u64(member.value, &one) == OK;

        if (is_number(member.value) && !counted)
            continue;
        put_key(out, member.key, &first);
        if (counted)
            buffer_add_number(out, sum_member(usages, count, member.key));
        else if (member.value.data[0] == '{' && depth < USAGE_DEPTH)
            sum_inside(out, usages, count, member.key, depth);
        else
            buffer_add(out, member.value);
    }
    buffer_add_byte(out, '}');
}

static bool
add_single(struct buffer *data, const struct answer *single, uint64_t index)
{
    struct slice rest = single->data, element, span;
    uint64_t ignored;

    if (single->count != 1 || !json_next_element(&rest, &element) || !read_index(element, &span, &ignored))
        return false;
    buffer_add_byte(data, index == 0 ? '[' : ',');
    put_element(data, element, span, index);
    return true;
}

enum status
embedding_answer_join(const struct slice *singles, size_t count, struct buffer *out)
{
    struct slice *usages = must_calloc(count + 1, sizeof(*usages));
    struct buffer data = {0}, usage = {0};
    struct answer first = {.count = 0}, single;
    bool good = count > 0;

    for (size_t i = 0; i < count && good; i++) {
        good = read_answer(singles[i], &single) && add_single(&data, &single, i);
        usages[i] = good ? single.usage : SLICE_NONE;
        if (i == 0)
            first = single;
    }
    if (good) {
        buffer_add_byte(&data, ']');
        if (first.usage.data != NULL && count > 1)
            sum_usage(&usage, usages, count, 0);
        else
            buffer_add(&usage, first.usage);
        put_answer(out, &first, buffer_content(&data), buffer_content(&usage));
    }
    buffer_free(&data);
    buffer_free(&usage);
    free(usages);
    return good ? OK : ERR_INVALID;
}
