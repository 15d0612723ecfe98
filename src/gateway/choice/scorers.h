/* What scores a route's other models for a request: a router (quality/router.h) for each route, which learns from every
 * audit, and a frozen view of it, by which requests are scored. Shared by all workers.
 *
 * Until a view is frozen nobody can tell requests apart, and all score the same. One is frozen when so many audits were
 * learned from and nothing serves, and anew whenever they have doubled and still nothing serves: each view is an epoch of
 * the evidence, which starts from nothing then. So none is while some model is more than half of the way to serve, as its
 * audits came so far. While something serves, scores stay what they are; the next view, frozen when audits have doubled, is on
 * trial beside it: it scores too, evidence of its own learns from the same audits, and when that has earned a wider arm than
 * the one that serves, it takes over. No view is proved by what it learned from: where the coin draws a part of the
 * conversations only, which stays the same for an hour, audits count for a view's earning from the next hour on. The view is kept over a restart with the evidence that is about it; what was learned
 * since is not, nor is one on trial.
 *
 * Where the route has a file of labelled requests (`warm_start`), what is learned of it (warm_start.h) makes the first view,
 * and audits come on top. It is a ranking of requests and no more: evidence begins with nothing, as with any view. */
#ifndef GATEWAY_SCORERS_H
#define GATEWAY_SCORERS_H

#include "base/lock.h"
#include "base/map.h"
#include "dialect/api.h"
#include "embed/embedder.h"
#include "quality/router.h"
#include "world.h"

struct buffer;
struct chunk;
struct config;
struct gateway_worker;
struct features;
struct route_config;
struct router;
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

/* What a view says of a request. */
struct scored {
    uint64_t mark;                    /* stands for the view; 0: there is none, and all scores are 1 */
    uint64_t taught_until;            /* the last hour of which it learned a part that the coin drew; 0: none */
    float scores[ROUTER_MODELS_MOST]; /* of the route's other models, in the configuration's order */
};

/* Did what was drawn in this hour (0: in none) teach it, or what was drawn later, by a clock that was set back since? A clock that
 * was hours ahead is forgotten: nothing would be proved before that hour came. */
bool scorer_taught_in(uint64_t taught_until, uint64_t hour);

/* By the view that serves, and by the one on trial. On a worker's loop. `why` (or NULL): room for ROUTER_MODELS_MOST; returns for
 * how many models the view that serves filled it in: for all, or where there is no view for none. */
unsigned scorer_score(struct scorer *scorer, const struct route_config *route, const struct embedder *embedder,
                      enum api api, struct slice body, struct scored *now, struct scored *on_trial,
                      struct router_explanation *why);

/* The view on trial takes the place of the one that serves. False: it is another one by now. Any thread; waits for nobody. */
bool scorer_take_over(struct scorer *scorer, uint64_t on_trial);

/* What serves was suspended: the trial is over. Likewise. */
void scorer_end_trial(struct scorer *scorer);

/* Where a request had no view: has the route a file that is to be learned of now? True to the first who asks, who does so
 * and calls scorer_take_warm; until then audits teach nothing. */
bool scorer_wants_warm(struct scorer *scorer, const struct route_config *route, const struct embedder *embedder);

/* Off the loop, but for NULL. Takes the router over; NULL: it was given up, and somebody else may. */
void scorer_take_warm(struct scorer *scorer, const struct route_config *route, const struct embedder *embedder,
                      struct router *router);

/* How many labelled requests its view began with. False: it has no file; 0: it is still learning of them. */
bool scorer_warm_labels(struct scorer *scorer, uint64_t *labels);

/* The place of a model among the route's other ones (levers/terms.h says how many), in the configuration's order. */
unsigned scorer_place(const struct route_config *route, const struct target *model);

/* An audit to be learned from, off the loop: of a request's body, whether that model's answer to it was acceptable. Its evidence
 * has learned of it before: what that serves now, no view that is frozen by it takes away. Takes its own holds. */
struct taught {
    struct scorer *scorer;
    const struct route_config *route; /* lives as long as `view` */
    const struct target *model;
    enum api api;
    struct chunk *body;
    double outcome;
    uint64_t
        hour; /* of whose conversations the coin drew a part, and this one; 0: all were drawn, or none comes again */
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
