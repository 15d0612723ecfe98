/* A configuration is read as it is meant, or refused with everything that is wrong, each at its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/text.h"
#include "config/calibration.h"
#include "config/config.h"
#include "config/insert.h"
#include "config/labelled.h"
#include "config/outside.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))
#define SECRET "sk-verysecret1234"

#define LABELLED "{\"prompt\":\"a\",\"scores\":{\"small\":0.5,\"azure/other\":1}}\n"

/* A machine with two variables and some files. */
static const char *
environment(const char *name)
{
    return strcmp(name, "SOME_KEY") == 0 ? SECRET : strcmp(name, "EMPTY") == 0 ? "" : NULL;
}

static enum status
read_file(const char *path, size_t most, struct buffer *out)
{
    (void)most;
    if (strcmp(path, "dir/secret.txt") == 0)
        buffer_add_text(out, SECRET "\n");
    else if (strcmp(path, "/abs/schema.json") == 0)
        buffer_add_text(out, "{\"type\":\"object\"}");
    else if (strcmp(path, "dir/two-lines") == 0)
        buffer_add_text(out, "one\ntwo\n");
    else if (strcmp(path, "dir/labelled.jsonl") == 0)
        buffer_add_text(out, LABELLED LABELLED "\n");
    else if (strcmp(path, "dir/broken.jsonl") == 0)
        buffer_add_text(out, LABELLED "{\"prompt\":\"b\",\"scores\":{\"small\":2,\"azure/other\":1}}\n");
    else if (strcmp(path, "dir/nothing.jsonl") == 0)
        buffer_add_text(out, "");
    else
        return ERR_NOT_FOUND;
    return OK;
}

static const struct config_outside machine = {environment, read_file, NULL, false};

struct loaded {
    struct problems problems;
    struct config *config; /* NULL: refused */
    const char *text;
};

static void
load_after(struct loaded *loaded, const char *text, const struct config *before)
{
    struct config_input input = {"dir/f.yaml", slice_of(text), before, &machine};
    enum status status;

    *loaded = (struct loaded){.text = text};
    problems_init(&loaded->problems);
    status = config_load_input(&input, &loaded->problems, &loaded->config);
    assert_int_equal(status, loaded->problems.errors == 0 ? OK : ERR_INVALID);
    assert_int_equal(status == OK, loaded->config != NULL);
}

static void
load(struct loaded *loaded, const char *text)
{
    load_after(loaded, text, NULL);
}

static void
done(struct loaded *loaded)
{
    config_release(loaded->config);
    problems_free(&loaded->problems);
}

/* Loads what must be fine. */
static void
load_fine(struct loaded *loaded, const char *text)
{
    load(loaded, text);
    if (loaded->config == NULL)
        fail_msg("refused: %s", loaded->problems.all[0].text);
}

static const struct problem *
find_problem(const struct loaded *loaded, const char *words)
{
    for (size_t i = 0; i < loaded->problems.count; i++)
        if (strstr(loaded->problems.all[i].text, words) != NULL)
            return &loaded->problems.all[i];
    return NULL;
}

static void
an_empty_file_has_safe_defaults(void **state)
{
    struct loaded l;

    (void)state;
    load_fine(&l, "");
    assert_int_equal(l.problems.count, 0);
    assert_string_equal(l.config->listen.host, "127.0.0.1");
    assert_int_equal(l.config->listen.port, 8080);
    assert_true(l.config->listen.loopback);
    assert_int_equal(l.config->admin.port, 9090);
    assert_int_equal(l.config->health.port, 0);
    assert_string_equal(l.config->data, "dir/equipoise-data");
    assert_int_equal(l.config->workers, 0);
    assert_null(l.config->tls.cert);
    assert_false(l.config->observe);
    assert_false(l.config->serve_when_journal_fails);
    assert_int_equal(l.config->journal_sync_us, 100000);
    assert_int_equal(l.config->limits.body_max, 64 << 20);
    assert_int_equal(l.config->limits.answer_max, 4 << 20);
    assert_int_equal(l.config->limits.header_max, 32 << 10);
    assert_int_equal(l.config->limits.keep_alive_us, 75 * USEC_PER_S);
    assert_int_equal(l.config->backend_count + l.config->route_count + l.config->key_count, 0);
    assert_non_null(l.config->default_tenant);
    assert_non_null(l.config->prices);
    done(&l);
}

static void
backends_get_what_their_dialect_wants(void **state)
{
    struct loaded l;
    const struct backend_config *b;

    (void)state;
    load_fine(&l,
              "backends:\n"
              "  openai: { url: https://api.openai.com/v1, key: $SOME_KEY }\n"
              "  claude: { url: https://api.anthropic.com, key: '${SOME_KEY}' }\n"
              "  azure: { url: 'https://x.example/openai?api-version=1', auth: { header: API-Key, key: file:secret.txt "
              "}, region: eu, retention: no, classes: [ a, b ] }\n"
              "  token: { url: https://y.example, auth: { command: print-token, refresh: 5m } }\n"
              "  gpus:\n"
              "    url: [ http://10.0.0.11:8000, http://10.0.0.12:8000/ ]\n"
              "    engine: vllm\n"
              "    usd_per_hour: $2.50\n"
              "    models: { llama: meta/Llama-3.1, other: other }\n"
              "    timeouts: { first_byte: 30s }\n");
    b = config_backend(l.config, slice_of("openai"));
    assert_string_equal(b->credential.header, "authorization");
    assert_string_equal(b->credential.prefix, "Bearer ");
    assert_string_equal(b->credential.secret, SECRET);
    assert_string_equal(b->base_path, "");
    assert_string_equal(b->provider, "openai");
    assert_true(b->endpoints[0].tls);
    assert_true(b->endpoints[0].verify);
    assert_int_equal(b->endpoints[0].port, 443);
    assert_string_equal(b->endpoints[0].authority, "api.openai.com");
    assert_false(usd_known(b->usd_per_hour));
    b = config_backend(l.config, slice_of("claude"));
    assert_int_equal(b->dialect, DIALECT_ANTHROPIC);
    assert_string_equal(b->credential.header, "x-api-key");
    assert_string_equal(b->credential.prefix, "");
    b = config_backend(l.config, slice_of("azure"));
    assert_string_equal(b->credential.header, "api-key");
    assert_string_equal(b->credential.secret, SECRET);
    assert_string_equal(b->base_path, "/openai");
    assert_string_equal(b->query, "api-version=1");
    assert_string_equal(b->facts.retention, "no"); /* the country, the word: not false */
    assert_string_equal(b->facts.classes[1], "b");
    assert_null(b->facts.classes[2]);
    b = config_backend(l.config, slice_of("token"));
    assert_null(b->credential.secret);
    assert_string_equal(b->credential.command, "print-token");
    assert_string_equal(b->credential.prefix, "Bearer ");
    assert_int_equal(b->credential.refresh_us, 300 * USEC_PER_S);
    b = config_backend(l.config, slice_of("gpus"));
    assert_int_equal(b->index, 4);
    assert_int_equal(b->endpoint_count, 2);
    assert_int_equal(b->engine, ENGINE_VLLM);
    assert_null(b->credential.header);
    assert_int_equal(b->usd_per_hour, 2500000000000);
    assert_string_equal(b->models[0].upstream, "meta/Llama-3.1");
    assert_int_equal(b->endpoints[1].first_byte_timeout_us, 30 * USEC_PER_S);
    assert_int_equal(b->endpoints[1].connect_timeout_us, 5 * USEC_PER_S);
    done(&l);
}

static bool
allows_private(const char *url, const char *more)
{
    struct loaded l;
    char text[256];
    bool allowed;

    snprintf(text, sizeof text, "backends: { b: { url: '%s'%s } }", url, more);
    load_fine(&l, text);
    allowed = l.config->backends[0].endpoints[0].private_allowed;
    done(&l);
    return allowed;
}

static void
only_meant_private_addresses_are_allowed(void **state)
{
    struct loaded l;

    (void)state;
    assert_true(allows_private("http://127.0.0.1:8000", ""));
    assert_true(allows_private("http://10.0.0.1", ""));
    assert_true(allows_private("http://[::1]:1", ""));
    assert_true(allows_private("http://localhost", ""));
    assert_true(allows_private("http://gpus:8000", ""));
    assert_true(allows_private("http://vllm.models.svc", ""));
    assert_true(allows_private("http://box.internal", ""));
    assert_false(allows_private("https://api.openai.com", ""));
    assert_false(allows_private("https://8.8.8.8", ""));
    assert_false(allows_private("https://internal.example.com", ""));
    assert_true(allows_private("https://internal.example.com", ", private: yes"));
    assert_true(allows_private("http://169.254.1.1", ", private: yes"));
    load(&l, "backends: { b: { url: http://169.254.169.254 } }");
    assert_non_null(find_problem(&l, "hand out credentials"));
    done(&l);
    load(&l, "backends: { b: { url: 'http://[64:ff9b::169.254.169.254]' } }");
    assert_non_null(find_problem(&l, "hand out credentials"));
    done(&l);
    /* A name that is meant to be private may still not lead to a cloud's credentials. */
    load(&l, "backends: { b: { url: http://metadata.google.internal }, c: { url: http://x, private: yes } }");
    assert_false(l.config->backends[0].endpoints[0].metadata_allowed);
    assert_true(l.config->backends[1].endpoints[0].metadata_allowed);
    done(&l);
}

static void
a_webhook_at_a_private_address_must_be_meant(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "localhost", "gpus"};
    struct loaded l;

    (void)state;
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        char text[128];

        snprintf(text, sizeof text, "alerts: { webhook: 'http://%s/x' }", hosts[i]);
        load(&l, text);
        assert_non_null(find_problem(&l, "address"));
        assert_null(l.config);
        done(&l);
        snprintf(text, sizeof text, "alerts: { webhook: 'http://%s/x', private: yes }", hosts[i]);
        load_fine(&l, text);
        assert_true(l.config->alerts.endpoint->private_allowed);
        done(&l);
    }
    load_fine(&l, "alerts: { webhook: 'https://hooks.example.com/a?b=c' }");
    assert_false(l.config->alerts.endpoint->private_allowed);
    assert_string_equal(l.config->alerts.target, "/a?b=c");
    done(&l);
}

/* Classes are the different priorities in use, the highest first. */
static void
priorities_make_classes(void **state)
{
    static const char keys[] =
        "backends: { gpus: { url: http://gpus:8000, admission: { mode: on, kv_tokens: 1000 } } }\n"
        "tenants: { heavy: { weight: 3 } }\n"
        "keys:\n"
        "  batch: { sha256: \"0000000000000000000000000000000000000000000000000000000000000004\", priority: -1 }\n"
        "  web:   { sha256: \"0000000000000000000000000000000000000000000000000000000000000001\", "
        "tenant: heavy }\n"
        "  alarm: { sha256: \"0000000000000000000000000000000000000000000000000000000000000002\", "
        "priority: 50 }\n"
        "  other: { sha256: \"0000000000000000000000000000000000000000000000000000000000000003\" }\n";
    struct loaded l;

    (void)state;
    load_fine(&l, keys);
    assert_int_equal(l.config->keys[0].class, 2);
    assert_int_equal(l.config->keys[1].class, 1);
    assert_int_equal(l.config->keys[2].class, 0);
    assert_int_equal(l.config->keys[3].class, 1);
    assert_int_equal(l.config->keys[1].tenant->weight, 3);
    assert_int_equal(l.config->keys[0].tenant->weight, 1);
    assert_true(l.config->backends[0].admission.on);
    assert_int_equal(l.config->backends[0].admission.kv_tokens, 1000);
    assert_int_equal(l.config->backends[0].admission.queue, 1000);
    done(&l);
}

static void
there_are_eight_priorities_at_most(void **state)
{
    struct buffer text = {0};
    struct loaded l;

    (void)state;
    buffer_add_text(&text, "keys:\n");
    for (unsigned i = 0; i < 9; i++)
        buffer_printf(&text, "  k%u: { sha256: \"%064u\", priority: %u }\n", i, i + 1, i);
    buffer_add(&text, SLICE_LITERAL("\0"));
    load(&l, buffer_content(&text).data);
    assert_non_null(find_problem(&l, "more than 8 different priorities"));
    done(&l);
    buffer_free(&text);
}

static void
shares_of_budgets_rise_and_stand_once(void **state)
{
    struct loaded l;

    (void)state;
    load_fine(&l, "{}");
    assert_int_equal(l.config->alerts.share_count, 3);
    assert_int_equal(l.config->alerts.shares_ppm[0], 500000);
    done(&l);
    load_fine(&l, "alerts: { shares: [ 90%, 10%, 90%, 55.5% ] }");
    assert_int_equal(l.config->alerts.share_count, 3);
    assert_int_equal(l.config->alerts.shares_ppm[0], 100000);
    assert_int_equal(l.config->alerts.shares_ppm[1], 555000);
    assert_int_equal(l.config->alerts.shares_ppm[2], 900000);
    done(&l);
    load_fine(&l, "alerts: { shares: [] }");
    assert_int_equal(l.config->alerts.share_count, 0);
    done(&l);
    load(&l, "alerts: { shares: [ 0% ] }");
    assert_non_null(find_problem(&l, "above 0%"));
    done(&l);
    load(&l, "alerts: { shares: 80% }");
    assert_non_null(find_problem(&l, "a list"));
    done(&l);
    load(&l, "alerts: { runaway: { times: 1 } }");
    assert_non_null(find_problem(&l, "too small"));
    done(&l);
    load_fine(&l, "alerts: { runaway: { times: off } }");
    assert_int_equal(l.config->alerts.runaway_times, 0);
    done(&l);
}

#define CHOOSES(candidates, file)                                                                                      \
    "backends:\n"                                                                                                      \
    "  azure: { url: https://x.example, key: $SOME_KEY }\n"                                                            \
    "prices: { override: { azure/*: { input: $0.05/M, output: $0.08/M } } }\n"                                         \
    "routes:\n"                                                                                                        \
    "  r: { reference: azure/large, candidates: " candidates ", acceptable: { quality: 90% },\n"                       \
    "       judge: { by: exact }, levers: { router: on },\n"                                                           \
    "       router: { warm_start: " file " } }\n"

static void
labelled_requests_are_read_and_checked(void **state)
{
    const struct route_config *r;
    const struct problem *problem;
    struct loaded l;

    (void)state;
    load_fine(&l, CHOOSES("[ azure/small, azure/other ]", "labelled.jsonl"));
    assert_int_equal(l.problems.count, 0);
    r = config_route(l.config, slice_of("r"));
    assert_string_equal(r->router.warm_start, "dir/labelled.jsonl");
    assert_int_equal(r->router.labelled->count, 2);
    assert_int_equal(labelled_target(r->router.labelled, &r->candidates[0]), 0); /* by the model's name, */
    assert_int_equal(labelled_target(r->router.labelled, &r->candidates[1]), 1); /* and by the whole */
    assert_true(r->router.mark != 0);
    done(&l);

    load_fine(&l, CHOOSES("[ azure/small, azure/third ]", "labelled.jsonl"));
    assert_non_null(find_problem(&l, "dir/labelled.jsonl has no scores of azure/third, which begins with nothing"));
    assert_int_equal(l.problems.count, 1);
    done(&l);

    load(&l, CHOOSES("azure/small", "broken.jsonl"));
    problem = find_problem(&l, "expected each score to be from 0 to 1");
    assert_non_null(problem);
    assert_string_equal(problem->file, "dir/broken.jsonl");
    assert_int_equal(problem->line, 2);
    assert_true(problem->elsewhere);
    assert_int_equal(l.problems.errors, 1);
    done(&l);

    load(&l, CHOOSES("azure/third", "labelled.jsonl"));
    assert_non_null(find_problem(&l,
                                 "no scores of a candidate that is another model than the reference's, but of small "
                                 "or azure/other"));
    done(&l);
    load(&l, CHOOSES("azure/small", "nothing.jsonl"));
    assert_non_null(find_problem(&l, "it holds no requests"));
    done(&l);
    load(&l, CHOOSES("azure/small", "none.jsonl"));
    assert_non_null(find_problem(&l, "dir/none.jsonl cannot be read"));
    done(&l);
}

#define JUDGES(judge)                                                                                                  \
    "backends: { azure: { url: https://x.example, key: $SOME_KEY } }\n"                                                \
    "prices: { override: { azure/*: { input: $0.05/M, output: $0.08/M } } }\n"                                         \
    "routes: { r: { reference: azure/large, candidates: azure/small, acceptable: { quality: 90% },\n"                  \
    "             judge: { " judge " }, levers: { router: on } } }\n"

static void
a_schema_is_for_the_judge_of_json(void **state)
{
    const struct route_config *r;
    struct loaded l;
    struct arena arena = {0};

    (void)state;
    load_fine(&l, JUDGES("by: json, json_schema: /abs/schema.json"));
    assert_int_equal(l.problems.count, 0);
    r = config_route(l.config, slice_of("r"));
    assert_string_equal(r->judge.json_schema, "{\"type\":\"object\"}");
    assert_non_null(r->judge.schema);
    assert_memory_equal(judge_words(&r->judge, &arena), "json, schema ", 13); /* another schema, another judge */
    done(&l);
    load(&l, JUDGES("by: exact, json_schema: /abs/schema.json"));
    assert_non_null(find_problem(&l, "json_schema: only the judge `json` goes by a schema"));
    done(&l);
    arena_wipe(&arena);
}

static const char routes_text[] =
    "backends:\n"
    "  openai: { url: https://api.openai.com, key: $SOME_KEY }\n"
    "  azure: { url: https://x.example, key: $SOME_KEY, models: { gpt-4o-mini: deployment-1 } }\n"
    "prices: { override: { azure/gpt-4o-mini: { input: $0.05/M, output: $0.08/M } } }\n"
    "routes:\n"
    "  assistant:\n"
    "    reference: openai/gpt-4o-mini\n"
    "    candidates: azure/gpt-4o-mini\n"
    "    owner: search\n"
    "    repeatable: yes\n"
    "    ttl: 2h\n"
    "    acceptable: { quality: 97%, first_token: 800ms }\n"
    "    levers: { alternatives: { on: 5% }, semantic_cache: off }\n"
    "    validate: { regex: '^[0-9]+$', json_schema: /abs/schema.json }\n"
    "    holdout: 1%\n"
    "    attempts: 2\n"
    "    worth: $0.10\n";

static void
routes_point_to_their_backends(void **state)
{
    struct loaded l;
    const struct route_config *r;

    (void)state;
    load_fine(&l, routes_text);
    assert_int_equal(l.problems.count, 0);
    r = config_route(l.config, slice_of("assistant"));
    assert_ptr_equal(r->reference.backend, config_backend(l.config, slice_of("openai")));
    assert_string_equal(r->reference.model, "gpt-4o-mini");
    assert_string_equal(r->reference.upstream, "gpt-4o-mini");
    assert_string_equal(r->baseline.name, "openai/gpt-4o-mini");
    assert_int_equal(r->candidate_count, 1);
    assert_string_equal(r->candidates[0].upstream, "deployment-1");
    assert_string_equal(r->owner, "search");
    assert_true(r->repeatable);
    assert_int_equal(r->ttl_us, 7200 * USEC_PER_S);
    assert_int_equal(r->quality_ppm, 970000);
    assert_int_equal(r->confidence_ppm, 950000);
    assert_int_equal(r->first_token_us, 800000);
    assert_true(r->total_us == USEC_NEVER);
    assert_int_equal(r->levers[LEVER_ALTERNATIVES].mode, LEVER_ON);
    assert_int_equal(r->levers[LEVER_ALTERNATIVES].share_ppm, 50000);
    assert_string_equal(r->validate.regex, "^[0-9]+$");
    assert_string_equal(r->validate.json_schema, "{\"type\":\"object\"}");
    assert_int_equal(r->holdout_ppm, 10000);
    assert_int_equal(r->attempts, 2);
    assert_int_equal(r->worth, USD_ONE / 10);
    assert_null(config_route(l.config, slice_of("assistan")));
    done(&l);
}

/* SHA-256 of "test" and of "hello". */
#define SHA_TEST "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#define SHA_HELLO "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

static void
keys_are_found_by_their_digest(void **state)
{
    struct digest digest = hash_sha256(slice_of("test"));
    struct loaded l;
    const struct key_config *key;

    (void)state;
    load_fine(&l, "keys:\n"
                  "  web: { sha256: " SHA_TEST ", tenant: acme, tags: { feature: search, customer: '42' }, expires: "
                  "2030-01-01, routes: [ a, b/c ] }\n"
                  "  job: { sha256: " SHA_HELLO ", tenant: new }\n"
                  "tenants: { acme: { allow: { region: eu, classes: hipaa } } }\n");
    key = map_get(&l.config->key_by_digest, slice_make((const char *)digest.bytes, sizeof digest.bytes));
    assert_non_null(key);
    assert_string_equal(key->name, "web");
    assert_string_equal(key->tenant->name, "acme");
    assert_string_equal(key->tenant->region, "eu");
    assert_string_equal(key->tenant->classes[0], "hipaa");
    assert_int_equal(key->tag_count, 2);
    assert_string_equal(key->tags[1].value, "42");
    assert_int_equal(key->expires_wall_us, (usec)1893456000 * USEC_PER_S);
    assert_string_equal(key->routes[1], "b/c");
    assert_string_equal(l.config->keys[1].tenant->name, "new");
    assert_null(l.config->keys[1].tenant->region);
    assert_true(l.config->keys[1].expires_wall_us == USEC_NEVER);
    done(&l);
}

static const struct budget_rules *
tag_budgets(const struct config *config, const char *tag)
{
    return map_get(&config->budgets_by_tag, slice_of(tag));
}

static void
budgets_stand_by_their_scope(void **state)
{
    const struct config *c;
    struct loaded l;

    (void)state;
    load_fine(&l, "budget: $2000/month\n"
                  "exposure: strict\n"
                  "tag_budgets: { feature=search: [ $5/day, 2 requests/hour ] }\n"
                  "limits: { cached_token_weight: 10% }\n"
                  "keys: { web: { sha256: " SHA_TEST ", tenant: acme, budget: [ $50/day, 200k tokens/minute ], "
                  "on_exceed: degrade } }\n"
                  "tenants: { acme: { budget: $1/hour, exposure: expected } }\n"
                  "backends: { b: { url: https://x.example, key: $SOME_KEY, models: [ gpt-4o ] } }\n"
                  "routes: { r: { reference: b/gpt-4o, budget: 7 requests/week, output_max: 300 } }\n");
    c = l.config;
    assert_int_equal(c->all_budgets.count, 7);
    assert_int_equal(c->budgets.count, 1);
    assert_true(slice_is(c->budgets.all[0].identity, "everything usd/month"));
    assert_int_equal(c->policy.exposure, EXPOSURE_STRICT);
    assert_int_equal(c->policy.on_exceed, ON_EXCEED_REFUSE);
    assert_int_equal(c->cached_token_weight_ppm, 100000);
    assert_int_equal(c->keys[0].budgets.count, 2);
    assert_true(slice_is(c->keys[0].budgets.all[1].identity, "key web tokens/minute"));
    assert_true(slice_is(c->keys[0].budgets.all[1].text, "200k tokens/minute"));
    assert_int_equal(c->keys[0].policy.on_exceed, ON_EXCEED_DEGRADE);
    assert_int_equal(c->keys[0].policy.exposure, EXPOSURE_UNSET);
    assert_int_equal(c->keys[0].tenant->budgets.count, 1);
    assert_int_equal(c->keys[0].tenant->policy.exposure, EXPOSURE_EXPECTED);
    assert_int_equal(c->routes[0].budgets.all[0].limit, 7);
    assert_int_equal(c->routes[0].output_max, 300);
    assert_int_equal(tag_budgets(c, "feature=search")->count, 2);
    assert_true(slice_is(tag_budgets(c, "feature=search")->all[1].identity, "tag feature=search requests/hour"));
    assert_null(tag_budgets(c, "feature=other"));
    done(&l);
}

static void
slices_are_read(void **state)
{
    const struct slices_config *slices;
    uint64_t mark;
    struct loaded l;

    (void)state;
    load_fine(&l,
              "backends: { b: { url: https://x.example, key: $SOME_KEY, models: [ gpt-4o, gpt-4o-mini ] } }\n"
              "routes: { r: { reference: b/gpt-4o, candidates: b/gpt-4o-mini, judge: { by: exact }, levers: { router: "
              "shadow }, acceptable: { quality: 90%, slices: [ tenant, tag:feature ] } },\n"
              "  s: { reference: b/gpt-4o, candidates: b/gpt-4o-mini, judge: { by: exact }, levers: { router: "
              "shadow }, acceptable: { quality: 90%, slices: tag:feature } }, whole: { reference: b/gpt-4o },\n"
              "  turned: { reference: b/gpt-4o, candidates: b/gpt-4o-mini, judge: { by: exact }, levers: { router: "
              "shadow }, acceptable: { quality: 90%, slices: [ tag:feature, tenant ] } } }\n");
    slices = &l.config->routes[0].slices;
    assert_int_equal(slices->count, 2);
    assert_null(slices->tags[0]);
    assert_string_equal(slices->tags[1], "feature");
    mark = slices->mark;
    slices = &l.config->routes[1].slices;
    assert_int_equal(slices->count, 1);
    assert_string_equal(slices->tags[0], "feature");
    assert_true(mark != 0 && slices->mark != 0 && slices->mark != mark);
    assert_int_equal(l.config->routes[2].slices.mark, 0);
    assert_int_equal(l.config->routes[3].slices.mark, mark); /* the same cut, written in another order */
    done(&l);
}

struct problem_case {
    const char *text;
    unsigned line, column;
    const char *words;
    const char *hint; /* part of it; NULL: any */
};

static void
assert_problem(const struct problem_case *expected)
{
    struct loaded l;
    const struct problem *found;

    load(&l, expected->text);
    found = find_problem(&l, expected->words);
    if (found == NULL)
        fail_msg("%s\nnot found: %s\nbut: %s", expected->text, expected->words,
                 l.problems.count > 0 ? l.problems.all[0].text : "nothing");
    else if (found->line != expected->line || found->column != expected->column)
        fail_msg("%s\n%u:%u, not %u:%u: %s", expected->text, found->line, found->column, expected->line,
                 expected->column, found->text);
    else if (expected->hint != NULL && (found->hint == NULL || strstr(found->hint, expected->hint) == NULL))
        fail_msg("%s\nthe hint is: %s", expected->text, found->hint != NULL ? found->hint : "none");
    done(&l);
}

#define B "backends: { b: { url: https://x.example, key: $SOME_KEY } }\n"

static void
every_problem_has_its_place(void **state)
{
    static const struct problem_case cases[] = {
        {"lisen: 127.0.0.1:80\n", 1, 1, "unknown key \"lisen\"", "\"listen\""},
        {"budgets: $5/day\n", 1, 1, "unknown key \"budgets\"", "\"budget\""},
        {"cached_token_weight: 5%\n", 1, 1, "unknown key \"cached_token_weight\"", "belongs in \"limits\""},
        {"limits: { budget: $5/day }\n", 1, 11, "unknown key \"budget\" in limits", "belongs at the top"},
        {"alerts: { times: 3 }\n", 1, 11, "unknown key \"times\" in alerts", "belongs in \"alerts.runaway\""},
        {"- a\n", 1, 1, "is a map of keys", NULL},
        {"listen: 8080\n", 1, 9, "expected an address and port", NULL},
        {"listen: { a: b }\n", 1, 9, "found a map", NULL},
        {"listen:\n", 1, 8, "found nothing", NULL},
        {"workers: many\n", 1, 10, "expected a whole number or auto, found \"many\"", NULL},
        {"workers: 0\n", 1, 10, "too small", NULL},
        {"workers: 999999999999\n", 1, 10, "too large", NULL},
        {"limits: { body: 64 }\n", 1, 17, "expected a size", NULL},
        {"limits: { body: 1B }\n", 1, 17, "too small", NULL},
        {"limits: 3\n", 1, 9, "expected a map of keys", NULL},
        {"observe: maybe\n", 1, 10, "expected yes or no", NULL},
        {"journal: { when_full: refuze }\n", 1, 23, "expected refuse or serve", "\"refuse\""},
        {"admin: 0.0.0.0:9090\n", 1, 8, "loopback only", "health:"},
        {"admin: 127.0.0.1:8080\n", 1, 8, "same address", NULL},
        {"health: { listen: ':9091' }\n", 1, 9, "needs a token", "token: $NAME"},
        {"health: { token: $SOME_KEY }\n", 1, 9, "health needs \"listen\"", NULL},
        {"tls: { cert: a.pem }\n", 1, 6, "needs both", NULL},
        {"cache: { bytes: 1KiB }\n", 1, 17, "too small", NULL},
        {"cache: { ttl: 1ms }\n", 1, 15, "too small", NULL},
        {"budget: $5 a day\n", 1, 17, "expected an amount and a window", "$50/day"},
        {"budget: $5/dya\n", 1, 12, "expected minute, hour", NULL},
        {"budget: 200k tokns/minute\n", 1, 14, "expected $AMOUNT", NULL},
        {"budget: '200k tokns/minute'\n", 1, 9, "expected $AMOUNT", NULL},
        {"budget: [ $5/day, 1 request/day, $6/day ]\n", 1, 34, "there are two of usd a day", NULL},
        {"budget: { a: b }\n", 1, 9, "expected a budget such as", NULL},
        {"on_exceed: degrad\n", 1, 12, "expected inherit, refuse or degrade", "\"degrade\""},
        {"exposure: strikt\n", 1, 11, "expected inherit, expected or strict", "\"strict\""},
        {"tag_budgets: $5/day\n", 1, 14, "expected a map of budgets", NULL},
        {"tag_budgets: { feature: $5/day }\n", 1, 16, "expected a tag's name and value", NULL},
        {"tag_budgets: { feature=search: $5 }\n", 1, 34, "expected an amount and a window", NULL},
        {"backends: { b: {} }\n", 1, 16, "backends.b needs \"url\"", NULL},
        {"backends: { b: https://x.example }\n", 1, 16, "expected a map of keys, found text", NULL},
        {"backends: { 'a/b': { url: https://x.example } }\n", 1, 13, "cannot be a name", NULL},
        {"backends: { b: { url: x.example } }\n", 1, 23, "must start with https://", NULL},
        {"backends: { b: { url: 'https://u:p@x.example' } }\n", 1, 23, "a user name or password", NULL},
        {"backends: { b: { url: [] } }\n", 1, 23, "the list is empty", NULL},
        {"backends: { b: { url: [ https://x.example/a, https://y.example/b ] } }\n", 1, 46, "same path and query",
         NULL},
        {"backends: { b: { url: https://x.example, engin: vllm } }\n", 1, 42, "unknown key \"engin\" in backends.b",
         "\"engine\""},
        {"backends: { b: { url: https://x.example, key: $NOT_THERE } }\n", 1, 47, "NOT_THERE is not set", NULL},
        {"backends: { b: { url: https://x.example, key: $EMPTY } }\n", 1, 47, "EMPTY is empty", NULL},
        {"backends: { b: { url: https://x.example, key: file:none } }\n", 1, 47, "dir/none cannot be read", NULL},
        {"backends: { b: { url: https://x.example, key: file:two-lines } }\n", 1, 47, "holds blanks", NULL},
        {"backends: { b: { url: https://x.example, key: $SOME_KEY, auth: { key: $SOME_KEY } } }\n", 1, 64,
         "either `key` or `auth`", NULL},
        {"backends: { b: { url: https://x.example, auth: { header: x } } }\n", 1, 48, "needs `key` or `command`", NULL},
        {"backends: { b: { url: https://x.example, auth: { header: Host, key: $SOME_KEY } } }\n", 1, 58,
         "host cannot carry", NULL},
        {"backends: { b: { url: http://x.example, key: $SOME_KEY } }\n", 1, 23, "travels unencrypted", NULL},
        {"backends: { b: { url: https://x.example, verify: no } }\n", 1, 50, "read and alter", NULL},
        {"backends: { b: { url: https://x.example, provider: opnai } }\n", 1, 52, "has no provider", NULL},
        {"backends: { openai: { url: https://api.openai.com } }\n", 1, 13, "has no key", NULL},
        {B "routes: { r: { reference: bb/m } }\n", 2, 27, "there is no backend \"bb\"", "\"b\""},
        {B "routes: { r: { reference: m } }\n", 2, 27, "expected backend/model", NULL},
        {B "routes: { r: { owner: me } }\n", 2, 14, "routes.r needs \"reference\"", NULL},
        {B "routes: { r: { reference: b/no-such-model } }\n", 2, 27, "no price for b/no-such-model", "override"},
        {B "routes: { r: { reference: b/m, levers: { alternativs: on } } }\n", 2, 42, "unknown key \"alternativs\"",
         "\"alternatives\""},
        {B "routes: { r: { reference: b/m, levers: { alternatives: maybe } } }\n", 2, 56, "expected on, off, shadow",
         NULL},
        {B "routes: { r: { reference: b/m, levers: { alternatives: { on: 5 } } } }\n", 2, 56, "expected on, off", NULL},
        {B "routes: { r: { reference: b/m, levers: { hedge: on } } }\n", 2, 42, "not in this version", NULL},
        {B "routes: { r: { reference: b/m, validate: { regex: '(' } } }\n", 2, 51, "regex:", NULL},
        {B "routes: { r: { reference: b/m, holdout: 101% } }\n", 2, 41, "too large", NULL},
        {B "routes: { r: { reference: b/m, candidates: [ b/other ] } }\n", 2, 44, "will not serve", NULL},
        {B "routes: { r: { reference: b/m, levers: { router: on }, acceptable: { quality: 90% } } }\n", 2, 40,
         "nothing to choose from", NULL},
        {B "routes: { r: { reference: b/m, candidates: b/n, levers: { router: on }, acceptable: { quality: 90% } } }\n",
         2, 57, "nobody judges", NULL},
        {B "routes: { r: { reference: b/m, candidates: b/n, levers: { router: on }, judge: { by: exact } } }\n", 2, 57,
         "the router will learn and serve nothing", NULL},
        {B "routes: { r: { reference: b/m, candidates: b/n, acceptable: { quality: 90%, of: relative } } }\n", 2, 61,
         "needs to know which answers are right", "validate: {"},
        {B "routes: { r: { reference: b/m, validate: { regex: x }, judge: { by: exact },"
           " acceptable: { quality: 90%, of: relative } } }\n",
         2, 63, "nobody asks the judge", "of: route"},
        {B "routes: { r: { reference: b/m, acceptable: { slices: language } } }\n", 2, 54, "no language is guessed",
         "x-equipoise-tags: language=de"},
        {B "routes: { r: { reference: b/m, acceptable: { slices: [ tag ] } } }\n", 2, 56, "may have many tags",
         "tag:feature"},
        {B "routes: { r: { reference: b/m, acceptable: { slices: [ tenant, key ] } } }\n", 2, 64,
         "expected tenant or tag:NAME", "slices: tenant"},
        {B "routes: { r: { reference: b/m, acceptable: { slices: [ tenant, tenant ] } } }\n", 2, 64, "named twice",
         NULL},
        {B "routes: { r: { reference: b/m, acceptable: { slices: [ tag:a, tag:b, tag:c, tag:d, tag:e ] } } }\n", 2, 84,
         "at most 4", NULL},
        {B "routes: { r: { reference: b/m, acceptable: { slices: tenant } } }\n", 2, 54, "neither the router nor",
         "router: shadow"},
        {B "routes: { r: { reference: b/m, judge: { by: exact, calibration: none.json } } }\n", 2, 65, "cannot be read",
         NULL},
        {B "routes: { r: { reference: b/m, semantic_cache: { judge: exact, calibration: none.json } } }\n", 2, 77,
         "cannot be read", NULL},
        {B "routes: { r: { reference: b/m, semantic_cache: { judge: numeric, calibration: two-lines } } }\n", 2, 79,
         "it is not what", NULL},
        {B "routes: { r: { reference: b/m, judge: { by: exact, ceiling: 200% } } }\n", 2, 61, "too large", NULL},
        {B "routes: { r: { reference: b/m, cascade: { accept: self_consistency, samples: 1 } } }\n", 2, 78,
         "samples: 1 is too small", NULL},
        {B "routes: { r: { reference: b/m, cascade: { accept: sureness } } }\n", 2, 51, "logprobs or self_consistency",
         NULL},
        {"keys: { a: { sha256: 12 } }\n", 1, 22, "expected a SHA-256", NULL},
        {"keys: { a: { sha256: " SHA_TEST " },\n        b: { sha256: " SHA_TEST " } }\n", 2, 22, "are the same", NULL},
        {"keys: { a: { sha256: " SHA_TEST ", tags: [ x ] } }\n", 1, 94, "expected a map of texts", NULL},
        {"keys: { a: { sha256: " SHA_TEST
         ", tags: { a: 1, b: 1, c: 1, d: 1, e: 1, f: 1, g: 1, h: 1, i: 1, j: 1, k: 1, l: 1, "
         "m: 1, n: 1, o: 1, p: 1, q: 1 } } }\n",
         1, 94, "carries at most 16, found 17", NULL},
        {"keys: { a: { sha256: " SHA_TEST ", expires: soon } }\n", 1, 97, "expected a date", NULL},
        {"tenants: { t: { allow: { regoin: eu } } }\n", 1, 26, "in tenants.t.allow", "\"region\""},
        {B "prices: { override: { b/m: { input: 0.05 } } }\n", 2, 37, "expected a price per million", NULL},
        {B "prices: { override: { c/m: { input: $1/M } } }\n", 2, 23, "there is no backend \"c\"", NULL},
        {"prices: { discount: { openai: 10 } }\n", 1, 31, "expected a share", NULL},
        {"prices: { discount: { nobody-has-this: 10% } }\n", 1, 23, "has no provider", NULL},
        {"prices: { file: none.json }\n", 1, 17, "dir/none.json cannot be read", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_problem(&cases[i]);
}

/* Anthropic's API has none, whatever its models are. */
static void
logprobs_cannot_be_had_from_everybody(void **state)
{
    static const char text[] =
        "backends:\n  b: { url: https://x.example }\n  c: { url: https://y.example, dialect: anthropic }\n"
        "routes: { r: { reference: b/m, candidates: [ c/n, b/n ], acceptable: { quality: 90% }, judge: { by: exact },\n"
        "               cascade: { accept: logprobs }, levers: { cascade: on } } }\n";
    struct buffer words = {0};
    struct loaded l;

    (void)state;
    load(&l, text);
    assert_int_equal(l.problems.errors, 0);
    config_print_problems(&l.problems, slice_of(text), false, &words);
    assert_true(slice_find(buffer_content(&words), SLICE_LITERAL("the backend of c/n speaks no API that has any")) <
                buffer_len(&words));
    assert_true(slice_find(buffer_content(&words), SLICE_LITERAL("the backend of b/n")) == buffer_len(&words));
    buffer_free(&words);
    done(&l);
}

static void
candidates_can_be_asked_what_the_reference_can(void **state)
{
    struct problem_case wrong = {B "  \nroutes: { r: { reference: b/m, candidates: c/m } }\n", 3, 1, "no API in common",
                                 NULL};
    struct loaded l;

    (void)state;
    load(&l, "backends:\n  b: { url: https://x.example }\n  c: { url: https://y.example, dialect: anthropic }\n"
             "routes: { r: { reference: b/m, candidates: c/m } }\n");
    assert_int_equal(l.problems.errors, 0); /* requests are translated */
    done(&l);
    wrong.text = "backends:\n  b: { url: https://x.example, apis: embeddings }\n"
                 "  c: { url: https://y.example, dialect: anthropic }\n"
                 "routes: { r: { reference: b/m, candidates: c/m } }\n";
    wrong.line = 4;
    wrong.column = 44;
    assert_problem(&wrong);
}

static void
all_problems_come_at_once_in_order(void **state)
{
    struct loaded l;

    (void)state;
    load(&l, "lisen: a\nworkers: x\n" B "routes: { r: { reference: bb/m } }\nkeys: { k: { sha256: 1 } }\n");
    assert_int_equal(l.problems.errors, 4);
    for (size_t i = 1; i < l.problems.count; i++)
        assert_true(l.problems.all[i - 1].line <= l.problems.all[i].line);
    done(&l);
}

/* Whatever is wrong around it, no secret is in any message, nor in the lines that are shown with them. */
static void
secrets_are_never_shown(void **state)
{
    static const char *const texts[] = {
        "backends: { b: { url: https://x.example, key: " SECRET ", foo: 1 } }\n",
        "backends: { b: { url: https://x.example, key: \"my own, secret\", foo: 1 } }\n",
        "backends:\n  b:\n    key: |\n      my own, secret\n    foo: 1\n",
        "backends: { b: { url: 'https://me:my own, secret@x.example' } }\n",
        "backends: { b: { url: x, key: { a: " SECRET " } } }\n",
        "backends: { b: { auth: " SECRET " } }\n",
        "backends: { b: " SECRET " }\n",
        "keys: { k: " SECRET " }\n",
        "keys: { k: { sha256: " SECRET " } }\n",
        "health: { listen: x, token: \"my own, secret\" }\n",
        "backends: { b: { key: my own secret\n",
        "backends: { b: { url: https://x.example, key: $SOME_KEY, foo: 1, key: $SOME_KEY } }\n",
        "backends: { b: { url: x, key: file:secret.txt } }\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct loaded l;
        struct buffer shown;

        load(&l, texts[i]);
        buffer_init(&shown);
        config_print_problems(&l.problems, slice_of(texts[i]), false, &shown);
        assert_true(l.problems.errors > 0);
        buffer_add_byte(&shown, '\0');
        if (strstr(shown.data, "verysecret") != NULL || strstr(shown.data, "my own") != NULL ||
            strstr(shown.data, "secret@") != NULL)
            fail_msg("%s\nis shown: %s", texts[i], shown.data);
        buffer_free(&shown);
        done(&l);
    }
}

static void
a_secret_in_the_file_is_warned_of(void **state)
{
    struct loaded l;

    (void)state;
    load_fine(&l, "backends: { b: { url: https://x.example, key: " SECRET " } }\n");
    assert_int_equal(find_problem(&l, "the secret stands in the file")->severity, PROBLEM_WARNING);
    assert_string_equal(l.config->backends[0].credential.secret, SECRET);
    done(&l);
}

static void
the_caret_stands_below_the_place(void **state)
{
    static const char text[] = "workers: 4\nlisen: a\n";
    struct loaded l;
    struct buffer shown;

    (void)state;
    load(&l, text);
    buffer_init(&shown);
    config_print_problems(&l.problems, slice_of(text), false, &shown);
    buffer_add_byte(&shown, '\0');
    assert_string_equal(shown.data, "dir/f.yaml:2:1: error: unknown key \"lisen\"\n"
                                    "     2 | lisen: a\n"
                                    "       | ^\n"
                                    "         Did you mean \"listen\"?\n");
    buffer_free(&shown);
    done(&l);
}

static size_t
exposure_errors(const char *text, size_t *warnings)
{
    struct loaded l;
    struct problems problems;
    size_t errors;

    load_fine(&l, text);
    problems_init(&problems);
    config_check_exposure(l.config, &problems);
    errors = problems.errors;
    *warnings = problems.count - errors;
    problems_free(&problems);
    done(&l);
    return errors;
}

#define DEGRADES(lever)                                                                                                \
    "backends: { a: { url: http://127.0.0.1:1, models: [ m, n ] } }\n"                                                 \
    "keys: { web: { sha256: " SHA_TEST ", budget: $5/day, on_exceed: degrade } }\n"                                    \
    "routes: { r: { reference: a/m, candidates: [ a/n ], levers: { router: " lever " } } }\n"

static size_t
budgets_warn(const char *text)
{
    struct loaded l;
    struct problems problems;
    size_t count;

    load_fine(&l, text);
    problems_init(&problems);
    config_check_budgets(l.config, &problems);
    count = problems.count;
    assert_int_equal(problems.errors, 0);
    if (count > 0)
        assert_non_null(strstr(problems.all[0].text, "the budget $5/day of key web is to degrade"));
    problems_free(&problems);
    done(&l);
    return count;
}

/* Who says that a budget is to degrade expects answers, not refusals. */
static void
a_budget_that_cannot_degrade_is_told_of(void **state)
{
    (void)state;
    assert_int_equal(budgets_warn(DEGRADES("off")), 1);
    assert_int_equal(budgets_warn(DEGRADES("shadow")), 1);
    assert_int_equal(budgets_warn(DEGRADES("on")), 0);
    assert_int_equal(budgets_warn("budget: $5/day\n"), 0);
}

static void
without_keys_only_loopback_is_served(void **state)
{
    size_t warnings;

    (void)state;
    assert_int_equal(exposure_errors("", &warnings), 0);
    assert_int_equal(warnings, 1);
    assert_int_equal(exposure_errors("listen: :8080\n", &warnings), 1);
    assert_int_equal(exposure_errors("listen: 10.0.0.1:8080\n", &warnings), 1);
    assert_int_equal(exposure_errors("keys: { a: { sha256: " SHA_TEST " } }\n", &warnings), 0);
    assert_int_equal(warnings, 0);
    assert_int_equal(exposure_errors("listen: :80\nkeys: { a: { sha256: " SHA_TEST " } }\n", &warnings), 0);
    assert_int_equal(warnings, 1); /* no TLS */
    assert_int_equal(
        exposure_errors("listen: :80\ntls: { cert: a, key: b }\nkeys: { a: { sha256: " SHA_TEST " } }\n", &warnings),
        0);
    assert_int_equal(warnings, 0);
}

static void
unchanged_endpoints_keep_their_id(void **state)
{
    static const char before[] =
        "backends: { a: { url: [ http://10.0.0.1, http://10.0.0.2 ] }, b: { url: http://10.0.0.1 } }";
    static const char after[] =
        "backends: { c: { url: http://10.0.0.1 }, a: { url: [ http://10.0.0.2, http://10.0.0.3 ] }, "
        "b: { url: http://10.0.0.1, timeouts: { idle: 1s } } }";
    struct loaded old, new;
    unsigned ids[3];

    (void)state;
    load_fine(&old, before);
    ids[0] = old.config->backends[0].endpoints[0].id;
    ids[1] = old.config->backends[0].endpoints[1].id;
    ids[2] = old.config->backends[1].endpoints[0].id;
    assert_true(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
    load_after(&new, after, old.config);
    assert_int_equal(new.config->backends[1].endpoints[0].id, ids[1]);
    assert_true(new.config->backends[0].endpoints[0].id > ids[2]);
    assert_true(new.config->backends[1].endpoints[1].id > ids[2]);
    assert_true(new.config->backends[2].endpoints[0].id > ids[2]); /* its patience changed */
    done(&old);
    done(&new);
}

static void
holders_share_a_snapshot(void **state)
{
    struct loaded l;
    struct config *held;

    (void)state;
    load_fine(&l, routes_text);
    held = config_hold(l.config);
    config_release(l.config);
    l.config = NULL;
    assert_non_null(config_route(held, slice_of("assistant")));
    config_release(held);
    done(&l);
}

static void
assert_insert(const char *text, enum status status, const char *expected)
{
    struct buffer out;

    buffer_init(&out);
    assert_int_equal(config_insert_key(slice_of(text), "new", "new: { sha256: x }", &out), status);
    if (status == OK) {
        buffer_add_byte(&out, '\0');
        assert_string_equal(out.data, expected);
    }
    buffer_free(&out);
}

static void
keys_are_added_without_harm(void **state)
{
    (void)state;
    assert_insert("a: 1 # c\n", OK, "a: 1 # c\n\nkeys:\n  new: { sha256: x }\n");
    assert_insert("a: 1", OK, "a: 1\n\nkeys:\n  new: { sha256: x }\n");
    assert_insert("", OK, "keys:\n  new: { sha256: x }\n");
    assert_insert("keys: # mine\n    # first\n    old: { sha256: y }\nb: 2\n", OK,
                  "keys: # mine\n    # first\n    new: { sha256: x }\n    old: { sha256: y }\nb: 2\n");
    assert_insert("keys:\nb: 2\n", OK, "keys:\n  new: { sha256: x }\nb: 2\n");
    assert_insert("keys:\n  new: { sha256: y }\n", ERR_EXISTS, NULL);
    assert_insert("keys: { old: { sha256: y } }\n", ERR_INVALID, NULL);
    assert_insert("keys: ~\n", ERR_INVALID, NULL);
    assert_insert("{ a: 1 }\n", ERR_INVALID, NULL);
    assert_insert("a: [\n", ERR_INVALID, NULL);
    assert_insert("a: 1\n...\n", ERR_INVALID, NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_file_has_safe_defaults),
        cmocka_unit_test(backends_get_what_their_dialect_wants),
        cmocka_unit_test(only_meant_private_addresses_are_allowed),
        cmocka_unit_test(a_webhook_at_a_private_address_must_be_meant),
        cmocka_unit_test(priorities_make_classes),
        cmocka_unit_test(there_are_eight_priorities_at_most),
        cmocka_unit_test(shares_of_budgets_rise_and_stand_once),
        cmocka_unit_test(labelled_requests_are_read_and_checked),
        cmocka_unit_test(a_schema_is_for_the_judge_of_json),
        cmocka_unit_test(routes_point_to_their_backends),
        cmocka_unit_test(keys_are_found_by_their_digest),
        cmocka_unit_test(budgets_stand_by_their_scope),
        cmocka_unit_test(every_problem_has_its_place),
        cmocka_unit_test(candidates_can_be_asked_what_the_reference_can),
        cmocka_unit_test(logprobs_cannot_be_had_from_everybody),
        cmocka_unit_test(all_problems_come_at_once_in_order),
        cmocka_unit_test(secrets_are_never_shown),
        cmocka_unit_test(a_secret_in_the_file_is_warned_of),
        cmocka_unit_test(slices_are_read),
        cmocka_unit_test(the_caret_stands_below_the_place),
        cmocka_unit_test(without_keys_only_loopback_is_served),
        cmocka_unit_test(a_budget_that_cannot_degrade_is_told_of),
        cmocka_unit_test(unchanged_endpoints_keep_their_id),
        cmocka_unit_test(holders_share_a_snapshot),
        cmocka_unit_test(keys_are_added_without_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
