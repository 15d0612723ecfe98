/* What a request wants of a backend's admission (fleet/admission/admission.h), and what the backend is like at that moment. */
#ifndef GATEWAY_ADMIT_PACE_H
#define GATEWAY_ADMIT_PACE_H

#include "fleet/admission/admission.h"
#include "gateway/exchange.h"

/* Tokens that it is expected to take, and how many of its prompt an engine there is expected to know. */
struct replica_wish admit_wish(struct exchange *exchange, const struct plan *plan);

/* Of the replicas that can be asked now; of all if none can. With what others have there. */
struct admission_pace admit_pace(const struct exchange *exchange, const struct plan *plan,
                                 const struct replica_wish *like);

struct admission_want admit_want(const struct exchange *exchange, const struct plan *plan,
                                 const struct replica_wish *wish, const struct admission_pace *pace);

/* The same without a request: others' are taken to be like that, where nothing of ours was there yet. False: no replica can
 * be asked. On the first worker. */
bool admit_pace_of_backend(struct gateway_worker *worker, const struct backend_config *backend,
                           const struct replica_wish *like, struct admission_pace *out) MUST_CHECK;

#endif
