/* Several replays of one trace side by side: the same requests, the same seed, and in each another number of replicas,
 * another policy, or both; or other fleets that change (replay_scaling.h). They are played one after the other, and what
 * each came to is kept. */
#ifndef CMD_REPLAY_VARIANTS_H
#define CMD_REPLAY_VARIANTS_H

#include "cmd/replay/replay_fleet.h"
#include "cmd/replay/replay_trace.h"
#include "cmd/replay/replay_world.h"

enum { REPLAY_VARIANTS_MOST = 96, REPLAY_VARIANT_NAME = 48 };

/* The one among fleets that change that is played through the gateway, as it recommends itself. */
#define REPLAY_BY_GATEWAY "gateway"

/* What one came to. */
struct replay_outcome {
    struct replay_summary summary;
    uint64_t requests, ok, limited, within;
    uint64_t beyond;            /* of those limited: what not even an idle replica could have answered in time */
    int64_t tokens;             /* of input and output */
    wide_int cost;              /* what requests were charged */
    double engine_hours;        /* of all engines with a pair, busy or not */
    wide_int engines_cost;      /* these hours at each backend's usd_per_hour */
    bool engines_priced;        /* all of them have one */
    wide_int paid;              /* engines_cost, and what was charged for all that is not paid by the hour */
    int64_t engines, kv_tokens; /* how many, and their caches' room together */
    int64_t prefix_asked, prefix_found; /* tokens of prompts that their caches were asked for, and had */
    int64_t preemptions;
    double busy;                           /* share of the time at work, the mean of all engines; NAN: not known */
    int64_t requests_least, requests_most; /* of one engine, of the backend where that differs most */
};

struct replay_variant {
    char name[REPLAY_VARIANT_NAME]; /* "affinity", "8", "8 affinity", "in_flight 4" */
    struct replay_settings settings;
    bool played; /* also in part */
    bool whole;  /* and to its end */
    /* Of fleets that change: */
    const char *scaler; /* who decides (fleet/capacity/scaling.h); NULL: it does not change */
    double knob;
    bool tried; /* another run of the same scaler is told to people */
    bool bound; /* nobody can have it: it knows the future */
    struct replay_outcome outcome;
};

struct replay_comparison {
    bool sizes_vary, policies_vary, fleets_change; /* one of them at least; the last one only by itself */
    usec cold_us;                                  /* of fleets that change: until a replica is there */
    unsigned attain_ppm;                           /* of the answers, that have to be within their limits */
    const char *trace;                             /* its name, without the folder */
    enum trace_format format;
    struct replay_variant variants[REPLAY_VARIANTS_MOST];
    size_t count;
    /* What one cache with the room of all of the first variant's would have had of these prompts; below 0: the trace
     * tells no blocks, or not all variants have the same room. */
    double pooled;
    bool interrupted;
};

/* What a world came to that has played its trace; with a fleet that changed, or NULL. */
void replay_outcome_take(const struct replay_world *world, const struct replay_fleet *fleet,
                         struct replay_outcome *out);

/* A further variant, of which there are fewer than REPLAY_VARIANTS_MOST; named by what varies. */
void replay_variant_add(struct replay_comparison *comparison, const struct replay_settings *settings);

/* Plays them all. CMD_FINE, or the exit status once it has said what is wrong. The trace must be a file: it is read for
 * each anew. */
int replay_variants_play(struct replay_comparison *comparison, const char *path, const struct trace_options *options);

/* What was within the limits, of all that could have been; NAN: nothing has limits. */
double replay_attained(const struct replay_outcome *outcome);

/* Enough of them. */
bool replay_attains(const struct replay_outcome *outcome, unsigned attain_ppm);

/* Rather a than b: what attains enough and costs less, else what attains more. */
bool replay_is_better(const struct replay_comparison *comparison, const struct replay_outcome *a,
                      const struct replay_outcome *b);

/* Is it told to people, and not only tried? */
bool replay_variant_is_shown(const struct replay_variant *variant);

/* Are they compared by what is enough and what it costs? */
bool replay_variants_sized(const struct replay_comparison *comparison);

/* Whether variants are compared by dollars: all their engines have a price by the hour. Else by replica-hours. */
bool replay_variants_priced(const struct replay_comparison *comparison);

/* The cheapest of those that attained enough; NULL: none did, or nothing has limits. */
const struct replay_variant *replay_variants_cheapest(const struct replay_comparison *comparison);

/* For people, as JSON, and as a picture. */
void replay_variants_text(const struct replay_comparison *comparison, bool colour, struct buffer *out);
void replay_variants_json(const struct replay_comparison *comparison, struct buffer *out);
void replay_variants_svg(const struct replay_comparison *comparison, struct buffer *out);

#endif
