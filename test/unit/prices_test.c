/* The price book: what is found for a name, and what a usage costs under it. All files and answers here are made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "money/prices/prices.h"
#include "money/prices/prices_builtin.h"

#define JSON(...) #__VA_ARGS__

/* clang-format off */
static const char file[] = JSON([
  {"id": "acme", "name": "Acme", "api_pattern": "https://(api\\.)?acme\\.example", "provider_match": {"contains": "acme"},
   "model_match": {"starts_with": "roadrunner"},
   "extractors": [
    {"api_flavor": "chat", "root": "usage", "model_path": "model", "mappings": [
      {"path": "prompt_tokens", "dest": "input_tokens"},
      {"path": ["prompt_tokens_details", "cached_tokens"], "dest": "cache_read_tokens", "required": false},
      {"path": "completion_tokens", "dest": "output_tokens"}]},
    {"api_flavor": "lists", "root": ["meta", "used"], "model_path": "name", "mappings": [
      {"path": ["parts", {"type": "array-match", "field": "kind", "match": {"equals": "IN"}}, "n"], "dest": "input_tokens"},
      {"path": "seconds", "dest": "audio_seconds", "required": false}]}],
   "models": [
    {"id": "plain", "match": {"or": [{"equals": "plain"}, {"regex": "^plain-\\d{4}-\\d{2}-\\d{2}$"}]},
     "context_window": 1000, "prices": {"input_mtok": 2, "output_mtok": 10}},
    {"id": "cached", "match": {"starts_with": "cached"}, "prices": {"input_mtok": 3, "cache_read_mtok": 0.3,
      "cache_write_mtok": 3.75, "cache_write_1h_mtok": 6, "output_mtok": 15, "web_searches_kcount": 10}},
    {"id": "long", "match": {"and": [{"contains": "lo"}, {"ends_with": "ng"}]}, "prices": {
      "input_mtok": {"base": 1, "tiers": [{"start": 400, "price": 4}, {"start": 200, "price": 2}]},
      "output_mtok": {"base": 5, "tiers": [{"start": 200, "price": 7}]}}},
    {"id": "dated", "match": {"equals": "dated"}, "prices": [
      {"prices": {"input_mtok": 1, "output_mtok": 1}},
      {"constraint": {"start_date": "2026-03-01"}, "prices": {"input_mtok": 2, "output_mtok": 2}}]},
    {"id": "nightly", "match": {"equals": "nightly"}, "prices": [
      {"prices": {"input_mtok": 1, "output_mtok": 1}},
      {"constraint": {"start_time": "22:00:00Z", "end_time": "06:00:00+02:00"}, "prices": {"input_mtok": 0.5, "output_mtok": 0.5}}]},
    {"id": "audio", "match": {"equals": "audio"}, "prices": {"input_mtok": 1, "cache_read_mtok": 0.1, "input_audio_mtok": 8,
      "cache_audio_read_mtok": 0.8, "output_mtok": 4, "output_audio_mtok": 16}},
    {"id": "tiered", "match": {"equals": "tiered"}, "prices": {"input_mtok": 4, "output_mtok": 8}, "price_variants": [
      {"when": {"service_tier": "priority"}, "prices": {"input_mtok": 7, "output_mtok": 14}},
      {"when": {"processing": "batch"}, "prices": {"input_mtok": 1}},
      {"when": {"speed": "fast"}, "constraint": {"start_date": "2026-06-01"}, "prices": {"output_mtok": 80}}]},
    {"id": "reasoning", "match": {"equals": "reasoning"}, "prices": {"input_mtok": 1, "output_mtok": 2,
      "output_reasoning_mtok": 3}},
    {"id": "per-request", "match": {"equals": "per-request"}, "prices": {"input_mtok": 1, "requests_kcount": 5}},
    {"id": "whisper", "match": {"equals": "whisper"}, "prices": {"audio_hours": 0.36}},
    {"id": "odd", "match": {"equals": "odd"}, "prices": {"input_mtok": 0.0123456, "output_mtok": 0.08333333333333334}},
    {"id": "broken", "match": {"equals": "broken"}, "prices": {"output_mtok": 1, "cache_read_mtok": 1}}]},
  {"id": "reseller", "name": "Reseller", "api_pattern": "https://[^/]+\\.resell\\.example(/|$)",
   "fallback_model_providers": ["acme"],
   "models": [{"id": "plain", "match": {"equals": "plain"}, "prices": {"input_mtok": 3, "output_mtok": 11}}]}
]);
/* clang-format on */

static struct price_book *
book_of(const char *json)
{
    struct price_book *book = NULL;
    struct problems problems;

    problems_init(&problems);
    assert_int_equal(prices_load(slice_of(json), "made-up.json", &problems, &book), OK);
    assert_int_equal(problems.count, 0);
    problems_free(&problems);
    return book;
}

static int
make_book(void **state)
{
    *state = book_of(file);
    return 0;
}

static int
release_book(void **state)
{
    prices_release(*state);
    return 0;
}

static usec
at(const char *text)
{
    usec wall_us;

    assert_int_equal(clock_parse_utc(slice_of(text), &wall_us), OK);
    return wall_us;
}

static struct usage
tokens(int64_t input, int64_t output)
{
    struct usage usage;

    usage_init(&usage);
    usage_set(&usage, USAGE_input_tokens, input);
    usage_set(&usage, USAGE_output_tokens, output);
    usage.exactness = USAGE_EXACT;
    return usage;
}

static struct cost
cost_at(const struct price_book *book, const char *model, const char *when, const struct usage *usage)
{
    struct price_terms terms = {.wall_us = at(when)};

    return prices_cost(prices_resolve(book, NULL, "acme", slice_of(model)), &terms, usage);
}

static void
assert_cost(const struct price_book *book, const char *model, const struct usage *usage, const char *input,
            const char *output, const char *total)
{
    struct cost cost = cost_at(book, model, "2026-01-15T12:00:00Z", usage);
    char text[USD_TEXT_SIZE];

    assert_null(cost.why_unknown);
    usd_format(cost.input, text);
    assert_string_equal(text, input);
    usd_format(cost.output, text);
    assert_string_equal(text, output);
    usd_format(cost.total, text);
    assert_string_equal(text, total);
    assert_int_equal(cost.total, cost.input + cost.output + cost.other);
}

static void
assert_unknown(struct cost cost, const char *why_holds)
{
    assert_false(usd_known(cost.total));
    assert_false(usd_known(cost.input));
    assert_non_null(cost.why_unknown);
    assert_non_null(strstr(cost.why_unknown, why_holds));
}

static void
names_are_found_as_the_file_says(void **state)
{
    struct price_book *book = *state;
    const struct price *price = prices_resolve(book, NULL, "acme", slice_of("PLAIN-2025-08-07"));

    assert_non_null(price);
    assert_string_equal(price_model(price), "plain");
    assert_string_equal(price_provider(price), "acme");
    assert_int_equal(price_context_window(price), 1000);
    assert_ptr_equal(prices_resolve(book, NULL, "acme", slice_of("plain-20250807")),
                     price); /* as some gateways write dates */
    assert_ptr_equal(prices_resolve(book, NULL, "acme", slice_of("plain")), price);
    assert_null(prices_resolve(book, NULL, "acme", slice_of("plain-20251307")));
    assert_null(prices_resolve(book, NULL, "acme", slice_of("plainer")));
    assert_null(prices_resolve(book, NULL, "nobody", slice_of("plain")));
    assert_null(prices_resolve(book, NULL, NULL, slice_of("plain")));
    assert_non_null(prices_resolve(book, NULL, "acme", slice_of("a-lot-of-song")));
    assert_null(prices_resolve(book, NULL, "acme", slice_of("a-lot-of-songs")));
}

static void
a_reseller_has_own_prices_and_falls_back_for_the_rest(void **state)
{
    struct price_book *book = *state;
    const struct price *own = prices_resolve(book, NULL, "reseller", slice_of("plain"));
    const struct price *other = prices_resolve(book, NULL, "reseller", slice_of("cached-1"));

    assert_int_equal(price_rate_at(own, 0, USAGE_input_tokens), 3 * USD_RATE_ONE);
    assert_int_equal(price_rate_at(other, 0, USAGE_output_tokens), 15 * USD_RATE_ONE);
    assert_true(price_rate_at(other, 0, USAGE_input_audio_tokens) == USD_RATE_NONE);
    assert_string_equal(price_provider(other), "reseller");
}

static void
providers_are_known_by_name_url_and_model(void **state)
{
    struct price_book *book = *state;

    assert_string_equal(prices_provider_by_name(book, slice_of("acme")), "acme");
    assert_string_equal(prices_provider_by_name(book, slice_of(" Acme-EU ")), "acme");
    assert_null(prices_provider_by_name(book, slice_of("resell")));
    assert_string_equal(prices_provider_by_url(book, slice_of("https://api.acme.example/v1")), "acme");
    assert_string_equal(prices_provider_by_url(book, slice_of("https://eu.resell.example")), "reseller");
    assert_null(prices_provider_by_url(book, slice_of("http://evil.example/?https://api.acme.example")));
    assert_null(prices_provider_by_url(book, SLICE_NONE));
    assert_string_equal(prices_provider_by_model(book, slice_of("RoadRunner-2")), "acme");
    assert_null(prices_provider_by_model(book, slice_of("coyote")));
}

static void
scenario_3_cache_reads_and_writes_are_paid_at_their_own_rates(void **state)
{
    struct usage usage = tokens(2310, 40);

    usage_set(&usage, USAGE_cache_read_tokens, 2000);
    usage_set(&usage, USAGE_cache_write_tokens, 300);
    usage_set(&usage, USAGE_cache_write_1h_tokens, 200);
    usage_set(&usage, USAGE_web_searches, 3);
    /* 10 at 3, 2000 at 0.3, 100 at 3.75, 200 at 6 per million; 40 at 15; 3 searches at 10 per thousand */
    assert_cost(*state, "cached", &usage, "0.002205", "0.0006", "0.032805");
}

static void
where_a_part_has_no_rate_the_whole_pays_for_it(void **state)
{
    struct usage usage = tokens(1000, 10);

    usage_set(&usage, USAGE_cache_read_tokens, 900);
    assert_cost(*state, "plain", &usage, "0.002", "0.0001", "0.0021");
}

static void
scenario_4_reasoning_is_part_of_output_and_all_of_it_is_paid(void **state)
{
    struct usage usage = tokens(0, 482);

    usage_set(&usage, USAGE_output_reasoning_tokens, 448);
    assert_cost(*state, "plain", &usage, "0", "0.00482", "0.00482");
    assert_cost(*state, "reasoning", &usage, "0", "0.001412", "0.001412"); /* 34 at 2, 448 at 3 */
}

static void
scenario_5_length_moves_every_token(void **state)
{
    struct usage at_200 = tokens(200, 100), above_200 = tokens(201, 100), above_400 = tokens(401, 100);

    assert_cost(*state, "long", &at_200, "0.0002", "0.0005", "0.0007");
    assert_cost(*state, "long", &above_200, "0.000402", "0.0007", "0.001102");
    assert_cost(*state, "long", &above_400, "0.001604", "0.0007", "0.002304");
}

static void
prices_hold_from_their_date(void **state)
{
    struct usage usage = tokens(1000000, 0);

    assert_int_equal(cost_at(*state, "dated", "2026-02-28T23:59:59Z", &usage).total, USD_ONE);
    assert_int_equal(cost_at(*state, "dated", "2026-03-01T00:00:00Z", &usage).total, 2 * USD_ONE);
}

static void
prices_hold_for_hours_of_the_day_also_over_midnight(void **state)
{
    struct usage usage = tokens(1000000, 0);

    assert_int_equal(cost_at(*state, "nightly", "2026-02-28T21:59:59Z", &usage).total, USD_ONE);
    assert_int_equal(cost_at(*state, "nightly", "2026-02-28T22:00:00Z", &usage).total, USD_ONE / 2);
    assert_int_equal(cost_at(*state, "nightly", "2026-03-01T03:59:59Z", &usage).total, USD_ONE / 2);
    assert_int_equal(cost_at(*state, "nightly", "2026-03-01T04:00:00Z", &usage).total, USD_ONE); /* 06:00+02:00 */
}

static void
audio_that_may_have_been_cached_is_not_guessed(void **state)
{
    struct usage told = tokens(1000, 100), untold = told;

    usage_set(&told, USAGE_cache_read_tokens, 500);
    usage_set(&told, USAGE_input_audio_tokens, 300);
    untold = told;
    usage_set(&told, USAGE_cache_audio_read_tokens, 200);
    /* cached audio 200 at 0.8, cached other 300 at 0.1, fresh audio 100 at 8, fresh other 400 at 1 */
    assert_cost(*state, "audio", &told, "0.00139", "0.0004", "0.00179");
    assert_unknown(cost_at(*state, "audio", "2026-01-01", &untold), "overlap");
}

static void
the_service_tier_that_the_answer_states_decides(void **state)
{
    struct usage usage = tokens(1000000, 1000000);

    strcpy(usage.service_tier, "priority");
    assert_cost(*state, "tiered", &usage, "7", "14", "21");
    strcpy(usage.service_tier, "default");
    assert_cost(*state, "tiered", &usage, "4", "8", "12");
    strcpy(usage.service_tier, "batch");
    assert_cost(*state, "tiered", &usage, "1", "8", "9");
    strcpy(usage.service_tier, "flex");
    assert_unknown(cost_at(*state, "tiered", "2026-01-01", &usage), "service tier");
    usage.service_tier[0] = '\0';
    strcpy(usage.speed, "fast");
    assert_unknown(cost_at(*state, "tiered", "2026-01-01", &usage), "speed");
    assert_int_equal(cost_at(*state, "tiered", "2026-06-01", &usage).output, 80 * USD_ONE);
}

static void
what_is_told_by_the_caller_stands_above_the_usage(void **state)
{
    struct usage usage = tokens(1000000, 0);
    struct price_terms terms = {.service_tier = slice_of("priority")}, batch = {.batch = true};
    const struct price *price = prices_resolve(*state, NULL, "acme", slice_of("tiered"));

    assert_int_equal(prices_cost(price, &terms, &usage).total, 7 * USD_ONE);
    assert_int_equal(prices_cost(price, &batch, &usage).total, USD_ONE);
    terms.batch = true; /* both fit: the first in the file wins */
    assert_int_equal(prices_cost(price, &terms, &usage).total, 7 * USD_ONE);
}

static void
requests_and_seconds_have_prices_too(void **state)
{
    struct usage usage = tokens(1000, 0), audio;
    struct cost cost = cost_at(*state, "per-request", "2026-01-01", &usage);

    assert_int_equal(cost.input, 1000000000);
    assert_int_equal(cost.other, 5000000000);
    usage_init(&audio);
    usage_set(&audio, USAGE_audio_us, 90500000);
    audio.exactness = USAGE_EXACT;
    assert_int_equal(cost_at(*state, "whisper", "2026-01-01", &audio).total, 9050000000);
}

static void
rates_with_many_digits_are_rounded_once(void **state)
{
    struct usage usage = tokens(3, 1);

    assert_cost(*state, "odd", &usage, "0.000000037037", "0.000000083333", "0.00000012037");
}

static void
scenario_2_what_is_not_known_is_never_free(void **state)
{
    struct price_terms terms = {0};
    struct usage usage = tokens(10, 10), nothing, huge = tokens(USAGE_COUNT_MOST, 0), wrong = tokens(10, 10), lost;

    usage_init(&nothing);
    assert_unknown(prices_cost(NULL, &terms, &usage), "no price");
    assert_unknown(cost_at(*state, "plain", "2026-01-01", &nothing), "not known");
    assert_unknown(cost_at(*state, "plain", "2026-01-01", &huge), "too large");
    usage_set(&wrong, USAGE_cache_read_tokens, 11);
    assert_unknown(cost_at(*state, "cached", "2026-01-01", &wrong), "larger than their whole");
    assert_unknown(cost_at(*state, "broken", "2026-01-01", &usage), "input_mtok");
    usage_init(&lost);
    usage_set(&lost, USAGE_cache_read_tokens, 5);
    lost.exactness = USAGE_EXACT;
    assert_unknown(cost_at(*state, "cached", "2026-01-01", &lost), "without its whole");
}

static void
many_names_do_not_make_many_handles(void **state)
{
    const struct price *first = prices_resolve(*state, NULL, "acme", slice_of("cached"));
    char name[64];

    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "cached-%d", i);
        assert_ptr_equal(prices_resolve(*state, NULL, "acme", slice_of(name)), first);
        snprintf(name, sizeof name, "unheard-of-%d", i);
        assert_null(prices_resolve(*state, NULL, "acme", slice_of(name)));
    }
    assert_ptr_equal(prices_resolve(*state, NULL, "acme", slice_of("cached")), first);
}

/* Extraction */

static enum status
extract(const struct price_book *book, const char *flavor, const char *json, struct usage *usage, char *model,
        char *why)
{
    yyjson_doc *doc = yyjson_read(json, strlen(json), 0);
    struct slice name;
    enum status status;

    assert_non_null(doc);
    status = prices_extract(book, "acme", flavor, yyjson_doc_get_root(doc), usage, &name, why);
    snprintf(model, 64, "%.*s", SLICE_ARGS(name));
    yyjson_doc_free(doc);
    return status;
}

static void
answers_are_read_as_the_file_says(void **state)
{
    struct usage usage;
    char model[64], why[PRICES_WHY_SIZE];

    assert_int_equal(extract(*state, "lists",
                             "{\"name\":\"whisper\",\"meta\":{\"used\":{\"seconds\":1.5,\"parts\":[3,{\"kind\":1},"
                             "{\"kind\":\"out\",\"n\":1},{\"kind\":\"in\",\"n\":7},{\"kind\":\"in\",\"n\":9}]}}}",
                             &usage, model, why),
                     OK);
    assert_int_equal(usage.input_tokens, 7);
    assert_int_equal(usage.audio_us, 1500000);
    assert_string_equal(model, "whisper");
    assert_int_equal(
        extract(*state, NULL, "{\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":6}}", &usage, model, why), OK);
    assert_int_equal(usage.output_tokens, 6);
    assert_string_equal(model, "");
}

static void
answers_that_do_not_fit_say_what_they_miss(void **state)
{
    static const struct {
        const char *json, *why;
    } cases[] = {
        {"[]", "no object at usage"},
        {"{\"usage\":null}", "no object at usage"},
        {"{\"usage\":{\"prompt_tokens\":1}}", "usage.completion_tokens is missing"},
        {"{\"usage\":{\"prompt_tokens\":\"1\",\"completion_tokens\":1}}", "usage.prompt_tokens is not a count"},
        {"{\"usage\":{\"prompt_tokens\":-1,\"completion_tokens\":1}}", "is not a count"},
        {"{\"usage\":{\"prompt_tokens\":1e99,\"completion_tokens\":1}}", "impossibly large"},
        {"{\"usage\":{\"prompt_tokens\":2,\"completion_tokens\":1,\"prompt_tokens_details\":{\"cached_tokens\":true}}}",
         "usage.prompt_tokens_details.cached_tokens is not a count"},
    };
    struct usage usage;
    char model[64], why[PRICES_WHY_SIZE];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(extract(*state, "chat", cases[i].json, &usage, model, why), ERR_INVALID);
        assert_non_null(strstr(why, cases[i].why));
        assert_int_equal(usage.exactness, USAGE_UNKNOWN);
    }
    assert_int_equal(extract(*state, "smoke-signals", "{}", &usage, model, why), ERR_NOT_FOUND);
}

/* Contracts */

static struct price_book *
book_with(const struct price_override *overrides, size_t count, bool builtin)
{
    struct price_sources sources = {
        .json = slice_of(file), .builtin = builtin, .overrides = overrides, .override_count = count};
    struct price_book *book = NULL;
    struct problems problems;

    problems_init(&problems);
    assert_int_equal(prices_build(&sources, &problems, &book), OK);
    problems_free(&problems);
    return book;
}

static usd
charge(const struct price_book *book, const char *backend, const char *provider, const char *model, usec wall_us)
{
    struct usage usage = tokens(1000000, 1000000);
    struct price_terms terms = {.wall_us = wall_us};

    return prices_cost(prices_resolve(book, backend, provider, slice_of(model)), &terms, &usage).total;
}

static void
the_users_contract_wins(void **state)
{
    const struct price_rate rates[] = {{USAGE_input_tokens, USD_RATE_ONE / 20},
                                       {USAGE_output_tokens, USD_RATE_ONE / 10}};
    const struct price_override overrides[] = {
        {.backend = "gpus", .model = "Llama-*", .rates = rates, .rate_count = 2},
        {.provider = "acme", .model = "plain", .discount_ppm = 1000000, .until_wall_us = at("2026-02-01")},
        {.provider = "acme", .discount_ppm = 150000},
    };
    struct price_book *book = book_with(overrides, 3, false);

    (void)state;
    assert_int_equal(charge(book, "gpus", NULL, "llama-3.1-8b", 0), USD_ONE * 3 / 20);
    assert_int_equal(charge(book, "gpus", NULL, "mistral-7b", 0), USD_UNKNOWN);
    assert_int_equal(charge(book, "other", NULL, "llama-3.1-8b", 0), USD_UNKNOWN);
    assert_int_equal(charge(book, "a", "acme", "plain", at("2026-01-31")), 0); /* credits last */
    assert_int_equal(charge(book, "a", "acme", "plain", at("2026-02-01")), USD_ONE * 1020 / 100);
    assert_int_equal(charge(book, "a", "acme", "unheard-of", 0), USD_UNKNOWN); /* a discount prices nothing */
    assert_int_equal(charge(book, "a", "reseller", "plain", 0), 14 * USD_ONE);
    prices_release(book);
}

static void
scenario_9_a_price_per_token_in_a_field_per_million_is_refused(void **state)
{
    struct price_rate rate = {USAGE_input_tokens, USD_RATE_ONE * 25 / 10000000};
    struct price_override override = {.model = "x", .rates = &rate, .rate_count = 1};
    struct price_sources sources = {.overrides = &override, .override_count = 1};
    struct price_book *book = NULL;
    struct problems problems;

    (void)state;
    problems_init(&problems);
    assert_int_equal(prices_build(&sources, &problems, &book), ERR_INVALID);
    rate.rate = 2500000 * USD_RATE_ONE;
    assert_int_equal(prices_build(&sources, &problems, &book), ERR_INVALID);
    assert_int_equal(problems.errors, 2);
    rate.rate = 0;
    assert_int_equal(prices_build(&sources, &problems, &book), OK); /* free is a price */
    prices_release(book);
    assert_int_equal(prices_load(slice_of("[{\"id\":\"a\",\"models\":[{\"id\":\"m\",\"match\":{\"equals\":\"m\"},"
                                          "\"prices\":{\"input_mtok\":0.0000025}}]}]"),
                                 "x.json", &problems, &book),
                     ERR_INVALID);
    assert_non_null(strstr(problems.all[2].text, "cannot be meant"));
    assert_int_equal(problems.all[2].line, 1);
    assert_int_equal(problems.all[2].column, 78);
    problems_free(&problems);
}

/* Built-in facts */

static void
builtin_facts_pass_the_lint_and_stand_below_the_file(void **state)
{
    struct price_book *book = book_with(NULL, 0, true), *facts = prices_builtin();
    struct problems problems;
    usec date;

    (void)state;
    problems_init(&problems);
    prices_lint(prices_builtin_json(), "facts", &problems);
    for (size_t i = 0; i < problems.count; i++)
        assert_non_null(strstr(problems.all[i].text, "have no cache_read_mtok"));
    problems_free(&problems);
    assert_int_equal(clock_parse_utc(slice_of(prices_builtin_date()), &date), OK);
    assert_int_equal(charge(book, NULL, "openai", "gpt-5-2025-08-07", date), 1125 * USD_ONE / 100);
    assert_int_equal(charge(facts, NULL, "anthropic", "claude-haiku-4-5-20251001", date), 6 * USD_ONE);
    assert_int_equal(charge(book, NULL, "acme", "plain", date), 12 * USD_ONE);
    assert_string_equal(prices_provider_by_url(facts, slice_of("https://api.anthropic.com/v1/messages")), "anthropic");
    assert_string_equal(prices_provider_by_model(facts, slice_of("gpt-5.5")), "openai");
    prices_release(facts);
    prices_release(book);
}

/* The data path's own readers and the book's extractors come to the same cost, whatever the API. */
static void
readers_and_extractors_agree(void **state)
{
    static const struct {
        const char *provider, *flavor, *json;
        enum api api;
    } answers[] = {
        {"openai", "chat",
         "{\"model\":\"gpt-5-mini-2025-08-07\",\"service_tier\":\"priority\",\"usage\":{\"prompt_tokens\":3000,"
         "\"completion_tokens\":482,\"total_tokens\":3482,\"prompt_tokens_details\":{\"cached_tokens\":2048},"
         "\"completion_tokens_details\":{\"reasoning_tokens\":448,\"rejected_prediction_tokens\":3}}}",
         API_CHAT},
        {"openai", "responses",
         "{\"model\":\"gpt-5.6-luna\",\"usage\":{\"input_tokens\":300000,\"output_tokens\":70,\"total_tokens\":300070,"
         "\"input_tokens_details\":{\"cached_tokens\":256,\"cache_write_tokens\":100},"
         "\"output_tokens_details\":{\"reasoning_tokens\":64}}}",
         API_RESPONSES},
        {"openai", "embeddings",
         "{\"model\":\"text-embedding-3-small\",\"usage\":{\"prompt_tokens\":8,\"total_tokens\":8}}", API_EMBEDDINGS},
        {"anthropic", "default",
         "{\"model\":\"claude-sonnet-4-5-20250929\",\"usage\":{\"input_tokens\":10,\"cache_read_input_tokens\":250000,"
         "\"cache_creation_input_tokens\":300,\"cache_creation\":{\"ephemeral_5m_input_tokens\":100,"
         "\"ephemeral_1h_input_tokens\":200},\"output_tokens\":40,\"server_tool_use\":{\"web_search_requests\":2},"
         "\"service_tier\":\"batch\",\"inference_geo\":\"us\"}}",
         API_MESSAGES},
        {"google", "default",
         "{\"modelVersion\":\"gemini-2.5-flash-lite\",\"usageMetadata\":{\"promptTokenCount\":900,"
         "\"cachedContentTokenCount\":512,\"candidatesTokenCount\":50,\"thoughtsTokenCount\":200,"
         "\"toolUsePromptTokenCount\":60,\"totalTokenCount\":1210,\"serviceTier\":\"flex\"}}",
         API_PASSTHROUGH},
        {"mistral", "default",
         "{\"model\":\"mistral-small-latest\",\"usage\":{\"prompt_tokens\":90,\"completion_tokens\":7,"
         "\"total_tokens\":97,\"num_cached_tokens\":64,\"prompt_tokens_details\":{\"cached_tokens\":64}}}",
         API_CHAT},
        {"deepseek", "chat",
         "{\"model\":\"deepseek-v4-pro\",\"usage\":{\"prompt_tokens\":90,\"completion_tokens\":7,\"total_tokens\":97,"
         "\"prompt_cache_hit_tokens\":64,\"prompt_cache_miss_tokens\":26,\"prompt_tokens_details\":"
         "{\"cached_tokens\":64},\"completion_tokens_details\":{\"reasoning_tokens\":5}}}",
         API_CHAT},
    };
    struct price_terms terms = {.wall_us = at("2026-11-23T02:00:00Z")};
    struct price_book *book = prices_builtin();

    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        yyjson_doc *doc = yyjson_read(answers[i].json, strlen(answers[i].json), 0);
        const struct price *price;
        struct usage read, extracted;
        struct cost from_read, from_extracted;
        struct slice model;
        char why[PRICES_WHY_SIZE];

        assert_non_null(doc);
        usage_init(&read);
        assert_int_equal(usage_read_answer(answers[i].api, yyjson_doc_get_root(doc), &read), OK);
        assert_int_equal(prices_extract(book, answers[i].provider, answers[i].flavor, yyjson_doc_get_root(doc),
                                        &extracted, &model, why),
                         OK);
        price = prices_resolve(book, NULL, answers[i].provider, model);
        from_read = prices_cost(price, &terms, &read);
        from_extracted = prices_cost(price, &terms, &extracted);
        assert_null(from_read.why_unknown);
        assert_true(from_read.total > 0);
        assert_int_equal(from_read.input, from_extracted.input);
        assert_int_equal(from_read.output, from_extracted.output);
        assert_int_equal(from_read.total, from_extracted.total);
        assert_string_equal(read.service_tier, extracted.service_tier);
        yyjson_doc_free(doc);
    }
    prices_release(book);
}

static void
public_rules_for_tiers_hold_where_the_book_has_none(void **state)
{
    struct price_book *book = prices_builtin();
    const struct price *gpt = prices_resolve(book, NULL, "openai", slice_of("gpt-4o-mini"));
    const struct price *claude = prices_resolve(book, NULL, "anthropic", slice_of("claude-opus-4-7"));
    struct usage usage = tokens(1000000, 1000000);
    struct price_terms batch = {.batch = true}, flex = {.service_tier = slice_of("flex")}, none = {0};

    (void)state;
    assert_int_equal(prices_cost(gpt, &batch, &usage).total, 375 * USD_ONE / 1000);
    assert_int_equal(prices_cost(gpt, &flex, &usage).total, 375 * USD_ONE / 1000);
    usage_set(&usage, USAGE_web_searches, 1);
    assert_int_equal(prices_cost(claude, &batch, &usage).total, 15 * USD_ONE + USD_ONE / 100); /* searches stay */
    assert_unknown(prices_cost(claude, &flex, &usage), "service tier");
    strcpy(usage.inference_geo, "us");
    assert_int_equal(prices_cost(claude, &none, &usage).total, 33 * USD_ONE + USD_ONE / 100);
    prices_release(book);
}

/* Where a kind is not told apart, reporting it changes nothing: not alone, nor on top of others. */
static void
check_told_apart(const struct price *price, unsigned *apart, unsigned *alike)
{
    static const enum usage_kind kinds[] = {USAGE_cache_write_tokens, USAGE_cache_write_1h_tokens,
                                            USAGE_input_audio_tokens, USAGE_output_reasoning_tokens};
    static const char *const tiers[] = {"", "priority", "batch"};

    for (size_t i = 0; i < 3 * sizeof(tiers) / sizeof(tiers[0]); i++) {
        struct price_terms terms = {.wall_us = 1780000000 * USEC_PER_S, .service_tier = slice_of(tiers[i / 3])};
        struct usage usage = tokens((int64_t)(150 * i * i) + 1, 77);

        for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
            struct cost before = prices_cost(price, &terms, &usage), after;

            usage_set(&usage, kinds[k], usage_kind_side(kinds[k]) == USAGE_OUTPUT ? 77 : usage.input_tokens);
            after = prices_cost(price, &terms, &usage);
            if (!price_tells_apart(price, kinds[k]))
                assert_true(before.total == after.total);
            *(before.total == after.total ? alike : apart) += 1;
        }
    }
}

static void
what_is_not_told_apart_costs_the_same(void **state)
{
    struct price_book *books[] = {book_of(file), prices_builtin()};
    unsigned apart = 0, alike = 0, spared = 0;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct price *price;

        for (size_t at = 0; (price = prices_next(books[i], &at)) != NULL;) {
            check_told_apart(price, &apart, &alike);
            spared += !price_tells_apart(price, USAGE_output_reasoning_tokens);
        }
        prices_release(books[i]);
    }
    assert_true(apart > 20 && alike > 20 && spared > 20);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_found_as_the_file_says),
        cmocka_unit_test(what_is_not_told_apart_costs_the_same),
        cmocka_unit_test(a_reseller_has_own_prices_and_falls_back_for_the_rest),
        cmocka_unit_test(providers_are_known_by_name_url_and_model),
        cmocka_unit_test(scenario_3_cache_reads_and_writes_are_paid_at_their_own_rates),
        cmocka_unit_test(where_a_part_has_no_rate_the_whole_pays_for_it),
        cmocka_unit_test(scenario_4_reasoning_is_part_of_output_and_all_of_it_is_paid),
        cmocka_unit_test(scenario_5_length_moves_every_token),
        cmocka_unit_test(prices_hold_from_their_date),
        cmocka_unit_test(prices_hold_for_hours_of_the_day_also_over_midnight),
        cmocka_unit_test(audio_that_may_have_been_cached_is_not_guessed),
        cmocka_unit_test(the_service_tier_that_the_answer_states_decides),
        cmocka_unit_test(what_is_told_by_the_caller_stands_above_the_usage),
        cmocka_unit_test(requests_and_seconds_have_prices_too),
        cmocka_unit_test(rates_with_many_digits_are_rounded_once),
        cmocka_unit_test(scenario_2_what_is_not_known_is_never_free),
        cmocka_unit_test(many_names_do_not_make_many_handles),
        cmocka_unit_test(answers_are_read_as_the_file_says),
        cmocka_unit_test(answers_that_do_not_fit_say_what_they_miss),
        cmocka_unit_test(the_users_contract_wins),
        cmocka_unit_test(scenario_9_a_price_per_token_in_a_field_per_million_is_refused),
        cmocka_unit_test(builtin_facts_pass_the_lint_and_stand_below_the_file),
        cmocka_unit_test(readers_and_extractors_agree),
        cmocka_unit_test(public_rules_for_tiers_hold_where_the_book_has_none),
    };

    return cmocka_run_group_tests(tests, make_book, release_book);
}
