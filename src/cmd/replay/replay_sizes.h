/* What --replicas says, and what it does to a configuration: how many engines stand in for a pool. */
#ifndef CMD_REPLAY_SIZES_H
#define CMD_REPLAY_SIZES_H

#include "config/config.h"

enum { REPLAY_REPLICAS_MOST = 64, REPLAY_POOL_NAME = 72 };

struct replay_sizes {
    char pool[REPLAY_POOL_NAME]; /* ""; not named */
    unsigned counts[REPLAY_REPLICAS_MOST];
    size_t count; /* at least 1 once read; each only once, as they were said */
};

/* "4", "2,4,8", "2-8", "1,4-6", with a pool "gpus=2,4,8". False: it has said what is wrong. */
bool replay_sizes_read(const char *text, struct replay_sizes *sizes) MUST_CHECK;

/* Is it one's own engines, which modelled ones play, and not an API? */
bool replay_is_pool(const struct backend_config *backend);

/* The pool of that name, or the only one if `name` is "". NULL: it has said what is wrong. */
struct backend_config *replay_pool_find(struct config *config, const char *name);

/* It has so many replicas: the configuration's first, and if those are too few more that are like the first. Before the
 * gateway is there. */
void replay_pool_resize(struct config *config, struct backend_config *backend, unsigned count);

#endif
