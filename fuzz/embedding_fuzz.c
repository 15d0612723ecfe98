/* Embeddings of anybody, from anybody: up to the first zero byte a request's body, behind it the answer of a server. What
 * is bought for less than all of it must be a request for less; what is split can be joined again; what is dealt out is
 * everybody's own. The first byte says which elements are known, and how many are the first one's. */
#include <stdlib.h>
#include <yyjson.h>

#include "base/text.h"
#include "dialect/embedding_batch.h"
#include "dialect/json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct digest secret = {"a secret"};
static const struct canonical_scope scope = {.secret = &secret};

static void
check_asked(const struct embedding_batch *batch, const bool *wanted, size_t count, struct slice body,
            struct arena *arena)
{
    struct splice splice = embedding_batch_splice(batch, wanted, body, arena);
    struct buffer sent = {0};
    struct embedding_batch again;
    size_t at = 0;

    buffer_add(&sent, slice_first(body, splice.at));
    buffer_add(&sent, splice.with);
    buffer_add(&sent, slice_from(body, splice.at + splice.len));
    ENSURE(embedding_batch_read(&scope, buffer_content(&sent), NULL, arena, &again) == OK && again.count == count);
    for (size_t i = 0; i < batch->count; i++)
        if (wanted[i])
            ENSURE(digest_equal(&batch->inputs[i].key, &again.inputs[at++].key));
    buffer_free(&sent);
}

static void
check_answer(const struct embedding_batch *batch, const bool *wanted, size_t count, struct slice answer)
{
    struct buffer *singles = must_calloc(count, sizeof(*singles)), joined = {0};
    struct slice *parts = must_calloc(count, sizeof(*parts));

    if (embedding_answer_split(batch, wanted, answer, singles) == OK) {
        for (size_t i = 0; i < count; i++)
            parts[i] = buffer_content(&singles[i]);
        ENSURE(embedding_answer_join(parts, count, &joined) == OK);
    }
    for (size_t i = 0; i < count; i++)
        buffer_free(&singles[i]);
    buffer_clear(&joined);
    if (embedding_answer_join(&answer, 1, &joined) == OK)
        ENSURE(buffer_len(&joined) > 0);
    buffer_free(&joined);
    free(singles);
    free(parts);
}

/* Each gets as many embeddings as it asked for, counted from 0. */
static void
check_part(struct slice part, size_t inputs)
{
    yyjson_doc *doc = yyjson_read(part.data, part.len, 0);
    yyjson_val *data = yyjson_obj_get(yyjson_doc_get_root(doc), "data");

    ENSURE(yyjson_arr_size(data) == inputs);
    for (size_t i = 0; i < inputs; i++)
        ENSURE(yyjson_get_uint(yyjson_obj_get(yyjson_arr_get(data, i), "index")) == i);
    yyjson_doc_free(doc);
}

static int64_t
tokens_of(struct slice answer)
{
    struct slice usage = json_member_value(slice_trim(answer), "usage"), told = SLICE_NONE;
    uint64_t tokens;

    if (usage.len > 0 && usage.data[0] == '{')
        told = json_member_value(usage, "prompt_tokens");
    return told.data != NULL && text_parse_u64(told, &tokens) == OK && tokens <= INT64_MAX ? (int64_t)tokens : -1;
}

/* Dealt out to two: what tokens one gets the other does not. */
static void
check_dealt(struct slice answer, size_t count, size_t first, bool even)
{
    struct embedding_share shares[2] = {{first, 7 * first}, {count - first, 3}};
    int64_t weights[2], whole, parts[2];
    struct buffer outs[2] = {{0}, {0}};

    if (embedding_answer_deal(answer, shares, 2, even, weights, outs) == OK) {
        whole = tokens_of(answer);
        for (size_t i = 0; i < 2; i++) {
            check_part(buffer_content(&outs[i]), shares[i].inputs);
            parts[i] = tokens_of(buffer_content(&outs[i]));
            ENSURE(weights[i] >= 0);
        }
        if (whole > 0 && parts[0] >= 0 && parts[1] >= 0)
            ENSURE(parts[0] + parts[1] == whole && weights[0] + weights[1] == whole);
        if (whole >= 2)
            ENSURE(parts[0] != 0 && parts[1] != 0);
    }
    buffer_free(&outs[0]);
    buffer_free(&outs[1]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice all = slice_make((const char *)data, size), body, answer;
    struct embedding_batch batch;
    struct arena arena;

    if (size < 2)
        return 0;
    body = slice_from(all, 1);
    answer = slice_from(body, slice_find_byte(body, '\0') + 1);
    body = slice_first(body, slice_find_byte(body, '\0'));
    arena_init(&arena);
    if (embedding_batch_read(&scope, body, NULL, &arena, &batch) == OK) {
        bool *known = arena_alloc(&arena, batch.count), *wanted = arena_alloc(&arena, batch.count);
        size_t count;

        for (size_t i = 0; i < batch.count; i++)
            known[i] = (data[0] >> i % 8 & 1) != 0;
        count = embedding_batch_wanted(&batch, known, wanted);
        if (count > 0) {
            check_asked(&batch, wanted, count, body, &arena);
            check_answer(&batch, wanted, count, answer);
        }
        if (batch.count > 1)
            check_dealt(answer, batch.count, 1 + data[0] % (batch.count - 1), (data[0] & 1) != 0);
    }
    arena_reset(&arena);
    return 0;
}
