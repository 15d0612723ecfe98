/* What engines' own pages tell, by their old names and their new ones. */
#include "fleet/health/engine_metrics.h"

#include <math.h>
#include <stdio.h>

#include "cmocka_ready.h"

static struct engine_told
read_page(enum engine engine, const char *text)
{
    struct engine_told told;
    unsigned line;
    const char *why;

    if (engine_metrics_read(engine, slice_of(text), &told, &line, &why) != OK)
        fail_msg("line %u: %s", line, why);
    return told;
}

static void
assert_told(const struct engine_told *told, enum told_field field, double value)
{
    if (fabs(told->of[field] - value) > 1e-9)
        fail_msg("%s is %g, not %g", told_field_name(field), told->of[field], value);
}

/* Two engines of one server, as data parallelism has it: their requests add up, their shares do not. */
static void
vllm_of_today(void **state)
{
    struct engine_told told =
        read_page(ENGINE_VLLM, "# TYPE vllm:num_requests_running gauge\n"
                               "vllm:num_requests_running{engine=\"0\",model_name=\"m\"} 3.0\n"
                               "vllm:num_requests_running{engine=\"1\",model_name=\"m\"} 5.0\n"
                               "vllm:num_requests_waiting{engine=\"0\",model_name=\"m\"} 0.0\n"
                               "vllm:num_requests_waiting{engine=\"1\",model_name=\"m\"} 7.0\n"
                               "vllm:kv_cache_usage_perc{engine=\"0\",model_name=\"m\"} 0.2\n"
                               "vllm:kv_cache_usage_perc{engine=\"1\",model_name=\"m\"} 0.6\n"
                               "vllm:prefix_cache_queries_total{engine=\"0\",model_name=\"m\"} 200.0\n"
                               "vllm:prefix_cache_hits_total{engine=\"0\",model_name=\"m\"} 50.0\n"
                               "vllm:prompt_tokens_total{engine=\"0\",model_name=\"m\"} 1.2e+03\n"
                               "vllm:generation_tokens_total{engine=\"0\",model_name=\"m\"} 34.0\n"
                               "vllm:num_preemptions_total{engine=\"0\",model_name=\"m\"} 2.0\n");

    (void)state;
    assert_told(&told, TOLD_RUNNING, 8);
    assert_told(&told, TOLD_QUEUED, 7);
    assert_told(&told, TOLD_KV_SHARE, 0.4);
    assert_told(&told, TOLD_PREFIX_ASKED, 200);
    assert_told(&told, TOLD_PREFIX_FOUND, 50);
    assert_told(&told, TOLD_PROMPT_TOKENS, 1200);
    assert_told(&told, TOLD_GENERATED_TOKENS, 34);
    assert_told(&told, TOLD_PREEMPTIONS, 2);
    assert_told(&told, TOLD_PREFIX_SHARE, -1);
}

/* The old names count where the new ones are not; a page that has both counts nothing twice. */
static void
vllm_of_yesterday(void **state)
{
    struct engine_told told = read_page(ENGINE_VLLM, "vllm:gpu_cache_usage_perc{model_name=\"m\"} 0.5\n"
                                                     "vllm:gpu_prefix_cache_queries_total{model_name=\"m\"} 10\n"
                                                     "vllm:gpu_prefix_cache_hits_total{model_name=\"m\"} 4\n");

    (void)state;
    assert_told(&told, TOLD_KV_SHARE, 0.5);
    assert_told(&told, TOLD_PREFIX_ASKED, 10);
    assert_told(&told, TOLD_PREFIX_FOUND, 4);
    assert_told(&told, TOLD_RUNNING, -1);
    told = read_page(ENGINE_TWIN, "vllm:gpu_cache_usage_perc 0.5\nvllm:kv_cache_usage_perc 0.25\n");
    assert_told(&told, TOLD_KV_SHARE, 0.25);
}

/* Ranks of one engine repeat what it says; ranks of data parallelism are engines. */
static void
sglang_counts_ranks_once(void **state)
{
    struct engine_told told =
        read_page(ENGINE_SGLANG, "sglang:num_running_reqs{dp_rank=\"0\",tp_rank=\"0\",model_name=\"m\"} 4\n"
                                 "sglang:num_running_reqs{model_name=\"m\",tp_rank=\"1\",dp_rank=\"0\"} 4\n"
                                 "sglang:num_running_reqs{dp_rank=\"1\",tp_rank=\"2\",model_name=\"m\"} 6\n"
                                 "sglang:num_queue_reqs{model_name=\"m\"} 9\n"
                                 "sglang:token_usage{model_name=\"m\"} 0.28\n"
                                 "sglang:cache_hit_rate{model_name=\"m\"} 0.75\n"
                                 "sglang:prompt_tokens_total{model_name=\"m\"} 8.128902e+06\n"
                                 "sglang:cached_tokens_total{model_name=\"m\",cache_source=\"device\"} 100\n"
                                 "sglang:cached_tokens_total{model_name=\"m\",cache_source=\"host\"} 11\n"
                                 "sglang:generation_tokens_total{model_name=\"m\"} 7.557572e+06\n");

    (void)state;
    assert_told(&told, TOLD_RUNNING, 10);
    assert_told(&told, TOLD_QUEUED, 9);
    assert_told(&told, TOLD_KV_SHARE, 0.28);
    assert_told(&told, TOLD_PREFIX_SHARE, 0.75);
    assert_told(&told, TOLD_PREFIX_FOUND, 111);
    assert_told(&told, TOLD_PREFIX_ASKED, 8128902);
    assert_told(&told, TOLD_GENERATED_TOKENS, 7557572);
}

/* It shows the whole of who runs and waits with an empty label, and its parts by priority beside it; of tokens only parts. */
static void
sglang_counts_priorities_once(void **state)
{
    struct engine_told told =
        read_page(ENGINE_SGLANG, "sglang:num_running_reqs{model_name=\"m\",priority=\"\",tp_rank=\"0\"} 14\n"
                                 "sglang:num_running_reqs{model_name=\"m\",priority=\"-1\",tp_rank=\"0\"} 4\n"
                                 "sglang:num_running_reqs{model_name=\"m\",priority=\"0\",tp_rank=\"0\"} 10\n"
                                 "sglang:num_queue_reqs{model_name=\"m\",priority=\"\",tp_rank=\"0\"} 2\n"
                                 "sglang:num_queue_reqs{model_name=\"m\",priority=\"-1\",tp_rank=\"0\"} 2\n"
                                 "sglang:prompt_tokens_total{model_name=\"m\",priority=\"\"} 7\n"
                                 "sglang:prompt_tokens_total{model_name=\"m\",priority=\"-1\"} 500\n"
                                 "sglang:prompt_tokens_total{model_name=\"m\",priority=\"0\"} 1000\n"
                                 "sglang:generation_tokens_total{model_name=\"m\",priority=\"0\"} 90\n");

    (void)state;
    assert_true(told.of[TOLD_RUNNING] == 14);
    assert_true(told.of[TOLD_QUEUED] == 2);
    assert_true(told.of[TOLD_PROMPT_TOKENS] == 1507);
    assert_true(told.of[TOLD_GENERATED_TOKENS] == 90);
}

static void
llama_cpp_and_tgi(void **state)
{
    struct engine_told told =
        read_page(ENGINE_LLAMACPP, "# HELP llamacpp:requests_deferred Number of requests deferred.\n"
                                   "# TYPE llamacpp:requests_deferred gauge\n"
                                   "llamacpp:requests_deferred 2\n"
                                   "llamacpp:requests_processing 4\n"
                                   "llamacpp:prompt_tokens_total 120\n"
                                   "llamacpp:prompt_tokens_cached_total 30\n"
                                   "llamacpp:tokens_predicted_total 33\n");

    (void)state;
    assert_told(&told, TOLD_QUEUED, 2);
    assert_told(&told, TOLD_RUNNING, 4);
    assert_told(&told, TOLD_KV_SHARE, -1);
    assert_told(&told, TOLD_PROMPT_TOKENS, 120);
    assert_told(&told, TOLD_GENERATED_TOKENS, 33);
    assert_told(&told, TOLD_PREFIX_FOUND, 30);
    assert_told(&told, TOLD_PREFIX_ASKED, 150);
    told = read_page(ENGINE_TGI, "tgi_queue_size 5\ntgi_batch_current_size 16\n"
                                 "tgi_request_input_length_sum 900\ntgi_request_generated_tokens_sum 80\n");
    assert_told(&told, TOLD_QUEUED, 5);
    assert_told(&told, TOLD_RUNNING, 16);
    assert_told(&told, TOLD_PROMPT_TOKENS, 900);
    assert_told(&told, TOLD_GENERATED_TOKENS, 80);
}

static void
triton_with_and_without_tensorrt_llm(void **state)
{
    struct engine_told told =
        read_page(ENGINE_TRITON, "nv_inference_pending_request_count{model=\"a\",version=\"1\"} 3\n"
                                 "nv_inference_pending_request_count{model=\"b\",version=\"1\"} 1\n");

    (void)state;
    assert_told(&told, TOLD_QUEUED, 4);
    assert_told(&told, TOLD_RUNNING, -1);
    told =
        read_page(ENGINE_TRITON, "nv_trt_llm_request_metrics{model=\"t\",request_type=\"waiting\",version=\"1\"} 2\n"
                                 "nv_trt_llm_request_metrics{model=\"t\",request_type=\"scheduled\",version=\"1\"} 8\n"
                                 "nv_trt_llm_request_metrics{model=\"t\",request_type=\"max\",version=\"1\"} 512\n"
                                 "nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type=\"used\",model=\"t\"} 90\n"
                                 "nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type=\"fraction\",model=\"t\"} 0.3\n"
                                 "nv_inference_pending_request_count{model=\"t\",version=\"1\"} 99\n");
    assert_told(&told, TOLD_QUEUED, 2);
    assert_told(&told, TOLD_RUNNING, 8);
    assert_told(&told, TOLD_KV_SHARE, 0.3);
}

/* A value that cannot be is none. */
/* Whose page it is, whatever the configuration says. */
static void
a_page_tells_whose_it_is(void **state)
{
    (void)state;
    assert_int_equal(engine_metrics_guess(SLICE_LITERAL("vllm:num_requests_running 1\nvllm:num_requests_waiting 0\n")),
                     ENGINE_VLLM);
    assert_int_equal(engine_metrics_guess(SLICE_LITERAL("sglang:num_running_reqs 1\nsglang:token_usage 0.5\n")),
                     ENGINE_SGLANG);
    assert_int_equal(engine_metrics_guess(SLICE_LITERAL("llamacpp:requests_processing 1\n")), ENGINE_LLAMACPP);
    assert_int_equal(engine_metrics_guess(SLICE_LITERAL("tgi_queue_size 1\n")), ENGINE_TGI);
    assert_int_equal(engine_metrics_guess(SLICE_LITERAL("nv_inference_pending_request_count 1\n")), ENGINE_TRITON);
    assert_int_equal(engine_metrics_guess(SLICE_LITERAL("go_goroutines 7\n")), ENGINE_HOSTED);
    assert_int_equal(engine_metrics_guess(SLICE_LITERAL("<html>")), ENGINE_HOSTED);
}

static void
nonsense_is_not_told(void **state)
{
    struct engine_told told = read_page(ENGINE_VLLM, "vllm:num_requests_running NaN\nvllm:num_requests_waiting -1\n"
                                                     "vllm:kv_cache_usage_perc 1.7\nvllm:prompt_tokens_total +Inf\n"
                                                     "llamacpp:requests_processing 4\n");
    const struct engine_told before = told;
    unsigned line;
    const char *why;

    (void)state;
    assert_told(&told, TOLD_RUNNING, -1);
    assert_told(&told, TOLD_QUEUED, -1);
    assert_told(&told, TOLD_PROMPT_TOKENS, -1);
    assert_told(&told, TOLD_KV_SHARE, 1);
    assert_int_equal(
        engine_metrics_read(ENGINE_VLLM, SLICE_LITERAL("vllm:num_requests_running 1\noops\n"), &told, &line, &why),
        ERR_INVALID);
    assert_int_equal(line, 2);
    assert_memory_equal(&told, &before, sizeof(told));
}

static void
slots_tell_the_room_of_llama_cpp(void **state)
{
    double share = -1;

    (void)state;
    assert_int_equal(engine_slots_read(SLICE_LITERAL("[{\"id\":0,\"n_ctx\":2048,\"is_processing\":true},"
                                                     "{\"id\":1,\"n_ctx\":2048,\"is_processing\":false},"
                                                     "{\"id\":2,\"n_ctx\":4096,\"is_processing\":true}]"),
                                       &share),
                     OK);
    assert_true(fabs(share - 0.75) < 1e-9);
    assert_int_equal(
        engine_slots_read(SLICE_LITERAL("[{\"n_ctx\":1000,\"is_processing\":true,\"n_prompt_tokens\":700},"
                                        "{\"n_ctx\":1000,\"is_processing\":false},"
                                        "{\"n_ctx\":2000,\"is_processing\":true,\"n_prompt_tokens\":9e9}]"),
                          &share),
        OK);
    assert_true(fabs(share - 0.675) < 1e-9);
    share = 0.75;
    assert_int_equal(engine_slots_read(SLICE_LITERAL("[]"), &share), ERR_INVALID);
    assert_int_equal(engine_slots_read(SLICE_LITERAL("{\"error\":{}}"), &share), ERR_INVALID);
    assert_int_equal(engine_slots_read(SLICE_LITERAL("[{\"n_ctx\":0,\"is_processing\":true}]"), &share), ERR_INVALID);
    assert_int_equal(engine_slots_read(SLICE_LITERAL("[{\"n_ctx\":10}]"), &share), ERR_INVALID);
    assert_int_equal(engine_slots_read(SLICE_LITERAL("nonsense"), &share), ERR_INVALID);
    assert_true(fabs(share - 0.75) < 1e-9);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vllm_of_today),
        cmocka_unit_test(vllm_of_yesterday),
        cmocka_unit_test(sglang_counts_ranks_once),
        cmocka_unit_test(sglang_counts_priorities_once),
        cmocka_unit_test(llama_cpp_and_tgi),
        cmocka_unit_test(triton_with_and_without_tensorrt_llm),
        cmocka_unit_test(a_page_tells_whose_it_is),
        cmocka_unit_test(nonsense_is_not_told),
        cmocka_unit_test(slots_tell_the_room_of_llama_cpp),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
