#include "config/build/build.h"
#include "config/value.h"
#include "money/ledger/group.h"

enum { NAMES_MOST = 512, TAG_VALUE_BYTES_MOST = 256 };

/* The tenant of that name; one that no rule names is made, without rules. */
static const struct tenant_config *
find_tenant(struct build *build, const char *name)
{
    struct config *config = build->config;
    struct tenant_config *tenant;

    if (name == NULL)
        return config->default_tenant;
    for (size_t i = 0; i < config->tenant_count; i++)
        if (strcmp(config->tenants[i].name, name) == 0)
            return &config->tenants[i];
    tenant = &config->tenants[config->tenant_count++];
    tenant->name = name;
    tenant->weight = 1;
    return tenant;
}

/* Room for every tenant that has rules or a key, so that pointers to them hold. */
static void
build_tenants(struct build *build)
{
    const struct entries *drafts = &build->draft.tenants;
    struct config *config = build->config;
    struct tenant_config *nobody = arena_alloc(build->reader.arena, sizeof(*nobody));

    nobody->name = "";
    nobody->weight = 1;
    config->default_tenant = nobody;
    config->tenants =
        arena_alloc(build->reader.arena, (drafts->count + build->draft.keys.count) * sizeof(struct tenant_config));
    for (size_t i = 0; i < drafts->count; i++) {
        const struct tenant_draft *draft = ENTRY_AT(*drafts, tenant_draft, i);

        config->tenants[config->tenant_count++] = (struct tenant_config){.name = draft->entry.name,
                                                                         .weight = draft->weight,
                                                                         .region = draft->region,
                                                                         .retention = draft->retention,
                                                                         .classes = draft->classes};
    }
}

static void
add_tag(struct build *build, struct key_config *key, const struct yaml_item *item)
{
    struct slice value = item->value->text;

    if (!value_is_name(item->key->text))
        reader_error(&build->reader, item->key, "Letters, digits, '-', '_' and '.', at most 64.",
                     "tags: \"%.*s\" cannot be a tag's name", SLICE_ARGS(slice_first(item->key->text, 60)));
    else if (!reader_wants_text(&build->reader, item->value, "a tag's value"))
        return;
    else if (!value_is_model(value) || slice_find_byte(value, ',') < value.len || value.len > TAG_VALUE_BYTES_MOST)
        reader_error(&build->reader, item->value, "At most 200 bytes, no comma, no control characters.",
                     "tags: that cannot be a tag's value");
    else
        key->tags[key->tag_count++] = (struct tag){item->key->text.data, value.data};
}

static void
add_tags(struct build *build, struct key_config *key, const struct yaml_node *node)
{
    if (node == NULL)
        return;
    if (node->kind != YAML_MAP) {
        reader_error(&build->reader, node, "For example tags: { feature: search }.",
                     "tags: expected a map of texts, found %s", yaml_kind_name(node));
        return;
    }
    if (node->count > GROUP_TAGS_MOST) {
        reader_error(&build->reader, node, "Leave those out that no report and no budget asks for.",
                     "tags: a request carries at most %d, found %zu", GROUP_TAGS_MOST, node->count);
        return;
    }
    key->tags = arena_alloc(build->reader.arena, node->count * sizeof(struct tag));
    for (size_t i = 0; i < node->count; i++)
        add_tag(build, key, &node->items[i]);
}

static bool
is_declared_model(const struct config *config, const char *name)
{
    const char *slash = strchr(name, '/');

    if (slash != NULL && config_backend(config, slice_make(name, (size_t)(slash - name))) != NULL)
        return true;
    for (size_t i = 0; i < config->backend_count; i++)
        for (size_t j = 0; j < config->backends[i].model_count; j++)
            if (strcmp(config->backends[i].models[j].name, name) == 0)
                return true;
    return false;
}

/* A name that is neither may still be a model that some backend has: a warning, no more. */
static void
check_routes(struct build *build, const struct key_draft *draft)
{
    const struct config *config = build->config;
    size_t count = config->route_count < NAMES_MOST ? config->route_count : NAMES_MOST;
    const char *names[NAMES_MOST];

    for (size_t i = 0; i < count; i++)
        names[i] = config->routes[i].name;
    for (const char **route = draft->routes; route != NULL && *route != NULL; route++)
        if (config_route(config, slice_of(*route)) == NULL && !is_declared_model(config, *route))
            reader_warn(&build->reader, build_place(&draft->entry, "routes"),
                        reader_nearest(&build->reader, slice_of(*route), names, count, NULL),
                        "no route or declared model is called %s", *route);
}

static void
build_key(struct build *build, const struct key_draft *draft, struct key_config *key)
{
    struct slice digest = {(const char *)draft->sha256.bytes, sizeof draft->sha256.bytes};
    static const struct digest none;
    const struct key_config *before;

    key->name = draft->entry.name;
    key->sha256 = draft->sha256;
    key->tenant = find_tenant(build, draft->tenant);
    key->expires_wall_us = draft->expires_wall_us;
    key->routes = draft->routes;
    key->priority = draft->priority;
    add_tags(build, key, draft->tags);
    check_routes(build, draft);
    if (digest_equal(&draft->sha256, &none)) /* it could not be read */
        return;
    before = map_put(&build->config->key_by_digest, digest, key);
    if (before != NULL)
        reader_error(&build->reader, build_place(&draft->entry, "sha256"),
                     "Give each its own: equipoise keys add NAME.", "the keys %s and %s are the same", before->name,
                     key->name);
}

/* Classes are the different priorities, the highest first. */
static unsigned
class_of(const struct config *config, int priority)
{
    unsigned higher = 0;

    for (size_t i = 0; i < config->key_count; i++) {
        bool counted = config->keys[i].priority <= priority;

        for (size_t j = 0; j < i && !counted; j++)
            counted = config->keys[j].priority == config->keys[i].priority;
        higher += !counted;
    }
    return higher;
}

static void
build_classes(struct build *build)
{
    struct config *config = build->config;

    config->open_class = class_of(config, 0);
    for (size_t i = 0; i < config->key_count; i++) {
        struct key_config *key = &config->keys[i];

        key->class = class_of(config, key->priority);
        if (key->class < PRIORITIES_MOST)
            continue;
        reader_error(&build->reader, build_place(&ENTRY_AT(build->draft.keys, key_draft, i)->entry, "priority"),
                     "Give some keys the same one.", "there are more than %d different priorities", PRIORITIES_MOST);
        return;
    }
}

void
build_keys(struct build *build)
{
    const struct entries *drafts = &build->draft.keys;
    struct config *config = build->config;

    build_tenants(build);
    config->keys = arena_alloc(build->reader.arena, drafts->count * sizeof(struct key_config));
    config->key_count = drafts->count;
    for (size_t i = 0; i < drafts->count; i++) {
        config->keys[i].index = (unsigned)i;
        build_key(build, ENTRY_AT(*drafts, key_draft, i), &config->keys[i]);
    }
    build_classes(build);
}
