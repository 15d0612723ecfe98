#include "config/build/build.h"

/* Where engines show what, when nobody says otherwise. */
static const char *
metrics_of(enum engine engine)
{
    switch (engine) {
    case ENGINE_VLLM:
    case ENGINE_SGLANG:
    case ENGINE_LLAMACPP:
    case ENGINE_TGI:
    case ENGINE_TWIN:
        return "/metrics";
    case ENGINE_TRITON:
        return ":8002/metrics";
    case ENGINE_HOSTED:
    case ENGINE_OLLAMA:
        break;
    }
    return NULL;
}

static const char *
health_of(enum engine engine)
{
    switch (engine) {
    case ENGINE_VLLM:
    case ENGINE_SGLANG:
    case ENGINE_LLAMACPP:
    case ENGINE_TGI:
    case ENGINE_TWIN:
        return "/health";
    case ENGINE_TRITON:
        return "/v2/health/ready";
    case ENGINE_OLLAMA:
        return "/api/version";
    case ENGINE_HOSTED:
        break;
    }
    return NULL;
}

static bool
is_path(const char *text)
{
    for (const char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7f || *c == '#')
            return false;
    return text[0] == '/';
}

/* ":8002/metrics": the port, and *path is what follows; 0 if it is none. */
static unsigned
take_port(const char **path)
{
    unsigned port = 0;
    const char *at = *path;

    if (*at != ':')
        return 0;
    for (at++; *at >= '0' && *at <= '9' && port <= 65535; at++)
        port = port * 10 + (unsigned)(*at - '0');
    if (*at != '/' || port > 65535)
        return 0;
    *path = at;
    return port;
}

/* The path as it is asked for. What the user wrote is taken as it is; what we know of an engine stands behind the path
 * that the backend's URL has. NULL: nothing is asked. */
static const char *
path_of(struct build *build, const struct backend_draft *draft, const struct backend_config *backend, const char *key,
        const char *word, const char *standard, unsigned *port)
{
    bool is_auto = strcmp(word, "auto") == 0;
    const char *path = is_auto ? standard : word;

    if (path == NULL || strcmp(path, "off") == 0)
        return NULL;
    if (port != NULL)
        *port = take_port(&path);
    if (!is_path(path)) {
        reader_error(&build->reader, build_place(&draft->entry, key), "For example /metrics, or `off`.",
                     "%s: expected `auto`, `off` or a path", key);
        return NULL;
    }
    return is_auto ? arena_printf(build->reader.arena, "%s%s", backend->base_path, path) : path;
}

static const struct endpoint *
same_at_port(struct build *build, const struct backend_config *backend, unsigned port)
{
    struct endpoint *endpoints = arena_alloc(build->reader.arena, backend->endpoint_count * sizeof(*endpoints));

    for (size_t i = 0; i < backend->endpoint_count; i++) {
        const struct endpoint *endpoint = &backend->endpoints[i];
        bool six = strchr(endpoint->host, ':') != NULL;

        endpoints[i] = *endpoint;
        endpoints[i].port = port;
        endpoints[i].authority = arena_printf(build->reader.arena, six ? "[%s]:%u" : "%s:%u", endpoint->host, port);
        endpoints[i].id = ++build->config->endpoint_ids;
    }
    return endpoints;
}

void
build_asking(struct build *build, const struct backend_draft *draft, struct backend_config *backend)
{
    unsigned port = 0;

    backend->scrape_us = draft->scrape_us;
    backend->probe_us = draft->probe_us;
    backend->metrics_path =
        path_of(build, draft, backend, "metrics", draft->metrics, metrics_of(backend->engine), &port);
    backend->health_path = path_of(build, draft, backend, "health", draft->health, health_of(backend->engine), NULL);
    backend->metrics_endpoints = port != 0 ? same_at_port(build, backend, port) : backend->endpoints;
}
