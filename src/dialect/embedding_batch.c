#include "dialect/embedding_batch.h"

#include <stdlib.h>

#include "base/portion.h"
#include "base/text.h"
#include "dialect/json/json.h"

enum { USAGE_DEPTH = 4 }; /* of objects within `usage` whose counts are looked at */

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

/* The elements as they stand, into raws, if there is room for `most`; returns how many there are. */
static size_t
list_raws(struct slice span, struct slice *raws, size_t most)
{
    struct slice element;
    size_t count = 0;

    if (is_one(span)) {
        raws[0] = span;
        return 1;
    }
    while (json_next_element(&span, &element)) {
        if (count < most)
            raws[count] = element;
        count++;
    }
    return count;
}

enum status
embedding_batch_read(const struct canonical_scope *scope, struct slice body, struct hasher *hasher, struct arena *arena,
                     struct embedding_batch *out)
{
    struct digest *keys;
    struct slice *raws;
    enum status status = canonical_elements(scope, body, EMBEDDING_INPUTS_MOST, hasher, arena, &keys, &out->count);

    if (status != OK)
        return status;
    out->span = find_input(body);
    out->inputs = arena_alloc(arena, out->count * sizeof(struct embedding_input));
    raws = arena_alloc(arena, out->count * sizeof(*raws));
    ENSURE(list_raws(out->span, raws, out->count) == out->count);
    for (size_t i = 0; i < out->count; i++) {
        out->inputs[i].raw = raws[i];
        out->inputs[i].key = keys[i];
    }
    find_equals(out);
    return OK;
}

/* Texts and arrays of tokens do not stand in one request. */
static bool
are_alike(const struct embedding_inputs *inputs)
{
    char first = inputs->raws[0].data[0];

    for (size_t i = 0; i < inputs->count; i++)
        if (inputs->raws[i].data[0] != first)
            return false;
    return first == '"' || first == '[';
}

enum status
embedding_inputs_read(struct slice body, size_t most, struct arena *arena, struct embedding_inputs *out)
{
    out->span = find_input(body);
    if (out->span.len == 0)
        return ERR_NOT_FOUND;
    out->raws = arena_alloc(arena, most * sizeof(*out->raws));
    out->count = list_raws(out->span, out->raws, most);
    if (out->count > most)
        return ERR_LIMIT;
    return out->count > 0 && are_alike(out) ? OK : ERR_NOT_FOUND;
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

/* To whom an answer is dealt out, and by which weights. */
struct dealing {
    const struct embedding_share *shares;
    size_t count;
    int64_t *weights, *parts; /* of each; parts is scratch */
    struct buffer *usages;    /* what each gets to read */
};

static bool
is_whole(struct slice value, int64_t *count)
{
    uint64_t number;

    *count = 0;
    if (text_parse_u64(value, &number) != OK || number > INT64_MAX)
        return false;
    *count = (int64_t)number;
    return true;
}

static void
deal_text(const struct dealing *dealing, struct slice text)
{
    for (size_t i = 0; i < dealing->count; i++)
        buffer_add(&dealing->usages[i], text);
}

static void
deal_usage(const struct dealing *dealing, struct slice usage, unsigned depth)
{
    struct json_member member;
    bool first = true;
    int64_t number;

    deal_text(dealing, SLICE_LITERAL("{"));
    while (json_next_member(&usage, &member)) {
        bool counted = is_whole(member.value, &number);

        if (is_number(member.value) && !counted)
            continue;
        deal_text(dealing, first ? SLICE_LITERAL("\"") : SLICE_LITERAL(",\""));
        deal_text(dealing, member.key);
        deal_text(dealing, SLICE_LITERAL("\":"));
        first = false;
        if (counted)
            portion_split(number, dealing->weights, dealing->count, dealing->parts);
        for (size_t i = 0; i < dealing->count && counted; i++)
            buffer_add_number(&dealing->usages[i], (uint64_t)dealing->parts[i]);
        if (!counted && member.value.data[0] == '{' && depth < USAGE_DEPTH)
            deal_usage(dealing, member.value, depth + 1);
        else if (!counted)
            deal_text(dealing, member.value);
    }
    deal_text(dealing, SLICE_LITERAL("}"));
}

/* How many tokens went in, by whichever of these names it is told. */
static int64_t
tokens_told(struct slice usage)
{
    static const char *const names[] = {"prompt_tokens", "input_tokens", "total_tokens"};
    int64_t tokens;

    for (size_t i = 0; usage.data != NULL && i < sizeof(names) / sizeof(names[0]); i++)
        if (is_whole(json_member_value(usage, names[i]), &tokens))
            return tokens;
    return -1;
}

/* No input is no token at all: who got none gets one from who has the most, as long as there are enough. */
static void
leave_none_out(int64_t *parts, size_t count, int64_t tokens)
{
    for (size_t i = 0; i < count && tokens >= (int64_t)count; i++) {
        size_t most = 0;

        for (size_t k = 0; k < count && parts[i] == 0; k++)
            most = parts[k] > parts[most] ? k : most;
        if (parts[i] > 0)
            continue;
        parts[most]--;
        parts[i]++;
    }
}

/* Tokens go by the bytes, all other counts as the tokens do, so that no part of them gets larger than its whole. */
static void
weigh_tokens(const struct dealing *dealing, int64_t tokens)
{
    if (tokens <= 0)
        return;
    portion_split(tokens, dealing->weights, dealing->count, dealing->parts);
    leave_none_out(dealing->parts, dealing->count, tokens);
    memcpy(dealing->weights, dealing->parts, dealing->count * sizeof(*dealing->weights));
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

/* One's elements, in order, counted from 0. */
static void
put_share(struct buffer *out, const struct answer *answer, const struct slice *elements, size_t count,
          struct slice usage)
{
    struct buffer data = {0};

    for (size_t i = 0; i < count; i++) {
        struct slice span;
        uint64_t index;

        ENSURE(read_index(elements[i], &span, &index));
        buffer_add_byte(&data, i == 0 ? '[' : ',');
        put_element(&data, elements[i], span, i);
    }
    buffer_add_byte(&data, ']');
    put_answer(out, answer, buffer_content(&data), usage);
    buffer_free(&data);
}

/* The usages are written whole before any answer is: `outs` may have something before them. */
static void
deal(const struct answer *answer, const struct slice *elements, struct dealing *dealing, struct buffer *outs)
{
    size_t at = 0;

    dealing->parts = must_calloc(dealing->count, sizeof(*dealing->parts));
    dealing->usages = must_calloc(dealing->count, sizeof(*dealing->usages));
    weigh_tokens(dealing, tokens_told(answer->usage));
    if (answer->usage.data != NULL && dealing->count > 1)
        deal_usage(dealing, answer->usage, 0);
    else if (answer->usage.data != NULL)
        deal_text(dealing, answer->usage);
    for (size_t i = 0; i < dealing->count; i++) {
        put_share(&outs[i], answer, &elements[at], dealing->shares[i].inputs, buffer_content(&dealing->usages[i]));
        buffer_free(&dealing->usages[i]);
        at += dealing->shares[i].inputs;
    }
    free(dealing->usages);
    free(dealing->parts);
}

/* Vectors of one answer have one length, whether they are floats or base64. */
static bool
are_even(struct slice text)
{
    struct json_scratch scratch;
    yyjson_doc *doc = json_parse(text, &scratch, NULL);
    yyjson_arr_iter iter = yyjson_arr_iter_with(yyjson_obj_get(yyjson_doc_get_root(doc), "data"));
    yyjson_val *element, *first = NULL, *vector;
    bool even = true;

    while ((element = yyjson_arr_iter_next(&iter)) != NULL) {
        vector = yyjson_obj_get(element, "embedding");
        first = first != NULL ? first : vector;
        even = even && yyjson_get_type(vector) == yyjson_get_type(first) &&
               yyjson_get_len(vector) == yyjson_get_len(first);
    }
    yyjson_doc_free(doc);
    return even;
}

enum status
embedding_answer_deal(struct slice text, const struct embedding_share *shares, size_t count, bool even,
                      int64_t *weights, struct buffer *outs)
{
    struct dealing dealing = {.shares = shares, .count = count, .weights = weights};
    struct answer answer;
    struct slice *elements;
    size_t inputs = 0;
    bool ordered;

    for (size_t i = 0; i < count; i++) {
        inputs += shares[i].inputs;
        weights[i] = (int64_t)shares[i].bytes;
    }
    if (inputs == 0 || !read_answer(text, &answer) || answer.count != inputs || (even && !are_even(answer.text)))
        return ERR_INVALID;
    elements = must_calloc(inputs, sizeof(*elements));
    ordered = order_elements(&answer, elements);
    if (ordered)
        deal(&answer, elements, &dealing, outs);
    free(elements);
    return ordered ? OK : ERR_INVALID;
}

enum status
embedding_answer_split(const struct embedding_batch *batch, const bool *wanted, struct slice text,
                       struct buffer *singles)
{
    struct embedding_share *shares = must_calloc(batch->count + 1, sizeof(*shares));
    int64_t *weights = must_calloc(batch->count + 1, sizeof(*weights));
    size_t count = 0;
    enum status status;

    for (size_t i = 0; i < batch->count; i++)
        if (wanted[i])
            shares[count++] = (struct embedding_share){.inputs = 1, .bytes = batch->inputs[i].raw.len};
    status = embedding_answer_deal(text, shares, count, false, weights, singles);
    free(weights);
    free(shares);
    return status;
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
