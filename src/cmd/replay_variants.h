/* Several replays of one trace side by side: the same requests, the same seed, and in each something else (a policy, a
 * number of engines, a configuration). They are played one after the other, and what each came to is kept. */
#ifndef CMD_REPLAY_VARIANTS_H
#define CMD_REPLAY_VARIANTS_H

#include "cmd/replay_trace.h"
#include "cmd/replay_world.h"

enum { REPLAY_VARIANTS_MOST = 16, REPLAY_VARIANT_NAME = 48 };

/* What one came to. */
struct replay_outcome {
    struct replay_summary summary;
    uint64_t requests, ok, limited, within;
    wide_int cost;                      /* by the token */
    double engine_hours;                /* of all engines with a pair, busy or not */
    wide_int engines_cost;              /* these hours at each backend's usd_per_hour */
    bool engines_priced;                /* all of them have one */
    int64_t engines, kv_tokens;         /* how many, and their caches' room together */
    int64_t prefix_asked, prefix_found; /* tokens of prompts that their caches were asked for, and had */
    int64_t preemptions;
    double busy;                           /* share of the time at work, the mean of all engines */
    int64_t requests_least, requests_most; /* of one engine, of the backend where that differs most */
};

struct replay_variant {
    char name[REPLAY_VARIANT_NAME]; /* "affinity", "8 engines" */
    struct replay_settings settings;
    bool played;
    struct replay_outcome outcome;
};

struct replay_comparison {
    const char *what;  /* the first column's head: "policy" */
    const char *trace; /* its name, without the folder */
    enum trace_format format;
    struct replay_variant variants[REPLAY_VARIANTS_MOST];
    size_t count;
    /* What one cache with the room of all of the first variant's would have had of these prompts; below 0: the trace
     * tells no blocks. */
    double pooled;
    bool interrupted;
};

/* A further variant with these settings, to be changed. NULL: there are too many. */
struct replay_variant *replay_variant_add(struct replay_comparison *comparison, const struct replay_settings *settings,
                                          const char *name);

/* Plays them all. CMD_FINE, or the exit status once it has said what is wrong. The trace must be a file: it is read for
 * each anew. */
int replay_variants_play(struct replay_comparison *comparison, const char *path, const struct trace_options *options);

/* For people, as JSON, and as a picture. */
void replay_variants_text(const struct replay_comparison *comparison, bool colour, struct buffer *out);
void replay_variants_json(const struct replay_comparison *comparison, struct buffer *out);
void replay_variants_svg(const struct replay_comparison *comparison, struct buffer *out);

#endif
