#include "gateway/reuse/semantic.h"

#include <stdlib.h>

#include "cache/entry.h"
#include "gateway/attempt/attempt.h"
#include "gateway/reuse/repeat.h"
#include "gateway/reuse/semantic_audit.h"
#include "gateway/reuse/turn_keeper.h"
#include "levers/semantic_cache.h"

/* A larger body is read off the loop; and a look-up that takes longer is not waited for. */
enum { BODY_INLINE_BYTES = 32 * 1024 };
static const usec PATIENCE_US = 10 * USEC_PER_MS;

/* What a request asks, on its way to be compared. Lives on the heap while it is looked up off the loop. */
struct look_up {
    struct job job;
    struct timer deadline;
    struct exchange *exchange; /* held while the job runs */
    const struct gateway *gateway;
    struct hasher *hasher; /* NULL off the loop */
    struct canonical_scope scope;
    enum api api;
    struct chunk *body; /* likewise held */
    bool read;          /* the turn is known, or known not to be there */
    bool has_turn;
    struct meaning meaning;
};

static void
read_turn(struct look_up *look_up)
{
    struct meaning *meaning = &look_up->meaning;
    struct canonical_conversation conversation;
    struct arena arena;

    if (look_up->read)
        return;
    look_up->read = true;
    arena_init(&arena);
    look_up->has_turn =
        canonical_conversation(&look_up->scope, look_up->api, chunk_bytes(look_up->body), look_up->hasher, &arena,
                               &conversation) == OK &&
        semantic_turn_of(look_up->gateway->embedder, &conversation.rest, conversation.turn, &meaning->turn);
    arena_reset(&arena);
}

static void
find_near(struct look_up *look_up)
{
    read_turn(look_up);
    if (look_up->has_turn)
        semantic_index_search(look_up->gateway->turns, &look_up->meaning.turn, &look_up->meaning.near);
}

static void
take_result(const struct look_up *look_up)
{
    struct exchange *exchange = look_up->exchange;

    if (!look_up->has_turn)
        return;
    exchange->request.meaning = arena_alloc(&exchange->arena, sizeof(struct meaning));
    *exchange->request.meaning = look_up->meaning;
}

/* Plans are made now, if they wait for this. */
static void
go_on(struct look_up *look_up)
{
    struct exchange *exchange = look_up->exchange;

    if (exchange->look_up != look_up)
        return;
    exchange->look_up = NULL;
    if (exchange->state == EXCHANGE_WEIGHING)
        exchange_move(exchange, PLANS_READY);
}

static void
run_look_up(struct job *job)
{
    find_near(CONTAINER_OF(job, struct look_up, job));
}

static void
look_up_done(struct job *job)
{
    struct look_up *look_up = CONTAINER_OF(job, struct look_up, job);
    struct exchange *exchange = look_up->exchange;

    world_timer_stop(worker_world(exchange->worker), &look_up->deadline);
    if (exchange_live(exchange))
        take_result(look_up);
    go_on(look_up);
    chunk_release(look_up->body);
    free(look_up);
    exchange_drop(exchange);
}

/* What is found later is too late for this request; its turn is kept all the same. */
static void
on_deadline(struct timer *timer)
{
    struct look_up *look_up = CONTAINER_OF(timer, struct look_up, deadline);

    count(&look_up->exchange->worker->counters, COUNT_SEMANTIC_LATE, 1);
    go_on(look_up);
}

static void
look_up_apart(const struct look_up *what)
{
    struct world *world = worker_world(what->exchange->worker);
    struct look_up *look_up = must_alloc(sizeof(*look_up));

    *look_up = *what;
    look_up->hasher = NULL;
    chunk_hold(look_up->body);
    exchange_hold(look_up->exchange);
    look_up->exchange->look_up = look_up;
    look_up->job = (struct job){.run = run_look_up, .done = look_up_done};
    look_up->deadline = (struct timer){.fire = on_deadline};
    world_timer_start(world, &look_up->deadline, PATIENCE_US);
    world->ops->work(world, &look_up->job);
}

static bool
is_wanted(const struct exchange *exchange)
{
    const struct request *request = &exchange->request;

    return request->key != NULL && request->cache != NULL && exchange->identity.api != API_EMBEDDINGS &&
           lever_mode_of(request, LEVER_SEMANTIC_CACHE) != LEVER_OFF;
}

/* With arms that are alike: whatever is given to the tenant counts as one. */
static struct shared_evidence *
guard_of(struct exchange *exchange, const struct evidence_terms *terms)
{
    const char *route = exchange->request.route->name, *tenant = exchange->identity.tenant->name;
    struct shared_evidence *guard;

    if (exchange->request.config->tenant_count <= 1)
        return NULL;
    guard = evidences_at(&exchange->worker->gateway->evidences, route,
                         arena_printf(&exchange->arena, SEMANTIC_GUARD "%s", tenant));
    shared_evidence_begin_alike(guard, terms, SEMANTIC_LEAST);
    return guard;
}

bool
semantic_begin(struct exchange *exchange)
{
    struct gateway *gateway = exchange->worker->gateway;
    const struct route_config *route = exchange->request.route;
    struct look_up look_up;

    if (!is_wanted(exchange))
        return true;
    gateway_open_meanings(gateway);
    look_up = (struct look_up){
        .exchange = exchange,
        .gateway = gateway,
        .hasher = &exchange->worker->hasher,
        .scope = repeat_scope(exchange),
        .api = exchange->identity.api,
        .body = exchange->body,
        .meaning = {.index = gateway->turns,
                    .promotions = gateway->promotions,
                    .evidence = evidences_at(&gateway->evidences, route->name, lever_name(LEVER_SEMANTIC_CACHE)),
                    .terms = semantic_terms(route, embedder_table_id(gateway->embedder),
                                            view_semantic_noise(exchange->view, route)),
                    .draw = coin_draw(&gateway->coin, exchange->id)},
    };
    look_up.meaning.guard = guard_of(exchange, &look_up.meaning.terms);
    if (exchange->body->len <= BODY_INLINE_BYTES)
        read_turn(&look_up);
    if (!look_up.read ||
        (look_up.has_turn && semantic_index_to_search(gateway->turns, &look_up.meaning.turn) > SEMANTIC_AT_ONCE)) {
        look_up_apart(&look_up);
        return false;
    }
    find_near(&look_up);
    take_result(&look_up);
    return true;
}

const struct semantic_turn *
semantic_turn(const struct exchange *exchange)
{
    return exchange->request.meaning != NULL ? &exchange->request.meaning->turn : NULL;
}

/* Its plan, or the near miss that it shows. */
static struct plan *
own_plan(struct exchange *exchange)
{
    for (size_t i = 0; i < exchange->plans.count; i++)
        if (exchange->plans.all[i].lever == LEVER_SEMANTIC_CACHE)
            return &exchange->plans.all[i];
    return NULL;
}

/* What is judged by: no other model's answer, in whose place it would have served as well. */
static bool
is_by_reference(const struct exchange *exchange)
{
    return exchange->plan != NULL && !plan_chooses_model(exchange->plan);
}

/* What the lever would have served, if only it might. */
static bool
is_audit(const struct plan *plan)
{
    return plan->evidence.learns &&
           (plan->verdict == VERDICT_SHADOW || plan->verdict == VERDICT_QUALITY || plan->verdict == VERDICT_AUDIT);
}

/* An answer whose turn was not known, as it had made room for others, was found by its exact key. */
static void
learn_turn(const struct exchange *exchange)
{
    const struct meaning *meaning = exchange->request.meaning;

    if (exchange->plan == NULL || exchange->plan->lever != LEVER_EXACT_CACHE || exchange->plan->cached == NULL)
        return;
    for (unsigned i = 0; i < meaning->near.count; i++)
        if (digest_equal(&meaning->near.all[i].key, exchange->request.key))
            return;
    turns_remember(exchange->worker->gateway, &meaning->turn, exchange->request.key);
}

void
semantic_end(struct exchange *exchange, bool fresh)
{
    const struct meaning *meaning = exchange->request.meaning;
    struct plan *plan = own_plan(exchange);

    if (meaning == NULL)
        return;
    learn_turn(exchange);
    if (plan == NULL || plan->cached == NULL)
        return;
    if (plan == exchange->plan || plan->verdict == VERDICT_SHADOW)
        semantic_index_used(meaning->index, &plan->cached->key);
    if (fresh && is_by_reference(exchange) &&
        (is_audit(plan) || (plan->evidence.near && plan->verdict == VERDICT_QUALITY)))
        semantic_audit(exchange, plan, is_audit(plan));
}
