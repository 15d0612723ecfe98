#include "live/pool.h"

#include <stdio.h>
#include <stdlib.h>

/* What is done off the loop: asking the resolver, reading the files of authorities. Shares nothing with the worker. */
struct lookup {
    struct job job;
    struct pool *pool;
    struct tls_contexts *contexts;
    char *host, *ca_file;
    unsigned port;
    bool tls, verify, private_allowed, metadata_allowed;

    struct resolved resolved;
    SSL_CTX *context;
    enum status status;
    char why[POOL_WORDS_SIZE];
};

_Static_assert((int)POOL_WORDS_SIZE >= (int)RESOLVE_WORDS_SIZE && (int)POOL_WORDS_SIZE >= (int)TLS_WORDS_SIZE,
               "the reasons of others fit");

static void
keep_session(struct tls_session_keeper *keeper, SSL_SESSION *session)
{
    struct pool *pool = CONTAINER_OF(keeper, struct pool, keeper);

    SSL_SESSION_free(pool->session);
    pool->session = session;
}

static void
pool_free(struct pool *pool)
{
    ENSURE(!pool->looking_up && list_empty(&pool->idle) && list_empty(&pool->waiting));
    SSL_SESSION_free(pool->session);
    free(pool);
}

/* Without connections, nobody points to it; one that was refused a connection did so long ago. */
static bool
is_forgotten(const struct pool *pool, usec now_us)
{
    return pool->connections == 0 && !pool->looking_up && list_empty(&pool->waiting) &&
           now_us - pool->used_us >= POOL_STALE_US;
}

static void
sweep(struct live_world *world)
{
    usec now_us = loop_now_us(world);
    struct map kept;
    struct slice key;
    void *value;
    size_t at = 0;

    map_init(&kept);
    while (map_next(&world->pools, &at, &key, &value)) {
        if (is_forgotten(value, now_us))
            pool_free(value);
        else
            map_put(&kept, key, value);
    }
    map_free(&world->pools);
    world->pools = kept;
}

struct pool *
pool_get(struct live_world *world, const struct endpoint *endpoint)
{
    struct slice key = slice_make((const char *)&endpoint->id, sizeof(endpoint->id));
    struct pool *pool = map_get(&world->pools, key);

    if (pool != NULL) {
        pool->used_us = loop_now_us(world);
        return pool;
    }
    sweep(world);
    pool = must_calloc(1, sizeof(*pool));
    pool->keeper.keep = keep_session;
    pool->world = world;
    pool->id = endpoint->id;
    pool->used_us = loop_now_us(world);
    list_init(&pool->idle);
    list_init(&pool->waiting);
    map_put(&world->pools, key, pool);
    return pool;
}

static void
run_lookup(struct job *job)
{
    struct lookup *lookup = CONTAINER_OF(job, struct lookup, job);

    lookup->status = OK;
    if (!resolve_number(lookup->host, lookup->port, &lookup->resolved))
        lookup->status = resolve_name(lookup->host, lookup->port, &lookup->resolved, lookup->why);
    if (lookup->status == OK)
        lookup->status = resolve_keep_allowed(lookup->host, lookup->private_allowed, lookup->metadata_allowed,
                                              &lookup->resolved, lookup->why);
    if (lookup->status != OK || !lookup->tls)
        return;
    lookup->context = tls_contexts_get(lookup->contexts, lookup->ca_file, lookup->verify, lookup->why);
    if (lookup->context == NULL)
        lookup->status = ERR_INVALID;
}

/* A refresh that failed leaves the addresses that worked, until they are too old. */
static void
lookup_done(struct job *job)
{
    struct lookup *lookup = CONTAINER_OF(job, struct lookup, job);
    struct pool *pool = lookup->pool;

    pool->looking_up = false;
    memcpy(pool->why, lookup->why, sizeof(pool->why));
    if (lookup->status == OK) {
        pool->resolved = lookup->resolved;
        pool->resolved_us = loop_now_us(pool->world);
        pool->tls = lookup->context;
        pool->why[0] = '\0';
    }
    free(lookup->host);
    free(lookup->ca_file);
    free(lookup);
    pool_looked_up(pool);
}

static void
look_up(struct pool *pool, const struct endpoint *endpoint)
{
    struct lookup *lookup = must_calloc(1, sizeof(*lookup));

    lookup->job.run = run_lookup;
    lookup->job.done = lookup_done;
    lookup->pool = pool;
    lookup->contexts = pool->world->contexts;
    lookup->host = must_strdup(endpoint->host);
    lookup->ca_file = endpoint->ca_file != NULL ? must_strdup(endpoint->ca_file) : NULL;
    lookup->port = endpoint->port;
    lookup->tls = endpoint->tls;
    lookup->verify = endpoint->verify;
    lookup->private_allowed = endpoint->private_allowed;
    lookup->metadata_allowed = endpoint->metadata_allowed;
    pool->looking_up = true;
    loop_work(pool->world, &lookup->job);
}

/* A plain number needs nobody off the loop. */
static bool
resolve_at_once(struct pool *pool, const struct endpoint *endpoint)
{
    if (endpoint->tls || !resolve_number(endpoint->host, endpoint->port, &pool->resolved))
        return false;
    if (resolve_keep_allowed(endpoint->host, endpoint->private_allowed, endpoint->metadata_allowed, &pool->resolved,
                             pool->why) != OK)
        pool->resolved.count = 0;
    pool->numeric = true;
    return true;
}

bool
pool_ready(struct pool *pool, const struct endpoint *endpoint)
{
    usec age_us;

    if (pool->numeric)
        return true;
    if (pool->resolved_us == 0 && !pool->looking_up && resolve_at_once(pool, endpoint))
        return true;
    age_us = pool->resolved_us != 0 ? loop_now_us(pool->world) - pool->resolved_us : POOL_STALE_US;
    if (age_us >= POOL_FRESH_US && !pool->looking_up)
        look_up(pool, endpoint);
    return age_us < POOL_STALE_US;
}

SSL *
pool_tls(struct pool *pool, const struct endpoint *endpoint)
{
    if (!endpoint->tls)
        return NULL;
    ENSURE(pool->tls != NULL);
    return tls_connect(pool->tls, endpoint->server_name != NULL ? endpoint->server_name : endpoint->host, pool->session,
                       &pool->keeper);
}

void
pools_free(struct live_world *world)
{
    struct slice key;
    void *value;
    size_t at = 0;

    while (map_next(&world->pools, &at, &key, &value)) {
        pool_free(value);
    }
}
