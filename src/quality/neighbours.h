/* Requests that were audited lately, with their vectors and what became of them: what is asked near to them tends to fare
 * likewise. A bounded ring; the oldest are forgotten. No text is kept. */
#ifndef QUALITY_NEIGHBOURS_H
#define QUALITY_NEIGHBOURS_H

#include "embed/vector_scan.h"
#include "quality/features.h"

enum { NEIGHBOURS_MOST = 2048, NEIGHBOURS_SHOWN = 5, NEIGHBOUR_WEIGHTS = 1024 };

struct neighbours {
    unsigned dims, models, capacity;
    unsigned count, next; /* how many there are; the place of the next one */
    int8_t *vectors;      /* capacity x dims */
    float *inverses;      /* 1 / length */
    float *outcomes;      /* capacity x models; NAN: not known */
    uint64_t *ids;        /* the requests' */
    double *sums;         /* of the outcomes of each model, ever; and how many */
    uint64_t *labels;
    const struct scan_kernels *kernels;
    float weights[NEIGHBOUR_WEIGHTS + 1]; /* by the cosine */
};

/* capacity: at most NEIGHBOURS_MOST. */
void neighbours_init(struct neighbours *neighbours, unsigned dims, unsigned models, unsigned capacity);
void neighbours_free(struct neighbours *neighbours);
void neighbours_copy(struct neighbours *copy, const struct neighbours *neighbours);

/* `outcomes`: of each model, NAN where not known. A request without a vector counts for the means alone. */
void neighbours_add(struct neighbours *neighbours, const struct features *features, const float *outcomes, uint64_t id);

/* Puts one of those that were there before back, the oldest first: it has been counted already. */
void neighbours_put_back(struct neighbours *neighbours, const int8_t *vector, const float *outcomes, uint64_t id);

struct neighbour {
    uint64_t id;
    float similarity; /* the cosine */
    float outcome;    /* of the model asked about; NAN: not known, or not told (neighbours_tell) */
    unsigned place;   /* among the neighbours */
};

/* For each model, the mean outcome of all that are near, by how near they are, and of all ever for a little. `nearest`: NULL, or
 * room for NEIGHBOURS_SHOWN, which gets the nearest ones, the nearest first; returns how many. */
unsigned neighbours_expect(const struct neighbours *neighbours, const struct features *features, float *expected,
                           struct neighbour *nearest);

/* What became of these by one of the models. */
void neighbours_tell(const struct neighbours *neighbours, unsigned model, unsigned count, struct neighbour *nearest);

#endif
