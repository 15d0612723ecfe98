/* Model choice on the metrics page: how far the evidence of each candidate is. */
#include "gateway/choice/choosing.h"

#include <stdlib.h>

#include "levers/router.h"

/* Each is equipoise_router_NAME and equipoise_cascade_NAME. */
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
    {"serves", "1: evidence lets this model serve on this route, where the lever is on", may_serve},
    {"floor", "Of its served answers so many must be acceptable; 0: nothing is known yet", floor_of},
    {"lower_bound",
     "At least so many of its answers are acceptable to the route's judge, at the route's confidence, among those that "
     "it "
     "serves, or would serve first",
     lower},
    {"mean", "So many of its audits there were acceptable", mean},
    {"labels", "Audits there", labels},
    {"suspensions", "How often audits took back what it had earned, in this epoch", suspensions},
};

/* How all candidates of a lever stand, in whatever slice: a verdict is hundreds of looks at counts, and made once. */
struct candidate_standing {
    const struct shared_evidence *evidence;
    struct slice model, part;
    struct evidence_verdict verdict;
};

struct candidate_standings {
    size_t count, size;
    struct candidate_standing *all;
};

static void
add_standing(struct candidate_standings *standings, const char *lever, struct shared_evidence *evidence)
{
    struct slice model = slice_of(shared_evidence_lever(evidence)), name = slice_split(&model, ' '), part;

    if (model.data == NULL || !slice_is(name, lever))
        return;
    part = evidence_split_part(&model);
    if (standings->count == standings->size) {
        standings->size = 2 * standings->size + 16;
        standings->all = must_realloc(standings->all, standings->size * sizeof(standings->all[0]));
    }
    standings->all[standings->count++] = (struct candidate_standing){
        .evidence = evidence, .model = model, .part = part, .verdict = shared_evidence_verdict(evidence)};
}

static void
put_line(const struct figure *figure, const char *lever, const struct candidate_standing *standing, struct buffer *out)
{
    buffer_printf(out, "equipoise_%s_%s{route=\"", lever, figure->name);
    buffer_add_json(out, slice_of(shared_evidence_route(standing->evidence)));
    buffer_add_text(out, "\",model=\"");
    buffer_add_json(out, standing->model);
    if (standing->part.len > 0)
        buffer_add_text(out, "\",slice=\"");
    buffer_add_json(out, standing->part);
    buffer_printf(out, "\"} %.6g\n", figure->of(&standing->verdict));
}

static void
put_lever(struct gateway *gateway, const char *lever, struct buffer *out)
{
    struct candidate_standings standings = {.count = 0};

    for (struct shared_evidence *at = evidences_next(&gateway->evidences, NULL); at != NULL;
         at = evidences_next(&gateway->evidences, at))
        add_standing(&standings, lever, at);
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
        const struct figure *figure = &figures[i];

        buffer_printf(out, "# HELP equipoise_%s_%s %s\n# TYPE equipoise_%s_%s gauge\n", lever, figure->name,
                      figure->help, lever, figure->name);
        for (size_t k = 0; k < standings.count; k++)
            put_line(figure, lever, &standings.all[k], out);
    }
    free(standings.all);
}

static void
put_warm(struct gateway *gateway, struct buffer *out)
{
    uint64_t labels = 0;

    buffer_add_text(out, "# HELP equipoise_router_warm_labels Labelled requests that the route's router began with "
                         "(router: warm_start); 0: it is still learning of them\n"
                         "# TYPE equipoise_router_warm_labels gauge\n");
    for (struct scorer *at = scorers_next(&gateway->scorers, NULL); at != NULL;
         at = scorers_next(&gateway->scorers, at)) {
        if (!scorer_warm_labels(at, &labels))
            continue;
        buffer_add_text(out, "equipoise_router_warm_labels{route=\"");
        buffer_add_json(out, slice_of(scorer_route(at)));
        buffer_printf(out, "\"} %llu\n", (unsigned long long)labels);
    }
}

/* How judges do on the reference's own other answers: equipoise_judge_NAME. */
static const struct figure judges[] = {
    {"ceiling",
     "So much of the reference's own second answers the route's judge accepts: more it will accept of nobody", mean},
    {"ceiling_lower_bound", "At least so much, at the route's confidence", lower},
    {"ceiling_labels", "Second answers that it judged", labels},
    {"ceiling_floor", "So much it would have to accept for the route's floor; 0: nothing is known yet", floor_of},
};

static void
put_judges(struct gateway *gateway, const struct figure *figure, struct buffer *out)
{
    buffer_printf(out, "# HELP equipoise_judge_%s %s\n# TYPE equipoise_judge_%s gauge\n", figure->name, figure->help,
                  figure->name);
    for (struct shared_evidence *at = evidences_next(&gateway->evidences, NULL); at != NULL;
         at = evidences_next(&gateway->evidences, at)) {
        struct evidence_verdict verdict;

        if (strcmp(shared_evidence_lever(at), JUDGE_EVIDENCE) != 0)
            continue;
        verdict = shared_evidence_verdict(at);
        buffer_printf(out, "equipoise_judge_%s{route=\"", figure->name);
        buffer_add_json(out, slice_of(shared_evidence_route(at)));
        buffer_printf(out, "\"} %.6g\n", figure->of(&verdict));
    }
}

void
choosing_print(struct gateway *gateway, struct buffer *out)
{
    static const enum lever_id levers[] = {LEVER_ROUTER, LEVER_CASCADE};

    for (size_t k = 0; k < sizeof(levers) / sizeof(levers[0]); k++)
        put_lever(gateway, lever_name(levers[k]), out);
    put_warm(gateway, out);
    for (size_t i = 0; i < sizeof(judges) / sizeof(judges[0]); i++)
        put_judges(gateway, &judges[i], out);
}
