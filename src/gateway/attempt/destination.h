/* Where a request may be sent. Every send, for whatever purpose, passes this one function. */
#ifndef GATEWAY_DESTINATION_H
#define GATEWAY_DESTINATION_H

#include "config/config.h"

/* True if the tenant's rules allow this backend: its region, its retention, its classes. What a backend does not state
 * it does not have. */
bool destination_allowed(const struct tenant_config *tenant, const struct backend_config *backend);

#endif
