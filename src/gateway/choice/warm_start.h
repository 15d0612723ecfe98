/* Teaches a route's router by a file of labelled requests (`warm_start`) before it has audits of its own: off the loop, some
 * requests at a time, so that nobody waits behind it. Only how requests rank is taught; what a model may serve, evidence of
 * audits says, which begins with nothing. Requests that come meanwhile all score the same. */
#ifndef GATEWAY_WARM_START_H
#define GATEWAY_WARM_START_H

struct gateway_worker;
struct route_config;
struct view;

/* Begins, if there is something to be learned of and nobody does yet. Where a request of the route found no view. */
void warm_start(struct gateway_worker *worker, struct view *view, const struct route_config *route);

#endif
