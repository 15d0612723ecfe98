/* Looks after the stored answers once a second, from the first worker: drops some that are past their time, and has the
 * store's file written (cache/file.h) off the loop. After a write that failed it waits a minute. */
#ifndef GATEWAY_CACHE_KEEPER_H
#define GATEWAY_CACHE_KEEPER_H

#include "gateway/gateway.h"

struct cache_keeper;

/* `gateway->cache_file` may be NULL: memory only. */
struct cache_keeper *cache_keeper_start(struct gateway_worker *first);

/* Nothing is begun any more; may be called twice. */
void cache_keeper_stop(struct cache_keeper *keeper);

/* When no work of it is under way any more, as the world has ended. */
void cache_keeper_free(struct cache_keeper *keeper);

#endif
