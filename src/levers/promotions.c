#include "levers/promotions.h"

#include <stdlib.h>

#include "base/lock.h"

/* A request's promotion stands in one of so many places, which its key names. */
enum { WAYS = 8 };

struct place {
    struct promotion promotion;
    bool taken, used; /* used: found since somebody last looked for room here */
};

struct promotions {
    struct lock lock;
    struct place *all;
    uint32_t sets; /* a power of two */
    uint64_t count;
};

struct promotions *
promotions_new(uint32_t most)
{
    struct promotions *promotions = must_calloc(1, sizeof(*promotions));

    lock_init(&promotions->lock);
    promotions->sets = 1;
    while ((uint64_t)promotions->sets * WAYS < most)
        promotions->sets *= 2;
    promotions->all = must_calloc((size_t)promotions->sets * WAYS, sizeof(struct place));
    return promotions;
}

void
promotions_free(struct promotions *promotions)
{
    if (promotions == NULL)
        return;
    lock_destroy(&promotions->lock);
    free(promotions->all);
    free(promotions);
}

/* Keys are hashes already. */
static struct place *
set_of(const struct promotions *promotions, const struct digest *request)
{
    uint32_t bits;

    memcpy(&bits, request->bytes, sizeof(bits));
    return &promotions->all[(size_t)(bits & (promotions->sets - 1)) * WAYS];
}

static struct place *
find(const struct promotions *promotions, const struct digest *request)
{
    struct place *set = set_of(promotions, request);

    for (unsigned i = 0; i < WAYS; i++)
        if (set[i].taken && digest_equal(&set[i].promotion.request, request))
            return &set[i];
    return NULL;
}

/* A free place, or that of the first that was not found of late; if all were, they all get another round, and the first goes. */
static struct place *
make_room(struct promotions *promotions, const struct digest *request)
{
    struct place *set = set_of(promotions, request), *room = NULL;

    for (unsigned i = 0; i < WAYS; i++)
        if (!set[i].taken)
            return &set[i];
    for (unsigned i = 0; i < WAYS && room == NULL; i++)
        if (!set[i].used)
            room = &set[i];
    for (unsigned i = 0; i < WAYS; i++)
        set[i].used = false;
    promotions->count--;
    return room != NULL ? room : &set[0];
}

void
promotions_put(struct promotions *promotions, const struct promotion *promotion)
{
    struct place *place;

    lock_take(&promotions->lock);
    place = find(promotions, &promotion->request);
    if (place == NULL) {
        place = make_room(promotions, &promotion->request);
        promotions->count++;
    }
    *place = (struct place){.promotion = *promotion, .taken = true};
    lock_drop(&promotions->lock);
}

bool
promotions_find(struct promotions *promotions, const struct digest *request, struct promotion *out)
{
    struct place *place;

    lock_take(&promotions->lock);
    place = find(promotions, request);
    if (place != NULL) {
        place->used = true;
        *out = place->promotion;
    }
    lock_drop(&promotions->lock);
    return place != NULL;
}

bool
promotions_drop(struct promotions *promotions, const struct digest *request)
{
    struct place *place;

    lock_take(&promotions->lock);
    place = find(promotions, request);
    if (place != NULL) {
        *place = (struct place){.taken = false};
        promotions->count--;
    }
    lock_drop(&promotions->lock);
    return place != NULL;
}

bool
promotions_next(struct promotions *promotions, uint64_t *at, struct promotion *out)
{
    uint64_t places = (uint64_t)promotions->sets * WAYS;
    bool found = false;

    lock_take(&promotions->lock);
    while (!found && *at < places && promotions->count > 0) {
        const struct place *place = &promotions->all[(*at)++];

        found = place->taken;
        if (found)
            *out = place->promotion;
    }
    lock_drop(&promotions->lock);
    return found;
}

void
promotions_stats(struct promotions *promotions, struct promotions_stats *out)
{
    lock_take(&promotions->lock);
    out->count = promotions->count;
    lock_drop(&promotions->lock);
    out->most = (uint64_t)promotions->sets * WAYS;
    out->bytes = out->count * sizeof(struct place);
}
