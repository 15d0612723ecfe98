/* What is read of requests, and that bytes change only where they must. */
#include "dialect/request.h"

#include "base/buffer.h"

#include "cmocka_ready.h"

struct parsed {
    struct arena arena;
    struct request_facts facts;
    const char *why;
    enum status status;
};

static struct parsed
parse(enum api api, const char *body)
{
    struct parsed parsed = {0};

    arena_init(&parsed.arena);
    parsed.status = request_parse(api, slice_of(body), &parsed.arena, &parsed.facts, &parsed.why);
    return parsed;
}

static void
reads_facts(void **state)
{
    struct parsed p = parse(API_CHAT, "{ \"temperature\": 0, \"n\": 3, \"model\": \"a\\u0062c\", \"max_tokens\":7,"
                                      "\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\","
                                      "\"content\":[{\"type\":\"image_url\"},{\"type\":\"text\",\"text\":\"]}\"}]},"
                                      "{\"role\":\"assistant\",\"content\":\"x\"}], \"tools\":[{}], \"stream\":true}");

    (void)state;
    assert_int_equal(p.status, OK);
    assert_true(slice_is(p.facts.model, "abc"));
    assert_true(slice_is(p.facts.model_span, "\"a\\u0062c\""));
    assert_true(p.facts.stream && p.facts.deterministic && p.facts.has_tools);
    assert_int_equal(p.facts.choices, 3);
    assert_int_equal(p.facts.output_cap, 7);
    assert_int_equal(p.facts.bound.images, 1);
    assert_true(slice_ends(p.facts.first_turn, "\"text\":\"]}\"}]}"));
    arena_reset(&p.arena);
}

static void
says_what_is_wrong(void **state)
{
    static const struct {
        const char *body, *words;
    } cases[] = {
        {"", "empty"},
        {"{\"model\":\"m\"", "not valid JSON"},
        {"[]", "object"},
        {"{}", "'model' is missing"},
        {"{\"model\":7}", "'model' must be"},
        {"{\"model\":\"\"}", "'model' must be"},
        {"{\"model\":\"a\\u0000b\"}", "'model' is not the name"},
        {"{\"model\":\"m\",\"stream\":\"yes\"}", "'stream' must be"},
        {"{\"model\":\"cheap\",\"model\":\"dear\"}", "two members named 'model'"},
        {"{\"model\":\"cheap\",\"mod\\u0065l\":\"dear\"}", "two members named 'model'"},
        {"{\"model\":\"m\"} x", "not valid JSON"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct parsed p = parse(API_CHAT, cases[i].body);

        assert_int_equal(p.status, ERR_INVALID);
        assert_non_null(strstr(p.why, cases[i].words));
        arena_reset(&p.arena);
    }
}

static void
splice_into(const char *body, struct splice *splices, size_t count, struct buffer *out)
{
    size_t at = 0;

    for (size_t i = 0; i < count; i++) {
        buffer_add(out, slice_make(body + at, splices[i].at - at));
        buffer_add(out, splices[i].with);
        at = splices[i].at + splices[i].len;
    }
    buffer_add_text(out, body + at);
}

/* Odd white space, escapes, key order and numbers arrive as they were sent. */
static void
only_the_spans_change(void **state)
{
    static const struct {
        enum api api;
        const char *body, *model, *wanted;
    } cases[] = {
        {API_CHAT, "{\"model\" : \"a\" ,\n\t\"temperature\":1.0e0}", NULL,
         "{\"model\" : \"a\" ,\n\t\"temperature\":1.0e0}"},
        {API_CHAT, "{\"model\" : \"a\" }", "a", "{\"model\" : \"a\" }"},
        {API_CHAT, "{\"model\" : \"a\" ,\"x\":\"\\u00e9\\\\\"}", "b\"c",
         "{\"model\" : \"b\\\"c\" ,\"x\":\"\\u00e9\\\\\"}"},
        {API_CHAT, " { \"stream\":true,\"model\":\"a\"}", NULL,
         " {\"stream_options\":{\"include_usage\":true}, \"stream\":true,\"model\":\"a\"}"},
        {API_CHAT, "{\"stream\":true,\"model\":\"a\",\"stream_options\":null}", "b",
         "{\"stream\":true,\"model\":\"b\",\"stream_options\":{\"include_usage\":true}}"},
        {API_CHAT, "{\"stream_options\": {\"include_usage\" : false },\"stream\":true,\"model\":\"a\"}", "b",
         "{\"stream_options\": {\"include_usage\" : true },\"stream\":true,\"model\":\"b\"}"},
        {API_CHAT, "{\"stream_options\":{ \"x\":[1]},\"stream\":true,\"model\":\"a\"}", NULL,
         "{\"stream_options\":{\"include_usage\":true, \"x\":[1]},\"stream\":true,\"model\":\"a\"}"},
        {API_CHAT, "{\"stream_options\":{\"include_usage\":true},\"stream\":true,\"model\":\"a\"}", NULL,
         "{\"stream_options\":{\"include_usage\":true},\"stream\":true,\"model\":\"a\"}"},
        {API_RESPONSES, "{\"stream\":true,\"model\":\"a\"}", NULL, "{\"stream\":true,\"model\":\"a\"}"},
        {API_MESSAGES, "{\"stream\":true,\"model\":\"a\"}", "z", "{\"stream\":true,\"model\":\"z\"}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct parsed p = parse(cases[i].api, cases[i].body);
        struct splice splices[REQUEST_SPLICES_MOST];
        struct buffer sent = {0};
        struct request_change change;
        size_t count;

        assert_int_equal(p.status, OK);
        change = (struct request_change){.model = cases[i].model, .cap = -1};
        count = request_splices(&p.facts, slice_of(cases[i].body), &change, &p.arena, splices);
        splice_into(cases[i].body, splices, count, &sent);
        buffer_add_byte(&sent, '\0');
        assert_string_equal(sent.data, cases[i].wanted);
        buffer_free(&sent);
        arena_reset(&p.arena);
    }
}

/* A cap is set where none is, lowered where it is higher, and never raised. */
static void
caps_are_lowered(void **state)
{
    static const struct {
        enum api api;
        const char *body, *wanted;
    } cases[] = {
        {API_CHAT, "{\"model\":\"m\"}", "{\"max_tokens\":50,\"model\":\"m\"}"},
        {API_CHAT, "{\"model\":\"m\", \"max_tokens\" : 51 }", "{\"model\":\"m\", \"max_tokens\" : 50 }"},
        {API_CHAT, "{\"model\":\"m\",\"max_tokens\":50}", "{\"model\":\"m\",\"max_tokens\":50}"},
        {API_CHAT, "{\"max_tokens\":null,\"model\":\"m\"}", "{\"max_tokens\":50,\"model\":\"m\"}"},
        {API_CHAT, "{\"max_tok\\u0065ns\":99,\"model\":\"m\"}", "{\"max_tok\\u0065ns\":50,\"model\":\"m\"}"},
        {API_CHAT, "{\"max_tokens\":7,\"model\":\"m\",\"max_completion_tokens\":70}",
         "{\"max_tokens\":7,\"model\":\"m\",\"max_completion_tokens\":50}"},
        {API_CHAT, "{\"stream\":true,\"model\":\"m\",\"max_completion_tokens\":1e3}",
         "{\"stream_options\":{\"include_usage\":true},\"stream\":true,\"model\":\"m\",\"max_completion_tokens\":50}"},
        {API_COMPLETIONS, "{\"model\":\"m\",\"max_completion_tokens\":9}",
         "{\"max_tokens\":50,\"model\":\"m\",\"max_completion_tokens\":9}"},
        {API_RESPONSES, "{\"model\":\"m\",\"max_tokens\":9}",
         "{\"max_output_tokens\":50,\"model\":\"m\",\"max_tokens\":9}"},
        {API_EMBEDDINGS, "{\"model\":\"m\"}", "{\"model\":\"m\"}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct parsed p = parse(cases[i].api, cases[i].body);
        struct request_change change = {.cap = 50, .cap_name = request_cap_name(cases[i].api, 0)};
        struct splice splices[REQUEST_SPLICES_MOST];
        struct buffer sent = {0};
        size_t count;

        assert_int_equal(p.status, OK);
        count = request_splices(&p.facts, slice_of(cases[i].body), &change, &p.arena, splices);
        splice_into(cases[i].body, splices, count, &sent);
        buffer_add_byte(&sent, '\0');
        assert_string_equal(sent.data, cases[i].wanted);
        buffer_free(&sent);
        arena_reset(&p.arena);
    }
}

/* What bounds a request's cost, and what nothing bounds. */
static void
bounds_are_read(void **state)
{
    static const struct {
        enum api api;
        const char *more, *unbounded;
        int64_t answers, images, cap_least;
        bool thinks, writes_cache;
    } cases[] = {
        {API_CHAT, "\"n\":3", NULL, 3, 0, 1, false, false},
        {API_COMPLETIONS, "\"n\":2,\"best_of\":5,\"prompt\":[\"a\",\"b\"]", NULL, 10, 0, 1, false, false},
        {API_COMPLETIONS, "\"prompt\":[1,2,3]", NULL, 1, 0, 1, false, false},
        {API_COMPLETIONS, "\"prompt\":[[1,2],[3]]", NULL, 2, 0, 1, false, false},
        {API_CHAT, "\"tools\":[{\"type\":\"function\"},{\"type\":\"custom\"}]", NULL, 1, 0, 1, false, false},
        {API_CHAT, "\"max_tokens\":\"9\"", "a cap on output that is no number", 1, 0, 1, false, false},
        {API_CHAT, "\"modalities\":[\"text\",\"audio\"]", "an answer that is not text", 1, 0, 1, false, false},
        {API_CHAT, "\"prediction\":{}", "a predicted output", 1, 0, 1, false, false},
        {API_CHAT, "\"reasoning_effort\":\"low\"", NULL, 1, 0, 1, true, false},
        {API_CHAT, "\"messages\":[{\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:x\"}}]}]", NULL,
         1, 1, 1, false, false},
        {API_CHAT, "\"messages\":[{\"content\":[{\"type\":\"file\"}]}]", "a file", 1, 0, 1, false, false},
        {API_RESPONSES, "\"tools\":[{\"type\":\"file_search\"}]", "a tool that runs", 1, 0, 16, false, false},
        {API_RESPONSES, "\"reasoning\":{\"effort\":\"high\"}", NULL, 1, 0, 16, true, false},
        {API_RESPONSES, "\"input\":[{\"content\":[{\"type\":\"input_image\",\"image_url\":\"https://x\"}]}]",
         "an image that the provider fetches", 1, 1, 16, false, false},
        {API_MESSAGES, "\"tools\":[{\"name\":\"f\"},{\"type\":\"bash_20250124\"}]", NULL, 1, 0, 1, false, false},
        {API_MESSAGES, "\"tools\":[{\"type\":\"code_execution_20250522\"}]", "a tool that runs", 1, 0, 1, false, false},
        {API_MESSAGES, "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1024}", NULL, 1, 0, 1025, true, false},
        {API_MESSAGES, "\"thinking\":{\"type\":\"disabled\"}", NULL, 1, 0, 1, false, false},
        {API_MESSAGES, "\"system\":[{\"type\":\"text\",\"cache_control\":{\"type\":\"ephemeral\"}}]", NULL, 1, 0, 1,
         false, true},
        {API_MESSAGES,
         "\"messages\":[{\"content\":[{\"type\":\"tool_result\",\"content\":[{\"type\":\"image\",\"source\":{\"type\":"
         "\"url\"}}]}]}]",
         "an image that the provider fetches", 1, 1, 1, false, false},
        {API_MESSAGES, "\"messages\":[{\"content\":[{\"type\":\"document\",\"source\":{\"type\":\"base64\"}}]}]",
         "a document", 1, 0, 1, false, false},
        /* Numbers that are written otherwise: backends read them all the same. */
        {API_CHAT, "\"n\":3.0", NULL, 3, 0, 1, false, false},
        {API_CHAT, "\"n\":\"3\"", "how many answers", 1, 0, 1, false, false},
        {API_COMPLETIONS, "\"best_of\":true", "how many answers", 1, 0, 1, false, false},
        {API_CHAT, "\"max_tokens\":0", "a cap on output of nothing", 1, 0, 1, false, false},
        {API_COMPLETIONS, "\"max_tokens\":0", NULL, 1, 0, 1, false, false},
        {API_CHAT, "\"max_tokens\":9,\"n_predict\":-1", "a cap of another kind", 1, 0, 1, false, false},
        /* What parts hide. */
        {API_CHAT, "\"messages\":[{\"content\":[{\"type\":\"video_url\",\"video_url\":{\"url\":\"https://x\"}}]}]",
         "of a kind", 1, 0, 1, false, false},
        {API_CHAT, "\"messages\":[{\"content\":[{\"image_url\":\"https://x\"}]}]", "of a kind", 1, 0, 1, false, false},
        {API_CHAT,
         "\"messages\":[{\"content\":[{\"type\":\"text\",\"text\":\"a\",\"type\":\"image_url\",\"image_url\":"
         "\"https://x\"}]}]",
         "two members of one name", 1, 0, 1, false, false},
        {API_CHAT, "\"messages\":[{\"role\":\"user\",\"a\\u0000b\":1,\"a\\u0000b\":2}]", "two members of one name", 1,
         0, 1, false, false},
        {API_CHAT, "\"tools\":[{\"type\":\"function\",\"type\":\"web_search\"}]", "two members of one name", 1, 0, 1,
         false, false},
        {API_CHAT, "\"messages\":[{\"role\":\"assistant\",\"audio\":{\"id\":\"a\"}}]", "kept at the provider", 1, 0, 1,
         false, false},
        {API_CHAT, "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},\"b\"]}]", NULL, 1,
         0, 1, false, false},
        {API_CHAT, "\"search_parameters\":{}", "a search at the provider", 1, 0, 1, false, false},
        {API_MESSAGES, "\"models\":[\"m\"]", "further models", 1, 0, 1, false, false},
        {API_CHAT, "\"reasoning\":{\"exclude\":true}", NULL, 1, 0, 1, true, false},
        {API_RESPONSES, "\"reasoning\":{\"summary\":\"auto\"}", NULL, 1, 0, 16, true, false},
        {API_RESPONSES, "\"input\":[{\"id\":\"msg_1\"}]", "kept at the provider", 1, 0, 16, false, false},
        {API_RESPONSES, "\"input\":[{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[]}]", "kept at the provider",
         1, 0, 16, false, false},
        {API_RESPONSES, "\"input\":[{\"type\":\"reasoning\",\"id\":\"rs_1\",\"encrypted_content\":\"x\"}]", NULL, 1, 0,
         16, false, false},
        {API_RESPONSES, "\"input\":[{\"type\":\"image_generation_call\",\"id\":\"ig_1\"}]", "of a kind", 1, 0, 16,
         false, false},
        {API_RESPONSES,
         "\"input\":[{\"type\":\"computer_call_output\",\"output\":{\"type\":\"computer_screenshot\",\"image_url\":"
         "\"https://x\"}}]",
         "an image that the provider fetches", 1, 1, 16, false, false},
        {API_RESPONSES, "\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"cache_control\":{}}]}]",
         NULL, 1, 0, 16, false, true},
        {API_RESPONSES, "\"context_management\":[{\"type\":\"compaction\"}]", "compact", 1, 0, 16, false, false},
        {API_MESSAGES, "\"context_management\":{\"edits\":[{\"type\":\"compact_20260112\"}]}", "compact", 1, 0, 1,
         false, false},
        {API_MESSAGES, "\"context_management\":{\"edits\":[{\"type\":\"clear_tool_uses_20250919\"}]}", NULL, 1, 0, 1,
         false, false},
        {API_MESSAGES,
         "\"messages\":[{\"content\":[{\"type\":\"document\",\"source\":{\"type\":\"content\",\"content\":[{\"type\":"
         "\"image\",\"source\":{\"type\":\"url\"}}]}}]}]",
         "an image that the provider fetches", 1, 1, 1, false, false},
        {API_MESSAGES,
         "\"messages\":[{\"content\":[{\"type\":\"tool_result\",\"content\":[{\"type\":\"tool_result\",\"content\":[{"
         "\"type\":\"tool_result\",\"content\":[{\"type\":\"image\",\"source\":{\"type\":\"url\"}}]}]}]}]}]",
         "nested", 1, 0, 1, false, true},
        {API_EMBEDDINGS, "\"input\":[{\"image\":\"https://x\"}]", "not text", 1, 0, 1, false, false},
        {API_EMBEDDINGS, "\"input\":[\"a\",\"b\"]", NULL, 1, 0, 1, false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buffer body = {0};
        struct parsed p;

        buffer_printf(&body, "{\"model\":\"m\",%s}", cases[i].more);
        buffer_add_byte(&body, '\0');
        p = parse(cases[i].api, body.data);
        assert_int_equal(p.status, OK);
        if (cases[i].unbounded == NULL
                ? p.facts.bound.unbounded != NULL
                : p.facts.bound.unbounded == NULL || strstr(p.facts.bound.unbounded, cases[i].unbounded) == NULL)
            fail_msg("%s: %s", cases[i].more, p.facts.bound.unbounded);
        assert_int_equal(p.facts.choices, cases[i].answers);
        assert_int_equal(p.facts.bound.images, cases[i].images);
        assert_int_equal(p.facts.bound.cap_least, cases[i].cap_least);
        assert_int_equal(p.facts.bound.thinks, cases[i].thinks);
        assert_int_equal(p.facts.bound.writes_cache, cases[i].writes_cache);
        arena_reset(&p.arena);
        buffer_free(&body);
    }
}

/* A conversation keeps its mark while it grows, whatever stands in its later turns. */
static void
the_first_turn_stays(void **state)
{
    struct parsed one = parse(API_CHAT, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}");
    struct parsed two = parse(API_CHAT, "{\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\","
                                        "\"content\":\"a\"},{\"role\":\"user\",\"content\":\"r\"}],\"model\":\"m\"}");

    (void)state;
    assert_true(one.facts.first_turn.len > 0);
    assert_true(slice_equal(one.facts.first_turn, two.facts.first_turn));
    arena_reset(&one.arena);
    arena_reset(&two.arena);
}

static void
embeddings_are_counted(void **state)
{
    struct parsed texts = parse(API_EMBEDDINGS, "{\"model\":\"m\",\"input\":[\"a\",\"b\",\"c\"]}");
    struct parsed tokens = parse(API_EMBEDDINGS, "{\"model\":\"m\",\"input\":[1,2,3]}");

    (void)state;
    assert_int_equal(texts.facts.inputs, 3);
    assert_int_equal(tokens.facts.inputs, 1);
    arena_reset(&texts.arena);
    arena_reset(&tokens.arena);
}

/* One body in each API; which may get an equal answer, and which does more than to answer. */
static void
says_what_may_be_repeated(void **state)
{
    static const struct {
        enum api api;
        const char *members;
        bool deterministic, acts;
    } cases[] = {
        {API_CHAT, "\"temperature\":0.0", true, false},
        {API_CHAT, "\"temperature\":0.1", false, false},
        {API_CHAT, "\"seed\":7,\"temperature\":1", true, false},
        {API_CHAT, "\"seed\":null", false, false},
        {API_CHAT, "\"top_k\":1", true, false},
        {API_CHAT, "\"top_k\":2", false, false},
        {API_CHAT, "\"temperature\":0,\"tools\":[{\"type\":\"function\"}]", true, false},
        {API_CHAT, "\"temperature\":0,\"web_search_options\":{}", false, false},
        {API_RESPONSES, "\"temperature\":0,\"tools\":[{\"type\":\"function\"},{\"type\":\"web_search\"}]", false,
         false},
        {API_RESPONSES, "\"temperature\":0,\"conversation\":\"c\"", true, true},
        {API_RESPONSES, "\"temperature\":0,\"conversation\":null", true, false},
        {API_RESPONSES, "\"background\":true", false, true},
        {API_MESSAGES, "\"temperature\":0,\"tools\":[{\"name\":\"f\"}]", true, false},
        {API_MESSAGES, "\"temperature\":0,\"mcp_servers\":[{}]", false, false},
        {API_EMBEDDINGS, "\"input\":\"a\"", true, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char body[256];
        struct parsed p;

        snprintf(body, sizeof(body), "{\"model\":\"m\",%s}", cases[i].members);
        p = parse(cases[i].api, body);
        if (p.facts.deterministic != cases[i].deterministic || p.facts.acts != cases[i].acts)
            fail_msg("%s: %s", api_name(cases[i].api), cases[i].members);
        arena_reset(&p.arena);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_facts),
        cmocka_unit_test(says_what_is_wrong),
        cmocka_unit_test(caps_are_lowered),
        cmocka_unit_test(bounds_are_read),
        cmocka_unit_test(only_the_spans_change),
        cmocka_unit_test(the_first_turn_stays),
        cmocka_unit_test(embeddings_are_counted),
        cmocka_unit_test(says_what_may_be_repeated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
