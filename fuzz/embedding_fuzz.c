/* Embeddings of anybody, from anybody: up to the first zero byte a request's body, behind it the answer of a server. What
 * is bought for less than all of it must be a request for less; what is split can be joined again. The first byte says
 * which elements are known. */
#include <stdlib.h>
#include <yyjson.h>

#include "dialect/embedding_batch.h"

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
    }
    arena_reset(&arena);
    return 0;
}
