/* Who asks, for what, and who has it: keys, tags, paths, names of models, and the directory of them. */
#include "base/text.h"
#include "cmocka_ready.h"
#include "config/config.h"
#include "gateway/exchange.h"

#include <yyjson.h>

/* A world that knows the time, and a worker in it. */
struct desk {
    struct world world;
    usec wall_us;
    struct gateway gateway;
    struct gateway_worker worker;
    struct exchange exchange;
};

static usec
wall_us(struct world *world)
{
    return CONTAINER_OF(world, struct desk, world)->wall_us;
}

static const struct world_ops ops = {.wall_us = wall_us};

static const char backends[] = "backends:\n"
                               "  alpha:  { url: 'http://alpha.example', models: [ big ], private: true }\n"
                               "  beta:   { url: 'http://beta.example', models: { small: small-v2 }, private: true }\n"
                               "  openai: { url: 'https://api.openai.com', key: none }\n"
                               "  claude: { url: 'http://claude.example', dialect: anthropic, private: true }\n"
                               "routes:\n"
                               "  assistant: { reference: alpha/big }\n";

static void
open_desk(struct desk *desk, const char *text)
{
    struct problems problems;
    struct config *config = NULL;

    problems_init(&problems);
    if (config_load("f.yaml", slice_of(text), &problems, &config) != OK)
        fail_msg("refused: %s", problems.all[0].text);
    problems_free(&problems);
    *desk = (struct desk){.world.ops = &ops};
    gateway_init(&desk->gateway, config, NULL, 7);
    config_release(config);
    desk->worker.gateway = &desk->gateway;
    desk->worker.app.world = &desk->world;
    hasher_init(&desk->worker.hasher);
    desk->worker.view = view_new(&desk->worker, desk->gateway.snapshot, NULL);
    desk->exchange.worker = &desk->worker;
    desk->exchange.view = desk->worker.view;
    arena_init(&desk->exchange.arena);
}

static void
close_desk(struct desk *desk)
{
    arena_reset(&desk->exchange.arena);
    view_release(desk->worker.view);
    hasher_free(&desk->worker.hasher);
    gateway_free(&desk->gateway);
}

/* The head of a request with one header more. */
static enum status
ask(struct desk *desk, const char *method, const char *target, const char *name, const char *value,
    struct identity *out, enum error_kind *kind)
{
    struct http_header header = {slice_of(name), slice_of(value)};
    struct http_head head = {.method = slice_of(method),
                             .target = slice_of(target),
                             .headers = &header,
                             .header_count = name != NULL ? 1 : 0};
    const char *why = NULL;
    enum status status = identify(&desk->worker, &head, out, kind, &why);

    if (status != OK)
        assert_non_null(why);
    return status;
}

static void
keys(void **state)
{
    static const char text[] = "keys:\n"
                               "  web: { sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08, "
                               "tenant: acme, expires: 2030-01-01 }\n"
                               "  job: { sha256: 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824 }\n";
    static const struct {
        const char *name, *value;
        const char *key; /* NULL: refused */
    } cases[] = {
        {"Authorization", "Bearer test", "web"},
        {"authorization", "bearer   test", "web"},
        {"X-Api-Key", "test", "web"},
        {"api-key", "hello", "job"},
        {"authorization", "Bearer test2", NULL},
        {"authorization", "Bearer", NULL},
        {"authorization", "Basic test", NULL},
        {"authorization", "test", NULL},
        {"x-api-key", "", NULL},
        {NULL, NULL, NULL},
    };
    struct identity who;
    enum error_kind kind;
    struct desk desk;

    (void)state;
    open_desk(&desk, text);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum status status = ask(&desk, "GET", "/v1/models", cases[i].name, cases[i].value, &who, &kind);

        assert_int_equal(status, cases[i].key != NULL ? OK : ERR_DENIED);
        if (cases[i].key != NULL)
            assert_string_equal(who.key->name, cases[i].key);
        else
            assert_int_equal(kind, ERROR_UNKNOWN_KEY);
    }
    assert_int_equal(counter_read(&desk.worker.counters, COUNT_UNKNOWN_KEY), 6);
    desk.wall_us = INT64_C(1893456000) * USEC_PER_S - 1;
    assert_int_equal(ask(&desk, "GET", "/v1/models", "x-api-key", "test", &who, &kind), OK);
    assert_string_equal(who.tenant->name, "acme");
    desk.wall_us++;
    assert_int_equal(ask(&desk, "GET", "/v1/models", "x-api-key", "test", &who, &kind), ERR_DENIED);
    assert_int_equal(ask(&desk, "GET", "/v1/models", "x-api-key", "hello", &who, &kind), OK);
    close_desk(&desk);
}

static void
paths(void **state)
{
    static const struct {
        const char *method, *target;
        int api;   /* -1: an errand, -2: refused */
        int extra; /* the errand, or the kind of refusal */
    } cases[] = {
        {"POST", "/v1/chat/completions", API_CHAT, 0},
        {"POST", "/v1/completions?x=1", API_COMPLETIONS, 0},
        {"POST", "/v1/responses", API_RESPONSES, 0},
        {"POST", "/v1/embeddings", API_EMBEDDINGS, 0},
        {"POST", "/v1/messages", API_MESSAGES, 0},
        {"GET", "/v1/models", -1, ERRAND_MODELS},
        {"POST", "/v1/feedback", -1, ERRAND_FEEDBACK},
        {"GET", "/v1/chat/completions", -2, ERROR_WANTS_POST},
        {"POST", "/v1/models", -2, ERROR_WANTS_GET},
        {"GET", "/v1/feedback", -2, ERROR_WANTS_POST},
        {"POST", "/v1/chat", -2, ERROR_NOT_FOUND},
        {"POST", "/v1/chat/completions/", -2, ERROR_NOT_FOUND},
        {"GET", "/backend/alpha/v1/files?a=b", API_PASSTHROUGH, 0},
        {"GET", "/backend/alpha", -2, ERROR_NOT_FOUND},
        {"GET", "/backend/gamma/v1/files", -2, ERROR_NOT_FOUND},
        {"GET", "/backend//v1/files", -2, ERROR_NOT_FOUND},
    };
    struct identity who;
    enum error_kind kind;
    struct desk desk;

    (void)state;
    open_desk(&desk, backends);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum status status = ask(&desk, cases[i].method, cases[i].target, NULL, NULL, &who, &kind);

        assert_int_equal(status == OK, cases[i].api != -2);
        if (cases[i].api >= 0)
            assert_true(who.errand == ERRAND_INFERENCE && (int)who.api == cases[i].api);
        else
            assert_int_equal(cases[i].api == -1 ? (int)who.errand : (int)kind, cases[i].extra);
        assert_int_equal(who.dialect,
                         strcmp(cases[i].target, "/v1/messages") == 0 ? DIALECT_ANTHROPIC : DIALECT_OPENAI);
    }
    assert_int_equal(ask(&desk, "GET", "/backend/alpha/v1/files?a=b", NULL, NULL, &who, &kind), OK);
    assert_string_equal(who.passthrough->name, "alpha");
    assert_true(slice_is(who.passthrough_target, "/v1/files?a=b"));
    close_desk(&desk);
}

static void
tags(void **state)
{
    static struct tag of_key[] = {{"team", "search"}, {"app", "web"}};
    static const struct key_config key = {.tags = of_key, .tag_count = 2};
    static const struct {
        const struct key_config *key;
        const char *header, *wanted;
    } cases[] = {
        {NULL, NULL, ""},
        {NULL, "", ""},
        {NULL, "b=2,a=1", "a=1,b=2"},
        {NULL, " a = 1 , b=2,", "a=1,b=2"},
        {NULL, "a=1,a=2", "a=2"},
        {NULL, "a,=1,b=,c=x y,d=1=2,,e=\x7f,f=\xc3,g=\xc3\xa4", "g=\xc3\xa4"},
        /* what would steer a terminal, end a line or turn the direction of writing; beside each one that does not */
        {NULL,
         "a=x\xc2\x9bm,b=x\xe2\x80\xa8y,c=\xe2\x80\xa9,d=\xe2\x80\xaex,e=\xe2\x80\xaa,f=\xe2\x81\xa6,g=\xe2\x81\xa9",
         ""},
        {NULL, "a=\xe2\x80\x8e,b=\xe2\x80\x8f,c\xc2\x80=1,d=\xc2\x9f,e=\xd8\x9c", ""},
        {NULL, "a=\xc2\xa0,b=\xe2\x80\x90,c=\xe2\x80\xa7,d=\xe2\x80\xaf,e=\xe2\x81\xa5,f=\xe2\x81\xaa,g=\xe2\x80\x8d",
         "a=\xc2\xa0,b=\xe2\x80\x90,c=\xe2\x80\xa7,d=\xe2\x80\xaf,e=\xe2\x81\xa5,f=\xe2\x81\xaa,g=\xe2\x80\x8d"},
        {NULL, "aa=1,a=2,ab=3", "a=2,aa=1,ab=3"},
        {&key, NULL, "app=web,team=search"},
        {&key, "team=ads,x=1", "app=web,team=ads,x=1"},
        {&key, "team=", "app=web,team=search"},
    };
    struct arena arena;

    (void)state;
    arena_init(&arena);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_true(slice_is(identify_tags(&arena, cases[i].key, slice_of(cases[i].header)), cases[i].wanted));
    arena_reset(&arena);
}

/* At most 16, and a header that is too long is cut between two tags. */
static void
many_tags(void **state)
{
    struct buffer header = {0};
    struct slice text;
    struct arena arena;

    (void)state;
    arena_init(&arena);
    for (int i = 0; i < 20; i++)
        buffer_printf(&header, "t%02d=%d,", i, i);
    text = identify_tags(&arena, NULL, buffer_content(&header));
    assert_true(slice_starts(text, "t00=0,t01=1,") && slice_ends(text, ",t15=15"));
    buffer_clear(&header);
    buffer_add_text(&header, "whole=1,");
    buffer_printf(&header, "long=%0503d,", 7); /* up to byte 516: past the limit */
    text = identify_tags(&arena, NULL, buffer_content(&header));
    assert_true(slice_is(text, "whole=1"));
    buffer_clear(&header);
    buffer_printf(&header, "a=1,long=%0503d,b=2", 7); /* ends exactly at byte 512 */
    text = identify_tags(&arena, NULL, buffer_content(&header));
    assert_int_equal(text.len, 512);
    assert_true(slice_starts(text, "a=1,long=000"));
    buffer_clear(&header);
    buffer_printf(&header, "%0600d", 7);
    assert_int_equal(identify_tags(&arena, NULL, buffer_content(&header)).len, 0);
    buffer_free(&header);
    arena_reset(&arena);
}

/* The target that a model's name leads to, or "-" and *kind. */
static const char *
led_to(struct desk *desk, enum api api, const char *model, enum error_kind *kind, const char **why)
{
    const struct route_config *route;

    desk->exchange.identity.api = api;
    desk->exchange.facts.model = slice_of(model);
    *why = "";
    route = resolve_route(&desk->exchange, kind, why);
    if (route == NULL)
        return "-";
    assert_true(route->attempts >= 1 && route->reference.backend != NULL);
    return arena_printf(&desk->exchange.arena, "%s as %s", route->reference.name, route->reference.upstream);
}

static void
names_of_models(void **state)
{
    static const struct {
        enum api api;
        const char *model, *target, *words;
    } cases[] = {
        {API_CHAT, "assistant", "alpha/big as big", ""},        /* a route */
        {API_CHAT, "beta/small", "beta/small as small-v2", ""}, /* a backend's model */
        {API_CHAT, "beta/other", "beta/other as other", ""},    /* a backend takes what it is asked for */
        {API_CHAT, "beta/a/b", "beta/a/b as a/b", ""},
        {API_CHAT, "small", "beta/small as small-v2", ""},             /* declared */
        {API_CHAT, "found", "beta/found as found", ""},                /* what the backend said */
        {API_CHAT, "gpt-4o", "openai/gpt-4o as gpt-4o", ""},           /* the price book knows who makes it */
        {API_MESSAGES, "anything", "claude/anything as anything", ""}, /* the only backend of the dialect */
        {API_CHAT, "anything", "-", "neither a route nor known"},
        {API_CHAT, "asistant", "-", "did you mean 'assistant'?"},
        {API_CHAT, "fuond", "-", "did you mean 'found'?"},
        {API_CHAT, "gamma/small", "-", "neither a route nor known"},
        {API_CHAT, "/small", "-", "neither a route"},
        {API_CHAT, "beta/", "-", "neither a route"},
    };
    struct desk desk;
    enum error_kind kind = ERROR_INTERNAL;
    const char *why;

    (void)state;
    open_desk(&desk, backends);
    assert_int_equal(
        directory_learn(&desk.gateway.snapshot->directory, 1, SLICE_LITERAL("{\"data\":[{\"id\":\"found\"}]}")), OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_string_equal(led_to(&desk, cases[i].api, cases[i].model, &kind, &why), cases[i].target);
        assert_non_null(strstr(why, cases[i].words));
        if (cases[i].target[0] == '-')
            assert_int_equal(kind, ERROR_NO_SUCH_MODEL);
    }
    close_desk(&desk);
}

/* A backend that has said which models it has is not asked for others. */
static void
whoever_told_is_taken_at_its_word(void **state)
{
    struct desk desk;
    enum error_kind kind;
    const char *why;

    (void)state;
    open_desk(&desk, backends);
    assert_int_equal(
        directory_learn(&desk.gateway.snapshot->directory, 2, SLICE_LITERAL("{\"data\":[{\"id\":\"gpt-5\"}]}")), OK);
    assert_int_equal(directory_learn(&desk.gateway.snapshot->directory, 3, SLICE_LITERAL("{\"data\":[]}")), OK);
    assert_string_equal(led_to(&desk, API_CHAT, "gpt-4o", &kind, &why), "-");
    assert_string_equal(led_to(&desk, API_CHAT, "gpt-5", &kind, &why), "openai/gpt-5 as gpt-5");
    assert_string_equal(led_to(&desk, API_MESSAGES, "anything", &kind, &why), "-");
    close_desk(&desk);
}

static void
a_key_may_be_bound_to_routes(void **state)
{
    static const char *routes[] = {"assistant", "alpha/*", NULL};
    static const struct key_config key = {.routes = routes};
    struct desk desk;
    enum error_kind kind;
    const char *why;

    (void)state;
    open_desk(&desk, backends);
    desk.exchange.identity.key = &key;
    assert_string_equal(led_to(&desk, API_CHAT, "assistant", &kind, &why), "alpha/big as big");
    assert_string_equal(led_to(&desk, API_CHAT, "small", &kind, &why), "-");
    assert_int_equal(kind, ERROR_FORBIDDEN);
    assert_string_equal(led_to(&desk, API_CHAT, "nonsense", &kind, &why), "-");
    assert_int_equal(kind, ERROR_FORBIDDEN); /* what there is, is not told */
    desk.exchange.identity.passthrough = config_backend(desk.gateway.snapshot->config, SLICE_LITERAL("alpha"));
    assert_string_equal(led_to(&desk, API_PASSTHROUGH, "", &kind, &why), "alpha/* as *");
    desk.exchange.identity.passthrough = config_backend(desk.gateway.snapshot->config, SLICE_LITERAL("beta"));
    assert_string_equal(led_to(&desk, API_PASSTHROUGH, "", &kind, &why), "-");
    close_desk(&desk);
}

/* The ids of a list, each with a space behind it. */
static const char *
ids_of(struct desk *desk, enum dialect dialect)
{
    struct buffer json = {0}, ids = {0};
    yyjson_val *list, *model;
    yyjson_doc *doc;
    const char *text;
    size_t i, most;

    directory_list(&desk->gateway.snapshot->directory, desk->gateway.snapshot->config, dialect, &json);
    doc = yyjson_read(json.data, buffer_len(&json), YYJSON_READ_NOFLAG);
    list = yyjson_obj_get(yyjson_doc_get_root(doc), "data");
    assert_true(yyjson_is_arr(list));
    yyjson_arr_foreach(list, i, most, model)
    {
        assert_true(yyjson_is_str(yyjson_obj_get(model, dialect == DIALECT_OPENAI ? "object" : "type")));
        buffer_printf(&ids, "%s ", yyjson_get_str(yyjson_obj_get(model, "id")));
    }
    text = arena_slice_text(&desk->exchange.arena, buffer_content(&ids));
    yyjson_doc_free(doc);
    buffer_free(&json);
    buffer_free(&ids);
    return text;
}

static void
the_directory(void **state)
{
    static const struct slice no_lists[] = {SLICE_LITERAL(""), SLICE_LITERAL("<html>"), SLICE_LITERAL("[]"),
                                            SLICE_LITERAL("{}"), SLICE_LITERAL("{\"data\":{\"id\":\"x\"}}")};
    struct desk desk;
    struct directory *directory;

    (void)state;
    open_desk(&desk, backends);
    directory = &desk.gateway.snapshot->directory;
    for (size_t i = 0; i < sizeof(no_lists) / sizeof(no_lists[0]); i++)
        assert_int_equal(directory_learn(directory, 2, no_lists[i]), ERR_INVALID);
    assert_false(directory_knows(directory, 2));
    assert_true(directory_has(directory, 0, SLICE_LITERAL("big")));
    assert_int_equal(
        directory_learn(directory, 2,
                        SLICE_LITERAL("{\"object\":\"list\",\"data\":[{\"id\":\"gpt-5\",\"object\":\"model\"},"
                                      "{\"id\":\"gpt-5\"},{\"id\":\"big\"},{\"id\":7},{},null,\"x\",{\"id\":\"\"},"
                                      "{\"id\":\"zero\\u0000byte\"},{\"id\":\"odd \\\" name\"}]}")),
        OK);
    assert_true(directory_knows(directory, 2) && directory_has(directory, 2, SLICE_LITERAL("gpt-5")));
    assert_false(directory_has(directory, 2, SLICE_LITERAL("")) || directory_has(directory, 2, SLICE_LITERAL("zero")));
    assert_false(directory_has(directory, 1, SLICE_LITERAL("gpt-5")));
    assert_int_equal(
        directory_learn(directory, 3,
                        SLICE_LITERAL("{\"data\":[{\"type\":\"model\",\"id\":\"opus\",\"display_name\":\"Opus\","
                                      "\"created_at\":\"2026-01-01T00:00:00Z\"}],\"has_more\":false}")),
        OK);
    /* Of backends that speak the client's API first, then those into whose API requests are translated. */
    assert_string_equal(ids_of(&desk, DIALECT_OPENAI), "assistant big small gpt-5 odd \" name opus equipoise/embed ");
    assert_string_equal(ids_of(&desk, DIALECT_ANTHROPIC), "assistant opus big small gpt-5 odd \" name ");
    assert_int_equal(directory_learn(directory, 0, SLICE_LITERAL("{\"data\":[{\"id\":\"new\"}]}")), OK);
    assert_int_equal(directory_learn(directory, 0, SLICE_LITERAL("{\"data\":[{\"id\":\"newer\"}]}")), OK);
    assert_true(directory_has(directory, 0, SLICE_LITERAL("big"))); /* declared: stays */
    assert_true(directory_has(directory, 0, SLICE_LITERAL("newer")) &&
                !directory_has(directory, 0, SLICE_LITERAL("new")));
    close_desk(&desk);
}

static void
nearest_names(void **state)
{
    char near[256], small[4];
    struct desk desk;

    (void)state;
    open_desk(&desk, backends);
    assert_true(directory_nearest(&desk.gateway.snapshot->directory, desk.gateway.snapshot->config,
                                  SLICE_LITERAL("smal"), near, 256));
    assert_string_equal(near, "small");
    assert_true(directory_nearest(&desk.gateway.snapshot->directory, desk.gateway.snapshot->config,
                                  SLICE_LITERAL("assistent"), near, 256));
    assert_string_equal(near, "assistant");
    assert_false(directory_nearest(&desk.gateway.snapshot->directory, desk.gateway.snapshot->config,
                                   SLICE_LITERAL("quite else"), near, 256));
    assert_false(directory_nearest(&desk.gateway.snapshot->directory, desk.gateway.snapshot->config,
                                   SLICE_LITERAL("smal"), small, 4));
    close_desk(&desk);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys),
        cmocka_unit_test(paths),
        cmocka_unit_test(tags),
        cmocka_unit_test(many_tags),
        cmocka_unit_test(names_of_models),
        cmocka_unit_test(whoever_told_is_taken_at_its_word),
        cmocka_unit_test(a_key_may_be_bound_to_routes),
        cmocka_unit_test(the_directory),
        cmocka_unit_test(nearest_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
