#include "cmd/replay/replay_sizes.h"

#include <stdio.h>

#include "cmd/cmd.h"
#include "config/value.h"

/* Reading */

static bool
complain(const char *text)
{
    cmd_complain("replay: --replicas wants a number from 1 to %d, or several such as 2,4,8 or 2-8, with a pool's name "
                 "gpus=2,4,8; not '%s'.",
                 REPLAY_REPLICAS_MOST, text);
    return false;
}

static bool
read_count(struct slice text, unsigned *out)
{
    return value_count(slice_trim(text), out) == OK && *out >= 1 && *out <= REPLAY_REPLICAS_MOST;
}

/* "4" or "2-8". */
static bool
read_range(struct slice text, unsigned *first, unsigned *last)
{
    size_t dash = slice_find_byte(text, '-');

    if (!read_count(slice_first(text, dash), first))
        return false;
    *last = *first;
    return dash == text.len || (read_count(slice_from(text, dash + 1), last) && *first <= *last);
}

static bool
add_count(struct replay_sizes *sizes, unsigned count)
{
    for (size_t i = 0; i < sizes->count; i++)
        if (sizes->counts[i] == count) {
            cmd_complain("replay: --replicas: %u is there twice.", count);
            return false;
        }
    sizes->counts[sizes->count++] = count;
    return true;
}

bool
replay_sizes_read(const char *text, struct replay_sizes *sizes)
{
    struct slice rest = slice_of(text);
    size_t equals = slice_find_byte(rest, '=');
    unsigned first, last;

    *sizes = (struct replay_sizes){.count = 0};
    if (equals < rest.len) {
        struct slice name = slice_trim(slice_first(rest, equals));

        if (!value_is_name(name))
            return complain(text);
        snprintf(sizes->pool, sizeof(sizes->pool), "%.*s", SLICE_ARGS(name));
        rest = slice_from(rest, equals + 1);
    }
    do {
        if (!read_range(slice_trim(slice_split(&rest, ',')), &first, &last))
            return complain(text);
        for (unsigned count = first; count <= last; count++)
            if (!add_count(sizes, count))
                return false;
    } while (rest.data != NULL);
    return true;
}

/* The pool */

bool
replay_is_pool(const struct backend_config *backend)
{
    return backend->engine_model != NULL || backend->engine != ENGINE_HOSTED || usd_known(backend->usd_per_hour);
}

static void
complain_pools(const struct config *config, const char *name)
{
    const struct backend_config *first = NULL;
    struct buffer known = {0};

    for (size_t i = 0; i < config->backend_count; i++) {
        const struct backend_config *backend = &config->backends[i];

        if (!replay_is_pool(backend))
            continue;
        buffer_printf(&known, "%s%s", first != NULL ? ", " : "", backend->name);
        first = first != NULL ? first : backend;
    }
    if (first == NULL)
        cmd_complain("replay: the configuration has no engines of your own that there could be more of: a pool is a "
                     "backend with `engine`, `engine_model` or `usd_per_hour`.");
    else if (name[0] != '\0')
        cmd_complain("replay: --replicas: the configuration has no pool '%s'. It has: %.*s", name,
                     SLICE_ARGS(buffer_content(&known)));
    else
        cmd_complain("replay: --replicas: of which pool? Say it as in %s=2,4,8. There are: %.*s", first->name,
                     SLICE_ARGS(buffer_content(&known)));
    buffer_free(&known);
}

struct backend_config *
replay_pool_find(struct config *config, const char *name)
{
    struct backend_config *found = NULL;
    size_t count = 0;

    for (size_t i = 0; i < config->backend_count; i++) {
        struct backend_config *backend = &config->backends[i];

        if (!replay_is_pool(backend) || (name[0] != '\0' && strcmp(backend->name, name) != 0))
            continue;
        found = backend;
        count++;
    }
    if (count != 1) {
        complain_pools(config, name);
        return NULL;
    }
    if (found->endpoint_count == 0) {
        cmd_complain("replay: --replicas: the pool %s has no URL that others could be like; give it one.", found->name);
        return NULL;
    }
    return found;
}

static struct endpoint
one_more(struct config *config, const struct backend_config *backend, unsigned number)
{
    struct endpoint endpoint = backend->endpoints[0];

    endpoint.id = ++config->endpoint_ids;
    endpoint.host = arena_printf(&config->arena, "replica-%u.%s.replay", number, backend->name);
    endpoint.authority = endpoint.host;
    return endpoint;
}

void
replay_pool_resize(struct config *config, struct backend_config *backend, unsigned count)
{
    struct endpoint *endpoints = arena_alloc(&config->arena, count * sizeof(*endpoints));

    ENSURE(backend->endpoint_count > 0 && count > 0);
    for (unsigned i = 0; i < count; i++)
        endpoints[i] = i < backend->endpoint_count ? backend->endpoints[i] : one_more(config, backend, i + 1);
    backend->endpoints = endpoints;
    backend->endpoint_count = count;
    backend->metrics_path = NULL; /* nobody is asked in a replay, and there are only as many places as before */
    backend->health_path = NULL;
}
