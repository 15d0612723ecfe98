/* How much a pool of engines may have in flight: as many tokens as its caches of keys and values hold, by Little's law
 * (J. Little, 1961), and less while its latency says that work only waits there.
 *
 * A request in flight takes its input and, on the average over its life, half of its output. Of the caches nine tenths are
 * used, so that growing answers find room. Within that, the limit follows the gradient of latency, as Netflix's
 * concurrency-limits do: L <- 0.8 L + 0.2 (g L + sqrt L) in requests of mean size, g = r_long / r_short within 0.5 and 1.
 * Latency is the first token's, divided by what the engine's model says it takes: raw latency would take long prompts for a
 * jam. While less than half of the limit is used it tells nothing, and the limit stays.
 *
 * Nor are there more requests than engines work at at a time, again nine tenths of it: others would wait in the engine,
 * where nobody's turn can be changed. Nor more than a batch in which one more makes everybody slower and is hardly worth it
 * (batch_enough), which is what a crowd would do to others. When replicas come or go the limit changes with their number.
 *
 * For one thread at a time. */
#ifndef FLEET_TOKEN_LIMIT_H
#define FLEET_TOKEN_LIMIT_H

#include "base/timers.h"
#include "fleet/engine/batch.h"

/* Of what caches and engines hold, so that answers may grow, and replicas be filled unevenly. */
#define TOKEN_LIMIT_ROOM_SHARE 0.9

struct token_limit {
    unsigned replicas;              /* of which all of this is */
    double requests_each;           /* what L began with for one, where nobody tells what the caches hold */
    double requests;                /* L: of mean size; at least 1 */
    uint64_t admitted;              /* requests that the means are of, the last hundred or so */
    double mean_tokens;             /* of a request: input + output / 2; 0: none was admitted */
    double long_ratio;              /* r_long; 0: nothing seen yet */
    double window_sum;              /* of the ratios since the last step */
    unsigned window_count;          /* how many they are */
    int64_t caches_tokens;          /* 0.9 of what the pool's caches hold; 0: not known */
    double sequences;               /* likewise, of the requests that its engines work at at a time */
    double batch;                   /* the pool's: more are hardly worth it; INFINITY: not known, or each is worth it */
    double mean_fresh, mean_output; /* tokens of a request: uncached ones of its prompt; its answer's */
    usec cut_us;                    /* when it was last cut for an overload */
    double residence_us;            /* of a request, from its start to its end; 0: none has ended */
    unsigned fixed;                 /* requests; 0: not */
    uint64_t cuts, steps;
};

/* `requests`: of one replica, to begin with, while it is not known what its cache holds. */
void token_limit_init(struct token_limit *limit, double requests);

/* How many replicas are usable, at least 1; how many requests one works at at a time, and what its cache holds; 0: not known. */
void token_limit_pool(struct token_limit *limit, unsigned replicas, unsigned sequences, int64_t kv_tokens);

/* What its engines are like: as such are known to be (NULL: not, and then no batch bounds anything), and as they were learned.
 * What is learned tells how long a step takes, but hardly what of it each part is; so the larger batch of the two counts, as
 * too small a one costs work and too large a one time. */
void token_limit_engine(struct token_limit *limit, const struct step_time *known, const struct step_time *learned);

/* By somebody's word: so many requests of mean size, whatever the caches hold and latency says; 0: the limit is found. */
void token_limit_fix(struct token_limit *limit, unsigned requests);

/* Tokens that may be in flight. */
int64_t token_limit_tokens(const struct token_limit *limit);

/* A request that was admitted takes so many; of its prompt so many are not cached, and its answer is expected to have so many. */
void token_limit_admitted(struct token_limit *limit, int64_t tokens, int64_t fresh, int64_t output);

/* A first token came after `seen_us`, where the model says `modelled_us`, with so many tokens in flight. */
void token_limit_first_token(struct token_limit *limit, usec seen_us, usec modelled_us, int64_t in_flight_tokens);

/* A request has ended that was there so long. */
void token_limit_ended(struct token_limit *limit, usec residence_us);

/* The pool said that it is overloaded (429, 503), or preempts more and more. Counts once in the time of a request. */
void token_limit_overloaded(struct token_limit *limit, usec now_us);

/* Tokens that end in a microsecond while the limit is used up, by Little's law; 0: not known yet. */
double token_limit_rate(const struct token_limit *limit);

#endif
