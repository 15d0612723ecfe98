/* A router in bytes (saved.h): a head; for each model its blend, its dense weights, their averages if there are any, the upper
 * half of their covariance, and those places of words that are not as they began; then the neighbours, the oldest first. */
#include <math.h>
#include <stdlib.h>

#include "quality/router_parts.h"
#include "quality/saved.h"

#define MAGIC 0x54554f52u /* "ROUT" */
enum { VERSION = 2 };

/* No weight or label count beyond these was written by us. */
#define WEIGHT_MOST 1e6f
#define LABELS_MOST ((uint64_t)1 << 56)

static void
put_blend(struct buffer *out, const struct blend *blend)
{
    for (unsigned i = 0; i < BLEND_OPINIONS; i++) {
        saved_put_double(out, blend->weights[i]);
        for (unsigned j = 0; j < BLEND_OPINIONS; j++)
            saved_put_double(out, blend->covariance[i][j]);
    }
}

static bool
place_is_fresh(const struct learner *learner, size_t place)
{
    return learner->place_weights[place] == 0 && learner->place_variances[place] == learner_prior_place_variance();
}

static void
put_places(struct buffer *out, const struct learner *learner)
{
    uint32_t count = 0;

    for (size_t place = 0; place < FEATURE_PLACES; place++)
        count += !place_is_fresh(learner, place);
    saved_put(out, count, 4);
    for (size_t place = 0; place < FEATURE_PLACES; place++) {
        if (place_is_fresh(learner, place))
            continue;
        saved_put(out, place, 4);
        saved_put_float(out, learner->place_weights[place]);
        saved_put_float(out, learner->place_variances[place]);
        if (learner->snapshots > 0)
            saved_put_float(out, learner->average_place_weights[place]);
    }
}

static void
put_learner(struct buffer *out, const struct learner *learner)
{
    saved_put(out, learner->labels, 8);
    saved_put(out, learner->snapshots, 4);
    for (unsigned i = 0; i < learner->dense; i++)
        saved_put_float(out, learner->weights[i]);
    for (unsigned i = 0; i < learner->dense && learner->snapshots > 0; i++)
        saved_put_float(out, learner->average_weights[i]);
    for (size_t i = 0; i < learner->dense; i++)
        for (size_t j = i; j < learner->dense; j++)
            saved_put_float(out, learner->covariance[i * learner->dense + j]);
    put_places(out, learner);
}

static void
put_neighbours(struct buffer *out, const struct neighbours *neighbours)
{
    unsigned dims = neighbours->dims, models = neighbours->models;

    for (unsigned model = 0; model < models; model++) {
        saved_put_double(out, neighbours->sums[model]);
        saved_put(out, neighbours->labels[model], 8);
    }
    saved_put(out, neighbours->count, 4);
    saved_put(out, neighbours->next, 4);
    for (unsigned i = 0; i < neighbours->count; i++) {
        size_t place = (neighbours->next + neighbours->capacity - neighbours->count + i) % neighbours->capacity;

        saved_put(out, neighbours->ids[place], 8);
        buffer_add(out, slice_make((const char *)neighbours->vectors + place * dims, dims));
        for (unsigned model = 0; model < models; model++)
            saved_put_float(out, neighbours->outcomes[place * models + model]);
    }
}

void
router_save(const struct router *router, struct buffer *out)
{
    size_t from = buffer_len(out);

    saved_put(out, MAGIC, 4);
    saved_put(out, VERSION, 1);
    saved_put(out, router->models, 1);
    saved_put(out, router->neighbours.dims, 2);
    saved_put(out, router->table, 8);
    saved_put(out, router->labels, 8);
    for (unsigned model = 0; model < router->models; model++) {
        put_blend(out, &router->blends[model]);
        put_learner(out, &router->learners[model]);
    }
    put_neighbours(out, &router->neighbours);
    saved_seal(out, from, MAGIC);
}

/* One that is finite and not beyond all reason; else the bytes are at an end. */
static float
take_weight(struct slice *rest)
{
    float weight = saved_take_float(rest);

    if (!(fabsf(weight) <= WEIGHT_MOST))
        *rest = SLICE_NONE;
    return weight;
}

static float
take_variance(struct slice *rest)
{
    float variance = take_weight(rest);

    if (!(variance >= 0))
        *rest = SLICE_NONE;
    return variance;
}

static void
take_blend(struct slice *rest, struct blend *blend)
{
    for (unsigned i = 0; i < BLEND_OPINIONS; i++) {
        blend->weights[i] = saved_take_double(rest);
        if (!(fabs(blend->weights[i]) <= (double)WEIGHT_MOST))
            *rest = SLICE_NONE;
        for (unsigned j = 0; j < BLEND_OPINIONS; j++) {
            blend->covariance[i][j] = saved_take_double(rest);
            if (!(fabs(blend->covariance[i][j]) <= (double)WEIGHT_MOST))
                *rest = SLICE_NONE;
        }
    }
}

static uint64_t
take_labels(struct slice *rest)
{
    uint64_t labels = saved_take(rest, 8);

    if (labels > LABELS_MOST)
        *rest = SLICE_NONE;
    return labels;
}

/* In rising order, and none that is fresh: as they are written. */
static void
take_places(struct slice *rest, struct learner *learner)
{
    uint32_t count = (uint32_t)saved_take(rest, 4), least = 0;

    if (count > FEATURE_PLACES)
        *rest = SLICE_NONE;
    for (uint32_t i = 0; i < count && rest->data != NULL; i++) {
        uint32_t place = (uint32_t)saved_take(rest, 4);

        if (place < least || place >= FEATURE_PLACES) {
            *rest = SLICE_NONE;
            return;
        }
        learner->place_weights[place] = take_weight(rest);
        learner->place_variances[place] = take_variance(rest);
        if (learner->snapshots > 0)
            learner->average_place_weights[place] = take_weight(rest);
        if (place_is_fresh(learner, place))
            *rest = SLICE_NONE;
        least = place + 1;
    }
}

static void
take_learner(struct slice *rest, struct learner *learner)
{
    size_t dense = learner->dense;

    learner->labels = take_labels(rest);
    learner->snapshots = (uint32_t)saved_take(rest, 4);
    for (size_t i = 0; i < dense; i++)
        learner->weights[i] = take_weight(rest);
    for (size_t i = 0; i < dense && learner->snapshots > 0; i++)
        learner->average_weights[i] = take_weight(rest);
    for (size_t i = 0; i < dense && rest->data != NULL; i++) {
        learner->covariance[i * dense + i] = take_variance(rest);
        for (size_t j = i + 1; j < dense; j++)
            learner->covariance[i * dense + j] = learner->covariance[j * dense + i] = take_weight(rest);
    }
    take_places(rest, learner);
}

/* An outcome from 0 to 1, or the one NAN that stands for none. */
static float
take_outcome(struct slice *rest)
{
    float outcome = saved_take_float(rest), none = NAN;
    uint32_t bits, bits_of_none;

    memcpy(&bits, &outcome, sizeof(bits));
    memcpy(&bits_of_none, &none, sizeof(bits_of_none));
    if (!(outcome >= 0 && outcome <= 1) && bits != bits_of_none)
        *rest = SLICE_NONE;
    return outcome;
}

/* A vector as embedder_quantize makes them has a number of the size 127. */
static bool
is_vector(const int8_t *vector, unsigned dims)
{
    int largest = 0;

    for (unsigned i = 0; i < dims; i++) {
        int size = abs(vector[i]);

        largest = size > largest ? size : largest;
    }
    return largest == 127;
}

static void
take_neighbour(struct slice *rest, struct neighbours *neighbours)
{
    unsigned dims = neighbours->dims, models = neighbours->models;
    uint64_t id = saved_take(rest, 8);
    const int8_t *vector = (const int8_t *)rest->data;
    float outcomes[ROUTER_MODELS_MOST];

    if (rest->data == NULL || rest->len < dims || !is_vector(vector, dims)) {
        *rest = SLICE_NONE;
        return;
    }
    *rest = slice_from(*rest, dims);
    for (unsigned model = 0; model < models; model++)
        outcomes[model] = take_outcome(rest);
    neighbours_put_back(neighbours, vector, outcomes, id);
}

static void
take_neighbours(struct slice *rest, struct neighbours *neighbours)
{
    uint32_t count, next, capacity = neighbours->capacity;

    for (unsigned model = 0; model < neighbours->models; model++) {
        neighbours->sums[model] = saved_take_double(rest);
        neighbours->labels[model] = take_labels(rest);
        if (!(neighbours->sums[model] >= 0 && neighbours->sums[model] <= (double)neighbours->labels[model]))
            *rest = SLICE_NONE;
    }
    count = (uint32_t)saved_take(rest, 4);
    next = (uint32_t)saved_take(rest, 4);
    if (count > capacity || next >= capacity || (count < capacity && next != count)) {
        *rest = SLICE_NONE;
        return;
    }
    neighbours->next = (next + capacity - count) % capacity; /* each where it was: sums depend on the order */
    for (uint32_t i = 0; i < count && rest->data != NULL; i++)
        take_neighbour(rest, neighbours);
}

enum status
router_restore(struct slice bytes, unsigned models, uint64_t table, unsigned dims, struct router **out)
{
    struct slice rest = saved_open(bytes, MAGIC);
    struct router *router;

    *out = NULL;
    if (saved_take(&rest, 4) != MAGIC || saved_take(&rest, 1) != VERSION)
        return ERR_CORRUPT;
    if (saved_take(&rest, 1) != models || saved_take(&rest, 2) != dims || saved_take(&rest, 8) != table)
        return rest.data != NULL ? ERR_INVALID : ERR_CORRUPT;
    router = router_new(models, table, dims);
    router->labels = take_labels(&rest);
    for (unsigned model = 0; model < models && rest.data != NULL; model++) {
        take_blend(&rest, &router->blends[model]);
        take_learner(&rest, &router->learners[model]);
    }
    take_neighbours(&rest, &router->neighbours);
    if (rest.data == NULL || rest.len > 0) {
        router_free(router);
        return ERR_CORRUPT;
    }
    *out = router;
    return OK;
}
