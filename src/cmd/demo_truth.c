#include "cmd/demo_truth.h"

#include <stdio.h>

#include "money/report/report_choice.h"

#define PPM 1000000U

/* Answers of one kind. */
struct count {
    uint64_t checked, useful;
};

struct truth {
    const struct customers_tally *tallies;
    size_t tally_count;
    const struct report_evidence *evidence;
    size_t evidence_count;
    struct buffer *out;
};

static bool
is_choice(const struct report_evidence *evidence)
{
    return slice_starts(evidence->lever, REPORT_ROUTER);
}

/* The tallies of a route, of one source and model; NULL: of any. */
static struct count
count_of(const struct truth *truth, struct slice route, const char *source, struct slice model)
{
    struct count count = {0, 0};

    for (size_t i = 0; i < truth->tally_count; i++) {
        const struct customers_tally *tally = &truth->tallies[i];

        if (!slice_is(route, tally->asked) || (source != NULL && strcmp(source, tally->source) != 0) ||
            (model.data != NULL && !slice_is(model, tally->model)))
            continue;
        count.checked += tally->checked;
        count.useful += tally->useful;
    }
    return count;
}

/* Its line, up to what is promised. */
static void
write_count(const struct truth *truth, struct slice who, struct count count)
{
    struct interval share = estimate_share((double)count.useful, (double)count.checked);
    char right[64] = "-";

    if (share.known)
        snprintf(right, sizeof(right), "%.1f%% (%.1f to %.1f)", 100 * share.middle, 100 * share.low, 100 * share.high);
    buffer_printf(truth->out, "    %-22.*s %7llu  %-22s", SLICE_ARGS(who), (unsigned long long)count.checked, right);
}

static void
write_standing(const struct report_evidence *evidence, struct buffer *out)
{
    if (evidence->floor_ppm != 0 && evidence->serves) {
        buffer_printf(out, "  %.4g%% %sor more, bounded at %.1f%% now", evidence->floor_ppm / 1e4,
                      evidence->of_route ? "of the route " : "of these ", evidence->lower_ppm / 1e4);
        return;
    }
    buffer_printf(out, "  %s", evidence->words);
    if (evidence->missing != 0 && evidence->missing != REPORT_NEVER)
        buffer_printf(out, ": %llu labels missing at best", (unsigned long long)evidence->missing);
}

/* Was it, by the truth? Of a route all is right that the model did not get wrong. */
static bool
is_kept(const struct truth *truth, const struct report_evidence *evidence, struct count count)
{
    struct count all = count_of(truth, evidence->route, NULL, SLICE_NONE);
    uint64_t wrong = count.checked - count.useful, of = evidence->of_route ? all.checked : count.checked;

    return wrong * PPM <= of * (PPM - evidence->floor_ppm);
}

/* Its answers, be they served once or again. */
static struct count
write_model(const struct truth *truth, const struct report_evidence *evidence)
{
    struct count count = count_of(truth, evidence->route, NULL, evidence->model);

    write_count(truth, evidence->model, count);
    write_standing(evidence, truth->out);
    if (evidence->floor_ppm != 0 && count.checked > 0)
        buffer_add_text(truth->out, is_kept(truth, evidence, count) ? "; kept" : "; NOT KEPT");
    buffer_add_byte(truth->out, '\n');
    return count;
}

static void
write_line(const struct truth *truth, const char *who, struct count count)
{
    write_count(truth, slice_of(who), count);
    buffer_add_byte(truth->out, '\n');
}

static void
write_route(const struct truth *truth, struct slice route)
{
    struct count reference = count_of(truth, route, "reference", SLICE_NONE);
    struct count all = count_of(truth, route, NULL, SLICE_NONE), copies = all;

    copies.checked -= reference.checked;
    copies.useful -= reference.useful;
    buffer_printf(truth->out, "  %.*s\n", SLICE_ARGS(route));
    for (size_t i = 0; i < truth->evidence_count; i++)
        if (is_choice(&truth->evidence[i]) && slice_equal(truth->evidence[i].route, route)) {
            struct count count = write_model(truth, &truth->evidence[i]);

            copies.checked -= count.checked;
            copies.useful -= count.useful;
        }
    write_line(truth, "the reference", reference);
    write_line(truth, "copies of its answers", copies);
    write_line(truth, "in all", all);
}

/* Is it the first of its route? */
static bool
is_first(const struct truth *truth, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (is_choice(&truth->evidence[i]) && slice_equal(truth->evidence[i].route, truth->evidence[at].route))
            return false;
    return is_choice(&truth->evidence[at]);
}

void
demo_truth_text(const struct customers_tally *tallies, size_t tally_count, const struct report_evidence *evidence,
                size_t evidence_count, struct buffer *out)
{
    const struct truth truth = {tallies, tally_count, evidence, evidence_count, out};
    bool any = false;

    for (size_t i = 0; i < evidence_count; i++) {
        if (!is_first(&truth, i))
            continue;
        if (!any)
            buffer_add_text(out, "\nThe truth: which answers were right (modelled)\n"
                                 "  The customers can solve what they ask. The gateway cannot: its judges only see "
                                 "whether two models agree.\n"
                                 "    answered by            checked  right                   promised\n");
        any = true;
        write_route(&truth, evidence[i].route);
    }
}
