/* From what an engine's page tells to what is believed of the engine. Nothing here closes a door for ever: a value that is
 * missing keeps its last one for a while, what is old counts for less and less, and at last there is only what we
 * count ourselves (replica.h). */
#ifndef FLEET_TOLD_H
#define FLEET_TOLD_H

#include "fleet/dispatch/replica.h"
#include "fleet/health/engine_metrics.h"

/* A value that a page leaves out is as it was for so long. */
#define TOLD_KEPT_US (10 * USEC_PER_S)

/* What was told counts in full for so long, so that a scrape that is late is no matter, and then half as much after each
 * further span. */
#define TOLD_FRESH_US (2 * USEC_PER_S)
#define TOLD_HALF_LIFE_US (5 * USEC_PER_S)
#define TOLD_GONE_US (60 * USEC_PER_S)

/* Rates are of about the last so long. */
#define TOLD_RATE_HALF_LIFE_US (5 * USEC_PER_S)

/* What one engine told last of each field. Zeroed: nothing. */
struct told_memory {
    double of[TOLD_FIELDS];
    usec at_us[TOLD_FIELDS]; /* 0: never */
};

/* Takes what a page told just now, and fills in what it left out. */
void told_fill(struct told_memory *memory, struct engine_told *told, usec now_us);

/* Nothing is known. */
void told_nothing(struct replica_told *out);

/* From a page read just now; `before` is what held so far, for the rates: counters that went back begin anew. */
void told_next(const struct replica_told *before, const struct engine_told *page, usec now_us,
               struct replica_told *out);

/* How much what was told then is worth now: 1 to 0, which it comes to after TOLD_GONE_US. */
double told_worth(usec at_us, usec now_us);

/* What is there now, ours and others': ours as we count them, so that what was sent a moment ago is among them, and others'
 * as they were told, the less the older that is. */
struct told_load {
    double requests;
    double filling;        /* of them, whose answers have not begun: of others', those that wait */
    double filling_tokens; /* of their prompts, what is to be computed */
    double context_tokens; /* in its cache of keys and values, and of what waits for room there */
    double output_tokens;  /* still to be expected */
};

/* An engine tells how many requests of others are there, not what they are: they are taken to be as ours there were, and
 * before there were any, like the one that is asked for. */
void told_load(const struct replica_look *look, const struct replica_wish *like, usec now_us, struct told_load *out);

/* The requests of it alone, without a whole look. */
double told_requests(struct replica *replica, usec now_us);

/* Which share of its cache of keys and values is in use now, 0 to 1. */
double told_kv_share(const struct replica_look *look, usec now_us);

#endif
