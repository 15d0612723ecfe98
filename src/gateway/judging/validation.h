/* A route's validators asked about a text, one after the other, until one finds it not useful: schema and expression off the
 * loop, a command, a service. What each says of a text is quality/validate.h; who wants to know are outcomes (outcome.h),
 * when the client has its answer, and the cascade (acceptance.h), before. */
#ifndef GATEWAY_VALIDATION_H
#define GATEWAY_VALIDATION_H

#include "gateway/gateway.h"
#include "quality/validate.h"

struct view;

/* Embedded in whoever asks. */
struct validation {
    struct gateway_worker *worker;
    struct view *view; /* whose route and tenant are; held */
    const struct route_config *route;
    const struct tenant_config *tenant;
    char id_text[16];   /* of the request that it answers */
    struct buffer text; /* to be judged; freed with it */
    void (*done)(struct validation *);
    enum opinion opinion; /* useful: all say so; not: one does; unknown: none does, and one could not tell */
    char reason[REASON_SIZE];
    /* Its own: */
    enum validator at;        /* who is asked */
    enum opinion job_opinion; /* of a job */
    struct job job;
    struct command_run run;
    struct call call;
    unsigned status; /* of the call */
    struct buffer question, answer;
};

/* All above `opinion` is filled in; `done` may be called before this returns. */
void validation_start(struct validation *validation);

/* Lets go of the text and the view. */
void validation_free(struct validation *validation);

/* A text of the route that cannot be asked about: each validator counts it as one that it could not tell. */
void validation_count_unknown(struct gateway_worker *worker, const struct validator_config *config);

#endif
