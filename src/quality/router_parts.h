/* What a router is made of: for router.c and router_save.c alone. */
#ifndef QUALITY_ROUTER_PARTS_H
#define QUALITY_ROUTER_PARTS_H

#include "quality/blend.h"
#include "quality/router.h"

struct router {
    unsigned models;
    uint64_t table;
    uint64_t labels;
    struct learner learners[ROUTER_MODELS_MOST];
    struct blend blends[ROUTER_MODELS_MOST];
    struct neighbours neighbours;
};

#endif
