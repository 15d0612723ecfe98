/* What was in an engine while it worked for a request of ours, by our own accounts alone: who was there, in which phase,
 * and with how many tokens. From it comes at each answer's end
 *   - a sample for the engine's fit (engine_fit.h): sums over the steps that the answer took;
 *   - the request's share of the time in which the engine was busy, for its cost.
 *
 * An answer that streams shows when its prompt was done. One that does not is taken to decode from when it was sent. Each
 * step gives each decoding sequence one token, so an answer's tokens count the steps that it saw; what was in them is the
 * mean over its time, and the prompts whose first tokens came meanwhile. Prompts share steps: those whose first tokens come
 * together were in one, no step that somebody waits behind has room to spare, and there were no more steps than an answer
 * has tokens. How far the outputs of others have come is estimated by the model's own steps, corrected by what answers that
 * ended had seen of them. What others than us send there is not seen: it makes samples worse (the fit leaves out what is far
 * off), and shares too large.
 *
 * Shares: while anything is there, each moment is split as the model splits a step: prompts by their uncached tokens, each
 * sequence its even part, and for the cache's reading each by its context. They add up to the busy time.
 *
 * No lock of its own: its owner's (replica.h). Nothing is allocated; a change costs the same whatever is in flight. */
#ifndef FLEET_ENGINE_TRACK_H
#define FLEET_ENGINE_TRACK_H

#include "base/timers.h"
#include "fleet/engine/engine_fit.h"

/* Sums over time since nothing was there, in microseconds; a share is a difference of them times what a request has. */
struct engine_clocks {
    double sequences;     /* the number decoding */
    double contexts;      /* tokens of context of those */
    double a_sequence;    /* of the busy time, to each decoding sequence */
    double a_context;     /* to each token of context */
    double context_steps; /* a_context, weighed by the steps until then */
    double a_fresh;       /* to each uncached token of the prompts that are being computed */
};

/* The prompts whose first tokens came together: they were completed in one step, the last of those that computed them. */
struct engine_arrivals {
    usec at_us;  /* 0: there were none yet */
    bool waited; /* behind others */
    double prompts, fresh, attended;
    double decoding, context; /* what decoded beside them */
    struct step_sum sum;      /* of the steps that computed them; within `chunks` of the track */
};

/* Invariant: context now is context_base + decoding * steps. */
struct engine_track {
    usec at_us;            /* up to when everything is counted */
    int64_t decoding;      /* sequences */
    int64_t filling;       /* prompts whose first token has not come */
    double fresh;          /* their uncached tokens */
    double steps;          /* since nothing was there, by the model, corrected by what answers showed */
    double modelled_steps; /* likewise, not corrected: what the correction is learned from */
    double context_base;
    struct engine_clocks clocks;
    struct step_sum chunks; /* steps that had prompts in them */
    struct engine_arrivals last;
    double steps_seen, steps_thought; /* of answers of late, fading: as they were, and by the model alone */
    uint64_t taken;
    unsigned warm; /* whole answers since it came up, to WARM_UP */
    /* For windows of utilisation: since the process began. */
    double busy_us, sequence_us, context_us;
};

/* The first answers of a replica, also after it failed, are not learned from: caches are cold, kernels not compiled. */
enum { ENGINE_WARM_UP = 8, ENGINE_STEPS_LEAST = 16 };

/* One request's part; zeroed: it is not there. */
struct engine_turn {
    bool here, begun, streams, alone;
    usec taken_us, begun_us;
    int64_t prompt, cached;
    uint64_t taken;
    double steps, modelled_steps; /* as it began to decode */
    struct engine_clocks at_taken, at_begun;
    struct step_sum chunks;
};

/* What an answer has taught. */
struct engine_sample {
    struct step_sum sum;
    double tokens_a_step, seen_us; /* seen_us 0: there is none */
    bool from_sent;                /* from when the request was sent: the time before the queue is in it */
};

struct engine_lesson {
    struct engine_sample first_token, rest;
    double share_us; /* of the busy time */
};

/* `time` and `step_tokens_most` (the tokens in a step at most) are what is thought of the engine now. */
struct engine_view {
    const struct step_time *time;
    int64_t step_tokens_most;
};

void engine_track_advance(struct engine_track *track, struct engine_view view, usec now_us);

/* The request is sent. */
void engine_track_take(struct engine_track *track, struct engine_view view, struct engine_turn *turn, int64_t prompt,
                       int64_t cached, bool streams, usec now_us);

/* Its first token is here. Only once, and nothing where the answer does not stream. */
void engine_track_begun(struct engine_track *track, struct engine_view view, struct engine_turn *turn, usec now_us);

/* The answer is over: `output` tokens if it is whole and told them, else below 0; `failed`: the engine is ill. `prompt` and
 * `cached` as it told them, below 0: it did not. */
void engine_track_end(struct engine_track *track, struct engine_view view, struct engine_turn *turn, int64_t prompt,
                      int64_t cached, int64_t output, bool failed, usec now_us, struct engine_lesson *out);

/* Teaches both samples. */
void engine_fit_learn_lesson(struct engine_fit *fit, const struct engine_lesson *lesson);

/* The share of the busy time so far, up to when the track was advanced. */
double engine_track_share_us(const struct engine_track *track, const struct engine_turn *turn);

static inline double
engine_track_context(const struct engine_track *track)
{
    return track->context_base + (double)track->decoding * track->steps;
}

#endif
