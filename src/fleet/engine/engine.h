/* A modelled inference engine with continuous batching (as vLLM, SGLang, TGI): which request gets its tokens when. The
 * model runs on a clock that its user reads for it, so the same engine paces a modelled backend in real time, in the
 * virtual world, and answers what-if questions.
 *
 * Its rules. Every step each decoding sequence gets one token; what is left of the step's token budget goes to prompts
 * in chunks, first to those already begun, then to waiting requests, first come first served, while fewer than
 * `sequences_most` run and the cache has blocks for the whole prompt (and 1 % to spare, unless nothing runs). A step's
 * time is step_time.h's. The step in which a prompt is completed brings the first token. When the decoding sequences
 * need more blocks than there are, the one that came in latest loses its blocks, waits in front of all others, and has
 * its prompt and the tokens so far computed again; in that step nobody comes in. Blocks at the start of a prompt that
 * the cache knows need not be computed, but for the last token. Until a request reaches the queue it takes a moment
 * (tokenizing, scheduling), drawn evenly between two bounds.
 *
 * Steps in which only decoding goes on are not taken one by one: a run of them is one sum in integer picoseconds, so the
 * times are exactly those of single steps, and the work is in what changes, not in tokens. */
#ifndef FLEET_ENGINE_H
#define FLEET_ENGINE_H

#include "base/list.h"
#include "base/timers.h"
#include "fleet/engine/engine_settings.h"

enum engine_state {
    ENGINE_OUTSIDE,  /* not submitted, over, or cancelled */
    ENGINE_ARRIVING, /* until it reaches the queue */
    ENGINE_WAITING,
    ENGINE_FILLING, /* its prompt is being computed */
    ENGINE_DECODING,
    ENGINE_DONE /* only the news of it is still to be told */
};

struct engine_model;

/* One request, embedded in its owner's struct: filled with zeros and the first part before engine_submit. */
struct engine_request {
    int64_t prompt_tokens, output_tokens; /* both at least 1 */
    /* Hashes of the blocks of 16 tokens, each over all up to its end; may go on into the output, whose blocks are known
     * when the request is over. They stay until it is. */
    const uint64_t *block_hashes;
    size_t block_count;
    int64_t interval; /* tokens from news to news, as --stream-interval; 0: news of the first and the last token only */

    /* What the engine tells */
    enum engine_state state;
    usec told_at_us;       /* when the last token of `tokens` was there, rounded up */
    int64_t tokens;        /* of the output, as of the last news */
    int64_t cached_tokens; /* of the prompt, that were found in the cache when it first came in */
    unsigned preemptions;

    /* The engine's */
    struct engine_model *engine;
    struct timer arrival, due;
    struct list queue, order, news; /* waiting or filling; running; to be told */
    int64_t produced;               /* while it is not decoding */
    int64_t born_step;              /* decoding: it has (steps done - born_step) tokens */
    int64_t filled, chunk;          /* filling: tokens computed, and in the step under way */
    uint32_t *held;                 /* known blocks */
    size_t held_count, learned;     /* blocks whose hashes the cache was told */
};

/* Tells that there are more tokens: the first, then every `interval`, and the last (tokens == output_tokens; the request
 * is over and may be freed). May submit and cancel. */
typedef void engine_tokens(struct engine_request *request);

struct engine_model *engine_new(const struct engine_settings *settings, engine_tokens *tokens)
    __attribute__((returns_nonnull));
void engine_free(struct engine_model *engine); /* all requests must be over or cancelled */

/* ERR_LIMIT: it would never fit into the cache. Brings no news before it returns. */
enum status engine_submit(struct engine_model *engine, struct engine_request *request, usec now_us) MUST_CHECK;

/* Its blocks are free at once, the step under way goes on. Safe in any state. Brings no news. */
void engine_cancel(struct engine_model *engine, struct engine_request *request, usec now_us);

/* Goes on to that time and brings the news, each as of its own time and in order. */
void engine_advance(struct engine_model *engine, usec now_us);

/* When to advance next; earlier if something is submitted or cancelled. USEC_NEVER: nothing is left to do. */
usec engine_next_us(const struct engine_model *engine);

/* The most tokens that prompt and output of a request may have together. */
int64_t engine_context_most(const struct engine_model *engine);

struct engine_metrics {
    unsigned running, waiting;               /* waiting: also those still on their way to the queue */
    int64_t kv_blocks, kv_used;              /* known blocks that nobody holds are not in use */
    int64_t prefix_asked, prefix_found;      /* tokens of prompts looked up in the cache and found there */
    int64_t prompt_tokens, generated_tokens; /* of prompts completed; of all outputs */
    int64_t steps, preemptions, requests;    /* requests: told to their last token */
    int64_t too_long, context_most;          /* refused, as longer than engine_context_most */
    usec busy_us;
};

/* As of now. Brings no news. */
void engine_metrics(struct engine_model *engine, usec now_us, struct engine_metrics *out);

#endif
