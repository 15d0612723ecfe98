/* What a plan by a stored answer comes to. */
#ifndef LEVERS_CACHED_PLAN_H
#define LEVERS_CACHED_PLAN_H

#include "cache/entry.h"
#include "levers/lever.h"

/* Whose answer it is, that it costs nothing, and how long it takes. */
void cached_plan_expect(const struct request *request, const struct cache_entry *entry, struct plan *plan);

#endif
