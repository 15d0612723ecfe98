/* Embeddings of several inputs, element by element: what of a batch is stored is not bought again. The call asks for the
 * others alone, is gathered whole, split into what each input would have got by itself, which is stored, and put
 * together with the rest. What is stored for an input alone and for one of a batch is the same.
 *
 * An answer that cannot be split, or an error that may be about one of the inputs, is no answer to what the client
 * asked: then the whole is asked for. */
#ifndef GATEWAY_ELEMENTS_H
#define GATEWAY_ELEMENTS_H

#include "cache/store.h"
#include "gateway/exchange.h"
#include "levers/known.h"

/* An answer of many embeddings is held whole up to this size. */
#define ELEMENTS_BYTES_MOST ((size_t)64 << 20)

/* Whether a batch of so many is looked at element by element. */
bool elements_wants(size_t inputs);

/* Before plans are made: reads the inputs, if there are several, for levers to look up. */
void elements_begin(struct exchange *exchange);

/* How what is sent differs: the inputs that are not known. False: it does not. */
bool elements_splice(const struct exchange *exchange, struct splice *out);

/* Something came from the flight of a plan for a part. True: it is seen to here; false: it is as any other. */
bool elements_progress(struct exchange *exchange);

/* The answer, when all are known. NULL: something of it is damaged. Any thread. */
struct chunk *elements_join(const struct known_elements *elements);

/* What it took to make the known ones, all together, and how old the oldest of them is. */
void elements_usage(const struct known_elements *elements, struct usage *out);
usd elements_cost(const struct known_elements *elements);
usec elements_age_us(const struct known_elements *elements, usec now_wall_us);

/* Where the parts of an answer go. */
struct elements_store {
    struct cache *cache;
    struct cache_facts facts; /* of the call; key, usage and cost become those of each element */
    size_t compress_above;
    uint64_t purges;
};

/* Stores the parts of an answer to those that are wanted. `bought` (may be NULL) gets a usage and an answer for each of
 * them. ERR_INVALID: it is no such answer. 1 ms per MiB; any thread. */
struct bought_element {
    struct buffer answer;
    struct usage usage;
};
enum status elements_put(const struct elements_store *store, const struct embedding_batch *batch, const bool *wanted,
                         struct slice answer, struct bought_element *bought) MUST_CHECK;

/* A batch for another thread, which may outlive the exchange: without the texts. Freed by free(). */
struct embedding_batch *elements_copy(const struct embedding_batch *batch) __attribute__((returns_nonnull));

/* A batch in another arena, with its texts. */
struct embedding_batch *elements_copy_to(struct arena *arena, const struct embedding_batch *batch)
    __attribute__((returns_nonnull));

/* Lets go of what was looked up. */
void elements_release(struct known_elements *elements);

#endif
