/* A request for embeddings, element by element: which of its inputs are known already, the body that asks for the others
 * alone, and the answer put together again. So a batch of 100 texts of which 60 are known buys 40.
 *
 * What is stored for an element is the answer that it would have got alone ("a single"): with index 0 and its share of
 * the usage. Embeddings themselves, floats or base64, are never read, only moved. */
#ifndef DIALECT_EMBEDDING_BATCH_H
#define DIALECT_EMBEDDING_BATCH_H

#include "base/buffer.h"
#include "dialect/canonical.h"
#include "dialect/request.h"

enum { EMBEDDING_INPUTS_MOST = 8192 }; /* four times what the largest known API takes */

struct embedding_input {
    struct slice raw; /* as it stands in the body: a text, or an array of tokens */
    struct digest key;
    size_t same_as; /* the first element with this key; its own index if it is the first */
};

/* In the arena; `raw` points into the body. */
struct embedding_batch {
    struct slice span; /* the raw `input` in the body */
    struct embedding_input *inputs;
    size_t count;
};

/* The elements of a body that request_parse has taken, each with the key of the same request for it alone. So a text in
 * a batch, in a batch of one and by itself have one key. ERR_NOT_FOUND: `input` is nothing that could be split.
 * ERR_LIMIT: too many elements. Other errors as canonical_request. */
enum status embedding_batch_read(const struct canonical_scope *scope, struct slice body, struct hasher *hasher,
                                 struct arena *arena, struct embedding_batch *out) MUST_CHECK;

/* Marks as not wanted what is known, and what stands further in front of the same batch; returns how many remain. Both
 * arrays have an element for each input. */
size_t embedding_batch_wanted(const struct embedding_batch *batch, const bool *known, bool *wanted);

/* Asks for the wanted elements alone: replaces `input`, and no other byte. At least one must be wanted. */
struct splice embedding_batch_splice(const struct embedding_batch *batch, const bool *wanted, struct slice body,
                                     struct arena *arena);

/* The elements of a body that request_parse has taken, as they stand, all of one kind; raws has room for `most`.
 * ERR_LIMIT: there are more. ERR_NOT_FOUND: there are none, or they are no texts and no arrays of tokens, or both. */
struct embedding_inputs {
    struct slice span;  /* the raw `input` in the body */
    struct slice *raws; /* in the arena; they point into the body */
    size_t count;
};
enum status embedding_inputs_read(struct slice body, size_t most, struct arena *arena, struct embedding_inputs *out)
    MUST_CHECK;

/* One of those who get their parts of an answer: how many of the inputs are its own, and how long they are. */
struct embedding_share {
    size_t inputs, bytes;
};

/* Deals out an answer to those whose inputs were asked for together, in this order: to each its embeddings, counted from
 * 0, all that the answer says beside them, and its part of the counts of the usage, appended to outs[0..count).
 * Tokens go by the bytes, but nobody gets none; other counts by the tokens; all add up exactly (portion.h). What is no whole number (a cost) is left out. weights[0..count) become what it went by: the tokens, or
 * where none are told the bytes. ERR_INVALID: it is no such answer, as by its number of embeddings or their indices, or
 * `even` is wanted and they differ in length; then outs hold nothing of use. 1 ms per MiB: above that not on a worker's
 * loop. */
enum status embedding_answer_deal(struct slice answer, const struct embedding_share *shares, size_t count, bool even,
                                  int64_t *weights, struct buffer *outs) MUST_CHECK;

/* The same for the answer to a request for the wanted elements: a single for each, appended to singles[0..wanted). */
enum status embedding_answer_split(const struct embedding_batch *batch, const bool *wanted, struct slice answer,
                                   struct buffer *singles) MUST_CHECK;

/* The answer to the whole batch, appended to *out: members as in the first of the singles, embeddings in order with
 * their index, counts of the usage summed. singles[i] answers element i; equal elements may share one. ERR_INVALID:
 * some single is none. */
enum status embedding_answer_join(const struct slice *singles, size_t count, struct buffer *out) MUST_CHECK;

#endif
