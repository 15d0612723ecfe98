#include "levers/terms.h"

#include <math.h>
#include <string.h>

#include "quality/evidence.h"
#include "quality/router.h"

_Static_assert(CALIBRATION_STEPS == OUTCOME_STEPS + 1, "a calibration counts outcomes as evidence does");

uint32_t
terms_alpha_ppm(const struct route_config *route)
{
    unsigned levers = 1u + (route_has_other_models(route) ? 1 : 0) + (route_may_cascade(route) ? 1 : 0);

    return (PPM - route->confidence_ppm) / levers;
}

unsigned
terms_models(const struct route_config *route)
{
    unsigned models = 0;

    for (size_t i = 0; i < route->candidate_count && models < ROUTER_MODELS_MOST; i++)
        models += route_candidate_differs(route, &route->candidates[i]);
    return models;
}

/* Those that share: without another model nobody does. */
static uint32_t
count_parts(const struct route_config *route)
{
    uint32_t models = terms_models(route);

    return models > 0 ? models : 1;
}

uint32_t
terms_alpha_of_model_ppm(const struct route_config *route)
{
    return terms_alpha_ppm(route) / count_parts(route);
}

uint32_t
terms_floor_of_model_ppm(const struct route_config *route)
{
    uint32_t lost_ppm = PPM - route->quality_ppm, parts = count_parts(route) * (route_may_cascade(route) ? 2 : 1);

    return route->floor_of == FLOOR_SERVED ? route->quality_ppm : PPM - lost_ppm / parts;
}

/* Unset without a calibration. */
static struct judge_noise
noise_by(const struct judge_calibration *calibration, uint32_t alpha_ppm)
{
    struct outcomes acceptable = {.of_pairs = false}, others = {.of_pairs = false};

    if (calibration == NULL || alpha_ppm == 0)
        return (struct judge_noise){.sensitive_high_ppm = 0};
    memcpy(acceptable.count[0], calibration->acceptable, sizeof(acceptable.count[0]));
    memcpy(others.count[0], calibration->others, sizeof(others.count[0]));
    return noise_of(&acceptable, &others, log((double)NOISE_BOUND_PART * PPM / alpha_ppm));
}

struct judge_noise
terms_noise(const struct route_config *route)
{
    return noise_by(route->floor_of != FLOOR_RELATIVE ? route->judge.calibration : NULL,
                    terms_alpha_of_model_ppm(route));
}

struct judge_noise
terms_semantic_noise(const struct route_config *route)
{
    return noise_by(route->semantic.calibration, terms_alpha_ppm(route));
}

uint64_t
terms_with_text(uint64_t mark, const char *text)
{
    return hash_fast(slice_of(text), mark);
}

uint64_t
terms_with_number(uint64_t mark, uint64_t number)
{
    return hash_fast(slice_make((const char *)&number, sizeof(number)), mark);
}

uint64_t
terms_with_text_if(uint64_t mark, const char *text)
{
    return terms_with_text(terms_with_number(mark, text != NULL), text != NULL ? text : "");
}

uint64_t
terms_with_validators(uint64_t mark, const struct validator_config *validate)
{
    mark = terms_with_text_if(terms_with_text_if(mark, validate->json_schema), validate->regex);
    return terms_with_text_if(terms_with_text_if(mark, validate->command), validate->http);
}
