/* Budgets of the whole, tenants, keys, routes and tags, collected in one array. */
#include "config/build/build.h"
#include "config/value.h"

/* All windows and units. */
enum { RULES_OF_ONE_MOST = (int)BUDGET_WINDOWS * (int)BUDGET_UNITS };

static const char hint[] = "For example $50/day, 200k tokens/minute or 1000 requests/hour.";

/* Where in a scalar the problem is; a quoted one may have been escaped: then its start. */
static struct yaml_node
place_within(const struct yaml_node *node, size_t at)
{
    struct yaml_node place = *node;

    if (node->plain)
        place.column += (unsigned)at;
    return place;
}

static const char *
identity_of(struct build *build, const struct budget_rule *rule)
{
    return arena_printf(build->reader.arena, "%s%s%.*s %s/%s", budget_scope_name(rule->scope),
                        rule->name.len > 0 ? " " : "", SLICE_ARGS(rule->name), budget_unit_name(rule->unit),
                        budget_window_name(rule->window));
}

static void
add_rule(struct build *build, const struct yaml_node *node, enum budget_scope scope, struct slice name,
         struct budget_rules *out)
{
    struct budget_rule *rule = &build->budgets[build->budget_count];
    const char *why;
    size_t at;

    if (!reader_wants_text(&build->reader, node, "a budget such as $50/day"))
        return;
    *rule = (struct budget_rule){.scope = scope, .name = name};
    if (budget_parse(node->text, rule, &why, &at) != OK) {
        struct yaml_node place = place_within(node, at);

        reader_error(&build->reader, &place, hint, "budget: %s", why);
        return;
    }
    rule->identity = slice_of(identity_of(build, rule));
    for (size_t i = 0; i < out->count; i++)
        if (slice_equal(out->all[i].identity, rule->identity)) {
            reader_error(&build->reader, node, "Keep the one that is meant.", "budget: there are two of %s a %s",
                         budget_unit_name(rule->unit), budget_window_name(rule->window));
            return;
        }
    build->budget_count++;
    out->count++;
}

static struct budget_rules
add_rules(struct build *build, const struct yaml_node *node, enum budget_scope scope, struct slice name)
{
    struct budget_rules rules = {&build->budgets[build->budget_count], 0};
    bool list = node != NULL && node->kind == YAML_LIST;
    size_t count = node == NULL ? 0 : list ? node->count : 1;

    if (list && count > RULES_OF_ONE_MOST) {
        reader_error(&build->reader, node, NULL, "budget: at most one for each window and unit");
        return rules;
    }
    for (size_t i = 0; i < count; i++)
        add_rule(build, list ? node->items[i].value : node, scope, name, &rules);
    return rules;
}

static struct budget_policy
policy_of(const struct budget_draft *draft)
{
    return (struct budget_policy){(enum on_exceed)draft->on_exceed, (enum exposure)draft->exposure};
}

static bool
is_tag(struct slice text)
{
    size_t at = slice_find_byte(text, '=');
    struct slice value = slice_from(text, at + 1);

    return at < text.len && value_is_name(slice_first(text, at)) && value_is_model(value) &&
           slice_find_byte(value, ',') == value.len;
}

static void
add_tag_budgets(struct build *build, const struct yaml_node *node)
{
    if (node == NULL)
        return;
    if (node->kind != YAML_MAP) {
        reader_error(&build->reader, node, "For example tag_budgets: { feature=search: $5/day }.",
                     "tag_budgets: expected a map of budgets, found %s", yaml_kind_name(node));
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        const struct yaml_item *item = &node->items[i];
        struct budget_rules *rules = arena_alloc(build->reader.arena, sizeof(*rules));

        if (!is_tag(item->key->text)) {
            reader_error(&build->reader, item->key, "For example feature=search.",
                         "tag_budgets: expected a tag's name and value, found \"%.*s\"",
                         SLICE_ARGS(slice_first(item->key->text, 60)));
            continue;
        }
        *rules = add_rules(build, item->value, BUDGET_TAG, item->key->text);
        map_put(&build->config->budgets_by_tag, item->key->text, rules);
    }
}

static size_t
count_of(const struct yaml_node *node)
{
    return node == NULL ? 0 : node->kind == YAML_LIST ? node->count : 1;
}

/* How many there may be at most, so that they stand in one array. */
static size_t
count_all(const struct root_draft *draft)
{
    size_t count = count_of(draft->budget.budgets);

    for (size_t i = 0; i < draft->tenants.count; i++)
        count += count_of(ENTRY_AT(draft->tenants, tenant_draft, i)->budget.budgets);
    for (size_t i = 0; i < draft->keys.count; i++)
        count += count_of(ENTRY_AT(draft->keys, key_draft, i)->budget.budgets);
    for (size_t i = 0; i < draft->routes.count; i++)
        count += count_of(ENTRY_AT(draft->routes, route_draft, i)->budget.budgets);
    for (size_t i = 0; draft->tag_budgets != NULL && i < draft->tag_budgets->count; i++)
        count += draft->tag_budgets->kind == YAML_MAP ? count_of(draft->tag_budgets->items[i].value) : 0;
    return count;
}

static void
add_of_entries(struct build *build)
{
    const struct root_draft *draft = &build->draft;
    struct config *config = build->config;

    for (size_t i = 0; i < draft->tenants.count; i++) {
        const struct budget_draft *budget = &ENTRY_AT(draft->tenants, tenant_draft, i)->budget;
        struct tenant_config *tenant = &config->tenants[i];

        tenant->policy = policy_of(budget);
        tenant->budgets = add_rules(build, budget->budgets, BUDGET_TENANT, slice_of(tenant->name));
    }
    for (size_t i = 0; i < draft->keys.count; i++) {
        const struct budget_draft *budget = &ENTRY_AT(draft->keys, key_draft, i)->budget;
        struct key_config *key = &config->keys[i];

        key->policy = policy_of(budget);
        key->budgets = add_rules(build, budget->budgets, BUDGET_KEY, slice_of(key->name));
    }
    for (size_t i = 0; i < draft->routes.count; i++) {
        const struct budget_draft *budget = &ENTRY_AT(draft->routes, route_draft, i)->budget;
        struct route_config *route = &config->routes[i];

        route->policy = policy_of(budget);
        route->budgets = add_rules(build, budget->budgets, BUDGET_ROUTE, slice_of(route->name));
    }
}

void
build_budgets(struct build *build)
{
    const struct root_draft *draft = &build->draft;
    struct config *config = build->config;

    build->budgets = arena_alloc(build->reader.arena, (count_all(draft) + 1) * sizeof(struct budget_rule));
    config->policy = policy_of(&draft->budget);
    if (config->policy.on_exceed == ON_EXCEED_UNSET)
        config->policy.on_exceed = ON_EXCEED_REFUSE;
    if (config->policy.exposure == EXPOSURE_UNSET)
        config->policy.exposure = EXPOSURE_EXPECTED;
    config->budgets = add_rules(build, draft->budget.budgets, BUDGET_EVERYTHING, SLICE_NONE);
    add_of_entries(build);
    add_tag_budgets(build, draft->tag_budgets);
    config->all_budgets = (struct budget_rules){build->budgets, build->budget_count};
}
