#include "config/facts.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/text.h"
#include "config/lever_setting.h"
#include "config/table.h"

struct collection {
    struct arena *arena;
    struct config_fact *all;
    size_t count;
    struct buffer text; /* scratch */
};

static void
add(struct collection *facts, const char *what, const char *name, const char *value)
{
    facts->all[facts->count++] = (struct config_fact){what, name, value};
}

static const char *
take_text(struct collection *facts)
{
    const char *text = arena_slice_text(facts->arena, buffer_content(&facts->text));

    buffer_clear(&facts->text);
    return text;
}

static void
add_levers(struct collection *facts, const struct config *config)
{
    for (size_t i = 0; i < config->route_count; i++) {
        const struct route_config *route = &config->routes[i];

        for (unsigned id = 0; id < LEVER_COUNT; id++) {
            char text[LEVER_TEXT_SIZE];

            if (route->levers[id].mode == LEVER_OFF)
                continue;
            lever_setting_format(route->levers[id], text);
            add(facts, "lever", arena_printf(facts->arena, "%s %s", route->name, lever_name((enum lever_id)id)),
                arena_strdup(facts->arena, text));
        }
    }
}

static void
put_mark(struct buffer *out, const struct digest *sha256, uint64_t salt)
{
    unsigned char salted[sizeof(salt) + sizeof(sha256->bytes)];
    struct digest mark;
    char text[9];

    memcpy(salted, &salt, sizeof(salt));
    memcpy(salted + sizeof(salt), sha256->bytes, sizeof(sha256->bytes));
    mark = hash_sha256(slice_make((const char *)salted, sizeof(salted)));
    text_format_hex(slice_make((const char *)mark.bytes, 4), text);
    buffer_printf(out, "mark %s", text);
}

static void
add_key(struct collection *facts, const struct key_config *key, uint64_t salt)
{
    struct buffer *text = &facts->text;
    char until[CLOCK_TEXT_SIZE];

    if (key->tenant->name != NULL && key->tenant->name[0] != '\0')
        buffer_printf(text, "tenant %s, ", key->tenant->name);
    for (const char **route = key->routes; route != NULL && *route != NULL; route++)
        buffer_printf(text, "%s %s%s", route == key->routes ? "routes" : "", *route, route[1] == NULL ? ", " : "");
    if (key->expires_wall_us != USEC_NEVER) {
        clock_format_utc(key->expires_wall_us, until);
        buffer_printf(text, "until %s, ", until);
    }
    put_mark(text, &key->sha256, salt);
    add(facts, "key", key->name, take_text(facts));
}

/* The node as it would be written on one line. */
static void
put_node(struct buffer *out, const struct yaml_node *node)
{
    if (node->kind == YAML_SCALAR)
        buffer_add(out, node->text);
    for (size_t i = 0; i < node->count; i++) {
        buffer_add_text(out, i > 0 ? ", " : "");
        if (node->items[i].key != NULL)
            buffer_printf(out, "%.*s: ", SLICE_ARGS(node->items[i].key->text));
        put_node(out, node->items[i].value);
    }
}

/* Those of engines, by the hour: a backend's name has no slash, so it is no price of a token's. */
static void
add_hourly_prices(struct collection *facts, const struct config *config)
{
    for (size_t i = 0; i < config->backend_count; i++) {
        const struct backend_config *backend = &config->backends[i];
        char text[USD_TEXT_SIZE];

        if (backend->usd_per_hour == USD_UNKNOWN)
            continue;
        usd_format(backend->usd_per_hour, text);
        add(facts, "price", backend->name, arena_printf(facts->arena, "$%s/hour", text));
    }
}

static void
add_prices(struct collection *facts, const struct config *config)
{
    const struct root_draft *draft = config->draft;
    char hex[2 * sizeof(config->price_file_sha256.bytes) + 1];

    if (draft->price_file != NULL) {
        text_format_hex(slice_make((const char *)config->price_file_sha256.bytes, 32), hex);
        add(facts, "price file", draft->price_file, arena_printf(facts->arena, "sha256 %s", hex));
    }
    for (size_t i = 0; i < draft->prices.count; i++) {
        const struct price_draft *price = &((const struct price_draft *)draft->prices.items)[i];

        put_node(&facts->text, price->entry.value);
        add(facts, "price", price->entry.name, take_text(facts));
    }
    for (size_t i = 0; draft->discounts != NULL && i < draft->discounts->count; i++) {
        const struct yaml_item *item = &draft->discounts->items[i];

        put_node(&facts->text, item->value);
        add(facts, "discount", item->key->text.data, take_text(facts));
    }
    add_hourly_prices(facts, config);
}

static void
add_policy(struct collection *facts, const char *whose, const char *name, const struct budget_draft *draft)
{
    static const char *const exceeded[] = {"", "refuse", "degrade"}, *const exposures[] = {"", "expected", "strict"};

    if (draft->on_exceed != ON_EXCEED_UNSET)
        buffer_printf(&facts->text, "on_exceed %s", exceeded[draft->on_exceed]);
    if (draft->exposure != EXPOSURE_UNSET)
        buffer_printf(&facts->text, "%sexposure %s", buffer_len(&facts->text) > 0 ? ", " : "",
                      exposures[draft->exposure]);
    if (buffer_len(&facts->text) > 0)
        add(facts, "budget policy", arena_printf(facts->arena, "%s%s%s", whose, *name != '\0' ? " " : "", name),
            take_text(facts));
}

/* Limits by their accounts: another limit is a change, another window a budget gone and one come. */
static void
add_budgets(struct collection *facts, const struct config *config)
{
    const struct root_draft *draft = config->draft;

    for (size_t i = 0; i < config->all_budgets.count; i++) {
        const struct budget_rule *rule = &config->all_budgets.all[i];

        add(facts, "budget", arena_slice_text(facts->arena, rule->identity),
            arena_slice_text(facts->arena, rule->text));
    }
    add_policy(facts, budget_scope_name(BUDGET_EVERYTHING), "", &draft->budget);
    for (size_t i = 0; i < draft->tenants.count; i++)
        add_policy(facts, budget_scope_name(BUDGET_TENANT), config->tenants[i].name,
                   &ENTRY_AT(draft->tenants, tenant_draft, i)->budget);
    for (size_t i = 0; i < draft->keys.count; i++)
        add_policy(facts, budget_scope_name(BUDGET_KEY), config->keys[i].name,
                   &ENTRY_AT(draft->keys, key_draft, i)->budget);
    for (size_t i = 0; i < draft->routes.count; i++)
        add_policy(facts, budget_scope_name(BUDGET_ROUTE), config->routes[i].name,
                   &ENTRY_AT(draft->routes, route_draft, i)->budget);
}

size_t
config_facts(const struct config *config, uint64_t salt, struct arena *arena, struct config_fact **out)
{
    const struct root_draft *draft = config->draft;
    size_t most = config->route_count * LEVER_COUNT + config->key_count + draft->prices.count + 1 +
                  (draft->discounts != NULL ? draft->discounts->count : 0) + config->all_budgets.count + 1 +
                  draft->tenants.count + draft->keys.count + draft->routes.count + config->backend_count;
    struct collection facts = {.arena = arena, .all = arena_alloc(arena, most * sizeof(struct config_fact))};

    add_levers(&facts, config);
    for (size_t i = 0; i < config->key_count; i++)
        add_key(&facts, &config->keys[i], salt);
    add_prices(&facts, config);
    add_budgets(&facts, config);
    ENSURE(facts.count <= most);
    buffer_free(&facts.text);
    *out = facts.all;
    return facts.count;
}
