/* The slices of routes whose evidence stands by itself (acceptable: slices, quality/parts.h): which of them a request is in. */
#ifndef GATEWAY_PART_H
#define GATEWAY_PART_H

#include "gateway/exchange.h"
#include "quality/evidences.h"

/* Before plans are made: says in exchange->request.part which one it is. Where its route is not cut, and where another configuration
 * cuts it by now, so that nothing is known of what this one calls slices, there is none. */
void part_find(struct exchange *exchange);

/* Whether what is known of other models of its route is known of slices as its configuration has them. */
bool part_is_of_now(const struct exchange *exchange);

/* By this configuration from now on. Of routes that were cut otherwise, or not at all, all is dropped that other models had earned: it
 * was said of other requests. */
void parts_of_routes_follow(struct evidences *evidences, const struct config *config);

#endif
