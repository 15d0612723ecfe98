#include "gateway/attempt/destination.h"

static bool
states(const char *stated, const char *demanded)
{
    return demanded == NULL || (stated != NULL && strcmp(stated, demanded) == 0);
}

static bool
has_class(const struct backend_config *backend, const char *demanded)
{
    for (const char **class = backend->facts.classes; class != NULL && *class != NULL; class ++)
        if (strcmp(*class, demanded) == 0)
            return true;
    return false;
}

bool
destination_allowed(const struct tenant_config *tenant, const struct backend_config *backend)
{
    if (!states(backend->facts.region, tenant->region) || !states(backend->facts.retention, tenant->retention))
        return false;
    for (const char **class = tenant->classes; class != NULL && *class != NULL; class ++)
        if (!has_class(backend, *class))
            return false;
    return true;
}
