#include "config/config.h"
#include "config/table.h"

static struct problem
about(const struct config *config, enum severity severity, const char *hint)
{
    return (struct problem){.severity = severity, .file = config->file, .hint = hint};
}

void
config_check_exposure(const struct config *config, struct problems *problems)
{
    const char *host = config->listen.host[0] != '\0' ? config->listen.host : "all addresses";

    if (config->key_count == 0 && config->listen.loopback)
        problems_add(problems, about(config, PROBLEM_WARNING, "`equipoise keys add NAME` makes a key."),
                     "there are no keys: whoever can reach %s on this machine can spend your money", host);
    else if (config->key_count == 0)
        problems_add(problems,
                     about(config, PROBLEM_ERROR,
                           "Add these two lines, the second as `equipoise keys add web` prints it:\n"
                           "           keys:\n"
                           "             web: { sha256: ... }"),
                     "listening on %s without keys would let anybody spend your money", host);
    else if (!config->listen.loopback && config->tls.cert == NULL)
        problems_add(problems,
                     about(config, PROBLEM_WARNING,
                           "Add tls: { cert: server.pem, key: server.key }, or put a TLS proxy in front."),
                     "listening on %s without TLS: keys and texts travel unencrypted", host);
}

void
config_check_successor(const struct config *config, const struct config *before, struct problems *problems)
{
    static const char hint[] = "Was the file cut off while it was written? If that is meant, start the gateway anew.";

    if (config->key_count == 0 && before->key_count > 0)
        problems_add(problems, about(config, PROBLEM_ERROR, hint),
                     "no key is left in the file, and then everybody may ask: that is not taken over while it serves");
    if (config->backend_count == 0 && before->backend_count > 0)
        problems_add(problems, about(config, PROBLEM_ERROR, hint),
                     "no backend is left in the file: that is not taken over while it serves");
}

void
config_check_backends(const struct config *config, struct problems *problems)
{
    if (config->backend_count == 0)
        problems_add(
            problems, about(config, PROBLEM_WARNING, "Add `backends:`; `equipoise init` writes what it finds here."),
            "there are no backends: all but the built-in embedder (equipoise/embed) is answered with an error");
}

struct budget_policy
config_budget_policy(const struct config *config, const struct budget_rule *rule)
{
    struct budget_policy policy = {0}, more = {0};

    for (size_t i = 0; rule->scope == BUDGET_KEY && i < config->key_count; i++)
        if (slice_is(rule->name, config->keys[i].name)) {
            policy = config->keys[i].policy;
            more = config->keys[i].tenant->policy;
        }
    for (size_t i = 0; rule->scope == BUDGET_TENANT && i < config->tenant_count; i++)
        if (slice_is(rule->name, config->tenants[i].name))
            policy = config->tenants[i].policy;
    for (size_t i = 0; rule->scope == BUDGET_ROUTE && i < config->route_count; i++)
        if (slice_is(rule->name, config->routes[i].name))
            policy = config->routes[i].policy;
    if (policy.exposure == EXPOSURE_UNSET)
        policy.exposure = more.exposure != EXPOSURE_UNSET ? more.exposure : config->policy.exposure;
    if (policy.on_exceed == ON_EXCEED_UNSET)
        policy.on_exceed = more.on_exceed != ON_EXCEED_UNSET ? more.on_exceed : config->policy.on_exceed;
    return policy;
}

/* The levers by which something cheaper than the reference can serve. */
static bool
has_cheaper_plans(const struct route_config *route)
{
    static const enum lever_id makers[] = {LEVER_EXACT_CACHE,  LEVER_COALESCE, LEVER_SEMANTIC_CACHE,
                                           LEVER_ALTERNATIVES, LEVER_ROUTER,   LEVER_CASCADE};

    for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++)
        if (route->levers[makers[i]].mode == LEVER_ON)
            return true;
    return false;
}

void
config_check_budgets(const struct config *config, struct problems *problems)
{
    const struct budget_rule *degrades = NULL;

    for (size_t i = 0; i < config->all_budgets.count && degrades == NULL; i++)
        if (config_budget_policy(config, &config->all_budgets.all[i]).on_exceed == ON_EXCEED_DEGRADE)
            degrades = &config->all_budgets.all[i];
    for (size_t i = 0; i < config->route_count; i++)
        if (has_cheaper_plans(&config->routes[i]))
            return;
    if (degrades != NULL)
        problems_add(problems,
                     about(config, PROBLEM_WARNING,
                           "Switch a lever on that serves cheaper, such as `alternatives`, `router` or `cascade`."),
                     "the budget %.*s of %s%s%.*s is to degrade, but no route has a lever on that could serve cheaper: "
                     "it refuses",
                     SLICE_ARGS(degrades->text), budget_scope_name(degrades->scope), degrades->name.len > 0 ? " " : "",
                     SLICE_ARGS(degrades->name));
}
