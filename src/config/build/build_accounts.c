#include "config/build/build.h"

static const char hint[] = "For example 500 requests/minute or 200k tokens/minute.";

static void
add_limit(struct build *build, const struct yaml_node *node, struct account_config *account)
{
    struct budget_rule rule = {0};
    enum limit_unit unit;
    const char *why;
    size_t at;

    if (!reader_wants_text(&build->reader, node, "a limit such as 500 requests/minute"))
        return;
    if (budget_parse(node->text, &rule, &why, &at) != OK) {
        reader_error(&build->reader, node, hint, "limits: %s", why);
        return;
    }
    if (rule.window != BUDGET_MINUTE || rule.unit == BUDGET_USD) {
        reader_error(&build->reader, node, hint, "limits: expected requests or tokens a minute");
        return;
    }
    unit = rule.unit == BUDGET_TOKENS ? LIMIT_TOKENS : LIMIT_REQUESTS;
    if (account->limits[unit] != 0)
        reader_error(&build->reader, node, "Keep the one that is meant.", "limits: there are two of %s a minute",
                     budget_unit_name(rule.unit));
    account->limits[unit] = rule.limit;
}

static void
add_limits(struct build *build, const struct yaml_node *node, struct account_config *account)
{
    if (node == NULL)
        return;
    if (node->kind != YAML_LIST) {
        add_limit(build, node, account);
        return;
    }
    for (size_t i = 0; i < node->count; i++)
        add_limit(build, node->items[i].value, account);
}

/* A key beside them, or a limit of the whole, would leave open which holds. */
static void
check_alone(struct build *build, const struct backend_draft *draft)
{
    static const char *const others[] = {"key", "auth", "limits"};

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (yaml_get(draft->entry.value, others[i]) != NULL)
            reader_error(&build->reader, yaml_get(draft->entry.value, others[i]), "Put it into the accounts.",
                         "a backend with `accounts` has no `%s` of its own", others[i]);
}

static struct credential
credential_of(const struct backend_config *backend, const char *key)
{
    if (backend->dialect == DIALECT_ANTHROPIC)
        return (struct credential){.header = "x-api-key", .prefix = "", .secret = key};
    return (struct credential){.header = "authorization", .prefix = "Bearer ", .secret = key};
}

void
build_accounts(struct build *build, const struct backend_draft *draft, struct backend_config *backend)
{
    size_t count = draft->accounts.count;
    struct account_config *accounts = arena_alloc(build->reader.arena, (count + 1) * sizeof(*accounts));

    backend->accounts = accounts;
    backend->account_count = count > 0 ? count : 1;
    accounts[0] = (struct account_config){.name = backend->name, .credential = backend->credential};
    if (count == 0) {
        add_limits(build, draft->limits, &accounts[0]);
        return;
    }
    check_alone(build, draft);
    for (size_t i = 0; i < count; i++) {
        const struct account_draft *account = ENTRY_AT(draft->accounts, account_draft, i);

        accounts[i] = (struct account_config){
            .name = arena_printf(build->reader.arena, "%s/%s", backend->name, account->entry.name),
            .credential = credential_of(backend, account->key)};
        add_limits(build, account->limits, &accounts[i]);
    }
    backend->credential = accounts[0].credential;
}
