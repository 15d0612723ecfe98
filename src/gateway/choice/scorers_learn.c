/* What audits teach a scorer, off the loop; and when a view of that is frozen. */
#include <math.h>
#include <stdlib.h>

#include "base/hash.h"
#include "gateway/choice/request_features.h"
#include "gateway/choice/scorers_parts.h"
#include "gateway/gateway.h"
#include "levers/router.h"
#include "levers/terms.h"

struct learning {
    struct job job;
    struct gateway_worker *worker;
    struct view *view; /* held */
    struct taught taught;
};

/* An audit that began before a reload ends after it: what is learned by now is about the new models. */
static bool
is_about_others(const struct scorer *scorer, const struct route_config *route, const struct embedder *embedder)
{
    return scorer->models != 0 && scorer->models != scorer_mark_models(route, embedder);
}

/* How far the one of the route's models has come that has come farthest, by what is known now: an audit may have been drawn
 * long ago. */
enum progress {
    PROGRESS_LITTLE,
    PROGRESS_HALF, /* more than half of the way to serve, as its audits came so far: a new view would have it begin anew */
    PROGRESS_SERVES
};

static enum progress
progress_of_model(const struct evidence_verdict *verdict)
{
    if (verdict->serving.arm != ARM_NONE)
        return PROGRESS_SERVES;
    return verdict->next.arm != ARM_NONE && verdict->next.missing_as_so_far < verdict->next.labels ? PROGRESS_HALF
                                                                                                   : PROGRESS_LITTLE;
}

/* Of a model that is another, in the slice at that place, from 1 on; where the route is not cut all is in the first. Ends with a NUL.
 * False: there is none. */
static bool
name_evidence(struct evidences *evidences, const struct route_config *route, const struct target *target,
              unsigned place, struct buffer *name)
{
    buffer_clear(name);
    buffer_printf(name, "%s %s", lever_name(LEVER_ROUTER), target->name);
    if (!route_candidate_differs(route, target))
        return false;
    if (route->slices.count > 0)
        buffer_add_text(name, EVIDENCE_PART);
    if (route->slices.count > 0 ? !parts_at(&evidences->parts, route->name, place, name) : place > 1)
        return false;
    buffer_add_byte(name, '\0');
    return true;
}

static enum progress
progress_of(const struct learning *learning)
{
    const struct route_config *route = learning->taught.route;
    struct evidences *evidences = &learning->worker->gateway->evidences;
    enum progress most = PROGRESS_LITTLE;
    struct buffer name = {0};

    for (size_t i = 0; i < route->candidate_count; i++)
        for (unsigned place = 1;
             most != PROGRESS_SERVES && name_evidence(evidences, route, &route->candidates[i], place, &name); place++) {
            struct evidence_verdict verdict =
                shared_evidence_verdict(evidences_at(evidences, route->name, buffer_content(&name).data));
            enum progress progress = progress_of_model(&verdict);

            most = progress > most ? progress : most;
        }
    buffer_free(&name);
    return most;
}

static bool
has_view(struct scorer *scorer)
{
    bool has;

    lock_take(&scorer->view_lock);
    has = scorer->frozen != NULL;
    lock_drop(&scorer->view_lock);
    return has;
}

/* What teaches a view also brings it on, so that it is soon more than half of the way or less. But not in a slice that nobody asks in any
 * more: others wait for that one until labels have doubled once more, and no longer. */
static bool
waits_for_half(const struct scorer *scorer, const struct learning *learning)
{
    return learning->taught.route->slices.count == 0 || router_labels(scorer->router) / 2 < scorer->next_labels;
}

/* A view is due. Without one all score the same, and what is earned is earned for all: no other can do better. Where there are
 * several models, or slices, none is tried (gateway/choice/choosing.c). Freezing takes a while, in which others learn. */
static void
freeze_next(struct scorer *scorer, const struct learning *learning, unsigned models)
{
    bool tried = models == 1 && learning->taught.route->slices.count == 0 && has_view(scorer);
    enum progress progress = progress_of(learning),
                  most = waits_for_half(scorer, learning) ? PROGRESS_LITTLE : PROGRESS_HALF;
    struct frozen *frozen;

    if (progress > most && (progress != PROGRESS_SERVES || !tried))
        return;
    frozen = scorer_freeze(scorer, scorer->models);
    if (progress == PROGRESS_SERVES)
        scorer_put_on_trial(scorer, frozen);
    else if (progress_of(learning) <= most)
        scorer_show(scorer, frozen, scorer->models, WARM_OVER);
    else
        frozen_release(frozen);
}

enum { HOURS_AHEAD_MOST = 2 };

bool
scorer_taught_in(uint64_t taught_until, uint64_t hour)
{
    return hour != 0 && taught_until >= hour && taught_until <= hour + HOURS_AHEAD_MOST;
}

static void
run_taught(struct job *job)
{
    const struct learning *learning = CONTAINER_OF(job, struct learning, job);
    const struct taught *taught = &learning->taught;
    const struct embedder *embedder = learning->worker->gateway->embedder;
    unsigned place = scorer_place(taught->route, taught->model), count = terms_models(taught->route);
    struct scorer *scorer = taught->scorer;
    struct features features;
    float outcomes[ROUTER_MODELS_MOST];
    struct slice body = chunk_bytes(taught->body);

    if (place >= count)
        return;
    for (unsigned i = 0; i < count; i++)
        outcomes[i] = i == place ? (float)taught->outcome : NAN;
    request_features(embedder, taught->api, body, &features);
    lock_take(&scorer->lock);
    if (!is_about_others(scorer, taught->route, embedder)) {
        scorer_ensure_models(scorer, taught->route, embedder);
        if (scorer_warm(scorer) != WARM_OVER) {
            lock_drop(&scorer->lock);
            return;
        }
        if (scorer->router == NULL)
            scorer->router = router_new(count, embedder_table_id(embedder), embedder_dims(embedder));
        router_learn(scorer->router, &features, outcomes, hash_fast(body, 0));
        if (taught->hour != 0 && !scorer_taught_in(scorer->taught_until, taught->hour))
            scorer->taught_until = taught->hour;
        if (router_labels(scorer->router) >= scorer->next_labels)
            freeze_next(scorer, learning, count);
    }
    lock_drop(&scorer->lock);
}

static void
taught_done(struct job *job)
{
    struct learning *learning = CONTAINER_OF(job, struct learning, job);

    learning->worker->comparing--;
    chunk_release(learning->taught.body);
    view_release(learning->view);
    free(learning);
}

void
scorer_learn(struct gateway_worker *worker, struct view *view, const struct taught *taught)
{
    struct world *world = worker_world(worker);
    struct learning *learning = must_alloc(sizeof(*learning));

    *learning = (struct learning){
        .job = {.run = run_taught, .done = taught_done}, .worker = worker, .view = view_hold(view), .taught = *taught};
    chunk_hold(learning->taught.body);
    worker->comparing++;
    world->ops->work(world, &learning->job);
}
