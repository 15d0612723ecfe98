/* Which requests may be answered with another's answer, and what tells equal ones: deterministic ones (temperature 0, a seed,
 * embeddings), and those of routes that say `repeatable: yes`. */
#ifndef GATEWAY_REPEAT_H
#define GATEWAY_REPEAT_H

#include "dialect/canonical.h"
#include "gateway/exchange.h"

/* Sets exchange->request.key: equal requests of one tenant to one route have equal keys. NULL: this one wants an answer of
 * its own, or no lever asks for its key. False: the body is so long that it is made on another thread, and KEY_READY
 * follows. */
bool repeat_begin(struct exchange *exchange);

/* Its body is too long to be walked on a worker's loop. */
bool repeat_is_long(const struct exchange *exchange);

/* What keys of this request are made of, beside its body. */
struct canonical_scope repeat_scope(struct exchange *exchange);

#endif
