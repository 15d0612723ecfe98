/* What the evidence of a route's levers has in common (quality/evidence.h): how they share its alpha, and marks that stand
 * for what must not change within an epoch. */
#ifndef LEVERS_TERMS_H
#define LEVERS_TERMS_H

#include "config/config.h"

/* The route's alpha, shared evenly among the levers that may change its answers: the semantic cache, the router where there
 * is another model to choose, and the cascade where something tells which of its answers to keep. */
uint32_t terms_alpha_ppm(const struct route_config *route);

uint64_t terms_with_text(uint64_t mark, const char *text);
uint64_t terms_with_number(uint64_t mark, uint64_t number);

#endif
