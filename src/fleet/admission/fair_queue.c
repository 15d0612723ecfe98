#include "fleet/admission/fair_queue.h"

#include <math.h>
#include <stdlib.h>

#include "base/list.h"

/* A tenant's share of a class. */
struct fair_share {
    struct heap_node node; /* in class->waiting while somebody waits */
    struct fair_class *class;
    struct heap waiters; /* by deadline */
    unsigned weight;
    double start;            /* virtual: of its next request */
    int64_t work_us, tokens; /* of its waiters */
    size_t there;            /* served, and not over */
    int64_t there_tokens;    /* likewise */
    int64_t filling;         /* of their prompts, what is not read */
    double needed;           /* tokens there and waiting, at most, of late */
    usec needed_us;          /* when that was so */
    struct list link;        /* in class->present */
};

static bool
is_sooner(const struct heap_node *a, const struct heap_node *b)
{
    const struct fair_waiter *one = CONTAINER_OF(a, struct fair_waiter, node);
    const struct fair_waiter *other = CONTAINER_OF(b, struct fair_waiter, node);

    if (one->deadline_us != other->deadline_us)
        return one->deadline_us < other->deadline_us;
    return one->order < other->order;
}

static const struct fair_waiter *
soonest(const struct fair_share *share)
{
    return CONTAINER_OF(heap_first(&share->waiters), struct fair_waiter, node);
}

/* Equal starts: whoever must be served sooner. */
static bool
starts_before(const struct heap_node *a, const struct heap_node *b)
{
    const struct fair_share *one = CONTAINER_OF(a, struct fair_share, node);
    const struct fair_share *other = CONTAINER_OF(b, struct fair_share, node);

    if (one->start < other->start || other->start < one->start)
        return one->start < other->start;
    return is_sooner(&soonest(one)->node, &soonest(other)->node);
}

void
fair_queue_init(struct fair_queue *queue)
{
    *queue = (struct fair_queue){0};
    for (unsigned i = 0; i < FAIR_CLASSES_MOST; i++) {
        map_init(&queue->classes[i].shares);
        list_init(&queue->classes[i].present);
        heap_init(&queue->classes[i].waiting, starts_before);
    }
}

static void
free_class(struct fair_class *class)
{
    size_t at = 0;
    struct slice name;
    void *share;

    ENSURE(class->count == 0);
    while (map_next(&class->shares, &at, &name, &share)) {
        heap_free(&((struct fair_share *)share)->waiters);
        free(share);
    }
    map_free(&class->shares);
    heap_free(&class->waiting);
}

void
fair_queue_free(struct fair_queue *queue)
{
    for (unsigned i = 0; i < FAIR_CLASSES_MOST; i++)
        free_class(&queue->classes[i]);
}

static struct fair_share *
share_of(struct fair_class *class, const struct fair_place *place)
{
    struct fair_share *share = map_get(&class->shares, place->tenant);

    if (share == NULL) {
        share = must_calloc(1, sizeof(*share));
        share->class = class;
        heap_init(&share->waiters, is_sooner);
        map_put(&class->shares, place->tenant, share);
    }
    share->weight = place->weight;
    return share;
}

static double
needed_now(const struct fair_share *share, usec now_us)
{
    double now = (double)(share->there_tokens + share->tokens);

    return fmax(now, share->needed * exp2(-(double)(now_us - share->needed_us) / (double)FAIR_HALF_LIFE_US));
}

/* Before what it has changes, and after. */
static void
note_need(struct fair_share *share, usec now_us)
{
    share->needed = needed_now(share, now_us);
    share->needed_us = now_us;
    if (!list_linked(&share->link))
        list_append(&share->class->present, &share->link);
}

/* Its place among the shares may depend on its soonest waiter, so it is taken out before that can change. */
static void
begin_change(struct fair_share *share)
{
    heap_take(&share->class->waiting, &share->node);
}

static void
end_change(struct fair_share *share)
{
    if (share->waiters.count > 0)
        heap_put(&share->class->waiting, &share->node);
}

void
fair_queue_add(struct fair_queue *queue, struct fair_waiter *waiter, const struct fair_place *place, usec now_us)
{
    struct fair_class *class = &queue->classes[place->class];
    struct fair_share *share;

    ENSURE(place->class < FAIR_CLASSES_MOST && place->weight > 0 && waiter->tokens > 0 && waiter->work_us > 0);
    ENSURE(waiter->share == NULL && waiter->there == NULL);
    share = share_of(class, place);
    begin_change(share);
    if (share->waiters.count == 0 && share->start < class->now)
        share->start = class->now; /* who was away saves nothing up */
    waiter->share = share;
    waiter->order = ++queue->orders;
    heap_put(&share->waiters, &waiter->node);
    share->work_us += waiter->work_us;
    share->tokens += waiter->tokens;
    class->tokens += waiter->tokens;
    class->count++;
    end_change(share);
    note_need(share, now_us);
}

struct fair_waiter *
fair_queue_next(const struct fair_queue *queue, unsigned class)
{
    const struct heap_node *first = heap_first(&queue->classes[class].waiting);

    return first != NULL ? CONTAINER_OF(heap_first(&CONTAINER_OF(first, struct fair_share, node)->waiters),
                                        struct fair_waiter, node)
                         : NULL;
}

/* Of all that needed something of late. */
static double
weights_of(const struct fair_class *class)
{
    double weights = 0.0;

    /* Whoever was taken out is not met: NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    LIST_EACH(&class->present, node, after)
    weights += CONTAINER_OF(node, struct fair_share, link)->weight;
    return weights;
}

/* What it has most of, by weight. */
static double
dominant(const struct fair_share *share, const struct fair_filter *filter)
{
    return fmax((double)share->there_tokens / filter->room, (double)share->filling / filter->filling_room) /
           share->weight;
}

static double
most_dominant(const struct fair_class *class, const struct fair_filter *filter)
{
    double most = 0.0;

    LIST_EACH(&class->present, node, after)
    most = fmax(most, dominant(CONTAINER_OF(node, struct fair_share, link), filter));
    return most;
}

/* The soonest of a tenant that may start, of those that come first. */
static struct fair_waiter *
first_of(const struct fair_share *share, const struct fair_filter *filter)
{
    const struct fair_waiter *first = NULL;

    for (size_t i = 0; i < share->waiters.count && i < FAIR_LOOKS_MOST; i++) {
        const struct fair_waiter *waiter = CONTAINER_OF(share->waiters.nodes[i], struct fair_waiter, node);

        if (filter->may(filter->context, waiter) && (first == NULL || is_sooner(&waiter->node, &first->node)))
            first = waiter;
    }
    return (struct fair_waiter *)(uintptr_t)first;
}

struct fair_waiter *
fair_queue_next_that(const struct fair_queue *queue, unsigned class, const struct fair_filter *filter)
{
    const struct heap *waiting = &queue->classes[class].waiting;
    bool less = filter->room > 0.0;
    double most = less ? most_dominant(&queue->classes[class], filter) : 0.0;
    const struct fair_share *best = NULL;
    struct fair_waiter *found = NULL;

    for (size_t i = 0; i < waiting->count; i++) {
        const struct fair_share *share = CONTAINER_OF(waiting->nodes[i], struct fair_share, node);
        struct fair_waiter *first;

        if ((less && dominant(share, filter) >= most) || (best != NULL && starts_before(&best->node, &share->node)))
            continue;
        first = first_of(share, filter);
        if (first == NULL)
            continue;
        best = share;
        found = first;
    }
    return found;
}

static void
take_out(struct fair_waiter *waiter, double served)
{
    struct fair_share *share = waiter->share;
    struct fair_class *class = share->class;

    begin_change(share);
    heap_take(&share->waiters, &waiter->node);
    share->work_us -= waiter->work_us;
    share->tokens -= waiter->tokens;
    class->tokens -= waiter->tokens;
    class->count--;
    share->start += served / share->weight;
    waiter->share = NULL;
    end_change(share);
    ENSURE(share->work_us >= 0 && share->tokens >= 0 && class->tokens >= 0);
}

void
fair_queue_serve(struct fair_queue *queue, struct fair_waiter *waiter, int64_t filling)
{
    struct fair_share *share = waiter->share;

    (void)queue;
    if (share->start > share->class->now)
        share->class->now = share->start;
    share->there++;
    share->there_tokens += waiter->tokens;
    share->filling += filling;
    waiter->there = share;
    waiter->filling = filling;
    take_out(waiter, (double)waiter->work_us);
}

void
fair_queue_filled(struct fair_waiter *waiter)
{
    if (waiter->there != NULL)
        waiter->there->filling -= waiter->filling;
    waiter->filling = 0;
}

void
fair_queue_over(struct fair_queue *queue, struct fair_waiter *waiter, usec now_us)
{
    struct fair_share *share = waiter->there;

    (void)queue;
    fair_queue_filled(waiter);
    if (share == NULL)
        return;
    note_need(share, now_us);
    waiter->there = NULL;
    share->there--;
    share->there_tokens -= waiter->tokens;
    ENSURE(share->there_tokens >= 0 && share->filling >= 0);
    ENSURE(share->there > 0 || (share->there_tokens == 0 && share->filling == 0));
}

/* Of one of the others. */
static void
add_claim(const struct fair_share *share, double entitled, double each, usec now_us, struct fair_claims *claims)
{
    double there = (double)share->there_tokens;

    claims->reserved += fmax(0.0, fmin(needed_now(share, now_us) + each, entitled) - there);
}

/* Those who have needed nothing of late. */
static void
forget(struct fair_class *class, const struct fair_share *own, double least, usec now_us)
{
    LIST_EACH(&class->present, node, after)
    {
        struct fair_share *share = CONTAINER_OF(node, struct fair_share, link);

        if (needed_now(share, now_us) < least && share != own)
            list_remove(node);
    }
}

struct fair_claims
fair_queue_claims(struct fair_queue *queue, const struct fair_place *place, double room, double each, usec now_us)
{
    struct fair_class *class = &queue->classes[place->class];
    struct fair_share *own = share_of(class, place);
    struct fair_claims claims = {.there = (double)own->there_tokens};
    double weights;

    note_need(own, now_us);
    forget(class, own, each / 2.0, now_us);
    weights = weights_of(class);
    claims.shared = weights > own->weight;
    claims.share = room * own->weight / weights;
    /* As above: NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    LIST_EACH(&class->present, node, after)
    {
        const struct fair_share *share = CONTAINER_OF(node, struct fair_share, link);

        if (share != own)
            add_claim(share, room * share->weight / weights, each, now_us, &claims);
    }
    return claims;
}

void
fair_queue_leave(struct fair_queue *queue, struct fair_waiter *waiter)
{
    (void)queue;
    if (waiter->share != NULL)
        take_out(waiter, 0.0);
}

struct sum {
    int64_t work_us, tokens;
};

/* Of one tenant, what has a deadline no later. */
static struct sum
due_before(const struct fair_share *share, usec deadline_us)
{
    struct sum sum = {0};

    for (size_t i = 0; i < share->waiters.count; i++) {
        const struct fair_waiter *waiter = CONTAINER_OF(share->waiters.nodes[i], struct fair_waiter, node);

        if (waiter->deadline_us > deadline_us)
            continue;
        sum.work_us += waiter->work_us;
        sum.tokens += waiter->tokens;
    }
    return sum;
}

/* What others of the class get until virtual time `until`. */
static int64_t
others_until(const struct fair_class *class, const struct fair_share *own, double until)
{
    double tokens = 0.0;

    for (size_t i = 0; i < class->waiting.count; i++) {
        const struct fair_share *share = CONTAINER_OF(class->waiting.nodes[i], struct fair_share, node);
        double gets = (until - share->start) * share->weight;

        if (share == own || gets <= 0.0)
            continue;
        tokens += (double)share->tokens * (gets < (double)share->work_us ? gets / (double)share->work_us : 1.0);
    }
    return (int64_t)tokens;
}

int64_t
fair_queue_ahead(const struct fair_queue *queue, const struct fair_place *place, usec deadline_us, int64_t work_us)
{
    const struct fair_class *class = &queue->classes[place->class];
    const struct fair_share *own = map_get(&class->shares, place->tenant);
    struct sum of_own = own != NULL ? due_before(own, deadline_us) : (struct sum){0};
    int64_t ahead = 0;
    double start = own != NULL && own->start > class->now ? own->start : class->now;

    for (unsigned i = 0; i < place->class; i++)
        ahead += queue->classes[i].tokens;
    return ahead + of_own.tokens + others_until(class, own, start + (double)(of_own.work_us + work_us) / place->weight);
}

size_t
fair_queue_count(const struct fair_queue *queue)
{
    size_t count = 0;

    for (unsigned i = 0; i < FAIR_CLASSES_MOST; i++)
        count += queue->classes[i].count;
    return count;
}

int64_t
fair_queue_tokens(const struct fair_queue *queue)
{
    int64_t tokens = 0;

    for (unsigned i = 0; i < FAIR_CLASSES_MOST; i++)
        tokens += queue->classes[i].tokens;
    return tokens;
}
