/* What the modelled backend has seen and done: for its metrics, and for tests that want to know what really arrived.
 * Shared by all workers; has its own lock and never calls out while holding it. */
#ifndef TWIN_SEEN_H
#define TWIN_SEEN_H

#include "base/buffer.h"
#include "base/lock.h"
#include "twin/reply.h"
#include "twin/twin.h"

enum outcome {
    OUTCOME_STOP,    /* told to its end */
    OUTCOME_LENGTH,  /* to the limit of tokens */
    OUTCOME_GONE,    /* the client left before the end */
    OUTCOME_BROKEN,  /* a fault broke it off */
    OUTCOME_REFUSED, /* an error was answered */
    OUTCOMES
};

/* Upper bounds in seconds; one more bucket is for all above. */
enum { HISTOGRAM_BUCKETS = 16 };

struct histogram {
    int64_t buckets[HISTOGRAM_BUCKETS + 1];
    int64_t count;
    usec sum_us;
};

/* Of one model. Tokens count once an answer has begun: input and cached as told in the usage, output as generated. */
struct model_seen {
    int64_t requests, outcomes[OUTCOMES];
    int64_t input, cache_read, cache_written, output, reasoning;
    int64_t abandoned; /* tokens that were still to come when clients left */
    int64_t running, waiting, tokens_held;
    bool has_engine;
    struct engine_metrics engine; /* as last told */
    struct histogram first_token, per_token, whole;
};

/* A request exactly as it came. */
struct request_seen {
    char *headers; /* JSON array of [name, value], without what is secret */
    char *method, *target;
    struct chunk *body; /* NULL: not yet */
};

struct request_seen request_seen_of(const struct http_head *head);
void request_seen_free(struct request_seen *request);

struct seen {
    struct lock lock;
    struct model_seen models[TWIN_MODELS_MOST];
    int64_t refused; /* requests that named no model of ours, or were not understood */
    struct request_seen last;
};

void seen_init(struct seen *seen);
void seen_free(struct seen *seen);
void seen_reset(struct seen *seen); /* what is running and waiting stays */

/* Keeps the request, which it takes over, as the last one. */
void seen_request(struct seen *seen, struct request_seen *request, struct chunk *body);

void seen_refused(struct seen *seen);
void seen_waits(struct seen *seen, unsigned model, int change);
/* It starts (+1) or ends (-1) to run, holding that many tokens. */
void seen_runs(struct seen *seen, unsigned model, int change, int64_t tokens);
/* What the model's engine counts; running and waiting are its from now on. */
void seen_engine(struct seen *seen, unsigned model, const struct engine_metrics *metrics);
void seen_first_token(struct seen *seen, unsigned model, usec after_us);

struct ending {
    enum outcome outcome;
    const struct reply_usage *usage; /* NULL: it never came so far */
    int64_t produced, planned;       /* tokens */
    usec whole_us, decode_us;
};
void seen_ending(struct seen *seen, unsigned model, const struct ending *ending);

/* GET /twin/seen, GET /twin/last, GET /metrics. */
void seen_write_json(struct seen *seen, const struct twin_settings *settings, struct buffer *out);
void seen_write_last(struct seen *seen, struct buffer *out);
struct chunk *seen_last_body(struct seen *seen); /* held for the caller; NULL if none */
void seen_write_metrics(struct seen *seen, const struct twin_settings *settings, struct buffer *out);

#endif
