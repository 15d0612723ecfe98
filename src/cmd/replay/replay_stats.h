/* What a replay collects from the ledger's rows, and what it makes of them. All of it is modelled. Exact: each request
 * leaves a sample of 64 bytes, nothing is estimated from buckets. */
#ifndef CMD_REPLAY_STATS_H
#define CMD_REPLAY_STATS_H

#include "base/buffer.h"
#include "base/timers.h"
#include "config/config.h"
#include "money/row.h"

enum { REPLAY_STATES_MOST = 16, REPLAY_SLICES_MOST = 90 };

/* One request. Times in microseconds; -1: not known. */
struct replay_sample {
    usec arrived_us; /* since the replay's start */
    usec first_token_us, total_us;
    int64_t input_tokens, output_tokens;
    usd cost, baseline;           /* USD_UNKNOWN: not known */
    const struct key_config *key; /* NULL: none */
    uint8_t state;                /* in states */
    bool ok, streamed;
    bool limited, within; /* its route has limits that it can be held to; it was answered in full within them */
};

struct replay_state {
    char name[32];
    char why[160]; /* the first thing that the gateway said of one; "": nothing */
    uint64_t count;
};

struct replay_backend {
    uint64_t calls;
    usec working_us; /* sum over calls of how long each was open */
    int64_t input_tokens, output_tokens;
    wide_int charged; /* what requests were charged for it: of stats.cost, each part at one backend */
};

struct replay_engines;

struct replay_stats {
    const struct config *config;
    usec start_wall_us;
    struct replay_sample *samples; /* in the order in which they ended */
    size_t count, size;
    struct replay_state states[REPLAY_STATES_MOST]; /* as the rows say it, in the order of their first row */
    size_t state_count;
    struct replay_backend *backends; /* as in the configuration */
    bool (*could)(const struct replay_engines *, const struct route_config *, const struct row *);
    const struct replay_engines *engines; /* for `could` */
    wide_int cost, baseline, saved;       /* as the ledger adds them up: baseline where both are known */
    uint64_t unpriced, estimated, limited, within;
    uint64_t beyond; /* of those limited and not within: not even an idle replica could have answered in time */
    int64_t input_tokens, cache_read_tokens, output_tokens;
};

/* `could` stays NULL, or is told before the first row: any request could be answered in time. */
void replay_stats_init(struct replay_stats *stats, const struct config *config, usec start_wall_us);
void replay_stats_free(struct replay_stats *stats);
void replay_stats_row(struct replay_stats *stats, const struct row *row);

/* What was seen, sorted; microseconds. */
struct quantiles {
    size_t count;
    double p50, p90, p95, p99, most, mean; /* 0 if nothing was seen */
};

/* A stretch of time. */
struct replay_slice {
    uint64_t arrived, ended, ok;
    int64_t output_tokens;        /* of requests that ended in it */
    double in_flight;             /* the mean */
    wide_int cost, baseline;      /* of requests that ended in it */
    struct quantiles first_token; /* of requests that arrived in it */
};

struct replay_summary {
    usec span_us;     /* from the start to the end of the last request */
    usec arrivals_us; /* from the start to the last arrival */
    struct quantiles first_token, per_token, total;
    double in_flight;
    uint64_t in_flight_most;
    usec slice_us;
    struct replay_slice slices[REPLAY_SLICES_MOST];
    size_t slice_count;
};

/* First token and time per output token are of streams answered in full, total of all that were. In at most so many
 * slices, up to REPLAY_SLICES_MOST. */
void replay_summarize(const struct replay_stats *stats, unsigned slices_most, struct replay_summary *out);

#endif
