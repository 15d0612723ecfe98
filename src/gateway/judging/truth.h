/* Which of two answers are right, as a route's validators say of each by itself: what a floor needs that speaks of how often the
 * route's answers are right beside the reference's (acceptable: of: relative). */
#ifndef GATEWAY_TRUTH_H
#define GATEWAY_TRUTH_H

#include "gateway/judging/validation.h"

/* Embedded in whoever wants to know; he fills in what stands above `failed`. */
struct truth {
    struct gateway_worker *worker;
    struct view *view; /* whose route and tenant are */
    const struct route_config *route;
    const struct tenant_config *tenant;
    const char *id_text;                /* of the request that they answer */
    struct buffer reference, candidate; /* texts; taken over */
    void (*done)(struct truth *);       /* on the worker; maybe before truth_find returns */
    bool failed;                        /* some validator could not tell */
    bool reference_right, candidate_right;
    struct validation validation; /* its own */
};

void truth_find(struct truth *truth);

#endif
