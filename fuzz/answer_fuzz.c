/* Whole answers from anybody, whatever the API: what is metered and gathered of them does not depend on the pieces they
 * came in, and of an error they say when to come again. The first byte chooses the API, the second the pieces and the
 * status; the first line behind them is a header of the answer, the rest its body. */
#include "base/rng.h"
#include "dialect/calls_of.h"
#include "dialect/meter.h"
#include "dialect/refusal.h"
#include "quality/judge.h"

enum { TEXT_MOST = 300 };

static const usec NOW_US = INT64_C(1790000000000000);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
start(struct meter *meter, enum api api)
{
    meter_init(meter, api, api_dialect(api));
    meter->text.wanted = true;
    meter->text.most = TEXT_MOST;
}

static void
check_same(const struct meter *a, const struct meter *b)
{
    for (unsigned kind = 0; kind < USAGE_KIND_COUNT; kind++)
        ENSURE(a->usage.counts[kind] == b->usage.counts[kind] && a->usage.counts[kind] >= 0 &&
               a->usage.counts[kind] <= USAGE_COUNT_MOST);
    ENSURE(a->usage.reported == b->usage.reported && a->usage.provider_cost == b->usage.provider_cost);
    ENSURE(a->usage_seen == b->usage_seen && a->finished == b->finished && a->failed == b->failed);
    ENSURE(a->text_bytes == b->text_bytes && a->answer_bytes == b->answer_bytes && strcmp(a->model, b->model) == 0);
    ENSURE(slice_equal(buffer_content(&a->text.text), buffer_content(&b->text.text)));
    ENSURE(a->text.cut == b->text.cut && a->text.called == b->text.called);
}

/* Which tools it calls, if any, is JSON that can be judged; and equal to itself. */
static void
check_calls(enum api api, struct slice body)
{
    yyjson_doc *doc = yyjson_read(body.data, body.len, 0);
    struct judge_rule rule = {.judge = JUDGE_JSON, .same_fields = true};
    struct buffer calls = {0};
    double outcome = 0.0;

    if (doc != NULL)
        calls_of(api, yyjson_doc_get_root(doc), &calls);
    if (buffer_len(&calls) > 0)
        ENSURE(judge_compare(&rule, buffer_content(&calls), buffer_content(&calls), &outcome) == OK && outcome == 1.0);
    buffer_free(&calls);
    yyjson_doc_free(doc);
}

static void
check_answer(enum api api, struct slice body, uint8_t seed)
{
    struct meter whole, pieces;
    struct slice rest = body;
    struct rng rng;

    rng_seed(&rng, seed);
    start(&whole, api);
    start(&pieces, api);
    meter_whole(&whole, body);
    while (rest.len > 0) {
        struct slice piece = slice_first(rest, 1 + rng_below(&rng, 1 + seed));

        meter_piece(&pieces, piece);
        rest = slice_from(rest, piece.len);
    }
    meter_end(&pieces);
    check_same(&whole, &pieces);
    /* A tool's arguments count as JSON writes them: a byte that should not stand there takes six. */
    ENSURE(whole.answer_bytes == (int64_t)body.len && whole.text_bytes <= 6 * whole.answer_bytes);
    ENSURE(buffer_len(&whole.text.text) <= TEXT_MOST);
    meter_free(&whole);
    meter_free(&pieces);
    check_calls(api, body);
}

static void
check_refusal(struct slice line, struct slice body, uint8_t seed)
{
    const struct http_header header = {slice_first(line, slice_find_byte(line, ':')),
                                       slice_trim(slice_from(line, slice_find_byte(line, ':') + 1))};
    const struct http_head head = {.status = 400 + seed, .headers = &header, .header_count = 1};

    ENSURE(refusal_read(&head, body, NOW_US).retry_after_us >= 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice body, line;

    if (size < 2)
        return 0;
    body = slice_make((const char *)data + 2, size - 2);
    line = slice_split(&body, '\n');
    check_refusal(line, body, data[1]);
    check_answer((enum api)(data[0] % API_COUNT), body, data[1]);
    return 0;
}
