/* What we have seen of a target (a model on a backend): how long its answers take and how its tokens relate to bytes.
 * Plans are priced and timed from it; usage that an answer does not tell is estimated with it. Shared by all workers,
 * under its own lock; kept over reloads by the target's name. */
#ifndef FLEET_EXPERIENCE_H
#define FLEET_EXPERIENCE_H

#include "base/lock.h"
#include "base/map.h"
#include "fleet/engine/batch_time.h"

struct experience {
    struct lock lock;
    struct latency first_token, total;
    double bytes_per_input_token;  /* request bytes per input token; starts at 4 */
    double bytes_per_output_token; /* text bytes per output token; starts at 4 */
    double output_tokens;          /* expected of an answer; starts at 256 */
    uint64_t answers;
    /* For budgets, from exact answers only. */
    struct latency outputs;       /* output tokens of an answer, a token counting as a millisecond */
    struct latency input_density; /* input tokens in a thousand bytes of request, likewise */
    int64_t input_excess;         /* most tokens seen beyond the request's bytes: what templates put in */
    unsigned outputs_shown;       /* answers whose text bounds their tokens */
    bool output_hidden;           /* some answer's did not: it thinks where nobody sees it */
    struct batch_time batches;    /* calls that may have been for several requests */
};

/* A sum of what is known, taken at one moment. */
struct expectation {
    usec first_token_us, total_us; /* at the share asked for; 0: nothing seen yet */
    double bytes_per_input_token, bytes_per_output_token, output_tokens;
    uint64_t answers; /* that were seen */
};

struct expectation experience_expect(struct experience *experience, unsigned share_ppm);

/* How large requests and answers are, for budgets. */
struct size_bounds {
    int64_t output_tokens;        /* 99 of 100 answers had no more; 1,024 at least until enough was seen */
    double input_tokens_per_byte; /* 99 of 100 requests had no more; at most 1, 0.5 at least until enough was seen */
    int64_t input_excess;         /* the most that a request had beyond a token for each byte */
    double bytes_per_output_token;
    bool output_shown; /* enough answers were seen, and none had more tokens than its text has bytes */
};

struct size_bounds experience_bounds(struct experience *experience);

/* One complete answer. `exact`: the tokens are as the backend reported them, else only the times count. first_token_us
 * of 0: not known. */
struct answer_seen {
    usec first_token_us, total_us;
    int64_t request_bytes, text_bytes, input_tokens, output_tokens, reasoning_tokens;
    bool exact;
    bool clipped; /* the answer ended at a cap of ours: its length tells nothing */
    bool
        more_than_text; /* tokens went in that no text shows: images, files, what is kept at or found by the provider */
};
void experience_learn(struct experience *experience, const struct answer_seen *seen);

/* How its calls for batches are, as of this moment. */
struct batch_time experience_batches(struct experience *experience);

/* A call for so many inputs of so many requests was answered; they had been held for it so long, on average. */
struct batch_seen {
    size_t inputs, requests;
    usec took_us, held_us;
    bool crowded; /* sent while another was under way */
};
void experience_learn_batch(struct experience *experience, const struct batch_seen *seen);

/* The same of a call that would have been for so many requests, had they waited for each other. */
void experience_note_batch(struct experience *experience, size_t requests, usec held_us);

/* See batch_time_adapt. */
void experience_adapt_batches(struct experience *experience, bool kept, size_t most);

/* All targets' experiences, made on first use, never freed before the end: pointers stay valid. */
struct experiences {
    struct lock lock;
    struct map by_name;
};

void experiences_init(struct experiences *all);
void experiences_free(struct experiences *all);
struct experience *experiences_of(struct experiences *all, struct slice target_name);

#endif
