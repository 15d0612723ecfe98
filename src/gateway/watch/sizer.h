/* Looks once a second, on the first worker, at how many replicas each pool needs (fleet/capacity/pool_size.h): brings it what the
 * configuration says and how many take requests, has what-if questions answered off the loop, hands what is wanted to the
 * configured command, and keeps what was learned over a restart.
 *
 * A pool is a backend that is an engine of the user's own, or has `replicas` in the configuration. Nothing is started or
 * stopped here.
 *
 * The command (`backends.NAME.replicas.command`) runs when another number is wanted than it was last told, never twice at
 * a time, and not sooner than SIZER_COMMAND_PAUSE_US after it ended. Its arguments are the backend, how many replicas take
 * requests, and how many are wanted; the same comes as JSON on its standard input. When it fails, that is an alert, and it is
 * tried again after a pause that doubles. */
#ifndef GATEWAY_SIZER_H
#define GATEWAY_SIZER_H

#include "cache/file.h"
#include "gateway/gateway.h"

#define SIZER_COMMAND_PAUSE_US (10 * USEC_PER_S)
#define SIZER_COMMAND_PAUSE_MOST_US (600 * USEC_PER_S)

struct sizer;

/* Reads what was kept; takes over the disk. NULL: nothing is kept. Blocks: before anything is served. */
struct sizer *sizer_open(struct gateway *gateway, struct cache_disk *disk) __attribute__((returns_nonnull));

/* On the first worker; stopped before its world ends. */
void sizer_start(struct sizer *sizer, struct gateway_worker *first);
void sizer_stop(struct sizer *sizer);

/* Writes down what is to be kept; blocks, when the worker is gone. NULL is fine. */
void sizer_close(struct sizer *sizer);

/* For the metrics page: what is wanted, there, and demanded, by pool. First worker. */
void sizer_print(struct gateway *gateway, struct buffer *out);

/* For the admin's pages: one object, {"NAME":{"wanted":3,...},...}. First worker. */
void sizer_write_json(struct gateway *gateway, struct buffer *out);

/* One of them, without its name; null if it is none of the pools that are looked at. */
void sizer_write_pool(struct gateway *gateway, const struct backend_config *backend, struct buffer *out);

/* Is it one of the pools that are looked at? */
static inline bool
sizer_is_pool(const struct backend_config *backend)
{
    return backend->engine != ENGINE_HOSTED || backend->replicas.given;
}

#endif
