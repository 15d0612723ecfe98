/* A router taught from labelled requests, and what it then says of requests that it was not taught. */
#ifndef CMD_EVAL_FIT_H
#define CMD_EVAL_FIT_H

#include "config/labelled.h"
#include "quality/router.h"

struct fit_wanted {
    unsigned weak, strong; /* models; LABELLED_MODELS_MOST: none are named */
    bool tags;             /* tell the router each request's task */
    /* 2 and more: the requests are dealt to so many folds at random, each scored by a router taught the others, once, in
     * random order. */
    unsigned folds;
    /* Without folds: the router is taught the first so many, and scores the rest. 0: it scores each request before it learns
     * from it, in random order, with a view that is frozen for an epoch. */
    size_t taught;
    uint64_t seed;
};

enum { FIT_FOLDS_MOST = 20, FIT_EPOCH_FIRST = 250 };

/* Where the epoch ends that begins at a request: after the first ones, and whenever twice as many have been learned. */
size_t fit_epoch_end(size_t from);

/* Of request order[i]: the scores are at i. */
struct fitted {
    size_t count;
    unsigned models;
    uint32_t *order;
    float *p;          /* count x models: P(acceptable), or how much of a score is expected */
    float *acceptable; /* count: P(the weak model's answer is at least as good as the strong one's) */
};

void fit(const struct labelled *labelled, const struct embedder *embedder, const struct fit_wanted *wanted,
         struct fitted *out);
void fitted_free(struct fitted *fitted);

#endif
