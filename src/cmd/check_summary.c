#include "cmd/check_summary.h"

#include "config/labelled.h"

static const char *const engine_names[] = {
    [ENGINE_HOSTED] = "hosted", [ENGINE_VLLM] = "vllm", [ENGINE_SGLANG] = "sglang", [ENGINE_LLAMACPP] = "llama.cpp",
    [ENGINE_OLLAMA] = "ollama", [ENGINE_TGI] = "tgi",   [ENGINE_TRITON] = "triton", [ENGINE_TWIN] = "twin",
};

const char *
summary_engine(enum engine engine)
{
    return engine_names[engine];
}

static const char *const mode_names[] = {[LEVER_OFF] = "off", [LEVER_SHADOW] = "shadow", [LEVER_ON] = "on"};

static bool
is_priced(const struct config *config, const struct target *target)
{
    const struct backend_config *backend = target->backend;

    return usd_known(backend->usd_per_hour) ||
           prices_resolve(config->prices, backend->name, backend->provider, slice_of(target->upstream)) != NULL;
}

/* Calls `add` for the reference, a baseline apart from it, and the candidates. */
static void
each_target(const struct route_config *route, void (*add)(const struct target *, void *), void *context)
{
    add(&route->reference, context);
    if (strcmp(route->baseline.name, route->reference.name) != 0)
        add(&route->baseline, context);
    for (size_t i = 0; i < route->candidate_count; i++)
        add(&route->candidates[i], context);
}

struct unpriced {
    const struct config *config;
    struct map seen;
    struct buffer *out;
    bool json;
};

static void
add_unpriced(const struct target *target, void *context)
{
    struct unpriced *unpriced = context;
    const char *separator = unpriced->seen.count == 0 ? "" : unpriced->json ? "," : ", ";

    if (is_priced(unpriced->config, target) || map_get(&unpriced->seen, slice_of(target->name)) != NULL)
        return;
    map_put(&unpriced->seen, slice_of(target->name), target->name);
    buffer_add_text(unpriced->out, separator);
    buffer_add_text(unpriced->out, unpriced->json ? "\"" : "");
    buffer_add_json(unpriced->out, slice_of(target->name));
    buffer_add_text(unpriced->out, unpriced->json ? "\"" : "");
}

/* The targets without a price, each once; how many. */
static size_t
list_unpriced(const struct config *config, bool json, struct buffer *out)
{
    struct unpriced unpriced = {.config = config, .out = out, .json = json};
    size_t count;

    map_init(&unpriced.seen);
    for (size_t i = 0; i < config->route_count; i++)
        each_target(&config->routes[i], add_unpriced, &unpriced);
    count = unpriced.seen.count;
    map_free(&unpriced.seen);
    return count;
}

void
summary_url(const struct backend_config *backend, size_t endpoint, struct buffer *out)
{
    const struct endpoint *at = &backend->endpoints[endpoint];

    buffer_printf(out, "%s://%s%s", at->tls ? "https" : "http", at->authority, backend->base_path);
}

static void
add_address(const char *before, const struct listen_address *address, struct buffer *out)
{
    bool v6 = strchr(address->host, ':') != NULL;

    buffer_printf(out, "%s%s%s%s:%u", before, v6 ? "[" : "", address->host, v6 ? "]" : "", address->port);
}

static void
add_listeners(const struct config *config, struct buffer *out)
{
    add_address("listens on ", &config->listen, out);
    buffer_add_text(out, config->tls.cert != NULL ? " (TLS)" : "");
    add_address(", admin on ", &config->admin, out);
    if (config->health.port != 0)
        add_address(", health on ", &config->health, out);
    buffer_printf(out, "; data in %s%s\n", config->data, config->observe ? "; observes only" : "");
}

static bool
speaks_all_of_its_dialect(const struct backend_config *backend)
{
    for (unsigned api = 0; api < API_PASSTHROUGH; api++)
        if (backend_speaks(backend, (enum api)api) != (api_dialect((enum api)api) == backend->dialect))
            return false;
    return true;
}

static void
add_apis(const struct backend_config *backend, const char *before, const char *between, const char *behind,
         struct buffer *out)
{
    for (unsigned api = 0; api < API_PASSTHROUGH; api++) {
        if (!backend_speaks(backend, (enum api)api))
            continue;
        buffer_printf(out, "%s%s", before, api_name((enum api)api));
        before = between;
    }
    buffer_add_text(out, behind);
}

/* Whether it must be asked in other words than the reference for requests of some API. */
static bool
is_translated(const struct route_config *route, const struct target *candidate)
{
    static const enum api apis[] = {API_CHAT, API_MESSAGES, API_RESPONSES};

    for (size_t i = 0; route->reference.backend != NULL && i < sizeof(apis) / sizeof(apis[0]); i++)
        if (backend_speaks(route->reference.backend, apis[i]) && !backend_speaks(candidate->backend, apis[i]) &&
            backend_api(candidate->backend, apis[i]) != API_COUNT)
            return true;
    return false;
}

static void
add_backend(const struct backend_config *backend, struct buffer *out)
{
    char money[USD_PEOPLE_SIZE];

    buffer_printf(out, "  %-14s ", backend->name);
    for (size_t i = 0; i < backend->endpoint_count; i++) {
        buffer_add_text(out, i > 0 ? ", " : "");
        summary_url(backend, i, out);
    }
    buffer_printf(out, "; speaks %s", dialect_name(backend->dialect));
    if (!speaks_all_of_its_dialect(backend))
        add_apis(backend, " (", ", ", ")", out);
    buffer_printf(out, "; %s", engine_names[backend->engine]);
    if (backend->credential.header == NULL)
        buffer_add_text(out, "; no key");
    else
        buffer_printf(out, "; %s in %s", backend->credential.command != NULL ? "key from a command" : "key",
                      backend->credential.header);
    if (usd_known(backend->usd_per_hour)) {
        usd_format_places(backend->usd_per_hour, 2, money);
        buffer_printf(out, "; %s an hour", money);
    } else {
        buffer_printf(out, "; prices of %s", backend->provider != NULL ? backend->provider : "nobody known");
    }
    if (backend->model_count > 0)
        buffer_printf(out, "; %zu model%s named", backend->model_count, backend->model_count == 1 ? "" : "s");
    buffer_add_byte(out, '\n');
}

static void
add_route(const struct config *config, const struct route_config *route, struct buffer *out)
{
    buffer_printf(out, "  %-14s %s%s", route->name, route->reference.name,
                  is_priced(config, &route->reference) ? "" : " (no price)");
    for (size_t i = 0; i < route->candidate_count; i++)
        buffer_printf(out, "%s%s%s%s", i == 0 ? "; or " : ", ", route->candidates[i].name,
                      is_priced(config, &route->candidates[i]) ? "" : " (no price)",
                      is_translated(route, &route->candidates[i]) ? " (translated)" : "");
    for (size_t i = 0; i < LEVER_COUNT; i++)
        if (route->levers[i].mode != LEVER_OFF)
            buffer_printf(out, "; %s %s", lever_name((enum lever_id)i), mode_names[route->levers[i].mode]);
    if (route->router.labelled != NULL)
        buffer_printf(out, "; begins with %zu labelled requests", route->router.labelled->count);
    buffer_add_byte(out, '\n');
}

static bool
is_same_scope(const struct budget_rule *a, const struct budget_rule *b)
{
    return a->scope == b->scope && slice_equal(a->name, b->name);
}

/* A line for each scope: its limits, and what becomes of what exceeds them. */
static void
add_budgets(const struct config *config, struct buffer *out)
{
    const struct budget_rules *rules = &config->all_budgets;

    if (rules->count > 0)
        buffer_printf(out, "budgets: %zu\n", rules->count);
    for (size_t i = 0; i < rules->count; i++) {
        const struct budget_rule *rule = &rules->all[i];
        struct budget_policy policy = config_budget_policy(config, rule);
        bool goes_on = i + 1 < rules->count && is_same_scope(rule, rule + 1);

        if (i == 0 || !is_same_scope(rule - 1, rule))
            buffer_printf(out, "  %s%s%.*s: ", budget_scope_name(rule->scope), rule->name.len > 0 ? " " : "",
                          SLICE_ARGS(rule->name));
        buffer_printf(out, "%.*s", SLICE_ARGS(rule->text));
        if (goes_on)
            buffer_add_text(out, ", ");
        else
            buffer_printf(out, "; %s, %s\n", policy.on_exceed == ON_EXCEED_DEGRADE ? "degrade" : "refuse",
                          policy.exposure == EXPOSURE_STRICT ? "strict" : "expected");
    }
}

static void
add_alerts(const struct config *config, struct buffer *out)
{
    const struct alert_config *alerts = &config->alerts;
    bool webhook = alerts->endpoint != NULL, command = alerts->command != NULL;

    buffer_add_text(out, "alerts: ");
    if (webhook)
        buffer_printf(out, "to the webhook at %s%s", alerts->endpoint->authority, command ? " and " : "");
    if (command)
        buffer_add_text(out, "to the command");
    buffer_add_text(out, webhook || command ? "; budgets at" : "in the log only; budgets at");
    for (size_t i = 0; i < alerts->share_count; i++)
        buffer_printf(out, "%s %g%%", i > 0 ? "," : "", alerts->shares_ppm[i] / 10000.0);
    buffer_add_byte(out, '\n');
}

void
summary_text(const struct config *config, struct buffer *out)
{
    struct buffer unpriced;

    add_listeners(config, out);
    buffer_printf(out, "backends: %zu\n", config->backend_count);
    for (size_t i = 0; i < config->backend_count; i++)
        add_backend(&config->backends[i], out);
    buffer_printf(out, "routes: %zu%s\n", config->route_count,
                  config->route_count == 0 ? "; models go to the backend that has them" : "");
    for (size_t i = 0; i < config->route_count; i++)
        add_route(config, &config->routes[i], out);
    buffer_printf(out, "keys: %zu; tenants: %zu\n", config->key_count, config->tenant_count);
    add_budgets(config, out);
    if (config->all_budgets.count > 0)
        add_alerts(config, out);
    buffer_init(&unpriced);
    if (list_unpriced(config, false, &unpriced) > 0)
        buffer_printf(out, "without a price: %.*s\n", SLICE_ARGS(buffer_content(&unpriced)));
    else if (config->route_count > 0)
        buffer_add_text(out, "prices: every model of every route has one\n");
    buffer_free(&unpriced);
}

static void
json_text(const char *before, const char *text, struct buffer *out)
{
    buffer_add_text(out, before);
    if (text == NULL) {
        buffer_add_text(out, "null");
        return;
    }
    buffer_add_byte(out, '"');
    buffer_add_json(out, slice_of(text));
    buffer_add_byte(out, '"');
}

static void
json_problem(const struct problem *problem, struct buffer *out)
{
    json_text("{\"severity\":", problem->severity == PROBLEM_ERROR ? "error" : "warning", out);
    buffer_printf(out, ",\"line\":%u,\"column\":%u", problem->line, problem->column);
    if (problem->elsewhere)
        json_text(",\"file\":", problem->file, out);
    json_text(",\"text\":", problem->text, out);
    json_text(",\"hint\":", problem->hint, out);
    buffer_add_byte(out, '}');
}

static void
json_backend(const struct backend_config *backend, struct buffer *out)
{
    struct buffer url;

    json_text("{\"name\":", backend->name, out);
    buffer_add_text(out, ",\"urls\":[");
    for (size_t i = 0; i < backend->endpoint_count; i++) {
        buffer_init(&url);
        summary_url(backend, i, &url);
        buffer_add_text(out, i > 0 ? ",\"" : "\"");
        buffer_add_json(out, buffer_content(&url));
        buffer_add_byte(out, '"');
        buffer_free(&url);
    }
    json_text("],\"dialect\":", dialect_name(backend->dialect), out);
    add_apis(backend, ",\"apis\":[\"", "\",\"", "\"]", out);
    json_text(",\"engine\":", engine_names[backend->engine], out);
    json_text(",\"provider\":", backend->provider, out);
    json_text(",\"credential_header\":", backend->credential.header, out);
    buffer_add_text(out, ",\"models\":[");
    for (size_t i = 0; i < backend->model_count; i++)
        json_text(i > 0 ? "," : "", backend->models[i].name, out);
    buffer_add_text(out, "]}");
}

static void
json_route(const struct route_config *route, struct buffer *out)
{
    json_text("{\"name\":", route->name, out);
    json_text(",\"reference\":", route->reference.name, out);
    json_text(",\"baseline\":", route->baseline.name, out);
    buffer_add_text(out, ",\"candidates\":[");
    for (size_t i = 0; i < route->candidate_count; i++)
        json_text(i > 0 ? "," : "", route->candidates[i].name, out);
    buffer_add_text(out, "]}");
}

static void
json_budget(const struct config *config, const struct budget_rule *rule, struct buffer *out)
{
    struct budget_policy policy = config_budget_policy(config, rule);

    json_text("{\"scope\":", budget_scope_name(rule->scope), out);
    buffer_add_text(out, ",\"name\":\"");
    buffer_add_json(out, rule->name);
    buffer_add_text(out, "\",\"limit\":\"");
    buffer_add_json(out, rule->text);
    buffer_printf(out, "\",\"on_exceed\":\"%s\",\"exposure\":\"%s\"}",
                  policy.on_exceed == ON_EXCEED_DEGRADE ? "degrade" : "refuse",
                  policy.exposure == EXPOSURE_STRICT ? "strict" : "expected");
}

static void
json_config(const struct config *config, struct buffer *out)
{
    buffer_add_text(out, ",\"backends\":[");
    for (size_t i = 0; i < config->backend_count; i++) {
        buffer_add_text(out, i > 0 ? "," : "");
        json_backend(&config->backends[i], out);
    }
    buffer_add_text(out, "],\"routes\":[");
    for (size_t i = 0; i < config->route_count; i++) {
        buffer_add_text(out, i > 0 ? "," : "");
        json_route(&config->routes[i], out);
    }
    buffer_add_text(out, "],\"keys\":[");
    for (size_t i = 0; i < config->key_count; i++)
        json_text(i > 0 ? "," : "", config->keys[i].name, out);
    buffer_add_text(out, "],\"budgets\":[");
    for (size_t i = 0; i < config->all_budgets.count; i++) {
        buffer_add_text(out, i > 0 ? "," : "");
        json_budget(config, &config->all_budgets.all[i], out);
    }
    buffer_add_text(out, "],\"unpriced\":[");
    list_unpriced(config, true, out);
    buffer_add_byte(out, ']');
}

void
summary_json(const char *file, const struct problems *problems, const struct config *config, struct buffer *out)
{
    json_text("{\"file\":", file, out);
    buffer_printf(out, ",\"ok\":%s,\"problems\":[", problems->errors == 0 ? "true" : "false");
    for (size_t i = 0; i < problems->count; i++) {
        buffer_add_text(out, i > 0 ? "," : "");
        json_problem(&problems->all[i], out);
    }
    buffer_add_byte(out, ']');
    if (config != NULL)
        json_config(config, out);
    buffer_add_text(out, "}\n");
}
