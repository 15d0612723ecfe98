/* What scores a route's other models for a request: a router (quality/router.h) for each route, which learns from every
 * audit, and a frozen view of it, by which requests are scored. Shared by all workers.
 *
 * Until a view is frozen nobody can tell requests apart, and all score the same. One is frozen when so many audits were
 * learned from and nothing serves, and anew whenever they have doubled and still nothing serves: each view is an epoch of
 * the evidence, which starts from nothing then. While something serves, scores stay what they are. The view is kept over a restart
 * with the evidence that is about it; what was learned since is not. */
#ifndef GATEWAY_SCORERS_H
#define GATEWAY_SCORERS_H

#include "base/lock.h"
#include "base/map.h"
#include "dialect/api.h"
#include "embed/embedder.h"
#include "world.h"

struct buffer;
struct chunk;
struct config;
struct gateway_worker;
struct route_config;
struct scorer; /* of one route */
struct target;
struct view;

struct scorers {
    struct lock lock;
    struct map map; /* by route */
    struct scorer *first;
};

enum { SCORER_LABELS_FIRST = 256 };

void scorers_init(struct scorers *scorers);
void scorers_free(struct scorers *scorers);

/* Made if it is not there yet; stays where it is until scorers_free. */
struct scorer *scorer_at(struct scorers *scorers, const char *route);

/* The score of each of the route's other models, in the configuration's order; what is returned stands for the view that
 * made them. 0: there is none yet, and all are 1. On a worker's loop. */
uint64_t scorer_score(struct scorer *scorer, const struct route_config *route, const struct embedder *embedder,
                      enum api api, struct slice body, float *scores);

/* An audit to be learned from, off the loop: of a request's body, whether that model's answer to it was acceptable. `serves`:
 * something has been earned, so no view is to be frozen now. Takes its own holds. */
struct taught {
    struct scorer *scorer;
    const struct route_config *route; /* lives as long as `view` */
    const struct target *model;
    enum api api;
    struct chunk *body;
    double outcome;
    bool serves;
};

void scorer_learn(struct gateway_worker *worker, struct view *view, const struct taught *taught);

/* For whoever keeps it: the view as it was frozen, appended; nothing if there is none. Any thread. */
void scorer_save(struct scorer *scorer, struct buffer *out);
void scorer_restore(struct scorer *scorer, struct slice bytes);

/* What was restored is made ready for the configuration's routes, which takes long: before anything is served. */
void scorers_open(struct scorers *scorers, const struct config *config, const struct embedder *embedder);
struct scorer *scorers_next(struct scorers *scorers, struct scorer *scorer); /* as evidences_next */
const char *scorer_route(const struct scorer *scorer);

#endif
