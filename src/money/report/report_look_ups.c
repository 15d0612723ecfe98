#include "money/report/report_look_ups.h"

#include <stdlib.h>

#include "money/amount.h"
#include "money/report/report_choice.h"
#include "money/report/report_routes.h"

static struct report_look_ups *
line_of(struct text_table *table, struct arena *arena, struct slice lever, struct slice route)
{
    struct report_look_ups *line;
    struct buffer key = {0};

    text_key_add(&key, lever);
    text_key_add(&key, route);
    line = text_table_get(table, arena, buffer_content(&key), sizeof(*line));
    line->lever = lever;
    line->route = route;
    buffer_free(&key);
    return line;
}

void
report_look_ups_add(struct text_table *table, struct arena *arena, const struct group *group, const struct sums *sums)
{
    struct report_look_ups *line = line_of(table, arena, group->of[DIMENSION_lever], group->of[DIMENSION_route]);
    enum look_up_result result = look_up_of_name(group->of[DIMENSION_mode]);

    if (result == LOOK_UP_NONE)
        return; /* a newer program's */
    line->count[result] += sums->rows;
    line->cost[result] += sums->cost;
    line->saved[result] += sums->saved;
}

int64_t
report_look_ups_total(const struct report_look_ups *look_ups)
{
    int64_t total = 0;

    for (unsigned i = 0; i < LOOK_UP_RESULTS; i++)
        total += look_ups->count[i];
    return total;
}

static int
by_lever_and_route(const void *a, const void *b)
{
    const struct report_look_ups *left = a, *right = b;
    int order = slice_order(left->lever, right->lever);

    return order != 0 ? order : slice_order(left->route, right->route);
}

static const struct report_evidence *
evidence_of(const struct report_options *options, const struct report_look_ups *line)
{
    for (size_t i = 0; i < options->evidence_count; i++)
        if (slice_equal(options->evidence[i].lever, line->lever) &&
            slice_equal(options->evidence[i].route, line->route))
            return &options->evidence[i];
    return NULL;
}

static bool
is_there(const struct report *report, const struct report_evidence *evidence)
{
    for (size_t i = 0; i < report->look_ups_count; i++)
        if (report->look_ups[i].evidence == evidence)
            return true;
    return false;
}

void
report_look_ups_finish(const struct text_table *table, struct report *report)
{
    const struct report_options *options = &report->options;
    size_t most = table->count + options->evidence_count;

    report->look_ups = arena_alloc(&report->arena, (most + 1) * sizeof(struct report_look_ups));
    for (size_t i = 0; i < table->count; i++) {
        struct report_look_ups *line = &report->look_ups[report->look_ups_count++];

        *line = *(struct report_look_ups *)table->all[i];
        line->evidence = evidence_of(options, line);
    }
    for (size_t i = 0; i < options->evidence_count; i++)
        if (!is_there(report, &options->evidence[i]) && !slice_starts(options->evidence[i].lever, REPORT_ROUTER) &&
            !slice_is(options->evidence[i].lever, REPORT_JUDGE))
            report->look_ups[report->look_ups_count++] = (struct report_look_ups){
                options->evidence[i].lever, options->evidence[i].route, .evidence = &options->evidence[i]};
    qsort(report->look_ups, report->look_ups_count, sizeof(struct report_look_ups), by_lever_and_route);
}

/* Days until `missing` more labels are there, as fast as they came in the report's time: of what may teach, such a share
 * was in that arm. Negative: none came. */
static double
days_for(const struct report *report, const struct report_look_ups *line, uint64_t missing)
{
    const struct report_evidence *evidence = line->evidence;
    double taught =
        (double)(line->count[LOOK_UP_SHADOW] + line->count[LOOK_UP_UNEARNED] + line->count[LOOK_UP_AUDITED]);
    double share = evidence->audits > 0 ? (double)evidence->labels / (double)evidence->audits : 0.0;
    double days = report_days(report, report->first);

    if (taught * share <= 0.0 || days <= 0.0)
        return -1.0;
    return (double)missing / (taught * share) * days;
}

static void
missing_text(const struct report *report, const struct report_look_ups *line, struct buffer *out)
{
    const struct report_evidence *evidence = line->evidence;
    double days = days_for(report, line, evidence->missing);

    if (evidence->missing == 0 || evidence->missing == REPORT_NEVER)
        return;
    buffer_printf(out, "  %-16s to serve %s: %llu more audits of the kind if all are acceptable", "",
                  evidence->serves ? "more" : "anything", (unsigned long long)evidence->missing);
    if (evidence->missing_slow != REPORT_NEVER)
        buffer_printf(out, ", %llu as they came so far", (unsigned long long)evidence->missing_slow);
    if (days >= 0.0)
        buffer_printf(out, "; %.3g days or more at this pace", days);
    buffer_add_byte(out, '\n');
}

void
report_evidence_text(const struct report *report, const struct report_look_ups *line, struct buffer *out)
{
    const struct report_evidence *evidence = line->evidence;

    if (evidence == NULL)
        return;
    if (evidence->floor_ppm == 0) {
        buffer_printf(out, "  %-16s evidence: %s\n", "", evidence->words);
        return;
    }
    buffer_printf(out, "  %-16s evidence: floor %.4g%%, %s", "", evidence->floor_ppm / 1e4, evidence->words);
    if (evidence->serves)
        buffer_printf(out, " from %s %.3f on", slice_starts(line->lever, "cascade") ? "a score of" : "similarity",
                      evidence->threshold);
    buffer_printf(out, "\n  %-16s of %llu audits there %.4g%% were acceptable, which bounds it at %.4g%% or more; ", "",
                  (unsigned long long)evidence->labels, evidence->mean_ppm / 1e4, evidence->lower_ppm / 1e4);
    buffer_printf(out, "%.3g%% are audited, %u suspensions", evidence->audit_ppm / 1e4, evidence->suspensions);
    if (evidence->failures > 0)
        buffer_printf(out, ", %llu that could not be judged", (unsigned long long)evidence->failures);
    buffer_add_byte(out, '\n');
    missing_text(report, line, out);
}

/* JSON */

static void
json_labels(struct buffer *out, const char *name, uint64_t labels)
{
    if (labels == REPORT_NEVER)
        buffer_printf(out, ",\"%s\":null", name);
    else
        buffer_printf(out, ",\"%s\":%llu", name, (unsigned long long)labels);
}

void
report_evidence_json(const struct report_evidence *evidence, struct buffer *out)
{
    if (evidence == NULL) {
        buffer_add_text(out, ",\"evidence\":null");
        return;
    }
    buffer_add_text(out, ",\"evidence\":{");
    buffer_add_json_member(out, "standing", slice_of(evidence->words));
    buffer_printf(out,
                  ",\"serves\":%s,\"floor\":%.6f,\"floor_of\":\"%s\",\"threshold\":%.6f,\"mean\":%.6f,"
                  "\"lower_bound\":%.6f,\"own_mean\":%.6f",
                  evidence->serves ? "true" : "false", evidence->floor_ppm / 1e6,
                  evidence->floor_of != NULL ? evidence->floor_of : "served", evidence->threshold,
                  evidence->mean_ppm / 1e6, evidence->lower_ppm / 1e6, evidence->own_mean_ppm / 1e6);
    json_labels(out, "labels", evidence->labels);
    json_labels(out, "labels_missing", evidence->missing);
    json_labels(out, "labels_missing_as_so_far", evidence->missing_slow);
    json_labels(out, "audits", evidence->audits);
    json_labels(out, "judge_failures", evidence->failures);
    buffer_printf(out, ",\"suspensions\":%u,\"audit_share\":%.6f}", evidence->suspensions, evidence->audit_ppm / 1e6);
}

/* What the lever saved by serving. */
static wide_int
saved_by(const struct report_look_ups *line)
{
    return line->saved[LOOK_UP_HIT] + line->saved[LOOK_UP_PARTLY] + line->saved[LOOK_UP_PROMOTED] +
           line->saved[LOOK_UP_KEPT];
}

void
report_look_ups_json(const struct report *report, struct buffer *out)
{
    buffer_add_text(out, ",\n \"look_ups\":[");
    for (size_t i = 0; i < report->look_ups_count; i++) {
        const struct report_look_ups *line = &report->look_ups[i];

        buffer_add_text(out, i == 0 ? "\n  {" : ",\n  {");
        buffer_add_json_member(out, "lever", line->lever);
        buffer_add_byte(out, ',');
        buffer_add_json_member(out, "route", line->route);
        buffer_printf(out, ",\"all\":%lld", (long long)report_look_ups_total(line));
        for (unsigned result = 0; result < LOOK_UP_RESULTS; result++)
            buffer_printf(out, ",\"%s\":%lld", look_up_name((enum look_up_result)result),
                          (long long)line->count[result]);
        buffer_add_byte(out, ',');
        amount_add_json(out, "saved_usd", saved_by(line));
        buffer_add_byte(out, ',');
        amount_add_json(out, "would_have_saved_usd", line->saved[LOOK_UP_SHADOW]);
        buffer_add_byte(out, ',');
        amount_add_json(out, "audits_paid_usd", line->cost[LOOK_UP_AUDITED]);
        buffer_add_byte(out, ',');
        amount_add_json(out, "in_vain_usd", line->saved[LOOK_UP_IN_VAIN]);
        report_evidence_json(line->evidence, out);
        buffer_add_byte(out, '}');
    }
    buffer_add_byte(out, ']');
}

/* CSV */

static void
csv_evidence(const struct report_evidence *evidence, struct buffer *out)
{
    if (evidence == NULL || evidence->floor_ppm == 0) {
        buffer_add_text(out, ",,,,,,,,,\r\n");
        return;
    }
    buffer_printf(out, ",%d,%.6f,%.6f,%.6f,%.6f,%llu,", evidence->serves, evidence->floor_ppm / 1e6,
                  evidence->threshold, evidence->mean_ppm / 1e6, evidence->lower_ppm / 1e6,
                  (unsigned long long)evidence->labels);
    if (evidence->missing != REPORT_NEVER)
        buffer_printf(out, "%llu", (unsigned long long)evidence->missing);
    buffer_printf(out, ",%llu,%u\r\n", (unsigned long long)evidence->audits, evidence->suspensions);
}

void
report_write_look_ups_csv(const struct report *report, struct buffer *out)
{
    buffer_add_text(out, "lever,route,all");
    for (unsigned result = 0; result < LOOK_UP_RESULTS; result++)
        buffer_printf(out, ",%s", look_up_name((enum look_up_result)result));
    buffer_add_text(out, ",saved_usd,would_have_saved_usd,audits_paid_usd,serves,floor,threshold,mean,lower_bound,"
                         "labels,labels_missing,audits,suspensions\r\n");
    for (size_t i = 0; i < report->look_ups_count; i++) {
        const struct report_look_ups *line = &report->look_ups[i];

        csv_add(out, line->lever);
        buffer_add_byte(out, ',');
        csv_add(out, line->route);
        buffer_printf(out, ",%lld", (long long)report_look_ups_total(line));
        for (unsigned result = 0; result < LOOK_UP_RESULTS; result++)
            buffer_printf(out, ",%lld", (long long)line->count[result]);
        amount_add_csv(out, saved_by(line));
        amount_add_csv(out, line->saved[LOOK_UP_SHADOW]);
        amount_add_csv(out, line->cost[LOOK_UP_AUDITED]);
        csv_evidence(line->evidence, out);
    }
}
