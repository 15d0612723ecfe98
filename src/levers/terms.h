/* What the evidence of a route's levers has in common (quality/evidence.h): how they share its alpha, and marks that stand
 * for what must not change within an epoch. */
#ifndef LEVERS_TERMS_H
#define LEVERS_TERMS_H

#include "config/config.h"
#include "quality/noise.h"

/* The route's alpha, shared evenly among the levers that may change its answers: the semantic cache, the router where there
 * is another model to choose, and the cascade where something tells which of its answers to keep. */
uint32_t terms_alpha_ppm(const struct route_config *route);

/* The part of it that the evidence of each other model has. */
uint32_t terms_alpha_of_model_ppm(const struct route_config *route);

/* What each of them is held to. Where the floor speaks of the route, each may use up its part of what may be lost; so may it
 * where it is asked first. */
uint32_t terms_floor_of_model_ppm(const struct route_config *route);

/* The mistakes of the route's judge, as its calibration bounds them for that part; unset without one. Takes up to a
 * millisecond. */
struct judge_noise terms_noise(const struct route_config *route);

/* Likewise of whoever judges its stored answers. */
struct judge_noise terms_semantic_noise(const struct route_config *route);

/* How many other models than its reference's a route has, as far as they are chosen from: ROUTER_MODELS_MOST. */
unsigned terms_models(const struct route_config *route);

uint64_t terms_with_text(uint64_t mark, const char *text);
uint64_t terms_with_text_if(uint64_t mark, const char *text); /* NULL: none, which is another mark than "" */
uint64_t terms_with_validators(uint64_t mark, const struct validator_config *validate);
uint64_t terms_with_number(uint64_t mark, uint64_t number);

#endif
