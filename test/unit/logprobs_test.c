/* Logprobs: asking for them, reading them, and taking them out of an answer whose client did not ask. */
#include "dialect/logprobs.h"

#include <math.h>

#include "base/arena.h"
#include "cmocka_ready.h"
#include "dialect/meter.h"
#include "dialect/request.h"

#define ASK "\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

/* The body with what is spliced in to ask for them; "": it is as it came. Freed by the caller. */
static struct buffer
asked(enum api api, const char *body, const char **why, bool *own)
{
    struct request_change change = {.cap = -1, .logprobs = true};
    struct splice splices[REQUEST_SPLICES_MOST];
    struct request_facts facts;
    struct buffer out = {0};
    struct arena arena;
    size_t count, at = 0;

    arena_init(&arena);
    *why = NULL;
    assert_int_equal(request_parse(api, slice_of(body), &arena, &facts, why), OK);
    *why = facts.logprobs.why;
    *own = facts.logprobs.asked;
    count = request_splices(&facts, slice_of(body), &change, &arena, splices);
    for (size_t i = 0; i < count; i++) {
        buffer_add(&out, slice_make(body + at, splices[i].at - at));
        buffer_add(&out, splices[i].with);
        at = splices[i].at + splices[i].len;
    }
    if (count > 0)
        buffer_add_text(&out, body + at);
    arena_reset(&arena);
    return out;
}

static void
requests_are_made_to_ask(void **state)
{
    static const struct {
        enum api api;
        const char *body, *sent; /* NULL: it cannot be asked; "": as it is */
        bool own;
    } cases[] = {
        {API_CHAT, "{" ASK "}", "{\"logprobs\":true," ASK "}", false},
        {API_CHAT, "{" ASK ",\"logprobs\": false }", "{" ASK ",\"logprobs\": true }", false},
        {API_CHAT, "{\"logprobs\":null," ASK "}", "{\"logprobs\":true," ASK "}", false},
        {API_CHAT, "{\"log\\u0070robs\":false," ASK "}", "{\"log\\u0070robs\":true," ASK "}", false},
        {API_CHAT, "{\"top_logprobs\":0," ASK "}", "{\"logprobs\":true,\"top_logprobs\":0," ASK "}", false},
        {API_CHAT, "{\"logprobs\":true,\"top_logprobs\":3," ASK "}", "", true},
        {API_CHAT, "{\"top_logprobs\":3," ASK "}", NULL, false},
        {API_CHAT, "{\"logprobs\":\"yes\"," ASK "}", NULL, false},
        {API_COMPLETIONS, "{\"model\":\"m\",\"prompt\":\"x\"}", "{\"logprobs\":1,\"model\":\"m\",\"prompt\":\"x\"}",
         false},
        {API_COMPLETIONS, "{\"model\":\"m\",\"logprobs\":null}", "{\"model\":\"m\",\"logprobs\":1}", false},
        {API_COMPLETIONS, "{\"model\":\"m\",\"logprobs\":0}", "", true},
        {API_COMPLETIONS, "{\"model\":\"m\",\"logprobs\":[]}", NULL, false},
        {API_COMPLETIONS, "{\"model\":\"m\",\"echo\":true}", NULL, false},
        {API_COMPLETIONS, "{\"model\":\"m\",\"echo\":true,\"logprobs\":2}", NULL, true},
        {API_RESPONSES, "{\"model\":\"m\",\"input\":\"x\"}",
         "{\"include\":[\"message.output_text.logprobs\"],\"model\":\"m\",\"input\":\"x\"}", false},
        {API_RESPONSES, "{\"model\":\"m\",\"include\":[ ]}",
         "{\"model\":\"m\",\"include\":[\"message.output_text.logprobs\"]}", false},
        {API_RESPONSES, "{\"model\":\"m\",\"include\":[\"a\"]}",
         "{\"model\":\"m\",\"include\":[\"message.output_text.logprobs\",\"a\"]}", false},
        {API_RESPONSES, "{\"model\":\"m\",\"include\":[\"a\",\"message.output_text.logprobs\"]}", "", true},
        {API_RESPONSES, "{\"model\":\"m\",\"top_logprobs\":2}", NULL, false},
        {API_RESPONSES, "{\"model\":\"m\",\"include\":{}}", NULL, false},
        {API_MESSAGES, "{" ASK ",\"max_tokens\":9}", NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *why;
        bool own;
        struct buffer sent = asked(cases[i].api, cases[i].body, &why, &own);

        assert_int_equal(why == NULL, cases[i].sent != NULL);
        assert_int_equal(own, cases[i].own);
        assert_true(slice_equal(buffer_content(&sent), slice_of(cases[i].sent != NULL ? cases[i].sent : "")));
        buffer_free(&sent);
    }
}

static bool
sureness_of(enum api api, bool streamed, const char *answer, double *out)
{
    struct meter meter;
    bool told;

    meter_init(&meter, api, api_dialect(api));
    meter.logprobs.wanted = true;
    if (!streamed)
        meter_whole(&meter, slice_of(answer));
    for (struct slice rest = slice_of(streamed ? answer : ""); rest.len > 0;) {
        size_t len = slice_find(rest, SLICE_LITERAL("\n\n")) + 2;

        (void)meter_frame(&meter, slice_first(rest, len));
        rest = slice_from(rest, len);
    }
    told = logprobs_sureness(&meter.logprobs, out);
    meter_free(&meter);
    return told;
}

#define TOKEN(logprob) "{\"token\":\"x\",\"logprob\":" logprob ",\"bytes\":[120],\"top_logprobs\":[]}"
#define CHOICE(index, tokens)                                                                                          \
    "{\"index\":" index ",\"delta\":{\"content\":\"x\"},\"logprobs\":{\"content\":[" tokens "],\"refusal\":null}}"
#define EVENT(choice) "data: {\"choices\":[" choice "]}\n\n"
#define TEXT_DELTA(tokens)                                                                                             \
    "data: {\"type\":\"response.output_text.delta\",\"delta\":\"x\",\"logprobs\":[" tokens "]}\n\n"
#define PART(tokens) "{\"type\":\"output_text\",\"text\":\"x\",\"logprobs\":[" tokens "]}"
#define OUTPUT(tokens) "\"output\":[{\"type\":\"message\",\"content\":[" PART(tokens) "]}]"

static void
sureness_is_the_mean_of_tokens(void **state)
{
    static const struct {
        enum api api;
        bool streamed;
        const char *answer;
        double mean; /* of logarithms; positive: none */
    } cases[] = {
        {API_CHAT, false, "{\"choices\":[" CHOICE("0", TOKEN("-0.5") "," TOKEN("-0.1")) "]}", -0.3},
        {API_CHAT, false, "{\"choices\":[" CHOICE("0", TOKEN("-9999.0") "," TOKEN("0.0")) "]}", -10.0},
        {API_CHAT, false, "{\"choices\":[" CHOICE("0", TOKEN("-Infinity") "," TOKEN("0.00001")) "]}", -10.0},
        {API_CHAT, false, "{\"choices\":[" CHOICE("1", TOKEN("-3")) "," CHOICE("0", TOKEN("-1")) "]}", -1.0},
        {API_CHAT, false, "{\"choices\":[" CHOICE("0", TOKEN("NaN") "," TOKEN("-1")) "]}", 1},
        {API_CHAT, false, "{\"choices\":[" CHOICE("0", TOKEN("0.9") "," TOKEN("-1")) "]}", 1},
        {API_CHAT, false, "{\"choices\":[" CHOICE("0", "{\"token\":\"x\"}") "]}", 1},
        {API_CHAT, false, "{\"choices\":[" CHOICE("0", "") "]}", 1},
        {API_CHAT, false, "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"x\"},\"logprobs\":null}]}", 1},
        {API_CHAT, true, EVENT(CHOICE("0", TOKEN("-1"))) EVENT(CHOICE("0", TOKEN("-2"))) "data: [DONE]\n\n", -1.5},
        {API_COMPLETIONS, false, "{\"choices\":[{\"text\":\"x\",\"logprobs\":{\"token_logprobs\":[-1,-3]}}]}", -2.0},
        {API_COMPLETIONS, false, "{\"choices\":[{\"text\":\"x\",\"logprobs\":{\"token_logprobs\":[null,-3]}}]}", 1},
        {API_COMPLETIONS, true,
         "data: {\"choices\":[{\"index\":0,\"text\":\"x\",\"logprobs\":{\"token_logprobs\":[-4]}}]}\n\n", -4.0},
        {API_RESPONSES, false, "{" OUTPUT(TOKEN("-1") "," TOKEN("-2")) "}", -1.5},
        /* what the end of a stream says once more is not counted again */
        {API_RESPONSES, true,
         TEXT_DELTA(TOKEN("-1"))
             TEXT_DELTA(TOKEN("-2")) "data: {\"type\":\"response.output_text.done\",\"logprobs\":[" TOKEN(
                 "-9") "]}\n\ndata: {\"type\":\"response.completed\",\"response\":{" OUTPUT(TOKEN("-9")) "}}\n\n",
         -1.5},
        {API_MESSAGES, false, "{\"type\":\"message\",\"content\":[{\"type\":\"text\",\"text\":\"x\"}]}", 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        double sureness = -1;
        bool told = sureness_of(cases[i].api, cases[i].streamed, cases[i].answer, &sureness);

        assert_int_equal(told, cases[i].mean <= 0);
        if (told)
            assert_true(fabs(sureness - exp(cases[i].mean)) < 1e-6);
    }
}

/* Nothing else of an answer changes, down to its white space. */
static void
answers_lose_nothing_but_them(void **state)
{
    static const struct {
        enum api api;
        const char *answer, *left; /* NULL: there are none to be taken out */
    } cases[] = {
        {API_CHAT,
         "{ \"id\": 1, \"choices\": [ {\"index\":0, \"logprobs\" : {\"content\":[" TOKEN(
             "-1") "]} , \"message\": {} } ] }\n",
         "{ \"id\": 1, \"choices\": [ {\"index\":0, \"logprobs\" : null , \"message\": {} } ] }\n"},
        {API_CHAT, "{\"choices\":[" CHOICE("0", "") "," CHOICE("1", TOKEN("NaN")) "]}",
         "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"},\"logprobs\":null},{\"index\":1,\"delta\":{"
         "\"content\":"
         "\"x\"},\"logprobs\":null}]}"},
        {API_COMPLETIONS, "{\"choices\":[{\"text\":\"\\\"logprobs\\\":1\",\"logprobs\":{\"token_logprobs\":[-1]}}]}",
         "{\"choices\":[{\"text\":\"\\\"logprobs\\\":1\",\"logprobs\":null}]}"},
        {API_CHAT, "{\"choices\":[{\"message\":{\"content\":\"x\"},\"logprobs\":null}]}", NULL},
        {API_CHAT, "{\"choices\":[],\"logprobs\":1}", NULL}, /* not where they stand */
        {API_CHAT, "{\"choices\":[{\"message\":{\"logprobs\":[1]}}]}", NULL},
        {API_RESPONSES, "{" OUTPUT(TOKEN("-1")) "}",
         "{\"output\":[{\"type\":\"message\",\"content\":[{\"type\":\"output_text\",\"text\":\"x\",\"logprobs\":[]}]}]"
         "}"},
        {API_RESPONSES, "{\"type\":\"response.completed\",\"response\":{" OUTPUT(TOKEN("-1")) "}}",
         "{\"type\":\"response.completed\",\"response\":{\"output\":[{\"type\":\"message\",\"content\":[{\"type\":"
         "\"output_text\","
         "\"text\":\"x\",\"logprobs\":[]}]}]}}"},
        {API_RESPONSES, "{\"type\":\"response.content_part.done\",\"part\":" PART(TOKEN("-1")) "}",
         "{\"type\":\"response.content_part.done\",\"part\":{\"type\":\"output_text\",\"text\":\"x\",\"logprobs\":[]}"
         "}"},
        {API_RESPONSES, "{\"type\":\"response.output_item.done\",\"item\":{\"content\":[" PART(TOKEN("-1")) "]}}",
         "{\"type\":\"response.output_item.done\",\"item\":{\"content\":[{\"type\":\"output_text\",\"text\":\"x\","
         "\"logprobs\":[]}]}}"},
        {API_MESSAGES, "{\"content\":[{\"text\":\"logprobs\"}]}", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buffer out = {0};
        enum status status = logprobs_take_out(cases[i].api, slice_of(cases[i].answer), &out);

        assert_int_equal(status, cases[i].left != NULL ? OK : ERR_NOT_FOUND);
        assert_true(slice_equal(buffer_content(&out), slice_of(cases[i].left != NULL ? cases[i].left : "")));
        buffer_free(&out);
    }
}

static void
frames_lose_nothing_but_them(void **state)
{
    static const struct {
        const char *frame, *left;
        enum status status;
    } cases[] = {
        {": a comment\nid: 7\ndata: {\"choices\":[{\"logprobs\":{}}]}\r\n\r\n",
         ": a comment\nid: 7\ndata: {\"choices\":[{\"logprobs\":null}]}\r\n\r\n", OK},
        {"data: {\"choices\":[{\"delta\":{}}]}\n\n", "", ERR_NOT_FOUND},
        {"data: [DONE]\n\n", "", ERR_NOT_FOUND},
        {": \"logprobs\"\n\n", "", ERR_NOT_FOUND},
        {"data: {\"choices\":[\ndata: {\"logprobs\":{}}]}\n\n", "", ERR_INVALID},
        {"data: {\"choices\":[{\"logprobs\":{}}\n\n", "", ERR_INVALID},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buffer out = {0};

        assert_int_equal(logprobs_take_out_of_frame(API_CHAT, slice_of(cases[i].frame), &out), cases[i].status);
        assert_true(slice_equal(buffer_content(&out), slice_of(cases[i].left)));
        buffer_free(&out);
    }
}

/* Its own member, in the way that asks for none, is no word of the client's that an error could repeat. */
static void
words_are_told_from_wishes(void **state)
{
    static const struct {
        enum api api;
        const char *body;
        bool has;
    } cases[] = {
        {API_CHAT, "{" ASK "}", false},
        {API_CHAT, "{\"logprobs\":false," ASK "}", false},
        {API_CHAT, "{\"logprobs\":false,\"user\":\"logprobs\"," ASK "}", true},
        {API_CHAT, "{\"user\":\"Logprobs\"," ASK "}", true},
        {API_COMPLETIONS, "{\"model\":\"m\",\"prompt\":\"what are logprobs?\"}", true},
        {API_COMPLETIONS, "{\"model\":\"m\",\"logprobs\":null,\"prompt\":\"x\"}", false},
        {API_RESPONSES, "{\"model\":\"m\",\"input\":\"x\",\"include\":[]}", false},
        {API_RESPONSES, "{\"model\":\"m\",\"input\":\"of logprobs\",\"include\":[]}", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct request_facts facts;
        const char *why = NULL;
        struct arena arena;

        arena_init(&arena);
        assert_int_equal(request_parse(cases[i].api, slice_of(cases[i].body), &arena, &facts, &why), OK);
        assert_int_equal(logprobs_in_words(cases[i].api, &facts.logprobs, slice_of(cases[i].body)), cases[i].has);
        arena_reset(&arena);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(words_are_told_from_wishes),     cmocka_unit_test(requests_are_made_to_ask),
    cmocka_unit_test(sureness_is_the_mean_of_tokens), cmocka_unit_test(answers_lose_nothing_but_them),
    cmocka_unit_test(frames_lose_nothing_but_them),
};

int
main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
