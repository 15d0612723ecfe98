/* Which beginnings of prompts come again, and that marks change no other byte. */
#include "dialect/prompt.h"

#include "base/buffer.h"

#include "cmocka_ready.h"

enum { ALL_MARKS = 1u << PROMPT_TOOLS | 1u << PROMPT_SYSTEM | 1u << PROMPT_TURNS };

#define MARK "\"cache_control\":{\"type\":\"ephemeral\"}"

static struct prompt
read_prompt(enum api api, const char *body)
{
    struct request_facts facts;
    struct prompt prompt;
    struct arena arena;
    const char *why = NULL;

    arena_init(&arena);
    assert_int_equal(request_parse(api, slice_of(body), &arena, &facts, &why), OK);
    arena_reset(&arena);
    prompt_read(api, slice_of(body), &prompt);
    return prompt;
}

/* What goes upstream; freed by the caller. */
static struct buffer
sent(enum api api, const char *body, unsigned marks, const char *key)
{
    struct prompt prompt = read_prompt(api, body);
    struct request_change change = {.cap = -1, .prompt = &prompt, .marks = marks, .cache_key = slice_of(key)};
    struct splice splices[REQUEST_SPLICES_MOST];
    struct request_facts facts;
    struct buffer out = {0};
    const char *why = NULL;
    struct arena arena;
    size_t count, at = 0;

    arena_init(&arena);
    assert_int_equal(request_parse(api, slice_of(body), &arena, &facts, &why), OK);
    count = request_splices(&facts, slice_of(body), &change, &arena, splices);
    for (size_t i = 0; i < count; i++) {
        assert_true(splices[i].at >= at);
        buffer_add(&out, slice_make(body + at, splices[i].at - at));
        buffer_add(&out, splices[i].with);
        at = splices[i].at + splices[i].len;
    }
    buffer_add(&out, slice_of(body + at));
    arena_reset(&arena);
    return out;
}

static void
assert_sent(enum api api, const char *body, unsigned marks, const char *key, const char *expected)
{
    struct buffer out = sent(api, body, marks, key);

    if (!slice_is(buffer_content(&out), expected))
        fail_msg("sent %.*s", SLICE_ARGS(buffer_content(&out)));
    buffer_free(&out);
}

static void
marks_go_behind_tools_system_and_the_last_stable_turn(void **state)
{
    (void)state;
    assert_sent(API_MESSAGES,
                " { \"model\":\"m\", \"system\" : \"be kind\", \"tools\":[ {\"name\":\"a\"}, { \"name\":\"b\"} ],"
                "\"messages\":[{\"role\":\"user\",\"content\":\"q1\"},{\"role\":\"assistant\",\"content\":[{\"type\":"
                "\"text\",\"text\":\"a1\"},{\"type\":\"tool_use\",\"id\":\"i\"}]},{\"role\":\"user\",\"content\":"
                "\"q2\"}]}",
                ALL_MARKS, NULL,
                " { \"model\":\"m\", \"system\" : [{\"type\":\"text\",\"text\":\"be kind\"," MARK "}], \"tools\":[ "
                "{\"name\":\"a\"}, {" MARK ", \"name\":\"b\"} ],"
                "\"messages\":[{\"role\":\"user\",\"content\":\"q1\"},{\"role\":\"assistant\",\"content\":[{\"type\":"
                "\"text\",\"text\":\"a1\"},{" MARK ",\"type\":\"tool_use\",\"id\":\"i\"}]},{\"role\":\"user\","
                "\"content\":\"q2\"}]}");
}

static void
a_tools_result_is_stable_at_once(void **state)
{
    (void)state;
    assert_sent(API_MESSAGES,
                "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\","
                "\"content\":\"a\"},{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"content\":\"r\"}]}]}",
                ALL_MARKS, NULL,
                "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\","
                "\"content\":\"a\"},{\"role\":\"user\",\"content\":[{" MARK
                ",\"type\":\"tool_result\",\"content\":\"r\"}]}]}");
}

/* A beginning of an answer that the client wrote itself changes with the next request. */
static void
what_the_client_begins_of_the_answer_is_not_stable(void **state)
{
    (void)state;
    assert_sent(API_MESSAGES,
                "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\","
                "\"content\":\"a\"},{\"role\":\"user\",\"content\":\"r\"},{\"role\":\"assistant\",\"content\":\"{\"}]}",
                ALL_MARKS, NULL,
                "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\","
                "\"content\":[{\"type\":\"text\",\"text\":\"a\"," MARK
                "}]},{\"role\":\"user\",\"content\":\"r\"},{\"role\":\"assistant\",\"content\":\"{\"}]}");
}

/* What an API refuses to mark, or parsers may read otherwise than we do. */
static void
what_takes_no_mark_gets_none(void **state)
{
    static const char *const bodies[] = {
        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"one question\"}]}",
        "{\"model\":\"m\",\"system\":\" \\n\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}",
        "{\"model\":\"m\",\"system\":[],\"tools\":[],\"messages\":[]}",
        "{\"model\":\"m\",\"system\":null,\"tools\":{},\"messages\":\"none\"}",
        "{\"model\":\"m\",\"tools\":[{\"name\":\"a\",\"defer_loading\":true}],\"messages\":[7,[],\"x\",{}]}",
        "{\"model\":\"m\",\"tools\":[{\"name\":\"a\",\"cache_control\":null}],\"messages\":[]}",
        "{\"model\":\"m\",\"system\":[{\"type\":\"text\",\"text\":\"s\",\"cache_control\":null}],\"messages\":[]}",
        "{\"model\":\"m\",\"tools\":[{}],\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}",
        "{\"model\":\"m\",\"tools\":[{\"name\":\"a\",\"name\":\"b\"}],\"messages\":[]}",
        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":"
        "[{\"type\":\"thinking\",\"thinking\":\"hm\"},{\"type\":\"text\",\"text\":\"\"}]},"
        "{\"role\":\"user\",\"content\":\"r\"}]}",
        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":"
        "\"a\",\"content\":\"b\"},{\"role\":\"user\",\"content\":\"r\"}]}",
        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\","
        "\"c\\u006fntent\":"
        "\"a\"},{\"role\":\"user\",\"content\":\"r\"}]}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        assert_sent(API_MESSAGES, bodies[i], ALL_MARKS, NULL, bodies[i]);
}

static void
sees_what_the_client_set_itself(void **state)
{
    struct prompt p;

    (void)state;
    p = read_prompt(API_CHAT, "{\"model\":\"m\",\"prompt_cache_key\":\"mine\",\"messages\":[]}");
    assert_true(p.keyed);
    p = read_prompt(API_CHAT, "{\"model\":\"m\",\"prompt\\u005fcache_key\":\"mine\",\"messages\":[]}");
    assert_true(p.keyed);
    p = read_prompt(API_CHAT,
                    "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"\\\"prompt_cache_key\\\"\"}]}");
    assert_false(p.keyed);
}

static void
a_key_goes_first(void **state)
{
    (void)state;
    assert_sent(API_CHAT, "{\"model\":\"m\",\"messages\":[]}", 0, "abc",
                "{\"prompt_cache_key\":\"abc\",\"model\":\"m\",\"messages\":[]}");
    assert_sent(API_RESPONSES, " {\"model\":\"m\",\"input\":\"x\"}", ALL_MARKS, "abc",
                " {\"prompt_cache_key\":\"abc\",\"model\":\"m\",\"input\":\"x\"}");
}

/* A conversation with tools, as an SDK would send it: `turns` questions, all but the last answered, each by way of a
 * tool. */
static struct buffer
conversation(unsigned turns)
{
    struct buffer body = {0};

    buffer_add_text(&body, "{\"model\":\"m\",\"max_tokens\":9,\"tools\":[");
    for (unsigned i = 0; i < 10; i++)
        buffer_printf(&body, "%s{\"name\":\"tool_%u\",\"input_schema\":{\"type\":\"object\",\"n\":%u}}",
                      i == 0 ? "" : ", ", i, i);
    buffer_add_text(&body, "],\"system\":\"a long word of advice\",\"messages\":[");
    for (unsigned i = 0; i < turns; i++) {
        buffer_printf(&body, "%s{\"role\":\"user\",\"content\":\"question %u\"}", i == 0 ? "" : ",", i);
        if (i + 1 == turns)
            break;
        buffer_printf(&body,
                      ",{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"%u\",\"input\":{}}]},"
                      "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"%u\"}]},"
                      "{\"role\":\"assistant\",\"content\":\"answer %u\"}",
                      i, i, i);
    }
    buffer_add_text(&body, "]}");
    buffer_add_byte(&body, '\0');
    return body;
}

/* Without our marks, and with the texts that became blocks as texts again. */
static struct buffer
unmarked(struct slice text)
{
    static const struct slice added[] = {SLICE_CONSTANT("," MARK "}]"), SLICE_CONSTANT(MARK ","),
                                         SLICE_CONSTANT("[{\"type\":\"text\",\"text\":")};
    struct buffer out = {0};

    while (text.len > 0) {
        size_t i = 0;

        while (i < 3 && !slice_equal(slice_first(text, added[i].len), added[i]))
            i++;
        if (i == 3)
            buffer_add_byte(&out, text.data[0]);
        text = slice_from(text, i == 3 ? 1 : added[i].len);
    }
    return out;
}

static unsigned
count_marks(struct slice text)
{
    unsigned count = 0;

    for (size_t at; (at = slice_find(text, SLICE_LITERAL(MARK))) < text.len; count++)
        text = slice_from(text, at + 1);
    return count;
}

/* Shuffled keys or tools cut a provider's reads to a tenth: what does not change is the same bytes in each turn. */
static void
each_turn_begins_with_the_bytes_of_the_one_before(void **state)
{
    struct prompt_start stable = {0}, newest = {0};

    (void)state;
    for (unsigned turns = 1; turns <= 40; turns++) {
        struct buffer body = conversation(turns), out = sent(API_MESSAGES, body.data, ALL_MARKS, NULL);
        struct buffer plain = unmarked(buffer_content(&out));
        struct prompt prompt = read_prompt(API_MESSAGES, body.data);
        bool seen = false;

        assert_true(slice_is(buffer_content(&plain), body.data));
        assert_int_equal(count_marks(buffer_content(&out)), turns > 1 ? 3 : 2);
        for (size_t i = 0; i < prompt.turn_count; i++)
            seen |= prompt.turns[i].hash == newest.hash && prompt.turns[i].len == newest.len;
        assert_true(seen || turns == 1);
        assert_true(prompt.parts[PROMPT_TURNS].len > stable.len || turns == 1);
        assert_int_equal(prompt.whole.hash, prompt.turns[0].hash);
        newest = prompt.whole;
        stable = prompt.parts[PROMPT_TURNS];
        buffer_free(&body);
        buffer_free(&out);
        buffer_free(&plain);
    }
}

static void
other_tools_or_another_system_is_another_beginning(void **state)
{
    static const char *const bodies[] = {
        "{\"model\":\"m\",\"tools\":[{\"name\":\"a\"}],\"system\":\"s\",\"messages\":[{\"role\":\"user\",\"content\":"
        "\"q\"}]}",
        "{\"model\":\"m\",\"tools\":[{\"name\":\"b\"}],\"system\":\"s\",\"messages\":[{\"role\":\"user\",\"content\":"
        "\"q\"}]}",
        "{\"model\":\"m\",\"tools\":[{\"name\":\"a\"}],\"system\":\"t\",\"messages\":[{\"role\":\"user\",\"content\":"
        "\"q\"}]}",
    };
    struct prompt p[3];

    (void)state;
    for (size_t i = 0; i < 3; i++)
        p[i] = read_prompt(API_MESSAGES, bodies[i]);
    assert_int_equal(p[0].parts[PROMPT_TOOLS].hash, p[2].parts[PROMPT_TOOLS].hash);
    assert_int_not_equal(p[0].parts[PROMPT_TOOLS].hash, p[1].parts[PROMPT_TOOLS].hash);
    assert_int_not_equal(p[0].parts[PROMPT_SYSTEM].hash, p[1].parts[PROMPT_SYSTEM].hash);
    assert_int_not_equal(p[0].parts[PROMPT_SYSTEM].hash, p[2].parts[PROMPT_SYSTEM].hash);
    assert_int_not_equal(p[0].whole.hash, p[2].whole.hash);
}

static void
other_apis_have_the_same_parts(void **state)
{
    struct prompt p;

    (void)state;
    p = read_prompt(API_CHAT, "{\"model\":\"m\",\"tools\":[{}],\"messages\":[{\"role\":\"system\",\"content\":\"s\"},"
                              "{\"role\":\"developer\",\"content\":\"d\"},{\"role\":\"user\",\"content\":\"q\"},"
                              "{\"role\":\"assistant\",\"content\":\"a\"},{\"role\":\"user\",\"content\":\"r\"}]}");
    assert_int_equal(p.turn_count, 3);
    assert_int_equal(p.parts[PROMPT_TOOLS].len, 2);
    assert_true(p.parts[PROMPT_SYSTEM].len > 2 && p.parts[PROMPT_TURNS].len > p.parts[PROMPT_SYSTEM].len);
    assert_int_equal(p.parts[PROMPT_TURNS].hash, p.turns[1].hash);
    p = read_prompt(API_RESPONSES, "{\"model\":\"m\",\"instructions\":\"s\",\"input\":[{\"role\":\"user\",\"content\":"
                                   "\"q\"},{\"type\":\"function_call\"},{\"type\":\"function_call_output\"}]}");
    assert_int_equal(p.parts[PROMPT_TURNS].hash, p.whole.hash);
    assert_true(p.parts[PROMPT_SYSTEM].len == 3);
    for (unsigned part = 0; part < PROMPT_PARTS; part++)
        assert_null(p.places[part].data);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_go_behind_tools_system_and_the_last_stable_turn),
        cmocka_unit_test(a_tools_result_is_stable_at_once),
        cmocka_unit_test(what_the_client_begins_of_the_answer_is_not_stable),
        cmocka_unit_test(what_takes_no_mark_gets_none),
        cmocka_unit_test(sees_what_the_client_set_itself),
        cmocka_unit_test(a_key_goes_first),
        cmocka_unit_test(each_turn_begins_with_the_bytes_of_the_one_before),
        cmocka_unit_test(other_tools_or_another_system_is_another_beginning),
        cmocka_unit_test(other_apis_have_the_same_parts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
