#include "levers/terms.h"

#include "quality/evidence.h"

uint32_t
terms_alpha_ppm(const struct route_config *route)
{
    unsigned levers = 1u + (route_has_other_models(route) ? 1 : 0) + (route_may_cascade(route) ? 1 : 0);

    return (PPM - route->confidence_ppm) / levers;
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
