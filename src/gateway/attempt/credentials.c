#include "gateway/attempt/credentials.h"

#include <stdlib.h>

/* A command that takes longer has failed; a secret is no longer than this. */
static const usec COMMAND_TIMEOUT_US = 30 * USEC_PER_S;
enum { SECRET_BYTES_MOST = 16 * 1024 };

/* After a failure the command is not asked again at once for every request. */
static const usec FAILURE_PAUSE_US = 2 * USEC_PER_S;

struct credential_cache {
    struct view *view; /* held while the command runs */
    const struct credential *credential;
    size_t count; /* of all, in the first */
    char *secret; /* what the command printed; NULL: nothing yet */
    usec good_until_us, failed_until_us;
    usec fresh_until_us; /* before it, no refusal makes us ask again */
    bool running;
    struct list waiting; /* exchanges */
    struct command_run run;
};

struct credential_cache *
credentials_new(struct view *view)
{
    const struct config *config = view->config;
    struct credential_cache *caches = must_calloc(config->backend_count + 1, sizeof(*caches));

    caches[0].count = config->backend_count;
    for (size_t i = 0; i < config->backend_count; i++) {
        caches[i].view = view;
        caches[i].credential = &config->backends[i].credential;
        list_init(&caches[i].waiting);
    }
    return caches;
}

static void
forget_secret(struct credential_cache *cache)
{
    if (cache->secret == NULL)
        return;
    explicit_bzero(cache->secret, strlen(cache->secret));
    free(cache->secret);
    cache->secret = NULL;
}

void
credentials_free(struct credential_cache *caches)
{
    for (size_t i = 0; i < caches[0].count; i++) {
        ENSURE(!caches[i].running && list_empty(&caches[i].waiting));
        forget_secret(&caches[i]);
    }
    free(caches);
}

/* The same command, for the same place: what it printed proves the same. */
static bool
is_same(const struct backend_config *a, const struct backend_config *b)
{
    return a->credential.command != NULL && b->credential.command != NULL &&
           strcmp(a->credential.command, b->credential.command) == 0 && a->endpoint_count > 0 &&
           b->endpoint_count > 0 && strcmp(a->endpoints[0].authority, b->endpoints[0].authority) == 0;
}

void
credentials_take_over(struct view *view, const struct view *before)
{
    for (size_t i = 0; i < view->config->backend_count; i++) {
        const struct backend_config *backend = &view->config->backends[i];
        const struct backend_config *was = config_backend(before->config, slice_of(backend->name));
        const struct credential_cache *old = was != NULL ? &before->credentials[was->index] : NULL;

        if (old == NULL || old->secret == NULL || !is_same(backend, was))
            continue;
        view->credentials[i].secret = must_strdup(old->secret);
        view->credentials[i].good_until_us = old->good_until_us;
        view->credentials[i].fresh_until_us = old->fresh_until_us;
    }
}

static bool
usable(struct slice secret)
{
    for (size_t i = 0; i < secret.len; i++)
        if ((unsigned char)secret.data[i] <= ' ' || secret.data[i] == 0x7f)
            return false;
    return secret.len > 0;
}

static void
wake_waiting(struct credential_cache *cache)
{
    while (!list_empty(&cache->waiting)) {
        struct exchange *exchange = CONTAINER_OF(list_first(&cache->waiting), struct exchange, waiting);

        list_remove(&exchange->waiting);
        exchange_secret_here(exchange, cache->secret, "the command that prints this backend's credential failed");
        exchange_drop(exchange);
    }
}

static void
command_done(struct command_run *run, int exit_status, struct slice output)
{
    struct credential_cache *cache = CONTAINER_OF(run, struct credential_cache, run);
    usec now_us = world_now_us(worker_world(cache->view->worker));
    struct slice secret = slice_trim(output);

    cache->running = false;
    forget_secret(cache);
    if (exit_status == 0 && usable(secret)) {
        cache->secret = slice_strdup(secret);
        cache->good_until_us = now_us + cache->credential->refresh_us;
    } else {
        cache->failed_until_us = now_us + FAILURE_PAUSE_US;
        log_line(cache->view->worker->gateway->log, LOG_ERROR,
                 "the command that prints a backend's credential failed (exit status %d, %zu bytes): auth: command",
                 exit_status, output.len);
    }
    wake_waiting(cache);
    view_release(cache->view);
}

static void
run_command(struct credential_cache *cache)
{
    struct world *world = worker_world(cache->view->worker);

    cache->running = true;
    view_hold(cache->view);
    cache->run = (struct command_run){.command = cache->credential->command,
                                      .timeout_us = COMMAND_TIMEOUT_US,
                                      .output_most = SECRET_BYTES_MOST,
                                      .done = command_done};
    world->ops->command(world, &cache->run);
}

void
credentials_ask(struct exchange *exchange)
{
    struct credential_cache *cache = &exchange->view->credentials[exchange->plan->target->backend->index];
    usec now_us = world_now_us(worker_world(exchange->worker));

    if (cache->credential->command == NULL) {
        exchange_secret_here(exchange, cache->credential->secret != NULL ? cache->credential->secret : "", NULL);
    } else if (cache->secret != NULL && now_us < cache->good_until_us) {
        exchange_secret_here(exchange, cache->secret, NULL);
    } else if (!cache->running && now_us < cache->failed_until_us) {
        exchange_secret_here(exchange, NULL, "the command that prints this backend's credential failed just now");
    } else {
        exchange_hold(exchange);
        list_append(&cache->waiting, &exchange->waiting);
        if (!cache->running)
            run_command(cache);
    }
}

const char *
credentials_known(const struct view *view, const struct backend_config *backend)
{
    const struct credential_cache *cache = &view->credentials[backend->index];
    usec now_us = world_now_us(worker_world(view->worker));

    if (cache->credential->command == NULL)
        return cache->credential->secret;
    return cache->secret != NULL && now_us < cache->good_until_us ? cache->secret : NULL;
}

void
credentials_forget(struct exchange *exchange)
{
    if (!list_linked(&exchange->waiting))
        return;
    list_remove(&exchange->waiting);
    exchange_drop(exchange);
}

void
credentials_refused(struct view *view, const struct backend_config *backend)
{
    struct credential_cache *cache = &view->credentials[backend->index];
    usec now_us = world_now_us(worker_world(view->worker));

    if (now_us < cache->fresh_until_us)
        return; /* it was renewed for a refusal just now: the refusals have another reason */
    cache->good_until_us = 0;
    cache->fresh_until_us = now_us + FAILURE_PAUSE_US;
}
