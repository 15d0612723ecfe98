/* The model that this program has itself: its embedder, on /v1/embeddings as "equipoise/embed". It needs no backend, costs
 * nothing, and is for whoever has no better one: for search, sorting and the like, in English foremost. A route of that
 * name takes its place. */
#ifndef GATEWAY_OWN_MODEL_H
#define GATEWAY_OWN_MODEL_H

#include "gateway/exchange.h"

/* A route for it, if that is what the request asks for; NULL: it is not. */
const struct route_config *own_model_route(struct exchange *exchange);

/* True: the exchange's route is that one, and has its plan: there is no other, and it is sent nowhere. */
bool own_model_plan(struct exchange *exchange);

/* Answers, at once or soon; FIRST_BYTE, or ATTEMPTS_SPENT where the request is not one for it. */
void own_model_serve(struct exchange *exchange);

#endif
