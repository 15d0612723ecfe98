/* Signals, on the thread that called live_run: it waits there until the workers rest. What it needs of live.c. */
#ifndef LIVE_SIGNALS_H
#define LIVE_SIGNALS_H

#include <uv.h>

#include "live/live.h"

/* From now on it is rung when a worker begins or ends to rest; NULL: nobody listens. */
void live_tell(struct live *live, uv_async_t *told);

/* Whether all workers are stopping and have nothing left to do. */
bool live_rests(struct live *live);

#endif
