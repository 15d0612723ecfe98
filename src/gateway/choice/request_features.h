/* What scores of a request go by (quality/features.h), read of its body. */
#ifndef GATEWAY_REQUEST_FEATURES_H
#define GATEWAY_REQUEST_FEATURES_H

#include "dialect/api.h"
#include "quality/features.h"

/* The same for the same body, whoever reads it. */
void request_features(const struct embedder *embedder, enum api api, struct slice body, struct features *features);

/* Of a last turn, where nothing else is known of the request. */
void request_features_of_turn(const struct embedder *embedder, struct slice turn, struct features *features);

#endif
