#include "gateway/gateway.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cache/store.h"
#include "fleet/health/utilisation.h"
#include "gateway/attempt/batch.h"
#include "gateway/choice/part.h"
#include "gateway/control.h"
#include "gateway/exchange.h"
#include "gateway/flight/share.h"
#include "gateway/running/switches.h"
#include "levers/promotions.h"
#include "levers/semantic_index.h"

void
gateway_set_salt(struct gateway *gateway, uint64_t salt)
{
    char text[sizeof("equal requests ") + 20];
    struct digest digest;
    int len = snprintf(text, sizeof(text), "equal requests %" PRIu64, salt);

    gateway->salt = salt;
    gateway->secret = hash_sha256(slice_make(text, (size_t)len));
    len = snprintf(text, sizeof(text), "audits %" PRIu64, salt);
    digest = hash_sha256(slice_make(text, (size_t)len));
    memcpy(gateway->coin.secret, digest.bytes, sizeof(gateway->coin.secret));
}

void
gateway_init(struct gateway *gateway, struct config *config, struct log *log, uint64_t salt)
{
    *gateway = (struct gateway){.log = log, .snapshot = snapshot_new(config, NULL)};
    gateway_set_salt(gateway, salt);
    experiences_init(&gateway->experiences);
    gateway->prompts = prompt_memory_new();
    alerts_init(&gateway->alerts);
    runaways_init(&gateway->runaways);
    budgets_init(&gateway->budgets);
    budgets_configure(&gateway->budgets, config->all_budgets.all, config->all_budgets.count);
    budgets_set_shares(&gateway->budgets, config->alerts.shares_ppm, config->alerts.share_count);
    healths_init(&gateway->healths);
    admissions_init(&gateway->admissions);
    gateway->utilisation = utilisation_new();
    kept_init(&gateway->kept);
    gateway->cache = cache_new(config->cache.bytes);
    gateway->shares = shares_new();
    lock_init(&gateway->meanings_lock);
    gateway->turns_most = config->cache.turns;
    evidences_init(&gateway->evidences);
    parts_of_routes_follow(&gateway->evidences, config);
    evidences_init(&gateway->on_trial);
    learning_books_init(&gateway->learning);
    samenesses_init(&gateway->samenesses);
    scorers_init(&gateway->scorers);
    acceptance_books_init(&gateway->acceptances);
    pay_books_init(&gateway->paying);
}

void
gateway_free(struct gateway *gateway)
{
    ENSURE(gateway->worker_count == 0);
    budgets_free(&gateway->budgets);
    runaways_free(&gateway->runaways);
    alerts_free(&gateway->alerts);
    snapshot_release(gateway->snapshot);
    switches_release(gateway->switches);
    kept_free(&gateway->kept);
    evidences_free(&gateway->evidences);
    evidences_free(&gateway->on_trial);
    learning_books_free(&gateway->learning);
    samenesses_free(&gateway->samenesses);
    scorers_free(&gateway->scorers);
    acceptance_books_free(&gateway->acceptances);
    pay_books_free(&gateway->paying);
    semantic_index_free(gateway->turns);
    promotions_free(gateway->promotions);
    embedder_close(gateway->embedder);
    lock_destroy(&gateway->meanings_lock);
    cache_free(gateway->cache);
    shares_free(gateway->shares);
    admissions_free(&gateway->admissions);
    utilisation_free(gateway->utilisation);
    healths_free(&gateway->healths);
    prompt_memory_free(gateway->prompts);
    experiences_free(&gateway->experiences);
}

/* Few requests come again when their own answer is gone and the other one is still there. */
enum { TURNS_PER_PROMOTION = 8 };

void
gateway_open_meanings(struct gateway *gateway)
{
    lock_take(&gateway->meanings_lock);
    if (gateway->embedder == NULL) {
        if (embedder_open_builtin(&gateway->embedder) != OK)
            ensure_failed("the embedder's table is whole", __FILE__, __LINE__);
        gateway->turns = semantic_index_new(embedder_dims(gateway->embedder), gateway->turns_most);
        gateway->promotions = promotions_new(gateway->turns_most / TURNS_PER_PROMOTION);
    }
    lock_drop(&gateway->meanings_lock);
}

bool
gateway_has_meanings(struct gateway *gateway)
{
    bool has;

    lock_take(&gateway->meanings_lock);
    has = gateway->embedder != NULL;
    lock_drop(&gateway->meanings_lock);
    return has;
}

/* Bits of an id: 44 of milliseconds (until the year 2527), 8 of worker, 12 of sequence. */
enum { SEQUENCE_BITS = 12, WORKER_BITS = 8 };

uint64_t
gateway_next_id(struct gateway_worker *worker)
{
    uint64_t ms = (uint64_t)(world_wall_us(worker_world(worker)) / USEC_PER_MS);
    uint64_t id = ms << (SEQUENCE_BITS + WORKER_BITS) | (uint64_t)worker_world(worker)->worker << SEQUENCE_BITS;

    /* More than 4,096 in a millisecond, or a clock that went back: go on from the last. */
    if (id <= worker->last_id) {
        id = worker->last_id + 1;
        if ((id & ((1u << SEQUENCE_BITS) - 1)) == 0)
            id = ((id >> (SEQUENCE_BITS + WORKER_BITS)) + 1) << (SEQUENCE_BITS + WORKER_BITS) |
                 (uint64_t)worker_world(worker)->worker << SEQUENCE_BITS;
    }
    worker->last_id = id;
    return id;
}

void
gateway_go_on_from(struct gateway *gateway, uint64_t last)
{
    uint64_t moment = last >> (SEQUENCE_BITS + WORKER_BITS) << (SEQUENCE_BITS + WORKER_BITS);
    uint64_t spent = (1u << SEQUENCE_BITS) - 1;

    for (unsigned i = 0; i < gateway->worker_count && last != 0; i++)
        gateway->workers[i]->last_id = moment | (uint64_t)i << SEQUENCE_BITS | spent;
}

/* On a full disk every request would log a line: one of so many does. */
enum { LOST_BETWEEN_LINES = 1000 };

bool
gateway_append(struct gateway_worker *worker)
{
    struct world *world = worker_world(worker);
    enum status status = world->ops->append(world, buffer_content(&worker->record));

    buffer_clear(&worker->record);
    if (status == OK)
        return true;
    count(&worker->counters, COUNT_JOURNAL_LOST, 1);
    if (counter_read(&worker->counters, COUNT_JOURNAL_LOST) % LOST_BETWEEN_LINES == 1)
        log_line(worker->gateway->log, LOG_ERROR, "the journal did not take a record: %s", status_text(status));
    return false;
}

int64_t
gateway_count(const struct gateway *gateway, enum counter which)
{
    int64_t sum = 0;

    for (unsigned i = 0; i < gateway->worker_count; i++)
        sum += counter_read(&gateway->workers[i]->counters, which);
    return sum;
}

/* The world's calls, handed on to whom they concern. */

static enum body_mode
on_head(struct application *app, struct client *client, const struct http_head *head, size_t *body_most)
{
    struct gateway_worker *worker = (struct gateway_worker *)app;
    struct identity identity;
    enum error_kind kind;
    const char *why;

    if (identify(worker, head, &identity, &kind, &why) != OK) {
        answer_refusal(worker, client, identity.dialect, kind, why);
        return BODY_REFUSED;
    }
    if (identity.errand == ERRAND_MODELS) {
        control_models(worker, client, head);
        return BODY_REFUSED;
    }
    if (identity.errand == ERRAND_FEEDBACK) {
        control_feedback(worker, client, identity.tenant);
        *body_most = FEEDBACK_BYTES_MOST;
        return BODY_COLLECT;
    }
    exchange_new(worker, client, head, &identity);
    *body_most = worker->view->config->limits.body_max;
    if (identity.api != API_PASSTHROUGH)
        return BODY_COLLECT;
    return BODY_STREAM; /* the first piece, which comes for an empty body too, sends it on its way */
}

static void
on_request(struct application *app, struct client *client, struct chunk *body)
{
    struct asker *asker = client->user;

    (void)app;
    asker->ops->request(asker, body);
}

static void
on_body(struct application *app, struct client *client, struct slice piece, bool last)
{
    struct asker *asker = client->user;

    (void)app;
    asker->ops->body(asker, piece, last);
}

static void
on_bad_body(struct application *app, struct client *client, unsigned status)
{
    struct asker *asker = client->user;

    (void)app;
    asker->ops->bad_body(asker, status);
}

static void
on_drained(struct application *app, struct client *client)
{
    struct asker *asker = client->user;

    (void)app;
    asker->ops->drained(asker);
}

static void
on_gone(struct application *app, struct client *client)
{
    struct asker *asker = client->user;

    (void)app;
    asker->ops->gone(asker);
}

static const struct application_ops gateway_ops = {
    .head = on_head,
    .request = on_request,
    .body = on_body,
    .bad_body = on_bad_body,
    .drained = on_drained,
    .gone = on_gone,
};

struct gateway_worker *
gateway_worker_new(struct gateway *gateway, struct world *world)
{
    struct gateway_worker *worker = must_calloc(1, sizeof(*worker));

    ENSURE(world->worker < WORKERS_MOST);
    worker->app = (struct application){.ops = &gateway_ops, .world = world};
    worker->gateway = gateway;
    flights_init(&worker->flights);
    exchanges_init(&worker->blocks);
    list_init(&worker->exchanges);
    list_init(&worker->judgements);
    list_init(&worker->outside_calls);
    list_init(&worker->mirrors);
    list_init(&worker->batch_queues);
    hasher_init(&worker->hasher);
    worker->view = view_new(worker, gateway->snapshot, NULL);
    return worker;
}

void
gateway_worker_free(struct gateway_worker *worker)
{
    ENSURE(worker->comparing == 0 && worker->missions == 0 && worker->outside_judges == 0);
    ENSURE(list_empty(&worker->exchanges) && list_empty(&worker->judgements) && list_empty(&worker->mirrors));
    batch_queues_free(worker);
    ENSURE(worker->views == 1 && worker->view->holders == 1);
    view_release(worker->view);
    switches_release(worker->switches);
    flights_free(&worker->flights);
    spares_clear(&worker->blocks);
    hasher_free(&worker->hasher);
    buffer_free(&worker->record);
    buffer_free(&worker->text);
    free(worker);
}
