/* The modelled backend: an application over world.h that answers like an OpenAI-compatible or Anthropic model server,
 * in modelled time, with answers whose truth can be checked (tasks.h), and with faults on demand (faults.h). The same
 * code serves over sockets (`equipoise twin`) and in the virtual world. Everything it says of time and tokens is
 * modelled: the tokenizer is that of tokens.h, the time that of `twin_pace`, or of an engine (fleet/engine/engine.h). A request
 * can say its lengths by headers (said.h) and the faults that it wants (faults.h). */
#ifndef TWIN_TWIN_H
#define TWIN_TWIN_H

#include "fleet/engine/engine.h"
#include "twin/faults.h"
#include "twin/tasks.h"
#include "world.h"

/* How fast one model is: the first token after `first_token_us`, each further one after `per_token_us`, both times the
 * load factor 1 + (running - 1) / slots, give or take the jitter. All zero: at once. Answers that are not streamed come
 * when their last token would. Embeddings come when the last input is done, each further one taking as long as a token:
 * a call for b of them takes a + s b, as engines do. */
struct twin_pace {
    usec first_token_us, per_token_us;
};

struct twin_model {
    const char *name;
    double ability;             /* see tasks.h */
    double more[TASK_FAMILIES]; /* so much more of it (or less, if negative) for tasks of a family */
    bool embeds;                /* serves embeddings and nothing else */
    bool thinks;
    struct twin_pace pace;
    /* sequences_most above 0: an engine paces the model instead, with a seed drawn from the settings'; slots and jitter
     * are not for it. A twin with such a model has one worker. Not for embeddings. */
    struct engine_settings engine;
};

enum { TWIN_MODELS_MOST = 32 };

/* The abilities of the models that are there without configuration. */
extern const double TWIN_ABILITY_SMALL, TWIN_ABILITY_MEDIUM, TWIN_ABILITY_LARGE;

struct twin_settings {
    struct twin_model models[TWIN_MODELS_MOST];
    unsigned model_count;
    const char *key; /* demanded of every request but /health and /metrics; NULL: none */
    uint64_t seed;
    size_t body_most; /* bytes */
    bool prefix_cache;
    unsigned slots; /* answers at a time of the whole backend, shared out to its workers; others wait. 0: no limit */
    double jitter;  /* share of every time, 0 to below 1 */
    int64_t stream_interval; /* models with an engine: tokens from event to event, behind the first; 0: 1 */
    struct twin_fault_set faults;
};

/* twin-small, -medium, -large, -large-thinking and twin-embed at that pace, with the defaults for all else. */
void twin_settings_default(struct twin_settings *settings, struct twin_pace pace);

/* What the workers of one backend share. */
struct twin;

struct twin *twin_new(const struct twin_settings *settings) __attribute__((returns_nonnull)); /* texts are copied */
void twin_free(struct twin *twin);                                                            /* after its workers */

/* The application of one worker; serve it with a world's server. Freed when no client is left. */
struct application *twin_worker_new(struct twin *twin, struct world *world) __attribute__((returns_nonnull));
void twin_worker_free(struct application *application);

/* What the engine of a model (by its place in the settings) counts, as of now (fleet/engine/engine.h); all 0 if it has none. */
struct engine_metrics;
void twin_engine_metrics(struct application *application, unsigned model, struct engine_metrics *out);

#endif
