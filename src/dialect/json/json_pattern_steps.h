/* A compiled expression, shared by json_pattern.c, which writes it, and json_pattern_find.c, which runs it. */
#ifndef DIALECT_JSON_PATTERN_STEPS_H
#define DIALECT_JSON_PATTERN_STEPS_H

#include "dialect/json/json_pattern.h"

struct range {
    uint32_t from, to;
};

struct set {
    bool inverse;
    size_t count, size;
    struct range *ranges;
};

/* Steps of a machine that is in many places at once. */
enum step_kind { STEP_SET, STEP_START, STEP_END, STEP_EDGE, STEP_NO_EDGE, STEP_GO, STEP_FORK, STEP_FOUND };

struct step {
    enum step_kind kind;
    const struct set *set;
    unsigned to, other; /* STEP_GO, STEP_FORK */
};

struct pattern {
    struct step *steps;
    unsigned count;
};

#endif
