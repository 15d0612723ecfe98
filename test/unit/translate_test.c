/* Requests and answers put in another API's words: what maps, what does not, and that nothing is lost on the way. */
#include "cmocka_ready.h"

#include <yyjson.h>

#include "dialect/frames_of.h"
#include "dialect/sse.h"
#include "dialect/translate.h"
#include "dialect/whole_of.h"

#include "talk_text.h"

static void
assert_same_json(struct slice got, const char *wanted)
{
    yyjson_doc *a = yyjson_read(got.data, got.len, 0), *b = yyjson_read(wanted, strlen(wanted), 0);

    if (a == NULL || b == NULL || !yyjson_equals(yyjson_doc_get_root(a), yyjson_doc_get_root(b)))
        fail_msg("got    %.*s\nwanted %s", SLICE_ARGS(got), wanted);
    yyjson_doc_free(a);
    yyjson_doc_free(b);
}

/* Requests */

struct request_case {
    enum api from, to;
    const char *body, *wanted; /* the whole body for the model "m"; else */
    const char *why;           /* a part of the reason */
};

#define ASK "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]"

static const struct request_case request_cases[] = {
    {API_CHAT, API_MESSAGES, "{\"model\":\"a\"," ASK "}",
     "{\"model\":\"m\",\"max_tokens\":4096,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
     "\"Hi\"}]}]}",
     NULL},
    {API_CHAT, API_MESSAGES,
     "{\"model\":\"a\",\"max_completion_tokens\":9,\"temperature\":0.50,\"stop\":\"X\",\"user\":\"u1\",\"stream\":true,"
     "\"stream_options\":{\"include_usage\":true},\"n\":1,\"frequency_penalty\":0.0,\"logit_bias\":{},\"seed\":null,"
     "\"metadata\":{\"a\":\"b\"},\"messages\":[{\"role\":\"system\",\"content\":\"S\"},"
     "{\"role\":\"developer\",\"content\":[{\"type\":\"text\",\"text\":\"D\"}]},"
     "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"What?\"},"
     "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AAAA\",\"detail\":\"auto\"}},"
     "{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x.example/i.png\"}}]}]}",
     "{\"model\":\"m\",\"max_tokens\":9,\"system\":[{\"type\":\"text\",\"text\":\"S\"},{\"type\":\"text\",\"text\":"
     "\"D\"}],"
     "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"What?\"},"
     "{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":\"AAAA\"}},"
     "{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"https://x.example/i.png\"}}]}],"
     "\"stop_sequences\":[\"X\"],\"temperature\":0.50,\"metadata\":{\"user_id\":\"u1\"},\"stream\":true}",
     NULL},
    {API_CHAT, API_MESSAGES,
     "{\"model\":\"a\",\"parallel_tool_calls\":false,\"tool_choice\":\"required\",\"tools\":[{\"type\":\"function\","
     "\"function\":"
     "{\"name\":\"f\",\"description\":\"F\",\"parameters\":{\"type\":\"object\",\"properties\":{\"x\":{\"type\":"
     "\"number\",\"maximum\":1.0}}}}},"
     "{\"type\":\"function\",\"function\":{\"name\":\"g\",\"strict\":false}}],"
     "\"messages\":[{\"role\":\"user\",\"content\":\"Go\"},"
     "{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null,\"annotations\":[],\"tool_calls\":["
     "{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\": 1.0}\"}},"
     "{\"id\":\"c2\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"\"}}]},"
     "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"one\"},{\"role\":\"tool\",\"tool_call_id\":\"c2\","
     "\"content\":\"\"},"
     "{\"role\":\"user\",\"content\":\"And?\"}]}",
     "{\"model\":\"m\",\"max_tokens\":4096,\"tool_choice\":{\"type\":\"any\",\"disable_parallel_tool_use\":true},"
     "\"tools\":["
     "{\"name\":\"f\",\"description\":\"F\",\"input_schema\":{\"type\":\"object\",\"properties\":{\"x\":{\"type\":"
     "\"number\",\"maximum\":1.0}}}},"
     "{\"name\":\"g\",\"input_schema\":{\"type\":\"object\",\"properties\":{}}}],"
     "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Go\"}]},"
     "{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"c1\",\"name\":\"f\",\"input\":{\"x\":1.0}},"
     "{\"type\":\"tool_use\",\"id\":\"c2\",\"name\":\"g\",\"input\":{}}]},"
     "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"c1\",\"content\":[{\"type\":\"text\","
     "\"text\":\"one\"}]},"
     "{\"type\":\"tool_result\",\"tool_use_id\":\"c2\"},{\"type\":\"text\",\"text\":\"And?\"}]}]}",
     NULL},
    {API_MESSAGES, API_CHAT,
     "{\"model\":\"a\",\"max_tokens\":7,\"system\":[{\"type\":\"text\",\"text\":\"S\",\"cache_control\":{\"type\":"
     "\"ephemeral\"}}],"
     "\"thinking\":{\"type\":\"disabled\"},\"metadata\":{\"user_id\":\"u\"},\"tool_choice\":{\"type\":\"tool\","
     "\"name\":\"f\"},"
     "\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\"},\"cache_control\":{\"type\":\"ephemeral\"}}],"
     "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":"
     "\"image/gif\",\"data\":\"BB\"}}]},"
     "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"T\"},{\"type\":\"tool_use\",\"id\":\"t1\","
     "\"name\":\"f\",\"input\":{\"y\":[1]}}]},"
     "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"t1\",\"content\":[{\"type\":\"text\","
     "\"text\":\"R\"}]},"
     "{\"type\":\"text\",\"text\":\"U\"}]}],\"stream\":true}",
     "{\"model\":\"m\",\"max_tokens\":7,\"messages\":[{\"role\":\"system\",\"content\":\"S\"},"
     "{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/gif;base64,BB\"}}]},"
     "{\"role\":\"assistant\",\"content\":\"T\",\"tool_calls\":[{\"id\":\"t1\",\"type\":\"function\",\"function\":{"
     "\"name\":\"f\",\"arguments\":\"{\\\"y\\\":[1]}\"}}]},"
     "{\"role\":\"tool\",\"tool_call_id\":\"t1\",\"content\":\"R\"},{\"role\":\"user\",\"content\":\"U\"}],"
     "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\"}}}],"
     "\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\"}},\"user\":\"u\",\"stream\":true,"
     "\"stream_options\":{\"include_usage\":true}}",
     NULL},
    {API_RESPONSES, API_CHAT,
     "{\"model\":\"a\",\"instructions\":\"I\",\"max_output_tokens\":50,\"reasoning\":{\"effort\":\"low\"},\"store\":"
     "false,\"include\":[],"
     "\"text\":{\"verbosity\":\"low\",\"format\":{\"type\":\"json_schema\",\"name\":\"n\",\"strict\":true,\"schema\":{"
     "\"type\":\"object\"}}},"
     "\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"parameters\":{\"type\":\"object\"},\"strict\":true}],"
     "\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"Q\"},{\"type\":\"input_image\","
     "\"image_url\":\"data:image/png;base64,AA\",\"detail\":\"low\"}]},"
     "{\"type\":\"message\",\"id\":\"msg_1\",\"status\":\"completed\",\"role\":\"assistant\",\"content\":[{\"type\":"
     "\"output_text\",\"text\":\"A\",\"annotations\":[]}]},"
     "{\"type\":\"function_call\",\"call_id\":\"c1\",\"name\":\"f\",\"arguments\":\"{}\"},"
     "{\"type\":\"function_call\",\"call_id\":\"c2\",\"name\":\"f\",\"arguments\":\"{}\"},"
     "{\"type\":\"function_call_output\",\"call_id\":\"c1\",\"output\":\"one\"},"
     "{\"type\":\"function_call_output\",\"call_id\":\"c2\",\"output\":\"two\"}]}",
     "{\"model\":\"m\",\"max_tokens\":50,\"messages\":[{\"role\":\"system\",\"content\":\"I\"},"
     "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Q\"},{\"type\":\"image_url\",\"image_url\":{"
     "\"url\":\"data:image/png;base64,AA\",\"detail\":\"low\"}}]},"
     "{\"role\":\"assistant\",\"content\":\"A\",\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\",\"function\":{"
     "\"name\":\"f\",\"arguments\":\"{}\"}},"
     "{\"id\":\"c2\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},"
     "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"one\"},{\"role\":\"tool\",\"tool_call_id\":\"c2\","
     "\"content\":\"two\"}],"
     "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\"},\"strict\":"
     "true}}],"
     "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"schema\":{\"type\":\"object\"},"
     "\"strict\":true}},"
     "\"reasoning_effort\":\"low\",\"verbosity\":\"low\"}",
     NULL},
    {API_CHAT, API_RESPONSES,
     "{\"model\":\"a\",\"max_tokens\":20,\"reasoning_effort\":\"high\",\"response_format\":{\"type\":\"json_object\"},"
     "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],\"messages\":[{\"role\":\"developer\","
     "\"content\":\"D\"},"
     "{\"role\":\"user\",\"content\":\"Q\"},{\"role\":\"assistant\",\"content\":\"A\",\"tool_calls\":[{\"id\":\"c\","
     "\"type\":\"function\","
     "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":"
     "\"R\"}]}",
     "{\"model\":\"m\",\"max_output_tokens\":20,\"input\":[{\"type\":\"message\",\"role\":\"developer\",\"content\":[{"
     "\"type\":\"input_text\",\"text\":\"D\"}]},"
     "{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"Q\"}]},"
     "{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"annotations\":[],\"text\":"
     "\"A\"}]},"
     "{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"f\",\"arguments\":\"{}\"},"
     "{\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":\"R\"}],"
     "\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"parameters\":null,\"strict\":false}],"
     "\"text\":{\"format\":{\"type\":\"json_object\"}},\"reasoning\":{\"effort\":\"high\"},\"store\":false}",
     NULL},
    {API_RESPONSES, API_MESSAGES, "{\"model\":\"a\",\"input\":\"Hi\",\"safety_identifier\":\"s\"}",
     "{\"model\":\"m\",\"max_tokens\":4096,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
     "\"Hi\"}]}],"
     "\"metadata\":{\"user_id\":\"s\"}}",
     NULL},
    {API_MESSAGES, API_RESPONSES,
     "{\"model\":\"a\",\"max_tokens\":16,\"temperature\":1,\"top_p\":0.9,\"system\":\"S\"," ASK "}",
     "{\"model\":\"m\",\"max_output_tokens\":16,\"input\":[{\"type\":\"message\",\"role\":\"system\",\"content\":[{"
     "\"type\":\"input_text\",\"text\":\"S\"}]},"
     "{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"Hi\"}]}],"
     "\"temperature\":1,\"top_p\":0.9,\"store\":false}",
     NULL},
    {API_CHAT, API_MESSAGES,
     "{\"model\":\"a\",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"strict\":true,"
     "\"schema\":{\"type\":\"object\"}}},\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"strict\":"
     "true}}]," ASK "}",
     "{\"model\":\"m\",\"max_tokens\":4096,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
     "\"Hi\"}]}],"
     "\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\",\"properties\":{}},\"strict\":true}],"
     "\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\"}}}}",
     NULL},
    {API_MESSAGES, API_RESPONSES,
     "{\"model\":\"a\",\"max_tokens\":20,\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":{\"type\":"
     "\"object\"}}},"
     "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\","
     "\"id\":\"t\",\"name\":\"f\","
     "\"input\":{},\"caller\":{\"type\":\"direct\"}}]},{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","
     "\"tool_use_id\":\"t\",\"content\":["
     "{\"type\":\"text\",\"text\":\"R\"},{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"https://x.example/"
     "i.png\"}}]}]}]}",
     "{\"model\":\"m\",\"max_output_tokens\":20,\"input\":[{\"type\":\"message\",\"role\":\"user\",\"content\":[{"
     "\"type\":\"input_text\",\"text\":\"Hi\"}]},"
     "{\"type\":\"function_call\",\"call_id\":\"t\",\"name\":\"f\",\"arguments\":\"{}\"},{\"type\":\"function_call_"
     "output\",\"call_id\":\"t\",\"output\":["
     "{\"type\":\"input_text\",\"text\":\"R\"},{\"type\":\"input_image\",\"image_url\":\"https://x.example/"
     "i.png\",\"detail\":\"auto\"}]}],"
     "\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"answer\",\"schema\":{\"type\":\"object\"},\"strict\":"
     "true}},\"store\":false}",
     NULL},
    {API_RESPONSES, API_CHAT,
     "{\"model\":\"a\",\"input\":[{\"role\":\"developer\",\"content\":\"D\"},{\"role\":\"user\",\"content\":\"U\"}]}",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"D\"},{\"role\":\"user\",\"content\":\"U\"}]}",
     NULL},
    {API_RESPONSES, API_CHAT,
     "{\"model\":\"a\",\"input\":\"U\",\"tools\":[{\"type\":\"function\",\"name\":\"f\"},{\"type\":\"function\","
     "\"name\":\"g\",\"strict\":false}]}",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"U\"}],\"tools\":[{\"type\":\"function\","
     "\"function\":{\"name\":\"f\",\"strict\":true}},"
     "{\"type\":\"function\",\"function\":{\"name\":\"g\"}}]}",
     NULL},
    /* What has no place */
    {API_CHAT, API_MESSAGES, "{\"n\":2," ASK "}", NULL, "'n'"},
    {API_CHAT, API_MESSAGES, "{\"seed\":2," ASK "}", NULL, "'seed' has no place in messages"},
    {API_CHAT, API_MESSAGES, "{\"logit_bias\":{\"5\":1}," ASK "}", NULL, "'logit_bias'"},
    {API_CHAT, API_MESSAGES, "{\"logprobs\":true," ASK "}", NULL, "'logprobs'"},
    {API_CHAT, API_MESSAGES, "{\"temperature\":1.5," ASK "}", NULL, "'temperature' is above 1"},
    {API_CHAT, API_MESSAGES, "{\"reasoning_effort\":\"low\"," ASK "}", NULL, "'reasoning_effort'"},
    {API_CHAT, API_MESSAGES, "{\"response_format\":{\"type\":\"json_object\"}," ASK "}", NULL, "'response_format'"},
    {API_CHAT, API_MESSAGES, "{\"store\":true," ASK "}", NULL, "stored"},
    {API_CHAT, API_MESSAGES, "{\"service_tier\":\"flex\"," ASK "}", NULL, "service tier"},
    {API_CHAT, API_MESSAGES, "{\"stop\":\"\\n\"," ASK "}", NULL, "stop sequence"},
    {API_CHAT, API_MESSAGES, "{\"guided_json\":{}," ASK "}", NULL, "'guided_json' of the body"},
    {API_CHAT, API_MESSAGES, "{\"a \\\"b\":1," ASK "}", NULL, "a member of the body"},
    {API_CHAT, API_MESSAGES, "{\"max_tokens\":5,\"max_completion_tokens\":6," ASK "}", NULL, "two different caps"},
    {API_CHAT, API_MESSAGES, "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\",\"name\":\"Eve\"}]}", NULL,
     "'name' of a message"},
    {API_CHAT, API_MESSAGES, "{\"messages\":[{\"role\":\"user\",\"content\":\"\"}]}", NULL, "empty"},
    {API_CHAT, API_MESSAGES, "{\"messages\":[{\"role\":\"assistant\",\"content\":\"Hi\"}]}", NULL, "first turn"},
    {API_CHAT, API_MESSAGES,
     "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\",\"content\":\"Hi\"}]}", NULL,
     "go on with"},
    {API_CHAT, API_MESSAGES,
     "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"system\",\"content\":\"Hi\"}]}", NULL,
     "behind the first turn"},
    {API_CHAT, API_MESSAGES,
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\",\"input_audio\":{}}]}]}", NULL,
     "neither a text nor an image"},
    {API_CHAT, API_MESSAGES,
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://"
     "x\",\"detail\":\"low\"}}]}]}",
     NULL, "'detail'"},
    {API_CHAT, API_MESSAGES, "{\"tools\":[{\"type\":\"custom\",\"custom\":{\"name\":\"f\"}}]," ASK "}", NULL, "tool"},
    {API_CHAT, API_MESSAGES, "{\"messages\":[]}", NULL, "no turns"},
    {API_MESSAGES, API_CHAT,
     "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\",\"content\":\"The answer is (\"}]}",
     NULL, "to be gone on with"},
    {API_MESSAGES, API_CHAT, "{\"top_k\":5," ASK "}", NULL, "'top_k' has no place in chat"},
    {API_MESSAGES, API_CHAT, "{\"stop_sequences\":[\"a\"]," ASK "}", NULL, "'stop_sequences'"},
    {API_MESSAGES, API_CHAT, "{\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2000}," ASK "}", NULL, "thinking"},
    {API_MESSAGES, API_CHAT, "{\"tools\":[{\"type\":\"web_search_20250305\",\"name\":\"web_search\"}]," ASK "}", NULL,
     "own"},
    {API_CHAT, API_MESSAGES,
     "{\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"schema\":{}}}," ASK "}", NULL,
     "not 'strict'"},
    {API_MESSAGES, API_CHAT, "{\"output_config\":{\"effort\":\"low\"}," ASK "}", NULL, "'effort' of 'output_config'"},
    {API_MESSAGES, API_CHAT, "{\"container\":\"c\"," ASK "}", NULL, "'container'"},
    {API_MESSAGES, API_CHAT, "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"document\",\"source\":{}}]}]}",
     NULL, "a block"},
    {API_MESSAGES, API_CHAT,
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"t\",\"is_error\":true}"
     "]}]}",
     NULL, "'is_error'"},
    {API_MESSAGES, API_CHAT,
     "{\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":"
     "{}},{\"type\":\"text\",\"text\":\"x\"}]},{\"role\":\"user\",\"content\":\"Hi\"}]}",
     NULL, "behind a tool's call"},
    {API_RESPONSES, API_CHAT, "{\"input\":\"Hi\",\"previous_response_id\":\"r\"}", NULL, "'previous_response_id'"},
    {API_RESPONSES, API_CHAT, "{\"input\":\"Hi\",\"background\":true}", NULL, "background"},
    {API_RESPONSES, API_CHAT, "{\"input\":\"Hi\",\"truncation\":\"auto\"}", NULL, "'truncation'"},
    {API_RESPONSES, API_CHAT, "{\"input\":[{\"type\":\"reasoning\",\"summary\":[]}]}", NULL, "reasoning"},
    {API_RESPONSES, API_CHAT, "{\"input\":[{\"type\":\"item_reference\",\"id\":\"x\"}]}", NULL, "an item"},
    {API_RESPONSES, API_MESSAGES, "{\"input\":\"Hi\",\"tools\":[{\"type\":\"web_search\"}]}", NULL,
     "a tool is no function"},
    {API_CHAT, API_RESPONSES, "{\"stop\":[\"a\"]," ASK "}", NULL, "stop sequences"},
    {API_CHAT, API_RESPONSES, "{\"max_tokens\":5," ASK "}", NULL, "the cap"},
};

static struct translated
translate(const struct request_case *c, struct arena *arena)
{
    return translate_request(c->from, c->to, slice_of(c->body), arena);
}

static void
requests_are_put_in_other_words_or_it_is_said_why_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(request_cases) / sizeof(request_cases[0]); i++) {
        const struct request_case *c = &request_cases[i];
        struct translated translated;
        struct buffer body = {0};
        struct arena arena;

        arena_init(&arena);
        translated = translate(c, &arena);
        if (c->why != NULL && (translated.why == NULL || strstr(translated.why, c->why) == NULL))
            fail_msg("case %zu: wanted %s, got %s", i, c->why, translated.why != NULL ? translated.why : "none");
        if (c->why == NULL && translated.why != NULL)
            fail_msg("case %zu: %s", i, translated.why);
        if (c->why == NULL) {
            talk_text_body(&translated, &body);
            assert_same_json(buffer_content(&body), c->wanted);
        }
        chunk_release(translated.rest);
        buffer_free(&body);
        arena_reset(&arena);
    }
}

/* Reading what was written finds all that was read before. */
static void
nothing_is_lost_on_the_way(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(request_cases) / sizeof(request_cases[0]); i++) {
        const struct request_case *c = &request_cases[i];
        struct buffer body = {0}, before = {0}, after = {0};
        struct translated translated;
        struct arena arena;
        int64_t cap, cap_after;

        arena_init(&arena);
        translated = translate(c, &arena);
        if (translated.why == NULL) {
            talk_text_body(&translated, &body);
            assert_true(talk_say(c->from, slice_of(c->body), &before, &cap));
            assert_true(talk_say(c->to, buffer_content(&body), &after, &cap_after));
            buffer_add_byte(&before, '\0');
            buffer_add_byte(&after, '\0');
            assert_string_equal(after.data, before.data);
            assert_int_equal(cap_after, cap < 0 && c->to == API_MESSAGES ? TRANSLATE_CAP_IF_NONE : cap);
        }
        chunk_release(translated.rest);
        buffer_free(&body);
        buffer_free(&before);
        buffer_free(&after);
        arena_reset(&arena);
    }
}

/* Answers */

static const char chat_answer[] =
    "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m1\",\"choices\":[{\"index\":0,"
    "\"message\":{\"role\":\"assistant\",\"content\":\"Look \\u00e9 at this and at that, "
    "please.\",\"refusal\":null,\"tool_calls\":["
    "{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\":1.0}\"}},"
    "{\"id\":\"c2\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]},"
    "\"logprobs\":null,\"finish_reason\":\"tool_calls\"}],\"usage\":{\"prompt_tokens\":30,\"completion_tokens\":12,"
    "\"total_tokens\":42,\"prompt_tokens_details\":{\"cached_tokens\":10},\"completion_tokens_details\":{\"reasoning_"
    "tokens\":3}}}";
static const char messages_answer[] =
    "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m1\",\"content\":["
    "{\"type\":\"text\",\"text\":\"Look \\u00e9 at this and at that, please.\"},"
    "{\"type\":\"tool_use\",\"id\":\"c1\",\"name\":\"f\",\"input\":{\"x\":1.0}},"
    "{\"type\":\"tool_use\",\"id\":\"c2\",\"name\":\"g\",\"input\":{}}],"
    "\"stop_reason\":\"tool_use\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":15,\"cache_creation_input_"
    "tokens\":5,"
    "\"cache_read_input_tokens\":10,\"output_tokens\":12}}";
static const char responses_answer[] =
    "{\"id\":\"resp_1\",\"object\":\"response\",\"created_at\":1,\"status\":\"completed\",\"error\":null,"
    "\"incomplete_details\":null,\"model\":\"m1\",\"output\":[{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[]},"
    "{\"type\":\"message\",\"role\":\"assistant\",\"id\":\"msg_9\",\"status\":\"completed\",\"content\":[{\"type\":"
    "\"output_text\","
    "\"annotations\":[],\"text\":\"Look \\u00e9 at this and at that, please.\"}]},"
    "{\"type\":\"function_call\",\"id\":\"fc_1\",\"status\":\"completed\",\"call_id\":\"c1\",\"name\":\"f\","
    "\"arguments\":\"{\\\"x\\\":1.0}\"},"
    "{\"type\":\"function_call\",\"id\":\"fc_2\",\"status\":\"completed\",\"call_id\":\"c2\",\"name\":\"g\","
    "\"arguments\":\"{}\"}],"
    "\"usage\":{\"input_tokens\":30,\"input_tokens_details\":{\"cached_tokens\":10},\"output_tokens\":12,"
    "\"output_tokens_details\":{\"reasoning_tokens\":3},\"total_tokens\":42}}";

static const struct {
    enum api api;
    const char *answer;
} answers[] = {{API_CHAT, chat_answer}, {API_MESSAGES, messages_answer}, {API_RESPONSES, responses_answer}};

enum { MADE_S = 1790000000, MOST = 1024 * 1024 };

/* With its NUL; empty: it cannot be told. The caller frees. */
static struct buffer
whole(enum api from, enum api to, struct slice answer)
{
    struct translation *translation = translation_new(from, to, MADE_S, MOST);
    struct buffer out = {0};

    if (translation_whole(translation, answer, &out) != OK)
        assert_int_equal(buffer_len(&out), 0);
    buffer_add_byte(&out, '\0');
    translation_free(translation);
    return out;
}

static void
assert_whole(enum api from, enum api to, const char *answer, const char *wanted)
{
    struct buffer out = whole(from, to, slice_of(answer));

    if (wanted == NULL)
        assert_string_equal(out.data, "");
    else
        assert_same_json(slice_of(out.data), wanted);
    buffer_free(&out);
}

static void
whole_answers(void **state)
{
    (void)state;
    assert_whole(
        API_CHAT, API_MESSAGES, chat_answer,
        "{\"id\":\"msg_chatcmpl-1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m1\",\"content\":["
        "{\"type\":\"text\",\"text\":\"Look \\u00e9 at this and at that, please.\"},"
        "{\"type\":\"tool_use\",\"id\":\"c1\",\"name\":\"f\",\"input\":{\"x\":1.0}},"
        "{\"type\":\"tool_use\",\"id\":\"c2\",\"name\":\"g\",\"input\":{}}],\"stop_reason\":\"tool_use\","
        "\"stop_sequence\":null,\"usage\":{\"input_tokens\":20,\"cache_creation_input_tokens\":0,"
        "\"cache_read_input_tokens\":10,\"output_tokens\":12,\"output_tokens_details\":{\"thinking_tokens\":3}}}");
    assert_whole(
        API_MESSAGES, API_CHAT, messages_answer,
        "{\"id\":\"chatcmpl-msg_1\",\"object\":\"chat.completion\",\"created\":1790000000,\"model\":\"m1\",\"choices\":"
        "[{"
        "\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Look \\u00e9 at this and at that, please.\","
        "\"refusal\":null,\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\","
        "\"arguments\":\"{\\\"x\\\":1.0}\"}},"
        "{\"id\":\"c2\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]},\"logprobs\":null,"
        "\"finish_reason\":\"tool_calls\"}],\"usage\":{\"prompt_tokens\":30,\"completion_tokens\":12,\"total_tokens\":"
        "42,"
        "\"prompt_tokens_details\":{\"cached_tokens\":10},\"completion_tokens_details\":{\"reasoning_tokens\":0}}}");
    assert_whole(
        API_MESSAGES, API_RESPONSES, messages_answer,
        "{\"id\":\"resp_msg_1\",\"object\":\"response\",\"created_at\":1790000000,\"status\":\"completed\",\"error\":"
        "null,"
        "\"incomplete_details\":null,\"model\":\"m1\",\"output\":[{\"type\":\"message\",\"role\":\"assistant\","
        "\"id\":\"msg_msg_1_0\",\"status\":\"completed\",\"content\":[{\"type\":\"output_text\",\"annotations\":[],"
        "\"logprobs\":[],"
        "\"text\":\"Look \\u00e9 at this and at that, please.\"}]},{\"type\":\"function_call\",\"id\":\"fc_msg_1_1\","
        "\"status\":\"completed\",\"call_id\":\"c1\",\"name\":\"f\",\"arguments\":\"{\\\"x\\\":1.0}\"},{\"type\":"
        "\"function_call\","
        "\"id\":\"fc_msg_1_2\",\"status\":\"completed\",\"call_id\":\"c2\",\"name\":\"g\",\"arguments\":\"{}\"}],"
        "\"previous_response_id\":null,\"store\":false,\"usage\":{\"input_tokens\":30,\"input_tokens_details\":"
        "{\"cached_tokens\":10},\"output_tokens\":12,\"output_tokens_details\":{\"reasoning_tokens\":0},\"total_"
        "tokens\":42}}");
}

/* A response repeats what was asked for, and what holds where nothing was. */
static void
a_response_repeats_its_request(void **state)
{
    static const char body[] =
        "{\"model\":\"a\",\"input\":\"Hi\",\"temperature\":0.50,\"metadata\":{\"k\":\"v\"},\"instructions\":\"I\","
        "\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"strict\":false}]}";
    struct translation *translation = translation_new(API_CHAT, API_RESPONSES, MADE_S, MOST);
    struct translated translated;
    struct buffer out = {0};
    struct arena arena;

    (void)state;
    arena_init(&arena);
    translated = translate_request(API_RESPONSES, API_CHAT, slice_of(body), &arena);
    translation_echoes(translation, translated.echo);
    assert_int_equal(translation_whole(translation,
                                       slice_of("{\"id\":\"1\",\"model\":\"m\",\"choices\":[{\"message\":{\"content\":"
                                                "\"\"},\"finish_reason\":\"stop\"}]}"),
                                       &out),
                     OK);
    assert_same_json(
        buffer_content(&out),
        "{\"id\":\"resp_1\",\"object\":\"response\",\"created_at\":1790000000,\"status\":\"completed\",\"error\":null,"
        "\"incomplete_details\":null,\"model\":\"m\",\"output\":[],\"instructions\":\"I\",\"max_output_tokens\":null,"
        "\"metadata\":{\"k\":\"v\"},\"parallel_tool_calls\":true,\"reasoning\":{\"effort\":null,\"summary\":null},"
        "\"temperature\":0.50,"
        "\"text\":{\"format\":{\"type\":\"text\"}},\"tool_choice\":\"auto\",\"tools\":[{\"type\":\"function\",\"name\":"
        "\"f\",\"strict\":false}],"
        "\"top_p\":null,\"truncation\":\"disabled\",\"user\":null,\"previous_response_id\":null,\"store\":false,"
        "\"usage\":null}");
    chunk_release(translated.rest);
    translation_free(translation);
    buffer_free(&out);
    arena_reset(&arena);
}

static void
what_is_no_answer_is_not_told(void **state)
{
    static const char *const bad[] = {"", "{", "[]", "{}", "{\"choices\":[]}", "{\"error\":{\"message\":\"x\"}}"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        for (size_t from = 0; from < 3; from++)
            for (size_t to = 0; to < 3; to++)
                if (from != to)
                    assert_whole(answers[from].api, answers[to].api, bad[i], NULL);
    /* Arguments that are no object, though nothing cut them off; and two answers. */
    assert_whole(API_CHAT, API_MESSAGES,
                 "{\"choices\":[{\"message\":{\"tool_calls\":[{\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":"
                 "\"{\\\"x\\\"\"}}]},"
                 "\"finish_reason\":\"tool_calls\"}]}",
                 NULL);
    assert_whole(API_CHAT, API_MESSAGES, "{\"choices\":[{\"message\":{}},{\"message\":{}}]}", NULL);
}

static void
reasons_to_stop(void **state)
{
    static const struct {
        enum api from, to;
        const char *answer, *wanted;
    } cases[] = {
        {API_CHAT, API_MESSAGES, "{\"choices\":[{\"message\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}",
         "\"stop_reason\":\"end_turn\""},
        {API_CHAT, API_MESSAGES, "{\"choices\":[{\"message\":{\"content\":\"x\"},\"finish_reason\":\"length\"}]}",
         "\"stop_reason\":\"max_tokens\""},
        {API_CHAT, API_MESSAGES,
         "{\"choices\":[{\"message\":{\"content\":\"x\"},\"finish_reason\":\"content_filter\"}]}",
         "\"stop_reason\":\"refusal\""},
        {API_CHAT, API_MESSAGES,
         "{\"choices\":[{\"message\":{\"content\":\"x\"},\"finish_reason\":\"stop\",\"stop_reason\":\"END\"}]}",
         "\"stop_reason\":\"stop_sequence\",\"stop_sequence\":\"END\""},
        /* A function that was named is called, and the reason is \"stop\". */
        {API_CHAT, API_MESSAGES,
         "{\"choices\":[{\"message\":{\"tool_calls\":[{\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}"
         "]},\"finish_reason\":\"stop\"}]}",
         "\"stop_reason\":\"tool_use\""},
        /* Arguments that the cap cut off */
        {API_CHAT, API_MESSAGES,
         "{\"choices\":[{\"message\":{\"tool_calls\":[{\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":\"{"
         "\\\"x\"}}]},\"finish_reason\":\"length\"}]}",
         "\"input\":{}"},
        {API_CHAT, API_RESPONSES, "{\"choices\":[{\"message\":{\"content\":\"x\"},\"finish_reason\":\"length\"}]}",
         "\"status\":\"incomplete\",\"error\":null,\"incomplete_details\":{\"reason\":\"max_output_tokens\"}"},
        {API_CHAT, API_RESPONSES, "{\"choices\":[{\"message\":{\"refusal\":\"No.\"},\"finish_reason\":\"stop\"}]}",
         "{\"type\":\"refusal\",\"refusal\":\"No.\"}"},
        {API_MESSAGES, API_CHAT, "{\"content\":[],\"stop_reason\":\"stop_sequence\",\"stop_sequence\":\"E\"}",
         "\"finish_reason\":\"stop\""},
        {API_MESSAGES, API_CHAT, "{\"content\":[],\"stop_reason\":\"refusal\"}",
         "\"finish_reason\":\"content_filter\""},
        {API_MESSAGES, API_CHAT,
         "{\"content\":[{\"type\":\"thinking\",\"thinking\":\"h\"}],\"stop_reason\":\"max_tokens\"}",
         "\"content\":\"\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"length\""},
        {API_RESPONSES, API_CHAT,
         "{\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":\"content_filter\"},\"output\":[]}",
         "\"finish_reason\":\"content_filter\""},
        {API_RESPONSES, API_MESSAGES, "{\"status\":\"completed\",\"output\":[]}", "\"stop_reason\":\"end_turn\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buffer out = whole(cases[i].from, cases[i].to, slice_of(cases[i].answer));

        if (strstr(out.data, cases[i].wanted) == NULL)
            fail_msg("case %zu: wanted %s in %s", i, cases[i].wanted, out.data);
        buffer_free(&out);
    }
}

/* Streams */

struct told {
    struct buffer all;
    unsigned usage_only, last;
};

static void
take(void *context, const struct translated_event *event)
{
    struct told *told = context;

    assert_int_equal(told->last, 0); /* nothing comes after the last */
    buffer_add(&told->all, event->frame);
    told->usage_only += event->usage_only;
    told->last += event->last;
}

static void
add_frame(void *context, struct slice frame)
{
    buffer_add(context, frame);
}

static enum status
tell(enum api from, enum api to, struct slice stream, struct told *told)
{
    struct translation *translation = translation_new(from, to, MADE_S, MOST);
    enum status status = OK;
    struct sse_framer framer;
    struct slice frame;

    sse_init(&framer, 1 << 20);
    while (status == OK && sse_next(&framer, &stream, &frame) == SSE_FRAME)
        status = translation_frame(translation, frame, take, told);
    translation_end(translation, take, told);
    sse_free(&framer);
    translation_free(translation);
    return status;
}

static struct buffer
gathered(enum api api, struct slice stream)
{
    struct whole_of *gatherer = whole_of_new(api);
    struct sse_framer framer;
    struct buffer out = {0};
    struct slice frame;

    sse_init(&framer, 1 << 20);
    while (sse_next(&framer, &stream, &frame) == SSE_FRAME)
        whole_of_frame(gatherer, frame);
    if (whole_of_end(gatherer, &out) != OK)
        fail_msg("no whole stream: %.*s", SLICE_ARGS(stream));
    sse_free(&framer);
    whole_of_free(gatherer);
    return out;
}

/* Whatever stands in both must be the same; what only one form of an API has is no matter. */
static void
assert_agree(yyjson_val *a, yyjson_val *b, const char *name)
{
    size_t i, most;
    yyjson_val *key, *value, *other;

    if (yyjson_is_obj(a) && yyjson_is_obj(b)) {
        yyjson_obj_foreach(a, i, most, key, value)
        {
            other = yyjson_obj_get(b, yyjson_get_str(key));
            if (other != NULL)
                assert_agree(value, other, yyjson_get_str(key));
        }
    } else if (yyjson_is_arr(a) && yyjson_is_arr(b)) {
        assert_int_equal(yyjson_arr_size(a), yyjson_arr_size(b));
        yyjson_arr_foreach(a, i, most, value) assert_agree(value, yyjson_arr_get(b, i), name);
    } else if (!yyjson_equals(a, b)) {
        fail_msg("'%s' differs", name);
    }
}

/* An answer that streams says what it would have said whole: told event by event, and gathered, it is the whole answer
 * told at once. */
static void
streams_say_what_whole_answers_say(void **state)
{
    (void)state;
    for (size_t from = 0; from < 3; from++)
        for (size_t to = 0; to < 3; to++) {
            struct buffer stream = {0}, at_once, in_pieces;
            struct told told = {0};
            yyjson_doc *a, *b;

            if (from == to)
                continue;
            assert_int_equal(frames_of(answers[from].api, slice_of(answers[from].answer), true, add_frame, &stream),
                             OK);
            assert_int_equal(tell(answers[from].api, answers[to].api, buffer_content(&stream), &told), OK);
            assert_int_equal(told.last, 1);
            assert_int_equal(told.usage_only, answers[to].api == API_CHAT);
            in_pieces = gathered(answers[to].api, buffer_content(&told.all));
            at_once = whole(answers[from].api, answers[to].api, slice_of(answers[from].answer));
            a = yyjson_read(at_once.data, strlen(at_once.data), 0);
            b = yyjson_read(in_pieces.data, buffer_len(&in_pieces), 0);
            assert_non_null(a);
            assert_non_null(b);
            assert_agree(yyjson_doc_get_root(a), yyjson_doc_get_root(b), "");
            yyjson_doc_free(a);
            yyjson_doc_free(b);
            buffer_free(&stream);
            buffer_free(&told.all);
            buffer_free(&at_once);
            buffer_free(&in_pieces);
        }
}

/* The names of a stream's events, without those that repeat; of chat, what each delta has. */
static void
add_names(struct slice stream, struct buffer *out)
{
    struct slice line, last = SLICE_NONE;

    while (stream.data != NULL) {
        line = slice_split(&stream, '\n');
        if (!slice_starts(line, "event: ") || slice_equal(line, last))
            continue;
        buffer_printf(out, "%.*s ", SLICE_ARGS(slice_from(line, 7)));
        last = line;
    }
    buffer_add_byte(out, '\0');
}

/* What opens closes, before anything else opens. */
static void
events_come_in_their_apis_order(void **state)
{
    static const struct {
        enum api to;
        const char *names;
    } cases[] = {
        {API_MESSAGES, "message_start content_block_start content_block_delta content_block_stop content_block_start "
                       "content_block_delta content_block_stop content_block_start content_block_delta "
                       "content_block_stop message_delta message_stop "},
        {API_RESPONSES, "response.created response.in_progress response.output_item.added response.content_part.added "
                        "response.output_text.delta response.output_text.done response.content_part.done "
                        "response.output_item.done response.output_item.added response.function_call_arguments.delta "
                        "response.function_call_arguments.done response.output_item.done response.output_item.added "
                        "response.function_call_arguments.delta response.function_call_arguments.done "
                        "response.output_item.done response.completed "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buffer stream = {0}, names = {0};
        struct told told = {0};

        assert_int_equal(frames_of(API_CHAT, slice_of(chat_answer), true, add_frame, &stream), OK);
        assert_int_equal(tell(API_CHAT, cases[i].to, buffer_content(&stream), &told), OK);
        add_names(buffer_content(&told.all), &names);
        assert_string_equal(names.data, cases[i].names);
        buffer_free(&stream);
        buffer_free(&names);
        buffer_free(&told.all);
    }
}

#define CHUNK(delta) "data: {\"id\":\"x\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":" delta "}]}\n\n"
#define CALL(n, rest) "{\"tool_calls\":[{\"index\":" n rest "}]}"

/* Calls that a backend goes on with at the same time are told one after another, whole. */
static void
calls_that_are_made_at_once(void **state)
{
    static const char stream[] = CHUNK(CALL("0", ",\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}"))
        CHUNK(CALL("1", ",\"id\":\"b\",\"function\":{\"name\":\"g\",\"arguments\":\"{\\\"y\\\":\"}"))
            CHUNK(CALL("0", ",\"function\":{\"arguments\":\"}\"}")) CHUNK(
                CALL("1", ",\"function\":{\"arguments\":\"2}\"}")) "data: "
                                                                   "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_"
                                                                   "reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n";
    struct told told = {0};
    struct buffer out;

    (void)state;
    assert_int_equal(tell(API_CHAT, API_MESSAGES, slice_of(stream), &told), OK);
    out = gathered(API_MESSAGES, buffer_content(&told.all));
    assert_same_json(
        buffer_content(&out),
        "{\"id\":\"msg_x\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":["
        "{\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"f\",\"input\":{}},"
        "{\"type\":\"tool_use\",\"id\":\"b\",\"name\":\"g\",\"input\":{\"y\":2}}],\"stop_reason\":\"tool_use\","
        "\"stop_sequence\":null,\"usage\":{\"input_tokens\":0,\"cache_creation_input_tokens\":0,"
        "\"cache_read_input_tokens\":0,\"output_tokens\":0}}");
    buffer_free(&out);
    buffer_free(&told.all);
}

static void
assert_told(enum api from, enum api to, const char *stream, enum status status, const char *words, unsigned last)
{
    struct told told = {0};

    assert_int_equal(tell(from, to, slice_of(stream), &told), status);
    buffer_add_byte(&told.all, '\0');
    if (strstr(told.all.data, words) == NULL)
        fail_msg("wanted %s in %s", words, told.all.data);
    assert_int_equal(told.last, last);
    buffer_free(&told.all);
}

static void
streams_that_end_otherwise(void **state)
{
    (void)state;
    /* An error is told in the client's words; nothing comes behind it. */
    assert_told(
        API_MESSAGES, API_CHAT,
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"a\",\"model\":\"m\"}}\n\n"
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Busy\"}}\n\n",
        OK, "data: {\"error\":{\"message\":\"Busy\",\"type\":\"server_error\"", 0);
    assert_told(API_CHAT, API_MESSAGES,
                CHUNK("{\"content\":\"x\"}") "data: {\"error\":{\"message\":\"No\",\"type\":\"server_error\"}}\n\n", OK,
                "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"No\"}", 0);
    /* Some just end, without a mark. */
    assert_told(API_CHAT, API_MESSAGES,
                "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}\n\n", OK,
                "event: message_stop", 1);
    /* One that is cut has no end that could be told. */
    assert_told(API_CHAT, API_MESSAGES, CHUNK("{\"content\":\"x\"}"), OK, "text_delta", 0);
    /* What cannot be told is said to be so: a second answer, a letter that is no event, arguments for a call that is over. */
    assert_told(API_CHAT, API_MESSAGES, "data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"x\"}}]}\n\n",
                ERR_INVALID, "", 0);
    assert_told(API_CHAT, API_MESSAGES, "data: nonsense\n\n", ERR_INVALID, "", 0);
    assert_told(API_CHAT, API_MESSAGES,
                CHUNK(CALL("0", ",\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}"))
                    CHUNK("{\"content\":\"x\"}") CHUNK(CALL("0", ",\"function\":{\"arguments\":\"}\"}")),
                ERR_INVALID, "tool_use", 0);
    /* Comments and pings are nobody's words. */
    assert_told(
        API_MESSAGES, API_CHAT,
        ": ping\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\n"
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"a\",\"model\":\"m\"}}\n\n"
        "event: content_block_start\ndata: "
        "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t\",\"name\":"
        "\"f\",\"input\":{}}}\n\n"
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"}}\n\n"
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        OK, "\"arguments\":\"{}\"", 1);
}

/* What a responses client is told once more at the end is gathered, within a bound. */
static void
what_is_gathered_is_bounded(void **state)
{
    struct translation *translation = translation_new(API_CHAT, API_RESPONSES, MADE_S, 40);
    struct told told = {0};

    (void)state;
    assert_int_equal(translation_frame(translation, slice_of(CHUNK("{\"content\":\"0123456789012345\"}")), take, &told),
                     OK);
    assert_int_equal(translation_frame(translation, slice_of(CHUNK("{\"content\":\"0123456789012345\"}")), take, &told),
                     OK);
    assert_int_equal(translation_frame(translation, slice_of(CHUNK("{\"content\":\"0123456789012345\"}")), take, &told),
                     ERR_INVALID);
    translation_end(translation, take, &told);
    assert_int_equal(told.last, 0);
    translation_free(translation);
    buffer_free(&told.all);
}

static void
errors_in_the_clients_words(void **state)
{
    static const struct {
        enum api to;
        unsigned status;
        const char *answer, *wanted;
    } cases[] = {
        {API_CHAT, 529, "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}",
         "{\"error\":{\"message\":\"Overloaded\",\"type\":\"server_error\",\"param\":null,\"code\":null}}"},
        {API_CHAT, 400,
         "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"Your credit balance is too "
         "low\"}}",
         "{\"error\":{\"message\":\"Your credit balance is too "
         "low\",\"type\":\"insufficient_quota\",\"param\":null,\"code\":\"insufficient_quota\"}}"},
        {API_MESSAGES, 429,
         "{\"error\":{\"message\":\"You exceeded your current "
         "quota\",\"type\":\"insufficient_quota\",\"code\":\"insufficient_quota\"}}",
         "{\"type\":\"error\",\"error\":{\"type\":\"billing_error\",\"message\":\"You exceeded your current quota\"}}"},
        {API_MESSAGES, 404,
         "{\"error\":{\"message\":\"no such model\",\"type\":\"invalid_request_error\",\"code\":\"model_not_found\"}}",
         "{\"type\":\"error\",\"error\":{\"type\":\"not_found_error\",\"message\":\"no such model\"}}"},
        {API_MESSAGES, 502, "<html>",
         "{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"the backend answered with status "
         "502\"}}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buffer out = {0};

        translate_error(cases[i].to, cases[i].status, slice_of(cases[i].answer), &out);
        assert_same_json(buffer_content(&out), cases[i].wanted);
        buffer_free(&out);
    }
    assert_int_equal(translate_status(API_CHAT, 529), 503);
    assert_int_equal(translate_status(API_MESSAGES, 529), 529);
}

/* A tool may bring a great many pieces: each costs as much as the first. (If each cost as much as all before it, this would
 * take minutes.) */
static void
many_pieces_of_a_result(void **state)
{
    enum { PIECES = 300000 };
    struct buffer body = {0}, wanted = {0};
    struct translated translated;
    struct arena arena;
    size_t at, count = 0;

    (void)state;
    arena_init(&arena);
    buffer_add_text(&body, "{\"model\":\"a\",\"max_tokens\":5,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
                           "\"tool_result\",\"tool_use_id\":\"t\",\"content\":[");
    for (int i = 0; i < PIECES; i++)
        buffer_printf(&body, "%s{\"type\":\"text\",\"text\":\"%d\"}", i > 0 ? "," : "", i);
    buffer_add_text(&body, "]}]}]}");
    translated = translate_request(API_MESSAGES, API_CHAT, buffer_content(&body), &arena);
    assert_null(translated.why);
    for (struct slice rest = chunk_bytes(translated.rest); rest.len > 0; rest = slice_from(rest, at + 8)) {
        at = slice_find(rest, SLICE_LITERAL("\"text\":\""));
        if (at == rest.len)
            break;
        buffer_clear(&wanted);
        buffer_printf(&wanted, "%zu\"", count++);
        assert_true(slice_equal(slice_first(slice_from(rest, at + 8), buffer_len(&wanted)), buffer_content(&wanted)));
    }
    assert_int_equal(count, PIECES);
    chunk_release(translated.rest);
    buffer_free(&body);
    buffer_free(&wanted);
    arena_reset(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_put_in_other_words_or_it_is_said_why_not),
        cmocka_unit_test(nothing_is_lost_on_the_way),
        cmocka_unit_test(many_pieces_of_a_result),
        cmocka_unit_test(whole_answers),
        cmocka_unit_test(a_response_repeats_its_request),
        cmocka_unit_test(what_is_no_answer_is_not_told),
        cmocka_unit_test(reasons_to_stop),
        cmocka_unit_test(streams_say_what_whole_answers_say),
        cmocka_unit_test(events_come_in_their_apis_order),
        cmocka_unit_test(calls_that_are_made_at_once),
        cmocka_unit_test(streams_that_end_otherwise),
        cmocka_unit_test(what_is_gathered_is_bounded),
        cmocka_unit_test(errors_in_the_clients_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
