#include "fleet/fair_queue.h"

#include <stdlib.h>

#include "base/list.h"

/* A tenant's share of a class. */
struct fair_share {
    struct heap_node node; /* in class->waiting while somebody waits */
    struct fair_class *class;
    struct heap waiters; /* by deadline */
    unsigned weight;
    double start;   /* virtual: of its next request */
    int64_t tokens; /* of its waiters */
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
fair_queue_add(struct fair_queue *queue, struct fair_waiter *waiter, const struct fair_place *place)
{
    struct fair_class *class = &queue->classes[place->class];
    struct fair_share *share;

    ENSURE(place->class < FAIR_CLASSES_MOST && place->weight > 0 && waiter->tokens > 0 && waiter->share == NULL);
    share = share_of(class, place);
    begin_change(share);
    if (share->waiters.count == 0 && share->start < class->now)
        share->start = class->now; /* who was away saves nothing up */
    waiter->share = share;
    waiter->order = ++queue->orders;
    heap_put(&share->waiters, &waiter->node);
    share->tokens += waiter->tokens;
    class->tokens += waiter->tokens;
    class->count++;
    end_change(share);
}

struct fair_waiter *
fair_queue_next(const struct fair_queue *queue, unsigned class)
{
    const struct heap_node *first = heap_first(&queue->classes[class].waiting);

    return first != NULL ? CONTAINER_OF(heap_first(&CONTAINER_OF(first, struct fair_share, node)->waiters),
                                        struct fair_waiter, node)
                         : NULL;
}

static void
take_out(struct fair_waiter *waiter, double served)
{
    struct fair_share *share = waiter->share;
    struct fair_class *class = share->class;

    begin_change(share);
    heap_take(&share->waiters, &waiter->node);
    share->tokens -= waiter->tokens;
    class->tokens -= waiter->tokens;
    class->count--;
    share->start += served / share->weight;
    waiter->share = NULL;
    end_change(share);
    ENSURE(share->tokens >= 0 && class->tokens >= 0);
}

void
fair_queue_serve(struct fair_queue *queue, struct fair_waiter *waiter)
{
    struct fair_class *class = waiter->share->class;

    (void)queue;
    if (waiter->share->start > class->now)
        class->now = waiter->share->start;
    take_out(waiter, (double)waiter->tokens);
}

void
fair_queue_leave(struct fair_queue *queue, struct fair_waiter *waiter)
{
    (void)queue;
    if (waiter->share != NULL)
        take_out(waiter, 0.0);
}

/* Of one tenant, what has a deadline no later. */
static int64_t
due_before(const struct fair_share *share, usec deadline_us)
{
    int64_t tokens = 0;

    for (size_t i = 0; i < share->waiters.count; i++) {
        const struct fair_waiter *waiter = CONTAINER_OF(share->waiters.nodes[i], struct fair_waiter, node);

        if (waiter->deadline_us <= deadline_us)
            tokens += waiter->tokens;
    }
    return tokens;
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
        tokens += gets < (double)share->tokens ? gets : (double)share->tokens;
    }
    return (int64_t)tokens;
}

int64_t
fair_queue_ahead(const struct fair_queue *queue, const struct fair_place *place, usec deadline_us, int64_t tokens)
{
    const struct fair_class *class = &queue->classes[place->class];
    const struct fair_share *own = map_get(&class->shares, place->tenant);
    int64_t ahead = 0, of_own = own != NULL ? due_before(own, deadline_us) : 0;
    double start = own != NULL && own->start > class->now ? own->start : class->now;

    for (unsigned i = 0; i < place->class; i++)
        ahead += queue->classes[i].tokens;
    return ahead + of_own + others_until(class, own, start + (double)(of_own + tokens) / place->weight);
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
