#include "base/ip.h"
#include "config/build/build.h"
#include "config/found.h"
#include "config/value.h"
#include "dialect/translate/translate.h"

const struct yaml_node *
build_place(const struct entry *entry, const char *key)
{
    const struct yaml_node *value = yaml_get(entry->value, key);

    return value != NULL ? value : entry->key;
}

/* Names that only lead to private addresses by what they say. */
static bool
is_private_name(struct slice host)
{
    static const char *const suffixes[] = {".local", ".localhost", ".internal", ".lan", ".svc", ".home.arpa"};

    if (slice_ends(host, "."))
        host.len--;
    if (slice_find_byte(host, '.') == host.len)
        return true;
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        if (slice_ends(host, suffixes[i]))
            return true;
    return false;
}

/* A backend's URL is the user's own word, so a private address in it is meant. A public name that leads to a private
 * address is not: somebody else's DNS says so. */
bool
build_may_be_private(struct build *build, const struct yaml_node *at, const struct value_url *url, const char *hint)
{
    struct ip ip;

    if (ip_parse(url->host, &ip) != OK)
        return is_private_name(url->host);
    if (!ip_is_metadata(&ip))
        return ip_is_private(&ip);
    reader_error(&build->reader, at, hint, "%.*s is an address at which clouds hand out credentials",
                 SLICE_ARGS(url->host));
    return false;
}

static bool
same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* True if connections to one may serve the other. */
static bool
same_endpoint(const struct endpoint *a, const struct endpoint *b)
{
    return same_text(a->host, b->host) && a->port == b->port && a->tls == b->tls && same_text(a->ca_file, b->ca_file) &&
           a->verify == b->verify && same_text(a->authority, b->authority) &&
           same_text(a->server_name, b->server_name) && a->private_allowed == b->private_allowed &&
           a->metadata_allowed == b->metadata_allowed && a->connect_timeout_us == b->connect_timeout_us &&
           a->first_byte_timeout_us == b->first_byte_timeout_us && a->idle_timeout_us == b->idle_timeout_us &&
           a->connections_most == b->connections_most;
}

static bool
has_endpoint_id(const struct backend_config *backend, unsigned id)
{
    for (size_t i = 0; i < backend->endpoint_count; i++)
        if (backend->endpoints[i].id == id)
            return true;
    return false;
}

static unsigned
endpoint_id(struct build *build, const struct backend_config *backend, const struct endpoint *endpoint)
{
    const struct backend_config *before =
        build->before != NULL ? config_backend(build->before, slice_of(backend->name)) : NULL;

    for (size_t i = 0; before != NULL && i < before->endpoint_count; i++)
        if (same_endpoint(&before->endpoints[i], endpoint) && !has_endpoint_id(backend, before->endpoints[i].id))
            return before->endpoints[i].id;
    return ++build->config->endpoint_ids;
}

/* What stands before the API's path, which itself starts with /v1. */
static const char *
base_path(struct build *build, struct slice path)
{
    if (slice_ends(path, "/v1"))
        path.len -= 3;
    while (slice_ends(path, "/"))
        path.len--;
    return arena_slice_text(build->reader.arena, path);
}

static const char *
query_text(struct build *build, struct slice query)
{
    return query.data != NULL ? arena_slice_text(build->reader.arena, query) : NULL;
}

/* All replicas take the same targets. */
static void
take_path(struct build *build, struct backend_config *backend, const struct yaml_node *at, const struct value_url *url)
{
    const char *path = base_path(build, url->path), *query = query_text(build, url->query);

    if (backend->endpoint_count == 0) {
        backend->base_path = path;
        backend->query = query;
    } else if (!same_text(path, backend->base_path) || !same_text(query, backend->query)) {
        reader_error(&build->reader, at, "Servers that differ in this are two backends.",
                     "all URLs of a backend must have the same path and query");
    }
}

static void
add_endpoint(struct build *build, const struct backend_draft *draft, struct backend_config *backend,
             const struct yaml_node *at, bool own_word, const char *server_name)
{
    struct arena *arena = build->reader.arena;
    struct endpoint endpoint = {0};
    struct value_url url;
    const char *why;

    if (!reader_wants_text(&build->reader, at, "a URL such as https://api.openai.com"))
        return;
    if (value_url(at->text, &url, &why) != OK) {
        reader_error(&build->reader, at, "For example https://api.openai.com or http://10.0.0.11:8000.",
                     "url: not a URL: %s", why);
        return;
    }
    take_path(build, backend, at, &url);
    endpoint.host = arena_slice_text(arena, url.host);
    endpoint.port = url.port;
    endpoint.tls = url.tls;
    endpoint.server_name = url.tls ? server_name : NULL;
    endpoint.authority = arena_slice_text(arena, url.authority);
    endpoint.ca_file = draft->ca;
    endpoint.verify = draft->verify;
    endpoint.private_allowed =
        draft->private_allowed ||
        (own_word && build_may_be_private(build, at, &url, "If it is really meant, say `private: yes`."));
    endpoint.metadata_allowed = draft->private_allowed;
    endpoint.connect_timeout_us = draft->connect_us;
    endpoint.first_byte_timeout_us = draft->first_byte_us;
    endpoint.idle_timeout_us = draft->idle_us;
    endpoint.connections_most = draft->connections;
    endpoint.id = endpoint_id(build, backend, &endpoint);
    backend->endpoints[backend->endpoint_count++] = endpoint;
}

/* A URL in a file is the user's own word. What a name in the DNS leads to is somebody else's, unless the name itself is
 * private or the user says so. */
static void
add_found(struct build *build, const struct backend_draft *draft, struct backend_config *backend)
{
    const struct yaml_node *at = yaml_get(draft->entry.value, "discover");
    const struct discover_config *discover = backend->discover;
    bool own_word = discover != NULL && (discover->file != NULL || is_private_name(slice_of(discover->dns_host)));

    for (size_t i = 0; discover != NULL && i < backend->found->count; i++) {
        struct yaml_node node = *at;

        node.kind = YAML_SCALAR;
        node.text = slice_of(backend->found->urls[i]);
        add_endpoint(build, draft, backend, &node, own_word, discover->server_name);
    }
}

static void
add_endpoints(struct build *build, const struct backend_draft *draft, struct backend_config *backend)
{
    const struct yaml_node *url = draft->url;
    size_t count = url != NULL && url->kind == YAML_LIST ? url->count : 1, found;

    build_discover(build, draft, backend);
    found = backend->discover != NULL ? backend->found->count : 0;
    backend->endpoints = arena_alloc(build->reader.arena, (count + found) * sizeof(struct endpoint));
    backend->base_path = "";
    add_found(build, draft, backend);
    if (url == NULL && yaml_get(draft->entry.value, "discover") == NULL)
        reader_error(&build->reader, draft->entry.value, "For example url: http://10.0.0.11:8000.",
                     "backends.%s needs \"url\", or \"discover\"", backend->name);
    if (url == NULL)
        return;
    if (url->kind == YAML_LIST && url->count == 0)
        reader_error(&build->reader, url, NULL, "url: the list is empty");
    for (size_t i = 0; i < count && (url->kind != YAML_LIST || i < url->count); i++)
        add_endpoint(build, draft, backend, url->kind == YAML_LIST ? url->items[i].value : url, true, NULL);
}

static enum dialect
dialect_of(const struct backend_draft *draft, const struct backend_config *backend)
{
    if (draft->dialect != 0)
        return (enum dialect)(draft->dialect - 1);
    if (backend->endpoint_count > 0 && strcmp(backend->endpoints[0].host, "api.anthropic.com") == 0)
        return DIALECT_ANTHROPIC;
    return DIALECT_OPENAI;
}

enum api
backend_api(const struct backend_config *backend, enum api asked)
{
    static const enum api others[] = {API_CHAT, API_MESSAGES, API_RESPONSES};

    if (asked == API_PASSTHROUGH || backend_speaks(backend, asked))
        return asked;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (backend_speaks(backend, others[i]) && translate_knows(asked, others[i]))
            return others[i];
    return API_COUNT;
}

/* One that is named, of those with a path of their own. API_COUNT: there is none. */
static enum api
api_named(const char *name)
{
    unsigned api = 0;

    while (api < API_COUNT && (api == API_PASSTHROUGH || strcmp(api_name((enum api)api), name) != 0))
        api++;
    return (enum api)api;
}

static unsigned
apis_of(struct build *build, const struct backend_draft *draft, enum dialect dialect)
{
    unsigned apis = 0;

    for (const char **name = draft->apis; name != NULL && *name != NULL; name++) {
        enum api api = api_named(*name);

        if (api == API_COUNT)
            reader_error(&build->reader, build_place(&draft->entry, "apis"),
                         "There are chat, completions, responses, embeddings and messages.",
                         "apis: there is no API \"%s\"", *name);
        else
            apis |= 1u << api;
    }
    for (unsigned api = 0; draft->apis == NULL && api < API_PASSTHROUGH; api++)
        if (api_dialect((enum api)api) == dialect)
            apis |= 1u << api;
    return apis;
}

static const char *
lower_case(struct arena *arena, const char *text)
{
    char *copy = arena_strdup(arena, text);

    for (char *c = copy; *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return copy;
}

/* Headers that are the world's: framing, routing. */
static bool
is_own_header(const char *name)
{
    static const char *const own[] = {"host",       "connection", "content-length", "transfer-encoding", "te",
                                      "trailer",    "upgrade",    "content-type",   "accept-encoding",   "expect",
                                      "keep-alive", "cookie"};

    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (strcmp(own[i], name) == 0)
            return true;
    return false;
}

static void
check_auth(struct build *build, const struct backend_draft *draft, const struct yaml_node *at)
{
    bool key = yaml_get(at, "key") != NULL, command = yaml_get(at, "command") != NULL;

    if (yaml_get(draft->entry.value, "key") != NULL)
        reader_error(&build->reader, at, "Keep one of them.", "a backend has either `key` or `auth`");
    if (key && command)
        reader_error(&build->reader, at, "Keep one of them.", "auth has either `key` or `command`");
    if (!key && !command)
        reader_error(&build->reader, at, "For example auth: { header: api-key, key: $NAME }.",
                     "auth needs `key` or `command`");
    if (!command && yaml_get(at, "refresh") != NULL)
        reader_error(&build->reader, yaml_get(at, "refresh"), NULL, "refresh goes with `command`");
}

static struct credential
credential_of_auth(struct build *build, const struct backend_draft *draft, const struct yaml_node *at)
{
    struct credential credential = draft->auth;

    check_auth(build, draft, at);
    credential.header = lower_case(build->reader.arena, credential.header);
    if (is_own_header(credential.header))
        reader_error(&build->reader, yaml_get(at, "header"), NULL, "%s cannot carry a credential", credential.header);
    if (credential.prefix == NULL)
        credential.prefix = strcmp(credential.header, "authorization") == 0 ? "Bearer " : "";
    return credential;
}

static struct credential
credential_of(struct build *build, const struct backend_draft *draft, enum dialect dialect)
{
    const struct yaml_node *auth = yaml_get(draft->entry.value, "auth");

    if (auth != NULL && auth->kind == YAML_MAP)
        return credential_of_auth(build, draft, auth);
    if (draft->key == NULL)
        return (struct credential){0};
    if (dialect == DIALECT_ANTHROPIC)
        return (struct credential){.header = "x-api-key", .prefix = "", .secret = draft->key};
    return (struct credential){.header = "authorization", .prefix = "Bearer ", .secret = draft->key};
}

static void
add_model(struct build *build, struct model_alias *alias, const struct yaml_item *item)
{
    const struct yaml_node *name = item->key != NULL ? item->key : item->value;

    if (!reader_wants_text(&build->reader, item->value, "a model's name"))
        return;
    if (!value_is_model(name->text) || !value_is_model(item->value->text))
        reader_error(&build->reader, item->value, NULL, "models: that cannot be a model's name");
    *alias = (struct model_alias){name->text.data, item->value->text.data};
}

static void
add_models(struct build *build, const struct backend_draft *draft, struct backend_config *backend)
{
    const struct yaml_node *node = draft->models;
    struct model_alias *models;

    if (node == NULL)
        return;
    if (node->kind == YAML_SCALAR) {
        reader_error(&build->reader, node, "For example models: [ gpt-5.5 ].",
                     "models: expected a list, or a map of names, found %s", yaml_kind_name(node));
        return;
    }
    models = arena_alloc(build->reader.arena, node->count * sizeof(*models));
    for (size_t i = 0; i < node->count; i++) {
        add_model(build, &models[backend->model_count], &node->items[i]);
        backend->model_count += models[backend->model_count].name != NULL;
    }
    backend->models = models;
}

static void
warn_of_risks(struct build *build, const struct backend_draft *draft, const struct backend_config *backend)
{
    const struct endpoint *first = backend->endpoints;

    if (!draft->verify)
        reader_warn(&build->reader, build_place(&draft->entry, "verify"), "Name its certificate with `ca:` instead.",
                    "backend %s: whoever sits in between can read and alter everything", backend->name);
    for (size_t i = 0; i < backend->endpoint_count && backend->credential.header != NULL; i++)
        if (!first[i].tls && !first[i].private_allowed)
            reader_warn(&build->reader, build_place(&draft->entry, "url"), "Use https://.",
                        "backend %s: its key travels unencrypted to %s", backend->name, first[i].host);
}

/* Ollama keeps the prompts of its few slots only, and does not tell; others' hosted models go by their account. */
static enum policy_id
policy_of_engine(enum engine engine)
{
    bool keeps = engine != ENGINE_HOSTED && engine != ENGINE_OLLAMA && engine != ENGINE_TRITON;

    return keeps ? POLICY_AFFINITY : POLICY_LEAST_IN_FLIGHT;
}

static void
add_replicas(struct build *build, const struct backend_draft *draft, struct backend_config *backend)
{
    const struct yaml_node *place = build_place(&draft->entry, "replicas");

    backend->replicas = draft->replicas;
    backend->replicas.given = place != draft->entry.key;
    if (draft->replicas.least > draft->replicas.most)
        reader_error(&build->reader, place, "For example replicas: { min: 1, max: 8 }.",
                     "backend %s: its replicas are at least %u and at most %u", backend->name, draft->replicas.least,
                     draft->replicas.most);
}

static void
build_backend(struct build *build, const struct backend_draft *draft, struct backend_config *backend)
{
    backend->name = draft->entry.name;
    add_endpoints(build, draft, backend);
    backend->dialect = dialect_of(draft, backend);
    backend->apis = apis_of(build, draft, backend->dialect);
    backend->engine = (enum engine)draft->engine;
    backend->engine_model = draft->engine_model;
    backend->policy = draft->policy != 0 ? (enum policy_id)(draft->policy - 1) : policy_of_engine(backend->engine);
    backend->modelled = backend->engine == ENGINE_TWIN;
    backend->credential = credential_of(build, draft, backend->dialect);
    backend->facts = (struct destination_facts){draft->region, draft->retention, draft->classes};
    backend->usd_per_hour = draft->usd_per_hour;
    backend->admission = (struct admission_config){.on = draft->admission.mode != 0,
                                                   .kv_tokens = draft->admission.kv_tokens,
                                                   .sequences = draft->admission.sequences,
                                                   .requests = draft->admission.requests,
                                                   .queue = draft->admission.queue};
    add_replicas(build, draft, backend);
    add_models(build, draft, backend);
    build_accounts(build, draft, backend);
    build_asking(build, draft, backend);
    warn_of_risks(build, draft, backend);
}

void
build_backends(struct build *build)
{
    const struct entries *drafts = &build->draft.backends;
    struct config *config = build->config;

    config->backends = arena_alloc(build->reader.arena, drafts->count * sizeof(struct backend_config));
    config->backend_count = drafts->count;
    for (size_t i = 0; i < drafts->count; i++) {
        struct backend_config *backend = &config->backends[i];

        backend->index = (unsigned)i;
        build_backend(build, ENTRY_AT(*drafts, backend_draft, i), backend);
        map_put(&config->backend_by_name, slice_of(backend->name), backend);
    }
}
