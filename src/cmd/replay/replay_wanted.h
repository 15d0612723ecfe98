/* What the command line of `equipoise replay` asks for, read and checked. */
#ifndef CMD_REPLAY_WANTED_H
#define CMD_REPLAY_WANTED_H

#include "cmd/replay/replay_sizes.h"
#include "cmd/replay/replay_variants.h"
#include "fleet/capacity/scaling.h"

struct replay_wanted {
    struct replay_settings settings; /* of a single replay, or what all of several have in common */
    struct trace_options trace;
    const char *path; /* NULL: none is named, which only --engines may do without */
    bool json, engines;
    const char *svg, *csv;
    struct replay_sizes sizes; /* count 0: as the configuration says, one without it */
    enum policy_id policies[POLICY_COUNT];
    size_t policy_count; /* 0: as the configuration says */
    unsigned attain_ppm;
    bool scalers[SCALER_COUNT], by_gateway, scales; /* which fleets that change; any of them */
    usec cold_start_us, learn_us;

    /* As they were said; NULL: they were not. */
    struct {
        const char *format, *from, *until, *speed, *scale;
        const char *replicas, *policies, *attain, *first_token, *total, *usd_per_hour, *scaling, *cold_start, *learn;
        uint64_t input_mean, output_mean;
    } said;
};

/* OPTIONS_GO_ON, or the exit status to end with, once it has said why. */
int replay_wanted_read(struct replay_wanted *wanted, int argc, char **argv);

#endif
