#include "gateway/choice/warm_start.h"

#include <math.h>
#include <stdlib.h>

#include "config/labelled.h"
#include "gateway/choice/request_features.h"
#include "gateway/gateway.h"
#include "levers/terms.h"
#include "quality/router.h"

/* Some tens of milliseconds at a time: the threads that do it have other work too. */
enum { AT_A_TIME = 64 };

struct warming {
    struct job job;
    struct gateway_worker *worker;
    struct view *view; /* whose route it is; held */
    const struct route_config *route;
    struct scorer *scorer;
    struct router *router; /* NULL: it was handed over */
    size_t learned;
    unsigned columns[ROUTER_MODELS_MOST]; /* of the scores of each model; LABELLED_MODELS_MOST: nobody says */
};

static void
find_columns(struct warming *warming)
{
    const struct route_config *route = warming->route;

    for (size_t i = 0; i < route->candidate_count; i++) {
        const struct target *target = &route->candidates[i];
        unsigned place = scorer_place(route, target);

        if (route_candidate_differs(route, target) && place < terms_models(route))
            warming->columns[place] = labelled_target(route->router.labelled, target);
    }
}

static void
learn_one(struct warming *warming, size_t at)
{
    const struct labelled *labelled = warming->route->router.labelled;
    unsigned count = terms_models(warming->route);
    float outcomes[ROUTER_MODELS_MOST];
    struct features features;

    for (unsigned i = 0; i < count; i++)
        outcomes[i] = warming->columns[i] != LABELLED_MODELS_MOST ? labelled->all[at].scores[warming->columns[i]] : NAN;
    request_features_of_turn(warming->worker->gateway->embedder, labelled_prompt(labelled, at), &features);
    router_learn(warming->router, &features, outcomes, at);
}

static bool
is_over(const struct warming *warming)
{
    return warming->learned == warming->route->router.labelled->count;
}

static void
hand_over(struct warming *warming, struct router *router)
{
    scorer_take_warm(warming->scorer, warming->route, warming->worker->gateway->embedder, router);
}

static void
run_some(struct job *job)
{
    struct warming *warming = CONTAINER_OF(job, struct warming, job);

    for (unsigned i = 0; i < AT_A_TIME && !is_over(warming); i++)
        learn_one(warming, warming->learned++);
    if (!is_over(warming))
        return;
    hand_over(warming, warming->router);
    warming->router = NULL;
}

static void
end(struct warming *warming)
{
    struct gateway_worker *worker = warming->worker;

    if (is_over(warming))
        log_line(
            worker->gateway->log, LOG_INFO,
            "route %s: its router has learned of the %zu labelled requests in %s; what other models may serve, audits "
            "will say",
            warming->route->name, warming->learned, warming->route->router.warm_start);
    else
        hand_over(warming, NULL);
    router_free(warming->router);
    worker->comparing--;
    view_release(warming->view);
    free(warming);
}

/* Not longer than the worker. A reload that changes what it is about makes it vain, any other does not. */
static void
some_done(struct job *job)
{
    struct warming *warming = CONTAINER_OF(job, struct warming, job);
    struct gateway_worker *worker = warming->worker;
    struct world *world = worker_world(worker);

    if (is_over(warming) || worker->no_missions)
        end(warming);
    else
        world->ops->work(world, &warming->job);
}

void
warm_start(struct gateway_worker *worker, struct view *view, const struct route_config *route)
{
    const struct embedder *embedder = worker->gateway->embedder;
    struct scorer *scorer = scorer_at(&worker->gateway->scorers, route->name);
    struct world *world = worker_world(worker);
    struct warming *warming;

    if (route->router.labelled == NULL || !scorer_wants_warm(scorer, route, embedder))
        return;
    warming = must_alloc(sizeof(*warming));
    *warming = (struct warming){
        .job = {.run = run_some, .done = some_done},
        .worker = worker,
        .view = view_hold(view),
        .route = route,
        .scorer = scorer,
        .router = router_new(terms_models(route), embedder_table_id(embedder), embedder_dims(embedder)),
    };
    find_columns(warming);
    worker->comparing++;
    world->ops->work(world, &warming->job);
}
