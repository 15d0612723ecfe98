#include "gateway/running/adopt.h"

#include "cache/store.h"
#include "gateway/choice/part.h"
#include "gateway/watch/rent.h"

static void
adopt(struct round *round, struct gateway_worker *worker)
{
    const struct adoption *adoption = CONTAINER_OF(round, struct adoption, round);
    struct view *before = worker->view;

    worker->view = view_new(worker, adoption->snapshot, before);
    view_release(before);
}

static void
all_have_it(struct round *round)
{
    struct adoption *adoption = CONTAINER_OF(round, struct adoption, round);

    snapshot_release(adoption->snapshot);
    adoption->snapshot = NULL;
    adoption->done(adoption);
}

void
adoption_start(struct adoption *adoption, struct gateway *gateway, struct world *first, struct config *config)
{
    struct snapshot *before = gateway->snapshot;

    ENSURE(first->worker == 0 && adoption->snapshot == NULL);
    gateway->snapshot = snapshot_new(config, before);
    rent_keeper_takes(gateway->rent, config);
    budgets_configure(&gateway->budgets, config->all_budgets.all, config->all_budgets.count);
    budgets_set_shares(&gateway->budgets, config->alerts.shares_ppm, config->alerts.share_count);
    parts_of_routes_follow(&gateway->evidences, config);
    if (config->cache.bytes != before->config->cache.bytes)
        cache_resize(gateway->cache, config->cache.bytes);
    adoption->snapshot = snapshot_hold(gateway->snapshot);
    snapshot_release(before);
    adoption->round.at_worker = adopt;
    adoption->round.home_again = all_have_it;
    round_start(&adoption->round, gateway, first);
}
