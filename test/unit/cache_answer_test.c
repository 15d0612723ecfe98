/* Scenario 22, a 429 is cached and replayed: only what is whole and went well is stored. */
#include "cache/answer.h"

#include "base/buffer.h"
#include "cmocka_ready.h"

static bool
may_store(enum api api, unsigned status, bool streamed, const char *answer)
{
    struct meter meter;
    bool may;

    meter_init(&meter, api, api_dialect(api));
    meter.stop.wanted = true;
    if (!streamed) {
        meter_piece(&meter, slice_of(answer));
        meter_end(&meter);
    }
    for (struct slice rest = slice_of(answer); streamed && rest.len > 0;) {
        size_t len = slice_find(rest, SLICE_LITERAL("\n\n")) + 2;

        meter_frame(&meter, slice_first(rest, len));
        rest = slice_from(rest, len);
    }
    may = cache_may_store(status, true, &meter);
    meter_free(&meter);
    return may;
}

#define CHOICE(index, reason) "{\"index\":" index ",\"message\":{\"content\":\"a\"},\"finish_reason\":" reason "}"
#define DELTA(index, reason) "data: {\"choices\":[{\"index\":" index ",\"delta\":{},\"finish_reason\":" reason "}]}\n\n"
#define DONE "data: [DONE]\n\n"
#define EVENT(json) "data: " json "\n\n"

static const struct {
    enum api api;
    unsigned status;
    bool streamed;
    const char *answer;
    bool may;
} cases[] = {
    {API_CHAT, 200, false, "{\"choices\":[" CHOICE("0", "\"stop\"") "]}", true},
    {API_CHAT, 200, false, "{\"choices\":[" CHOICE("0", "\"tool_calls\"") "]}", true},
    {API_CHAT, 200, false, "{\"choices\":[" CHOICE("0", "\"length\"") "," CHOICE("1", "\"stop\"") "]}", true},
    {API_CHAT, 200, false, "{\"choices\":[" CHOICE("0", "\"stop\"") "," CHOICE("1", "\"content_filter\"") "]}", false},
    {API_CHAT, 200, false, "{\"choices\":[" CHOICE("0", "null") "]}", false},
    {API_CHAT, 200, false, "{\"choices\":[" CHOICE("0", "\"new_reason\"") "]}", false},
    {API_CHAT, 200, false, "{\"choices\":[" CHOICE("64", "\"stop\"") "]}", false},
    {API_CHAT, 200, false, "{\"choices\":[]}", false},
    {API_CHAT, 200, false, "{\"choices\":[" CHOICE("0", "\"stop\"") "],\"error\":{}}", false},
    {API_CHAT, 200, false, "not json", false},
    {API_CHAT, 200, false, "", false},
    {API_CHAT, 429, false, "{\"choices\":[" CHOICE("0", "\"stop\"") "]}", false},
    {API_CHAT, 202, false, "{\"choices\":[" CHOICE("0", "\"stop\"") "]}", false},
    {API_CHAT, 200, true, DELTA("0", "null") DELTA("0", "\"stop\"") DONE, true},
    {API_CHAT, 200, true, DELTA("0", "null") DELTA("1", "\"stop\"") DELTA("0", "\"stop\"") DONE, true},
    {API_CHAT, 200, true, DELTA("0", "null") DELTA("1", "\"stop\"") DONE, false},
    {API_CHAT, 200, true, DELTA("0", "null"), false},
    {API_CHAT, 200, true, DELTA("0", "\"content_filter\"") DONE, false},
    {API_CHAT, 200, true, DELTA("0", "\"stop\"") EVENT("{\"error\":{\"message\":\"late\"}}"), false},
    {API_COMPLETIONS, 200, false, "{\"choices\":[{\"index\":0,\"text\":\"a\",\"finish_reason\":\"stop\"}]}", true},
    {API_MESSAGES, 200, false, "{\"type\":\"message\",\"stop_reason\":\"end_turn\"}", true},
    {API_MESSAGES, 200, false, "{\"type\":\"message\",\"stop_reason\":\"tool_use\"}", true},
    {API_MESSAGES, 200, false, "{\"type\":\"message\",\"stop_reason\":\"refusal\"}", false},
    {API_MESSAGES, 200, false, "{\"type\":\"message\",\"stop_reason\":\"pause_turn\"}", false},
    {API_MESSAGES, 200, false, "{\"type\":\"message\",\"stop_reason\":null}", false},
    {API_MESSAGES, 200, false, "{\"type\":\"error\",\"error\":{}}", false},
    {API_MESSAGES, 200, true,
     EVENT("{\"type\":\"message_start\",\"message\":{\"type\":\"message\",\"stop_reason\":null}}") EVENT(
         "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}") EVENT("{\"type\":\"message_stop\"}"),
     true},
    {API_MESSAGES, 200, true,
     EVENT("{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"refusal\"}}") EVENT("{\"type\":\"message_stop\"}"),
     false},
    {API_MESSAGES, 200, true, EVENT("{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}"), false},
    {API_RESPONSES, 200, false, "{\"status\":\"completed\",\"error\":null,\"output\":[]}", true},
    {API_RESPONSES, 200, false, "{\"status\":\"incomplete\"}", false},
    {API_RESPONSES, 200, false, "{\"status\":\"queued\"}", false},
    {API_RESPONSES, 200, true,
     EVENT("{\"type\":\"response.created\",\"response\":{\"status\":\"in_progress\"}}")
         EVENT("{\"type\":\"response.completed\",\"response\":{\"status\":\"completed\"}}"),
     true},
    {API_RESPONSES, 200, true, EVENT("{\"type\":\"response.incomplete\",\"response\":{\"status\":\"incomplete\"}}"),
     false},
    {API_RESPONSES, 200, true, EVENT("{\"type\":\"response.created\",\"response\":{\"status\":\"in_progress\"}}"),
     false},
    {API_EMBEDDINGS, 200, false, "{\"data\":[{\"index\":0,\"embedding\":[0.1]}]}", true},
    {API_EMBEDDINGS, 200, false, "{\"data\":[]}", false},
    {API_PASSTHROUGH, 200, false, "{\"anything\":1}", false},
};

static void
only_what_went_well_is_stored(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (may_store(cases[i].api, cases[i].status, cases[i].streamed, cases[i].answer) != cases[i].may)
            fail_msg("%s", cases[i].answer);
}

static void
only_what_is_complete_is_stored(void **state)
{
    struct meter meter;

    (void)state;
    meter_init(&meter, API_CHAT, DIALECT_OPENAI);
    meter_whole(&meter, SLICE_LITERAL("{\"choices\":[" CHOICE("0", "\"stop\"") "]}"));
    assert_false(cache_may_store(200, true, &meter)); /* nobody watched how it stopped */
    meter_free(&meter);
    meter_init(&meter, API_CHAT, DIALECT_OPENAI);
    meter.stop.wanted = true;
    meter_whole(&meter, SLICE_LITERAL("{\"choices\":[" CHOICE("0", "\"stop\"") "]}"));
    assert_true(cache_may_store(200, true, &meter));
    assert_false(cache_may_store(200, false, &meter));
    meter_free(&meter);
}

static void
only_what_may_repeat_is_served(void **state)
{
    struct request_facts facts = {.api = API_CHAT};

    (void)state;
    assert_false(cache_may_serve(&facts, false));
    assert_true(cache_may_serve(&facts, true));
    facts.deterministic = true;
    assert_true(cache_may_serve(&facts, false));
    facts.acts = true;
    assert_false(cache_may_serve(&facts, true));
    facts = (struct request_facts){.api = API_PASSTHROUGH, .deterministic = true};
    assert_false(cache_may_serve(&facts, true));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_went_well_is_stored),
        cmocka_unit_test(only_what_is_complete_is_stored),
        cmocka_unit_test(only_what_may_repeat_is_served),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
