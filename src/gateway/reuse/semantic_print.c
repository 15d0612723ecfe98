/* The semantic cache on the metrics page. */
#include <inttypes.h>

#include "base/text.h"
#include "gateway/reuse/semantic.h"
#include "levers/semantic_cache.h"

static void
put_number(struct buffer *out, const char *name, const char *kind, const char *help, uint64_t number)
{
    buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %" PRIu64 "\n", name, help, name, kind, name, number);
}

static void
put_gauge(struct buffer *out, const char *name, const char *help, uint64_t number)
{
    put_number(out, name, "gauge", help, number);
}

struct figure {
    const char *name, *help;
    double (*of)(const struct evidence_verdict *);
};

static double
may_serve(const struct evidence_verdict *verdict)
{
    return verdict->reason == EVIDENCE_SERVES ? 1 : 0;
}

/* Where nothing is served nothing is wrong, and nothing is known. */
static double
false_hits(const struct evidence_verdict *verdict)
{
    const struct arm_standing *arm = verdict->serving.arm != ARM_NONE ? &verdict->serving : &verdict->next;

    return arm->arm != ARM_NONE ? 1.0 - arm->lower_ppm / 1e6 : 1.0;
}

static double
threshold(const struct evidence_verdict *verdict)
{
    return verdict->serving.arm != ARM_NONE ? verdict->serving.threshold : 2.0;
}

static double
missing(const struct evidence_verdict *verdict)
{
    return verdict->next.arm != ARM_NONE ? (double)verdict->next.missing_at_best : 0.0;
}

static double
audited(const struct evidence_verdict *verdict)
{
    return verdict->audit_ppm / 1e6;
}

static double
suspensions(const struct evidence_verdict *verdict)
{
    return verdict->suspensions;
}

static const struct figure figures[] = {
    {"equipoise_semantic_serves", "1: evidence lets the semantic cache serve on this route, where it is on", may_serve},
    {"equipoise_semantic_false_hit_bound",
     "The share of unacceptable answers among those that it serves, or would serve next, is below this at the route's "
     "confidence",
     false_hits},
    {"equipoise_semantic_threshold", "The similarity from which it serves; 2: it serves nothing", threshold},
    {"equipoise_semantic_labels_missing", "Audits until it may serve more, if all to come are acceptable", missing},
    {"equipoise_semantic_audit_share", "Of the requests that it may answer, so many are audited", audited},
    {"equipoise_semantic_suspensions", "How often audits took back what it had earned, in this epoch", suspensions},
};

static void
put_figure(struct gateway *gateway, const struct figure *figure, struct buffer *out)
{
    buffer_printf(out, "# HELP %s %s\n# TYPE %s gauge\n", figure->name, figure->help, figure->name);
    for (struct shared_evidence *at = evidences_next(&gateway->evidences, NULL); at != NULL;
         at = evidences_next(&gateway->evidences, at)) {
        struct evidence_verdict verdict;

        if (strcmp(shared_evidence_lever(at), lever_name(LEVER_SEMANTIC_CACHE)) != 0)
            continue;
        verdict = shared_evidence_verdict(at);
        buffer_printf(out, "%s{route=\"", figure->name);
        buffer_add_json(out, slice_of(shared_evidence_route(at)));
        buffer_printf(out, "\"} %.6g\n", figure->of(&verdict));
    }
}

/* Of each tenant that was audited, where a route's have evidence of their own. */
static void
put_guards(struct gateway *gateway, struct buffer *out)
{
    static const char name[] = "equipoise_semantic_tenant_guarded";

    buffer_printf(out, "# HELP %s 1: audits of this tenant's own requests speak against serving it\n# TYPE %s gauge\n",
                  name, name);
    for (struct shared_evidence *at = evidences_next(&gateway->evidences, NULL); at != NULL;
         at = evidences_next(&gateway->evidences, at)) {
        struct slice lever = slice_of(shared_evidence_lever(at));
        bool refutes;

        if (!slice_starts(lever, SEMANTIC_GUARD) || !shared_evidence_audited(at, &refutes))
            continue;
        buffer_printf(out, "%s{route=\"", name);
        buffer_add_json(out, slice_of(shared_evidence_route(at)));
        buffer_add_text(out, "\",tenant=\"");
        buffer_add_json(out, slice_from(lever, strlen(SEMANTIC_GUARD)));
        buffer_printf(out, "\"} %d\n", refutes);
    }
}

void
semantic_print(struct gateway *gateway, struct buffer *out)
{
    struct semantic_index_stats stats = {.entries_most = gateway->turns_most};
    struct promotions_stats promotions = {.count = 0};

    if (gateway_has_meanings(gateway)) {
        semantic_index_stats(gateway->turns, &stats);
        promotions_stats(gateway->promotions, &promotions);
    }
    put_gauge(out, "equipoise_semantic_turns", "Stored answers that can be found by the meaning of what was asked",
              stats.entries);
    put_gauge(out, "equipoise_semantic_turns_limit", "How many there may be (cache: turns)", stats.entries_most);
    put_gauge(out, "equipoise_semantic_bytes", "What knowing them takes, beside the answers", stats.bytes);
    put_number(out, "equipoise_semantic_evicted_total", "counter", "Those that made room for others", stats.evicted);
    put_gauge(out, "equipoise_semantic_promoted",
              "Requests that another's answer may serve, as a judge let the pair pass", promotions.count);
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
        put_figure(gateway, &figures[i], out);
    put_guards(gateway, out);
}
