#include "money/report/explain.h"

#include <stdio.h>

#include <yyjson.h>

#include "base/clock.h"
#include "base/text.h"
#include "money/amount.h"
#include "money/ledger/look_up.h"

enum { PLAN_TEXT_MOST = 32 };

static const char *const kind_names[COST_KINDS] = {"input", "cache_read", "cache_write", "output", "other"};

static int64_t
tokens_of(const struct row *row, int kind)
{
    switch (kind) {
    case COST_INPUT:
        return row->input_tokens - row->cache_read_tokens - row->cache_write_tokens;
    case COST_CACHE_READ:
        return row->cache_read_tokens;
    case COST_CACHE_WRITE:
        return row->cache_write_tokens;
    case COST_OUTPUT:
        return row->output_tokens;
    default:
        return 0;
    }
}

/* JSON */

static void
json_text(struct buffer *out, const char *name, struct slice text)
{
    buffer_printf(out, "\"%s\":", name);
    if (text.len == 0) {
        buffer_add_text(out, "null");
        return;
    }
    buffer_add_byte(out, '"');
    buffer_add_json(out, text);
    buffer_add_byte(out, '"');
}

static void
json_usd(struct buffer *out, const char *name, usd amount)
{
    char text[USD_TEXT_SIZE], full[64];

    snprintf(full, sizeof(full), "%s_usd", name);
    usd_format(amount, text);
    json_text(out, full, usd_known(amount) ? slice_of(text) : SLICE_NONE);
}

static void
json_number(struct buffer *out, const char *name, int64_t number, int64_t unknown)
{
    if (number == unknown)
        buffer_printf(out, "\"%s\":null", name);
    else
        buffer_printf(out, "\"%s\":%lld", name, (long long)number);
}

static void
json_id(struct buffer *out, uint64_t id)
{
    char text[TEXT_ID_SIZE];

    text_format_id(id, text);
    json_text(out, "id", slice_of(text));
}

/* The gateway writes plans as JSON already. */
static void
json_plans(struct buffer *out, struct slice plans)
{
    buffer_add_text(out, "\"plans\":");
    buffer_add(out, plans.len != 0 ? plans : SLICE_LITERAL("null"));
}

static void
json_fields(const struct row *row, struct buffer *out)
{
#define ROW_ID(name, words) json_id(out, row->name);
#define ROW_NUMBER(name, words)                                                                                        \
    buffer_add_text(out, ",\n ");                                                                                      \
    json_number(out, #name, row->name, INT64_MIN);
#define ROW_MAYBE(name, words)                                                                                         \
    buffer_add_text(out, ",\n ");                                                                                      \
    json_number(out, #name, row->name, ROW_UNKNOWN);
#define ROW_USD(name, words)                                                                                           \
    buffer_add_text(out, ",\n ");                                                                                      \
    json_usd(out, #name, row->name);
#define ROW_TEXT(name, words)                                                                                          \
    buffer_add_text(out, ",\n ");                                                                                      \
    if (strcmp(#name, "plans") == 0)                                                                                   \
        json_plans(out, row->name);                                                                                    \
    else                                                                                                               \
        json_text(out, #name, row->name);
#include "money/row.def"
#undef ROW_ID
#undef ROW_NUMBER
#undef ROW_MAYBE
#undef ROW_USD
#undef ROW_TEXT
}

static void
json_costs(const struct row *row, struct buffer *out)
{
    struct row_costs costs = row_costs(row);
    char text[AMOUNT_TEXT_SIZE];

    buffer_add_text(out, ",\n \"costs\":[");
    for (int kind = 0; kind < COST_KINDS && usd_known(row->cost); kind++) {
        amount_format(costs.of[kind], text);
        buffer_printf(out, "%s{\"kind\":\"%s\",\"tokens\":%lld,\"cost_usd\":\"%s\"}", kind == 0 ? "" : ",",
                      kind_names[kind], (long long)tokens_of(row, kind), text);
    }
    buffer_add_byte(out, ']');
}

static void
json_lines(const struct row *row, struct buffer *out)
{
    buffer_add_text(out, ",\n \"savings\":[");
    for (size_t i = 0; i < row->saving_count; i++) {
        buffer_add_text(out, i == 0 ? "{" : ",{");
        json_text(out, "lever", row->savings[i].lever);
        buffer_printf(out, ",\"mode\":\"%s\",", row->savings[i].shadow ? "shadow" : "on");
        json_usd(out, "saved", row->savings[i].saved);
        buffer_add_byte(out, '}');
    }
    buffer_add_text(out, "],\n \"attempt_lines\":[");
    for (size_t i = 0; i < row->try_count; i++) {
        const struct attempt_line *attempt = &row->tries[i];

        buffer_add_text(out, i == 0 ? "{" : ",{");
        json_text(out, "target", attempt->target);
        buffer_add_byte(out, ',');
        json_text(out, "state", attempt->state);
        buffer_printf(out, ",\"status\":%lld,\"input_tokens\":%lld,\"output_tokens\":%lld,", (long long)attempt->status,
                      (long long)attempt->input_tokens, (long long)attempt->output_tokens);
        json_usd(out, "cost", attempt->cost);
        buffer_add_byte(out, ',');
        json_number(out, "started_us", attempt->started_us, ROW_UNKNOWN);
        buffer_add_byte(out, ',');
        json_number(out, "first_byte_us", attempt->first_byte_us, ROW_UNKNOWN);
        buffer_add_byte(out, ',');
        json_number(out, "ended_us", attempt->ended_us, ROW_UNKNOWN);
        buffer_add_byte(out, ',');
        json_text(out, "why", attempt->why);
        buffer_add_byte(out, '}');
    }
    buffer_add_byte(out, ']');
}

void
explain_write_json(const struct row *row, struct buffer *out)
{
    buffer_add_byte(out, '{');
    json_fields(row, out);
    json_costs(row, out);
    json_lines(row, out);
    buffer_add_text(out, "}\n");
}

/* Text */

static void
title(struct buffer *out, bool colour, const char *text)
{
    buffer_printf(out, "\n%s%s%s\n", colour ? "\033[1m" : "", text, colour ? "\033[0m" : "");
}

static struct slice
or_dash(struct slice text)
{
    return text.len != 0 ? text : SLICE_LITERAL("-");
}

/* How request or answer differ from what was asked for. */
static void
text_transforms(const struct row *row, struct buffer *out)
{
    static const struct {
        enum transform bit;
        const char *words;
    } words[] = {
        {TRANSFORM_CAPPED, "a cap on output was sent, for it named none"},
        {TRANSFORM_CLIPPED, "its output was capped at what a budget had left"},
        {TRANSFORM_ENDED, "its stream was ended at a budget's ceiling"},
        {TRANSFORM_CACHE, "marks or a key for the provider's prompt cache were sent"},
        {TRANSFORM_BATCHED, "it was answered in one call with other requests"},
        {TRANSFORM_LOGPROBS, "logprobs were asked for, for a cascade to score its answer by, and taken out of that"},
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if ((row->transforms & (int64_t)words[i].bit) != 0)
            buffer_printf(out, "  %-16s %s\n", "changed", words[i].words);
}

static void
text_head(const struct row *row, bool colour, struct buffer *out)
{
    char id[TEXT_ID_SIZE], when[CLOCK_TEXT_SIZE];

    text_format_id(row->id, id);
    clock_format_utc(row->arrived_wall_us, when);
    buffer_printf(out, "%sRequest %s%s  %s\n", colour ? "\033[1m" : "", id, colour ? "\033[0m" : "", when);
    if (row_is_own(row))
        buffer_printf(out, "  %-16s %s, about request %.*s; no client asked for it\n", "a call of our own",
                      slice_is(row->source, "judge")      ? "a model that judges"
                      : slice_is(row->source, "verifier") ? "a model that scores an answer for a cascade"
                      : slice_is(row->source, "sample")   ? "a further answer, which a cascade holds the first against"
                                                          : "an audit",
                      SLICE_ARGS(row->about));
    buffer_printf(out, "  %-16s %.*s, status %lld%s\n", "ended", SLICE_ARGS(or_dash(row->state)),
                  (long long)row->status, row->modelled ? ", modelled: a modelled backend answered" : "");
    if (row->why.len != 0)
        buffer_printf(out, "  %-16s %.*s\n", "because", SLICE_ARGS(row->why));
    buffer_printf(out, "  %-16s %.*s, %.*s%s\n", "asked for", SLICE_ARGS(or_dash(row->model_asked)),
                  SLICE_ARGS(or_dash(row->api)), row->streamed ? ", streamed" : "");
    if (row->model_served.len + row->backend.len + row->source.len == 0)
        buffer_printf(out, "  %-16s nobody\n", "served by");
    else
        buffer_printf(out, "  %-16s %.*s on %.*s, by %.*s\n", "served by", SLICE_ARGS(or_dash(row->model_served)),
                      SLICE_ARGS(or_dash(row->backend)), SLICE_ARGS(or_dash(row->source)));
    buffer_printf(out, "  %-16s key %.*s, tenant %.*s, route %.*s, tags %.*s\n", "for",
                  SLICE_ARGS(or_dash(row->key_name)), SLICE_ARGS(or_dash(row->tenant)), SLICE_ARGS(or_dash(row->route)),
                  SLICE_ARGS(or_dash(row->tags)));
    text_transforms(row, out);
}

static void
text_costs(const struct row *row, bool colour, struct buffer *out)
{
    struct row_costs costs = row_costs(row);
    char text[AMOUNT_TEXT_SIZE], rate[AMOUNT_TEXT_SIZE];

    title(out, colour, "Cost");
    if (!usd_known(row->cost)) {
        buffer_printf(out, "  %sunknown: %.*s%s\n", colour ? "\033[1;31m" : "",
                      SLICE_ARGS(row->why.len != 0 ? row->why : SLICE_LITERAL("the model has no price")),
                      colour ? "\033[0m" : "");
        return;
    }
    for (int kind = 0; kind < COST_KINDS; kind++) {
        int64_t tokens = tokens_of(row, kind);

        if (tokens == 0 && costs.of[kind] == 0)
            continue;
        amount_format(costs.of[kind], text);
        buffer_printf(out, "  %-16s", kind_names[kind]);
        if (kind == COST_OTHER || tokens <= 0) {
            buffer_printf(out, " %31s $%s\n", "", text);
            continue;
        }
        amount_format_people(wide_divide_half_even(costs.of[kind] * 1000000, tokens), rate);
        buffer_printf(out, " %10lld x %12s per M  $%s\n", (long long)tokens, rate, text);
        if (kind == COST_CACHE_WRITE && row->cache_write_1h_tokens > 0)
            buffer_printf(out, "  %-16s %10lld\n", "  for an hour", (long long)row->cache_write_1h_tokens);
    }
    amount_format(row->cost, text);
    buffer_printf(out, "  %-16s %31s $%s (%.*s)\n", "in all", "", text, SLICE_ARGS(or_dash(row->exactness)));
}

static void
text_savings(const struct row *row, bool colour, struct buffer *out)
{
    char text[USD_TEXT_SIZE];

    if (row->saving_count == 0 && !usd_known(row->baseline))
        return;
    title(out, colour, "Savings");
    usd_format(row->baseline, text);
    buffer_printf(out, "  %-24s %s%s\n", "baseline", usd_known(row->baseline) ? "$" : "",
                  usd_known(row->baseline) ? text : "unknown");
    for (size_t i = 0; i < row->saving_count; i++) {
        usd_format(row->savings[i].saved, text);
        buffer_printf(out, "  %-24.*s $%s%s\n", SLICE_ARGS(row->savings[i].lever), text,
                      row->savings[i].shadow ? " (shadow: would have saved)" : "");
    }
}

/* What became of looking for a stored answer. */
static void
text_look_ups(const struct row *row, bool colour, struct buffer *out)
{
    struct slice rest = row->look_ups, lever;
    enum look_up_result result;

    if (rest.len > 0)
        title(out, colour, "Stored answers");
    while (look_up_take(&rest, &lever, &result))
        buffer_printf(out, "  %-24.*s %s\n", SLICE_ARGS(lever), look_up_words(result));
}

static void
text_us(struct buffer *out, const char *name, int64_t us)
{
    if (us != ROW_UNKNOWN)
        buffer_printf(out, "  %-24s %lld.%03lld ms\n", name, (long long)(us / 1000), (long long)(us % 1000));
}

static void
text_attempts(const struct row *row, bool colour, struct buffer *out)
{
    char text[USD_TEXT_SIZE];

    title(out, colour, "Attempts and timing");
    for (size_t i = 0; i < row->try_count; i++) {
        const struct attempt_line *attempt = &row->tries[i];

        usd_format(attempt->cost, text);
        buffer_printf(out, "  %-24.*s %.*s, status %lld, %s%s%s%.*s\n", SLICE_ARGS(attempt->target),
                      SLICE_ARGS(or_dash(attempt->state)), (long long)attempt->status,
                      usd_known(attempt->cost) ? "$" : "cost ", usd_known(attempt->cost) ? text : "unknown",
                      attempt->why.len != 0 ? ", " : "", SLICE_ARGS(attempt->why));
    }
    text_us(out, "queued", row->queue_us);
    text_us(out, "first token", row->first_token_us);
    text_us(out, "whole answer", row->total_us);
    if (row->useful_ppm != ROW_UNKNOWN)
        buffer_printf(out, "  %-24s %lld%%, says %.*s%s%.*s\n", "useful", (long long)row->useful_ppm / 10000,
                      SLICE_ARGS(or_dash(row->useful_source)), row->useful_reason.len != 0 ? ": " : "",
                      SLICE_ARGS(row->useful_reason));
}

static const char *
plan_text(yyjson_val *plan, const char *key)
{
    const char *text = yyjson_get_str(yyjson_obj_get(plan, key));

    return text != NULL ? text : "-";
}

/* Nothing was known of this target's speed where it says 0. */
static const char *
plan_ms(yyjson_val *plan, const char *key, char *out)
{
    int64_t ms = yyjson_get_sint(yyjson_obj_get(plan, key));

    if (ms <= 0)
        return "unknown";
    if (ms < 10000)
        snprintf(out, PLAN_TEXT_MOST, "%lld ms", (long long)ms);
    else
        snprintf(out, PLAN_TEXT_MOST, "%.1f s", (double)ms / 1000);
    return out;
}

static const char *
plan_money(yyjson_val *plan, const char *key, char *out)
{
    usd cost;

    if (usd_parse(slice_of(yyjson_get_str(yyjson_obj_get(plan, key))), &cost) != OK)
        return "unknown";
    amount_format_people(cost, out);
    return out;
}

static void
text_plan(yyjson_val *plan, struct buffer *out)
{
    char cost[AMOUNT_TEXT_SIZE], first[PLAN_TEXT_MOST], total[PLAN_TEXT_MOST];
    double quality = (double)yyjson_get_uint(yyjson_obj_get(plan, "q")) / 10000;

    buffer_printf(out, "  %-32s %-11s %13s %11s %11s %8.4g%%  %s", plan_text(plan, "t"), plan_text(plan, "s"),
                  plan_money(plan, "c", cost), plan_ms(plan, "f", first), plan_ms(plan, "m", total), quality,
                  plan_text(plan, "v"));
    if (yyjson_obj_get(plan, "p") != NULL)
        buffer_printf(out, "; %s at the margin", plan_money(plan, "p", cost));
    if (yyjson_obj_get(plan, "d") != NULL)
        buffer_printf(out, " (%s)", plan_text(plan, "d"));
    else if (yyjson_obj_get(plan, "a") != NULL)
        buffer_printf(out, "; in the words of %s", plan_text(plan, "a"));
    if (yyjson_obj_get(plan, "x") != NULL)
        buffer_printf(out, "; score %.3f", yyjson_get_real(yyjson_obj_get(plan, "x")));
    if (yyjson_obj_get(plan, "g") != NULL)
        buffer_printf(out, "; %.3g%% expected to go on to %s",
                      (double)yyjson_get_uint(yyjson_obj_get(plan, "g")) / 10000,
                      yyjson_obj_get(plan, "n") != NULL ? plan_text(plan, "n") : "the reference");
    buffer_add_byte(out, '\n');
}

/* Which of several endpoints it went to, and why. */
static void
text_seat(yyjson_val *plan, struct buffer *out)
{
    if (yyjson_obj_get(plan, "at") == NULL)
        return;
    buffer_printf(out, "    at %s, by %s", plan_text(plan, "at"), plan_text(plan, "by"));
    if (yyjson_obj_get(plan, "k") != NULL)
        buffer_printf(out, ": %.1f ms of waiting expected, with those behind it",
                      yyjson_get_num(yyjson_obj_get(plan, "k")));
    if (yyjson_obj_get(plan, "at2") != NULL)
        buffer_printf(out, "; next best %s, %.1f ms", plan_text(plan, "at2"),
                      yyjson_get_num(yyjson_obj_get(plan, "k2")));
    buffer_add_byte(out, '\n');
}

/* What the gateway wrote (row.def, plans) as a table; as it stands if it is not what this program writes. */
static void
text_plans(const struct row *row, bool colour, struct buffer *out)
{
    yyjson_doc *doc = row->plans.len != 0 ? yyjson_read(row->plans.data, row->plans.len, 0) : NULL;
    yyjson_val *plans = yyjson_doc_get_root(doc), *plan;
    size_t i, count;

    if (row->plans.len == 0)
        return;
    title(out, colour, "Plans: what lay on the balance, and why each lost");
    if (!yyjson_is_arr(plans))
        buffer_printf(out, "  %.*s\n", SLICE_ARGS(row->plans));
    else
        buffer_printf(out, "  %-32s %-11s %13s %11s %11s %9s  %s\n", "target", "source", "expected cost", "first token",
                      "total", "quality", "verdict");
    yyjson_arr_foreach(plans, i, count, plan)
    {
        text_plan(plan, out);
        text_seat(plan, out);
    }
    yyjson_doc_free(doc);
}

void
explain_write_text(const struct row *row, bool colour, struct buffer *out)
{
    text_head(row, colour, out);
    text_costs(row, colour, out);
    text_savings(row, colour, out);
    text_look_ups(row, colour, out);
    text_attempts(row, colour, out);
    text_plans(row, colour, out);
}
