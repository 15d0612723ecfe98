/* What the files of a modelled engine know of each other: engine.c (time goes on), engine_plan.c (what is in a step),
 * engine_requests.c (what becomes of a request). */
#ifndef FLEET_ENGINE_INSIDE_H
#define FLEET_ENGINE_INSIDE_H

#include "base/rng.h"
#include "base/usd.h"
#include "fleet/engine/engine.h"
#include "fleet/engine/kv_cache.h"

enum { PS_PER_US = 1000000 };

/* Steps that follow each other with nothing but decoding, or one step with whatever is in it. The first is under way. */
struct run {
    int64_t steps;     /* left, 0: none */
    wide_int base_ps;  /* of each step, all but what the contexts add */
    int64_t kv_tokens; /* of the first */
    int64_t decoding;  /* tokens by which kv_tokens grows from step to step */
};

/* Invariant: a request is on `waiting` (WAITING), or on `filling` and `running` (FILLING), or on `running` and among
 * `due` (DECODING). Blocks are taken up to and with the step under way. */
struct engine_model {
    struct engine_settings settings;
    engine_tokens *tokens;
    struct rng rng;
    struct kv_cache kv;
    wide_int delta_ps, epsilon_ps, fixed_ps, gamma_ps;

    struct timers arrivals; /* by when they reach the queue */
    unsigned arriving;
    struct list waiting, filling, running; /* running: the latest to come in at the end */
    unsigned waiting_count, running_count;

    struct timers due;                  /* decoding requests, by the number of the step that brings news of them */
    int64_t decoding;                   /* how many there are */
    int64_t context_at_birth;           /* over them: prompt tokens - born_step */
    unsigned crossing[KV_BLOCK_TOKENS]; /* how many need a new block in a step, by steps done before it, modulo 16 */

    usec clock_us; /* where the run began: clock_us + clock_ps */
    int64_t clock_ps;
    struct run run;
    int64_t busy_ps; /* what busy_us lacks */
    struct list news;
    struct engine_metrics seen; /* its counters; the rest is filled in when asked for */
};

/* engine.c: time, in whole picoseconds. */
wide_int engine_to_ps(double us);
wide_int engine_until_ps(const struct engine_model *engine, usec at_us);
usec engine_clock_up_us(const struct engine_model *engine);

/* How many steps of the run are over after that long: the most whose time is at most (or, `below`, less than) it. */
int64_t engine_steps_within(const struct engine_model *engine, wide_int limit_ps, bool below);

/* engine_plan.c: decides what is in the next step, and in how many the same; false if there is nothing to do. */
bool engine_plan(struct engine_model *engine);

/* Cuts the run where a request that arrives then could come in. */
void engine_cut_for_arrival(struct engine_model *engine, usec ready_us);
void engine_on_arrival(struct timer *timer);

/* engine_requests.c: its prompt, and what it had produced before, is computed: there is one token more. */
void engine_begin_decoding(struct engine_request *request);

/* It decodes, and the step is over that brings news of it. */
void engine_on_due(struct timer *timer);

/* The cache gets to know its blocks up to so many tokens. */
void engine_learn_blocks(struct engine_request *request, int64_t tokens);

/* Out of the running ones, without blocks; its tokens so far are kept. */
void engine_stop_running(struct engine_request *request, enum engine_state to);

/* It is done with, whatever it was. */
void engine_be_over(struct engine_request *request, enum engine_state to);

#endif
