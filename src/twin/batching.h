/* Models that an engine (fleet/engine/engine.h) paces: the engine decides when an answer gets how many of its tokens, and a
 * timer of the world wakes it. An engine belongs to one worker. Of this room only. */
#ifndef TWIN_BATCHING_H
#define TWIN_BATCHING_H

#include "fleet/engine/engine.h"
#include "twin/serving.h"

/* The engines of a worker's models; NULL where a model has none. */
struct batching {
    struct engine_model *engines[TWIN_MODELS_MOST];
    struct timer timer; /* for whichever engine comes first */
    struct twin_worker *worker;
};

struct batching *batching_new(struct twin_worker *worker) __attribute__((returns_nonnull));
void batching_free(struct batching *batching);

/* Does an engine pace this answer's model? */
bool batching_paces(const struct serving *serving);

/* Hands the answer to the engine, which will call serving_tokens. ERR_LIMIT: it is longer than the engine's memory;
 * *most is how many tokens that holds. */
enum status batching_submit(struct serving *serving, int64_t *most) MUST_CHECK;

/* Takes it back; fine if it was never there, or is over. */
void batching_leave(struct serving *serving);

/* How many tokens are there to be told; all of them without an engine. */
int64_t batching_tokens(const struct serving *serving);

/* Tells worker->twin->seen what the engines are doing. */
void batching_observe(struct twin_worker *worker);

#endif
