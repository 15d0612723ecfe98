#include "levers/terms.h"

#include "quality/evidence.h"

uint32_t
terms_alpha_ppm(const struct route_config *route)
{
    return (PPM - route->confidence_ppm) / (route_has_other_models(route) ? 2 : 1);
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
