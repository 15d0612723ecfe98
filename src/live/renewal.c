#include "live/renewal.h"

#include <stdio.h>
#include <stdlib.h>

#include "live/server.h"
#include "live/tls.h"

/* To one worker. */
struct delivery {
    struct message message;
    struct renewal *renewal;
};

struct renewal {
    struct live *live;
    atomic_uint holders;
    SSL_CTX **contexts; /* by listener; NULL: plain */
    struct delivery deliveries[];
};

static void
release(struct renewal *renewal)
{
    if (atomic_fetch_sub_explicit(&renewal->holders, 1, memory_order_acq_rel) > 1)
        return;
    for (size_t i = 0; i < live_options_of(renewal->live)->listener_count; i++)
        SSL_CTX_free(renewal->contexts[i]);
    free(renewal->contexts);
    free(renewal);
}

enum status
renewal_read(struct live *live, struct renewal **out, char *problem)
{
    const struct live_options *options = live_options_of(live);
    struct renewal *renewal = must_calloc(1, sizeof(*renewal) + options->workers * sizeof(struct delivery));
    enum status status = OK;
    char why[TLS_WORDS_SIZE];

    atomic_init(&renewal->holders, 1);
    renewal->live = live;
    renewal->contexts = must_calloc(options->listener_count, sizeof(SSL_CTX *));
    for (size_t i = 0; i < options->listener_count && status == OK; i++) {
        const struct live_listener *listener = &options->listeners[i];

        if (listener->cert_file == NULL)
            continue;
        status = tls_server_context(listener->cert_file, listener->key_file, &renewal->contexts[i], why);
        if (status != OK)
            snprintf(problem, LIVE_PROBLEM_SIZE, "TLS with certificate '%s' and key '%s' (PEM files): %s.",
                     listener->cert_file, listener->key_file, why);
    }
    if (status == OK)
        *out = renewal;
    else
        release(renewal);
    return status;
}

void
renewal_drop(struct renewal *renewal)
{
    if (renewal != NULL)
        release(renewal);
}

static void
deliver(struct message *message, struct world *to)
{
    struct renewal *renewal = CONTAINER_OF(message, struct delivery, message)->renewal;
    struct live_world *world = live_world_of(to);

    for (size_t i = 0; i < world->server_count; i++) {
        if (renewal->contexts[i] == NULL || world->servers[i].tls == NULL)
            continue;
        SSL_CTX_up_ref(renewal->contexts[i]);
        SSL_CTX_free(world->servers[i].tls);
        world->servers[i].tls = renewal->contexts[i];
    }
    release(renewal);
}

void
renewal_use(struct renewal *renewal)
{
    unsigned workers = live_options_of(renewal->live)->workers;

    atomic_fetch_add_explicit(&renewal->holders, workers, memory_order_relaxed);
    for (unsigned i = 0; i < workers; i++) {
        renewal->deliveries[i] = (struct delivery){.message.deliver = deliver, .renewal = renewal};
        live_post(renewal->live, i, &renewal->deliveries[i].message);
    }
    release(renewal);
}
