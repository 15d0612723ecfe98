#include "cmd/probe/discover.h"

#include <stdlib.h>
#include <yyjson.h>

#include "cmd/probe/probe.h"

enum { LISTEN_PORT = 8080, ADMIN_PORT = 9090, PORTS_TRIED = 20, BODY_BYTES_MOST = 256 * 1024 };

/* Providers by the variable that their own documentation has people set. */
static const struct {
    const char *variable, *name, *url;
} providers[] = {
    {"OPENAI_API_KEY", "openai", "https://api.openai.com"},
    {"ANTHROPIC_API_KEY", "anthropic", "https://api.anthropic.com"},
    {"OPENROUTER_API_KEY", "openrouter", "https://openrouter.ai/api"},
    {"GROQ_API_KEY", "groq", "https://api.groq.com/openai"},
    {"MISTRAL_API_KEY", "mistral", "https://api.mistral.ai"},
    {"DEEPSEEK_API_KEY", "deepseek", "https://api.deepseek.com"},
    {"TOGETHER_API_KEY", "together", "https://api.together.xyz"},
    {"FIREWORKS_API_KEY", "fireworks", "https://api.fireworks.ai/inference"},
    {"XAI_API_KEY", "xai", "https://api.x.ai"},
};

/* Engines by their usual port. `owner` is the owned_by that its /v1/models states: any program may sit on 8080 or 8000,
 * this gateway among them. Ollama states "library" or whoever made the model, so it is known by a path of its own. */
static const struct {
    unsigned port;
    const char *name, *engine, *owner, *own_path;
} engines[] = {
    {11434, "ollama", "ollama", NULL, "/api/version"}, {8000, "vllm", "vllm", "vllm", NULL},
    {30000, "sglang", "sglang", "sglang", NULL},       {8080, "llamacpp", "llama.cpp", "llamacpp", NULL},
    {8000, "twin", "twin", "equipoise-twin", NULL},
};

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static struct found_backend *
add_found(struct discovery *discovery, const char *name, const char *url)
{
    struct found_backend *found = &discovery->found[discovery->count++];

    ENSURE(discovery->count <= DISCOVER_MOST);
    *found = (struct found_backend){.name = name, .url = url};
    return found;
}

static bool
is_set(const char *value)
{
    return value != NULL && value[0] != '\0';
}

static void
find_providers(struct discovery *discovery, const struct discover_places *places)
{
    struct slice azure = slice_of(places->environment("AZURE_OPENAI_ENDPOINT"));
    struct found_backend *found;

    for (size_t i = 0; i < COUNT_OF(providers); i++)
        if (is_set(places->environment(providers[i].variable)))
            add_found(discovery, providers[i].name, providers[i].url)->variable = providers[i].variable;
    if (azure.len == 0 || !is_set(places->environment("AZURE_OPENAI_API_KEY")))
        return;
    while (slice_ends(azure, "/"))
        azure.len--;
    found = add_found(discovery, "azure", arena_printf(&discovery->arena, "%.*s/openai", SLICE_ARGS(azure)));
    found->variable = "AZURE_OPENAI_API_KEY";
    found->header = "api-key";
}

/* The models of a GET /v1/models whose owner is `owner` (NULL: anybody's); false if that is not what it is. */
static bool
read_models(struct discovery *discovery, struct slice body, const char *owner, struct found_backend *found)
{
    yyjson_doc *doc = yyjson_read(body.data, body.len, 0);
    yyjson_val *data = yyjson_obj_get(yyjson_doc_get_root(doc), "data");
    bool right = yyjson_is_arr(data) && (owner == NULL || yyjson_arr_size(data) > 0);
    yyjson_val *model;
    size_t i, count;

    yyjson_arr_foreach(data, i, count, model)
    {
        const char *id = yyjson_get_str(yyjson_obj_get(model, "id"));

        if (owner != NULL && !yyjson_equals_str(yyjson_obj_get(model, "owned_by"), owner))
            right = false;
        if (id != NULL && found->model_count < DISCOVER_MODELS_MOST)
            found->models[found->model_count++] = arena_strdup(&discovery->arena, id);
    }
    yyjson_doc_free(doc);
    return right;
}

static void
find_engine(struct discovery *discovery, const struct discover_places *places, size_t which)
{
    struct found_backend found = {.name = engines[which].name, .engine = engines[which].engine};
    unsigned port = engines[which].port;
    struct buffer body;

    buffer_init(&body);
    if (engines[which].own_path == NULL || places->get(port, engines[which].own_path, &body) == OK) {
        buffer_clear(&body);
        if (places->get(port, "/v1/models", &body) == OK &&
            read_models(discovery, buffer_content(&body), engines[which].owner, &found)) {
            found.url = arena_printf(&discovery->arena, "http://127.0.0.1:%u", port);
            *add_found(discovery, NULL, NULL) = found;
        }
    }
    buffer_free(&body);
}

static unsigned
find_port(const struct discover_places *places, unsigned usual)
{
    for (unsigned port = usual; port < usual + PORTS_TRIED; port++)
        if (places->port_is_free(port))
            return port;
    return usual;
}

void
discover(struct discovery *discovery, const struct discover_places *places)
{
    *discovery = (struct discovery){.count = 0};
    arena_init(&discovery->arena);
    find_providers(discovery, places);
    for (size_t i = 0; i < COUNT_OF(engines); i++)
        find_engine(discovery, places, i);
    discovery->listen_port = find_port(places, LISTEN_PORT);
    discovery->admin_port = find_port(places, ADMIN_PORT);
}

void
discovery_free(struct discovery *discovery)
{
    arena_reset(&discovery->arena);
}

static void
write_quoted(const char *text, struct buffer *out)
{
    buffer_add_byte(out, '"');
    buffer_add_json(out, slice_of(text)); /* JSON's escapes are YAML's too */
    buffer_add_byte(out, '"');
}

static void
write_backend(const struct found_backend *found, struct buffer *out)
{
    buffer_printf(out, "  %s:\n    url: ", found->name);
    write_quoted(found->url, out);
    buffer_add_byte(out, '\n');
    if (found->header != NULL)
        buffer_printf(out, "    auth: { header: %s, key: $%s }\n", found->header, found->variable);
    else if (found->variable != NULL)
        buffer_printf(out, "    key: $%s\n", found->variable);
    if (found->engine != NULL)
        buffer_printf(out, "    engine: %s\n", found->engine);
    if (found->model_count == 0)
        return;
    buffer_add_text(out, "    models: [ ");
    for (size_t i = 0; i < found->model_count; i++) {
        buffer_add_text(out, i > 0 ? ", " : "");
        write_quoted(found->models[i], out);
    }
    buffer_add_text(out, " ]\n");
}

static const char next_steps[] =
    "\n"
    "# A route gives models a name of your own, and says what is acceptable. Without any, clients ask for the "
    "backends'\n"
    "# own model names.\n"
    "#\n"
    "# routes:\n"
    "#   assistant:\n"
    "#     reference: openai/gpt-4o-mini\n"
    "#     acceptable: { first_token: 2s, total: 60s }\n"
    "#     attempts: 3                          # retries and failover together\n"
    "#     output_max: 4000                     # tokens, for requests that name no limit\n"
    "\n"
    "# Keys say who asks, for the report; without them listening is limited to this machine.\n"
    "# `equipoise keys add NAME` makes one and prints the line to put here.\n"
    "#\n"
    "# keys:\n"
    "#   web: { sha256: ..., tenant: acme, tags: { feature: search }, budget: [ $50/day, 200k tokens/minute ] }\n"
    "\n"
    "# Budgets are ceilings: what a request may come to cost is reserved before it is sent. `equipoise budget` shows\n"
    "# them, and alerts tell of them; `equipoise alert test` tries where alerts go.\n"
    "#\n"
    "# budget: $2000/month      # everything together\n"
    "# alerts: { webhook: $ALERTS_URL }\n";

static const char example_backends[] =
    "# Nothing was found on this machine: no provider's key in the environment, no engine on its usual port.\n"
    "# Take the # away from what you have, and put in what is yours.\n"
    "#\n"
    "# backends:\n"
    "#   openai:    { url: https://api.openai.com,    key: $OPENAI_API_KEY }\n"
    "#   anthropic: { url: https://api.anthropic.com, key: $ANTHROPIC_API_KEY }\n"
    "#   gpus:      { url: http://10.0.0.11:8000, engine: vllm, usd_per_hour: $2.50 }\n";

void
discovery_write(const struct discovery *discovery, bool explained, struct buffer *out)
{
    if (explained)
        buffer_add_text(out,
                        "# Equipoise, as `equipoise init` found things. `equipoise check` tells what is understood "
                        "of it,\n# `equipoise check --help-config` what else can stand here.\n\n");
    buffer_printf(out, "listen: 127.0.0.1:%u%s\n", discovery->listen_port, explained ? "   # clients" : "");
    buffer_printf(out, "admin: 127.0.0.1:%u%s\n\n", discovery->admin_port,
                  explained ? "    # health, metrics, live requests" : "");
    if (discovery->count > 0)
        buffer_add_text(out, "backends:\n");
    else if (explained)
        buffer_add_text(out, example_backends);
    for (size_t i = 0; i < discovery->count; i++)
        write_backend(&discovery->found[i], out);
    if (explained)
        buffer_add_text(out, next_steps);
}

void
discovery_describe(const struct discovery *discovery, struct buffer *out)
{
    for (size_t i = 0; i < discovery->count; i++) {
        const struct found_backend *found = &discovery->found[i];

        buffer_printf(out, "%s (%s", found->name, found->url);
        if (found->variable != NULL)
            buffer_printf(out, ", key from $%s", found->variable);
        if (found->model_count > 0)
            buffer_printf(out, ", %zu model%s", found->model_count, found->model_count == 1 ? "" : "s");
        buffer_add_text(out, ")\n");
    }
}

static const char *
real_environment(const char *name)
{
    return getenv(name);
}

static enum status
real_get(unsigned port, const char *path, struct buffer *body)
{
    return probe_local(port, path, BODY_BYTES_MOST, body);
}

const struct discover_places discover_here = {real_environment, real_get, probe_port_is_free};
