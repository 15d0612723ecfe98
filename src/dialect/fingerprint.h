/* What a request asks, as one number that does not depend on how it was written: the order of keys and white space do
 * not matter, nor do members that cannot change the answer (stream, stream_options, user, metadata, ...); everything
 * else counts, members that we do not know too. */
#ifndef DIALECT_FINGERPRINT_H
#define DIALECT_FINGERPRINT_H

#include "base/hash.h"
#include "base/status.h"
#include "dialect/api.h"

/* SHA-256 of tenant, API and the canonical body: equal requests of two tenants have nothing in common. ERR_INVALID: the
 * body is no JSON object. ERR_LIMIT: it is nested too deeply to be taken down. About 5 ms per MiB. */
enum status fingerprint_request(enum api api, struct slice tenant, struct slice body, struct digest *out) MUST_CHECK;

#endif
