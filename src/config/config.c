#include "config/config.h"

#include <stdlib.h>

#include "config/build/build.h"
#include "config/outside.h"

const char *
lever_name(enum lever_id id)
{
    static const char *const names[LEVER_COUNT] = {
#define LEVER(the_id, name, may_change_answer, words) [the_id] = name,
#include "config/levers.def"
#undef LEVER
    };

    ENSURE(id < LEVER_COUNT);
    return names[id];
}

static struct config *
config_new(void)
{
    struct config *config = must_calloc(1, sizeof(*config));

    atomic_init(&config->holders, 1);
    arena_init(&config->arena);
    map_init(&config->route_by_name);
    map_init(&config->backend_by_name);
    map_init(&config->key_by_digest);
    map_init(&config->budgets_by_tag);
    return config;
}

struct config *
config_hold(struct config *config)
{
    unsigned before = atomic_fetch_add_explicit(&config->holders, 1, memory_order_relaxed);

    ENSURE(before > 0);
    return config;
}

void
config_release(struct config *config)
{
    unsigned before;

    if (config == NULL)
        return;
    before = atomic_fetch_sub_explicit(&config->holders, 1, memory_order_acq_rel);
    ENSURE(before > 0);
    if (before > 1)
        return;
    for (size_t i = 0; i < config->route_count; i++)
        warm_start_free(&config->routes[i]);
    map_free(&config->route_by_name);
    map_free(&config->backend_by_name);
    map_free(&config->key_by_digest);
    map_free(&config->budgets_by_tag);
    prices_release(config->prices);
    arena_wipe(&config->arena); /* secrets are in it */
    free(config);
}

const struct route_config *
config_route(const struct config *config, struct slice name)
{
    return map_get(&config->route_by_name, name);
}

const struct backend_config *
config_backend(const struct config *config, struct slice name)
{
    return map_get(&config->backend_by_name, name);
}

static void
take_plain_values(struct build *build)
{
    const struct root_draft *draft = &build->draft;
    struct config *config = build->config;

    config->listen = draft->listen;
    config->admin = draft->admin;
    config->health = draft->health;
    config->health_token = draft->health_token;
    config->data = draft->data;
    config->workers = draft->workers;
    config->tls = draft->tls;
    config->observe = draft->observe;
    config->fingerprints = draft->fingerprints;
    config->serve_when_journal_fails = draft->journal_when_full == 1;
    config->journal_sync_us = draft->journal_sync_us;
    config->limits = draft->limits;
    config->idempotency = draft->idempotency;
    config->cache = draft->cache;
    config->batch_inputs = draft->batch_inputs;
    config->batch_across_tenants = draft->batch_across_tenants;
    config->cached_token_weight_ppm = draft->cached_token_weight_ppm;
}

static bool
same_address(const struct listen_address *a, const struct listen_address *b)
{
    return a->port == b->port && (strcmp(a->host, b->host) == 0 || a->host[0] == '\0' || b->host[0] == '\0');
}

static const struct yaml_node *
place_of(const struct build *build, const char *key)
{
    const struct yaml_node *node = yaml_get(build->root, key);

    return node != NULL ? node : build->root;
}

static void
check_listeners(struct build *build)
{
    const struct config *config = build->config;
    struct reader *reader = &build->reader;

    if (!config->admin.loopback)
        reader_error(reader, place_of(build, "admin"),
                     "For probes and metrics elsewhere: health: { listen: 0.0.0.0:9091, token: $NAME }.",
                     "admin: listens on loopback only, for it shows and steers everything");
    if (same_address(&config->listen, &config->admin))
        reader_error(reader, place_of(build, "admin"), NULL, "admin: same address as `listen`");
    if (config->health.port == 0)
        return;
    if (same_address(&config->health, &config->listen) || same_address(&config->health, &config->admin))
        reader_error(reader, place_of(build, "health"), NULL, "health: same address as `listen` or `admin`");
    if (!config->health.loopback && config->health_token == NULL)
        reader_error(reader, place_of(build, "health"), "Add token: $NAME.",
                     "health: beyond loopback it needs a token");
}

static void
check_tls(struct build *build)
{
    if ((build->config->tls.cert == NULL) != (build->config->tls.key == NULL))
        reader_error(&build->reader, place_of(build, "tls"), "For example tls: { cert: server.pem, key: server.key }.",
                     "tls: needs both `cert` and `key`");
}

static void
keep_draft(struct build *build)
{
    struct root_draft *draft = arena_alloc(build->reader.arena, sizeof *draft);

    *draft = build->draft;
    build->config->draft = draft;
}

static void
build_all(struct build *build)
{
    reader_section(&build->reader, &config_root, build->root, &build->draft);
    keep_draft(build);
    take_plain_values(build);
    build_backends(build);
    build_prices(build);
    build_routes(build);
    build_keys(build);
    build_budgets(build);
    build_alerts(build);
    check_listeners(build);
    check_tls(build);
}

static int
compare_places(const void *a, const void *b)
{
    const struct problem *left = a, *right = b;

    if (left->line != right->line)
        return left->line < right->line ? -1 : 1;
    if (left->column != right->column)
        return left->column < right->column ? -1 : 1;
    return (int)left->severity - (int)right->severity;
}

/* What is found anew is loaded with the text that holds, and not with what its file may say by then. */
static void
keep_text(struct config *config, struct slice text)
{
    for (size_t i = 0; i < config->backend_count && config->text.data == NULL; i++)
        if (config->backends[i].discover != NULL)
            config->text = arena_copy(&config->arena, text);
}

enum status
config_load_input(const struct config_input *input, struct problems *problems, struct config **out)
{
    struct config *config = config_new();
    struct build build = {.config = config, .before = input->before};
    size_t errors_before = problems->errors, count_before = problems->count;
    enum status status;

    config->endpoint_ids = input->before != NULL ? input->before->endpoint_ids : 0;
    config->file = input->file != NULL ? arena_strdup(&config->arena, input->file) : NULL;
    build.reader = (struct reader){&config->arena, config->file, problems,
                                   input->outside != NULL ? input->outside : &config_outside_real, NULL};
    status = yaml_parse(&config->arena, config->file, input->text, problems, &build.root);
    if (status == OK && build.root->kind != YAML_MAP)
        reader_error(&build.reader, build.root, "For example `listen: 127.0.0.1:8080`.",
                     "a configuration is a map of keys, but this is %s", yaml_kind_name(build.root));
    else if (status == OK)
        build_all(&build);
    map_free(&build.unpriced);
    if (problems->count > count_before)
        qsort(problems->all + count_before, problems->count - count_before, sizeof *problems->all, compare_places);
    if (problems->errors == errors_before) {
        keep_text(config, input->text);
        *out = config;
        return OK;
    }
    config_release(config);
    return ERR_INVALID;
}

enum status
config_load(const char *file, struct slice text, struct problems *problems, struct config **out)
{
    return config_load_input(&(struct config_input){.file = file, .text = text}, problems, out);
}

/* One member at the top, and nothing else of the file; `standard` where it is not there. */
static enum status
peek(struct reader *reader, struct slice text, const char *key, const char *what, const char *standard,
     struct slice *out)
{
    const struct yaml_node *root, *found;
    enum status status = yaml_parse(reader->arena, reader->file, text, reader->problems, &root);

    if (status != OK)
        return status;
    found = root->kind == YAML_MAP ? yaml_get(root, key) : NULL;
    *out = slice_of(standard);
    if (found == NULL || yaml_is_null(found))
        return OK;
    if (found->kind != YAML_SCALAR || found->text.len == 0) {
        reader_error(reader, found, NULL, "%s: expected %s, found %s", key, what, yaml_kind_name(found));
        return ERR_INVALID;
    }
    *out = found->text;
    return OK;
}

enum status
config_data_folder(const char *file, struct slice text, struct problems *problems, struct arena *arena,
                   const char **out)
{
    struct reader reader = {arena, file, problems, &config_outside_real, NULL};
    struct slice path;
    enum status status = peek(&reader, text, "data", "a path", "equipoise-data", &path);

    if (status == OK)
        *out = reader_path(&reader, path);
    return status;
}

enum status
config_admin(const char *file, struct slice text, struct problems *problems, struct arena *arena, const char **out)
{
    struct reader reader = {arena, file, problems, &config_outside_real, NULL};
    struct slice address;
    enum status status = peek(&reader, text, "admin", "an address", "127.0.0.1:9090", &address);

    if (status == OK)
        *out = arena_slice_text(arena, address);
    return status;
}

bool
route_candidate_differs(const struct route_config *route, const struct target *candidate)
{
    return strcmp(candidate->model, route->reference.model) != 0;
}

bool
route_has_other_models(const struct route_config *route)
{
    for (size_t i = 0; i < route->candidate_count; i++)
        if (route_candidate_differs(route, &route->candidates[i]))
            return true;
    return false;
}

bool
route_may_cascade(const struct route_config *route)
{
    return route->cascade.accept != ACCEPT_NONE && route_has_other_models(route);
}
