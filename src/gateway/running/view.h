/* What the gateway works by at one time. A snapshot is a configuration and what belongs to it and is shared by all
 * workers. A view is one worker's own of a snapshot: what it knows of the targets that the configuration names, and the
 * credentials that it fetched for them. A reload gives every worker a new view; whatever began before (an exchange, a
 * judgement, a credential being fetched) holds the view that it began with, which goes when the last of them lets go. */
#ifndef GATEWAY_VIEW_H
#define GATEWAY_VIEW_H

#include <stdatomic.h>

#include "gateway/watch/directory.h"
#include "levers/estimate.h"
#include "quality/noise.h"

struct gateway_worker;
struct credential_cache;
struct switches;

/* The mistakes that a route's judges are known for: of other models' answers, and of stored ones. */
struct route_noise {
    struct judge_noise judge, semantic;
};

/* Counted by its holders, any thread. */
struct snapshot {
    atomic_uint holders;
    struct config *config; /* held */
    struct directory directory;
    struct route_noise *noises; /* of the judges of the configuration's routes */
};

/* The caller is its holder. `before` (NULL: none) is what it replaces: what backends told of their models stays known
 * where they are the same. */
struct snapshot *snapshot_new(struct config *config, struct snapshot *before);
struct snapshot *snapshot_hold(struct snapshot *snapshot);
void snapshot_release(struct snapshot *snapshot);

/* Counted by its holders, all on its worker's thread. */
struct view {
    unsigned holders;
    struct gateway_worker *worker;
    struct snapshot *snapshot;   /* held */
    const struct config *config; /* of the snapshot */
    struct facts_source targets;
    struct credential_cache *credentials;        /* one per backend */
    struct lever_setting (*levers)[LEVER_COUNT]; /* of the configuration's routes, with what was set at run time; NULL:
                                                    nothing was */
};

/* Takes its own hold on the snapshot; the caller is the view's holder. `before` as above: credentials that are still
 * good are taken over. */
struct view *view_new(struct gateway_worker *worker, struct snapshot *snapshot, const struct view *before);

/* From now on the levers stand so. */
void view_take_switches(struct view *view, const struct switches *switches);

/* How a route's levers stand; a route of the request's own has its own. */
const struct lever_setting *view_levers(const struct view *view, const struct route_config *route);

/* NULL: nothing is known of the mistakes of the route's judge. */
const struct judge_noise *view_noise(const struct view *view, const struct route_config *route);
const struct judge_noise *view_semantic_noise(const struct view *view, const struct route_config *route);

struct view *view_hold(struct view *view);
void view_release(struct view *view);

#endif
