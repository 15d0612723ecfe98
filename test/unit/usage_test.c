/* What providers report is read into one struct: each trap that has cost somebody money has its test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dialect/usage.h"

typedef enum status reader(yyjson_val *report, struct usage *out);

static enum status
read_with(reader *read, const char *json, struct usage *out)
{
    yyjson_doc *doc = yyjson_read(json, strlen(json), 0);
    enum status status;

    assert_non_null(doc);
    status = read(yyjson_doc_get_root(doc), out);
    yyjson_doc_free(doc);
    if (status == OK)
        assert_null(usage_fault(out));
    return status;
}

static struct usage
read_fine(reader *read, const char *json)
{
    struct usage usage;

    assert_int_equal(read_with(read, json, &usage), OK);
    assert_int_equal(usage.exactness, USAGE_EXACT);
    return usage;
}

static enum status
read_answer(enum api api, const char *json, struct usage *usage)
{
    yyjson_doc *doc = yyjson_read(json, strlen(json), 0);
    enum status status = usage_read_answer(api, yyjson_doc_get_root(doc), usage);

    yyjson_doc_free(doc);
    return status;
}

static void
openai_cached_tokens_are_part_of_the_prompt(void **state)
{
    struct usage usage =
        read_fine(usage_read_openai_chat, "{\"prompt_tokens\":1000,\"completion_tokens\":482,\"total_tokens\":1482,"
                                          "\"prompt_tokens_details\":{\"cached_tokens\":768,\"audio_tokens\":12},"
                                          "\"completion_tokens_details\":{\"reasoning_tokens\":448,\"audio_tokens\":0,"
                                          "\"accepted_prediction_tokens\":5,\"rejected_prediction_tokens\":7}}");

    (void)state;
    assert_int_equal(usage.input_tokens, 1000);
    assert_int_equal(usage.cache_read_tokens, 768);
    assert_int_equal(usage.input_audio_tokens, 12);
    assert_int_equal(usage.output_tokens, 482); /* reasoning and rejected predictions are in it */
    assert_int_equal(usage.output_reasoning_tokens, 448);
    assert_true(usage_reports(&usage, USAGE_output_audio_tokens));
    assert_false(usd_known(usage.provider_cost));
}

static void
reasoning_on_top_is_told_by_the_total(void **state)
{
    struct usage on_top =
        read_fine(usage_read_openai_chat, "{\"prompt_tokens\":30,\"completion_tokens\":9,\"total_tokens\":339,"
                                          "\"completion_tokens_details\":{\"reasoning_tokens\":300}}");
    struct usage within =
        read_fine(usage_read_openai_chat, "{\"prompt_tokens\":30,\"completion_tokens\":309,\"total_tokens\":339,"
                                          "\"completion_tokens_details\":{\"reasoning_tokens\":300}}");

    (void)state;
    assert_int_equal(on_top.output_tokens, 309);
    assert_int_equal(within.output_tokens, 309);
    assert_int_equal(on_top.output_reasoning_tokens, 300);
}

static void
other_servers_name_cached_tokens_otherwise(void **state)
{
    static const char *const reports[] = {
        "{\"prompt_tokens\":90,\"completion_tokens\":1,\"prompt_cache_hit_tokens\":64,\"prompt_cache_miss_tokens\":26}",
        "{\"prompt_tokens\":90,\"completion_tokens\":1,\"cached_tokens\":64}",
        "{\"prompt_tokens\":90,\"completion_tokens\":1,\"num_cached_tokens\":64}",
        ("{\"prompt_tokens\":90,\"completion_tokens\":1,\"prompt_tokens_details\":{\"cached_tokens\":64},"
         "\"prompt_cache_hit_tokens\":64}"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof reports / sizeof reports[0]; i++) {
        struct usage usage = read_fine(usage_read_openai_chat, reports[i]);

        assert_int_equal(usage.input_tokens, 90);
        assert_int_equal(usage.cache_read_tokens, 64);
    }
}

static void
details_may_be_null_and_embeddings_have_no_output(void **state)
{
    struct usage usage = read_fine(usage_read_openai_chat, "{\"prompt_tokens\":8,\"total_tokens\":8,"
                                                           "\"prompt_tokens_details\":null,\"cost\":null}");

    (void)state;
    assert_int_equal(usage.input_tokens, 8);
    assert_false(usage_reports(&usage, USAGE_output_tokens));
}

static void
a_cost_that_the_provider_states_is_kept_to_the_pico_dollar(void **state)
{
    struct usage own = read_fine(usage_read_openai_chat, "{\"prompt_tokens\":270,\"completion_tokens\":28,"
                                                         "\"cost\":0.000151,\"is_byok\":false,"
                                                         "\"cost_details\":{\"upstream_inference_cost\":0.000151}}");
    struct usage byok = read_fine(usage_read_openai_chat, "{\"prompt_tokens\":270,\"completion_tokens\":28,"
                                                          "\"cost\":0.0000075,\"is_byok\":true,"
                                                          "\"cost_details\":{\"upstream_inference_cost\":0.00015}}");
    struct usage hidden = read_fine(usage_read_openai_chat, "{\"prompt_tokens\":270,\"completion_tokens\":28,"
                                                            "\"cost\":0,\"is_byok\":true,"
                                                            "\"cost_details\":{\"upstream_inference_cost\":null}}");
    struct usage whole = read_fine(usage_read_openai_chat, "{\"prompt_tokens\":1,\"completion_tokens\":1,\"cost\":2}");

    (void)state;
    assert_int_equal(own.provider_cost, 151000000);
    assert_int_equal(byok.provider_cost, 157500000);
    assert_false(usd_known(hidden.provider_cost)); /* 0 would be a lie: the other provider charges too */
    assert_int_equal(whole.provider_cost, 2 * USD_ONE);
}

static void
responses_count_in_their_own_names(void **state)
{
    struct usage usage = read_fine(usage_read_openai_responses,
                                   "{\"input_tokens\":500,\"output_tokens\":70,\"total_tokens\":570,"
                                   "\"input_tokens_details\":{\"cached_tokens\":256,\"cache_write_tokens\":100},"
                                   "\"output_tokens_details\":{\"reasoning_tokens\":64}}");

    (void)state;
    assert_int_equal(usage.input_tokens, 500);
    assert_int_equal(usage.cache_read_tokens, 256);
    assert_int_equal(usage.cache_write_tokens, 100);
    assert_int_equal(usage.output_tokens, 70);
    assert_int_equal(usage.output_reasoning_tokens, 64);
}

static void
anthropic_cache_tokens_come_on_top(void **state)
{
    struct usage usage =
        read_fine(usage_read_anthropic, "{\"input_tokens\":10,\"cache_read_input_tokens\":2000,"
                                        "\"cache_creation_input_tokens\":300,\"output_tokens\":40,"
                                        "\"cache_creation\":{\"ephemeral_5m_input_tokens\":100,"
                                        "\"ephemeral_1h_input_tokens\":200},"
                                        "\"output_tokens_details\":{\"thinking_tokens\":30},"
                                        "\"server_tool_use\":{\"web_search_requests\":3,\"web_fetch_requests\":1},"
                                        "\"service_tier\":\"priority\",\"inference_geo\":\"us\",\"speed\":\"fast\"}");

    (void)state;
    assert_int_equal(usage.input_tokens, 2310);
    assert_int_equal(usage.cache_read_tokens, 2000);
    assert_int_equal(usage.cache_write_tokens, 300);
    assert_int_equal(usage.cache_write_5m_tokens, 100);
    assert_int_equal(usage.cache_write_1h_tokens, 200);
    assert_int_equal(usage.output_reasoning_tokens, 30);
    assert_int_equal(usage.web_searches, 3);
    assert_string_equal(usage.service_tier, "priority");
    assert_string_equal(usage.inference_geo, "us");
    assert_string_equal(usage.speed, "fast");
}

static const char *const message_start =
    "{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":25,\"cache_read_input_tokens\":100,"
    "\"cache_creation_input_tokens\":0,\"output_tokens\":1}}}";

static struct usage
merge(const char *start, const char *delta)
{
    struct usage usage;

    usage_init(&usage);
    assert_int_equal(read_answer(API_MESSAGES, start, &usage), OK);
    assert_int_equal(read_answer(API_MESSAGES, delta, &usage), OK);
    assert_null(usage_fault(&usage));
    return usage;
}

static void
scenario_8_message_delta_without_input_keeps_the_input(void **state)
{
    struct usage without = merge(message_start, "{\"type\":\"message_delta\",\"usage\":{\"output_tokens\":88}}");
    struct usage nulls = merge(message_start, "{\"usage\":{\"input_tokens\":null,\"output_tokens\":88}}");
    struct usage zeros =
        merge(message_start, "{\"usage\":{\"input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":88}}");

    (void)state;
    assert_int_equal(without.input_tokens, 125);
    assert_int_equal(without.output_tokens, 88); /* cumulative: not 89 */
    assert_memory_equal(&without.counts, &nulls.counts, sizeof without.counts);
    assert_memory_equal(&without.counts, &zeros.counts, sizeof without.counts);
}

static void
scenario_8_message_delta_with_input_wins(void **state)
{
    struct usage usage = merge(message_start, "{\"usage\":{\"input_tokens\":30,\"cache_read_input_tokens\":200,"
                                              "\"cache_creation_input_tokens\":7,\"output_tokens\":88}}");

    (void)state;
    assert_int_equal(usage.input_tokens, 237);
    assert_int_equal(usage.cache_read_tokens, 200);
    assert_int_equal(usage.cache_write_tokens, 7);
    assert_int_equal(usage.exactness, USAGE_EXACT);
}

static void
a_cut_stream_knows_only_what_it_was_told(void **state)
{
    struct usage usage;

    (void)state;
    usage_init(&usage);
    assert_int_equal(read_answer(API_MESSAGES, "{\"usage\":{\"output_tokens\":88}}", &usage), OK);
    assert_int_equal(usage.exactness, USAGE_UNKNOWN); /* the input was never told: it is not 0 */
    assert_int_equal(read_answer(API_MESSAGES, "{\"type\":\"content_block_delta\"}", &usage), ERR_NOT_FOUND);
    assert_int_equal(usage.output_tokens, 88);
}

static void
iterations_beyond_the_totals_make_it_an_estimate(void **state)
{
    struct usage usage;

    (void)state;
    assert_int_equal(read_with(usage_read_anthropic,
                               "{\"input_tokens\":220,\"output_tokens\":8,\"iterations\":["
                               "{\"type\":\"compaction\",\"input_tokens\":55000,\"output_tokens\":125},"
                               "{\"type\":\"message\",\"input_tokens\":220,\"output_tokens\":8}]}",
                               &usage),
                     OK);
    assert_int_equal(usage.exactness, USAGE_ESTIMATED);
}

static void
gemini_thoughts_and_tools_come_on_top(void **state)
{
    struct usage usage =
        read_fine(usage_read_gemini, "{\"promptTokenCount\":900,\"cachedContentTokenCount\":512,"
                                     "\"candidatesTokenCount\":50,\"thoughtsTokenCount\":200,"
                                     "\"toolUsePromptTokenCount\":60,\"totalTokenCount\":1210,"
                                     "\"promptTokensDetails\":[{\"modality\":\"TEXT\",\"tokenCount\":640},"
                                     "{\"modality\":\"AUDIO\",\"tokenCount\":260}],"
                                     "\"toolUsePromptTokensDetails\":[{\"modality\":\"TEXT\",\"tokenCount\":60}],"
                                     "\"cacheTokensDetails\":[{\"modality\":\"TEXT\",\"tokenCount\":512}],"
                                     "\"serviceTier\":\"standard\"}");

    (void)state;
    assert_int_equal(usage.input_tokens, 960);
    assert_int_equal(usage.cache_read_tokens, 512);
    assert_int_equal(usage.output_tokens, 250);
    assert_int_equal(usage.output_reasoning_tokens, 200);
    assert_int_equal(usage.input_tool_tokens, 60);
    assert_int_equal(usage.input_text_tokens, 700);
    assert_int_equal(usage.input_audio_tokens, 260);
    assert_int_equal(usage.cache_text_read_tokens, 512);
    assert_string_equal(usage.service_tier, "standard");
}

static void
counts_that_cannot_be_are_refused(void **state)
{
    static const struct {
        const char *json;
        enum status expected;
    } cases[] = {
        {"{\"prompt_tokens\":-1,\"completion_tokens\":1}", ERR_INVALID},
        {"{\"prompt_tokens\":1.5,\"completion_tokens\":1}", ERR_INVALID},
        {"{\"prompt_tokens\":\"12\",\"completion_tokens\":1}", ERR_INVALID},
        {"{\"prompt_tokens\":true,\"completion_tokens\":1}", ERR_INVALID},
        {"{\"prompt_tokens\":[],\"completion_tokens\":1}", ERR_INVALID},
        {"{\"prompt_tokens\":1e300,\"completion_tokens\":1}", ERR_LIMIT},
        {"{\"prompt_tokens\":18446744073709551615,\"completion_tokens\":1}", ERR_LIMIT},
        {"{\"prompt_tokens\":1,\"completion_tokens\":1,\"prompt_tokens_details\":{\"cached_tokens\":-5}}", ERR_INVALID},
        {"{\"completion_tokens\":1}", ERR_NOT_FOUND},
        {"{}", ERR_NOT_FOUND},
        {"null", ERR_NOT_FOUND},
        {"[1,2]", ERR_NOT_FOUND},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct usage usage;

        assert_int_equal(read_with(usage_read_openai_chat, cases[i].json, &usage), cases[i].expected);
        assert_int_equal(usage.exactness, USAGE_UNKNOWN);
        assert_int_equal(usage.reported, 0);
    }
}

static void
whole_numbers_may_be_written_as_reals(void **state)
{
    struct usage usage = read_fine(usage_read_openai_chat, "{\"prompt_tokens\":12.0,\"completion_tokens\":3e2}");

    (void)state;
    assert_int_equal(usage.input_tokens, 12);
    assert_int_equal(usage.output_tokens, 300);
}

static void
answers_and_events_of_every_api_are_read(void **state)
{
    struct usage usage;

    (void)state;
    usage_init(&usage);
    assert_int_equal(read_answer(API_CHAT,
                                 "{\"choices\":[{\"index\":0,\"delta\":{}}],\"service_tier\":\"flex\","
                                 "\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":6}}",
                                 &usage),
                     OK);
    assert_int_equal(usage.output_tokens, 6); /* scenario 1: choices and usage in one chunk */
    assert_string_equal(usage.service_tier, "flex");
    assert_int_equal(read_answer(API_CHAT, "{\"choices\":[],\"usage\":null}", &usage), ERR_NOT_FOUND);
    assert_int_equal(usage.output_tokens, 6);
    assert_int_equal(read_answer(API_RESPONSES,
                                 "{\"type\":\"response.completed\",\"response\":{\"service_tier\":"
                                 "\"default\",\"usage\":{\"input_tokens\":7,\"output_tokens\":8}}}",
                                 &usage),
                     OK);
    assert_int_equal(usage.input_tokens, 7);
    assert_string_equal(usage.service_tier, "default");
    assert_int_equal(read_answer(API_PASSTHROUGH, "{\"usageMetadata\":{\"promptTokenCount\":9}}", &usage), OK);
    assert_int_equal(usage.input_tokens, 9);
    assert_int_equal(read_answer(API_PASSTHROUGH, "{\"usage\":{\"prompt_tokens\":10}}", &usage), OK);
    assert_int_equal(usage.input_tokens, 10);
    usage_init(&usage);
    assert_int_equal(read_answer(API_PASSTHROUGH,
                                 "{\"usage\":{\"input_tokens\":11,\"cache_read_input_tokens\":4,"
                                 "\"output_tokens\":1}}",
                                 &usage),
                     OK);
    assert_int_equal(usage.input_tokens, 15);
    assert_int_equal(read_answer(API_PASSTHROUGH, "{\"object\":\"list\"}", &usage), ERR_NOT_FOUND);
}

static void
scenario_10_attempts_add_up(void **state)
{
    struct usage total = read_fine(usage_read_openai_chat, "{\"prompt_tokens\":5,\"completion_tokens\":6,\"cost\":1}");
    struct usage more = read_fine(usage_read_openai_chat, "{\"prompt_tokens\":50,\"completion_tokens\":60}");
    struct usage sum = total, huge = total;

    (void)state;
    assert_int_equal(usage_add(&sum, &more), OK);
    assert_int_equal(sum.input_tokens, 55);
    assert_int_equal(sum.output_tokens, 66);
    assert_false(usd_known(sum.provider_cost)); /* one of them is not known */
    usage_set(&huge, USAGE_input_tokens, USAGE_COUNT_MOST);
    assert_int_equal(usage_add(&huge, &more), ERR_LIMIT);
    assert_int_equal(huge.input_tokens, USAGE_COUNT_MOST);
}

static void
kinds_know_what_they_are_part_of(void **state)
{
    (void)state;
    assert_true(usage_kind_within(USAGE_cache_read_tokens, USAGE_input_tokens));
    assert_true(usage_kind_within(USAGE_cache_write_1h_tokens, USAGE_cache_write_tokens));
    assert_false(usage_kind_within(USAGE_input_tokens, USAGE_cache_read_tokens));
    assert_false(usage_kind_within(USAGE_cache_read_tokens, USAGE_output_tokens));
    assert_true(usage_kinds_overlap(USAGE_cache_read_tokens, USAGE_input_audio_tokens));
    assert_false(usage_kinds_overlap(USAGE_cache_read_tokens, USAGE_cache_write_tokens));
    assert_true(usage_kind_joins(USAGE_cache_audio_read_tokens, USAGE_cache_read_tokens, USAGE_input_audio_tokens));
    assert_int_equal(usage_kind_side(USAGE_web_searches), USAGE_OTHER);
    for (unsigned kind = 0; kind < USAGE_KIND_COUNT; kind++) {
        enum usage_kind found;

        assert_int_equal(usage_kind_find(slice_of(usage_kind_name(kind)), &found), OK);
        assert_int_equal(found, kind);
        assert_int_equal(usage_kind_find_price(slice_of(usage_kind_price_name(kind)), &found), OK);
        assert_int_equal(found, kind);
        assert_in_range(usage_kind_depth(kind), 1, USAGE_DEPTH_MOST);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openai_cached_tokens_are_part_of_the_prompt),
        cmocka_unit_test(reasoning_on_top_is_told_by_the_total),
        cmocka_unit_test(other_servers_name_cached_tokens_otherwise),
        cmocka_unit_test(details_may_be_null_and_embeddings_have_no_output),
        cmocka_unit_test(a_cost_that_the_provider_states_is_kept_to_the_pico_dollar),
        cmocka_unit_test(responses_count_in_their_own_names),
        cmocka_unit_test(anthropic_cache_tokens_come_on_top),
        cmocka_unit_test(scenario_8_message_delta_without_input_keeps_the_input),
        cmocka_unit_test(scenario_8_message_delta_with_input_wins),
        cmocka_unit_test(a_cut_stream_knows_only_what_it_was_told),
        cmocka_unit_test(iterations_beyond_the_totals_make_it_an_estimate),
        cmocka_unit_test(gemini_thoughts_and_tools_come_on_top),
        cmocka_unit_test(counts_that_cannot_be_are_refused),
        cmocka_unit_test(whole_numbers_may_be_written_as_reals),
        cmocka_unit_test(answers_and_events_of_every_api_are_read),
        cmocka_unit_test(scenario_10_attempts_add_up),
        cmocka_unit_test(kinds_know_what_they_are_part_of),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
