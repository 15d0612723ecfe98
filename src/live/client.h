/* The client's side: calls to backends (world.h) over connections that are kept for the next call. */
#ifndef LIVE_CLIENT_H
#define LIVE_CLIENT_H

#include "live/loop.h"

/* For world_ops. */
void client_call_open(struct world *world, struct call *call, const struct call_request *request);
size_t client_call_write(struct world *world, struct call *call, struct slice bytes, bool last);
void client_call_pause(struct world *world, struct call *call, bool paused);
void client_call_close(struct world *world, struct call *call);

/* Fails every open call and closes every connection. */
void client_cut(struct live_world *world);

/* Frees the pools, which are empty after client_cut. */
void client_free(struct live_world *world);

#endif
