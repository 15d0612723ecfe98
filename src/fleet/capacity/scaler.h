/* Who decides how many replicas there are: what scaling.h plays. Of this room only. */
#ifndef FLEET_SCALER_H
#define FLEET_SCALER_H

#include "fleet/capacity/scaling.h"

struct scaler_ops {
    const char *name;
    /* What it keeps; freed by free(). *start: with how many replicas it begins. */
    void *(*begin)(const struct scaling_traffic *traffic, double knob, unsigned *start);
    /* Each second, after the pool was brought there: how many from now on. */
    unsigned (*wants)(void *state, const struct scaling_traffic *traffic, usec now_us,
                      const struct model_pool_totals *totals);
    void (*sees)(void *state, const struct scaling_traffic *traffic, const struct carried *request); /* NULL: nothing */
};

extern const struct scaler_ops scaler_static, scaler_in_flight, scaler_capacity, scaler_oracle;

#endif
