/* Looks now and then whether a backend's replicas are where they were found (backends.NAME.discover): its file is read, its
 * name is resolved, off the loop. When something else is found, the configuration that holds is loaded anew with it: what
 * is new gets requests, what is gone gets none any more, and answers under way there go on. What cannot be read changes
 * nothing, and is said once. */
#ifndef CMD_REDISCOVER_H
#define CMD_REDISCOVER_H

#include "config/outside.h"
#include "gateway/gateway.h"

struct rediscover;

struct rediscover_options {
    struct gateway_worker *worker; /* the first */
    const struct config_outside *outside;
    void *context;
    /* Something else was found. False: not now; it is asked again. */
    bool (*changed)(void *context);
};

/* For the worker's present view; another follows a reload. NULL: no backend discovers anything. */
struct rediscover *rediscover_start(const struct rediscover_options *options);
void rediscover_stop(struct rediscover *rediscover); /* NULL is fine */

#endif
