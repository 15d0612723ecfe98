#include "cmd/eval/eval_report.h"

#include <math.h>

enum { RULE = 128 }; /* characters */

static const uint32_t limits_ppm[EVAL_LIMITS] = {10000, 20000, 50000, 100000, 200000};

void
eval_pairs_judge(struct eval_result *result)
{
    const struct eval_settings *settings = &result->settings;

    result->auc = scored_pairs_auc(&result->pairs);
    for (unsigned i = 0; i < EVAL_LIMITS; i++) {
        struct eval_limit *limit = &result->limits[i];
        struct stream_wanted wanted = {
            .alpha_ppm = settings->alpha_ppm, .seed = settings->seed, .passes = settings->passes};

        wanted.limit_ppm = limit->limit_ppm = limits_ppm[i];
        limit->best = scored_pairs_best(&result->pairs, limit->limit_ppm);
        limit->evidence = stream_play_all(&result->pairs, &wanted, settings->orders);
    }
}

static double
share(size_t part, size_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0;
}

/* In groups of three digits. */
static void
add_count(struct buffer *out, uint64_t number)
{
    if (number >= 1000) {
        add_count(out, number / 1000);
        buffer_printf(out, ",%03u", (unsigned)(number % 1000));
    } else {
        buffer_add_number(out, number);
    }
}

static void
add_best(const struct eval_result *result, const struct eval_limit *limit, struct buffer *out)
{
    const struct pairs_served *best = &limit->best;

    buffer_printf(out, "%4.0f %%", limit->limit_ppm / 1e4);
    if (best->hits == 0) {
        buffer_printf(out, "%10s%10s%11s", "none", "", "");
        return;
    }
    buffer_printf(out, "%8.2f %%%8.2f %%%11.4f", 100 * share(best->hits, result->pairs.count),
                  100 * share(best->wrong, best->hits), best->threshold);
}

/* What is missing where nothing is served: labels of its starting arm, and requests that bring as many. */
static void
add_missing(const struct stream_summary *sum, struct buffer *out)
{
    bool never = isinf(sum->missing_as_so_far);
    double labels = never ? sum->missing_at_best : sum->missing_as_so_far;

    if (sum->labels_per_request == 0) {
        buffer_add_text(out, "more scores: nothing began");
        return;
    }
    if (2 * sum->below >= sum->orders - sum->serving) {
        buffer_add_text(out, "none will do: the safest arm is beyond the limit");
        return;
    }
    add_count(out, (uint64_t)ceil(labels));
    buffer_add_text(out, " labels (");
    add_count(out, (uint64_t)ceil(labels / sum->labels_per_request));
    buffer_add_text(out, never ? " requests) or more: so far it is beyond the limit" : " requests)");
}

static void
add_evidence(const struct stream_summary *sum, struct buffer *out)
{
    buffer_printf(out, "%9u", sum->serving);
    if (sum->hits > 0)
        buffer_printf(out, "%8.2f %%%8.2f %%", 100 * sum->hits, 100 * sum->false_hits);
    else
        buffer_printf(out, "%10s%10s", "-", "-");
    if (sum->serving > 0)
        buffer_printf(out, "%8.2f %%%8.2f %%%11.4f", 100 * sum->arm, 100 * sum->arm_wrong, sum->threshold);
    else
        buffer_printf(out, "%10s%10s%11s", "-", "-", "-");
    buffer_printf(out, "%7u  ", sum->kept);
    if (sum->serving < sum->orders)
        add_missing(sum, out);
    buffer_add_byte(out, '\n');
}

static void
add_head(const struct eval_result *result, struct buffer *out)
{
    const struct scored_pairs *pairs = &result->pairs;

    add_count(out, pairs->count);
    buffer_printf(out, " pairs of %s, %.1f %% of them the same; ", result->name,
                  100 * share(pairs->same, pairs->count));
    if (isnan(result->auc))
        buffer_add_text(out, "no AUC, as all labels are alike.");
    else
        buffer_printf(out, "AUC %.4f.", result->auc);
    if (pairs->scored < pairs->count) {
        buffer_add_byte(out, ' ');
        add_count(out, pairs->count - pairs->scored);
        buffer_add_text(out, " have no score, as a text holds no word.");
    }
    buffer_add_text(out, "\n\n");
}

void
eval_pairs_text(const struct eval_result *result, struct buffer *out)
{
    const struct eval_settings *settings = &result->settings;
    size_t rule;

    add_head(result, out);
    buffer_printf(out, "%6s%10s%10s%11s%9s%10s%10s%10s%10s%11s%7s  %s\n", "false", "best hit", "false", "best", "serve",
                  "hit", "false", "chosen", "false", "its", "kept", "missing, where");
    buffer_printf(out, "%6s%10s%10s%11s%9s%10s%10s%10s%10s%11s%7s  %s\n", "limit", "rate", "hits", "threshold", "some",
                  "rate", "hits", "arm", "in it", "threshold", "limit", "nothing is served");
    for (rule = 0; rule < RULE; rule++)
        buffer_add_byte(out, '-');
    buffer_add_byte(out, '\n');
    for (unsigned i = 0; i < EVAL_LIMITS; i++) {
        add_best(result, &result->limits[i], out);
        add_evidence(&result->limits[i].evidence, out);
    }
    buffer_printf(out,
                  "\nBest: in hindsight, over all pairs. The rest is by evidence, at %g %% confidence, in %u random "
                  "orders of ",
                  100 - settings->alpha_ppm / 1e4, settings->orders);
    add_count(out, (uint64_t)result->pairs.count * settings->passes);
    buffer_printf(
        out,
        " requests (seed %llu): in\nhow many orders some arm serves at the end, medians of what was served and of "
        "the chosen arm over all pairs, and in how\nmany orders no arm beyond the limit ever served.\n",
        (unsigned long long)settings->seed);
}

static void
add_number(struct buffer *out, const char *name, double number, bool is_there)
{
    if (is_there && isfinite(number))
        buffer_printf(out, "\"%s\":%.6g,", name, number);
    else
        buffer_printf(out, "\"%s\":null,", name);
}

/* Of labels and requests, of which none is half missing. */
static void
add_whole(struct buffer *out, const char *name, double number, bool is_there)
{
    if (is_there && isfinite(number))
        buffer_printf(out, "\"%s\":%.0f,", name, ceil(number));
    else
        buffer_printf(out, "\"%s\":null,", name);
}

static void
add_limit_json(const struct eval_result *result, const struct eval_limit *limit, struct buffer *out)
{
    const struct stream_summary *sum = &limit->evidence;
    bool waits = sum->serving < sum->orders && sum->labels_per_request > 0;

    buffer_printf(out, "{\"limit\":%g,\"hindsight\":{\"hits\":%zu,\"false_hits\":%zu,", limit->limit_ppm / 1e6,
                  limit->best.hits, limit->best.wrong);
    add_number(out, "threshold", limit->best.threshold, limit->best.hits > 0);
    buffer_printf(out, "\"hit_rate\":%.6f},\"evidence\":{\"orders\":%u,\"serving\":%u,\"kept\":%u,",
                  share(limit->best.hits, result->pairs.count), sum->orders, sum->serving, sum->kept);
    add_number(out, "hit_rate", sum->hits, sum->hits > 0);
    add_number(out, "false_hit_rate", sum->false_hits, sum->hits > 0);
    add_number(out, "chosen_share", sum->arm, sum->serving > 0);
    add_number(out, "chosen_false_hit_rate", sum->arm_wrong, sum->serving > 0);
    add_number(out, "chosen_threshold", sum->threshold, sum->serving > 0);
    add_whole(out, "missing_labels", sum->missing_as_so_far, waits);
    add_whole(out, "missing_labels_at_best", sum->missing_at_best, waits);
    add_whole(out, "missing_requests", sum->missing_as_so_far / sum->labels_per_request, waits);
    buffer_printf(out, "\"below_floor\":%u,\"audits\":%.1f}}", sum->below, sum->labels);
}

void
eval_pairs_json(const struct eval_result *result, struct buffer *out)
{
    const struct eval_settings *settings = &result->settings;

    buffer_add_text(out, "{\"pairs\":\"");
    buffer_add_json(out, slice_of(result->name));
    buffer_printf(out, "\",\"count\":%zu,\"same\":%zu,\"scored\":%zu,", result->pairs.count, result->pairs.same,
                  result->pairs.scored);
    add_number(out, "auc", result->auc, true);
    buffer_printf(out, "\"confidence\":%g,\"seed\":%llu,\"passes\":%u,\"limits\":[", 1 - settings->alpha_ppm / 1e6,
                  (unsigned long long)settings->seed, settings->passes);
    for (unsigned i = 0; i < EVAL_LIMITS; i++) {
        if (i > 0)
            buffer_add_byte(out, ',');
        add_limit_json(result, &result->limits[i], out);
    }
    buffer_add_text(out, "]}\n");
}
