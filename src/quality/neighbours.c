#include "quality/neighbours.h"

#include <math.h>
#include <stdlib.h>

/* A neighbour's weight is exp((cosine - 1) / NEARNESS), from COSINE_LEAST on. */
#define NEARNESS .1f
#define COSINE_LEAST .2f

/* Weights are looked up: the cosine is cut to steps, within each of which a weight changes by a hundredth. */
enum { STEPS_PER_COSINE = NEIGHBOUR_WEIGHTS };

/* The mean of all has the weight of so many neighbours at a cosine of one half. */
#define ALL_WEIGH (2 * expf(-.5f / NEARNESS))

void
neighbours_init(struct neighbours *neighbours, unsigned dims, unsigned models, unsigned capacity)
{
    ENSURE(capacity > 0 && capacity <= NEIGHBOURS_MOST && models > 0);
    *neighbours = (struct neighbours){.dims = dims, .models = models, .capacity = capacity};
    neighbours->vectors = must_calloc((size_t)capacity * dims + 1, 1);
    neighbours->inverses = must_calloc(capacity, sizeof(float));
    neighbours->outcomes = must_calloc((size_t)capacity * models, sizeof(float));
    neighbours->ids = must_calloc(capacity, sizeof(uint64_t));
    neighbours->sums = must_calloc(models, sizeof(double));
    neighbours->labels = must_calloc(models, sizeof(uint64_t));
    neighbours->kernels = scan_kernels_best();
    for (unsigned i = 0; i <= NEIGHBOUR_WEIGHTS; i++)
        neighbours->weights[i] = expf(((float)i / STEPS_PER_COSINE - 1) / NEARNESS);
}

void
neighbours_free(struct neighbours *neighbours)
{
    free(neighbours->vectors);
    free(neighbours->inverses);
    free(neighbours->outcomes);
    free(neighbours->ids);
    free(neighbours->sums);
    free(neighbours->labels);
    *neighbours = (struct neighbours){.dims = 0};
}

void
neighbours_copy(struct neighbours *copy, const struct neighbours *neighbours)
{
    unsigned models = neighbours->models, count = neighbours->count;

    neighbours_init(copy, neighbours->dims, models, neighbours->capacity);
    copy->count = count;
    copy->next = neighbours->next;
    memcpy(copy->vectors, neighbours->vectors, (size_t)count * neighbours->dims);
    memcpy(copy->inverses, neighbours->inverses, count * sizeof(float));
    memcpy(copy->outcomes, neighbours->outcomes, (size_t)count * models * sizeof(float));
    memcpy(copy->ids, neighbours->ids, count * sizeof(uint64_t));
    memcpy(copy->sums, neighbours->sums, models * sizeof(double));
    memcpy(copy->labels, neighbours->labels, models * sizeof(uint64_t));
}

static float
inverse_length(const struct neighbours *neighbours, const int8_t *vector)
{
    return 1 / sqrtf((float)neighbours->kernels->dot(vector, vector, neighbours->dims));
}

void
neighbours_put_back(struct neighbours *neighbours, const int8_t *vector, const float *outcomes, uint64_t id)
{
    unsigned models = neighbours->models, place = neighbours->next;

    memcpy(neighbours->vectors + (size_t)place * neighbours->dims, vector, neighbours->dims);
    neighbours->inverses[place] = inverse_length(neighbours, vector);
    memcpy(neighbours->outcomes + (size_t)place * models, outcomes, models * sizeof(float));
    neighbours->ids[place] = id;
    neighbours->next = (place + 1) % neighbours->capacity;
    if (neighbours->count < neighbours->capacity)
        neighbours->count++;
}

void
neighbours_add(struct neighbours *neighbours, const struct features *features, const float *outcomes, uint64_t id)
{
    int8_t vector[EMBED_DIMS_MOST];

    for (unsigned model = 0; model < neighbours->models; model++)
        if (!isnan(outcomes[model])) {
            neighbours->sums[model] += (double)outcomes[model];
            neighbours->labels[model]++;
        }
    if (features->dims == 0)
        return;
    ENSURE(features->dims == neighbours->dims);
    if (embedder_quantize(features->vector, features->dims, vector))
        neighbours_put_back(neighbours, vector, outcomes, id);
}

/* False: it has no direction. */
static bool
make_query(const struct neighbours *neighbours, const struct features *features, int8_t *query, float *inverse)
{
    if (features->dims == 0 || !embedder_quantize(features->vector, features->dims, query))
        return false;
    ENSURE(features->dims == neighbours->dims);
    *inverse = inverse_length(neighbours, query);
    return true;
}

static float
cosine_at(const struct neighbours *neighbours, const int8_t *query, float inverse, unsigned place)
{
    const int8_t *vector = neighbours->vectors + (size_t)place * neighbours->dims;

    return (float)neighbours->kernels->dot(query, vector, neighbours->dims) * inverse * neighbours->inverses[place];
}

/* As if half a label had been 1 and half a one 0. */
static float
mean_of_all(const struct neighbours *neighbours, unsigned model)
{
    return (float)((neighbours->sums[model] + .5) / ((double)neighbours->labels[model] + 1));
}

/* Puts it where it belongs among the nearest; returns how many there are. */
static unsigned
put_near(struct neighbour *nearest, unsigned count, struct neighbour one)
{
    unsigned at = count < NEIGHBOURS_SHOWN ? count++ : NEIGHBOURS_SHOWN;

    for (; at > 0 && nearest[at - 1].similarity < one.similarity; at--)
        if (at < NEIGHBOURS_SHOWN)
            nearest[at] = nearest[at - 1];
    if (at < NEIGHBOURS_SHOWN)
        nearest[at] = one;
    return count;
}

unsigned
neighbours_expect(const struct neighbours *neighbours, const struct features *features, float *expected,
                  struct neighbour *nearest)
{
    unsigned models = neighbours->models, count = 0;
    float weights[UINT8_MAX], inverse;
    int8_t query[EMBED_DIMS_MOST];

    ENSURE(models <= UINT8_MAX);
    for (unsigned model = 0; model < models; model++) {
        weights[model] = ALL_WEIGH;
        expected[model] = ALL_WEIGH * mean_of_all(neighbours, model);
    }
    if (make_query(neighbours, features, query, &inverse))
        for (unsigned i = 0; i < neighbours->count; i++) {
            float cosine = cosine_at(neighbours, query, inverse, i), weight;
            const float *outcomes = neighbours->outcomes + (size_t)i * models;

            if (nearest != NULL)
                count = put_near(
                    nearest, count,
                    (struct neighbour){.id = neighbours->ids[i], .similarity = cosine, .outcome = NAN, .place = i});
            if (cosine < COSINE_LEAST)
                continue;
            weight = neighbours->weights[cosine < 1 ? (unsigned)(cosine * STEPS_PER_COSINE) : NEIGHBOUR_WEIGHTS];
            for (unsigned model = 0; model < models; model++)
                if (!isnan(outcomes[model])) {
                    weights[model] += weight;
                    expected[model] += weight * outcomes[model];
                }
        }
    for (unsigned model = 0; model < models; model++)
        expected[model] /= weights[model];
    return count;
}

void
neighbours_tell(const struct neighbours *neighbours, unsigned model, unsigned count, struct neighbour *nearest)
{
    ENSURE(model < neighbours->models);
    for (unsigned i = 0; i < count; i++)
        nearest[i].outcome = neighbours->outcomes[(size_t)nearest[i].place * neighbours->models + model];
}
