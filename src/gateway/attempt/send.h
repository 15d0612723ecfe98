/* Sending requests to backends, on the plans that the balance chose. send_flight and send_upload are in exchange.h. */
#ifndef GATEWAY_SEND_H
#define GATEWAY_SEND_H

#include "gateway/exchange.h"

/* The body as it goes to exchange->plan: the client's, but for what is spliced. */
struct slice send_body(struct exchange *exchange);

/* Opens one flight for several exchanges whose plans have one target: the head is the first one's, but where others
 * share the call only with headers for which `shares` is true. The caller is its first holder. */
struct flight *send_together(struct exchange *const *exchanges, size_t count, const char *secret, struct slice body,
                             bool (*shares)(struct slice name));

/* The exchange reads this flight from now on, as its present attempt. Takes over the hold. */
void send_join(struct exchange *exchange, struct flight *flight, void (*wake)(struct cursor *));

#endif
