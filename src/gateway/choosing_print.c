/* Model choice on the metrics page: how far the evidence of each candidate is. */
#include "gateway/choosing.h"

#include "levers/router.h"

struct figure {
    const char *name, *help;
    double (*of)(const struct evidence_verdict *);
};

static double
may_serve(const struct evidence_verdict *verdict)
{
    return verdict->reason == EVIDENCE_SERVES ? 1 : 0;
}

static const struct arm_standing *
arm_of(const struct evidence_verdict *verdict)
{
    return verdict->serving.arm != ARM_NONE ? &verdict->serving : &verdict->next;
}

static double
floor_of(const struct evidence_verdict *verdict)
{
    return verdict->floor_ppm / 1e6;
}

static double
lower(const struct evidence_verdict *verdict)
{
    return arm_of(verdict)->arm != ARM_NONE ? arm_of(verdict)->lower_ppm / 1e6 : 0.0;
}

static double
mean(const struct evidence_verdict *verdict)
{
    return arm_of(verdict)->arm != ARM_NONE ? arm_of(verdict)->mean_ppm / 1e6 : 0.0;
}

static double
labels(const struct evidence_verdict *verdict)
{
    return arm_of(verdict)->arm != ARM_NONE ? (double)arm_of(verdict)->labels : 0.0;
}

static double
suspensions(const struct evidence_verdict *verdict)
{
    return verdict->suspensions;
}

static const struct figure figures[] = {
    {"equipoise_router_serves", "1: evidence lets this model serve on this route, where the router is on", may_serve},
    {"equipoise_router_floor", "Of its served answers so many must be acceptable; 0: nothing is known yet", floor_of},
    {"equipoise_router_lower_bound",
     "At least so many of its answers are acceptable to the route's judge, at the route's confidence, among those that "
     "it "
     "serves, or would serve first",
     lower},
    {"equipoise_router_mean", "So many of its audits there were acceptable", mean},
    {"equipoise_router_labels", "Audits there", labels},
    {"equipoise_router_suspensions", "How often audits took back what it had earned, in this epoch", suspensions},
};

static void
put_figure(struct gateway *gateway, const struct figure *figure, struct buffer *out)
{
    const size_t before = strlen(ROUTER_EVIDENCE) - strlen("%s");

    buffer_printf(out, "# HELP %s %s\n# TYPE %s gauge\n", figure->name, figure->help, figure->name);
    for (struct shared_evidence *at = evidences_next(&gateway->evidences, NULL); at != NULL;
         at = evidences_next(&gateway->evidences, at)) {
        const char *lever = shared_evidence_lever(at);
        struct evidence_verdict verdict;

        if (strncmp(lever, ROUTER_EVIDENCE, before) != 0)
            continue;
        verdict = shared_evidence_verdict(at);
        buffer_printf(out, "%s{route=\"", figure->name);
        buffer_add_json(out, slice_of(shared_evidence_route(at)));
        buffer_add_text(out, "\",model=\"");
        buffer_add_json(out, slice_of(lever + before));
        buffer_printf(out, "\"} %.6g\n", figure->of(&verdict));
    }
}

void
choosing_print(struct gateway *gateway, struct buffer *out)
{
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
        put_figure(gateway, &figures[i], out);
}
