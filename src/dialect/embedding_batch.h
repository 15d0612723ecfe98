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

/* Splits the answer to that request into singles, one for each wanted element in order, appended to singles[0..wanted).
 * Counts of the usage are shared by the elements' lengths in bytes, so that they add up exactly; what is no whole number
 * (a cost) is left out of them. ERR_INVALID: it is no such answer, as by its number of embeddings or their indices; then
 * singles hold nothing of use. Takes 1 ms per MiB: above that not on a worker's loop. */
enum status embedding_answer_split(const struct embedding_batch *batch, const bool *wanted, struct slice answer,
                                   struct buffer *singles) MUST_CHECK;

/* The answer to the whole batch, appended to *out: members as in the first of the singles, embeddings in order with
 * their index, counts of the usage summed. singles[i] answers element i; equal elements may share one. ERR_INVALID:
 * some single is none. */
enum status embedding_answer_join(const struct slice *singles, size_t count, struct buffer *out) MUST_CHECK;

#endif
