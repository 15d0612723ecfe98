/* What a model's name means: a route, "backend/model", or a model that some backend has. */
#include "base/text.h"
#include "gateway/exchange.h"
#include "gateway/own_model.h"

/* A route of the request's own, for a model that no route names: it goes to the backend that has it, at its own price,
 * with no lever and two attempts. */
static struct route_config *
own_route(struct exchange *exchange, const struct backend_config *backend, struct slice model)
{
    struct route_config *route = arena_alloc(&exchange->arena, sizeof(*route));
    struct target *target = &route->reference;

    target->backend = backend;
    target->model = arena_slice_text(&exchange->arena, model);
    target->upstream = target->model;
    for (size_t i = 0; i < backend->model_count; i++)
        if (slice_is(model, backend->models[i].name))
            target->upstream = backend->models[i].upstream;
    target->name = arena_printf(&exchange->arena, "%s/%s", backend->name, target->model);
    route->baseline = route->reference;
    route->quality_ppm = 1000000;
    route->first_token_us = route->total_us = USEC_NEVER;
    route->attempts = exchange->identity.api == API_PASSTHROUGH ? 1 : 2;
    route->worth = USD_UNKNOWN;
    return route;
}

static bool
key_may(const struct key_config *key, struct slice model)
{
    if (key == NULL || key->routes == NULL)
        return true;
    for (const char **route = key->routes; *route != NULL; route++)
        if (slice_is(model, *route))
            return true;
    return false;
}

/* "backend/model", with a backend of the configuration; *rest is the model then. */
static const struct backend_config *
named_backend(const struct exchange *exchange, struct slice model, struct slice *rest)
{
    size_t at = slice_find_byte(model, '/');

    if (at == 0 || at + 1 >= model.len)
        return NULL;
    *rest = slice_from(model, at + 1);
    return config_backend(exchange->view->config, slice_first(model, at));
}

/* Those that could be asked for a model: they speak the request's API, or (`translated`) another one that it may be put
 * in. */
struct speakers {
    const struct backend_config *having; /* the first that is known to have it */
    const struct backend_config *maker;  /* the price book says that it makes it, and it has not told what it has */
    const struct backend_config *only;   /* the only one, if it has not told which models it has */
};

static struct speakers
find_speakers(const struct exchange *exchange, struct slice model, bool translated)
{
    const struct config *config = exchange->view->config;
    struct directory *directory = &exchange->view->snapshot->directory;
    const char *maker = prices_provider_by_model(config->prices, model);
    struct speakers found = {.having = NULL};
    size_t count = 0;

    for (size_t i = 0; i < config->backend_count; i++) {
        const struct backend_config *backend = &config->backends[i];
        bool silent = !directory_knows(directory, backend->index);

        if (backend_speaks(backend, exchange->identity.api) == translated ||
            backend_api(backend, exchange->identity.api) == API_COUNT)
            continue;
        if (found.having == NULL && directory_has(directory, backend->index, model))
            found.having = backend;
        if (found.maker == NULL && silent && maker != NULL && backend->provider != NULL &&
            strcmp(backend->provider, maker) == 0)
            found.maker = backend;
        found.only = ++count == 1 && silent ? backend : NULL;
    }
    return found;
}

/* Who is asked as the request came goes before who has the same model and is asked in other words; who may have it, last. */
static const struct backend_config *
backend_having(const struct exchange *exchange, struct slice model)
{
    struct speakers own = find_speakers(exchange, model, false), other;

    if (own.having != NULL)
        return own.having;
    if (own.maker != NULL)
        return own.maker;
    other = find_speakers(exchange, model, true);
    if (other.having != NULL)
        return other.having;
    return own.only != NULL ? own.only : other.maker;
}

const struct backend_config *
resolve_backend(const struct exchange *exchange, struct slice model)
{
    struct slice rest;
    const struct backend_config *named = named_backend(exchange, model, &rest);

    return named != NULL ? named : backend_having(exchange, model);
}

static const char *
say_unknown(struct exchange *exchange, struct slice model)
{
    struct view *view = exchange->view;
    char nearest[256];
    bool near = directory_nearest(&view->snapshot->directory, view->config, model, nearest, sizeof(nearest));

    return arena_printf(&exchange->arena, "the model '%.*s' is neither a route nor known of any backend%s%s%s",
                        SLICE_ARGS(model), near ? "; did you mean '" : " (GET /v1/models lists what is)",
                        near ? nearest : "", near ? "'?" : "");
}

/* The route that the request's own header names, whatever its model: an application that cannot change the model's
 * name can still be given a route. */
static const struct route_config *
named_route(struct exchange *exchange, struct slice name, enum error_kind *kind, const char **why)
{
    const struct route_config *route = config_route(exchange->view->config, name);

    if (route != NULL)
        return route;
    *kind = ERROR_BAD_REQUEST;
    *why = arena_printf(&exchange->arena, "x-equipoise-route: there is no route '%.*s' here", SLICE_ARGS(name));
    return NULL;
}

const struct route_config *
resolve_route(struct exchange *exchange, enum error_kind *kind, const char **why)
{
    const struct backend_config *backend = exchange->identity.passthrough;
    struct slice asked = http_head_get(&exchange->head, "x-equipoise-route"), rest;
    struct slice model = asked.len > 0 ? asked : exchange->facts.model;
    const struct route_config *route;

    if (exchange->identity.api == API_PASSTHROUGH) /* whatever model the body names: it is not read */
        model = slice_of(arena_printf(&exchange->arena, "%s/*", backend->name));
    if (!key_may(exchange->identity.key, model)) {
        *kind = ERROR_FORBIDDEN;
        *why = arena_printf(&exchange->arena, "this API key may not ask for the model '%.*s' (keys: routes)",
                            SLICE_ARGS(model));
        return NULL;
    }
    if (exchange->identity.api == API_PASSTHROUGH)
        return own_route(exchange, backend, SLICE_LITERAL("*"));
    if (asked.len > 0)
        return named_route(exchange, asked, kind, why);
    route = config_route(exchange->view->config, model);
    if (route != NULL)
        return route;
    backend = named_backend(exchange, model, &rest);
    if (backend != NULL)
        return own_route(exchange, backend, rest);
    route = own_model_route(exchange);
    if (route != NULL)
        return route;
    backend = backend_having(exchange, model);
    if (backend != NULL)
        return own_route(exchange, backend, model);
    *kind = ERROR_NO_SUCH_MODEL;
    *why = say_unknown(exchange, model);
    return NULL;
}
